"""Traffic routing: what a deployment configuration says, and the shifts that follow from it."""

import itertools
import math
import random

from msgspec import Struct

from harness.core.delays import StepTimes
from harness.rehearsal.codedeploy.timing import MINUTE_S, drawn

PREFIX = "CodeDeployDefault."

DEFAULT_NAME = PREFIX + "LambdaAllAtOnce"


class Canary(Struct, frozen=True):
    """`percent` of the traffic first, the rest after `interval_min` minutes."""

    percent: int
    interval_min: int


class Linear(Struct, frozen=True):
    """`percent` of the traffic first, as much again each `interval_min` minutes."""

    percent: int
    interval_min: int

    @property
    def intervals(self) -> int:
        """How many waits lie between the first and the last shift."""
        return math.ceil((100 - self.percent) / self.percent)


class AllAtOnce(Struct, frozen=True):
    """All the traffic at once."""


Routing = Canary | Linear | AllAtOnce

ALL_AT_ONCE = AllAtOnce()


class PlannedShift(Struct, frozen=True):
    """At `after_s` since the begin of AllowTraffic the target version gets `weight` (0..1) of the traffic."""

    after_s: float
    weight: float


def shifts(routing: Routing) -> tuple[PlannedShift, ...]:
    """The shifts of a deployment in their order; the last gives the target version everything."""
    match routing:
        case AllAtOnce():
            return (PlannedShift(0.0, 1.0),)
        case Canary(percent, interval_min):
            return (PlannedShift(0.0, percent / 100), PlannedShift(interval_min * MINUTE_S, 1.0))
        case Linear(percent, interval_min):
            interval_s = interval_min * MINUTE_S
            steps = [PlannedShift(n * interval_s, (n + 1) * percent / 100) for n in range(routing.intervals)]
            return (*steps, PlannedShift(routing.intervals * interval_s, 1.0))


def landings(planned: tuple[PlannedShift, ...], pace: StepTimes, rng: random.Random) -> list[PlannedShift]:
    """The shifts with how late each is; delays add up from the second shift on.

    Assumption: an interval runs from the begin of AllowTraffic, not from the first visible weights: only so do the
    captured first weights (more than 3 s after the start) and the captured total (5:02) agree.
    """
    first, *later = planned
    late_s = itertools.accumulate(drawn(pace.later_shift_s, rng) for _ in later)
    first_s = drawn(pace.first_shift_s, rng)
    rest = [PlannedShift(shift.after_s + late, shift.weight) for shift, late in zip(later, late_s, strict=True)]
    return [PlannedShift(first_s, first.weight), *rest]


def _presets() -> dict[str, Routing]:
    canaries: dict[str, Routing] = {
        f"LambdaCanary10Percent{minutes}Minutes": Canary(10, minutes) for minutes in (5, 10, 15, 30)
    }
    linears: dict[str, Routing] = {
        f"LambdaLinear10PercentEvery{minutes}Minute{'s' if minutes > 1 else ''}": Linear(10, minutes)
        for minutes in (1, 2, 3, 10)
    }
    return {PREFIX + name: routing for name, routing in {"LambdaAllAtOnce": ALL_AT_ONCE, **canaries, **linears}.items()}


PRESETS: dict[str, Routing] = _presets()
"""The nine Lambda configurations that every account has, by full name."""
