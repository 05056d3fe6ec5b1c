"""Questions about the alarms that guard a group.

One good alarm arms the net: where a question finds an alarm at fault and another one in order, the error becomes a
warning.
"""

import math
from collections.abc import Callable, Sequence

from harness.core.arming.diagnosis import SEVERITIES, Assessment, worst
from harness.core.arming.release import bake_s
from harness.core.arming.snapshot import LAMBDA, LOOK_BACK_S, Snapshot, Unseen
from harness.core.timeline.alarm_rules import FAILURE_METRICS, Rule, rule_of
from harness.core.timeline.comparisons import sign_of
from harness.core.timeline.events import AlarmChanged, AlarmDefined
from harness.core.verdict.findings import SLOWEST_ALARM_S

Ask = Callable[[Snapshot, AlarmDefined], Assessment]

SHORTEST_PERIOD_S = 60
"""Lambda publishes its metrics once a minute, so a shorter period sees nothing sooner."""
TIGHT = 0.8
"""The share of the bake that an alarm may take before a fault must begin almost with it to be caught."""

_NAMED_DIMENSIONS = ({"FunctionName"}, {"FunctionName", "Resource"}, {"FunctionName", "Resource", "ExecutedVersion"})
_COUNT = "Count"
_UNITS = {"Errors": _COUNT, "Invocations": _COUNT, "Throttles": _COUNT, "Duration": "Milliseconds"}
_UPWARDS = ("GreaterThanOrEqualToThreshold", "GreaterThanThreshold")
_RESERVED = "AWS/"
"""How the namespaces begin that nobody but AWS writes to."""
_MISSING_DATA = {
    "notBreaching": Assessment("ok", "{name} takes missing data for good."),
    "missing": Assessment(
        "note",
        "{name} goes to INSUFFICIENT_DATA without data, which never stops a deployment.",
        "notBreaching brings an alarm back to OK sooner when the traffic ends.",
    ),
    "ignore": Assessment(
        "warning",
        "{name} keeps its state without data: an ALARM stays until traffic comes, and stops the next deployment.",
        "Treat missing data as notBreaching.",
    ),
    "breaching": Assessment(
        "warning",
        "{name} takes missing data for failures: a minute without requests rings it.",
        "Treat missing data as notBreaching.",
    ),
}


def configured(snapshot: Snapshot) -> Assessment:
    """The group names alarms, and the experiment's among them."""
    group, wanted = snapshot.group(), snapshot.experiment.alarm.name
    if not group.alarms:
        return Assessment(
            "error", f"The group {group.group} names no alarm: nothing can stop a deployment.", "Name an alarm in it."
        )
    named = ", ".join(group.alarms)
    if wanted is not None and wanted not in {*group.alarms, *(alarm.name for alarm in snapshot.sighted(AlarmDefined))}:
        seen = f"The experiment's alarm {wanted} does not guard the group {group.group}, but {named} does."
        return Assessment("error", seen, "Name it in the group, or correct alarm.name.")
    return Assessment("ok", f"The group {group.group} is guarded by {named}.")


def enabled(snapshot: Snapshot) -> Assessment:
    """The group's alarm configuration is on."""
    group = snapshot.group()
    if group.alarms_enabled:
        return Assessment("ok", f"The group {group.group} has its alarm configuration enabled.")
    return Assessment(
        "error", f"The group {group.group} ignores its alarms.", "Enable the alarm configuration of the group."
    )


def poll_failure_stops(snapshot: Snapshot) -> Assessment:
    """An alarm that cannot be read stops the deployment, too."""
    if snapshot.group().ignore_poll_failure:
        seen = "The group goes on where the state of its alarms cannot be read."
        return Assessment("warning", seen, "Set ignorePollAlarmFailure to false.")
    return Assessment("ok", "A deployment stops where the state of its alarms cannot be read.")


