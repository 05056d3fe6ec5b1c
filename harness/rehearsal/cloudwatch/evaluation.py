"""How the local cloud evaluates an alarm: by CloudWatch's user guide, "Configuring how alarms treat missing data".

Points run from the oldest to the newest of the evaluation range; None is a period without data.
"""

import operator
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

OK = "OK"
ALARM = "ALARM"
INSUFFICIENT_DATA = "INSUFFICIENT_DATA"

Values = Sequence[float | None]

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
FILL_INS = {"breaching": True, "notBreaching": False}
TREATMENTS = frozenset({*FILL_INS, "ignore", "missing"})

FEWEST_EXTRA_POINTS = 2


class AlarmCondition(Struct, frozen=True):
    """When an alarm goes to ALARM: `datapoints_to_alarm` of `evaluation_periods` points breach.

    `missing` says how gaps count.
    """

    comparison: str
    threshold: float
    evaluation_periods: int
    datapoints_to_alarm: int
    missing: str = "missing"

    def breached_by(self, value: float) -> bool:
        """Whether one value is on the wrong side of the threshold."""
        return COMPARISONS[self.comparison](value, self.threshold)


class Judgement(Struct, frozen=True):
    """The state that the points call for; `evaluated` are the indices of the real points that decided, oldest first.

    `filled` counts the gaps that were counted as breaching or as not breaching.
    """

    state: str
    evaluated: tuple[int, ...] = ()
    filled: int = 0


def evaluation_range(evaluation_periods: int) -> int:
    """How many of the newest periods are retrieved for `evaluation_periods`.

    AWS documents 5 for 3 and that it is always more than asked for. Assumption: a third more, at least two. Two spare
    periods also bridge the delay of metrics: while traffic flows, the newest period may still be on its way, but the
    range holds enough real points, so that an alarm on one period does not fall into INSUFFICIENT_DATA.
    """
    return evaluation_periods + max(evaluation_periods // 3, FEWEST_EXTRA_POINTS)


def evaluate(points: Values, condition: AlarmCondition, state: str) -> Judgement:
    """The judgement of an alarm that is now in `state`; `points` are one evaluation range."""
    wanted = condition.evaluation_periods
    real = [index for index, point in enumerate(points) if point is not None]
    evaluated = tuple(real[-wanted:])
    breaching = sum(condition.breached_by(point) for point in _values(points, evaluated))
    gaps = wanted - len(evaluated)
    if not gaps:
        return Judgement(_tripped(breaching, condition), evaluated)
    if condition.missing in FILL_INS:
        fill_ins = gaps if FILL_INS[condition.missing] else 0
        return Judgement(_tripped(breaching + fill_ins, condition), evaluated, gaps)
    return Judgement(_without_fill_ins(points, evaluated, breaching, condition, state), evaluated)


def _values(points: Values, indices: Sequence[int]) -> list[float]:
    return [point for index in indices if (point := points[index]) is not None]


def _tripped(breaching: int, condition: AlarmCondition) -> str:
    return ALARM if breaching >= condition.datapoints_to_alarm else OK


def _without_fill_ins(
    points: Values, evaluated: Sequence[int], breaching: int, condition: AlarmCondition, state: str
) -> str:
    if breaching >= condition.datapoints_to_alarm:
        return ALARM
    if breaching < len(evaluated):
        return OK
    if condition.missing == "ignore":
        return state
    return ALARM if _breaching_for_long(points, evaluated, condition) else INSUFFICIENT_DATA


def _breaching_for_long(points: Values, breaching: Sequence[int], condition: AlarmCondition) -> bool:
    """The oldest breaching point is as old as the points it takes to alarm, and nothing since then was healthy."""
    return bool(breaching) and len(points) - breaching[0] >= condition.datapoints_to_alarm
