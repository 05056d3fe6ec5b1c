"""The rules of `core` for many releases at once, as arrays: an alarm's states, what composites say, the shifts.

Tests hold each of them equal to the rule that judges one: `alarm_evaluation.state_of`, `composites.holds`,
`steps.weight_after`. A row is a release, a column an evaluation, a minute apart.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.core.timeline.alarm_evaluation import MINUTE_S, Condition
from harness.core.timeline.composites import ChildIs, StateRule

Marks: TypeAlias = NDArray[np.int8]
Floats: TypeAlias = NDArray[np.float64]
Truths: TypeAlias = NDArray[np.bool_]

MISSING, GOOD, BREACHING = -1, 0, 1
"""What one period is to an alarm."""
OK, ALARM, INSUFFICIENT = 0, 1, 2
STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")
"""The states by number."""


def windows(marks: Marks, condition: Condition) -> list[Marks]:
    """The points of each evaluation by their age, newest first; before the first column nothing was published."""
    stride = max(1, condition.period_s // MINUTE_S)
    return [_shifted(marks, age * stride) for age in range(condition.range)]


def late_windows(newest: Marks, marks: Marks, condition: Condition) -> list[Marks]:
    """The same for alarms that are evaluated before the newest minute is published.

    `newest` is what the period is that ends a minute later, as far as it can be seen; older ones are among `marks`.
    """
    stride = max(1, condition.period_s // MINUTE_S)
    return [newest, *(_shifted(marks, age * stride - 1) for age in range(1, condition.range))]


def _shifted(marks: Marks, by: int) -> Marks:
    if by <= 0:
        return marks
    moved = np.full_like(marks, MISSING)
    moved[:, by:] = marks[:, : max(0, marks.shape[1] - by)]
    return moved


def states(condition: Condition, points: list[Marks], before: int = OK) -> Marks:
    """The state after each evaluation, by number; `before` is the one until the first."""
    shape = points[0].shape
    real, breaching = np.zeros(shape, np.int8), np.zeros(shape, np.int8)
    oldest = np.zeros(shape, np.int16)
    for age, marks in enumerate(points, 1):
        counts = (marks != MISSING) & (real < condition.evaluation_periods)
        breaches = counts & (marks == BREACHING)
        real += counts
        breaching += breaches
        oldest[breaches] = age
    return _called(condition, real, breaching, oldest, before)


def _called(condition: Condition, real: Marks, breaching: Marks, oldest: "NDArray[np.int16]", before: int) -> Marks:
    gaps = condition.evaluation_periods - real
    filled = breaching + gaps if condition.missing == "breaching" else breaching
    found: Marks = np.where(filled >= condition.datapoints, ALARM, OK).astype(np.int8)
    if condition.missing in ("breaching", "notBreaching"):
        return found
    open_ones = (gaps > 0) & (breaching < condition.datapoints) & (breaching == real)
    if condition.missing == "ignore":
        return _kept(found, open_ones, before)
    long = (breaching > 0) & (oldest >= condition.datapoints)
    found[open_ones] = np.where(long, ALARM, INSUFFICIENT)[open_ones]
    return found


def _kept(found: Marks, open_ones: Truths, before: int) -> Marks:
    """The state of an evaluation that calls for none is the one before it."""
    for column in range(found.shape[1]):
        earlier = found[:, column - 1] if column else np.full(found.shape[0], before, np.int8)
        found[:, column] = np.where(open_ones[:, column], earlier, found[:, column])
    return found


def rolling(counts: Floats, periods: int) -> Floats:
    """The sum of so many minutes up to each; before the first minute nothing happened."""
    if periods == 1:
        return counts
    if periods < 1:
        return np.zeros_like(counts)
    summed = np.cumsum(counts, axis=1)
    total = summed.copy()
    total[:, periods:] -= summed[:, :-periods]
    return total


def holds(rule: StateRule, told: Callable[[ChildIs], Truths]) -> Truths:
    """Whether a composite's rule is true, for each release; `told` says it of a leaf."""
    if isinstance(rule, ChildIs):
        return told(rule)
    shape = _shape_of(rule, told)
    met = sum((holds(one, told).astype(np.int16) for one in rule.of), np.zeros(shape, np.int16))
    found: Truths = met >= rule.needed
    return found


def _shape_of(rule: StateRule, told: Callable[[ChildIs], Truths]) -> tuple[int, ...]:
    if isinstance(rule, ChildIs):
        return told(rule).shape
    return next((_shape_of(one, told) for one in rule.of), ())


def in_state(states_by_name: Mapping[str, Marks]) -> Callable[[ChildIs], Truths]:
    """What leaves say of alarms in these states."""

    def told(leaf: ChildIs) -> Truths:
        found: Truths = (states_by_name[leaf.name] == STATES.index(leaf.state)) != leaf.negated
        return found

    return told
