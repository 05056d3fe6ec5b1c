"""M of N by dynamic programming: how likely each minute is the first that leads to ALARM.

The rule is `alarm_evaluation.state_of`, asked once for each way in which the last minutes can have come out.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

from msgspec import Struct

from harness.core.timeline.alarm_evaluation import Condition, state_of

FEWEST_CERTAIN = 1e-9
"""A minute without data that is less likely than this is taken for impossible."""
NEGLIGIBLE = 1e-12
"""A course of minutes that is less likely is not followed."""

Outcome3 = tuple[float, float, float]
"""The chances that a minute breaches, does not, and has no data."""


class ConditionKey(Struct, frozen=True):
    """A condition on points that are 1 where they breach, and 0 where they do not."""

    period_s: int
    periods: int
    datapoints: int
    missing: str

    @classmethod
    def by(cls, condition: Condition) -> "ConditionKey":
        """What of a condition decides."""
        return cls(condition.period_s, condition.evaluation_periods, condition.datapoints, condition.missing)

    def of(self) -> Condition:
        """As the evaluator takes it."""
        return Condition(
            period_s=self.period_s,
            evaluation_periods=self.periods,
            datapoints=self.datapoints,
            threshold=0.5,
            comparison="GreaterThanThreshold",
            missing=self.missing,
        )


Window: TypeAlias = tuple[float | None, ...]


@lru_cache(maxsize=65536)
def _next(key: ConditionKey, window: Window, value: float | None, late: bool, was_on: bool) -> tuple[bool, Window]:
    """Whether an alarm rings after one more minute, and the window that the next one finds."""
    points = (*window, value, None) if late else (*window, value)
    rings = state_of(key.of(), points, "ALARM" if was_on else "OK") == "ALARM"
    return rings, _that_matters((*window, value)[1:], key.periods)


def _that_matters(window: Window, periods: int) -> Window:
    """A window without the points that are older than so many with data, which no evaluation asks for any more."""
    found = 0
    for age, value in enumerate(reversed(window), 1):
        found += value is not None
        if found == periods:
            return (*(None,) * (len(window) - age), *window[len(window) - age :])
    return window


def first_alarms(
    key: ConditionKey, minutes: Sequence[Outcome3], *, late: bool, warm: int = 0
) -> tuple[list[float], float]:
    """The chance that each minute is the first to lead to ALARM, and that the alarm is on after `warm` minutes.

    Before the first minute all was well. The first `warm` of them come before anything can be stopped: an alarm that
    is on after them is on at the start, whatever came before.
    """
    depth = depth_of(key, minutes)
    depth -= late and depth >= key.periods
    states = {(_that_matters((0.0,) * depth, key.periods), False): 1.0}
    found, on = [0.0] * len(minutes), 0.0
    for at, minute in enumerate(minutes):
        following: dict[tuple[Window, bool], float] = defaultdict(float)
        for (window, was_on), chance in states.items():
            for value, part in zip((1.0, 0.0, None), minute, strict=True):
                if chance * part <= NEGLIGIBLE:
                    continue
                rings, then = _next(key, window, value, late, was_on)
                if not rings or at < warm - 1:
                    following[then, rings and key.missing == "ignore"] += chance * part
                elif at == warm - 1:
                    on += chance * part
                else:
                    found[at] += chance * part
        states = following
    return found, on


def depth_of(key: ConditionKey, minutes: Sequence[Outcome3]) -> int:
    """How many minutes before the newest matter: those that are judged; with gaps all that are looked at."""
    gaps = any(empty > FEWEST_CERTAIN for _, _, empty in minutes)
    one_decides = key.periods == 1 and key.missing != "breaching"  # then the first ALARM comes with its own breach
    return key.of().range - 1 if gaps and not one_decides else key.periods - 1
