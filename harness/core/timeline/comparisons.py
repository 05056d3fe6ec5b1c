"""The comparisons of CloudWatch's alarms with a fixed threshold."""

import operator
from collections.abc import Callable, Mapping

_COMPARISONS: Mapping[str, tuple[str, Callable[[float, float], bool]]] = {
    "GreaterThanOrEqualToThreshold": (">=", operator.ge),
    "GreaterThanThreshold": (">", operator.gt),
    "LessThanThreshold": ("<", operator.lt),
    "LessThanOrEqualToThreshold": ("<=", operator.le),
}


def is_known(comparison: str | None) -> bool:
    """Whether this compares with a fixed threshold; the others compare with an anomaly band."""
    return comparison in _COMPARISONS


def sign_of(comparison: str) -> str:
    """How a comparison is written, such as `>=`; the word itself where it is not known."""
    return _COMPARISONS[comparison][0] if comparison in _COMPARISONS else comparison


def breaches(comparison: str, value: float, threshold: float) -> bool:
    """Whether a value breaches a threshold."""
    return _COMPARISONS[comparison][1](value, threshold)
