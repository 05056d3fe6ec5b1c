"""Predictions held against rehearsals on the local cloud's own state machines, whose delays are AWS's captured ones."""

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from scipy.stats import binom

from harness.core.odds.chances import outlook
from harness.core.odds.from_experiment import setting_of
from harness.core.odds.outlook import Quantiles
from tests.core.odds.grid import GRID
from tests.core.odds.virtual import rehearsed

REHEARSALS = 40
SAMPLE = ("thin", "canary alone, two of two", "five minutes", "linear, quick", "fault requests by chance", "a rate")
MOST_OUT = 2
"""Of 24: so many lie outside of a 95 % interval by chance now and then."""


class Compared(NamedTuple):
    """One setting: its predicted chance, and how often rehearsals were rolled back in time."""

    name: str
    predicted: float
    seen: int
    inside: bool
    times_inside: bool


def compared(name: str) -> Compared:
    """Forty rehearsals of a setting, with seeds of its own."""
    experiment = GRID[name]
    told, first = outlook(setting_of(experiment)), 1000 * (1 + list(GRID).index(name))
    found = [rehearsed(experiment, first + number) for number in range(REHEARSALS)]
    seen = sum(one.rolled_back for one in found)
    low, high = binom.ppf((0.025, 0.975), REHEARSALS, told.rolled_back.value)
    times = [one.detect_s for one in found if one.detect_s is not None]
    back = [one.roll_back_s for one in found if one.roll_back_s is not None]
    fit = _fits(told.detect_s, times) and (told.at_start > 0 or _fits(told.roll_back_s, back))
    return Compared(name, told.rolled_back.value, seen, bool(low <= seen <= high), fit)


def _fits(told: Quantiles | None, times: Sequence[float]) -> bool:
    """Whether as many times lie below each predicted quantile as chance allows, in 99 of 100."""
    if told is None or len(times) < 5:
        return True
    for level, value in ((0.05, told.p05), (0.5, told.p50), (0.95, told.p95)):
        low, high = binom.ppf((0.005, 0.995), len(times), level)
        if not low <= sum(time <= value for time in times) <= high:
            return False
    return True


def test_a_sample_of_the_predictions_comes_true() -> None:
    """Six settings, forty rehearsals each."""
    found = [compared(name) for name in SAMPLE]
    assert sum(not one.inside for one in found) <= 1, found
    assert sum(not one.times_inside for one in found) <= 1, found


@pytest.mark.soak
def test_predictions_come_true() -> None:
    """All settings of the grid, of which there are at least 24."""
    found = [compared(name) for name in GRID]
    assert len(found) >= 24
    assert sum(not one.inside for one in found) <= MOST_OUT, found
    assert sum(not one.times_inside for one in found) <= MOST_OUT, found
