"""The rule of an alarm: what would put it in ALARM, and when that was so.

`Rule` is an alarm that counts failures. The periods of a rule are aligned: they begin at multiples of the period since
1970, as CloudWatch's do.
"""

import math
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from harness.core.experiment.types import Alarm
from harness.core.timeline.events import AlarmDefined, Requests
from harness.core.timeline.stats import poisson_at_least, poisson_mean_for

# A client learns of 5xx alone, and Lambda counts only the ones that API Gateway answers 502: returned 5xx, throttles
# and gateway timeouts are no `Errors`.
UNHANDLED_STATUS = 502
_STATUSES: Mapping[str, Callable[[int], bool]] = {
    "Errors": lambda status: status == UNHANDLED_STATUS,
    "5XXError": lambda status: status >= 500,
    "5xx": lambda status: status >= 500,
    "HTTPCode_Target_5XX_Count": lambda status: status >= 500,
    "HTTPCode_ELB_5XX_Count": lambda status: status >= 500,
}
FAILURE_METRICS = tuple(_STATUSES)
"""The metrics that count failures."""
_BREACHES: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
}
SIGNS: Mapping[str, str] = {
    "GreaterThanOrEqualToThreshold": ">=",
    "GreaterThanThreshold": ">",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "<=",
}
"""How a comparison is written."""
_VALUES: Mapping[str, Callable[[int, int], float]] = {
    "Sum": lambda failures, _: float(failures),
    "Average": lambda failures, requests: failures / requests,
    "Maximum": lambda failures, _: float(failures > 0),
}


class Rule(Struct, frozen=True, kw_only=True):
    """An alarm that counts failures; `version` is set where it counts those of one executed version only."""

    name: str | None
    metric: str
    statistic: str
    period_s: int
    evaluation_periods: int
    datapoints: int
    threshold: float
    comparison: str
    version: str | None = None

    def __str__(self) -> str:
        periods = f"{self.datapoints} of {self.evaluation_periods}"
        limit = f"{SIGNS[self.comparison]} {self.threshold:g}"
        return f"{self.metric} {self.statistic} {limit} in {self.period_s} s, {periods}"

    def counts(self, status: int) -> bool:
        """Whether the metric counts an answer of this HTTP status."""
        return _STATUSES[self.metric](status)

    def may_count(self, version: str | None) -> bool:
        """Whether the alarm may count an answer of this version; None is an answer that does not name its version."""
        # API Gateway itself answers 502 for a function that threw, so that answer cannot name the version. To leave
        # such answers out would hide just the failures that an alarm on one version is for.
        return self.version is None or version in (None, self.version)

    def value(self, failures: int, requests: int) -> float:
        """The alarm's statistic over a period with so many failures among so many requests."""
        return _VALUES[self.statistic](failures, requests)

    def breaches(self, failures: int, requests: int) -> bool:
        """Whether a period with so many failures among so many requests breaches."""
        return _BREACHES[self.comparison](self.value(failures, requests), self.threshold)

    def period_at(self, instant_s: float) -> int:
        """The number of the period that holds an instant; both count from 1970."""
        # An instant that CloudWatch dates may be a rounding away from the multiple at which its period began.
        return math.floor(instant_s / self.period_s + 1e-6)

    @property
    def only_grows(self) -> bool:
        """Whether a period that breaches goes on to, whatever comes until its end."""
        return self.statistic != "Average"

    def errors_needed(self) -> int | None:
        """The fewest failures that make one period breach; None where that depends on the number of requests."""
        if self.statistic == "Average":
            return None
        inclusive = self.comparison == "GreaterThanOrEqualToThreshold"
        return max(1, math.ceil(self.threshold) if inclusive else math.floor(self.threshold) + 1)


def rule_of(defined: AlarmDefined) -> Rule | None:
    """The rule of an alarm as CloudWatch has it; None if it is not one that counts failures upwards."""
    periods = defined.evaluation_periods or 1
    if defined.kind != "metric" or defined.threshold is None or not defined.period_s:
        return None
    if not _countable(defined.metric, defined.statistic, defined.comparison):
        return None
    return Rule(
        name=defined.name,
        metric=str(defined.metric),
        statistic=str(defined.statistic),
        period_s=defined.period_s,
        evaluation_periods=periods,
        datapoints=defined.datapoints or periods,
        threshold=defined.threshold,
        comparison=str(defined.comparison),
        version=defined.dimensions.get("ExecutedVersion"),
    )


def rule_of_experiment(alarm: Alarm) -> Rule | None:
    """The rule of an alarm as the experiment describes it; None if it is not one that counts failures upwards."""
    if not _countable(alarm.metric, alarm.statistic, alarm.comparison):
        return None
    return Rule(
        name=alarm.name,
        metric=alarm.metric,
        statistic=alarm.statistic,
        period_s=alarm.period_s,
        evaluation_periods=alarm.evaluation_periods,
        datapoints=alarm.datapoints or alarm.evaluation_periods,
        threshold=alarm.threshold,
        comparison=alarm.comparison,
    )


def breach_s(
    rule: Rule, requests: Iterable[Requests], epoch_s: float, fails: Callable[[Requests], bool]
) -> float | None:
    """The end of the first period that completes M breaching ones of N, in seconds since the run began.

    `fails` says which requests count as failures. Periods without any request do not breach, however the alarm treats
    missing data: they are no evidence of harm. CloudWatch itself comes one to three minutes later. The end lies ahead
    where the last of them still lasts.
    """
    breaching = _breaching_periods(rule, requests, epoch_s, fails)
    for first, last in zip(breaching, breaching[rule.datapoints - 1 :], strict=False):
        if last - first < rule.evaluation_periods:
            return (last + 1) * rule.period_s - epoch_s
    return None


def chance(rule: Rule, errors_per_s: float) -> float | None:
    """How likely errors at this rate make M periods in a row breach; None where requests decide, not errors."""
    needed = rule.errors_needed()
    if needed is None:
        return None
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
    counted = (seen for seen in requests if rule.may_count(seen.version))
    return _totals(rule, counted, epoch_s, lambda seen: seen.outcome == "failed" and rule.counts(seen.status))


def _countable(metric: str | None, statistic: str | None, comparison: str | None) -> bool:
    return metric in _STATUSES and statistic in _VALUES and comparison in _BREACHES


def _breaching_periods(
    rule: Rule, requests: Iterable[Requests], epoch_s: float, fails: Callable[[Requests], bool]
) -> list[int]:
    totals = _totals(rule, requests, epoch_s, fails)
    return sorted(period for period, (failed, sent) in totals.items() if sent and rule.breaches(failed, sent))


def _totals(
    rule: Rule, requests: Iterable[Requests], epoch_s: float, fails: Callable[[Requests], bool]
) -> dict[int, tuple[int, int]]:
    totals: dict[int, tuple[int, int]] = {}
    for seen in requests:
        period = rule.period_at(epoch_s + seen.at_s)
        failures, sent = totals.get(period, (0, 0))
        totals[period] = failures + (seen.count if fails(seen) else 0), sent + seen.count
    return totals
