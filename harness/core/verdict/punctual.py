"""Whether requests and faults came when they were planned: what came late is another experiment."""

import math
from collections.abc import Iterator

from harness.core.experiment.faults import PlannedSpan, spans_of
from harness.core.timeline.histogram import merge, quantile_s
from harness.core.verdict.effects import faults_never_begun
from harness.core.verdict.evidence import Evidence, FaultTime
from harness.core.verdict.measure import lost_of

MOST_UNSTARTED = 0.05
MOST_LAG_S = 60.0
"""Experiment time: an evaluation tick of the alarm. Later requests belong to other datapoints than was planned."""
LATE_WALL_S = 1.0
"""Wall time that a fault may begin or end late: a call to AWS takes its time, and so does a busy machine."""
LATE_AT_MOST_S = 60.0
"""Experiment time that this is at most, on however fast a clock: an evaluation tick of the alarm."""


def departures(evidence: Evidence) -> Iterator[str]:
    """A sentence for each planned fault that did not happen when it was planned; none of a person's own faults.

    Where a person or a guard rail took over, and where the run was cut short, the plan ended there.
    """
    if _anchor_s(evidence) is None or evidence.rails:
        return
    if math.isinf(evidence.steered_s):
        for name in faults_never_begun(evidence):
            yield f"The fault {name} was planned and never began, so the run proves nothing."
    for span in spans_of(evidence.experiment):
        seen = _seen(evidence, span)
        late = _lateness(evidence, span, seen) if seen else None
        if late:
            yield f"The fault {span.fault} {late} than planned, so this was not the experiment that was asked for."


def _seen(evidence: Evidence, span: PlannedSpan) -> FaultTime | None:
    """The time in which the fault held that comes next to a span; None where a person took over or it never began."""
    due_s = _due_s(evidence, span.from_s)
    times = (fault for fault in evidence.faults if fault.name == span.fault)
    seen = min(times, key=lambda fault: abs(fault.began_s - due_s), default=None)
    return None if seen is None or evidence.steered_s <= due_s else seen


def _lateness(evidence: Evidence, span: PlannedSpan, seen: FaultTime) -> str | None:
    limit_s = min(LATE_WALL_S * max(1.0, evidence.rollout.run.speed), LATE_AT_MOST_S)
    began_late_s = seen.began_s - _due_s(evidence, span.from_s)
    if began_late_s > limit_s:
        return f"began {began_late_s:.1f} s later"
    end_s = _due_s(evidence, span.until_s)
    ended_late_s = min(seen.ended_s, evidence.end_s) - end_s
    if ended_late_s > limit_s and end_s < evidence.steered_s:
        return f"ended {ended_late_s:.1f} s later"
    return None


def _due_s(evidence: Evidence, since_creation_s: float) -> float:
    """When something was due; nothing is before the run knew of the deployment, unless it was planned before that."""
    anchor_s = _anchor_s(evidence) or 0.0
    if since_creation_s < 0:
        return anchor_s + since_creation_s
    return max((evidence.release.created_s or 0.0) + since_creation_s, anchor_s)


def _anchor_s(evidence: Evidence) -> float | None:
    """When the run knew of the creation, whose date is by AWS's clock."""
    release = evidence.release
    if release.created_s is None:
        return None
    return max(release.created_s, release.created_s if release.known_s is None else release.known_s)


def schedule_missed(evidence: Evidence) -> str | None:
    """By how much the load generator missed its schedule, where that is too much to prove anything."""
    planned = sum(second.planned for second in evidence.arrivals)
    unstarted = sum(second.unstarted for second in evidence.arrivals)
    if unstarted > MOST_UNSTARTED * planned:
        return f"{unstarted} of {planned} planned requests were never started"
    lost = lost_of(evidence)
    if lost is not None and lost > MOST_UNSTARTED * planned:
        return f"Nothing is known of {lost} of {planned} planned requests"
    lag_s = (quantile_s(merge(second.lag for second in evidence.arrivals), 0.99) or 0.0) * evidence.rollout.run.speed
    return f"1 % of the requests started over {lag_s:.0f} s of experiment time late" if lag_s > MOST_LAG_S else None
