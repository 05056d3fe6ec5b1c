"""The recorder: counts every request in rows by second and features, and passes on the rows of past seconds."""

import itertools
import math
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import asdict, replace

from harness.core.experiment.pacing import ArrivalPlan
from harness.core.experiment.requests import FaultWhen
from harness.core.timeline.events import Answer, Arrivals, Event, Exemplar, Requests
from harness.core.timeline.histogram import histogram
from harness.traffic.fired import Features, Reply, fired
from harness.traffic.folding import Folded
from harness.traffic.steering import Timebase
from harness.wallclock import behind_s

EXEMPLARS_PER_SECOND = 5
EXEMPLARS_PER_RUN = 200
MOST_VERSIONS = 20
"""Versions that rows tell apart: a release has two, and a service may answer whatever it likes."""
MOST_NAMES = 1000
"""Names of requests, and of personas, that rows tell apart where others fire them."""

_Key = tuple[Features, int, str | None, bool, bool]
"""What the requests of a row share, beside their second: features, status, version, whether they went well, HTTP."""
Sink = Callable[[Sequence[Event]], None]


class _Row:
    __slots__ = ("latencies_s", "rows", "service_times_s")

    def __init__(self) -> None:
        self.rows: set[int] = set()
        self.latencies_s = array("d")
        self.service_times_s = array("d")


class _Starts:
    __slots__ = ("lags_s", "unstarted")

    def __init__(self) -> None:
        self.lags_s = array("d")
        self.unstarted = 0


