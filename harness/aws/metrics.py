"""CloudWatch's metrics: the one place that builds GetMetricData queries and reads their pages."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.aws.eyes import METRIC_PERIOD_S, Eyes
from harness.aws.parsing import Stamp, mapping, metric_seen, sequence, text
from harness.core.arming.snapshot import LAMBDA, LOOK_BACK_S, Points
from harness.core.timeline.events import AlarmDefined, MetricQuery

Stat = Mapping[str, Any]
"""A MetricStat as the API spells it."""


def stat_of(alarm: AlarmDefined) -> Stat:
    """The metric of an alarm, with the alarm's own period and statistic."""
    metric = _metric(alarm.namespace, alarm.metric, alarm.dimensions)
    stat = {"Metric": metric, "Period": alarm.period_s or METRIC_PERIOD_S, "Stat": alarm.statistic}
    return {**stat, "Unit": alarm.unit} if alarm.unit else stat


def stat_of_query(query: MetricQuery) -> Stat:
    """A metric that an alarm reads, with its own period and statistic."""
    metric = _metric(query.namespace, query.metric, query.dimensions)
    stat = {"Metric": metric, "Period": query.period_s or METRIC_PERIOD_S, "Stat": query.statistic}
    return {**stat, "Unit": query.unit} if query.unit else stat


def failures_of(alarm: AlarmDefined) -> Stat:
    """The sum of a metric alarm's metric, by the minute."""
    return {**stat_of(alarm), "Period": METRIC_PERIOD_S, "Stat": "Sum"}


def sum_of(metric: str, dimensions: Mapping[str, str]) -> Stat:
    """The sum of a metric of Lambda, by the minute."""
    return {"Metric": _metric(LAMBDA, metric, dimensions), "Period": METRIC_PERIOD_S, "Stat": "Sum"}


def _metric(namespace: str | None, name: str | None, dimensions: Mapping[str, str]) -> Stat:
    listed = [{"Name": dimension, "Value": value} for dimension, value in dimensions.items()]
    return {"Namespace": namespace, "MetricName": name, "Dimensions": listed}


def look_back_s(stats: Mapping[str, Stat]) -> float:
    """How long ago datapoints must begin so that each metric can have two of them; at least an hour."""
    return max([LOOK_BACK_S, *(2.0 * float(stat["Period"]) for stat in stats.values())])


def datapoints(eyes: Eyes, stats: Mapping[str, Stat], since_s: float) -> dict[str, Points]:
    """The datapoints of each named metric, from the minute of `since_s` until now; raises Blind."""
    if not stats:
        return {}
    names = list(stats)
    points: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    until_s = eyes.minute(eyes.now(), after=True)
    for position, result, stamp in metric_results(eyes, list(stats.values()), since_s, until_s):
        name = names[position]
        points[name].extend(metric_seen(name, None, METRIC_PERIOD_S, result, stamp).points)
    return {name: tuple(sorted(found)) for name, found in points.items()}


def metric_results(
    eyes: Eyes, stats: Sequence[Stat], since_s: float, until_s: float
) -> Iterator[tuple[int, Mapping[str, Any], Stamp]]:
    """The MetricDataResults of some metrics from the minute of `since_s` on, each with its place in `stats`.

    They begin earlier where a longer period does: a part of a period would be taken for the whole. Raises Blind.
    """
    period_s = math.lcm(METRIC_PERIOD_S, *(stat["Period"] for stat in stats))
    places = {f"m{place}": place for place in range(len(stats))}
    for page, stamp in eyes.pages(
        "cloudwatch",
        "get_metric_data",
        MetricDataQueries=[{"Id": query_id, "MetricStat": stats[place]} for query_id, place in places.items()],
        StartTime=eyes.date(eyes.start_of_period(since_s, period_s)),
        EndTime=eyes.date(until_s),
        ScanBy="TimestampAscending",
    ):
        for result in map(mapping, sequence(page.get("MetricDataResults"))):
            place = places.get(text(result.get("Id")) or "")
            if place is not None:
                yield place, result, stamp
