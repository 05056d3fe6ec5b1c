"""Whether each fault had an effect that was seen: a fault that nobody felt proves nothing of the net."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from harness.core.timeline.events import Requests
from harness.core.timeline.stats import fisher_worse
from harness.core.verdict.evidence import Evidence, FaultTime, count, failed, is_fault
from harness.core.verdict.latency import compared, harm_by_latency

SIGNIFICANT = 0.05
"""One wrong word in 20: that a fault was felt is what the failures of its own time are to show, and nothing else."""


class WithoutEffect(Struct, frozen=True):
    """A fault that was in effect for `lasted_s` with so many requests, none of which shows it."""

    fault: FaultTime
    lasted_s: float
    requests: int


def unproved(evidence: Evidence) -> str | None:
    """What was to be proved and was not; None where every fault was felt."""
    for one in faults_without_effect(evidence):
        return f"the fault {one.fault.kind} was in effect for {one.lasted_s:.0f} s, and no request shows it"
    faults = [seen for seen in evidence.since if is_fault(seen)]
    if faults and not count(faults, failed):
        return f"all {count(faults)} fault requests were answered well, so nothing was there to be caught"
    return None


def faults_without_effect(evidence: Evidence) -> Iterator[WithoutEffect]:
    """The faults on the function that no request shows."""
    for fault in evidence.faults:
        if fault.hurts_service:
            during = [seen for seen in evidence.requests if fault.lasts(seen.at_s) and not is_fault(seen)]
            before = [seen for seen in evidence.requests if seen.at_s < fault.began_s and not is_fault(seen)]
            if during and not _felt(during, before):
                lasted_s = min(fault.ended_s, evidence.end_s) - fault.began_s
                yield WithoutEffect(fault, lasted_s, count(during))


def _felt(during: Sequence[Requests], before: Sequence[Requests]) -> bool:
    failures, usual = (count(during, failed), count(during)), (count(before, failed), count(before))
    if not usual[1]:
        return failures[0] > 0
    chance = fisher_worse(failures, usual)
    slower = harm_by_latency(compared(during, before), None)
    return slower is not None or (chance is not None and chance < SIGNIFICANT)
