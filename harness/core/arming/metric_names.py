"""The metrics that AWS writes, by namespace: CloudWatch takes any other name, too, which then never has a datapoint."""

import difflib
from collections.abc import Collection, Mapping

from harness.core.experiment.alarm_metric import API_GATEWAY as API_GATEWAY
from harness.core.experiment.alarm_metric import LAMBDA as LAMBDA

LOAD_BALANCER = "AWS/ApplicationELB"
RESERVED = "AWS/"
"""The prefix of all namespaces that only AWS writes to."""

WITH_EVERY_INVOCATION = frozenset({"Errors", "Invocations", "Throttles", "Duration"})
"""What Lambda writes for every invocation, be it 0."""

_OF_LAMBDA = WITH_EVERY_INVOCATION | {
    *("AsyncEventAge", "AsyncEventsDropped", "AsyncEventsReceived", "BufferedEventCount", "ClaimedAccountConcurrency"),
    *("ConcurrentExecutions", "DeadLetterErrors", "DeletedEventCount", "DestinationDeliveryFailures"),
    *("DroppedEventCount", "EventPollerUnit", "FailedInvokeEventCount", "FilteredOutEventCount", "InvokedEventCount"),
    *("IteratorAge", "MaxOffsetLag", "OffsetLag", "OnFailureDestinationDeliveredEventCount", "OversizedRecordCount"),
    *("PolledEventCount", "PostRuntimeExtensionsDuration", "ProvisionedConcurrencyInvocations"),
    *("ProvisionedConcurrencySpilloverInvocations", "ProvisionedConcurrencyUtilization"),
    *("ProvisionedConcurrentExecutions", "ProvisionedPollers", "RecursiveInvocationsDropped"),
    *("SignatureValidationErrors", "SumOffsetLag", "UnreservedConcurrentExecutions", "Url4xxCount", "Url5xxCount"),
    *("UrlRequestCount", "UrlRequestLatency"),
}
_OF_REST_APIS = frozenset(
    {"4XXError", "5XXError", "CacheHitCount", "CacheMissCount", "Count", "IntegrationLatency", "Latency"}
)
_OF_HTTP_APIS = frozenset({"4xx", "5xx", "Count", "DataProcessed", "IntegrationLatency", "Latency"})
_OF_WEBSOCKET_APIS = frozenset(
    {"ClientError", "ConnectCount", "ExecutionError", "IntegrationError", "IntegrationLatency", "MessageCount"}
)
_OF_LOAD_BALANCERS = frozenset(
    {
        *("ActiveConnectionCount", "ClientTLSNegotiationErrorCount", "ConsumedLCUs", "PeakLCUs", "ProcessedBytes"),
        *("DesyncMitigationMode_NonCompliant_Request_Count", "DroppedInvalidHeaderRequestCount"),
        *("ForwardedInvalidHeaderRequestCount", "GrpcRequestCount", "HTTPCode_ELB_3XX_Count"),
        *("HTTPCode_ELB_4XX_Count", "HTTPCode_ELB_500_Count", "HTTPCode_ELB_502_Count", "HTTPCode_ELB_503_Count"),
        *("HTTPCode_ELB_504_Count", "HTTPCode_ELB_5XX_Count", "HTTPCode_Target_2XX_Count"),
        *("HTTPCode_Target_3XX_Count", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count"),
        *("HTTP_Fixed_Response_Count", "HTTP_Redirect_Count", "HTTP_Redirect_Url_Limit_Exceeded_Count"),
        *("HealthyHostCount", "IPv6ProcessedBytes", "IPv6RequestCount", "LambdaInternalError"),
        *("LambdaTargetProcessedBytes", "LambdaUserError", "NewConnectionCount", "NonStickyRequestCount"),
        *("RejectedConnectionCount", "RequestCount", "RequestCountPerTarget", "RuleEvaluations"),
        *("TargetConnectionErrorCount", "TargetResponseTime", "TargetTLSNegotiationErrorCount", "UnHealthyHostCount"),
    }
)
_OF_QUEUES = frozenset(
    {
        *("ApproximateAgeOfOldestMessage", "ApproximateNumberOfGroupsWithInflightMessages"),
        *("ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible"),
        *("ApproximateNumberOfMessagesVisible", "NumberOfDeduplicatedSentMessages", "NumberOfEmptyReceives"),
        *("NumberOfMessagesDeleted", "NumberOfMessagesReceived", "NumberOfMessagesSent", "SentMessageSize"),
    }
)
_OF_OTHERS: Mapping[str | None, frozenset[str]] = {LOAD_BALANCER: _OF_LOAD_BALANCERS, "AWS/SQS": _OF_QUEUES}
_MILLISECONDS = frozenset(
    {"Duration", "PostRuntimeExtensionsDuration", "IteratorAge", "AsyncEventAge", "Latency", "IntegrationLatency"}
)
_COUNTS = frozenset({"Errors", "Invocations", "Throttles", "DeadLetterErrors", "ConcurrentExecutions"}) | (
    _OF_REST_APIS | _OF_HTTP_APIS | _OF_LOAD_BALANCERS
) - {"Latency", "IntegrationLatency", "TargetResponseTime", "DataProcessed", "ProcessedBytes", "IPv6ProcessedBytes"}


def names_in(namespace: str | None, dimensions: Collection[str]) -> frozenset[str] | None:
    """The metrics that AWS writes to a namespace; None where they are not known here.

    API Gateway has names of its own for each kind of API. REST APIs have the dimension ApiName, the others ApiId.
    """
    if namespace == LAMBDA:
        return _OF_LAMBDA
    if namespace in _OF_OTHERS:
        return _OF_OTHERS[namespace]
    if namespace != API_GATEWAY:
        return None
    if "ApiName" in dimensions:
        return _OF_REST_APIS
    of_others = _OF_HTTP_APIS | _OF_WEBSOCKET_APIS
    return of_others if "ApiId" in dimensions else of_others | _OF_REST_APIS


def meant_by(name: str, known: Collection[str]) -> str | None:
    """The known name that a misspelled one most likely means; None where none is near."""
    # Upper and lower case matter to CloudWatch, and `5xx` and `5XXError` are taken for each other.
    plain = {_plain(one): one for one in known}
    near = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=0.75)
    return plain[near[0]] if near else None


def unit_of(namespace: str | None, metric: str | None) -> str | None:
    """The unit in which AWS publishes a metric; None where that is not known here."""
    if not str(namespace).startswith(RESERVED):
        return None
    if metric in _MILLISECONDS:
        return "Milliseconds"
    return "Count" if metric in _COUNTS else _OTHER_UNITS.get(str(metric))


_OTHER_UNITS: Mapping[str, str] = {"TargetResponseTime": "Seconds"}


def _plain(name: str) -> str:
    lowered = name.lower()
    return lowered[:3] if lowered.startswith(("4xx", "5xx")) else lowered
