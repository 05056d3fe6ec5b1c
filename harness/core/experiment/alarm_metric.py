"""What an experiment's alarm watches, where the experiment leaves it to the name of the metric."""

from harness.core.experiment.types import Alarm, DimensionWord, ShadowMetric

Measured = Alarm | ShadowMetric

LAMBDA = "AWS/Lambda"
API_GATEWAY = "AWS/ApiGateway"

_OF_AN_API = frozenset({"4XXError", "5XXError", "4xx", "5xx", "Count", "Latency", "IntegrationLatency"})
_OF_A_HTTP_API = frozenset({"4xx", "5xx"})
_API_ID = {"ApiId": "{api_id}"}
_API_NAME = {"ApiName": "{api}"}
_STAGE = {"Stage": "{stage}"}
_FUNCTION = {"FunctionName": "{function}"}
_ALIAS = {**_FUNCTION, "Resource": "{function}:{alias}"}

WORDS: dict[str, dict[DimensionWord, dict[str, str]]] = {
    LAMBDA: {"function": _FUNCTION, "alias": _ALIAS, "version": {**_ALIAS, "ExecutedVersion": "{version}"}},
    API_GATEWAY: {"api": _API_NAME, "stage": {**_API_NAME, **_STAGE}},
}
"""The dimensions that each word for them stands for, by namespace; the first word is meant where none is given."""
_WORDS_OF_A_HTTP_API: dict[DimensionWord, dict[str, str]] = {"api": _API_ID, "stage": {**_API_ID, **_STAGE}}


def namespace_of(alarm: Measured) -> str:
    """The namespace of the alarm's metric."""
    if alarm.namespace is not None:
        return alarm.namespace
    return API_GATEWAY if alarm.metric in _OF_AN_API else LAMBDA


def words_for(alarm: Measured) -> dict[DimensionWord, dict[str, str]]:
    """The words for dimensions that the alarm's namespace knows; none where only a map can say them."""
    namespace = namespace_of(alarm)
    if namespace == API_GATEWAY and alarm.metric in _OF_A_HTTP_API:
        return _WORDS_OF_A_HTTP_API
    return WORDS.get(namespace, {})


def dimensions_of(alarm: Measured) -> dict[str, str]:
    """The alarm's dimensions, whose values may hold placeholders; none where its namespace has no words for them."""
    if isinstance(alarm.dimensions, dict):
        return alarm.dimensions
    words = words_for(alarm)
    return words[alarm.dimensions] if alarm.dimensions else next(iter(words.values()), {})
