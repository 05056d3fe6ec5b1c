"""A timeline made small while it grows: the same verdict from a fraction of the rows.

A recorder writes a row for each second, persona, endpoint and version. No measure looks at service times, and at
personas and endpoints only where a request failed, so a live view adds the rows up before it judges them again.
"""

from msgspec.structs import replace

from harness.core.histogram import merge
from harness.core.timeline import Arrivals, Event, Requests

Key = tuple[object, ...]


class Condensed:
    """The events of one run, added up where no measure tells them apart."""

    def __init__(self) -> None:
        self._rows: dict[Key, _Row] = {}
        self._seconds: dict[float, Arrivals] = {}
        self._others: list[Event] = []

    def add(self, event: Event) -> None:
        """Takes one more event of the timeline."""
        if isinstance(event, Requests):
            self._add_row(event)
        elif isinstance(event, Arrivals):
            self._add_second(event)
        else:
            self._others.append(event)

    def events(self) -> tuple[Event, ...]:
        """What to judge; what was taken later does not change it."""
        return (*self._others, *self._seconds.values(), *(row.whole() for row in self._rows.values()))

    def _add_row(self, row: Requests) -> None:
        persona, endpoint = (row.persona, row.endpoint) if row.outcome == "failed" else ("", "")
        key = (row.at_s, row.intent, row.version, row.status, row.outcome, persona, endpoint)
        sum_ = self._rows.get(key)
        if sum_ is None:
            self._rows[key] = _Row(row, persona, endpoint)
        else:
            sum_.add(row)

    def _add_second(self, second: Arrivals) -> None:
        before = self._seconds.get(second.at_s)
        if before is None:
            self._seconds[second.at_s] = second
            return
        self._seconds[second.at_s] = replace(
            before,
            planned=before.planned + second.planned,
            started=before.started + second.started,
            unstarted=before.unstarted + second.unstarted,
            lag=merge((before.lag, second.lag)),
        )


class _Row:
    """Rows added up; made whole again only when that is asked for, since there are many rows and few who ask."""

    __slots__ = ("_count", "_endpoint", "_first", "_latency", "_persona", "_whole")

    def __init__(self, first: Requests, persona: str, endpoint: str) -> None:
        self._first = first
        self._persona = persona
        self._endpoint = endpoint
        self._count = first.count
        self._latency = dict(first.latency)
        self._whole: Requests | None = None

    def add(self, row: Requests) -> None:
        self._count += row.count
        latency = self._latency
        for bin_, count in row.latency.items():
            latency[bin_] = latency.get(bin_, 0) + count
        self._whole = None

    def whole(self) -> Requests:
        if self._whole is None:
            first = self._first
            self._whole = Requests(
                at_s=first.at_s,
                intent=first.intent,
                persona=self._persona,
                endpoint=self._endpoint,
                version=first.version,
                outcome=first.outcome,
                status=first.status,
                count=self._count,
                latency=dict(self._latency),
                service_time={},
            )
        return self._whole
