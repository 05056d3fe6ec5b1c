"""Adds up the rows of a timeline: a fraction of the rows gives the same verdict.

A recorder writes a row for each second, persona, endpoint and version. No measure needs service times. Measures need a
persona only where a request failed or was meant to. Judging a long run therefore begins with adding its rows up.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from harness.core.timeline.events import Arrivals, Event, Requests
from harness.core.timeline.histogram import Bins, Unread, merge, merge_each

Key = tuple[object, ...]
LOWEST_FAILURE = 400
"""A status from here on may be a failure, whatever the locustfile thinks of it."""
READ_AT_ONCE = 1024
"""How many unread histograms are read at a time."""


def condensed(events: Iterable[Event]) -> list[Event]:
    """The events of a whole timeline, added up. Raises TimelineError if a histogram is broken."""
    small = Condensed()
    for event in events:
        small.add(event)
    return [*small.events()]


class Condensed:
    """The events of one run. Rows that no measure tells apart are added up."""

    def __init__(self) -> None:
        self._rows: dict[Key, _Row] = {}
        self._seconds: dict[float, Arrivals] = {}
        self._others: list[Event] = []
        self._unread: list[tuple[_Row, bytes]] = []

    def add(self, event: Event) -> None:
        """Takes one more event of the timeline."""
        if isinstance(event, Requests):
            self._add_row(event)
        elif isinstance(event, Arrivals):
            self._add_second(event)
        else:
            self._others.append(event)

    def events(self) -> tuple[Event, ...]:
        """The events to judge; later calls of `add` do not change them."""
        self._read()
        return (*self._others, *self._seconds.values(), *(row.whole() for row in self._rows.values()))

    def _add_row(self, row: Requests) -> None:
        told_apart = row.outcome == "failed" or row.intent == "fault" or row.status >= LOWEST_FAILURE
        persona = row.persona if told_apart else ""
        key = (row.at_s, row.intent, row.version, row.status, row.http, row.outcome, persona, row.endpoint)
        sum_ = self._rows.get(key)
        if sum_ is None:
            sum_ = self._rows[key] = _Row(row, persona)
        sum_.count(row.count, row.rows)
        if isinstance(row.latency, Unread):
            self._leave_unread(sum_, row.latency.text)
        else:
            sum_.add(row.latency)

    def _leave_unread(self, row: "_Row", text: bytes) -> None:
        self._unread.append((row, text))
        if len(self._unread) >= READ_AT_ONCE:
            self._read()

    def _read(self) -> None:
        if not self._unread:
            return
        rows = [*dict.fromkeys(row for row, _ in self._unread)]
        number = {row: index for index, row in enumerate(rows)}
        sums = merge_each([text for _, text in self._unread], [number[row] for row, _ in self._unread])
        for row, latency in zip(rows, sums, strict=True):
            row.add(latency)
        self._unread = []

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
    """The sum of some rows, made one row only when somebody asks, because there are many sums and few questions."""

    __slots__ = ("_count", "_first", "_latency", "_persona", "_rows", "_whole")

    def __init__(self, first: Requests, persona: str) -> None:
        self._first = first
        self._persona = persona
        self._rows: set[int] = set()
        self._count = 0
        self._latency: Bins = {}
        self._whole: Requests | None = None

    def count(self, more: int, rows: tuple[int, ...]) -> None:
        self._count += more
        self._rows.update(rows)
        self._whole = None

    def add(self, latency: Bins) -> None:
        self._latency = merge((self._latency, latency)) if self._latency else latency
        self._whole = None

    def whole(self) -> Requests:
        if self._whole is None:
            first = self._first
            self._whole = Requests(
                at_s=first.at_s,
                intent=first.intent,
                persona=self._persona,
                endpoint=first.endpoint,
                version=first.version,
                outcome=first.outcome,
                status=first.status,
                count=self._count,
                http=first.http,
                rows=tuple(sorted(self._rows)),
                latency=self._latency,
                service_time={},
            )
        return self._whole
