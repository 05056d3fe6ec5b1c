"""Whether what was sent, and what was made to fail, is what was planned."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from harness.core.experiment.types import Arm
from harness.core.timeline.alarm_rules import FAILURES_OF
from harness.core.timeline.events import Requests
from harness.core.timeline.stats import clopper_pearson
from harness.core.verdict.effects import faults_never_begun, faults_without_effect
from harness.core.verdict.evidence import by_status, count, failed, is_fault, planned_shares
from harness.core.verdict.findings.scene import Scene, error, finding, note, warning
from harness.core.verdict.guards import rules_of
from harness.core.verdict.latency import Compared, Limit, times_in_words
from harness.core.verdict.measure import REQUESTS_TOLD, by_request, comparable, is_comparable_in_part
from harness.core.verdict.slowness import slower_than, spell_in_words, too_slow
from harness.core.verdict.steady import why_not_steady
from harness.core.verdict.types import Finding

LATE_S = 0.25
LOST = 0.001
SLOWER, SLOWER_BY_S = 1.1, 0.005
"""Less than this is what any two versions differ by: nobody would look into it."""
UNANSWERED = 0.01
MOST_UNANSWERED = 4


def forced_alarm(scene: Scene) -> Finding | None:
    """We rang the alarm ourselves."""
    rollout, alarm_s, created_s = (
        scene.evidence.rollout,
        scene.measures.detection.alarm_s,
        scene.evidence.release.created_s,
    )
    stopped_by_alarm = rollout.release.forward is not None and rollout.release.forward.error_code == "ALARM_ACTIVE"
    if not stopped_by_alarm or alarm_s is None or created_s is None:
        return None
    rang_s = (alarm_s[0] + created_s, alarm_s[1] + created_s)
    forced = (fault for fault in scene.evidence.faults if fault.forces_alarm)
    if not any(fault.began_s - 1 <= rang_s[1] and rang_s[0] <= fault.ended_s for fault in forced):
        return None
    return note(
        "forced-alarm-was-the-cause",
        "The experiment itself set the alarm to ALARM, and that is what stopped the deployment: it proves the way from "
        "the alarm to the rollback, not that the alarm sees failures.",
    )


def fault_succeeded(scene: Scene) -> Finding | None:
    """Requests that were meant to fail were answered well."""
    fault = scene.measures.traffic.fault
    if not fault.ok:
        return None
    total = fault.ok + fault.failed
    text = f"{fault.ok} of {total} fault requests were answered well: what was meant to make them fail is broken."
    return finding("fault-succeeded", "warning" if fault.failed else "error", text)


def fault_without_effect(scene: Scene) -> Finding | None:
    """A fault of ours on the function that nobody felt, or any that never began."""
    for one in faults_without_effect(scene.evidence):
        return error(
            "fault-without-effect",
            f"The fault {one.fault.kind} ({one.fault.value}) was in effect for {one.lasted_s:.0f} s, and none of "
            f"{one.requests} good requests failed or slowed down by it, so nothing was proved. Does it reach the "
            "function, and is it strong enough for this traffic?",
        )
    never = [*faults_never_begun(scene.evidence)]
    if never:
        return error(
            "fault-without-effect",
            f"{', '.join(never)} was planned and never began although the deployment went on, so nothing was proved.",
        )
    return None


def layers_not_played(scene: Scene) -> Finding | None:
    """A rehearsal ran code without layers that it has on AWS."""
    own = scene.evidence.experiment
    arms = [own.baseline, own.canary, *(hook for hook in own.deployment.hooks.values() if isinstance(hook, Arm))]
    absent = dict.fromkeys(layer for arm in arms if arm.code for layer in arm.code.without_layers)
    if not absent:
        return None
    return warning(
        "layers-not-played",
        f"The code ran without {', '.join(absent)}: these layers are not on this machine, so what they bring, such as "
        "modules, an extension or a wrapper, was not tried.",
    )


def otherwise_than_on_aws(scene: Scene) -> Finding | None:
    """A rehearsal said what it plays otherwise than AWS."""
    told = scene.evidence.experiment.otherwise
    return warning("otherwise-than-on-aws", f"Played otherwise than on AWS: {' '.join(told)}") if told else None


def canary_slower(scene: Scene) -> Finding | None:
    """The canary is surely slower than the baseline in more than one part of its trial, be it harm or not."""
    slower = slower_than(scene.evidence, _noticeable)
    if slower is None or slower.spell:
        return None
    arms, harm = slower.arms, too_slow(scene.evidence)
    of_whom = f" of {slower.name}" if slower.name else ""
    return finding(
        "canary-slower",
        "warning" if harm and not harm.spell else "note",
        f"The canary is slower: its 99th percentile of client latency{of_whom} was {arms.canary_s * 1000:.0f} ms, the "
        f"baseline's {arms.baseline_s * 1000:.0f} ms over the same time{times_in_words(arms)}.",
    )


def _noticeable(arms: Compared) -> Limit | None:
    limit = Limit(max(SLOWER * arms.baseline_most_s, arms.baseline_most_s + SLOWER_BY_S), "the baseline's")
    return limit if arms.exceeds(limit) else None


def slow_spell(scene: Scene) -> Finding | None:
    """The canary was too slow in one part of its trial, and not surely at any other time."""
    slowness = too_slow(scene.evidence)
    if slowness is None or slowness.spell is None:
        return None
    told = spell_in_words(scene.evidence, slowness)
    return warning(
        "slow-in-one-part",
        f"That the canary was too slow is not sure without one part of its trial: {told}. One stall or a few cold "
        "starts look like that, and so does a release that is slow under one condition. Look for what happened at that "
        "time, or release it again with a longer bake time or more traffic.",
    )


def not_counted(scene: Scene) -> Finding | None:
    """Failures that no alarm's metric sees, such as a 500 that the service returned, or a 404 or 429 of the canary."""
    rules = rules_of(scene.evidence)
    failures = [seen for seen in scene.evidence.since if seen.http and failed(seen) and (seen.status or is_fault(seen))]
    unseen = [seen for seen in failures if not any(rule.counts(seen.status) for rule in rules)]
    if not rules or not unseen:
        return None
    metrics = dict.fromkeys(metric for rule in rules for metric in rule.counted_metrics)
    counted = "; ".join(f"{metric} counts {FAILURES_OF[metric]}" for metric in metrics)
    return warning(
        "failures-not-counted",
        f"{count(unseen)} failures are none that {' or '.join(metrics)} counts ({by_status(unseen)}): {counted}."
        f"{''.join(_who_counts(unseen))}",
    )


