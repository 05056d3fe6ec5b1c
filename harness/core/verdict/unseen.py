"""What may have hurt users without being seen as harm: it keeps good answers of the canary from being health.

A failure or a slow answer counts as the canary's only where something says so. Where nothing does, it may be the
canary's all the same.
"""

from collections.abc import Iterator

from harness.core.experiment.types import Outcome
from harness.core.timeline.alarm_rules import metrics_of, why_not_evaluated
from harness.core.timeline.bounds import Bounds
from harness.core.timeline.composites import StateRule, expanded, holds, leaves
from harness.core.verdict.before import before_creation
from harness.core.verdict.evidence import Evidence, count
from harness.core.verdict.guards import says_its_alarm
from harness.core.verdict.latency import compared, limit_exceeded, misses
from harness.core.verdict.measure import (
    SIGNIFICANT,
    arms_window,
    headers_tell,
    latencies_of,
    metric_periods,
    told_apart,
    worse_by_period,
)
from harness.core.verdict.slowness import by_name

_COUNTED = frozenset({"Errors", "Invocations"})
"""The metrics that are read for each version, whoever sends the traffic."""


def slower_at_another_time(evidence: Evidence) -> str | None:
    """Answers slower than those of the baseline or, where nothing tells the versions apart, than before."""
    gone_s = evidence.release.canary_gone_s
    if headers_tell(evidence.since):
        canary = [seen for seen in evidence.since if evidence.is_canary(seen.version)]
        baseline = [seen for seen in evidence.requests if evidence.is_baseline(seen.version)]
    else:
        until_s = gone_s if gone_s is not None and not evidence.release.promoted else evidence.until_s
        canary = [seen for seen in evidence.since if seen.at_s < until_s]
        baseline = before_creation(evidence)
    if limit_exceeded(compared(canary, baseline), evidence.experiment.objective.latency) is None:
        return None
    told = "answers were slower than the baseline's, but not of a canary that is known to answer at the same time"
    return f"{told}{_machine_in_words(evidence.rollout.run.speed)}"


def _machine_in_words(speed: float) -> str:
    """What else may have been slow where time is compressed; empty where it is not."""
    if speed <= 1:
        return ""
    return f"; at speed {speed:g} one busy second of this machine is {speed:g} slow ones, so play it again, or slower"


def slower_by_a_few(evidence: Evidence) -> str | None:
    """Answers to one request slower than the baseline's over the same time, and too few of them for harm."""
    told, objective = told_apart(evidence), evidence.experiment.objective.latency
    parts = by_name(*told) if told else {}
    for name, arms in parts.items():
        if limit_exceeded(compared(*arms, fewest=1, names=len(parts)), objective):
            return (
                f"the canary's {count(arms[0])} answers to {name} were slower than the baseline's, and say too little"
            )
    return None


def objective_missed_by_both(evidence: Evidence) -> str | None:
    """The service is slower than the objective, and the canary not surely more so than the baseline."""
    objective, arms = evidence.experiment.objective.latency, latencies_of(evidence)
    if objective is None or objective.p99_s is None or arms is None:
        return None
    if not (misses(arms.baseline, objective.p99_s) and misses(arms.canary, objective.p99_s)):
        return None
    return (
        f"the objective is a 99th percentile of client latency of {objective.p99_s * 1000:.0f} ms, and the baseline's "
        f"was {arms.baseline_s * 1000:.0f} ms, the canary's {arms.canary_s * 1000:.0f} ms: the service is too slow, "
        "with the release or without it"
    )


def objective_not_measured(evidence: Evidence) -> str | None:
    """The objective is about latency, and the canary's was not measured beside the baseline's."""
    if evidence.experiment.objective.latency is None or latencies_of(evidence) is not None:
        return None
    return "the objective is about latency, and the canary's was not measured while both versions had traffic"


def errors_not_told(evidence: Evidence) -> str | None:
    """CloudWatch tells of the canary's invocations, and not of their errors."""
    canary = evidence.release.canary
    if canary is None or headers_tell(evidence.since):
        return None
    called, told = (metric_periods(evidence, metric, canary) for metric in ("Invocations", "Errors"))
    # Of the last period one series may be read before the other.
    if len(called - told) <= (1 if told else 0):
        return None
    return f"CloudWatch did not tell how many invocations of version {canary} failed"


def failures_of_others(evidence: Evidence) -> str | None:
    """By CloudWatch the canary failed more than the baseline, though not in the answers that this run got."""
    window = arms_window(evidence)
    if window is None or not evidence.release.shared:
        return None
    chance = worse_by_period(evidence, window, whole=True)
    if chance is None or chance >= SIGNIFICANT:
        return None
    return "by CloudWatch the canary failed more than the baseline did, and this run's own requests do not show it"


def alarm_beyond_sight(evidence: Evidence) -> str | None:
    """An alarm that answered something that nobody measured."""
    for name in _rang(evidence):
        if evidence.rollout.outcome is Outcome.ROLLED_BACK and not _is_measured(evidence, name):
            return f"the alarm {name} went to ALARM, and what it watches was not measured"
    return None


def _rang(evidence: Evidence) -> Iterator[str]:
    """The alarms of the group that were in ALARM since the creation, and were not forced there."""
    created_s = evidence.release.created_s or 0.0
    for name in evidence.rollout.yardsticks:
        episodes = evidence.rollout.alarms.episodes(name)
        lasting = (one for one in episodes if one.end is None or one.end[1] > created_s)
        if any(not _is_forced(evidence, one.start) for one in lasting):
            yield name


def _is_forced(evidence: Evidence, start: Bounds) -> bool:
    forced = (fault for fault in evidence.faults if fault.forces_alarm)
    return any(fault.began_s - 1 <= start[1] and start[0] <= fault.ended_s for fault in forced)


def _is_measured(evidence: Evidence, name: str) -> bool:
    """Whether what an alarm watches was seen: by clients or, without traffic of our own, by CloudWatch's counts."""
    definitions, sends = evidence.rollout.alarms.definitions, evidence.rollout.run.sends
    read = [definitions[child] for child in _ringing(expanded(name, definitions)) if child in definitions]
    told = read or says_its_alarm(evidence)
    return bool(told) and all(
        why_not_evaluated(one) is None and (sends or {metric.metric for metric in metrics_of(one)} <= _COUNTED)
        for one in read
    )


def _ringing(rule: StateRule) -> set[str]:
    """The alarms that may have taken one to ALARM; where that takes a child that guards, one under NOT never has."""
    rings_alone = holds(rule, lambda leaf: not leaf.guards)
    return {leaf.name for leaf in leaves(rule) if leaf.guards or rings_alone}
