"""How the harness evaluates a metric alarm: CloudWatch's own rules, over the datapoints of its metric.

Points are oldest first, and None is a period without data. Sources: CloudWatch user guide, "Configuring how CloudWatch
alarms treat missing data", and captured alarm events for the length of the evaluation range, which AWS keeps to itself.
The local cloud has an evaluator of its own, so that a wrong belief here does not confirm itself there.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from harness.core.timeline.comparisons import breaches

Points = Sequence[float | None]

MINUTE_S = 60
RANGE_AT_A_MINUTE = 6
"""How many points an alarm on one-minute periods looks back on, at least (captured: N = 1 and 2)."""
SPARE_POINTS = 2
"""Points that the range holds beyond N for longer periods (captured: N = 1 at 300 and 900 s)."""


class Condition(Struct, frozen=True, kw_only=True):
    """M of N datapoints of `period_s` each that compare with the threshold make ALARM; `missing` is what gaps are."""

    period_s: int
    evaluation_periods: int
    datapoints: int
    threshold: float
    comparison: str
    missing: str = "missing"

    @property
    def step_s(self) -> int:
        """Seconds between two evaluations: a minute, or the period where that is shorter."""
        return min(self.period_s, MINUTE_S)

    @property
    def range(self) -> int:
        """How many periods the evaluation looks back on."""
        longer = self.evaluation_periods + SPARE_POINTS
        return max(longer, RANGE_AT_A_MINUTE) if self.period_s == MINUTE_S else longer

    def breached_by(self, value: float) -> bool:
        """Whether one datapoint breaches."""
        return breaches(self.comparison, value, self.threshold)


def state_of(condition: Condition, points: Points, before: str) -> str:
    """The state that one evaluation range leads to; `before` is the state until then."""
    real = [(age, value) for age, value in enumerate(reversed(points), 1) if value is not None]
    newest = real[: condition.evaluation_periods]
    breaching = [age for age, value in newest if condition.breached_by(value)]
    missing = condition.evaluation_periods - len(newest)
    if missing and condition.missing == "breaching":
        return _state(len(breaching) + missing >= condition.datapoints)
    if not missing or condition.missing == "notBreaching" or len(breaching) >= condition.datapoints:
        return _state(len(breaching) >= condition.datapoints)
    if len(breaching) < len(newest):
        return "OK"
    if condition.missing == "ignore":
        return before
    # All real points breach: enough where the oldest of them is as old as the datapoints that it takes.
    return "ALARM" if breaching and breaching[-1] >= condition.datapoints else "INSUFFICIENT_DATA"


def first_alarm(condition: Condition, values: Points) -> int | None:
    """The index of the evaluation that first leads from OK to ALARM; None if none does.

    `values` has the value of the period that ends at each evaluation, `condition.step_s` apart. Where a period is
    longer than a minute, periods overlap, and an evaluation takes every `period_s / step_s`th of them.
    """
    breaching = any(value is not None and condition.breached_by(value) for value in values)
    if not breaching and condition.missing != "breaching":
        return None  # the usual case, and by far the quickest
    return next((at for at, state in enumerate(states_of(condition, values)) if state == "ALARM"), None)


def states_of(condition: Condition, values: Points) -> Iterator[str]:
    """The state after each evaluation, from OK on; `values` as `first_alarm` takes them."""
    stride, state = max(1, condition.period_s // condition.step_s), "OK"
    for at in range(len(values)):
        state = state_of(condition, _range(values, at, stride, condition.range), state)
        yield state


def _range(values: Points, at: int, stride: int, length: int) -> Points:
    indices = range(at - stride * (length - 1), at + 1, stride)
    return [values[index] if index >= 0 else None for index in indices]


def _state(alarm: bool) -> str:
    return "ALARM" if alarm else "OK"
