"""The rule of an alarm: which metrics it computes its value from, and what would put it in ALARM.

A client sees answers and no metrics. What its answers say of a metric is listed in one table here: a failed answer of
which status a metric counts, which metrics count every request, and which measure latency.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

from msgspec import Struct

from harness.core.experiment.alarm_metric import API_GATEWAY, LAMBDA, namespace_of
from harness.core.experiment.types import Alarm
from harness.core.timeline.alarm_evaluation import Condition
from harness.core.timeline.comparisons import is_known, sign_of
from harness.core.timeline.events import AlarmDefined, MetricQuery, Requests
from harness.core.timeline.metric_math import (
    Expression,
    NotEvaluated,
    Series,
    evaluate_expression,
    read_expression,
)
from harness.core.timeline.stats import poisson_at_least, poisson_mean_for

# A client learns of 5xx alone, and Lambda counts only the ones that API Gateway answers 502: returned 5xx, throttles
# and gateway timeouts are no `Errors`.
UNHANDLED_STATUS = 502
HTTP_API_STATUS = 500
"""What an HTTP API answers instead for a function that threw; of a REST API it is an answer of the function's own."""
SURE_ENOUGH = 0.9
"""With such a chance a period is expected to breach."""
_FAILURES: Mapping[str, Callable[[int], bool]] = {
    "Errors": lambda status: status == UNHANDLED_STATUS,
    "5XXError": lambda status: status >= 500,
    "5xx": lambda status: status >= 500,
    "HTTPCode_Target_5XX_Count": lambda status: status >= 500,
    "HTTPCode_ELB_5XX_Count": lambda status: status >= 500,
    # Lambda throttles with 429, which API Gateway passes on as a 500 or 503.
    "Throttles": lambda status: status in (429, 500, 503),
    "4XXError": lambda status: 400 <= status < 500,
    "4xx": lambda status: 400 <= status < 500,
    "Url5xxCount": lambda status: status >= 500,
    "Url4xxCount": lambda status: 400 <= status < 500,
}
_FIVES, _FOURS = "answers of 500 and more", "answers of 400 to 499"
FAILURES_OF: Mapping[str, str] = {
    "Errors": f"exceptions that the function did not handle ({UNHANDLED_STATUS} of a REST API, 500 of an HTTP API)",
    "5XXError": _FIVES,
    "5xx": _FIVES,
    "HTTPCode_Target_5XX_Count": _FIVES,
    "HTTPCode_ELB_5XX_Count": _FIVES,
    "Throttles": "invocations that Lambda refused, which clients see as 429, 500 or 503",
    "4XXError": _FOURS,
    "4xx": _FOURS,
    "Url5xxCount": _FIVES,
    "Url4xxCount": _FOURS,
}
"""What each of them counts, in words."""
FAILURE_METRICS = tuple(_FAILURES)
"""The metrics that count failures."""
_SPECIAL = frozenset({"Throttles", "4XXError", "4xx", "Url4xxCount"})
REQUEST_METRICS = frozenset({"Invocations", "Count", "RequestCount", "UrlRequestCount"})
"""The metrics that count every request."""
LATENCY_METRICS = frozenset({"Duration", "Latency", "IntegrationLatency", "TargetResponseTime", "UrlRequestLatency"})
_TOLD = frozenset({*_FAILURES, *REQUEST_METRICS, *LATENCY_METRICS})
"""The metrics of which answers tell something."""
_NAMESPACES = frozenset({LAMBDA, API_GATEWAY, "AWS/ApplicationELB"})
"""Where they do: a team's own metric may have any of these names, and counts what the team says."""
_STATISTICS: Mapping[str, Callable[[float, float], float]] = {
    "Sum": lambda counted, _: counted,
    "Average": lambda counted, requests: counted / requests,
    "Maximum": lambda counted, _: float(counted > 0),
    "Minimum": lambda counted, requests: float(counted >= requests),
    "SampleCount": lambda _, requests: requests,
}
_ONLY_METRIC = "m1"
_MANY = 10**9


