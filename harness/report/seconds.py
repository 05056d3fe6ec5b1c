"""The per-second table: what was sent, what failed and how long it took, by intent and by arm."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from harness.core.alarm import Turn
from harness.core.evidence import Evidence, failed
from harness.core.histogram import Bins, merge, quantiles_s
from harness.core.rollout import Rollout
from harness.core.timeline import Event, Intent, Look, Requests, Write
from harness.report.history import History

ArmName = Literal["baseline", "canary", "unknown"]
ARMS: tuple[ArmName, ...] = ("baseline", "canary", "unknown")
INTENTS: tuple[Intent, ...] = ("good", "fault")
CELLS = tuple((intent, arm) for intent in INTENTS for arm in ARMS)
QUANTILES = (0.50, 0.95, 0.99)
WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""How long the parts of a long run may be in a chart."""

_CELL = {cell: index for index, cell in enumerate(CELLS)}


class Slice(Struct, frozen=True, kw_only=True):
    """A part of the run that begins at `at_s` since it began.

    `sent` and `failures` are counts in the order of CELLS. `planned`, `started` and `unstarted` are None where no
    schedule was noted, the latencies where no request was sent, `weight` before the alias was seen, `in_alarm` before
    any alarm was.
    """

    at_s: float
    planned: int | None
    started: int | None
    unstarted: int | None
    sent: tuple[int, ...]
    failures: tuple[int, ...]
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    weight: float | None
    in_alarm: bool | None


def slices(run: History, width_s: float = 1.0) -> list[Slice]:
    """The run in slices of `width_s`, from its first second with anything in it to its last; empty without traffic.

    Slices begin at multiples of `width_s` since the run began. A slice in which nothing was sent is there all the same.
    """
    found = run.found
    numbers = [int(event.at_s // width_s) for event in (*found.requests, *found.arrivals)]
    if not numbers:
        return []
    counted, planned = _counted(found, width_s), _planned(found, width_s)
    weights, alarms = Steps(weights_of(run.events)), Steps(alarm_steps(run.rollout))
    return [
        _slice(number * width_s, counted.get(number), planned.get(number), weights, alarms)
        for number in range(min(numbers), max(numbers) + 1)
    ]


def width_for(run: History, most: int) -> float:
    """The narrowest slices of which a run has at most so many."""
    fits = (width_s for width_s in WIDTHS_S if run.found.end_s / width_s <= most)
    return float(next(fits, math.ceil(run.found.end_s / most)))


def arm_of(found: Evidence, version: str | None) -> ArmName:
    """The arm that answered."""
    if found.is_canary(version):
        return "canary"
    return "baseline" if found.is_baseline(version) else "unknown"


class Steps:
    """A value that holds from an instant on until the next one."""

    def __init__(self, steps: Iterable[tuple[float, float | None]]) -> None:
        self._steps = sorted(steps, key=lambda step: step[0])
        self._next = 0
        self._value: float | None = None

    def at(self, at_s: float) -> float | None:
        """The value at an instant, which must not be before the one asked last; None before the first step."""
        while self._next < len(self._steps) and self._steps[self._next][0] <= at_s:
            self._value = self._steps[self._next][1]
            self._next += 1
        return self._value


def weights_of(events: Iterable[Event]) -> Iterator[tuple[float, float | None]]:
    """The canary's weight as looks saw it: (instant, share), a step each time it changed."""
    rollout, before = Rollout(), None
    for event in events:
        if not isinstance(event, Look | Write):
            continue
        rollout = rollout.step(event)
        if rollout.weight is not None and rollout.weight != before:
            before = rollout.weight
            yield event.at_s, before


def alarm_steps(rollout: Rollout) -> list[tuple[float, float | None]]:
    """How many of the alarms that can stop the deployment were in ALARM: (instant, number)."""
    turns = [(turn.since[1], name, turn) for name in rollout.alarm_names for turn in rollout.alarm_turns(name)]
    states: dict[str, Turn] = {}
    steps: list[tuple[float, float | None]] = []
    for at_s, name, turn in sorted(turns, key=lambda step: step[0]):
        states[name] = turn
        steps.append((at_s, float(sum(turn.state == "ALARM" for turn in states.values()))))
    return steps


class _Counts:
    __slots__ = ("failures", "latencies", "sent")

    def __init__(self) -> None:
        self.sent = [0] * len(CELLS)
        self.failures = [0] * len(CELLS)
        self.latencies: list[Bins] = []


def _counted(found: Evidence, width_s: float) -> dict[int, _Counts]:
    counts: dict[int, _Counts] = defaultdict(_Counts)
    arms = {version: arm_of(found, version) for version in {seen.version for seen in found.requests}}
    for seen in found.requests:
        _count(counts[int(seen.at_s // width_s)], seen, arms[seen.version])
    return counts


def _count(counts: _Counts, seen: Requests, arm: ArmName) -> None:
    cell = _CELL[seen.intent, arm]
    counts.sent[cell] += seen.count
    counts.failures[cell] += seen.count if failed(seen) else 0
    counts.latencies.append(seen.latency)


def _planned(found: Evidence, width_s: float) -> dict[int, list[int]]:
    planned: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for second in found.arrivals:
        total = planned[int(second.at_s // width_s)]
        total[0] += second.planned
        total[1] += second.started
        total[2] += second.unstarted
    return planned


def _slice(at_s: float, counts: _Counts | None, planned: Sequence[int] | None, weights: Steps, alarms: Steps) -> Slice:
    counts = counts or _Counts()
    p50, p95, p99 = (_ms(value) for value in quantiles_s(merge(counts.latencies), QUANTILES))
    ringing = alarms.at(at_s)
    return Slice(
        at_s=at_s,
        planned=planned[0] if planned else None,
        started=planned[1] if planned else None,
        unstarted=planned[2] if planned else None,
        sent=tuple(counts.sent),
        failures=tuple(counts.failures),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        weight=weights.at(at_s),
        in_alarm=None if ringing is None else ringing > 0,
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
