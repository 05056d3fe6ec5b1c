"""The numbers of several runs: which are worse than those of the runs that are the measure.

Worse is only what is so for certain: bounds and intervals that overlap leave a doubt, and so do latencies within what
repeated runs scatter. Latencies are wall time, so they are compared at the same speed alone.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Literal

from msgspec import Struct

from harness.core.timeline.bounds import Bounds
from harness.core.verdict.types import Verdict
from harness.report import facts
from harness.report.compared_runs import ComparedRun

Change = Literal["same", "better", "worse", "unknown", "differs", "incomparable"]
SLACK_MS = 5.0
"""Latencies this close to each other are the same: machines differ by that much from one minute to the next."""
PHASE_S = 120.0
"""Times this close are the same where seeds differ: of the period and of the evaluation's minute, a failure meets more
or less, by when it comes."""


class Measure(Struct, frozen=True):
    """A number by which runs are compared: more is worse.

    Only latencies have `interval`, what the number surely is, and `other`, the same number of the other arm. Of a time
    `is_time` is true; what `grows` does so for as long as a canary that is to be rolled back goes on.
    """

    name: str
    value: Callable[[Verdict], Bounds | None]
    told: Callable[[Bounds], str]
    interval: Callable[[Verdict], Bounds | None] | None = None
    other: Callable[[Verdict], Bounds | None] | None = None
    is_time: bool = False
    grows: bool = False

    def surely(self, verdict: Verdict) -> Bounds | None:
        """What the number is at the least and at the most."""
        interval = self.interval(verdict) if self.interval else None
        return interval or self.value(verdict)


class Cell(Struct, frozen=True):
    """A number of one run, and how it changed since the runs that are the measure."""

    told: str
    change: Change = "same"


class ComparedLine(Struct, frozen=True):
    """One number of all runs, in their order."""

    name: str
    cells: tuple[Cell, ...]


def _exactly(path: str) -> Callable[[Verdict], Bounds | None]:
    """The number at a path of the verdict."""
    read = attrgetter(path)

    def value(verdict: Verdict) -> Bounds | None:
        number = read(verdict)
        return None if number is None else (number, number)

    return value


def _interval(path: str) -> Callable[[Verdict], Bounds | None]:
    """The interval at a path of the verdict; without an upper end it may be anything above."""
    read = attrgetter(path)

    def value(verdict: Verdict) -> Bounds | None:
        interval = read(verdict)
        return interval and (interval[0], math.inf if interval[1] is None else interval[1])

    return value


def _count(bounds: Bounds) -> str:
    return facts.count(round(bounds[0]))


def _share(bounds: Bounds) -> str:
    return facts.percent(bounds[0])


def _ms(bounds: Bounds) -> str:
    return f"{facts.number(bounds[0])} ms"


def _latency(arm: str, quantile: str) -> Measure:
    other = "baseline" if arm == "canary" else "canary"
    return Measure(
        name=f"client {quantile} of the {arm}",
        value=_exactly(f"arms.{arm}.{quantile}_ms"),
        told=_ms,
        interval=_interval(f"arms.{arm}.{quantile}_interval_ms"),
        other=_exactly(f"arms.{other}.{quantile}_ms"),
    )


MEASURES: tuple[Measure, ...] = (
    Measure("time to detect", lambda verdict: verdict.detection.time_to_detect_s, facts.span, is_time=True),
    Measure("time to roll back", lambda verdict: verdict.detection.time_to_roll_back_s, facts.span, is_time=True),
    Measure("failed requests", _exactly("exposure.failed_requests"), _count, grows=True),
    Measure("failed good requests", _exactly("exposure.failed_good_requests"), _count, grows=True),
    Measure("users hit", _exactly("exposure.users"), _count),
    Measure("blast radius", _exactly("exposure.blast_radius"), _share, grows=True),
    Measure("error budget used", _exactly("exposure.error_budget_share"), _share, grows=True),
    _latency("baseline", "p95"),
    _latency("canary", "p50"),
    _latency("canary", "p95"),
    _latency("canary", "p99"),
)


def rule(tolerance: float, before: int) -> str:
    """When a number is worse, in words."""
    over = f"more than {facts.percent(tolerance)} above"
    latency = f"a latency must also be more than {SLACK_MS:g} ms above, and the exact 99 % intervals must not overlap"
    time = f"where seeds differ, {PHASE_S:g} s more, and what fails in them, are borne besides"
    if before == 1:
        told = f"Worse is what is for certain {over} the first run's; {latency}, both beyond the other arm's slowdown"
    else:
        told = f"Worse is what is for certain {over} all of the first {before} runs; {latency}"
    return f"{told}; {time}. Latencies of different speeds are not compared."


def compared_line(
    measure: Measure, before: Sequence[ComparedRun], later: Sequence[ComparedRun], tolerance: float
) -> ComparedLine:
    """One number of all runs."""
    measured = [Cell(_told(measure, run)) for run in before]
    return ComparedLine(measure.name, (*measured, *(_cell(measure, run, before, later, tolerance) for run in later)))


def _cell(
    measure: Measure, run: ComparedRun, before: Sequence[ComparedRun], later: Sequence[ComparedRun], tolerance: float
) -> Cell:
    told = _told(measure, run)
    if _hull(measure.value, before) is None:
        return Cell(told)
    if measure.value(run.verdict) is None:
        return Cell(told, "unknown")
    if measure.interval is None:
        return Cell(told, _changed(measure, before, [run], tolerance))
    alike = _of_speed(run, before)
    if _hull(measure.value, alike) is None:
        return Cell(
            f"not comparable: speed {run.conditions.speed} against {before[0].conditions.speed}", "incomparable"
        )
    # Several runs before stand for what repeated runs scatter, and so do those after them.
    repeats = _of_speed(run, later) if len(before) > 1 else [run]
    return Cell(told, _changed(measure, alike, repeats, tolerance))


def _told(measure: Measure, run: ComparedRun) -> str:
    value = measure.value(run.verdict)
    return measure.told(value) if value else facts.NOT_MEASURED


def _of_speed(run: ComparedRun, runs: Iterable[ComparedRun]) -> list[ComparedRun]:
    return [other for other in runs if other.conditions.speed == run.conditions.speed]


def _changed(measure: Measure, before: Sequence[ComparedRun], after: Sequence[ComparedRun], tolerance: float) -> Change:
    """How the number of some runs changed, whose spread is that of all of them."""
    slack, machine = _slack(measure, before, after), _machine(measure, before, after)
    was, surely_was = _hull(measure.value, before), _hull(measure.surely, before)
    is_, surely_is = _hull(measure.value, after), _hull(measure.surely, after)
    if not (was and surely_was and is_ and surely_is):
        return "unknown"
    if is_[0] > was[1] * machine * (1 + tolerance) + slack and surely_is[0] > surely_was[1] * machine:
        return "worse"
    return "better" if is_[1] < was[0] * (1 - tolerance) - slack and surely_is[1] < surely_was[0] else "same"


def _slack(measure: Measure, before: Sequence[ComparedRun], after: Sequence[ComparedRun]) -> float:
    """What a number may differ by though nothing changed."""
    if measure.interval:
        return SLACK_MS
    return PHASE_S if measure.is_time and _differ_in_seed(before, after) else 0.0


def _differ_in_seed(before: Sequence[ComparedRun], after: Sequence[ComparedRun]) -> bool:
    return len({run.conditions.seed for run in (*before, *after)}) > 1


def _phase(before: Sequence[ComparedRun], after: Sequence[ComparedRun]) -> float:
    """How many times as long a canary may go on before it is rolled back, though nothing changed."""
    took = _hull(lambda verdict: verdict.detection.time_to_roll_back_s, before)
    return 1 + PHASE_S / took[1] if took and took[1] and _differ_in_seed(before, after) else 1.0


def _machine(measure: Measure, before: Sequence[ComparedRun], after: Sequence[ComparedRun]) -> float:
    """How many times more a number may be by itself: slower as the other arm is, or more as the time is longer.

    Of a latency without another arm it may be anything.

    Several runs before say it better: their spread has the machine in it.
    """
    if measure.grows:
        return _phase(before, after)
    if measure.other is None or len(before) > 1:
        return 1.0
    was, is_ = _hull(measure.other, before), _hull(measure.other, after)
    return max(1.0, is_[0] / was[1]) if was and is_ and was[1] else math.inf


def _hull(value: Callable[[Verdict], Bounds | None], runs: Iterable[ComparedRun]) -> Bounds | None:
    """From the least to the most of those that were measured."""
    measured = [bounds for bounds in (value(run.verdict) for run in runs) if bounds]
    return (min(low for low, _ in measured), max(high for _, high in measured)) if measured else None
