"""The per-second table: what was sent, what failed and how long it took, by intent and by arm."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, TypeVar

from msgspec import Struct

from harness.core.timeline.alarm_states import Turn
from harness.core.timeline.bounds import Bounds
from harness.core.timeline.events import AliasSeen, Event, Intent, Look, TargetSeen, Write
from harness.core.timeline.histogram import Bins, merge, quantiles_s
from harness.core.timeline.release import Release
from harness.core.timeline.rollout import Rollout, follow
from harness.core.verdict.evidence import Evidence, failed

T = TypeVar("T")
ArmName = Literal["baseline", "canary", "unknown"]
ARMS: tuple[ArmName, ...] = ("baseline", "canary", "unknown")
INTENTS: tuple[Intent, ...] = ("good", "fault")
CELLS = tuple((intent, arm) for intent in INTENTS for arm in ARMS)
QUANTILES = (0.50, 0.95, 0.99)
WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""How long the parts of a long run may be in a chart."""
LONGEST_GAP = 3600
"""So many slices without anything in them are listed one by one; a longer gap is a stray line's, or a night's."""

_CELL = {cell: index for index, cell in enumerate(CELLS)}


class Slice(Struct, frozen=True, kw_only=True):
    """A part of the run that begins at `at_s` since it began.

    `sent` and `failures` are counts in the order of CELLS. `planned`, `started` and `unstarted` are None where no
    schedule was noted, the latencies where no request was sent, `weight` before the alias was seen and while it
    changed between two looks, `in_alarm` before any alarm was seen.
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


class Seconds:
    """The per-second table of a run, from which wider slices are made; latencies of all requests are read once."""

    def __init__(self, evidence: Evidence, events: Iterable[Event]) -> None:
        self._end_s = evidence.end_s
        self._counts = _counted(evidence)
        self._planned = _planned(evidence)
        self._weights = tuple(weights_of(events, evidence.release))
        self._alarms = tuple(alarm_steps(evidence.rollout))
        self._slices: dict[int, list[Slice]] = {}

    def slices(self, width_s: int = 1) -> list[Slice]:
        """The run in slices of so many seconds, from the first with anything in it to the last; empty without traffic.

        Slices begin at multiples of their width. A slice in which nothing was sent is there all the same, unless it is
        one of more than LONGEST_GAP in a row, which are all left out.
        """
        if width_s not in self._slices:
            self._slices[width_s] = self._sliced(width_s)
        return self._slices[width_s]

    def _sliced(self, width_s: int) -> list[Slice]:
        counts, planned = _grouped(self._counts, width_s), _grouped(self._planned, width_s)
        weights, alarms = Steps(self._weights), Steps(self._alarms)
        return [
            _slice(number * width_s, counts.get(number, []), planned.get(number, []), weights, alarms)
            for number in _bridged(sorted({*counts, *planned}))
        ]

    def width_for(self, most: int) -> int:
        """The narrowest slices of which the run has at most so many."""
        lasted_s = self._end_s - min((*self._counts, *self._planned), default=0)
        fits = (width_s for width_s in WIDTHS_S if lasted_s / width_s <= most)
        return next(fits, math.ceil(lasted_s / most))


def _bridged(numbers: Sequence[int]) -> Iterator[int]:
    """These in their order, and those between them where they are few."""
    yield from numbers[:1]
    for before, number in pairwise(numbers):
        yield from range(before + 1, number) if number - before - 1 <= LONGEST_GAP else ()
        yield number


def columns(parts: Sequence[Slice], created_s: float | None) -> dict[str, list[Any]]:
    """Slices as columns by name; see `Frames` for what they hold."""
    table: dict[str, list[Any]] = {
        "at_s": [part.at_s for part in parts],
        "since_creation_s": [None if created_s is None else part.at_s - created_s for part in parts],
    }
    for name in ("planned", "started", "unstarted"):
        table[name] = [getattr(part, name) for part in parts]
    for word, name in (("sent", "sent"), ("failed", "failures")):
        for index, (intent, arm) in enumerate(CELLS):
            table[f"{word}_{intent}_{arm}"] = [getattr(part, name)[index] for part in parts]
    for name in ("p50_ms", "p95_ms", "p99_ms", "weight", "in_alarm"):
        table[name] = [getattr(part, name) for part in parts]
    return table


def arm_of(evidence: Evidence, version: str | None) -> ArmName:
    """The arm that answered."""
    if evidence.is_canary(version):
        return "canary"
    return "baseline" if evidence.is_baseline(version) else "unknown"


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


def weights_of(events: Iterable[Event], whole: Release) -> Iterator[tuple[float, float | None]]:
    """The canary's weight as looks saw it: (instant, share), a step each time it changed; None while it may have.

    `whole` is what the events come to: later looks tell by CodeDeploy's own dates when a change was, or was not yet.
    """
    release, before, held_s, since_s = Release(), None, 0.0, 0.0
    for event in events:
        if not isinstance(event, Look | Write):
            continue
        release = follow(release, event)
        weight = release.weight
        if weight is not None and weight != before:
            low, high = (event.at_s, event.at_s) if before is None else _changed(weight, (held_s, event.at_s), whole)
            if since_s < high and low < high:
                yield max(low, since_s), None
            yield high, weight
            before, since_s = weight, high
        if isinstance(event, AliasSeen | TargetSeen) and _shows(release, event):
            held_s = max(held_s, event.asked_s)


def _shows(release: Release, seen: AliasSeen | TargetSeen) -> bool:
    if isinstance(seen, AliasSeen):
        return True
    return seen is release.weighed and seen.weight == release.weight


def _changed(weight: float, looks: Bounds, whole: Release) -> Bounds:
    """When the weight became this: between two looks, and closer where CodeDeploy dated it."""
    (low, high), restored = looks, whole.restored
    if weight == 0 and restored and low <= restored[1]:
        return max(low, restored[0]), max(low, min(high, restored[1]))
    return next((shift.at_s for shift in whole.shifts if (shift.weight, shift.at_s[1]) == (weight, high)), looks)


def alarm_steps(rollout: Rollout) -> list[tuple[float, float | None]]:
    """How many of the alarms that can stop the deployment were in ALARM: (instant, number)."""
    turns = [(turn.since[1], name, turn) for name in rollout.yardsticks for turn in rollout.alarms.turns(name)]
    states: dict[str, Turn] = {}
    steps: list[tuple[float, float | None]] = []
    for at_s, name, turn in sorted(turns, key=lambda step: step[0]):
        states[name] = turn
        steps.append((at_s, float(sum(turn.state == "ALARM" for turn in states.values()))))
    return steps


class _Counts:
    """What was counted in one second."""

    __slots__ = ("failures", "latencies", "latency", "sent")

    def __init__(self) -> None:
        self.sent = [0] * len(CELLS)
        self.failures = [0] * len(CELLS)
        self.latencies: list[Bins] = []
        self.latency: Bins = {}


def _counted(evidence: Evidence) -> dict[int, _Counts]:
    counts: dict[int, _Counts] = defaultdict(_Counts)
    arms = {version: arm_of(evidence, version) for version in {seen.version for seen in evidence.requests}}
    for seen in evidence.requests:
        second, cell = counts[int(seen.at_s)], _CELL[seen.intent, arms[seen.version]]
        second.sent[cell] += seen.count
        second.failures[cell] += seen.count if failed(seen) else 0
        second.latencies.append(seen.latency)
    for second in counts.values():
        second.latency = merge(second.latencies)
        second.latencies = []
    return counts


def _planned(evidence: Evidence) -> dict[int, tuple[int, int, int]]:
    planned: dict[int, tuple[int, int, int]] = {}
    for second in evidence.arrivals:
        before = planned.get(int(second.at_s), (0, 0, 0))
        more = (second.planned, second.started, second.unstarted)
        planned[int(second.at_s)] = (before[0] + more[0], before[1] + more[1], before[2] + more[2])
    return planned


def _grouped(seconds: Mapping[int, T], width_s: int) -> dict[int, list[T]]:
    groups: dict[int, list[T]] = defaultdict(list)
    for second, counted in seconds.items():
        groups[second // width_s].append(counted)
    return groups


def _slice(
    at_s: float, counts: Sequence[_Counts], planned: Sequence[Sequence[int]], weights: Steps, alarms: Steps
) -> Slice:
    p50, p95, p99 = (_ms(value) for value in quantiles_s(merge(each.latency for each in counts), QUANTILES))
    starts = [sum(column) for column in zip(*planned, strict=True)] or [None, None, None]
    ringing = alarms.at(at_s)
    return Slice(
        at_s=float(at_s),
        planned=starts[0],
        started=starts[1],
        unstarted=starts[2],
        sent=_sums([each.sent for each in counts]),
        failures=_sums([each.failures for each in counts]),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        weight=weights.at(at_s),
        in_alarm=None if ringing is None else ringing > 0,
    )


def _sums(counts: Sequence[Sequence[int]]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*counts, strict=True))) if counts else (0,) * len(CELLS)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
