"""What a person should know beyond the verdict: one small check each, in a table.

A check returns None where it has nothing to say; it never reports health.
"""

import math
from collections import Counter
from collections.abc import Callable

from msgspec import Struct

from harness.core.experiment.types import Outcome
from harness.core.timeline.alarm_rules import UNHANDLED_STATUS, chance, error_rate_for
from harness.core.timeline.events import AlarmDefined, Requests
from harness.core.timeline.refusals import BAD_CREDENTIALS, DENIED
from harness.core.timeline.rollout import Rollout
from harness.core.timeline.stats import clopper_pearson
from harness.core.verdict.evidence import Evidence, count, failed, is_fault, planned_share, server_failed
from harness.core.verdict.harm import Harm
from harness.core.verdict.measure import Measures, comparable, is_comparable_in_part, origin, requests_per_s, rules_of
from harness.core.verdict.types import SEVERITIES, Attribution, Detection, Finding, Severity

# Metrics lie in CloudWatch up to 60 s after their minute, an alarm is evaluated each 60 s, and CodeDeploy looks at it
# each 5 to 25 s. Assumption: sums of observed delays, none of them documented.
SLOWEST_ALARM_S = 150.0
SURE_ENOUGH = 0.9
LATE_S = 0.25
LOST = 0.001
LONG_BLINDNESS_S = 30.0
UNANSWERED = 0.01
MOST_UNANSWERED = 4


class Scene(Struct, frozen=True):
    """All that a check may look at."""

    evidence: Evidence
    measures: Measures
    harm: Harm


Check = Callable[[Scene], Finding | None]


def findings_of(evidence: Evidence, measures: Measures, harm: Harm) -> tuple[Finding, ...]:
    """All findings, errors first, in the order of the table otherwise."""
    scene = Scene(evidence, measures, harm)
    findings = [finding for check in CHECKS if (finding := check(scene))]
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


# The release


def no_canary(scene: Scene) -> Finding | None:
    """All traffic shifted and nobody ever saw the two versions share it."""
    rollout = scene.evidence.rollout
    if rollout.outcome is not Outcome.PROMOTED or rollout.release.weights.split or rollout.release.alias is None:
        return None
    if rollout.release.config is not None and rollout.release.config.kind == "all_at_once":
        why = f"{rollout.release.config.name} shifts all traffic at once, so the alarm has nothing to watch"
    else:
        why = "weights never appeared on the alias"
    return _error("no-canary", f"There was no canary: {why}. Deploy with a canary or linear configuration.")


def alias_left_split(scene: Scene) -> Finding | None:
    """The deployment ended badly, nothing rolled it back, and the canary still has traffic."""
    release = scene.evidence.release
    if not release.left_split or release.alias is None:
        return None
    return _error(
        "alias-left-split",
        f"The alias {release.alias.alias} was left split: version {release.canary} still takes "
        f"{release.weight or 0:.0%} of the traffic, and the next deployment will fail (INVALID_LAMBDA_CONFIGURATION). "
        "Remove the weights with UpdateAlias, and let the group roll back by itself.",
    )


def alias_contradicts(scene: Scene) -> Finding | None:
    """The alias is not where CodeDeploy says it put it."""
    outcome, release = scene.evidence.rollout.outcome, scene.evidence.release
    if not release.alias_contradicts or release.alias is None:
        return None
    return _error(
        "alias-contradicts-codedeploy",
        f"CodeDeploy says {outcome.replace('_', ' ')}, but the alias {release.alias.alias} points at version "
        f"{release.alias.version} with weights {dict(release.alias.weights) or 'none'}. Did somebody else change it?",
    )


def hook_failed(scene: Scene) -> Finding | None:
    """A lifecycle hook said no."""
    release = scene.evidence.release
    if release.forward is None or release.forward.error_code != "HOOK_EXECUTION_FAILURE":
        return None
    lifecycle = release.target.lifecycle if release.target else ()
    names = " and ".join(event.name for event in lifecycle if event.status == "Failed")
    return _warning(
        "hook-failed",
        f"The deployment failed by its hook{f' {names}' if names else ''} (HOOK_EXECUTION_FAILURE), not by the alarm. "
        "Look into the log of the hook function.",
    )


def superseded(scene: Scene) -> Finding | None:
    """Another deployment of the group began after this one."""
    release = scene.evidence.release
    if release.superseded_by:
        names = ", ".join(release.superseded_by)
        text = f"The group's next deployment began ({names}): nothing from then on is counted for this one."
        return _warning("superseded-by-other-deployment", text)
    created_s = release.created_s
    beside = [other for other in release.others if created_s is not None and (other.created_s or -math.inf) > created_s]
    if not beside:
        return None
    names = ", ".join(other.deployment_id for other in beside)
    text = f"Another deployment began during this run ({names}): what was measured after it may be its doing."
    return _warning("superseded-by-other-deployment", text)


