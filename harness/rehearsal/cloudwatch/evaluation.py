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

SPARE_POINTS = 2
"""How many more points are retrieved than periods are evaluated. Documented: 5 points for N = 3. Captured, N = 1: at
900 s an alarm came back after 46 min 20 s, three periods; at 300 s captures fit three as well."""

FEWEST_POINTS: Mapping[int, int] = {
    # N = 1, 2020-07-31: OK at 06:56:05.603 on the point of 06:50, the sixth newest.
    # N = 1: the last breach in the minute 17:20, OK at 17:27, when it was the seventh newest.
    # N = 2, 2023-01-09: at 14:07:25.504 the points of 14:01 and 14:02 were judged, the sixth and fifth newest.
    60: 6,
}
"""How many points are retrieved at the least, by the length of the period in seconds."""


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

    `filled` counts the gaps that were counted as breaching or as not breaching; `retained` says that the points call
    for no state, so that it stays what it was.
    """

    state: str
    evaluated: tuple[int, ...] = ()
    filled: int = 0
    retained: bool = False


def evaluation_range(evaluation_periods: int, period_s: int) -> int:
    """How many of the newest periods are retrieved for `evaluation_periods` of `period_s` each.

    AWS documents that it is always more than asked for. The spare ones also bridge the delay of metrics: the newest
    period may still be on its way, but while traffic flows the range holds enough real points.
    """
    return max(evaluation_periods + SPARE_POINTS, FEWEST_POINTS.get(period_s, 0))


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
    called_for = _without_fill_ins(points, evaluated, breaching, condition)
    return Judgement(called_for or state, evaluated, retained=called_for is None)


def _values(points: Values, indices: Sequence[int]) -> list[float]:
    return [point for index in indices if (point := points[index]) is not None]


def _tripped(breaching: int, condition: AlarmCondition) -> str:
    return ALARM if breaching >= condition.datapoints_to_alarm else OK


def _without_fill_ins(
    points: Values, evaluated: Sequence[int], breaching: int, condition: AlarmCondition
) -> str | None:
    """The state of an alarm that fills no gaps; None where it ignores them and keeps its state."""
    if breaching >= condition.datapoints_to_alarm:
        return ALARM
    if breaching < len(evaluated):
        return OK
    if condition.missing == "ignore":
        return None
    return ALARM if _breaching_for_long(points, evaluated, condition) else INSUFFICIENT_DATA


def _breaching_for_long(points: Values, breaching: Sequence[int], condition: AlarmCondition) -> bool:
    """The oldest breaching point is as old as the points it takes to alarm, and nothing since then was healthy."""
    return bool(breaching) and len(points) - breaching[0] >= condition.datapoints_to_alarm