def exist(snapshot: Snapshot) -> Assessment:
    """CloudWatch knows all of them, those that composites refer to as well."""
    if not snapshot.group().alarms:
        raise Unseen("no alarm guards the group")
    gone = snapshot.gone()
    if gone:
        seen = f"CloudWatch knows no alarm {' and no alarm '.join(gone)}."
        return Assessment("error", seen, "Correct the name, or create the alarm.")
    told = [f"{alarm.name} rings at {alarm.rule}." for alarm in snapshot.composites()]
    return Assessment("ok", " ".join([f"CloudWatch knows {_all_of(snapshot)}.", *told]))


def _all_of(snapshot: Snapshot) -> str:
    return ", ".join(alarm.name for alarm in (*snapshot.composites(), *snapshot.alarms()))


def right_function(snapshot: Snapshot) -> Assessment:
    """The alarm watches the function that is deployed."""
    return _one_suffices(snapshot, _right_function)


def _right_function(snapshot: Snapshot, alarm: AlarmDefined) -> Assessment:
    if alarm.namespace != LAMBDA:
        return Assessment("note", f"{alarm.name} watches {alarm.namespace} {alarm.metric}, which names no function.")
    watched = alarm.dimensions.get("FunctionName")
    if watched is None:
        seen = f"{alarm.name} names no function: it counts all functions of the account."
        return Assessment("warning", seen, f"Give it the dimension FunctionName={snapshot.function}.")
    if watched != snapshot.function:
        seen = f"{alarm.name} watches the function {watched}, and {snapshot.function} is deployed."
        return Assessment("error", seen, f"Make its dimension FunctionName {snapshot.function}.")
    return Assessment("ok", f"{alarm.name} watches the function {watched}.")


def right_resource(snapshot: Snapshot) -> Assessment:
    """Its dimensions are ones that Lambda writes, of this alias."""
    return _one_suffices(snapshot, _right_resource)


def _right_resource(snapshot: Snapshot, alarm: AlarmDefined) -> Assessment:
    if alarm.namespace != LAMBDA:
        return Assessment("ok", f"{alarm.name} is none on Lambda's dimensions.")
    names, resource = set(alarm.dimensions), alarm.dimensions.get("Resource")
    if names and names not in _NAMED_DIMENSIONS:
        known = "FunctionName, with it Resource, and with both ExecutedVersion"
        several = ("dimensions", "together") if len(names) > 1 else ("dimension", "alone")
        seen = f"{alarm.name} has the {several[0]} {', '.join(sorted(names))}, which Lambda never writes {several[1]}."
        return Assessment("error", seen, f"Lambda writes {known}.")
    expected = f"{snapshot.function}:{snapshot.alias_name}"
    if resource is None or resource == expected:
        return Assessment(
            "ok", f"{alarm.name} has {'no dimension Resource' if resource is None else f'Resource {resource}'}."
        )
    what = "an ARN" if resource.startswith("arn:") else "not this alias"
    return Assessment(
        "error", f"The dimension Resource of {alarm.name} is {what}: {resource}.", f"Make its Resource {expected}."
    )


def right_versions(snapshot: Snapshot) -> Assessment:
    """It counts the canary's errors, and best those alone."""
    return _one_suffices(snapshot, _right_versions)


def _right_versions(snapshot: Snapshot, alarm: AlarmDefined) -> Assessment:
    if alarm.namespace != LAMBDA:
        return Assessment("note", f"{alarm.name} counts what comes from all versions.")
    version = alarm.dimensions.get("ExecutedVersion")
    if version is None:
        advice = f"To blame the canary alone: Resource={snapshot.function}:{snapshot.alias_name} and ExecutedVersion."
        return Assessment("note", f"{alarm.name} counts the errors of all versions.", advice)
    target, live = snapshot.experiment.deployment.target_version, snapshot.alias().version
    if version == target or (target is None and version != live and not _is_older(version, live)):
        return Assessment("ok", f"{alarm.name} counts version {version} alone, and {live} is live.")
    other = f"{target} is the canary" if target else f"{live} is live"
    seen = f"{alarm.name} counts version {version} alone, and {other}."
    return Assessment(
        "error", seen, "Make its dimension ExecutedVersion the version that is deployed, at each deployment."
    )


