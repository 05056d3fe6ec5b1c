"""Reads how an alarm counts from DescribeAlarms, or from a template, whose words are the same; it never raises.

Each form in which CloudWatch writes it is read. An alarm names one metric itself, or a list of `Metrics`: a single
metric there means the same as the flat form, so it is read as that. What computes no value from metrics (a query, a
log alarm), and what cannot be read, is `unlike`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from harness.core.foreign import mapping, number, sequence, text, whole
from harness.core.timeline.events import MOST_PERIODS, AlarmDefined, MetricQuery

_INSIGHTS = "an alarm on a Metrics Insights query"
_PROMQL = "an alarm on a PromQL query"
_LOGS = "an alarm on a query of logs"


class _Unreadable(Exception):
    """An entry of an alarm's `Metrics` that cannot be read; the message says which."""


def alarm_defined(alarm: Mapping[str, Any], *, asked_s: float = 0.0, at_s: float = 0.0) -> AlarmDefined | None:
    """From an entry of DescribeAlarms, of whatever kind, with the times of the look; None without a name."""
    name, rule = text(alarm.get("AlarmName")), text(alarm.get("AlarmRule"))
    if name is None:
        return None
    if rule is not None:
        suppressor = text(alarm.get("ActionsSuppressor"))
        return AlarmDefined(asked_s=asked_s, at_s=at_s, name=name, kind="composite", rule=rule, suppressor=suppressor)
    periods = _periods(alarm.get("EvaluationPeriods"))
    flat = AlarmDefined(
        asked_s=asked_s,
        at_s=at_s,
        name=name,
        metric=text(alarm.get("MetricName")),
        namespace=text(alarm.get("Namespace")),
        dimensions=dict(_dimensions(alarm.get("Dimensions"))),
        statistic=text(alarm.get("Statistic")) or text(alarm.get("ExtendedStatistic")),
        period_s=_periods(alarm.get("Period")),
        evaluation_periods=periods,
        datapoints=_periods(alarm.get("DatapointsToAlarm")) or periods,
        threshold=number(alarm.get("Threshold")),
        comparison=text(alarm.get("ComparisonOperator")),
        missing=text(alarm.get("TreatMissingData")) or "missing",
        unit=text(alarm.get("Unit")),
        band=text(alarm.get("ThresholdMetricId")),
        unlike=_query_of(alarm),
    )
    return _with_metrics(flat, alarm) if alarm.get("Metrics") else flat


def _periods(value: object) -> int | None:
    """Seconds or periods as an alarm has them; None of what it never has."""
    count = whole(value)
    return count if count is not None and 0 < count <= MOST_PERIODS else None


def _query_of(alarm: Mapping[str, Any]) -> str | None:
    """What an alarm asks instead of metrics."""
    if alarm.get("EvaluationCriteria"):
        return _PROMQL
    is_log_alarm = "ScheduledQueryConfiguration" in alarm or "QueryResultsToEvaluate" in alarm
    return _LOGS if is_log_alarm else None


def _with_metrics(flat: AlarmDefined, alarm: Mapping[str, Any]) -> AlarmDefined:
    """An alarm with the entries of its `Metrics`."""
    try:
        queries = tuple(_queries(sequence(alarm.get("Metrics")), _account_of(alarm)))
    except _Unreadable as reason:
        return replace(flat, unlike=f"an alarm whose Metrics cannot be read ({reason})")
    only = queries[0] if len(queries) == 1 else None
    if only and only.metric and not only.account:
        return replace(
            flat,
            metric=only.metric,
            namespace=only.namespace,
            dimensions=only.dimensions,
            statistic=only.statistic,
            period_s=only.period_s,
            unit=only.unit,
        )
    asks_insights = any((query.expression or "").lstrip().upper().startswith("SELECT") for query in queries)
    return replace(flat, queries=queries, unlike=_INSIGHTS if asks_insights else _unlike(flat, queries))


def _unlike(flat: AlarmDefined, queries: Sequence[MetricQuery]) -> str | None:
    """Why the queries define no value to compare; with a band, two of them are returned."""
    returned = sum(query.returned for query in queries)
    if flat.unlike or flat.band or returned == 1:
        return flat.unlike
    return f"an alarm whose Metrics cannot be read ({returned} of them are what it compares)"


def _queries(entries: Sequence[Any], own_account: str | None) -> Iterator[MetricQuery]:
    if not entries:
        raise _Unreadable("they are no list")
    for number_, entry in enumerate(map(mapping, entries), 1):
        id_, expression = text(entry.get("Id")), text(entry.get("Expression"))
        if id_ is None:
            raise _Unreadable(f"entry {number_} has no Id")
        returned = entry.get("ReturnData") is not False
        if expression is not None:
            yield MetricQuery(id=id_, expression=expression, period_s=_periods(entry.get("Period")), returned=returned)
        else:
            yield _metric_query(id_, entry, own_account, returned)


def _metric_query(id_: str, entry: Mapping[str, Any], own_account: str | None, returned: bool) -> MetricQuery:
    stat = mapping(entry.get("MetricStat"))
    metric = mapping(stat.get("Metric"))
    name, statistic, period_s = text(metric.get("MetricName")), text(stat.get("Stat")), _periods(stat.get("Period"))
    if name is None or statistic is None or period_s is None:
        raise _Unreadable(f"{id_} is neither an expression nor a metric with statistic and period")
    account = text(entry.get("AccountId"))
    return MetricQuery(
        id=id_,
        metric=name,
        namespace=text(metric.get("Namespace")),
        dimensions=dict(_dimensions(metric.get("Dimensions"))),
        statistic=statistic,
        period_s=period_s,
        unit=text(stat.get("Unit")),
        account=account if account != own_account else None,
        returned=returned,
    )


def _account_of(alarm: Mapping[str, Any]) -> str | None:
    """The alarm's own account, by its ARN: CDK writes it into each metric, where it means no other one."""
    parts = (text(alarm.get("AlarmArn")) or "").split(":")
    return parts[4] if len(parts) > 4 else None


def _dimensions(dimensions: object) -> Iterator[tuple[str, str]]:
    for dimension in map(mapping, sequence(dimensions)):
        name, value = text(dimension.get("Name")), text(dimension.get("Value"))
        if name is not None and value is not None:
            yield name, value
