"""Whether the alarms could see failures, and stop the deployment in time."""

from harness.core.delays import SLOWEST_ALARM_S
from harness.core.experiment.alarm_metric import LAMBDA
from harness.core.numbers import figures, of_100
from harness.core.timeline.alarm_rules import (
    HTTP_API_STATUS,
    SURE_ENOUGH,
    UNHANDLED_STATUS,
    Rule,
    chance,
    error_rate_for,
)
from harness.core.timeline.events import AlarmDefined
from harness.core.timeline.rollout import Rollout
from harness.core.verdict.composed import holding_back
from harness.core.verdict.evidence import Evidence, count, failed, reached_service
from harness.core.verdict.failures import harm_for_none
from harness.core.verdict.findings.scene import Scene, error, finding, warning
from harness.core.verdict.guards import Composed, guards_of, rules_of, unevaluated_alarms
from harness.core.verdict.measure import origin, requests_per_s
from harness.core.verdict.trial import was_refused
from harness.core.verdict.types import Attribution, Detection, Finding

_MINUTE_S = 60
_ROLLBACK_EVENTS = ("DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST")


def no_rollback_configured(scene: Scene) -> Finding | None:
    """The deployment is not rolled back on every occasion."""
    rollout = scene.evidence.rollout
    events, group, forward = rollout.rollback_events, rollout.run.group, rollout.release.forward
    missing = [event for event in _ROLLBACK_EVENTS if events is not None and event not in events]
    if group is None or not missing or (forward and forward.rollback_id):
        return None
    by_alarm = "DEPLOYMENT_STOP_ON_ALARM" in missing
    if forward and forward.rollback_events is not None and forward.rollback_events != group.rollback_events:
        whose = "This deployment, by an automatic rollback of its own (autoRollbackConfiguration of CreateDeployment),"
        fix = "Deploy without that, so that the group's counts."
    else:
        whose, fix = f"The group {group.group}", "Add the events to its automatic rollback."
    text = (
        f"{whose} does not roll back on {', '.join(missing)}: such a deployment stops and leaves the alias split. {fix}"
    )
    return finding("no-rollback-configured", "error" if by_alarm else "warning", text)


def deployment_overrides_alarms(scene: Scene) -> Finding | None:
    """Alarms of the group that cannot stop this deployment, because it brought others or none."""
    group, forward = scene.evidence.rollout.run.group, scene.evidence.release.forward
    if group is None or forward is None or forward.alarms is None or not group.alarms_enabled:
        return None
    left_out = [name for name in group.alarms if name not in forward.alarms]
    if not left_out:
        return None
    others = f"only {', '.join(forward.alarms)} can" if forward.alarms else "nor can any other alarm"
    return error(
        "deployment-overrides-alarms",
        "This deployment overrides the group's alarms (overrideAlarmConfiguration of CreateDeployment): "
        f"{', '.join(left_out)} cannot stop it, {others}. Deploy without the override.",
    )