def _is_older(version: str, live: str) -> bool:
    return version.isdigit() and live.isdigit() and int(version) < int(live)


def can_breach(snapshot: Snapshot) -> Assessment:
    """Failures can make it ring, and nothing else does."""
    return _one_suffices(snapshot, _can_breach)


def _can_breach(_: Snapshot, alarm: AlarmDefined) -> Assessment:
    rule = rule_of(alarm)
    if rule is not None:
        return _reachable(rule)
    sign = sign_of(str(alarm.comparison))
    limit = "no threshold" if alarm.threshold is None else f"{alarm.threshold:g}"
    what = f"{alarm.name} ({alarm.metric} {alarm.statistic} {sign} {limit})"
    if alarm.metric is None:
        return Assessment("note", f"{alarm.name} computes its metric by an expression, which is not judged here.")
    if alarm.metric not in FAILURE_METRICS:
        return Assessment("note", f"{what} counts no failures.")
    if alarm.comparison not in _UPWARDS:
        return Assessment(
            "error", f"{what} rings where failures are few.", "Compare with GreaterThanOrEqualToThreshold."
        )
    return Assessment("error", f"{what} does not measure how many failures there are.", "Use the statistic Sum.")


def _reachable(rule: Rule) -> Assessment:
    if rule.breaches(0, 1):
        return Assessment(
            "error", f"{rule.name} ({rule}) breaches without any failure.", "Raise its threshold above 0."
        )
    if not rule.breaches(10**9, 10**9):
        seen = f"{rule.name} ({rule}) cannot breach: {rule.statistic} of {rule.metric} is never above 1."
        return Assessment("error", seen, "Use the statistic Sum, or a threshold below 1.")
    return Assessment("ok", f"{rule.name} rings at {rule}.")


def right_unit(snapshot: Snapshot) -> Assessment:
    """It asks for its metric in the unit in which that is published."""
    return _one_suffices(snapshot, _right_unit)


def _right_unit(_: Snapshot, alarm: AlarmDefined) -> Assessment:
    if alarm.unit is None:
        return Assessment("ok", f"{alarm.name} takes its metric in any unit.")
    named = f"{alarm.name} counts {alarm.namespace} {alarm.metric} in {alarm.unit} alone"
    published = _published_unit(alarm)
    if published is None:
        return Assessment("note", f"{named}; in which unit that is published is not known here.")
    if alarm.unit != published:
        return Assessment("error", f"{named}, and it is published in {published}.", "Leave its unit out.")
    return Assessment("ok", f"{named}, as it is published.")


def _published_unit(alarm: AlarmDefined) -> str | None:
    if alarm.namespace == LAMBDA:
        return _UNITS.get(str(alarm.metric))
    of_aws = str(alarm.namespace).startswith(_RESERVED)
    return _COUNT if of_aws and alarm.metric in FAILURE_METRICS else None


def has_data(snapshot: Snapshot) -> Assessment:
    """Its metric had datapoints lately."""
    return _one_suffices(snapshot, _has_data)