# The net


def no_rollback_configured(scene: Scene) -> Finding | None:
    """The group does not roll back by itself on every occasion."""
    group = scene.evidence.rollout.run.group
    missing = [event for event in _ROLLBACK_EVENTS if group and event not in group.rollback_events]
    if group is None or not missing:
        return None
    by_alarm = "DEPLOYMENT_STOP_ON_ALARM" in missing
    text = (
        f"The group {group.group} does not roll back on {', '.join(missing)}: such a deployment stops and leaves the "
        "alias split. Add the events to its automatic rollback."
    )
    return _finding("no-rollback-configured", "error" if by_alarm else "warning", text)


def alarm_not_on_group(scene: Scene) -> Finding | None:
    """Nothing, or another alarm than the experiment's, guards the deployment."""
    group, wanted = scene.evidence.rollout.run.group, scene.evidence.experiment.alarm.name
    if group is None:
        return None
    if not group.alarms:
        return _error("alarm-not-on-group", f"The group {group.group} has no alarm: nothing can stop a deployment.")
    if not group.alarms_enabled:
        return _error(
            "alarm-not-on-group", f"The group {group.group} ignores its alarms: enable its alarm configuration."
        )
    if wanted and wanted not in group.alarms:
        names = ", ".join(group.alarms)
        return _error(
            "alarm-not-on-group", f"The alarm {wanted} does not guard the group {group.group}, but {names} does."
        )
    return None


def alarm_gone(scene: Scene) -> Finding | None:
    """The group names an alarm that does not exist."""
    rollout = scene.evidence.rollout
    missing = sorted(rollout.alarms.missing & set(rollout.alarm_names))
    if not missing:
        return None
    deleted = [name for name in missing if name in rollout.alarms.definitions]
    if deleted:
        return _error(
            "alarm-gone", f"{', '.join(deleted)} was deleted during the run: nothing guards the group in its place."
        )
    return _error("alarm-gone", f"CloudWatch knows no alarm {', '.join(missing)}: correct the name in the group.")


def alarm_no_data(scene: Scene) -> Finding | None:
    """An alarm that never had a datapoint cannot fire."""
    rollout = scene.evidence.rollout
    blind = [name for name in rollout.alarm_names if _never_had_data(scene.evidence, name)]
    if not blind or not count(scene.evidence.since):
        return None
    name = blind[0]
    why = _why_no_data(scene.evidence, rollout.alarms.definitions.get(name))
    return _error("alarm-no-data", f"The alarm {name} was in INSUFFICIENT_DATA all the time and could not fire: {why}")


def _never_had_data(evidence: Evidence, name: str) -> bool:
    created_s, states = evidence.release.created_s, evidence.rollout.alarms.turns(name)
    if created_s is None or not states or not _seen_to_the_end(evidence.rollout, name):
        return False
    before = [turn for turn in states if turn.since[0] < created_s]
    after = [turn for turn in states if turn.since[0] >= created_s]
    return all(turn.state == "INSUFFICIENT_DATA" for turn in (*before[-1:], *after))


def _seen_to_the_end(rollout: Rollout, name: str) -> bool:
    """Whether an alarm was still looked at when the deployment had ended: what was not seen is not known."""
    return (
        rollout.release.ended is not None
        and name in rollout.alarms.states
        and rollout.alarms.states[name].asked_s >= rollout.release.ended[0]
    )


def _why_no_data(evidence: Evidence, defined: AlarmDefined | None) -> str:
    if defined is None or defined.kind != "metric":
        return "check what it watches."
    resource = defined.dimensions.get("Resource", "")
    function, alias = _names(evidence)
    watched = defined.dimensions.get("FunctionName")
    if resource.startswith("arn:"):
        fix = f"{function or watched or 'function'}:{alias or resource.rsplit(':', 1)[-1]}"
        return f"its dimension Resource is an ARN ({resource}), which Lambda never writes. Make it {fix}."
    if function and watched and watched != function:
        return f"its dimension FunctionName is {watched}, and the traffic goes to {function}."
    version = defined.dimensions.get("ExecutedVersion")
    if version and evidence.release.canary and version != evidence.release.canary:
        return f"its dimension ExecutedVersion is {version}, and the canary is version {evidence.release.canary}."
    shown = ", ".join(f"{key}={value}" for key, value in defined.dimensions.items()) or "none"
    unit = f" in the unit {defined.unit}" if defined.unit else ""
    return f"nothing is written to {defined.namespace} {defined.metric}{unit} with the dimensions {shown}."


