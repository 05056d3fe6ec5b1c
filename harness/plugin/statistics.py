"""Locust's statistics, updated with many requests at once.

Locust counts a request when its `request` event is fired, which takes longer than all the rest of our Python code for a
request. If nobody but Locust listens, no event is fired: requests are gathered and added to its statistics from time to
time, as Locust adds those of a worker.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import locust.stats
from locust.stats import RequestStats, StatsEntry, StatsError

from harness.core.timeline.histogram import histogram, seconds_of
from harness.traffic.fired import bounded

Listener = Callable[..., object]


class LocustsCount:
    """Counts the requests that Locust's own statistics are told of: these are cleared and reset at any time.

    Names become text on the way, and numbers finite: Locust could not sort or round others, and would end with a
    traceback in place of its tables, and with an exit code of its own.
    """

    def __init__(self, statistics: RequestStats) -> None:
        self.requests = 0
        self._log_request, self._log_error = statistics.log_request, statistics.log_error
        statistics.log_request, statistics.log_error = self._request, self._error

    def _request(self, method: Any, name: Any, response_time: Any, content_length: Any) -> None:
        self.requests += 1
        self._log_request(bounded(method), bounded(name), _finite(response_time), _finite(content_length) or 0)

    def _error(self, method: Any, name: Any, error: Any) -> None:
        self._log_error(bounded(method), bounded(name), error)


def _finite(number: Any) -> Any:
    return None if isinstance(number, float) and not math.isfinite(number) else number


class FirstHeard(list[Listener]):
    """The listeners of an event with ours before all others, whenever and wherever these are put.

    One that raises what Locust passes on, such as `RescheduleTask`, keeps those after it from hearing of the request.
    """

    def __init__(self, ours: Listener, others: Iterable[Listener]) -> None:
        super().__init__(others)
        self._ours = ours

    def __iter__(self) -> Iterator[Listener]:
        yield self._ours
        yield from super().__iter__()

    def copy(self) -> list[Listener]:
        """What Locust calls."""
        return [*self]


def others_listen(request_event: Any, own: object) -> bool:
    """Whether anybody but Locust's own statistics and `own` listens to each request."""
    listeners = [listener for listener in request_event._handlers if listener != own]
    return any(getattr(listener, "__module__", None) != "locust.runners" for listener in listeners)


class _Batch:
    __slots__ = ("length", "times_s")

    def __init__(self) -> None:
        self.times_s: list[float] = []
        self.length = 0


class Statistics:
    """Gathers requests for Locust's statistics, which include them after the next `flush`."""

    def __init__(self, statistics: RequestStats) -> None:
        self._statistics = statistics
        self.logged = 0
        self._batches: dict[tuple[str, str, str | None], _Batch] = {}

    def log(
        self,
        *,
        request_type: str,
        name: str,
        response_time: float,
        response_length: int,
        exception: str | None,
        response: object = None,  # noqa: ARG002 - the event has it
        context: object = None,  # noqa: ARG002 - the event has it
    ) -> None:
        """Counts one request; the arguments are those of Locust's `request` event."""
        key = (request_type, name, exception)
        batch = self._batches.get(key)
        if batch is None:
            batch = self._batches[key] = _Batch()
        batch.times_s.append(response_time / 1000)
        batch.length += response_length
        self.logged += 1

    def flush(self) -> None:
        """Adds what was gathered since the last flush."""
        batches, self._batches = self._batches, {}
        for (method, name, reason), batch in batches.items():
            entry = self._entry(method, name, batch)
            if reason:
                entry.num_failures, entry.num_fail_per_sec = entry.num_requests, entry.num_reqs_per_sec
                self._add_errors(method, name, reason, entry.num_requests)
            self._statistics.total.extend(entry)
            self._statistics.get(name, method).extend(entry)

    def _entry(self, method: str, name: str, batch: _Batch) -> StatsEntry:
        now, times_s = time.time(), batch.times_s
        entry = StatsEntry(self._statistics, name, method)
        entry.last_request_timestamp = now
        entry.num_requests = len(times_s)
        entry.num_reqs_per_sec = {int(now): len(times_s)}
        entry.total_content_length = batch.length
        entry.total_response_time = sum(times_s) * 1000
        entry.min_response_time, entry.max_response_time = min(times_s) * 1000, max(times_s) * 1000
        for bin_, count in histogram(times_s).items():
            rounded_ms = locust.stats.bucket_response_time(seconds_of(bin_) * 1000)
            entry.response_times[rounded_ms] = entry.response_times.get(rounded_ms, 0) + count
        return entry

    def _add_errors(self, method: str, name: str, reason: str, count: int) -> None:
        key = StatsError.create_key(method, name, reason)
        error = self._statistics.errors.setdefault(key, StatsError(method, name, reason))
        error.occurred()
        error.occurrences += count - 1
