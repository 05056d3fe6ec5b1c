"""Criteria: numbers of the verdict that an experiment may hold against a limit."""

import difflib
from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from msgspec import Struct

from harness.core.timeline.bounds import Bounds
from harness.core.verdict.types import Arms, Attribution, Criterion, Detection, Exposure, TrafficFacts
from harness.errors import ExperimentError


class Measured(Protocol):
    """Whatever carries the numbers of a verdict."""

    @property
    def detection(self) -> Detection:
        """The detection ledger."""

    @property
    def traffic(self) -> TrafficFacts:
        """What was sent."""

    @property
    def arms(self) -> Arms:
        """Both arms."""

    @property
    def exposure(self) -> Exposure:
        """Who got hurt."""

    @property
    def attribution(self) -> Attribution:
        """Whose errors the alarm counted."""


class Yardstick(Struct, frozen=True):
    """How one criterion is read: the number, and whether the limit is the most or the least it may be."""

    value: Callable[[Measured], float | None]
    limit: Literal["at most", "at least"] = "at most"


# Bounds are held against their later end: a limit is kept only if it is kept for certain.
_YARDSTICKS: Mapping[str, Yardstick] = {
    "schedule_lag_p99_s": Yardstick(lambda found: found.traffic.schedule_lag_p99_s),
    "error_share": Yardstick(lambda found: found.traffic.error_share),
    "unstarted": Yardstick(lambda found: found.traffic.unstarted),
    "sent": Yardstick(lambda found: found.traffic.sent, "at least"),
    "time_to_detect_s": Yardstick(lambda found: _latest(found.detection.time_to_detect_s)),
    "time_to_roll_back_s": Yardstick(lambda found: _latest(found.detection.time_to_roll_back_s)),
    "failed_requests": Yardstick(lambda found: found.exposure.failed_requests),
    "failed_good_requests": Yardstick(lambda found: found.exposure.failed_good_requests),
    "users": Yardstick(lambda found: found.exposure.users),
    "blast_radius": Yardstick(lambda found: found.exposure.blast_radius),
    "canary_share": Yardstick(lambda found: found.attribution.canary_share, "at least"),
    "arms.baseline.requests": Yardstick(lambda found: found.arms.baseline.requests, "at least"),
    "arms.baseline.failures": Yardstick(lambda found: found.arms.baseline.failures),
    "arms.baseline.p50_ms": Yardstick(lambda found: found.arms.baseline.p50_ms),
    "arms.baseline.p95_ms": Yardstick(lambda found: found.arms.baseline.p95_ms),
    "arms.baseline.p99_ms": Yardstick(lambda found: found.arms.baseline.p99_ms),
    "arms.canary.requests": Yardstick(lambda found: found.arms.canary.requests, "at least"),
    "arms.canary.failures": Yardstick(lambda found: found.arms.canary.failures),
    "arms.canary.p50_ms": Yardstick(lambda found: found.arms.canary.p50_ms),
    "arms.canary.p95_ms": Yardstick(lambda found: found.arms.canary.p95_ms),
    "arms.canary.p99_ms": Yardstick(lambda found: found.arms.canary.p99_ms),
}


def criteria_names() -> tuple[str, ...]:
    """All names that `criteria` of an experiment may have."""
    return tuple(_YARDSTICKS)


def check_criteria(criteria: Mapping[str, float]) -> None:
    """Raises ExperimentError for the first name that is no number of the verdict."""
    for name in criteria:
        if name not in _YARDSTICKS:
            raise ExperimentError(f"criteria.{name}", f"is no number of the verdict; {_nearest(name)}")


def hold(criteria: Mapping[str, float], found: Measured) -> tuple[Criterion, ...]:
    """Each criterion with its value; one that was not measured, or is not known, is neither met nor missed."""
    return tuple(_held(name, limit, found) for name, limit in criteria.items())


def limit_word(name: str) -> str:
    """`at most` or `at least`, as the limit of this criterion is meant."""
    return _YARDSTICKS[name].limit if name in _YARDSTICKS else "at most"


def _held(name: str, limit: float, found: Measured) -> Criterion:
    yardstick = _YARDSTICKS.get(name)
    value = yardstick.value(found) if yardstick else None
    if yardstick is None or value is None:
        return Criterion(name=name, limit=limit, value=None, met=None)
    met = value <= limit if yardstick.limit == "at most" else value >= limit
    return Criterion(name=name, limit=limit, value=value, met=met)


def _latest(bounds: Bounds | None) -> float | None:
    return bounds[1] if bounds else None


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, _YARDSTICKS, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(_YARDSTICKS)}"