def _names(evidence: Evidence) -> tuple[str | None, str | None]:
    alias, target = evidence.release.alias, evidence.release.target
    if alias:
        return alias.function, alias.alias
    return (target.function, target.alias) if target else (None, None)


def alarm_already_on(scene: Scene) -> Finding | None:
    """CodeDeploy stops a deployment at once that starts while its alarm is on."""
    alarm_s = scene.measures.detection.alarm_s
    if alarm_s is None or alarm_s[1] >= 0:
        return None
    return _error(
        "alarm-already-on",
        f"The alarm was in ALARM since {-alarm_s[0]:.0f} s before the deployment's creation. CodeDeploy stops such a "
        "deployment at once, with no traffic on the canary: wait until all alarms are OK.",
    )


def alarm_covers_all_versions(scene: Scene) -> Finding | None:
    """An alarm without ExecutedVersion counts the errors of the baseline too."""
    rollout, told = scene.evidence.rollout, scene.measures.attribution
    broad = [
        rule.name
        for rule in rules_of(scene.evidence)
        if rule.name in rollout.alarms.definitions and rule.version is None
    ]
    if not broad or _never_had_data(scene.evidence, str(broad[0])):
        return None
    function, alias = _names(scene.evidence)
    place = f"Resource={function}:{alias}" if function else "Resource of the alias"
    version = f"ExecutedVersion={rollout.release.canary}" if rollout.release.canary else "ExecutedVersion of the canary"
    mostly_others = told.canary_share is not None and told.canary_share < 0.5
    return _finding(
        "alarm-covers-all-versions",
        "warning" if mostly_others else "note",
        f"The alarm {broad[0]} counts the errors of all versions{_whose(told)}. To blame the canary alone, give it the "
        f"dimensions {place} and {version}.",
    )


def _whose(told: Attribution) -> str:
    if not told.counted_errors or told.from_canary is None:
        return ""
    return f"; {told.from_canary} of the {told.counted_errors} errors it counted came from the canary"


def thin_traffic(scene: Scene) -> Finding | None:
    """So little traffic that even a canary that fails every request may not trip the alarm."""
    rate, weight = requests_per_s(scene.evidence), _canary_weight(scene.evidence)
    rule = next(iter(rules_of(scene.evidence)), None)
    if rule is None or rate is None or not weight:
        return None
    likely, enough = chance(rule, rate * weight), error_rate_for(rule, SURE_ENOUGH)
    if likely is None or enough is None or likely >= SURE_ENOUGH:
        return None
    return _warning(
        "thin-traffic",
        f"The traffic is too thin for the alarm ({rule}): at {rate:.2g} requests/s and {weight:.0%} on the canary, a "
        f"canary that fails every request breaches it in a given period with a chance of {likely:.2g}. "
        f"{enough / weight:.2g} requests/s would make that {SURE_ENOUGH:.0%}; else lower the threshold or lengthen it.",
    )


def _canary_weight(evidence: Evidence) -> float | None:
    config = evidence.release.config
    if config is not None and config.step:
        return config.step
    return evidence.release.weights.bake_weight


def late_fault(scene: Scene) -> Finding | None:
    """The trouble began too late for the alarm to stop the deployment."""
    release, created_s, began_s = scene.evidence.release, scene.evidence.release.created_s, origin(scene.evidence)
    if release.promoted is None or created_s is None or began_s is None or not release.weights.split:
        return None
    took = _how_late(scene.measures.detection, release.promoted[1] - created_s, began_s - created_s)
    if took is None:
        return None
    left_s = release.promoted[1] - began_s
    when = f"{left_s:.0f} s before the deployment ended" if left_s >= 0 else f"{-left_s:.0f} s after it had ended"
    return _warning(
        "late-fault",
        f"The first failure was due {when}, and {took}: a deployment that has ended watches no alarm. Bake longer, or "
        "shorten the alarm's period.",
    )


def _how_late(detection: Detection, ended_s: float, began_s: float) -> str | None:
    if detection.alarm_s is not None and detection.alarm_s[0] > ended_s:
        return f"the alarm came {detection.alarm_s[0] - began_s:.0f} s after it"
    if detection.alarm_s is None and detection.breach_s is not None and detection.breach_s + SLOWEST_ALARM_S > ended_s:
        return f"the alarm needs up to {detection.breach_s + SLOWEST_ALARM_S - began_s:.0f} s"
    return None


