"""Whether each fault had an effect that was seen: a fault that nobody felt proves nothing of the net."""

import math
from collections.abc import Iterator, Sequence

from msgspec import Struct

from harness.core.experiment.faults import BASE, SHARE, kind_of, name_of
from harness.core.experiment.types import Outcome
from harness.core.timeline.events import Requests
from harness.core.timeline.stats import fisher_worse
from harness.core.verdict.evidence import Evidence, FaultTime, count, failed, is_fault, reached_service
from harness.core.verdict.guards import rules_of
from harness.core.verdict.latency import compared, limit_exceeded

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
    for name in faults_never_begun(evidence):
        return f"the fault {name} was planned and never began"
    if any(fault.forces_alarm and not _rang(evidence, fault) for fault in evidence.faults):
        return "the alarm was set to ALARM by the experiment, and nobody saw it there"
    faults = [seen for seen in evidence.since if is_fault(seen)]
    if faults and not count(faults, failed):
        return f"all {count(faults)} fault requests were answered well, so nothing was there to be caught"
    if faults and not count(faults, lambda seen: failed(seen) and _is_felt(evidence, seen)):
        return f"all {count(faults)} fault requests that failed were refused, so the service had nothing to bear"
    if not faults and _asks_for_fault_requests(evidence):
        return "fault requests were planned and none was sent"
    return None


def faults_never_begun(evidence: Evidence) -> Iterator[str]:
    """The names of planned faults that never began although the deployment went on.

    One that was due after a deployment that ended badly could not begin.
    """
    created_s, ended_s = evidence.release.created_s, math.inf
    if created_s is None:
        return
    if evidence.rollout.outcome is not Outcome.PROMOTED and evidence.release.ended:
        ended_s = evidence.release.ended[0]
    for name, kind, at_s in _planned(evidence):
        due_s = created_s + at_s
        # A fault that overlaps one of the same kind may leave no time to it.
        began = any(fault.name == name or (fault.kind == kind and fault.ended_s > due_s) for fault in evidence.faults)
        sent = name == BASE and count(evidence.since, is_fault) > 0
        if due_s < ended_s and not (began or sent):
            yield name


def _planned(evidence: Evidence) -> Iterator[tuple[str, str, float]]:
    """Name, kind and beginning of each fault of the experiment, in seconds since the creation."""
    if evidence.experiment.traffic.error_share:
        yield BASE, SHARE, 0.0
    for index, fault in enumerate(evidence.experiment.faults):
        kind = kind_of(fault)
        # A share of zero breaks nothing: it ends what came before.
        if kind != SHARE or getattr(fault, kind):
            yield name_of(index), kind, fault.at_s


def _rang(evidence: Evidence, fault: FaultTime) -> bool:
    """Whether any alarm was seen in ALARM while a fault held it there."""
    alarms = evidence.rollout.alarms
    episodes = (episode for name in (*alarms.looked, *alarms.history) for episode in alarms.episodes(name))
    return any(
        episode.start[0] <= fault.ended_s and (episode.end is None or episode.end[1] >= fault.began_s)
        for episode in episodes
    )


def _is_felt(evidence: Evidence, seen: Requests) -> bool:
    """Whether the service failed a request, or an alarm of the group counts its refusal."""
    return reached_service(seen) or any(rule.counts(seen.status) for rule in rules_of(evidence))


def _asks_for_fault_requests(evidence: Evidence) -> bool:
    """Whether fault requests were to be sent; those that other groups answer are not seen here."""
    if evidence.sent > count(evidence.requests):
        return False
    return any((fault.share(fault.kind) or 0) > 0 for fault in evidence.faults if fault.plans_requests)


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
    slower = limit_exceeded(compared(during, before), None)
    return slower is not None or (chance is not None and chance < SIGNIFICANT)