def _who_counts(unseen: list[Requests]) -> Iterator[str]:
    """Which metrics of API Gateway would count these failures."""
    if any(seen.status >= 500 for seen in unseen):
        yield " An alarm on 5XXError sees every 5xx."
    if any(400 <= seen.status < 500 for seen in unseen):
        yield " An alarm on 4XXError sees every 4xx, those of wrong callers too."


def collateral(scene: Scene) -> Finding | None:
    """Requests failed that nobody meant to fail."""
    evidence = scene.evidence
    hurt = [seen for seen in evidence.since if failed(seen) and not is_fault(seen)]
    if not hurt:
        return None
    on_canary = count(hurt, lambda seen: evidence.is_canary(seen.version))
    on_baseline = count(hurt, lambda seen: evidence.is_baseline(seen.version))
    nameless = count(hurt, lambda seen: seen.version is None)
    others = count(hurt) - on_canary - on_baseline - nameless
    statuses = by_status(hurt)
    return finding(
        "collateral",
        "warning" if count(hurt) > on_canary else "note",
        f"{count(hurt)} good requests failed: {on_canary} on the canary, {on_baseline} on the baseline, {nameless} "
        f"where no header said{f', {others} on other versions' if others else ''} ({statuses}).{_whom(hurt)}",
    )


def _whom(hurt: list[Requests]) -> str:
    """Which requests failed, and which rows of the feed they hit, where there is more to tell than their number."""
    told = [*islice(by_request(hurt), REQUESTS_TOLD)]
    if len(told) < 2 and not any(one.rows for one in told):
        return ""
    named = (f"{one.name} {one.failed}{f' ({one.whom})' if one.whom else ''}" for one in told)
    return f" By request: {', '.join(named)}."


def no_traffic(scene: Scene) -> Finding | None:
    """Without traffic nothing is proved."""
    rollout = scene.evidence.rollout
    if rollout.release.created_s is None or not rollout.run.sends or count(scene.evidence.since):
        return None
    return error(
        "no-traffic", "No request was sent after the deployment's creation, so nothing was proved. Check host and rate."
    )


def not_steady(scene: Scene) -> Finding | None:
    """Others deployed though traffic was not steady: what the canary met says little about it."""
    evidence, created_s = scene.evidence, scene.evidence.release.created_s
    if created_s is None or not evidence.rollout.run.sends or created_s < evidence.experiment.steady_s:
        return None
    requests = [seen for seen in evidence.requests if seen.at_s + 1 <= created_s]
    arrivals = [second for second in evidence.arrivals if second.at_s + 1 <= created_s]
    why = why_not_steady(evidence.experiment, requests, arrivals, evidence.faults)
    if why is None:
        return None
    return warning(
        "traffic-not-steady",
        f"Traffic was not steady when the deployment was created: {why} before. Check host, stage and credentials.",
    )


def unanswered(scene: Scene) -> Finding | None:
    """Good requests got no answer at all; the sample of failures says why."""
    good = [seen for seen in scene.evidence.requests if not is_fault(seen)]
    silent, total = count(good, lambda seen: seen.http and not seen.answered), count(good)
    if silent < UNANSWERED * total or not silent:
        return None
    sampled = (one for one in scene.evidence.exemplars if one.http and one.status == 0 and one.intent == "good")
    reasons = Counter(one.reason for one in sampled)
    sample = "; ".join(f"{reason} ({number})" for reason, number in reasons.most_common(MOST_UNANSWERED))
    why = f": of a sample, {sample}" if sample else ""
    return warning("unanswered", f"{silent} of {total} good requests got no answer{why}.")


