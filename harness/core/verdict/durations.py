"""How long invocations took by CloudWatch, where no answer says which version gave it: a doubt, and never harm.

Where both versions had traffic, the same minutes are compared; where they never shared it, those before the creation.

CloudWatch is asked for averages by the minute. They tell nothing of the slowest answers, nor how surely they differ.
"""

import math
from collections.abc import Mapping

from msgspec import Struct

from harness.core.timeline.bounds import Bounds
from harness.core.verdict.evidence import Evidence
from harness.core.verdict.latency import DIFFERENCE_S, RATIO
from harness.core.verdict.measure import arms_window, headers_tell, metric_points


class Durations(Struct, frozen=True):
    """How long an invocation of either version took on average, in milliseconds.

    `baseline_ms` is of the same minutes or, where the two never shared the traffic, of those before the creation; None
    where CloudWatch tells of none.
    """

    canary_ms: float
    baseline_ms: float | None
    shared: bool = True

    @property
    def of_baseline(self) -> str:
        """How long the baseline took, in words."""
        if self.baseline_ms is None:
            return "nothing tells how long those of the baseline took"
        return f"{self.baseline_ms:.0f} ms on the baseline{'' if self.shared else ' before'}"


def durations_of(evidence: Evidence) -> Durations | None:
    """What CloudWatch tells of how long invocations took; None where it tells nothing of the canary's."""
    window = arms_window(evidence)
    if window is None or evidence.release.canary is None or evidence.release.baseline is None:
        return None
    return _in_the_same_minutes(evidence, window) if evidence.release.shared else _before_and_since(evidence, window)


def _in_the_same_minutes(evidence: Evidence, window: Bounds) -> Durations | None:
    canary, calls = _called(evidence, evidence.release.canary, window)
    baseline, _ = _called(evidence, evidence.release.baseline, window)
    minutes = {start_s: calls[start_s] for start_s in canary.keys() & baseline.keys()}
    return Durations(_average(canary, minutes), _average(baseline, minutes)) if minutes else None


def _before_and_since(evidence: Evidence, window: Bounds) -> Durations | None:
    canary, calls = _called(evidence, evidence.release.canary, window)
    if not calls:
        return None
    baseline, usual = _called(evidence, evidence.release.baseline, (-math.inf, evidence.release.created_s or 0.0))
    return Durations(_average(canary, calls), _average(baseline, usual) if usual else None, shared=False)


def _called(evidence: Evidence, version: str | None, window: Bounds) -> tuple[dict[float, float], dict[float, float]]:
    """How long invocations of a version took on average, and how many there were, of the minutes that tell both."""
    took, calls = (metric_points(evidence, metric, version, window, False) for metric in ("Duration", "Invocations"))
    minutes = [start_s for start_s in took.keys() & calls.keys() if calls[start_s]]
    return {start_s: took[start_s] for start_s in minutes}, {start_s: calls[start_s] for start_s in minutes}


def slower_by_cloudwatch(evidence: Evidence) -> str | None:
    """The canary's invocations took much longer than the baseline's, and nothing else tells how slow its answers were.

    The canary's code runs no longer because of whom its answers go to, so this holds for others' requests, too.
    """
    told = durations_of(evidence)
    if told is None or told.baseline_ms is None or headers_tell(evidence.since):
        return None
    objective = evidence.experiment.objective.latency
    ratio = RATIO if objective is None or objective.ratio is None else objective.ratio
    if told.canary_ms <= max(ratio * told.baseline_ms, told.baseline_ms + DIFFERENCE_S * 1000):
        return None
    return (
        f"by CloudWatch's Duration an invocation of the canary took {told.canary_ms:.0f} ms on average, and one of the "
        f"baseline {told.baseline_ms:.0f} ms {'in the same minutes' if told.shared else 'before the creation'}"
    )


def _average(durations: Mapping[float, float], calls: Mapping[float, float]) -> float:
    """Of minutes that count as much as the canary was called in them, so that the hour of the day is no difference."""
    return sum(durations[start_s] * count for start_s, count in calls.items()) / sum(calls.values())