def _has_data(snapshot: Snapshot, alarm: AlarmDefined) -> Assessment:
    unit = f" in {alarm.unit}" if alarm.unit else ""
    what = f"{alarm.name} ({alarm.namespace} {alarm.metric}{unit} of {_shown(alarm)})"
    if alarm.metric is None:
        return Assessment("note", f"{alarm.name} computes its metric by an expression, which is not read here.")
    points = snapshot.lately(alarm)
    if points:
        return Assessment(
            "ok", f"{alarm.name} had {len(points)} datapoints within the last hour, the last {_age(points)}."
        )
    if _misspells_lambda(alarm):
        return Assessment(
            "error", f"{what} never has data: Lambda writes to {LAMBDA}.", f"Make its namespace {LAMBDA}."
        )
    if alarm.namespace != LAMBDA:
        return _without_data(snapshot, what)
    if snapshot.watches_the_next_version(alarm):
        return Assessment("note", f"{what} has no datapoint yet: its version is not in service.")
    invoked = snapshot.invocations()
    if invoked:
        seen = f"{what} had no datapoint within the last hour, though the function was invoked {invoked:.0f} times."
        return Assessment(
            "error", seen, "Correct its metric, dimensions and unit." if unit else "Correct its metric and dimensions."
        )
    seen = f"{what} had no datapoint within the last hour, and the function no invocation."
    return Assessment("warning", seen, "Send traffic and examine again.")


def _misspells_lambda(alarm: AlarmDefined) -> bool:
    """Whether its namespace is meant to be Lambda's: but for AWS nobody writes to AWS/..., and others name no function.

    CloudWatch tells upper and lower case apart.
    """
    namespace = str(alarm.namespace)
    if namespace == LAMBDA or not namespace.upper().startswith(_RESERVED):
        return False
    return namespace.upper() == LAMBDA.upper() or (alarm.metric in _UNITS and "FunctionName" in alarm.dimensions)


def _without_data(snapshot: Snapshot, what: str) -> Assessment:
    """Of a metric that need not come with each invocation: another way may lead to the function."""
    invoked = snapshot.invocations()
    if not invoked:
        seen = f"{what} had no datapoint within the last hour, and the function no invocation."
        return Assessment("warning", seen, "Send traffic and examine again.")
    seen = (
        f"{what} had no datapoint within the last hour, though the function was invoked {invoked:.0f} times: what AWS "
        "counts of requests has datapoints with any request, so none came by this way, or its names are wrong."
    )
    advice = "Correct its namespace, metric and dimensions, unless it is a metric that is written with failures alone."
    return Assessment("warning", seen, advice)


def _shown(alarm: AlarmDefined) -> str:
    return ", ".join(f"{name}={value}" for name, value in alarm.dimensions.items()) or "all functions"


def _age(points: Sequence[tuple[float, float]]) -> str:
    return f"{max(0.0, -points[-1][0]) / 60:.0f} min ago"


def neither_on_nor_blind(snapshot: Snapshot) -> Assessment:
    """None of them rings already, and all have data to judge."""
    states = snapshot.states()
    ringing = [name for name, seen in states.items() if seen.state == "ALARM"]
    blind = [name for name, seen in states.items() if seen.state == "INSUFFICIENT_DATA"]
    if any(name in snapshot.group().alarms for name in ringing):
        seen = f"In ALARM: {_with_reasons(snapshot, ringing)}"
        return Assessment("error", seen, "Wait until all alarms are OK, or the deployment is stopped at its start.")
    if blind and all(_waits_for_its_version(snapshot, name) for name in blind):
        return Assessment("note", f"In INSUFFICIENT_DATA until its version has traffic: {', '.join(blind)}.")
    if blind:
        seen = f"In INSUFFICIENT_DATA: {', '.join(blind)}. That never stops a deployment."
        return Assessment("warning", seen, "Send traffic; if it stays so, its metric or dimensions are wrong.")
    if ringing:
        return Assessment("note", f"In ALARM, but not by itself on the group: {_with_reasons(snapshot, ringing)}")
    return Assessment("ok", f"In OK: {', '.join(states)}.")


def _with_reasons(snapshot: Snapshot, names: Sequence[str]) -> str:
    return " ".join(f"{name} ({snapshot.states()[name].reason.rstrip('.')})." for name in names)


def _waits_for_its_version(snapshot: Snapshot, name: str) -> bool:
    alarms = {alarm.name: alarm for alarm in snapshot.alarms()}
    return name in alarms and snapshot.watches_the_next_version(alarms[name])


