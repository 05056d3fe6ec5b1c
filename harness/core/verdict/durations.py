"""How long invocations took by CloudWatch, where no answer says which version gave it: a doubt, and never harm.

CloudWatch is asked for averages by the minute. They tell nothing of the slowest answers, nor how surely they differ.
"""

from collections.abc import Mapping

from msgspec import Struct

from harness.core.verdict.evidence import Evidence
from harness.core.verdict.latency import DIFFERENCE_S, RATIO
from harness.core.verdict.measure import arms_window, headers_tell, metric_points


class Durations(Struct, frozen=True):
    """How long an invocation of either version took on average, in milliseconds, over the same minutes."""

    canary_ms: float
    baseline_ms: float


def durations_of(evidence: Evidence) -> Durations | None:
    """What CloudWatch tells of the minutes in which both versions were called; None where it tells nothing."""
    release, window = evidence.release, arms_window(evidence)
    if window is None or not release.shared or release.canary is None or release.baseline is None:
        return None
    canary, baseline = (
        metric_points(evidence, "Duration", version, window, whole=False)
        for version in (release.canary, release.baseline)
    )
    calls = metric_points(evidence, "Invocations", release.canary, window, whole=False)
    minutes = {start_s: calls[start_s] for start_s in canary.keys() & baseline.keys() & calls.keys() if calls[start_s]}
    if not minutes:
        return None
    return Durations(_average(canary, minutes), _average(baseline, minutes))


def slower_by_cloudwatch(evidence: Evidence) -> str | None:
    """The canary's invocations took much longer than the baseline's, and nothing else tells how slow its answers were.

    The canary's code runs no longer because of whom its answers go to, so this holds for others' requests, too.
    """
    told = durations_of(evidence)
    if told is None or headers_tell(evidence.since):
        return None
    objective = evidence.experiment.objective.latency
    ratio = RATIO if objective is None or objective.ratio is None else objective.ratio
    if told.canary_ms <= max(ratio * told.baseline_ms, told.baseline_ms + DIFFERENCE_S * 1000):
        return None
    return (
        f"by CloudWatch an invocation of the canary took {told.canary_ms:.0f} ms on average, and one of the baseline "
        f"{told.baseline_ms:.0f} ms in the same minutes"
    )


def _average(durations: Mapping[float, float], calls: Mapping[float, float]) -> float:
    """Of minutes that count as much as the canary was called in them, so that the hour of the day is no difference."""
    return sum(durations[start_s] * count for start_s, count in calls.items()) / sum(calls.values())
