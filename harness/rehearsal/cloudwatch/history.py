"""What happened to alarms: kept for two weeks, also after an alarm is deleted."""

import itertools
from collections.abc import Iterator

from msgspec import Struct

KEPT_S = 14 * 86400


class HistoryItem(Struct, frozen=True):
    """One event of an alarm; `kind` is MetricAlarm or CompositeAlarm, `data` JSON, `number` the order of events."""

    number: int
    alarm: str
    kind: str
    at_s: float
    type: str
    summary: str
    data: str


class AlarmHistory:
    """All events of all alarms in the order in which they happened."""

    def __init__(self) -> None:
        self._items: list[HistoryItem] = []
        self._numbers = itertools.count(1)

    @property
    def latest(self) -> int:
        """The number of the newest event, 0 before the first."""
        return self._items[-1].number if self._items else 0

    def add(self, alarm: str, kind: str, at_s: float, type_: str, summary: str, data: str) -> None:
        """Appends one event."""
        self._items.append(HistoryItem(next(self._numbers), alarm, kind, at_s, type_, summary, data))

    def up_to(self, number: int) -> Iterator[HistoryItem]:
        """The events until and with `number`, oldest first, so that pages stay what they were while time goes on."""
        return itertools.takewhile(lambda item: item.number <= number, self._items)

    def forget(self, now_s: float) -> None:
        """Drops what is too old."""
        self._items = [item for item in self._items if item.at_s >= now_s - KEPT_S]
