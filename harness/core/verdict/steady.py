"""Whether traffic is steady: what a run asks before it deploys, and a verdict of what others deployed.

Steady is: good requests were answered, at least half of the planned starts are accounted for, and at least nine in ten
good requests were answered well. Requests under faults of ours that hurt the service count as sent, and no more.
"""

from collections.abc import Sequence

from harness.core.experiment.pacing import ArrivalPlan
from harness.core.experiment.rates import legs
from harness.core.experiment.types import Experiment
from harness.core.timeline.events import Arrivals, Requests
from harness.core.verdict.evidence import FaultTime, count, failed, is_fault

FEWEST = 5
"""Good requests that are enough to be judged; where fewer than twice as many are planned, half of these are."""
MOST_PLANNED = 0.5
"""Least share of the planned starts of which something must be known: rows of the last moment may still be missing."""
WELL = 0.9
"""Least share of good requests that must be answered well."""


def why_not_steady(
    experiment: Experiment, requests: Sequence[Requests], arrivals: Sequence[Arrivals], faults: Sequence[FaultTime]
) -> str | None:
    """Why traffic is not steady by what is known from before the deployment; None if it is.

    A `steady_s` of 0 asks for no traffic before the deployment, so nothing is checked.
    """
    if not experiment.steady_s:
        return None
    planned = sum(second.planned for second in arrivals)
    return _too_few(experiment, requests, planned) or _too_bad(requests, faults)


def _too_few(experiment: Experiment, requests: Sequence[Requests], planned: int) -> str | None:
    sent, good = count(requests), count(requests, lambda seen: not is_fault(seen))
    asked = ArrivalPlan().changed(0.0, legs(experiment.traffic.arrival_rate)).level_at(experiment.steady_s)
    if good < min(FEWEST, asked // 2):
        return _number(good) if sent else "no request was sent"
    if sent < MOST_PLANNED * planned:
        return f"only {sent:,} of {planned:,} planned requests were sent and answered"
    return None


def _number(good: int) -> str:
    return f"only {good} good request{'s were' if good > 1 else ' was'} sent" if good else "no good request was sent"


def _too_bad(requests: Sequence[Requests], faults: Sequence[FaultTime]) -> str | None:
    good = [seen for seen in requests if not is_fault(seen) and not _is_hurt(seen, faults)]
    total, well = count(good), count(good, lambda seen: not failed(seen))
    if not total or well >= WELL * total:
        return None
    answered = f"only {well:,} of {total:,} good requests were" if well else f"none of {total:,} good requests was"
    return f"{answered} answered well"


def _is_hurt(seen: Requests, faults: Sequence[FaultTime]) -> bool:
    return any(fault.hurts_service and fault.began_s < seen.at_s + 1 and seen.at_s < fault.ended_s for fault in faults)
