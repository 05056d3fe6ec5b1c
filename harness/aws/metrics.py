"""CloudWatch's metrics: the one place that builds GetMetricData queries and reads their pages."""

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from harness.aws.eyes import METRIC_PERIOD_S, Eyes
from harness.aws.parsing import Stamp, metric_seen
from harness.core.arming.metric_names import LAMBDA
from harness.core.arming.snapshot import LOOK_BACK_S, Points
from harness.core.foreign import mapping, sequence, text
from harness.core.timeline.events import MetricQuery

Stat = Mapping[str, Any]
"""A MetricStat as the API spells it."""
COMPLETE = "Complete"
Name = TypeVar("Name", bound=Hashable)


def stat_of(read: MetricQuery) -> Stat:
    """A metric that an alarm reads, with its own period and statistic."""
    metric = _metric(read.namespace, read.metric, read.dimensions)
    stat = {"Metric": metric, "Period": read.period_s or METRIC_PERIOD_S, "Stat": read.statistic}
    return {**stat, "Unit": read.unit} if read.unit else stat


def failures_of(read: MetricQuery) -> Stat:
    """The sum of a metric that an alarm reads, by the minute."""
    return {**stat_of(read), "Period": METRIC_PERIOD_S, "Stat": "Sum"}


def sum_of(metric: str, dimensions: Mapping[str, str]) -> Stat:
    """The sum of a metric of Lambda, by the minute."""
    return {"Metric": _metric(LAMBDA, metric, dimensions), "Period": METRIC_PERIOD_S, "Stat": "Sum"}


def average_of(metric: str, dimensions: Mapping[str, str]) -> Stat:
    """The average of a metric of Lambda, by the minute."""
    return {**sum_of(metric, dimensions), "Stat": "Average"}


def _metric(namespace: str | None, name: str | None, dimensions: Mapping[str, str]) -> Stat:
    listed = [{"Name": dimension, "Value": value} for dimension, value in dimensions.items()]
    return {"Namespace": namespace, "MetricName": name, "Dimensions": listed}


def look_back_s(stats: Mapping[Name, Stat]) -> float:
    """How long ago datapoints must begin so that each metric can have two of them; at least an hour."""
    return max([LOOK_BACK_S, *(2.0 * float(stat["Period"]) for stat in stats.values())])


def datapoints(eyes: Eyes, stats: Mapping[Name, Stat], since_s: float) -> dict[Name, Points]:
    """The datapoints of each named metric, from the minute of `since_s` until now; raises Blind.

    A metric whose answer is incomplete is left out: what is missing is not none.
    """
    if not stats:
        return {}
    names = list(stats)
    points: dict[Name, list[tuple[float, float]]] = {name: [] for name in names}
    incomplete: dict[Name, bool] = {}
    until_s = eyes.minute(eyes.now(), after=True)
    for position, result, stamp in metric_results(eyes, list(stats.values()), since_s, until_s):
        name = names[position]
        incomplete[name] = result.get("StatusCode", COMPLETE) != COMPLETE
        points[name].extend(metric_seen(str(name), None, METRIC_PERIOD_S, result, stamp).points)
    return {name: tuple(sorted(found)) for name, found in points.items() if not incomplete.get(name)}


def whole_periods_s(stats: Iterable[Stat]) -> int:
    """The shortest time that holds whole periods of each metric alone."""
    return math.lcm(METRIC_PERIOD_S, *(stat["Period"] for stat in stats))


def metric_results(
    eyes: Eyes, stats: Sequence[Stat], since_s: float, until_s: float
) -> Iterator[tuple[int, Mapping[str, Any], Stamp]]:
    """The MetricDataResults of some metrics from the minute of `since_s` on, each with its place in `stats`.

    They begin earlier where a longer period does: a part of a period would be taken for the whole. Raises Blind.
    """
    period_s = whole_periods_s(stats)
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