# The experiment


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
    return _note(
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
    return _finding("fault-succeeded", "warning" if fault.failed else "error", text)


def not_counted(scene: Scene) -> Finding | None:
    """Failures that the alarm's metric does not see, such as a 500 that the service returned or a 403."""
    rules = rules_of(scene.evidence)
    failures = [seen for seen in scene.evidence.since if server_failed(seen) or (is_fault(seen) and failed(seen))]
    unseen = [seen for seen in failures if not any(rule.counts(seen.status) for rule in rules)]
    if not rules or not unseen:
        return None
    return _warning(
        "failures-not-counted",
        f"{count(unseen)} failures are none that {rules[0].metric} counts ({_most_common(unseen)}): Lambda counts only "
        f"unhandled exceptions, which API Gateway answers {UNHANDLED_STATUS}. An alarm on 5XXError sees every 5xx.",
    )


def collateral(scene: Scene) -> Finding | None:
    """Requests failed that nobody meant to fail."""
    evidence = scene.evidence
    hurt = [seen for seen in evidence.since if failed(seen) and not is_fault(seen)]
    if not hurt:
        return None
    on_canary = count(hurt, lambda seen: evidence.is_canary(seen.version))
    on_baseline = count(hurt, lambda seen: evidence.is_baseline(seen.version))
    rest = count(hurt) - on_canary - on_baseline
    statuses = _most_common(hurt)
    return _finding(
        "collateral",
        "warning" if on_baseline or rest else "note",
        f"{count(hurt)} good requests failed: {on_canary} on the canary, {on_baseline} on the baseline, {rest} where "
        f"no header said ({statuses}).",
    )


def _most_common(hurt: list[Requests]) -> str:
    counts: Counter[int] = Counter()
    for seen in hurt:
        counts[seen.status] += seen.count
    return ", ".join(f"{number} x {status or 'no answer'}" for status, number in counts.most_common(3))


def no_traffic(scene: Scene) -> Finding | None:
    """Without traffic nothing is proved."""
    rollout = scene.evidence.rollout
    if rollout.release.created_s is None or not rollout.run.sends or count(scene.evidence.since):
        return None
    return _error(
        "no-traffic", "No request was sent after the deployment's creation, so nothing was proved. Check host and rate."
    )


def unanswered(scene: Scene) -> Finding | None:
    """Good requests got no answer at all; the sample of failures says why."""
    good = [seen for seen in scene.evidence.requests if not is_fault(seen)]
    silent, total = count(good, lambda seen: seen.status == 0), count(good)
    if silent < UNANSWERED * total or not silent:
        return None
    reasons = Counter(one.reason for one in scene.evidence.exemplars if one.status == 0 and one.intent == "good")
    sample = "; ".join(f"{reason} ({number})" for reason, number in reasons.most_common(MOST_UNANSWERED))
    why = f": of a sample, {sample}" if sample else ""
    return _warning("unanswered", f"{silent} of {total} good requests got no answer{why}.")


def share_not_met(scene: Scene) -> Finding | None:
    """The error share that was sent is surely not the one that was planned."""
    planned = [(seen, planned_share(scene.evidence, seen.at_s)) for seen in scene.evidence.since]
    wanted = sum(seen.count * share for seen, share in planned)
    during = [seen for seen, share in planned if share > 0]
    total, sent = count(during), count(during, is_fault)
    interval = clopper_pearson(sent, total, confidence=0.99)
    if interval is None or interval[0] <= wanted / total <= interval[1] or abs(sent - wanted) <= 0.1 * wanted:
        return None
    return _warning(
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
    return _warning(
        "schedule-late",
        f"The load generator could not keep its schedule: {facts.unstarted or 0} of {facts.planned} requests were "
        f"never started, and 1 % of the starts were over {lag_s * 1000:.0f} ms late. Add workers, or lower the rate.",
    )


def compared_in_part(scene: Scene) -> Finding | None:
    """The canary's weight and the faults changed together, so only a part of the time compares the versions fairly."""
    if not is_comparable_in_part(scene.evidence):
        return None
    return _note(
        "compared-in-part",
        "The canary's weight and the planned faults changed while both versions had traffic, so the versions are "
        f'compared, and "all at once" is estimated, by the {count(comparable(scene.evidence))} requests of the time '
        "with the gravest faults alone: over all the time, a fault that came late would seem to be the canary's.",
    )


def requests_lost(scene: Scene) -> Finding | None:
    """Requests were planned of which nothing is known, such as rows of a worker that were lost."""
    facts = scene.measures.traffic
    if not facts.lost or facts.lost <= LOST * (facts.planned or 0):
        return None
    return _warning(
        "requests-lost",
        f"Nothing is known of {facts.lost} of {facts.planned} planned requests: they were neither counted as sent nor "
        "as not started. Rows of the timeline are missing; look for a worker that died, or a disk that was full.",
    )


# Our own eyes


def looks_failed(scene: Scene) -> Finding | None:
    """Looks that failed are evidence about us, not about the canary."""
    blind = scene.evidence.blind
    if not blind:
        return None
    calls = Counter(f"{look.call} {look.code}" for look in blind)
    most = ", ".join(f"{number} x {call}" for call, number in calls.most_common(3))
    longest_s = _longest_blindness(scene.evidence)
    return _finding(
        "looks-failed",
        "warning" if longest_s >= LONG_BLINDNESS_S else "note",
        f"{len(blind)} look{'s' if len(blind) > 1 else ''} at the control plane failed ({most}); for up to "
        f"{longest_s:.0f} s nothing was seen. "
        "Changes in that time are dated no closer.",
    )


def permission_missing(scene: Scene) -> Finding | None:
    """A look that the credentials may not make."""
    denied = sorted({look.call for look in scene.evidence.blind if look.code in DENIED})
    if not denied:
        return None
    return _warning(
        "permission-missing",
        f"These credentials may not call {', '.join(denied)}, so what these calls tell was not seen: allow them in the "
        "policy (canary-harness doctor --print-policy prints it).",
    )


def credentials_refused(scene: Scene) -> Finding | None:
    """Credentials that expired in the middle, or were never good."""
    refused = [look for look in scene.evidence.blind if look.code in BAD_CREDENTIALS]
    if not refused:
        return None
    last_s = refused[-1].at_s
    until = f"until {last_s:.0f} s" if any(seen_s > last_s for seen_s in scene.evidence.looks) else "to the end"
    return _warning(
        "credentials-refused",
        f"AWS refused the credentials ({refused[-1].code}) from {refused[0].asked_s:.0f} s {until} of the run. Let "
        "them last longer than a run, or renew them where they are kept: they are read again.",
    )


def clock_skew(scene: Scene) -> Finding | None:
    """This machine does not know what time it is."""
    ahead_s = scene.evidence.rollout.run.ahead_s
    if not ahead_s:
        return None
    return _warning(
        "clock-skew",
        f"AWS's clock is {abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's. All dates were "
        "corrected by that; set this machine's clock, since AWS refuses calls that are five minutes off.",
    )


def _longest_blindness(evidence: Evidence) -> float:
    """The longest time between two good looks with a failed one in between."""
    longest_s, seen_s, blind = 0.0, 0.0, False
    sightings = [(at_s, True) for at_s in evidence.looks] + [(look.at_s, False) for look in evidence.blind]
    for at_s, good in sorted(sightings):
        longest_s = max(longest_s, 0.0 if good and not blind else at_s - seen_s)
        blind = not good
        seen_s = at_s if good else seen_s
    return longest_s


def trouble(scene: Scene) -> Finding | None:
    """The harness or its surroundings had trouble."""
    if not scene.evidence.troubles:
        return None
    said = "; ".join(dict.fromkeys(f"{event.what}: {event.message}".rstrip(".") for event in scene.evidence.troubles))
    return _warning("trouble", f"The harness had trouble during the run: {said}.")


CHECKS: tuple[Check, ...] = (
    no_canary,
    alias_left_split,
    alias_contradicts,
    no_traffic,
    alarm_already_on,
    alarm_no_data,
    alarm_gone,
    alarm_not_on_group,
    no_rollback_configured,
    hook_failed,
    late_fault,
    thin_traffic,
    alarm_covers_all_versions,
    forced_alarm,
    fault_succeeded,
    not_counted,
    collateral,
    unanswered,
    share_not_met,
    schedule_late,
    requests_lost,
    compared_in_part,
    superseded,
    permission_missing,
    credentials_refused,
    clock_skew,
    looks_failed,
    trouble,
)

_ROLLBACK_EVENTS = ("DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST")


def _finding(id_: str, severity: Severity, text: str) -> Finding:
    return Finding(id=id_, severity=severity, text=text)


def _error(id_: str, text: str) -> Finding:
    return _finding(id_, "error", text)


def _warning(id_: str, text: str) -> Finding:
    return _finding(id_, "warning", text)


def _note(id_: str, text: str) -> Finding:
    return _finding(id_, "note", text)
