"""The rules in bulk are those of core, one by one: states of alarms, composites, shifts."""

import random
import time

import numpy as np
import pytest

from harness.core.odds import bulk
from harness.core.odds.bulk import BREACHING, GOOD, MISSING, STATES
from harness.core.odds.setting import FIRST_SHIFT_S, Setting
from harness.core.timeline.alarm_evaluation import Condition, Points, state_of, states_of
from harness.core.timeline.composites import ChildIs, SomeOf, StateRule, holds
from harness.core.timeline.presets import config_named
from harness.core.timeline.steps import weight_after
from tests.core.odds.releases import setting
from tests.core.timeline.test_alarm_evaluation import reference

VALUES = {MISSING: None, GOOD: 0.0, BREACHING: 5.0}
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def condition(dice: random.Random, period_s: int) -> Condition:
    """M of N, with any treatment of gaps."""
    n = dice.randint(1, 5)
    return Condition(
        period_s=period_s,
        evaluation_periods=n,
        datapoints=dice.randint(1, n),
        threshold=3.0,
        comparison="GreaterThanOrEqualToThreshold",
        missing=dice.choice(TREATMENTS),
    )


def series(dice: random.Random, rows: int = 50, columns: int = 14) -> bulk.Marks:
    """What periods are to an alarm, at random."""
    return np.array(
        [[dice.choice((MISSING, GOOD, GOOD, BREACHING)) for _ in range(columns)] for _ in range(rows)], np.int8
    )


def values(row: bulk.Marks) -> Points:
    """A row as datapoints."""
    return [VALUES[int(mark)] for mark in row]


@pytest.mark.parametrize("period_s", [60, 300])
def test_states_are_those_of_core_and_of_a_slow_reading(period_s: int) -> None:
    """Ten thousand random series with gaps, for each period."""
    dice = random.Random(period_s)
    for _ in range(200):
        alarm, marks = condition(dice, period_s), series(dice)
        found = bulk.states(alarm, bulk.windows(marks, alarm))
        told = [[STATES[int(state)] for state in row] for row in found]
        assert told == [list(states_of(alarm, values(row))) for row in marks], alarm
        assert told == [reference(alarm, values(row), "OK") for row in marks], alarm


def test_late_evaluations_see_the_newest_minute_without_data() -> None:
    """The window of core that ends with a gap, at each evaluation."""
    dice = random.Random(7)
    for _ in range(50):
        alarm, marks = condition(dice, 60), series(dice, rows=10)
        newest = np.full_like(marks, MISSING)
        found = bulk.states(alarm, bulk.late_windows(newest, marks, alarm))
        for row, states in zip(marks, found, strict=True):
            before, padded = "OK", [None] * alarm.range + [*values(row)]
            for at, state in enumerate(states):
                window = [*padded[at + 2 : at + 1 + alarm.range], None]
                before = state_of(alarm, window, before)
                assert STATES[int(state)] == before


def tree(dice: random.Random, depth: int = 3) -> StateRule:
    """Any rule of a composite."""
    if depth == 0 or dice.random() < 0.3:
        return ChildIs(dice.choice(STATES), dice.choice("abc"), dice.random() < 0.3)
    parts = tuple(tree(dice, depth - 1) for _ in range(dice.randint(0, 3)))
    return SomeOf(dice.randint(0, 3), parts)


def test_composites_hold_as_in_core() -> None:
    """A thousand random rules over all states of three alarms."""
    dice = random.Random(3)
    states = {name: np.array([[dice.randint(0, 2) for _ in range(20)]], np.int8) for name in "abc"}
    for _ in range(1000):
        rule = tree(dice)
        found = np.broadcast_to(bulk.holds(rule, bulk.in_state(states)), (1, 20))[0]
        for at, held in enumerate(found):
            now = {name: STATES[int(row[0, at])] for name, row in states.items()}
            assert held == holds(rule, lambda leaf, now=now: leaf.holds_in(now[leaf.name])), rule


@pytest.mark.parametrize(
    "name", ["Canary10Percent5Minutes", "Linear10PercentEvery1Minute", "Linear30PercentEvery2Minutes"]
)
def test_weights_are_those_of_core_but_for_the_lateness_of_shifts(name: str) -> None:
    """Between a shift and the next, wherever in between."""
    made: Setting = setting(config=config_named(name))
    for at, (shift_s, weight) in enumerate(made.shifts[:-1]):
        due_s = at * (made.config.interval_s or 0.0)
        assert weight == weight_after(made.config, due_s + 1.0)
        assert made.weight_at(shift_s + 30.0) == weight
    assert made.weight_at(FIRST_SHIFT_S - 0.1) == 0.0
    assert made.weight_at(made.last_shift_s) == 1.0


def test_an_evaluation_in_bulk_takes_under_a_microsecond() -> None:
    """Of processor time, with gaps, at the longest usual range."""
    marks = np.random.default_rng(1).integers(MISSING, BREACHING + 1, (20_000, 14)).astype(np.int8)
    alarm = condition(random.Random(1), 60)
    began_s = time.process_time()
    bulk.states(alarm, bulk.windows(marks, alarm))
    assert (time.process_time() - began_s) / marks.size < 1e-6