def alarm_not_on_group(scene: Scene) -> Finding | None:
    """Nothing, or another alarm than the experiment's, guards the deployment."""
    group, wanted = scene.evidence.rollout.run.group, scene.evidence.experiment.alarm.name
    if group is None:
        return None
    if not group.alarms:
        return error("alarm-not-on-group", f"The group {group.group} has no alarm: nothing can stop a deployment.")
    if not group.alarms_enabled:
        return error(
            "alarm-not-on-group", f"The group {group.group} ignores its alarms: enable its alarm configuration."
        )
    if wanted and wanted not in group.alarms:
        names = ", ".join(group.alarms)
        return error(
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
        return error(
            "alarm-gone", f"{', '.join(deleted)} was deleted during the run: nothing guards the group in its place."
        )
    group = rollout.run.group
    of_group = group is None or any(name in group.alarms for name in missing)
    place = "the group" if of_group else "overrideAlarmConfiguration of the deployment"
    return error("alarm-gone", f"CloudWatch knows no alarm {', '.join(missing)}: correct the name in {place}.")


def alarm_no_data(scene: Scene) -> Finding | None:
    """An alarm that never had a datapoint cannot fire."""
    rollout = scene.evidence.rollout
    blind = [name for name in rollout.alarm_names if _never_had_data(scene.evidence, name)]
    if not blind or not count(scene.evidence.since):
        return None
    name = blind[0]
    why = _why_no_data(scene.evidence, rollout.alarms.definitions.get(name))
    return error("alarm-no-data", f"The alarm {name} was in INSUFFICIENT_DATA all the time and could not fire: {why}")


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
    if not count(evidence.since, reached_service):
        return "no request reached the service. Check the host, the stage and the credentials of the traffic."
    if defined is None or defined.kind != "metric":
        return "check what it watches."
    if not defined.metric:
        return "its metric math gave no number. Check the names and the dimensions of its metrics."
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
    if (defined.period_s or _MINUTE_S) < _MINUTE_S and (defined.namespace or "").startswith("AWS/"):
        return f"its period is {defined.period_s} s, and {defined.namespace} is written by the minute. Make it 60 s."
    shown = ", ".join(f"{key}={value}" for key, value in defined.dimensions.items()) or "none"
    unit = f" in the unit {defined.unit}" if defined.unit else ""
    return f"nothing is written to {defined.namespace} {defined.metric}{unit} with the dimensions {shown}."


def _names(evidence: Evidence) -> tuple[str | None, str | None]:
    alias, target = evidence.release.alias, evidence.release.target
    if alias:
        return alias.function, alias.alias
    return (target.function, target.alias) if target else (None, None)


def alarm_not_evaluated(scene: Scene) -> Finding | None:
    """An alarm whose value cannot be computed, so that no failure can be held against it."""
    reasons = unevaluated_alarms(scene.evidence)
    if not reasons:
        return None
    said = "; ".join(f"{name}: {why}" for name, why in reasons.items())
    return warning(
        "alarm-not-evaluated",
        f"What these alarms of the group would make of the failures is not judged ({said}). Their states are watched.",
    )


def composite_not_weighed(scene: Scene) -> Finding | None:
    """Failures that a composite alarm could not answer, or of which nobody knows whether it could."""
    evidence = scene.evidence
    composites = [guard for guard in guards_of(evidence) if isinstance(guard, Composed)]
    fails = harm_for_none(evidence) if composites else None
    hurt = [seen for seen in evidence.since if fails and fails(seen)]
    for guard in composites:
        meant = [seen for seen in hurt if any(rule.weighs(seen.status) for rule in guard.counting.values())]
        others = [*holding_back(evidence, guard, {seen.at_s for seen in meant})]
        if others:
            is_known = all(holds is not None for _, holds in others)
            then = "They are held against the objective." if is_known else "Nothing says whether they are borne."
            return warning(
                "composite-not-weighed",
                f"{count(meant)} failures are none that the composite alarm {guard.name} ({guard.text}) bears or not: "
                f"{'; '.join(f'{name} {_HELD_BACK[holds]}' for name, holds in others)}. {then}",
            )
    return None


_HELD_BACK = {
    False: "kept it from going to ALARM",
    None: "may have kept it from going to ALARM, its state is not known",
}


def alarm_metric_empty(scene: Scene) -> Finding | None:
    """An alarm whose metric has no datapoint at all, though it treats that as good."""
    evidence = scene.evidence
    read = {seen.alarm for seen in evidence.alarm_metrics if seen.alarm in evidence.rollout.yardsticks}
    full = {seen.alarm for seen in evidence.alarm_metrics if seen.points}
    silent = sorted(name for name in read - full if not _never_had_data(evidence, name))
    if not silent or not count(evidence.since) or evidence.release.ended is None:
        return None
    defined = evidence.rollout.alarms.definitions.get(silent[0])
    why = _why_no_data(evidence, defined)
    if defined is not None and defined.missing == "breaching":
        return warning(
            "alarm-metric-empty",
            f"The metric of the alarm {silent[0]} had no datapoint in the whole run, and the alarm treats missing data "
            f"as breaching, so that alone puts it in ALARM: {why}",
        )
    return warning(
        "alarm-metric-empty",
        f"The metric of the alarm {silent[0]} had no datapoint in the whole run, so nothing could put it in ALARM "
        f"unless the metric is written for failures alone: {why}",
    )


def alarm_already_on(scene: Scene) -> Finding | None:
    """CodeDeploy stops a deployment at once that starts while its alarm is on."""
    alarm_s = scene.measures.detection.alarm_s
    if alarm_s is None or alarm_s[1] >= 0:
        return None
    return error(
        "alarm-already-on",
        f"The alarm was in ALARM since {-alarm_s[0]:.0f} s before the deployment's creation. CodeDeploy stops such a "
        "deployment at once, with no traffic on the canary: wait until all alarms are OK.",
    )


def alarm_on_other_version(scene: Scene) -> Finding | None:
    """An alarm on one version that is not the canary counts none of the canary's failures."""
    canary = scene.evidence.release.canary
    others = [rule for rule in rules_of(scene.evidence) if rule.version is not None and rule.version != canary]
    if canary is None or not others:
        return None
    rule = others[0]
    return error(
        "alarm-on-other-version",
        f"The alarm {rule.name} ({rule}) counts only version {rule.version}, and the canary is version {canary}: it "
        "counts none of the canary's failures. Set its dimension ExecutedVersion to the version that is deployed, with "
        "each deployment.",
    )


def alarm_covers_all_versions(scene: Scene) -> Finding | None:
    """An alarm without ExecutedVersion counts the errors of the baseline too."""
    rollout, told = scene.evidence.rollout, scene.measures.attribution
    broad = [
        rule for rule in rules_of(scene.evidence) if rule.name in rollout.alarms.definitions and rule.version is None
    ]
    nothing_deployed = scene.evidence.release.created_s is None or was_refused(scene.evidence)
    if not broad or nothing_deployed or _never_had_data(scene.evidence, str(broad[0].name)):
        return None
    function, alias = _names(scene.evidence)
    place = f"Resource={function}:{alias}" if function else "Resource of the alias"
    version = f"ExecutedVersion={rollout.release.canary}" if rollout.release.canary else "ExecutedVersion of the canary"
    mostly_others = told.canary_share is not None and told.canary_share < 0.5
    return finding(
        "alarm-covers-all-versions",
        "warning" if mostly_others else "note",
        f"The alarm {broad[0].name} counts the errors of all versions{_whose(told)}. "
        f"{_how_to_blame(scene, broad[0], f'the dimensions {place} and {version}')}",
    )


def _how_to_blame(scene: Scene, rule: Rule, dimensions: str) -> str:
    """How an alarm comes to count the canary's failures alone; of an API's metric only Lambda's Errors could."""
    if any(metric.namespace == LAMBDA for metric in rule.metrics):
        return f"To blame the canary alone, give it {dimensions}."
    hurt = [seen for seen in scene.evidence.since if failed(seen)]
    told = (UNHANDLED_STATUS, HTTP_API_STATUS) if scene.evidence.unhandled_as_500 else (UNHANDLED_STATUS,)
    if hurt and not any(seen.status in told for seen in hurt):
        return (
            "Its metric has no versions, and Lambda's Errors, which has, counts none of the failures that were seen: "
            f"they were not answered {UNHANDLED_STATUS}. To blame the canary alone takes a metric of your own, with "
            "the version as a dimension."
        )
    if hurt and scene.measures.attribution.counted_errors == 0:
        return (
            "Its metric has no versions, and Lambda's Errors, which has, stood at 0 when the run ended, so it may "
            "count none of these failures: an answer that API Gateway cannot read is no error of the function."
        )
    return f"To blame the canary alone, which its metric cannot do, add an alarm on Lambda's Errors with {dimensions}."


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
    return warning(
        "thin-traffic",
        f"The traffic is too thin for the alarm ({rule}): at {figures(rate, 2)} requests/s and {weight:.0%} on the "
        f"canary, a canary that fails every request breaches it in {of_100(likely)} of 100 periods. "
        f"{figures(enough / weight, 2)} requests/s would make that {SURE_ENOUGH:.0%}; else lower the threshold or "
        "lengthen it.",
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
    if took is None or not _is_counted(scene):
        return None
    left_s = release.promoted[1] - began_s
    rule = next(iter(rules_of(scene.evidence)), None)
    if rule is not None and left_s >= rule.period_s * rule.datapoints + SLOWEST_ALARM_S:
        return _too_few(left_s, rule)
    when = f"{left_s:.0f} s before the deployment ended" if left_s >= 0 else f"{-left_s:.0f} s after it had ended"
    return warning(
        "late-fault",
        f"The first failure was due {when}, and {took}: a deployment that has ended watches no alarm. Bake longer, or "
        "shorten the alarm's period.",
    )


def _too_few(left_s: float, rule: Rule) -> Finding:
    return warning(
        "failures-too-few",
        f"The first failure was due {left_s:.0f} s before the deployment ended, which was early enough for the alarm "
        f"({rule}), but until then too few failed in each of its periods. Lower the threshold, send more requests, or "
        "give the canary more of them.",
    )


def _is_counted(scene: Scene) -> bool:
    """Whether an alarm went to ALARM or counts such failures: one that never sees them is not too slow."""
    seen = [one for one in scene.evidence.since if failed(one)]
    return scene.measures.detection.alarm_s is not None or any(
        rule.counts(one.status) for rule in rules_of(scene.evidence) for one in seen
    )


def _how_late(detection: Detection, ended_s: float, began_s: float) -> str | None:
    if detection.alarm_s is not None and detection.alarm_s[0] > ended_s:
        return f"the alarm came {detection.alarm_s[0] - began_s:.0f} s after it"
    if detection.alarm_s is None and detection.breach_s is not None and detection.breach_s + SLOWEST_ALARM_S > ended_s:
        return f"the alarm needs up to {detection.breach_s + SLOWEST_ALARM_S - began_s:.0f} s"
    return None
