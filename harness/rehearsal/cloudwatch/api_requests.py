"""The metrics of AWS/ApiGateway: what the gateway answered, published for a minute at a time.

The API of a rehearsal counts as a REST API (dimension ApiName) and as an HTTP API (dimension ApiId), whose names
for errors differ, so that an alarm on either can be rehearsed; one of the control plane as what it is. AWS/ApiGateway
has no sets of detailed metrics here.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from harness.rehearsal.cloudwatch.bucket import Bucket, counted
from harness.rehearsal.cloudwatch.invocations import Dimensions
from harness.rehearsal.cloudwatch.store import MINUTE_S, Metric, MetricStore

NAMESPACE = "AWS/ApiGateway"

_ERRORS_OF_A_REST_API = ("4XXError", "5XXError")
_ERRORS_OF_A_HTTP_API = ("4xx", "5xx")


DEFAULT_STAGE = "$default"
"""The stage of an HTTP API whose name no path has."""


class ApiName(NamedTuple):
    """What an API is called in its metrics' dimensions; without a kind it counts as one of each."""

    name: str
    id: str
    stage: str
    kind: Literal["REST", "HTTP"] | None = None

    @property
    def path(self) -> str:
        """What the paths of the API's routes begin with: nothing for the default stage of an HTTP API."""
        return "" if self.stage == DEFAULT_STAGE else f"/{self.stage}"


_Answered = tuple[int, int, int | None]
"""The first digit of a status, and the whole milliseconds of latency and integration."""
_Minute = dict[_Answered, int]


def _metrics(minute: _Minute, errors: tuple[str, str]) -> Iterator[tuple[str, str, Bucket]]:
    """Name, unit and samples of each metric; `errors` are the names of the two that count errors."""
    latency, integration, requests = Bucket(), Bucket(), sum(minute.values())
    for (_, latency_ms, integration_ms), times in minute.items():
        latency.add(latency_ms, times)
        if integration_ms is not None:
            integration.add(integration_ms, times)
    yield "Count", "Count", counted(ones=requests, zeros=0)
    for name, digit in zip(errors, (4, 5), strict=True):
        failed = sum(times for (first, _, _), times in minute.items() if first == digit)
        yield name, "Count", counted(ones=failed, zeros=requests - failed)
    yield "Latency", "Milliseconds", latency
    if integration.count:
        yield "IntegrationLatency", "Milliseconds", integration


class ApiMetrics:
    """Counts what the API answers, and publishes each minute when it is due.

    `visible_at` says when the data of a minute can be read. Assumptions: they come as late as Lambda's, a request
    belongs to the minute in which it came in, and latencies are whole milliseconds, as in API Gateway's access logs.
    """

    def __init__(self, visible_at: Callable[[int], float]) -> None:
        self._visible_at = visible_at
        self._lock = threading.Lock()
        self._minutes: dict[int, dict[ApiName, _Minute]] = {}
        self._newest: tuple[int, ApiName | None, _Minute] = (0, None, {})

    def record(
        self, api: ApiName, received_s: float, status: int, latency_ms: float, integration_ms: float | None
    ) -> None:
        """Counts one request; `integration_ms` is None where the gateway answered by itself."""
        answered = status // 100, int(latency_ms + 0.5), None if integration_ms is None else int(integration_ms + 0.5)
        minute = int(received_s) // MINUTE_S
        with self._lock:
            if minute != self._newest[0] or api is not self._newest[1]:
                self._newest = (minute, api, self._tally(minute, api))
            tally = self._newest[2]
            tally[answered] = tally.get(answered, 0) + 1

    def publish(self, store: MetricStore, now_s: float) -> None:
        """Moves what is visible by `now_s` to the store, in each of its dimension sets."""
        for minute, tallies in self._due(now_s):
            for api, tally in tallies.items():
                for dimensions, errors in dimension_sets(api):
                    for name, unit, bucket in _metrics(tally, errors):
                        store.add(Metric(NAMESPACE, name, dimensions), unit, minute * MINUTE_S, bucket)

    def _tally(self, minute: int, api: ApiName) -> _Minute:
        tallies = self._minutes.get(minute)
        if tallies is None:
            tallies = self._minutes[minute] = {}
        tally = tallies.get(api)
        if tally is None:
            tally = tallies[api] = {}
        return tally

    def _due(self, now_s: float) -> list[tuple[int, dict[ApiName, _Minute]]]:
        with self._lock:
            self._newest = (0, None, {})
            due = sorted(minute for minute in self._minutes if self._visible_at(minute) <= now_s)
            return [(minute, self._minutes.pop(minute)) for minute in due]


def dimension_sets(api: ApiName) -> Iterator[tuple[Dimensions, tuple[str, str]]]:
    """The dimension sets that a request counts in, each sorted by name and with the names of its errors."""
    for kind, identity, errors in (
        ("REST", ("ApiName", api.name), _ERRORS_OF_A_REST_API),
        ("HTTP", ("ApiId", api.id), _ERRORS_OF_A_HTTP_API),
    ):
        if api.kind not in (None, kind):
            continue
        yield (identity,), errors
        yield (identity, ("Stage", api.stage)), errors