class Rule(Struct, frozen=True, kw_only=True, dict=True):
    """An alarm whose value can be computed from answers; `result` is the id of the metric or expression it compares.

    `unhandled_as_500` is where exceptions of the function reach clients as 500, as behind an HTTP API.
    """

    name: str | None
    condition: Condition
    metrics: tuple[MetricQuery, ...]
    expressions: tuple[tuple[str, Expression], ...] = ()
    result: str = _ONLY_METRIC
    unhandled_as_500: bool = False

    def __str__(self) -> str:
        limit = f"{sign_of(self.condition.comparison)} {self.condition.threshold:g}"
        periods = f"{self.datapoints} of {self.condition.evaluation_periods}"
        return f"{self.subject} {limit} in {self.period_s} s, {periods}"

    @property
    def subject(self) -> str:
        """What it compares: `Errors Sum`, or the expression as it is written."""
        expression = dict(self.expressions).get(self.result)
        if expression:
            return expression.text
        returned = next(metric for metric in self.metrics if metric.id == self.result)
        return f"{returned.metric} {returned.statistic}"

    @property
    def metric(self) -> str:
        """The metric that it compares; of an expression, those in it that count failures."""
        return " and ".join(self.counted_metrics) if self.expressions else str(self.metrics[0].metric)

    @property
    def statistic(self) -> str:
        """The statistic that it compares; `expression` where that is computed."""
        return "expression" if self.expressions else str(self.metrics[0].statistic)

    @property
    def only_grows(self) -> bool:
        """Whether a period that breaches goes on to, whatever comes until its end."""
        return not self.is_rate

    @property
    def period_s(self) -> int:
        """The length of one period."""
        return self.condition.period_s

    @property
    def datapoints(self) -> int:
        """How many breaching periods it takes."""
        return self.condition.datapoints

    @property
    def threshold(self) -> float:
        """What its value is compared with."""
        return self.condition.threshold

    @cached_property
    def counted_metrics(self) -> tuple[str, ...]:
        """The metrics among its own that count failures, each once."""
        return tuple(dict.fromkeys(str(one.metric) for one in self.metrics if one.metric in _FAILURES))

    @property
    def version(self) -> str | None:
        """The one executed version whose failures it counts; None where it counts those of all."""
        versions = {one.dimensions.get("ExecutedVersion") for one in self.metrics if one.metric in _FAILURES}
        return versions.pop() if len(versions) == 1 else None

    @property
    def sums_one_metric(self) -> bool:
        """Whether its value is the sum of one metric, as CloudWatch tells it in a datapoint."""
        return not self.expressions and self.metrics[0].statistic == "Sum"

    @property
    def is_rate(self) -> bool:
        """Whether its value depends on the number of requests, and so may fall again within a period."""
        return any(one.metric in REQUEST_METRICS or one.statistic in ("Average", "Minimum") for one in self.metrics)

    @cached_property
    def breaches_without_failures(self) -> bool:
        """Whether it counts failures, and breaches where there is none."""
        return bool(self.counted_metrics) and self.breaches(0, _MANY)

    @cached_property
    def counts_failures(self) -> bool:
        """Whether failures make it breach, at some number of them, and good requests alone never do."""
        return bool(self.counted_metrics) and not self.breaches(0, _MANY) and self.breaches(_MANY, _MANY)

    def may_count(self, version: str | None) -> bool:
        """Whether the alarm may count an answer of this version; None is an answer that does not name its version."""
        # API Gateway itself answers 502 for a function that threw, so that answer cannot name the version. To leave
        # such answers out would hide just the failures that an alarm on one version is for.
        return self.version is None or version in (None, self.version)

    def period_at(self, instant_s: float) -> int:
        """The number of the period that holds an instant; both count from 1970."""
        # An instant that CloudWatch dates may be a rounding away from the multiple at which its period began.
        return math.floor(instant_s / self.period_s + 1e-6)

    def counts(self, status: int) -> bool:
        """Whether any of its metrics counts a failed answer of this HTTP status."""
        if self.unhandled_as_500 and status == HTTP_API_STATUS and "Errors" in self.counted_metrics:
            return True
        return any(_FAILURES[metric](status) for metric in self.counted_metrics)

    def weighs(self, status: int) -> bool:
        """Whether it is an alarm by which such failures are weighed.

        One that counts errors weighs every failure, as if it counted what clients see; one that counts nothing but
        throttles or refusals weighs only those.
        """
        return not set(self.counted_metrics) <= _SPECIAL or self.counts(status)

    def value(self, failures: float, requests: float) -> float | None:
        """Its value for a period with so many failures among so many requests; None where there is no datapoint.

        Every metric that counts failures counts all of these: the caller says which failures are meant.
        """
        return self.computed({one.id: [self.counted(one, failures, requests)] for one in self.metrics})[0]

    @staticmethod
    def counted(metric: MetricQuery, failures: float, requests: float) -> float | None:
        """A metric's value for a period; None where it has no datapoint, or measures no counts."""
        if not requests or metric.metric in LATENCY_METRICS:
            return None
        counted = requests if metric.metric in REQUEST_METRICS else failures
        statistic = _STATISTICS.get(metric.statistic or "Sum")
        return statistic(counted, requests) if statistic else None

    def breaches(self, failures: float, requests: float) -> bool:
        """Whether a period with so many failures among so many requests breaches."""
        value = self.value(failures, requests)
        return value is not None and self.condition.breached_by(value)

    def computed(self, series: Mapping[str, Series]) -> Series:
        """The values that it compares, from the series of its metrics by their ids."""
        known = dict(series)
        for name, expression in self.expressions:
            named = series if "METRICS" in expression.names else known
            known[name] = evaluate_expression(expression, named, step_s=self.period_s)
        return known[self.result]

    def failures_needed(self, requests: float, near: int | None = None) -> int | None:
        """The fewest failures among so many requests of a period that make it breach; None where none do.

        The search is shorter where they are `near` a number.
        """
        among = max(1, math.ceil(requests)) if self.is_rate else _MANY
        if not self.breaches(among, among):
            return None
        low, high, leap = 0, among, 1
        while near is not None and low < near < high:
            low, high, near = (low, near, near - leap) if self.breaches(near, among) else (near, high, near + leap)
            leap *= 2
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.breaches(middle, among) else (middle, high)
        return high

    def errors_needed(self) -> int | None:
        """The fewest failures that make one period breach; None where that depends on the number of requests."""
        return None if self.is_rate else self.failures_needed(1)


