"""What a metric alarm watches and when it trips, from PutMetricAlarm."""

import math
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from harness.rehearsal.cloudwatch import expressions, queries
from harness.rehearsal.cloudwatch.bucket import is_statistic
from harness.rehearsal.cloudwatch.evaluation import TREATMENTS, AlarmCondition
from harness.rehearsal.cloudwatch.extended_statistics import read_statistic
from harness.rehearsal.cloudwatch.queries import MetricStat, Query
from harness.rehearsal.cloudwatch.requests import invalid
from harness.rehearsal.cloudwatch.store import MINUTE_S
from harness.rehearsal.operations import Params
from harness.rehearsal.refusal import Refusal

FINE_PERIODS_S = frozenset({10, 20, 30})
HOUR_S = 3600
DAY_S = 86400
LONGEST_FINE_S = DAY_S
LONGEST_S = 7 * DAY_S
MOST_OF_A_KIND = 10
"""How many metrics, and how many expressions, an alarm may have."""

_OF_ONE_METRIC = ("Namespace", "MetricName", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic")
_NOT_HERE = ("EvaluationCriteria", "EvaluationInterval", "WarmUpConfiguration")
_OF_BANDS = frozenset(
    {"LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold"}
)
_ACTIONS = ("OKActions", "AlarmActions", "InsufficientDataActions")


class Definition(Struct, frozen=True):
    """A checked metric alarm: `watched` is the id of the query among `queries` whose points are judged.

    While the newest point has less than `fewest_samples`, the alarm keeps its state.
    """

    condition: AlarmCondition
    queries: tuple[Query, ...]
    watched: str
    period_s: int
    fewest_samples: float = 0.0

    @property
    def query(self) -> Query:
        """The query whose points are judged."""
        return next(query for query in self.queries if query.id == self.watched)

    @property
    def interval_s(self) -> int:
        """How often the alarm is evaluated: every minute, or 10 s for fine periods, hourly for windows over a day."""
        if self.period_s < MINUTE_S:
            return 10
        return HOUR_S if self.period_s * self.condition.evaluation_periods > DAY_S else MINUTE_S


def definition(params: Params) -> Definition:
    """The definition in a PutMetricAlarm request; raises AWS's refusal of one that cannot be evaluated."""
    _refuse_what_is_not_here(params)
    watched, asked, period_s = _of_expression(params) if "Metrics" in params else _of_metric(params)
    check_actions(params)
    condition = _condition(params)
    _check_length(period_s, condition.evaluation_periods)
    return Definition(condition, asked, watched, period_s, _fewest_samples(params))


def check_actions(params: Params) -> None:
    """Raises ValidationError for an action that is not an ARN."""
    for name in _ACTIONS:
        for action in params.get(name, ()):
            if not action.startswith("arn:"):
                raise invalid(f"Invalid arn syntax: {action}")


def _refuse_what_is_not_here(params: Params) -> None:
    for name in _NOT_HERE:
        if name in params:
            raise invalid(f"{name} is not part of this local cloud.")
    _refuse_bands(params)
    if "WallClockWindow" in params.get("EvaluationWindow", ()):
        raise invalid("EvaluationWindow.WallClockWindow is not part of this local cloud.")


def _refuse_bands(params: Params) -> None:
    """Raises ValidationError for an alarm on an anomaly detection band."""
    range_of = params.get("ComparisonOperator") in _OF_BANDS
    if range_of and "ThresholdMetricId" not in params:
        raise invalid("ComparisonOperators for ranges require ThresholdMetricId to be set")  # captured
    if range_of or "ThresholdMetricId" in params:
        raise invalid(
            "An alarm on an anomaly detection band (ThresholdMetricId, ANOMALY_DETECTION_BAND) is not part of this "
            "local cloud, which learns no bands."
        )


def _of_metric(params: Params) -> tuple[str, tuple[Query, ...], int]:
    metric = queries.metric_of(params)
    period_s = _alarm_period(_needed(params, "Period"))
    stat = MetricStat(metric, period_s, _statistic(params), params.get("Unit"))
    return "m1", (Query("m1", stat=stat),), period_s


def _of_expression(params: Params) -> tuple[str, tuple[Query, ...], int]:
    clashing = [name for name in _OF_ONE_METRIC if name in params]
    if clashing:
        raise Refusal("InvalidParameterCombination", f"Metrics cannot be specified together with {', '.join(clashing)}")
    asked = queries.parse(params["Metrics"])
    _check_count(asked)
    returned = [query for query in asked if query.returned]
    if len(returned) != 1:
        raise invalid("Metrics list must contain exactly one metric matching the ReturnData condition")
    _check_series(asked, returned[0])
    periods = {query.stat.period_s for query in asked if query.stat}
    if len(periods) != 1:
        raise invalid("Period must be the same for all metrics of an alarm, and there must be a metric")
    return returned[0].id, asked, _alarm_period(periods.pop())


def _check_count(asked: Sequence[Query]) -> None:
    """Raises ValidationError for more than an alarm's metric math may have (API reference, MetricDataQuery)."""
    metrics = sum(query.stat is not None for query in asked)
    for count, what in ((metrics, "metrics"), (len(asked) - metrics, "expressions")):
        if count > MOST_OF_A_KIND:
            raise invalid(f"An alarm must not have more than {MOST_OF_A_KIND} {what}, got {count}")


def _check_series(asked: Sequence[Query], returned: Query) -> None:
    """Raises ValidationError for an expression that is one number: `SUM(m1)` adds up over time (same place)."""
    known = {query.id: query for query in asked}

    def is_series(name: str) -> bool:
        query = known.get(name)
        return query is not None and (query.expression is None or expressions.is_series(query.expression, is_series))

    if not is_series(returned.id):
        raise invalid(f"The expression of an alarm must return a single time series, and '{returned.id}' is one number")


def _alarm_period(seconds: int) -> int:
    if seconds not in FINE_PERIODS_S and seconds % MINUTE_S:
        raise invalid("Period must be 10, 20, 30 or a multiple of 60")
    return seconds


def _statistic(params: Params) -> str:
    given: Sequence[str] = [params[name] for name in ("Statistic", "ExtendedStatistic") if name in params]
    if not given:
        raise invalid("Statistic or ExtendedStatistic must be specified")
    if len(given) > 1:
        raise Refusal("InvalidParameterCombination", "Statistic and ExtendedStatistic cannot both be specified")
    if not is_statistic(given[0]):
        raise invalid(f"The value {given[0]} for parameter ExtendedStatistic is not supported.")
    return given[0]


def _condition(params: Params) -> AlarmCondition:
    comparison = _needed(params, "ComparisonOperator")
    evaluation_periods = _needed(params, "EvaluationPeriods")
    datapoints_to_alarm = params.get("DatapointsToAlarm", evaluation_periods)
    if datapoints_to_alarm > evaluation_periods:
        raise invalid("DatapointsToAlarm must be less than or equal to EvaluationPeriods")
    return AlarmCondition(
        comparison, _needed(params, "Threshold"), evaluation_periods, datapoints_to_alarm, _treatment(params)
    )


def _treatment(params: Params) -> str:
    treatment: str = params.get("TreatMissingData", "missing")
    if treatment not in TREATMENTS:
        raise invalid(f"The value {treatment} for parameter TreatMissingData is not one of {sorted(TREATMENTS)}")
    return "ignore" if params.get("Namespace") == "AWS/DynamoDB" else treatment


def _fewest_samples(params: Params) -> float:
    """Ten samples beyond the percentile, for an alarm that ignores low sample counts; else 0."""
    low_samples = params.get("EvaluateLowSampleCountPercentile", "evaluate")
    if low_samples not in ("evaluate", "ignore"):
        raise invalid(f"Option {low_samples} is not supported. Supported options are evaluate and ignore.")
    extended = read_statistic(params.get("ExtendedStatistic", ""))
    if low_samples == "evaluate" or extended is None or not extended.is_percentile:
        return 0.0
    share = extended.high / 100
    rare = 1 - share if share >= 0.5 else share
    return 10 / rare if rare else math.inf


def _check_length(period_s: int, evaluation_periods: int) -> None:
    longest_s = LONGEST_S if period_s >= HOUR_S else LONGEST_FINE_S
    if period_s * evaluation_periods > longest_s:
        raise invalid(
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400), "
            "or more than seven days with a Period of at least an hour."
        )


def _needed(params: Params, name: str) -> Any:
    if name not in params:
        raise invalid(f"{name} must not be null")
    return params[name]
