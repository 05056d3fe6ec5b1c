"""The criteria of an experiment, held against the numbers of its verdict."""

from collections.abc import Callable, Mapping
from typing import Protocol

from harness.core.experiment.criteria import limit_word
from harness.core.timeline.bounds import Bounds
from harness.core.verdict.types import Arms, Attribution, Criterion, Detection, Exposure, TrafficFacts


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


# Bounds are held against their later end: a limit is kept only if it is kept for certain.
_NUMBERS: Mapping[str, Callable[[Measured], float | None]] = {
    "schedule_lag_p99_s": lambda found: found.traffic.schedule_lag_p99_s,
    "error_share": lambda found: found.traffic.error_share,
    "unstarted": lambda found: found.traffic.unstarted,
    "sent": lambda found: found.traffic.sent,
    "time_to_detect_s": lambda found: _latest(found.detection.time_to_detect_s),
    "time_to_roll_back_s": lambda found: _latest(found.detection.time_to_roll_back_s),
    "failed_requests": lambda found: found.exposure.failed_requests,
    "failed_good_requests": lambda found: found.exposure.failed_good_requests,
    "users": lambda found: found.exposure.users,
    "blast_radius": lambda found: found.exposure.blast_radius,
    "canary_share": lambda found: found.attribution.canary_share,
    "arms.baseline.requests": lambda found: found.arms.baseline.requests,
    "arms.baseline.failures": lambda found: found.arms.baseline.failures,
    "arms.baseline.p50_ms": lambda found: found.arms.baseline.p50_ms,
    "arms.baseline.p95_ms": lambda found: found.arms.baseline.p95_ms,
    "arms.baseline.p99_ms": lambda found: found.arms.baseline.p99_ms,
    "arms.canary.requests": lambda found: found.arms.canary.requests,
    "arms.canary.failures": lambda found: found.arms.canary.failures,
    "arms.canary.p50_ms": lambda found: found.arms.canary.p50_ms,
    "arms.canary.p95_ms": lambda found: found.arms.canary.p95_ms,
    "arms.canary.p99_ms": lambda found: found.arms.canary.p99_ms,
}


def hold(criteria: Mapping[str, float], found: Measured) -> tuple[Criterion, ...]:
    """Each criterion with its value; one that was not measured, or is not known, is neither met nor missed."""
    return tuple(_held(name, limit, found) for name, limit in criteria.items())


def _held(name: str, limit: float, found: Measured) -> Criterion:
    value = _NUMBERS[name](found) if name in _NUMBERS else None
    if value is None:
        return Criterion(name=name, limit=limit, value=None, met=None)
    met = value <= limit if limit_word(name) == "at most" else value >= limit
    return Criterion(name=name, limit=limit, value=value, met=met)


def _latest(bounds: Bounds | None) -> float | None:
    return bounds[1] if bounds else None