def is_told(metric: MetricQuery) -> bool:
    """Whether answers tell something of a metric, as they do of AWS's own alone."""
    return metric.metric in _TOLD and (metric.namespace is None or metric.namespace in _NAMESPACES)


def metrics_of(defined: AlarmDefined) -> tuple[MetricQuery, ...]:
    """The metrics that an alarm reads; none of one that reads no metric, such as a composite."""
    if defined.queries:
        return tuple(query for query in defined.queries if query.metric is not None)
    if defined.metric is None:
        return ()
    return (
        MetricQuery(
            id=_ONLY_METRIC,
            metric=defined.metric,
            namespace=defined.namespace,
            dimensions=defined.dimensions,
            statistic=defined.statistic,
            period_s=defined.period_s,
            unit=defined.unit,
        ),
    )


def read_rule(defined: AlarmDefined) -> Rule:
    """The rule of an alarm as CloudWatch has it; raises NotEvaluated, with what it is that cannot be evaluated here."""
    _check(defined)
    for metric in metrics_of(defined):
        _check_metric(metric)
    return rule_of_metrics(defined)


def rule_of_metrics(defined: AlarmDefined) -> Rule:
    """The same where CloudWatch's datapoints are at hand: then it may read metrics that answers do not tell of."""
    _check(defined)
    periods = defined.evaluation_periods or 1
    metrics = metrics_of(defined)
    period_s = defined.period_s or max((metric.period_s or 0 for metric in metrics), default=0)
    if defined.threshold is None or not period_s:
        raise NotEvaluated("its definition names no threshold or no period")
    expressions = tuple(_ordered(defined.queries))
    returned = [query.id for query in defined.queries if query.returned]
    return Rule(
        name=defined.name,
        metrics=metrics,
        expressions=expressions,
        result=returned[0] if returned else metrics[0].id,
        condition=Condition(
            period_s=period_s,
            evaluation_periods=periods,
            datapoints=defined.datapoints or periods,
            threshold=defined.threshold,
            comparison=str(defined.comparison),
            missing=defined.missing or "missing",
        ),
    )


def why_not_evaluated(defined: AlarmDefined) -> str | None:
    """What keeps us from computing an alarm's value; None where nothing does."""
    try:
        read_rule(defined)
    except NotEvaluated as reason:
        return str(reason)
    return None


