"""Which alarms have chances that can be computed, by what they compare."""

from typing import get_args

from harness.core.experiment.types import Statistic
from harness.core.timeline.alarm_evaluation import MINUTE_S
from harness.core.timeline.alarm_rules import LATENCY_METRICS, Rule
from harness.core.timeline.events import MetricQuery


def why_not_reckoned(rule: Rule) -> str | None:
    """Why an alarm has no chances that could be computed; None where it has."""
    if rule.period_s % MINUTE_S:
        return f"its period of {rule.period_s} s is shorter than the minute for which metrics are published"
    latencies = [metric for metric in rule.metrics if metric.metric in LATENCY_METRICS]
    if latencies:
        return _why_not_latency(latencies, whole=len(rule.metrics) == 1 and not rule.expressions)
    if len({_place(metric) for metric in rule.metrics}) > 1:
        return "its metrics count the requests of different places"
    known = rule.counts_failures or rule.breaches_without_failures
    return None if known else "failures do not put it in ALARM"


def _why_not_latency(latencies: list[MetricQuery], *, whole: bool) -> str | None:
    statistic = str(latencies[0].statistic)
    is_known = statistic in get_args(Statistic) or (statistic[:1] == "p" and statistic[1:].replace(".", "").isdigit())
    if not whole:
        return "it computes its value from latencies"
    return None if is_known and statistic not in ("Sum", "SampleCount") else f"{statistic} of latencies is not computed"


def _place(metric: MetricQuery) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(metric.dimensions.items()))
