"""CloudWatch's operations on metrics."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from harness.rehearsal.cloudwatch import paging, queries
from harness.rehearsal.cloudwatch.api_requests import ApiMetrics
from harness.rehearsal.cloudwatch.bucket import STATISTICS, Bucket, is_statistic
from harness.rehearsal.cloudwatch.invocations import InvocationMetrics
from harness.rehearsal.cloudwatch.logged_metrics import LoggedMetrics
from harness.rehearsal.cloudwatch.queries import Query, Reader, dimensions_of, is_period
from harness.rehearsal.cloudwatch.requests import CheckedService, invalid, seconds, timestamp
from harness.rehearsal.cloudwatch.store import (
    MINUTE_S,
    MINUTES_KEPT_S,
    RECENTLY_ACTIVE_S,
    SECONDS_KEPT_S,
    Metric,
    MetricStore,
)
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal

MOST_METRICS_PUT = 1000
MOST_VALUES = 150
OLDEST_PUT_S = 14 * 86400
FARTHEST_AHEAD_S = 2 * 3600
METRICS_A_PAGE = 500
MOST_STATISTICS = 1440
MOST_QUERIES = 500
MOST_DATAPOINTS = 100_800

_Point = tuple[float, str, float]
"""The start of a period, the id of a query, and its number there."""


class MetricOperations(CheckedService):
    """What CloudWatch knows of metrics.

    `invocations` takes what functions do, `api_requests` what the API does, and `logged` what functions log.
    """

    invocations: InvocationMetrics
    api_requests: ApiMetrics
    logged: LoggedMetrics
    _store: MetricStore

    @operation
    def put_metric_data(self, params: Params) -> Answer:
        """PutMetricData; what is put can be read at once."""
        namespace = params["Namespace"]
        if namespace.startswith("AWS/"):
            raise Refusal("InvalidParameterValue", f"The value {namespace} for parameter Namespace is invalid.")
        entities = [datum for entity in params.get("EntityMetricData", ()) for datum in entity.get("MetricData", ())]
        given = [*params.get("MetricData", ()), *entities]
        if not given:
            raise Refusal("MissingParameter", "The parameter MetricData is required.")
        if len(given) > MOST_METRICS_PUT:
            raise Refusal("InvalidParameterValue", f"MetricData must not have more than {MOST_METRICS_PUT} members.")
        now_s = self._now()
        for add in [self._checked(namespace, f"MetricData.member.{at}", one, now_s) for at, one in enumerate(given, 1)]:
            self._store.add(**add)
        return {}

    @operation
    def list_metrics(self, params: Params) -> Answer:
        """ListMetrics, without the delay of some minutes that AWS has for new ones."""
        now_s = self._published()
        since_s = now_s - RECENTLY_ACTIVE_S if "RecentlyActive" in params else None
        found = [metric for metric in self._store.metrics(active_since_s=since_s) if _listed(metric, params)]
        (offset,) = paging.numbers(params.get("NextToken"), first=(0,))
        shown, following = paging.page(found, METRICS_A_PAGE, offset)
        answer: Answer = {"Metrics": [_as_answer(metric) for metric in shown]}
        return answer if following is None else {**answer, "NextToken": paging.token(following)}

    @operation
    def get_metric_statistics(self, params: Params) -> Answer:
        """GetMetricStatistics: aligned to multiples of the period, oldest first, each unit apart."""
        statistics = _statistics(params)
        periods = _periods(params)
        self._published()
        metric = queries.metric_of(params)
        units = [params["Unit"]] if "Unit" in params else self._store.units(metric)
        found = [
            _datapoint(start, unit, bucket, statistics)
            for start in periods
            for unit in units
            if (bucket := self._store.between(metric, unit, start, start + periods.step))
        ]
        return {"Label": metric.name, "Datapoints": found}

    @operation
    def get_metric_data(self, params: Params) -> Answer:
        """GetMetricData: each query's numbers, newest first unless told otherwise.

        A page holds up to MaxDatapoints of all queries together, in the order of time.
        """
        start_s, end_s = seconds(params["StartTime"]), seconds(params["EndTime"])
        if start_s >= end_s:
            raise invalid("The parameter StartTime must be less than the parameter EndTime.")
        asked = queries.parse(params["MetricDataQueries"])
        if not asked or len(asked) > MOST_QUERIES:
            raise invalid(f"MetricDataQueries must have 1 to {MOST_QUERIES} members.")
        now_s = self._published()
        returned = [query for query in asked if query.returned]
        (offset,) = paging.numbers(params.get("NextToken"), first=(0,))
        reader = Reader(self._store, asked)
        order = 1 if params.get("ScanBy") == "TimestampAscending" else -1
        points = [
            (start, query.id, number)
            for query in returned
            for start, number in _points(reader, query, start_s, end_s, now_s)
        ]
        points.sort(key=lambda point: order * point[0])
        page, following = paging.page(points, params.get("MaxDatapoints", MOST_DATAPOINTS), offset)
        to_come = {id_ for _, id_, _ in points[offset + len(page) :]}
        results = [
            self._result(query, page, label=_label(query, returned), complete=query.id not in to_come)
            for query in returned
        ]
        answer: Answer = {"MetricDataResults": results, "Messages": []}
        return answer if following is None else {**answer, "NextToken": paging.token(following)}

    def _published(self) -> float:
        """Now, with all that has become visible until now in the store."""
        now_s = self._now()
        self._publish(now_s)
        return now_s

    def _publish(self, now_s: float) -> None:
        self.invocations.publish(self._store, now_s)
        self.api_requests.publish(self._store, now_s)
        self.logged.publish(self._store, now_s)

    def _checked(self, namespace: str, path: str, datum: Params, now_s: float) -> dict[str, Any]:
        at_s = seconds(datum["Timestamp"]) if "Timestamp" in datum else now_s
        if at_s < now_s - OLDEST_PUT_S:
            raise _wrong(f"The parameter {path}.Timestamp must specify a time no more than two weeks in the past.")
        if at_s > now_s + FARTHEST_AHEAD_S:
            raise _wrong(f"The parameter {path}.Timestamp must specify a time no more than two hours in the future.")
        resolution = datum.get("StorageResolution", 60)
        if resolution not in (1, 60):
            raise _wrong(f"The value {resolution} for parameter {path}.StorageResolution must be 1 or 60.")
        return {
            "metric": Metric(namespace, datum["MetricName"], dimensions_of(datum.get("Dimensions", ()))),
            "unit": datum.get("Unit", "None"),
            "at_s": at_s,
            "bucket": _bucket(path, datum),
            "high_resolution": resolution == 1,
        }

    def _result(self, query: Query, page: Sequence[_Point], *, label: str, complete: bool) -> Params:
        own = [(start, number) for start, id_, number in page if id_ == query.id]
        result: Params = {
            "Id": query.id,
            "Label": label,
            "Timestamps": [timestamp(start) for start, _ in own],
            "Values": [number for _, number in own],
            "StatusCode": "Complete" if complete else "PartialData",
        }
        units = self._store.units(query.stat.metric) if query.stat and not query.stat.unit else []
        if len(units) < 2:
            return result
        message = f"Multiple units returned: '[{', '.join(units)}]'"
        return {**result, "Messages": [{"Code": "MultipleUnits", "Value": message}]}


def _points(reader: Reader, query: Query, start_s: float, end_s: float, now_s: float) -> Iterator[tuple[float, float]]:
    """Where a query has numbers, and which, oldest first; no further back than any data are kept."""
    period_s = reader.period_s(query)
    kept_s = MINUTES_KEPT_S if period_s >= MINUTE_S else SECONDS_KEPT_S
    periods = _aligned(max(start_s, now_s - kept_s), min(end_s, now_s + FARTHEST_AHEAD_S + period_s), period_s)
    starts = [float(start) for start in periods]
    for start, number in zip(starts, reader.series(query, starts, period_s), strict=True):
        if number is not None:
            yield start, number


def _wrong(message: str) -> Refusal:
    return Refusal("InvalidParameterValue", message)


def _bucket(path: str, datum: Params) -> Bucket:
    given = [name for name in ("Value", "StatisticValues", "Values") if name in datum]
    if not given:
        raise Refusal("MissingParameter", f"At least one of {path}.Value, .Values and .StatisticValues is required.")
    if len(given) > 1 and "Value" in given:  # captured: AWS takes Values and StatisticValues together
        both = f"{path}.{given[0]} and {path}.{given[1]}"
        message = f"The parameters {both} are mutually exclusive and you have specified both."
        raise Refusal("InvalidParameterCombination", message)
    bucket = Bucket()
    if "StatisticValues" in given:
        summary = [_finite(f"{path}.StatisticValues.{name}", number) for name, number in _summary(datum).items()]
        bucket.add_summary(*summary)
    for value, count in _values(path, datum):
        bucket.add(_finite(f"{path}.{given[-1]}", value), count)
    return bucket


def _summary(datum: Params) -> dict[str, float]:
    return {name: datum["StatisticValues"][name] for name in ("SampleCount", "Sum", "Minimum", "Maximum")}


def _values(path: str, datum: Params) -> Iterator[tuple[float, float]]:
    if "Value" in datum:
        yield datum["Value"], 1.0
        return
    values = datum.get("Values", ())
    counts = datum.get("Counts", [1.0] * len(values))
    if len(values) != len(counts):
        raise _wrong(f"The parameters {path}.Values and {path}.Counts must be of the same size.")
    if len(values) > MOST_VALUES:
        raise _wrong(f"The parameter {path}.Values must not have more than {MOST_VALUES} members.")
    yield from zip(values, counts, strict=True)


def _finite(path: str, number: float) -> float:
    if not math.isfinite(number):
        raise _wrong(f"The value {number} for parameter {path} is invalid.")
    return number


def _listed(metric: Metric, params: Params) -> bool:
    filters = params.get("Dimensions", ())
    return (
        metric.namespace == params.get("Namespace", metric.namespace)
        and metric.name == params.get("MetricName", metric.name)
        and all(_has_dimension(metric, wanted) for wanted in filters)
    )


def _has_dimension(metric: Metric, wanted: Params) -> bool:
    return any(name == wanted["Name"] and wanted.get("Value", value) == value for name, value in metric.dimensions)


def _as_answer(metric: Metric) -> Params:
    return {
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
    }


def _statistics(params: Params) -> Sequence[str]:
    plain, extended = params.get("Statistics", ()), params.get("ExtendedStatistics", ())
    if plain and extended:
        message = "The parameters Statistics and ExtendedStatistics cannot both be specified."
        raise Refusal("InvalidParameterCombination", message)
    if not plain and not extended:
        raise Refusal("MissingParameter", "The parameter Statistics or ExtendedStatistics is required.")
    for name in extended:
        if not is_statistic(name) or name in STATISTICS:
            raise _wrong(f"The value {name} for parameter ExtendedStatistics.member.1 is invalid.")
    return [*plain, *extended]


def _periods(params: Params) -> range:
    start_s, end_s, period_s = seconds(params["StartTime"]), seconds(params["EndTime"]), params["Period"]
    if start_s >= end_s:
        raise _wrong("The parameter StartTime must be less than the parameter EndTime.")
    if not is_period(period_s):
        raise _wrong("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
    asked = math.floor((end_s - start_s) / period_s)
    if asked > MOST_STATISTICS:
        raise Refusal(
            "InvalidParameterCombination",
            f"You have requested up to {asked} datapoints, which exceeds the limit of {MOST_STATISTICS}. "
            "You may reduce the datapoints requested by increasing Period, or decreasing the time range.",
        )
    return _aligned(start_s, end_s, period_s)[:MOST_STATISTICS]


def _aligned(start_s: float, end_s: float, period_s: int) -> range:
    return range(math.floor(start_s / period_s) * period_s, math.ceil(end_s), period_s)


def _datapoint(start_s: float, unit: str, bucket: Bucket, statistics: Sequence[str]) -> Params:
    numbers = {name: number for name in statistics if (number := bucket.statistic(name)) is not None}
    point: Params = {name: number for name, number in numbers.items() if name in STATISTICS}
    extended = {name: number for name, number in numbers.items() if name not in STATISTICS}
    dated = {"Timestamp": timestamp(start_s), "Unit": unit, **point}
    return {**dated, "ExtendedStatistics": extended} if extended else dated


def _label(query: Query, returned: Sequence[Query]) -> str:
    """The label that was given, or as AWS makes one: the metric's name, with what tells the queries apart."""
    if query.label is not None:
        return query.label
    if query.stat is None:
        return query.id
    stats = [other.stat for other in returned if other.stat]
    parts = [query.stat.metric.name]
    if len({stat.statistic for stat in stats}) > 1:
        parts.append(query.stat.statistic)
    if len({stat.period_s for stat in stats}) > 1:
        parts.append(str(query.stat.period_s))
    return " ".join(parts)
