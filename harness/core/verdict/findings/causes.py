"""Why the alarms counted something else than the clients saw, as far as CloudWatch's own counts tell it."""

import math
from collections.abc import Mapping, Sequence

from harness.core.timeline.alarm_rules import UNHANDLED_STATUS
from harness.core.timeline.events import AliasMetricSeen, MetricSeen
from harness.core.verdict.evidence import Evidence, count
from harness.core.verdict.findings.scene import Scene, error, warning
from harness.core.verdict.guards import rules_of
from harness.core.verdict.measure import metric_sum, requests_per_s
from harness.core.verdict.types import Finding

SETTLED_S = 120.0
"""How long after its end a period is counted whole: CloudWatch learns of some requests a minute or two late."""
FAR_FEWER = 0.5
ENOUGH_INVOCATIONS = 20
ENOUGH_FAILURES = 5


def traffic_bypasses_alias(scene: Scene) -> Finding | None:
    """The function is called, and not by the alias whose weights make the canary."""
    evidence = scene.evidence
    by_function = _settled(evidence, [seen for seen in _of_all_versions(evidence) if seen.metric == "Invocations"])
    by_alias = _settled(evidence, evidence.alias_metrics)
    called, shifted = sum(by_function.values()), sum(by_alias.get(start_s, 0) for start_s in by_function)
    if not evidence.alias_metrics or called < ENOUGH_INVOCATIONS or shifted >= FAR_FEWER * called:
        return None
    alias = evidence.alias_metrics[0].alias
    return error(
        "traffic-bypasses-alias",
        f"The traffic bypasses the alias: CloudWatch counted {called:.0f} invocations of the function and "
        f"{shifted:.0f} of its alias {alias}, so the canary's weight changes nothing for the rest. Something still "
        "calls the function without the alias, such as the target group of a load balancer, an event source or a "
        f"gateway's integration: make it call {alias}.",
    )


def uncounted_failures(scene: Scene) -> Finding | None:
    """502s that clients saw and that the function's Errors never counted, whole periods against whole periods."""
    evidence = scene.evidence
    if not any("Errors" in rule.counted_metrics for rule in rules_of(evidence)):
        return None
    series = _of_all_versions(evidence)
    known = _settled(evidence, [seen for seen in series if seen.metric == "Invocations"])
    errors = _settled(evidence, [seen for seen in series if seen.metric == "Errors"])
    counted = sum(errors.get(start_s, 0) for start_s in known)
    seen = count(evidence.since, lambda one: one.status == UNHANDLED_STATUS and _is_within(one.at_s, known))
    if seen - counted < ENOUGH_FAILURES or counted >= FAR_FEWER * seen:
        return None
    return warning(
        "failures-not-counted",
        f"Clients saw {seen} x {UNHANDLED_STATUS} in the minutes in which CloudWatch counted {counted:.0f} Errors of "
        "the function: the function did not fail there, but API Gateway could not read its answers (malformed proxy "
        "responses), or an authorizer or an integration failed or timed out. An alarm on API Gateway's 5XXError sees "
        "them.",
    )


def canary_always_fails(scene: Scene) -> Finding | None:
    """Not one invocation of the canary succeeded, as when it cannot be imported."""
    evidence, always = scene.evidence, (-math.inf, math.inf)
    canary = evidence.release.canary
    if canary is None or any(fault.hurts_service for fault in evidence.faults):
        return None
    called = metric_sum(evidence, "Invocations", canary, always) or 0
    failed = metric_sum(evidence, "Errors", canary, always) or 0
    if called < ENOUGH_FAILURES or failed < called:
        return None
    return warning(
        "canary-always-fails",
        f"Every invocation of version {canary} failed ({failed} of {called} by CloudWatch): look at its log for "
        "Runtime.ImportModuleError, a missing handler, or an init that times out.",
    )


def rate_alarm_moved_by_few(scene: Scene) -> Finding | None:
    """An alarm on a rate at so little traffic that one failure breaches it."""
    evidence, rate = scene.evidence, requests_per_s(scene.evidence)
    known = evidence.rollout.alarms.definitions
    for rule in rules_of(evidence):
        requests = (rate or 0.0) * rule.period_s * (_weight(evidence) if evidence.is_canary(rule.version) else 1.0)
        if rule.is_rate and rule.name in known and requests and rule.failures_needed(requests) == 1:
            periods = f" in {rule.datapoints} periods" if rule.datapoints > 1 else ""
            return warning(
                "rate-alarm-moved-by-few",
                f"One failed request{periods} puts the alarm {rule.name} ({rule}) in ALARM at about {requests:.0f} "
                "requests in a period: it cannot tell a bad release from chance. Lengthen its period, ask for more "
                "datapoints, or let it count only where there are enough requests.",
            )
    return None


def _weight(evidence: Evidence) -> float:
    return evidence.release.weights.bake_weight or 1.0


def _of_all_versions(evidence: Evidence) -> list[MetricSeen]:
    return [seen for seen in evidence.metrics if seen.version is None]


def _settled(evidence: Evidence, series: Sequence[MetricSeen | AliasMetricSeen]) -> Mapping[float, float]:
    """The periods since the creation that were looked at long after their end, by when they began."""
    created_s = evidence.release.created_s
    return {
        start_s: value
        for seen in series
        for start_s, value in seen.points
        if created_s is not None
        and start_s >= created_s
        and start_s + seen.period_s <= evidence.until_s
        and seen.at_s >= start_s + seen.period_s + SETTLED_S
    }


def _is_within(at_s: float, minutes: Mapping[float, float]) -> bool:
    return any(start_s <= at_s < start_s + 60.0 for start_s in minutes)
