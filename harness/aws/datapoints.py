"""Datapoints of any metrics, several in one call."""

from collections.abc import Mapping
from typing import Any

from harness.aws.looks import METRIC_PERIOD_S, Eyes
from harness.aws.parsing import mapping, metric_seen, sequence, text
from harness.core.arming.snapshot import LAMBDA, LOOK_BACK_S, Points
from harness.core.timeline.events import AlarmDefined

Stat = Mapping[str, Any]
"""A MetricStat, in AWS's own spelling."""


def stat_of(alarm: AlarmDefined) -> Stat:
    """What a metric alarm counts, as it counts it."""
    metric = {
        "Namespace": alarm.namespace,
        "MetricName": alarm.metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in alarm.dimensions.items()],
    }
    stat = {"Metric": metric, "Period": alarm.period_s or METRIC_PERIOD_S, "Stat": alarm.statistic}
    return {**stat, "Unit": alarm.unit} if alarm.unit else stat


def failures_of(alarm: AlarmDefined) -> Stat:
    """How many failures a metric alarm counts, by the minute."""
    return {**stat_of(alarm), "Period": METRIC_PERIOD_S, "Stat": "Sum"}


def sum_of(metric: str, function: str) -> Stat:
    """A metric of one Lambda function, whatever version ran, by the minute."""
    dimensions = [{"Name": "FunctionName", "Value": function}]
    named = {"Namespace": LAMBDA, "MetricName": metric, "Dimensions": dimensions}
    return {"Metric": named, "Period": METRIC_PERIOD_S, "Stat": "Sum"}


def look_back_s(stats: Mapping[str, Stat]) -> float:
    """How long ago datapoints must begin so that each metric can have two of them, an hour at the least."""
    return max([LOOK_BACK_S, *(2.0 * float(stat["Period"]) for stat in stats.values())])


def datapoints(eyes: Eyes, stats: Mapping[str, Stat], since_s: float) -> dict[str, Points]:
    """The datapoints of each named metric, from the minute of `since_s` until now; raises Blind."""
    names = list(stats)
    points: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    if not names:
        return {}
    for page, stamp in eyes.pages(
        "cloudwatch",
        "get_metric_data",
        MetricDataQueries=[{"Id": f"m{place}", "MetricStat": stats[name]} for place, name in enumerate(names)],
        StartTime=eyes.date(eyes.minute(since_s)),
        EndTime=eyes.date(eyes.minute(eyes.now(), after=True)),
        ScanBy="TimestampAscending",
    ):
        for result in map(mapping, sequence(page.get("MetricDataResults"))):
            name = _name_of(text(result.get("Id")), names)
            if name is not None:
                points[name].extend(metric_seen(name, None, METRIC_PERIOD_S, result, stamp).points)
    return {name: tuple(sorted(found)) for name, found in points.items()}


def _name_of(query_id: str | None, names: list[str]) -> str | None:
    return next((name for place, name in enumerate(names) if query_id == f"m{place}"), None)