def rule_of(defined: AlarmDefined) -> Rule | None:
    """The rule of an alarm that failures put in ALARM; None if it is none, or cannot be evaluated."""
    try:
        rule = read_rule(defined)
    except NotEvaluated:
        return None
    return rule if rule.counts_failures else None


def definition_of(alarm: Alarm, name: str) -> AlarmDefined:
    """An alarm that the experiment describes, as CloudWatch would tell of it."""
    return AlarmDefined(
        at_s=0.0,
        asked_s=0.0,
        name=name,
        metric=alarm.metric,
        namespace=namespace_of(alarm),
        statistic=alarm.statistic,
        period_s=alarm.period_s,
        evaluation_periods=alarm.evaluation_periods,
        datapoints=alarm.datapoints,
        threshold=alarm.threshold,
        comparison=alarm.comparison,
        missing=alarm.missing,
    )


def rule_of_experiment(alarm: Alarm) -> Rule | None:
    """The rule of an alarm as the experiment describes it; None if it is not one that counts failures."""
    defined = definition_of(alarm, alarm.name or "")
    rule = rule_of(defined)
    return rule if rule is None or alarm.name else Rule(name=None, condition=rule.condition, metrics=rule.metrics)


def chance(rule: Rule, errors_per_s: float, requests_per_s: float = 0.0) -> float | None:
    """How likely errors at this rate make M periods in a row breach; None where it cannot be reached.

    Of an alarm on a rate, the requests that are to be expected count.
    """
    needed = rule.failures_needed(max(errors_per_s, requests_per_s) * rule.period_s)
    if needed is None:
        return 0.0 if rule.is_rate else None
    return float(poisson_at_least(needed, errors_per_s * rule.period_s) ** rule.datapoints)


def error_rate_for(rule: Rule, wanted: float) -> float | None:
    """The rate of errors at which `chance` is `wanted`; None where requests decide, not errors."""
    needed = rule.errors_needed()
    if needed is None:
        return None
    return poisson_mean_for(needed, wanted ** (1 / rule.datapoints)) / rule.period_s


def counted_by_period(rule: Rule, requests: Iterable[Requests], epoch_s: float) -> dict[int, tuple[int, int]]:
    """The failures that an alarm would count, and the requests, by the number of the period (`Rule.period_at`).

    They are what clients saw, so they are known before CloudWatch publishes its datapoint.
    """
    totals: dict[int, tuple[int, int]] = {}
    for seen in requests:
        if rule.may_count(seen.version):
            period = rule.period_at(epoch_s + seen.at_s)
            failures, sent = totals.get(period, (0, 0))
            counted = seen.count if rule.counts(seen.status) else 0
            totals[period] = failures + counted, sent + seen.count
    return totals


def _check(defined: AlarmDefined) -> None:
    if defined.kind == "composite":
        raise NotEvaluated("it is composed of other alarms")
    if defined.unlike:
        raise NotEvaluated(f"it is {defined.unlike}")
    if defined.band or not is_known(defined.comparison):
        raise NotEvaluated("it compares with an anomaly band")
    if not metrics_of(defined):
        raise NotEvaluated("its definition names no metric")


def _check_metric(metric: MetricQuery) -> None:
    if metric.account:
        raise NotEvaluated(f"its metric {metric.metric} is one of another account ({metric.account})")
    if not is_told(metric):
        raise NotEvaluated(f"its metric {_called(metric)} is none that answers tell of")


def _called(metric: MetricQuery) -> str:
    return f"{metric.metric}" if metric.namespace in _NAMESPACES else f"{metric.namespace} {metric.metric}"


def _ordered(queries: Sequence[MetricQuery]) -> list[tuple[str, Expression]]:
    """The expressions, each after those that it refers to; raises NotEvaluated."""
    open_ones = {query.id: read_expression(query.expression) for query in queries if query.expression is not None}
    known = {query.id for query in queries if query.metric is not None} | {"METRICS"}
    ordered: list[tuple[str, Expression]] = []
    while open_ones:
        ready = {id_: one for id_, one in open_ones.items() if one.names <= known}
        if not ready:
            unknown = sorted(set().union(*(one.names for one in open_ones.values())) - known)
            raise NotEvaluated(f"its expression refers to {unknown[0]}, which is no id of its metrics")
        ordered += ready.items()
        known |= ready.keys()
        open_ones = {id_: one for id_, one in open_ones.items() if id_ not in ready}
    return ordered