class Recorder:
    """Counts requests and starts in rows, one for each second and set of features.

    Rows of one second may come in several parts, since an answer may come long after its due time; parts add up.
    Durations are put into bins only when their row is passed on: all at once is much faster than one by one.

    `recorded` is how many requests were passed on, `odd` how many had values that no request has, of
    which `odd_values` counts each kind, and `example` is the first. `folded` says how many had a version, a name or a
    persona beyond those that are told apart.
    """

    def __init__(self, timebase: Timebase, sink: Sink, worker: str = "", fault_when: FaultWhen | None = None) -> None:
        self._timebase = timebase
        self._fault_when = fault_when
        self._sink = sink
        self._worker = worker
        self.recorded = self.odd = 0
        self.example = ""
        self.odd_values: Counter[str] = Counter()
        self._versions, self._names, self._personas = Folded(MOST_VERSIONS), Folded(MOST_NAMES), Folded(MOST_NAMES)
        self._rows: dict[int, dict[_Key, _Row]] = {}
        self._starts: dict[int, _Starts] = {}
        self._exemplars: list[Exemplar] = []
        self._exemplar_second = -1
        self._exemplars_in_second = 0
        self._exemplars_left = EXEMPLARS_PER_RUN

    def answered(
        self,
        features: Features,
        reply: Reply,
        due_s: float,
        latency_s: float,
        service_s: float,
        feed_row: int | None = None,
    ) -> None:
        """Counts one request that was due at `due_s`; both durations are wall time. Rows of failures are remembered."""
        version = None if reply.version is None else self._versions(reply.version)
        second, key = int(due_s), (features, reply.status, version, reply.reason is None, reply.http)
        rows = self._rows.get(second)
        if rows is None:
            rows = self._rows[second] = {}
        row = rows.get(key)
        if row is None:
            row = rows[key] = _Row()
        row.latencies_s.append(latency_s)
        row.service_times_s.append(service_s)
        if reply.reason is not None:
            if feed_row is not None:
                row.rows.add(feed_row)
            if self._exemplars_left:
                self._exemplify(features, replace(reply, version=version), due_s, latency_s, feed_row)

    @property
    def folded(self) -> dict[str, int]:
        """How many requests are told apart from others no more, by what was too manifold of them."""
        counts = {"version": self._versions, "name": self._names, "persona": self._personas}
        return {what: texts.beyond for what, texts in counts.items() if texts.beyond}

    def started(self, due_s: float, lag_s: float) -> None:
        """Counts a planned start that took place `lag_s` of wall time late."""
        starts = self._starts.get(int(due_s)) or self._starts_of(due_s)
        starts.lags_s.append(lag_s)

    def unstarted(self, due_s: float) -> None:
        """Counts a planned start that did not take place."""
        self._starts_of(due_s).unstarted += 1

    def flush(self, before_s: float | None = None, pause: Callable[[], object] = lambda: None) -> None:
        """Passes on the rows of all seconds that ended by `before_s`, or all rows; `pause` is called between rows."""
        events: list[Event] = [*self._exemplars]
        self._exemplars.clear()
        for event in self._finished(before_s):
            events.append(event)
            pause()
        if events:
            self._sink(events)

    def _finished(self, before_s: float | None) -> Iterator[Event]:
        for second in _gone(self._starts, before_s):
            yield self._arrivals(second, self._starts.pop(second))
        for second in _gone(self._rows, before_s):
            for key, row in self._rows.pop(second).items():
                yield self._requests(second, key, row)

    def on_request(self, **told: Any) -> None:
        """Counts a request of a user that is not a CanaryUser, from Locust's `request` event.

        Its `context` may name `intent` (`good` or `fault`) and `persona`; the default is a good request of anyone, and
        a fault request where it fits `fault_when`.
        """
        base = self._timebase
        set_s = behind_s()  # Locust's dates are by a clock that may have been set since the run began
        request = fired(told, base.began_wall_s + set_s, time.time(), self._fault_when)
        now_s = base.now_s()
        if request.odd:
            self.odd += 1
            self.odd_values.update(request.odd.keys())
            self.example = self.example or " ".join(next(iter(request.odd.items())))
        if request.began_wall_s is None:
            began_s = now_s - request.service_s * base.speed
        else:
            began_s = (request.began_wall_s - set_s - base.began_wall_s) * base.speed
        due_s = max(0.0, began_s)
        told_apart = request.features
        features = Features(told_apart.intent, self._personas(told_apart.persona), self._names(told_apart.endpoint))
        self.started(due_s, 0.0)
        self.answered(features, request.reply, due_s, request.service_s, request.service_s)

    def _starts_of(self, due_s: float) -> _Starts:
        starts = self._starts.get(int(due_s))
        if starts is None:
            starts = self._starts[int(due_s)] = _Starts()
        return starts

    def _exemplify(
        self, features: Features, reply: Reply, due_s: float, latency_s: float, feed_row: int | None
    ) -> None:
        second = int(due_s)
        if second != self._exemplar_second:
            self._exemplar_second, self._exemplars_in_second = second, 0
        if self._exemplars_in_second < EXEMPLARS_PER_SECOND:
            self._exemplars_in_second += 1
            self._exemplars_left -= 1
            self._exemplars.append(
                Exemplar(
                    at_s=due_s,
                    **asdict(features),
                    version=reply.version,
                    status=reply.status,
                    reason=reply.reason or "",
                    latency_s=latency_s,
                    http=reply.http,
                    row=feed_row,
                )
            )

    def _arrivals(self, second: int, starts: _Starts) -> Arrivals:
        return Arrivals(
            at_s=float(second),
            planned=len(starts.lags_s) + starts.unstarted,
            started=len(starts.lags_s),
            unstarted=starts.unstarted,
            lag=histogram(starts.lags_s),
            worker=self._worker,
        )

    def _requests(self, second: int, key: _Key, row: _Row) -> Requests:
        features, status, version, ok, http = key
        outcome: Answer = "ok" if ok else "failed"
        self.recorded += len(row.latencies_s)
        return Requests(
            at_s=float(second),
            intent=features.intent,
            persona=features.persona,
            endpoint=features.endpoint,
            version=version,
            outcome=outcome,
            status=status,
            count=len(row.latencies_s),
            http=http,
            rows=tuple(sorted(row.rows)),
            latency=histogram(row.latencies_s),
            service_time=histogram(row.service_times_s),
            worker=self._worker,
        )


def unstarted(plan: ArrivalPlan, share: float, from_s: float, until_s: float, worker: str) -> list[Arrivals]:
    """The starts that a worker with this share of a plan did not make between two instants, by the second."""
    edges_s = [from_s, *map(float, range(math.floor(from_s) + 1, math.ceil(until_s))), until_s]
    counts = [round(plan.level_at(at_s) * share) for at_s in edges_s]
    return [
        Arrivals(at_s=float(math.floor(began_s)), planned=missed, started=0, unstarted=missed, worker=worker)
        for began_s, missed in zip(edges_s, (b - a for a, b in itertools.pairwise(counts)), strict=False)
        if missed > 0
    ]


def _gone(seconds: Mapping[int, object], before_s: float | None) -> list[int]:
    return sorted(second for second in seconds if before_s is None or second + 1 <= before_s)
