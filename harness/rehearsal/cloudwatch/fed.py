"""Which metrics of AWS this cloud writes: an alarm on any other would be blind here and not on AWS."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.rehearsal.cloudwatch import api_requests, invocations
from harness.rehearsal.cloudwatch.api_requests import ApiName
from harness.rehearsal.cloudwatch.invocations import Dimensions
from harness.rehearsal.cloudwatch.queries import dimensions_of
from harness.rehearsal.cloudwatch.store import MINUTE_S

CONCURRENCY = "ConcurrentExecutions"
RESERVED = "AWS/"
"""The prefix of the namespaces that only AWS writes to."""

_OF_AWS = frozenset({"CloudWatchSynthetics", "ContainerInsights", "ECS/ContainerInsights", "LambdaInsights"})
"""Namespaces that AWS's own agents and canaries write to, though they lack the prefix."""
_DETAILED = frozenset({"Method", "Resource", "Route"})
"""Dimensions of API Gateway's detailed metrics, which this cloud does not write."""
_OF_LAMBDA: tuple[frozenset[str], ...] = (
    frozenset(),
    frozenset({"FunctionName"}),
    frozenset({"FunctionName", "Resource"}),
    frozenset({"ExecutedVersion", "FunctionName", "Resource"}),
)

_NOT_WRITTEN: Mapping[str, frozenset[str]] = {
    invocations.NAMESPACE: frozenset(
        {
            *("AsyncEventAge", "AsyncEventsDropped", "AsyncEventsReceived", "ClaimedAccountConcurrency"),
            *("DeadLetterErrors", "DestinationDeliveryFailures", "IteratorAge", "OversizedRecordCount"),
            *("OffsetLag", "MaxOffsetLag", "SumOffsetLag", "PostRuntimeExtensionsDuration"),
            *("ProvisionedConcurrencyInvocations", "ProvisionedConcurrencySpilloverInvocations"),
            *("ProvisionedConcurrencyUtilization", "ProvisionedConcurrentExecutions", "RecursiveInvocationsDropped"),
            *("SignatureValidationErrors", "UnreservedConcurrentExecutions"),
            *("Url4xxCount", "Url5xxCount", "UrlRequestCount", "UrlRequestLatency"),
        }
    ),
    api_requests.NAMESPACE: frozenset(
        {
            *("CacheHitCount", "CacheMissCount", "DataProcessed"),
            *("ClientError", "ConnectCount", "ExecutionError", "IntegrationError", "MessageCount"),
        }
    ),
}
"""What AWS writes to the two namespaces that this cloud feeds, and this cloud does not. A name that AWS does not have
is left out: an alarm on it is blind there, too."""


def concurrency_at(speed: float) -> str | None:
    """Why numbers of concurrent runs are not AWS's at a speed; None where they are."""
    if speed <= 1:
        return None
    return (
        f"at speed {speed:g} ConcurrentExecutions, Throttles and reserved concurrency are met too soon: a run takes "
        f"its wall time, while requests come {speed:g} times as fast. Take --speed 1 for true ones."
    )


def why_blind(namespace: str, metric: str, dimensions: Iterable[str] = ()) -> str | None:
    """Why an alarm on a metric has no data here though it may have on AWS; None where that is not so.

    `dimensions` are the names of those that it has.
    """
    if not namespace.startswith(RESERVED) and namespace not in _OF_AWS:
        return None
    if namespace not in _NOT_WRITTEN:
        return f"this local cloud writes nothing to {namespace}, only to {' and '.join(_NOT_WRITTEN)}"
    if metric in _NOT_WRITTEN[namespace]:
        return f"this local cloud does not write {namespace} {metric}"
    if namespace == api_requests.NAMESPACE and (detailed := sorted(_DETAILED.intersection(dimensions))):
        return f"this local cloud does not write {namespace} by {' and '.join(detailed)}"
    return None


def metrics_in(alarm: Mapping[str, Any]) -> list[str]:
    """The names of the metrics in a PutMetricAlarm request."""
    return [metric["MetricName"] for metric in _metrics_in(alarm) if metric.get("MetricName")]


def _metrics_in(alarm: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    stats = [query.get("MetricStat") or {} for query in alarm.get("Metrics", ())]
    return [alarm, *(stat.get("Metric") or {} for stat in stats)]


def blindness(alarm: Mapping[str, Any], *, account: str, apis: Sequence[ApiName]) -> Iterable[str]:
    """Why the metrics of a PutMetricAlarm request have no data here; `apis` are those that there are as yet."""
    if reason := _too_fine(alarm):
        yield reason
    for query in alarm.get("Metrics", ()):
        if (other := query.get("AccountId", account)) != account:
            yield f"this local cloud is the account {account} and has no data of {other}"
    for metric in _metrics_in(alarm):
        if reason := _why_blind(metric, apis):
            yield reason


def _too_fine(alarm: Mapping[str, Any]) -> str | None:
    """Why an alarm finds nothing in periods shorter than a minute (API reference, PutMetricAlarm, Period).

    Assumption: AWS says that it lapses into INSUFFICIENT_DATA often; here it is always, as a minute's data come late.
    """
    stats = [query.get("MetricStat") or {} for query in alarm.get("Metrics", ())]
    periods = [period for one in (alarm, *stats) if (period := one.get("Period"))]
    written = [metric["Namespace"] for metric in _metrics_in(alarm) if metric.get("Namespace") in _NOT_WRITTEN]
    if not written or min(periods, default=MINUTE_S) >= MINUTE_S:
        return None
    return f"{written[0]} is written by the minute, and its period is {min(periods)} s: often blind on AWS, too"


def _why_blind(metric: Mapping[str, Any], apis: Sequence[ApiName]) -> str | None:
    namespace, dimensions = metric.get("Namespace") or "", dimensions_of(metric.get("Dimensions", ()))
    names = frozenset(name for name, _ in dimensions)
    if reason := why_blind(namespace, metric.get("MetricName") or "", names):
        return reason
    if namespace == invocations.NAMESPACE and names not in _OF_LAMBDA:
        return f"{namespace} is written in other sets of dimensions than {_shown(dimensions)}, here and on AWS"
    if namespace == api_requests.NAMESPACE and apis and not any(_counts(api, dimensions) for api in apis):
        there = "; ".join(f"ApiName={api.name} or ApiId={api.id}, alone or with Stage={api.stage}" for api in apis)
        return f"this local cloud writes {namespace} with {there}, and as yet not with {_shown(dimensions)}"
    return None


def _counts(api: ApiName, dimensions: Dimensions) -> bool:
    return dimensions in dict(api_requests.dimension_sets(api))


def _shown(dimensions: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name}={value}" for name, value in dimensions) or "none"