def share_not_met(scene: Scene) -> Finding | None:
    """The error share that was sent is surely not the one that was planned."""
    shares = planned_shares(scene.evidence)
    planned = [(seen, shares[seen.at_s]) for seen in scene.evidence.since]
    wanted = sum(seen.count * share for seen, share in planned)
    during = [seen for seen, share in planned if share > 0]
    total, sent = count(during), count(during, is_fault)
    interval = clopper_pearson(sent, total, confidence=0.99)
    if interval is None or interval[0] <= wanted / total <= interval[1] or abs(sent - wanted) <= 0.1 * wanted:
        return None
    return warning(
        "share-not-met",
        f"{sent / total:.2%} of the requests were fault requests ({sent} of {total}), and {wanted / total:.2%} "
        "were planned.",
    )


def schedule_late(scene: Scene) -> Finding | None:
    """The load generator could not keep its own schedule."""
    facts = scene.measures.traffic
    lag_s = facts.schedule_lag_p99_s or 0.0
    if not facts.unstarted and lag_s <= LATE_S:
        return None
    return warning(
        "schedule-late",
        f"The load generator could not keep its schedule: {facts.unstarted or 0} of {facts.planned} requests were "
        f"never started, and 1 % of the starts were over {lag_s * 1000:.0f} ms late. Add workers, or lower the rate.",
    )


def compared_in_part(scene: Scene) -> Finding | None:
    """The canary's weight and the faults changed together, so only a part of the time compares the versions fairly."""
    if not is_comparable_in_part(scene.evidence):
        return None
    return note(
        "compared-in-part",
        "The canary's weight and the planned faults changed while both versions had traffic, so the versions are "
        f'compared, and "all at once" is estimated, by the {count(comparable(scene.evidence))} requests of the time '
        "with the gravest faults alone: over all the time, a fault that came late would seem to be the canary's.",
    )


def requests_not_recorded(scene: Scene) -> Finding | None:
    """Locust counted requests that are not in the timeline."""
    missing = scene.evidence.unrecorded
    if not missing:
        return None
    counted = sum(process.counted for process in scene.evidence.totals)
    return error(
        "requests-not-recorded",
        f"{missing} of {counted} requests that Locust counted were not recorded, so what became of them is not known. "
        "Does a locustfile replace Locust's listeners, or count requests without firing its `request` event?",
    )


def requests_odd(scene: Scene) -> Finding | None:
    """The locustfile fired requests with values that no request has."""
    odd = [process for process in scene.evidence.totals if process.odd]
    if not odd:
        return None
    kinds: Counter[str] = Counter()
    for process in odd:
        kinds.update(process.odd_values)
    told = "".join(f"{number} x {kind}, " for kind, number in kinds.most_common())
    return warning(
        "requests-odd",
        f"{sum(process.odd for process in odd)} requests were fired with values that no request has "
        f"({told}such as {odd[0].example}), and recorded with what was left. Look where the locustfile fires "
        "`request`.",
    )


def requests_folded(scene: Scene) -> Finding | None:
    """More versions, names or personas came up than rows tell apart."""
    kinds: Counter[str] = Counter()
    for process in scene.evidence.totals:
        kinds.update(process.folded)
    if not kinds:
        return None
    told = ", ".join(f"the {kind} of {number} requests" for kind, number in kinds.most_common())
    return warning(
        "requests-folded",
        f"There were too many different ones to tell apart, so {told} is recorded as 'other'. Look at what the service "
        "sends as X-Lambda-Version, and give requests to many URLs one name.",
    )


def whose_unclear(scene: Scene) -> Finding | None:
    """Requests of which nothing tells which group of the run answered them."""
    unclear = scene.evidence.unclear
    if not unclear:
        return None
    names = sorted({seen.endpoint for seen in unclear})
    named = ", ".join(names[:REQUESTS_TOLD]) + (", …" if len(names) > REQUESTS_TOLD else "")
    return warning(
        "whose-requests",
        f"{count(unclear)} requests ({named}) may have been answered by this group's function or by another group's, "
        f"{count(unclear, failed)} of them with a failure. They count for no version, since two functions may have the "
        "same version numbers. Name each group's requests in deployment.requests and in the requests of `also`, or "
        "have X-Lambda-Version name the function, too (orders:7).",
    )


def requests_lost(scene: Scene) -> Finding | None:
    """Requests were planned of which nothing is known, such as rows of a worker that were lost."""
    facts = scene.measures.traffic
    if not facts.lost or facts.lost <= LOST * (facts.planned or 0):
        return None
    return warning(
        "requests-lost",
        f"Nothing is known of {facts.lost} of {facts.planned} planned requests: they were neither counted as sent nor "
        "as not started. Rows of the timeline are missing; look for a worker that died, or a disk that was full.",
    )
