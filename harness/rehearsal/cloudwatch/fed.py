"""Which metrics of AWS this cloud writes: an alarm on any other would be blind here and not on AWS."""

from collections.abc import Iterable, Mapping
from typing import Any

from harness.rehearsal.cloudwatch import api_requests, invocations

RESERVED = "AWS/"
"""The prefix of the namespaces that only AWS writes to."""

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


def why_blind(namespace: str, metric: str) -> str | None:
    """Why an alarm on a metric has no data here though it may have on AWS; None where that is not so."""
    if not namespace.startswith(RESERVED):
        return None
    if namespace not in _NOT_WRITTEN:
        return f"this local cloud writes nothing to {namespace}, only to {' and '.join(_NOT_WRITTEN)}"
    if metric in _NOT_WRITTEN[namespace]:
        return f"this local cloud does not write {namespace} {metric}"
    return None


def blindness(alarm: Mapping[str, Any]) -> Iterable[str]:
    """Why the metrics of a PutMetricAlarm request have no data here though they may have on AWS."""
    stats = (query.get("MetricStat") or {} for query in alarm.get("Metrics", ()))
    for metric in (alarm, *(stat.get("Metric") or {} for stat in stats)):
        if reason := why_blind(metric.get("Namespace") or "", metric.get("MetricName") or ""):
            yield reason