def quiet_lately(snapshot: Snapshot) -> Assessment:
    """None of them went to ALARM within the last hour."""
    if not snapshot.group().alarms:
        raise Unseen("no alarm guards the group")
    why = snapshot.failure("cloudwatch:DescribeAlarmHistory")
    if why:
        raise Unseen(why)
    rang = [change.name for change in snapshot.sighted(AlarmChanged) if _rang_lately(change)]
    if rang:
        times = ", ".join(f"{name} {rang.count(name)} x" for name in dict.fromkeys(rang))
        return Assessment(
            "note", f"Went to ALARM within the last hour: {times}.", "If no experiment did that, find out why."
        )
    return Assessment("ok", "No alarm rang within the last hour.")


def _rang_lately(change: AlarmChanged) -> bool:
    return change.to_state == "ALARM" and change.changed_s >= -LOOK_BACK_S


def rings_in_time(snapshot: Snapshot) -> Assessment:
    """It can ring before the deployment ends."""
    return _one_suffices(snapshot, _rings_in_time)


def _rings_in_time(snapshot: Snapshot, alarm: AlarmDefined) -> Assessment:
    if alarm.period_s is None:
        return Assessment("note", f"{alarm.name} does not say over which period it counts.")
    bake, needed_s = bake_s(snapshot.config()), slowest_s(alarm)
    seen = f"{alarm.name} may take {needed_s:.0f} s from the first failure to the stop, of a bake of {bake:.0f} s"
    if needed_s > bake:
        return Assessment("error", f"{seen}: it comes too late.", "Bake longer, or shorten its period or its periods.")
    left = f"a fault is caught in time if it begins in the first {bake - needed_s:.0f} s"
    if needed_s > TIGHT * bake:
        return Assessment("warning", f"{seen}: {left}.", "Bake longer, or shorten its period or its periods.")
    return Assessment("ok", f"{seen}: {left}.")


def slowest_s(alarm: AlarmDefined) -> float:
    """The longest time from the first failure to the stop: the periods, publishing, evaluating, CodeDeploy's poll."""
    periods = alarm.datapoints or alarm.evaluation_periods or 1
    return max(alarm.period_s or 0, SHORTEST_PERIOD_S) * periods + SLOWEST_ALARM_S


def tries(alarm: AlarmDefined, bake: float) -> int:
    """How many times in a bake enough failures would be caught in time; at least once, so that a chance can be told."""
    period_s = max(alarm.period_s or 0, SHORTEST_PERIOD_S)
    return max(1, 1 + math.floor((bake - slowest_s(alarm)) / period_s))


def missing_data(snapshot: Snapshot) -> Assessment:
    """What silence means to it."""
    return _one_suffices(snapshot, _missing_data)


def _missing_data(_: Snapshot, alarm: AlarmDefined) -> Assessment:
    answer = _MISSING_DATA.get(alarm.missing or "missing")
    if answer is None:
        return Assessment(
            "note", f"{alarm.name} treats missing data as {alarm.missing}, a word that is not known here."
        )
    return answer._replace(seen=answer.seen.format(name=alarm.name))


def _one_suffices(snapshot: Snapshot, ask: Ask) -> Assessment:
    answers = [ask(snapshot, alarm) for alarm in snapshot.alarms()]
    severity = worst(answer.severity for answer in answers)
    if severity == "error" and any(answer.severity != "error" for answer in answers):
        answers = [_milder(answer) for answer in answers]
    told = sorted(answers, key=lambda answer: SEVERITIES.index(answer.severity), reverse=True)
    advice = dict.fromkeys(answer.advice for answer in told if answer.severity == told[0].severity and answer.advice)
    return Assessment(told[0].severity, " ".join(answer.seen for answer in told), " ".join(advice))


def _milder(answer: Assessment) -> Assessment:
    return answer._replace(severity="warning") if answer.severity == "error" else answer
