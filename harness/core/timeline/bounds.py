"""Instants that are known within bounds: a change between two looks lies between them."""

from typing import overload

from msgspec import Struct

Bounds = tuple[float, float]
"""The earliest and the latest instant (or value) that is possible; both are equal where it is known exactly."""

Interval = tuple[float, float | None]
"""What a quantile is at the least and at the most: None where the sample is too small for an upper bound."""


def interval_in_words(interval: Interval) -> str:
    """An interval in three digits, as `0.95 to 1.2`; one number where both ends print alike."""
    low, high = (None if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}" for value in interval)
    if high is None:
        return f"at least {low}"
    return f"{low}" if low == high else f"{low} to {high}"


class Shift(Struct, frozen=True):
    """The canary got a share (0..1) of the traffic, at some instant within `at_s`."""

    weight: float
    at_s: Bounds


@overload
def exactly(at_s: float) -> Bounds: ...
@overload
def exactly(at_s: None) -> None: ...
@overload
def exactly(at_s: float | None) -> Bounds | None: ...
def exactly(at_s: float | None) -> Bounds | None:
    """The bounds of an instant that AWS dated itself; None without a date."""
    return None if at_s is None else (at_s, at_s)
