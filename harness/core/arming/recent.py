"""What an alarm counted lately: failures and requests of its recent periods, as far as they are published."""

import math
from collections.abc import Sequence

from harness.core.arming.snapshot import Points, Snapshot
from harness.core.timeline.alarm_rules import FAILURE_METRICS, REQUEST_METRICS, Rule
from harness.core.timeline.events import AlarmDefined, MetricQuery

LAG_S = 180.0
"""CloudWatch may not have published what is younger than this."""


def recent_periods(
    snapshot: Snapshot, alarm: AlarmDefined, rule: Rule, look_back_s: float
) -> tuple[tuple[float, float], ...]:
    """Failures and requests of the recent periods of an alarm, the newest first.

    Where nobody counted its requests they are 0.
    """
    periods = max(1, int((look_back_s - LAG_S) // rule.period_s))
    failures = [0.0] * periods
    for metric in rule.metrics:
        if metric.metric in FAILURE_METRICS and metric.statistic == "Sum":
            of_metric = _by_period(snapshot.lately(alarm, metric), rule.period_s, periods)
            failures = [max(pair) for pair in zip(failures, of_metric, strict=True)]
    requests = _by_period(_requests(snapshot, alarm, rule), rule.period_s, periods)
    return tuple(zip(failures, requests, strict=True))


def _requests(snapshot: Snapshot, alarm: AlarmDefined, rule: Rule) -> Points:
    own = [metric for metric in rule.metrics if metric.metric in REQUEST_METRICS and metric.statistic == "Sum"]
    if own:
        fewest = (snapshot.lately(alarm, metric) for metric in own)
        return min(fewest, key=lambda points: sum(value for _, value in points))
    if all(_counts_the_function(snapshot, metric) for metric in rule.metrics):
        return snapshot.invoked()
    return ()


def _counts_the_function(snapshot: Snapshot, metric: MetricQuery) -> bool:
    return dict(metric.dimensions) == {"FunctionName": snapshot.function}


def _by_period(points: Points, period_s: float, periods: int) -> Sequence[float]:
    totals = [0.0] * periods
    for began_s, value in points:
        index = math.ceil((-LAG_S - began_s) / period_s) - 1
        if 0 <= index < periods:
            totals[index] += value
    return totals
