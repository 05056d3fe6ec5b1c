"""What CloudWatch counted of a function or an API in each minute, to be replayed; nothing is changed."""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from harness.aws.clients import Aws, pages
from harness.core.foreign import mapping, number, sequence, text
from harness.errors import Unreachable, UsageError

KEPT_S = ((15 * 86_400.0, 60), (63 * 86_400.0, 300), (455 * 86_400.0, 3600))
"""For how long CloudWatch keeps datapoints of which period, in seconds (its documentation of metrics)."""


class MetricCounts(Struct, frozen=True):
    """How often `metric` was counted in each period, by the time in seconds since 1970 at which it began."""

    metric: str
    counts: dict[float, float]


def counted(aws: Aws, name: str, began_s: float, until_s: float, now_s: float) -> MetricCounts:
    """The Invocations of a function or alias, or the Count of an API or stage, between two times.

    `name` is that of a function, function:alias, an ARN, an API (or its id) or api/stage. A period without a datapoint
    had none. Raises UsageError where CloudWatch has no datapoint at all.
    """
    period_s = _period_s(now_s - began_s)
    began_s, until_s = began_s // period_s * period_s, math.ceil(until_s / period_s) * period_s
    metrics = [*_metrics(name)]
    found = _found(aws, metrics, began_s, until_s, period_s)
    place = next((place for place in range(len(metrics)) if found[place]), None)
    if place is None:
        span = f"between {_date(began_s):%Y-%m-%dT%H:%MZ} and {_date(until_s):%Y-%m-%dT%H:%MZ}"
        problem = f"CloudWatch has no Invocations of a function {name} and no Count of an API {name} {span}"
        raise UsageError(f"{problem} in {aws.region}; name a function, function:alias, api or api/stage, or a --window")
    every = range(int(began_s), int(until_s), period_s)
    counts = {float(at_s): found[place].get(float(at_s), 0.0) for at_s in every}
    return MetricCounts(str(metrics[place]["MetricName"]), counts)


def _period_s(age_s: float) -> int:
    """The shortest period of which CloudWatch still has what is that old."""
    for kept_s, period_s in KEPT_S:
        if age_s <= kept_s:
            return period_s
    raise UsageError("--window: CloudWatch keeps no datapoints for longer than 455 days")


def _metrics(name: str) -> Iterator[Mapping[str, Any]]:
    """The metrics that may be meant."""
    word = name.rsplit(":function:", 1)[-1]
    function, _, alias = word.partition(":")
    of_alias = {"Resource": word} if alias else {}
    yield _metric("AWS/Lambda", "Invocations", {"FunctionName": function, **of_alias})
    api, _, stage = name.partition("/")
    of_stage = {"Stage": stage} if stage else {}
    for dimension in ("ApiName", "ApiId"):
        yield _metric("AWS/ApiGateway", "Count", {dimension: api, **of_stage})


def _metric(namespace: str, metric: str, dimensions: Mapping[str, str]) -> Mapping[str, Any]:
    listed = [{"Name": dimension, "Value": value} for dimension, value in dimensions.items()]
    return {"Namespace": namespace, "MetricName": metric, "Dimensions": listed}


def _found(
    aws: Aws, metrics: list[Mapping[str, Any]], began_s: float, until_s: float, period_s: int
) -> list[dict[float, float]]:
    """The datapoints of each metric by their times."""
    found: list[dict[float, float]] = [{} for _ in metrics]
    places = {f"m{place}": place for place in range(len(metrics))}
    stats = ({"Metric": metric, "Period": period_s, "Stat": "Sum"} for metric in metrics)
    asked = [{"Id": name, "MetricStat": stat} for name, stat in zip(places, stats, strict=True)]
    span: dict[str, Any] = {"StartTime": _date(began_s), "EndTime": _date(until_s), "ScanBy": "TimestampAscending"}
    for page in pages(aws, "cloudwatch", "get_metric_data", MetricDataQueries=asked, **span):
        for result in map(mapping, sequence(page.get("MetricDataResults"))):
            if result.get("StatusCode") not in (None, "Complete", "PartialData"):
                raise Unreachable("cloudwatch:GetMetricData", f"an answer that is {text(result.get('StatusCode'))}")
            found[places.get(text(result.get("Id")) or "", 0)] |= _points(result)
    return found


def _points(result: Mapping[str, Any]) -> dict[float, float]:
    pairs = zip(sequence(result.get("Timestamps")), sequence(result.get("Values")), strict=False)
    return {
        at.timestamp(): float(value) for at, value in pairs if isinstance(at, datetime) and number(value) is not None
    }


def _date(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
