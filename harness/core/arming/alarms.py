"""Questions about the alarms that guard a group.

One good alarm is enough: if a question finds an error in one alarm and none in another, the error becomes a warning.
"""

import math
from collections.abc import Callable, Sequence

from harness.core.arming.diagnosis import SEVERITIES, Assessment, error, note, ok, warning, worst
from harness.core.arming.release import bake_s
from harness.core.arming.snapshot import LAMBDA, LOOK_BACK_S, Snapshot, Unseen
from harness.core.timeline.alarm_rules import FAILURE_METRICS, Rule, rule_of
from harness.core.timeline.comparisons import sign_of
from harness.core.timeline.events import AlarmChanged, AlarmDefined
from harness.core.verdict.findings.net import SLOWEST_ALARM_S

Ask = Callable[[Snapshot, AlarmDefined], Assessment]

SHORTEST_PERIOD_S = 60
"""Lambda publishes its metrics once a minute, so a shorter period sees nothing sooner."""
TIGHT = 0.8
"""An alarm that needs more than this share of the bake time catches only faults that begin right at its start."""

_NAMED_DIMENSIONS = ({"FunctionName"}, {"FunctionName", "Resource"}, {"FunctionName", "Resource", "ExecutedVersion"})
_COUNT = "Count"
_UNITS = {"Errors": _COUNT, "Invocations": _COUNT, "Throttles": _COUNT, "Duration": "Milliseconds"}
_UPWARDS = ("GreaterThanOrEqualToThreshold", "GreaterThanThreshold")
_RESERVED = "AWS/"
"""The prefix of all namespaces that only AWS writes to."""
_MISSING_DATA = {
    "notBreaching": ok("{name} treats missing data as not breaching."),
    "missing": note(
        "{name} goes to INSUFFICIENT_DATA without data, which never stops a deployment.",
        "With notBreaching the alarm returns to OK sooner when the traffic ends.",
    ),
    "ignore": warning(
        "{name} keeps its state without data: it stays in ALARM until traffic comes, and stops the next deployment.",
        "Treat missing data as notBreaching.",
    ),
    "breaching": warning(
        "{name} treats missing data as breaching: a minute without requests puts it in ALARM.",
        "Treat missing data as notBreaching.",
    ),
}


def configured(snapshot: Snapshot) -> Assessment:
    """The group names alarms, and the experiment's alarm is one of them."""
    group, wanted = snapshot.group(), snapshot.experiment.alarm.name
    if not group.alarms:
        return error(f"The group {group.group} names no alarm: nothing can stop a deployment.", "Add an alarm to it.")
    named = ", ".join(group.alarms)
    if wanted is not None and wanted not in {*group.alarms, *(alarm.name for alarm in snapshot.sighted(AlarmDefined))}:
        seen = f"The experiment's alarm {wanted} does not guard the group {group.group}, but {named} does."
        return error(seen, "Add it to the group, or correct alarm.name.")
    return ok(f"The group {group.group} is guarded by {named}.")


def enabled(snapshot: Snapshot) -> Assessment:
    """The group's alarm configuration is on."""
    group = snapshot.group()
    if group.alarms_enabled:
        return ok(f"The group {group.group} has its alarm configuration enabled.")
    return error(f"The group {group.group} ignores its alarms.", "Enable the alarm configuration of the group.")


def poll_failure_stops(snapshot: Snapshot) -> Assessment:
    """A deployment also stops when the state of an alarm cannot be read."""
    if snapshot.group().ignore_poll_failure:
        seen = "A deployment goes on when the state of its alarms cannot be read."
        return warning(seen, "Set ignorePollAlarmFailure to false.")
    return ok("A deployment stops when the state of its alarms cannot be read.")


def exist(snapshot: Snapshot) -> Assessment:
    """CloudWatch knows all alarms of the group, and those that its composite alarms refer to."""
    if not snapshot.group().alarms:
        raise Unseen("no alarm guards the group")
    gone = snapshot.gone()
    if gone:
        seen = f"CloudWatch knows no alarm {' and no alarm '.join(gone)}."
        return error(seen, "Correct the name, or create the alarm.")
    composites = [f"{alarm.name} goes to ALARM at {alarm.rule}." for alarm in snapshot.composites()]
    return ok(" ".join([f"CloudWatch knows {_all_of(snapshot)}.", *composites]))


def _all_of(snapshot: Snapshot) -> str:
    return ", ".join(alarm.name for alarm in (*snapshot.composites(), *snapshot.alarms()))


def right_function(snapshot: Snapshot) -> Assessment:
    """The alarm watches the function that is deployed."""
    return _one_suffices(snapshot, _right_function)


def _right_function(snapshot: Snapshot, alarm: AlarmDefined) -> Assessment:
    if alarm.namespace != LAMBDA:
        return note(f"{alarm.name} watches {alarm.namespace} {alarm.metric}, which has no dimension of a function.")
    watched = alarm.dimensions.get("FunctionName")
    if watched is None:
        seen = f"{alarm.name} has no dimension FunctionName: it counts all functions of the account."
        return warning(seen, f"Give it the dimension FunctionName={snapshot.function}.")
    if watched != snapshot.function:
        seen = f"{alarm.name} watches the function {watched}, and {snapshot.function} is deployed."
        return error(seen, f"Make its dimension FunctionName {snapshot.function}.")
    return ok(f"{alarm.name} watches the function {watched}.")


def right_resource(snapshot: Snapshot) -> Assessment:
    """The alarm has dimensions that Lambda writes, and those of this alias."""
    return _one_suffices(snapshot, _right_resource)


def _right_resource(snapshot: Snapshot, alarm: AlarmDefined) -> Assessment:
    if alarm.namespace != LAMBDA:
        return ok(f"{alarm.name} does not use Lambda's dimensions.")
    names, resource = set(alarm.dimensions), alarm.dimensions.get("Resource")
    if names and names not in _NAMED_DIMENSIONS:
        known = "FunctionName, with it Resource, and with both ExecutedVersion"
        several = ("dimensions", "together") if len(names) > 1 else ("dimension", "alone")
        seen = f"{alarm.name} has the {several[0]} {', '.join(sorted(names))}, which Lambda never writes {several[1]}."
        return error(seen, f"Lambda writes {known}.")
    expected = f"{snapshot.function}:{snapshot.alias_name}"
    if resource is None or resource == expected:
        return ok(f"{alarm.name} has {'no dimension Resource' if resource is None else f'Resource {resource}'}.")
    what = "an ARN" if resource.startswith("arn:") else "not this alias"
    return error(f"The dimension Resource of {alarm.name} is {what}: {resource}.", f"Make its Resource {expected}.")


def right_versions(snapshot: Snapshot) -> Assessment:
    """The alarm counts the errors of the canary, and at best only those."""
    return _one_suffices(snapshot, _right_versions)


def _right_versions(snapshot: Snapshot, alarm: AlarmDefined) -> Assessment:
    if alarm.namespace != LAMBDA:
        return note(f"{alarm.name} counts the requests to all versions.")
    version = alarm.dimensions.get("ExecutedVersion")
    if version is None:
        advice = f"To count only the canary: Resource={snapshot.function}:{snapshot.alias_name} and ExecutedVersion."
        return note(f"{alarm.name} counts the errors of all versions.", advice)
    target, live = snapshot.experiment.deployment.target_version, snapshot.alias().version
    if version == target or (target is None and version != live and not _is_older(version, live)):
        return ok(f"{alarm.name} counts only version {version}, and version {live} is live.")
    other = f"version {target} is the canary" if target else f"version {live} is live"
    seen = f"{alarm.name} counts only version {version}, and {other}."
    return error(seen, "Set its dimension ExecutedVersion to the version that is deployed, with each deployment.")


def _is_older(version: str, live: str) -> bool:
    return version.isdigit() and live.isdigit() and int(version) < int(live)


def can_breach(snapshot: Snapshot) -> Assessment:
    """Failures put the alarm in ALARM, and nothing else does."""
    return _one_suffices(snapshot, _can_breach)


def _can_breach(_: Snapshot, alarm: AlarmDefined) -> Assessment:
    rule = rule_of(alarm)
    if rule is not None:
        return _reachable(rule)
    sign = sign_of(str(alarm.comparison))
    limit = "no threshold" if alarm.threshold is None else f"{alarm.threshold:g}"
    what = f"{alarm.name} ({alarm.metric} {alarm.statistic} {sign} {limit})"
    if alarm.metric is None:
        return note(f"{alarm.name} computes its metric by an expression, which is not checked here.")
    if alarm.metric not in FAILURE_METRICS:
        return note(f"{what} counts no failures.")
    if alarm.comparison not in _UPWARDS:
        return error(f"{what} goes to ALARM when failures are few.", "Compare with GreaterThanOrEqualToThreshold.")
    return error(f"{what} does not measure how many failures there are.", "Use the statistic Sum.")


def _reachable(rule: Rule) -> Assessment:
    if rule.breaches(0, 1):
        return error(f"{rule.name} ({rule}) breaches without any failure.", "Raise its threshold above 0.")
    if not rule.breaches(10**9, 10**9):
        seen = f"{rule.name} ({rule}) cannot breach: {rule.statistic} of {rule.metric} is never above 1."
        return error(seen, "Use the statistic Sum, or a threshold below 1.")
    return ok(f"{rule.name} goes to ALARM at {rule}.")


def right_unit(snapshot: Snapshot) -> Assessment:
    """The alarm asks for its metric in the unit in which that metric is published."""
    return _one_suffices(snapshot, _right_unit)


def _right_unit(_: Snapshot, alarm: AlarmDefined) -> Assessment:
    if alarm.unit is None:
        return ok(f"{alarm.name} reads its metric in any unit.")
    named = f"{alarm.name} counts {alarm.namespace} {alarm.metric} only in {alarm.unit}"
    published = _published_unit(alarm)
    if published is None:
        return note(f"{named}; the unit in which it is published is not known here.")
    if alarm.unit != published:
        return error(f"{named}, but it is published in {published}.", "Remove the unit from the alarm.")
    return ok(f"{named}, in which it is published.")


def _published_unit(alarm: AlarmDefined) -> str | None:
    if alarm.namespace == LAMBDA:
        return _UNITS.get(str(alarm.metric))
    of_aws = str(alarm.namespace).startswith(_RESERVED)
    return _COUNT if of_aws and alarm.metric in FAILURE_METRICS else None


def has_data(snapshot: Snapshot) -> Assessment:
    """The metric of the alarm had datapoints within the last hour."""
    return _one_suffices(snapshot, _has_data)


def _has_data(snapshot: Snapshot, alarm: AlarmDefined) -> Assessment:
    unit = f" in {alarm.unit}" if alarm.unit else ""
    what = f"{alarm.name} ({alarm.namespace} {alarm.metric}{unit} of {_shown(alarm)})"
    if alarm.metric is None:
        return note(f"{alarm.name} computes its metric by an expression, which is not read here.")
    points = snapshot.lately(alarm)
    if points:
        return ok(f"{alarm.name} had {len(points)} datapoints within the last hour, the last {_age(points)}.")
    if _misspells_lambda(alarm):
        return error(f"{what} never has data: Lambda writes to {LAMBDA}.", f"Make its namespace {LAMBDA}.")
    if alarm.namespace != LAMBDA:
        return _without_data(snapshot, what)
    if snapshot.watches_the_next_version(alarm):
        return note(f"{what} has no datapoint yet: its version is not in service yet.")
    invoked = snapshot.invocations()
    if invoked:
        seen = f"{what} had no datapoint within the last hour, though the function was invoked {invoked:.0f} times."
        return error(seen, "Correct its metric, dimensions and unit." if unit else "Correct its metric and dimensions.")
    seen = f"{what} had no datapoint within the last hour, and the function no invocation."
    return warning(seen, "Send traffic and run doctor again.")


def _misspells_lambda(alarm: AlarmDefined) -> bool:
    """Whether the namespace is a misspelled AWS/Lambda: only AWS writes to AWS/..., and only Lambda FunctionName.

    CloudWatch distinguishes upper and lower case.
    """
    namespace = str(alarm.namespace)
    if namespace == LAMBDA or not namespace.upper().startswith(_RESERVED):
        return False
    return namespace.upper() == LAMBDA.upper() or (alarm.metric in _UNITS and "FunctionName" in alarm.dimensions)


def _without_data(snapshot: Snapshot, what: str) -> Assessment:
    """For a metric that not every invocation writes: requests may reach the function in another way."""
    invoked = snapshot.invocations()
    if not invoked:
        seen = f"{what} had no datapoint within the last hour, and the function no invocation."
        return warning(seen, "Send traffic and run doctor again.")
    seen = (
        f"{what} had no datapoint within the last hour, though the function was invoked {invoked:.0f} times. AWS "
        "writes its request metrics with every request: none came this way, or a name in the alarm is wrong."
    )
    advice = "Correct its namespace, metric and dimensions, unless the metric is written only when something fails."
    return warning(seen, advice)


def _shown(alarm: AlarmDefined) -> str:
    return ", ".join(f"{name}={value}" for name, value in alarm.dimensions.items()) or "all functions"


def _age(points: Sequence[tuple[float, float]]) -> str:
    return f"{max(0.0, -points[-1][0]) / 60:.0f} min ago"


def neither_on_nor_blind(snapshot: Snapshot) -> Assessment:
    """No alarm is in ALARM already, and all have data."""
    states = snapshot.states()
    in_alarm = [name for name, seen in states.items() if seen.state == "ALARM"]
    blind = [name for name, seen in states.items() if seen.state == "INSUFFICIENT_DATA"]
    if any(name in snapshot.group().alarms for name in in_alarm):
        seen = f"In ALARM: {_with_reasons(snapshot, in_alarm)}"
        return error(seen, "Wait until all alarms are OK: CodeDeploy would stop the deployment at its start.")
    if blind and all(_waits_for_its_version(snapshot, name) for name in blind):
        return note(f"In INSUFFICIENT_DATA until its version has traffic: {', '.join(blind)}.")
    if blind:
        seen = f"In INSUFFICIENT_DATA: {', '.join(blind)}. Such an alarm never stops a deployment."
        return warning(seen, "Send traffic. If the state stays, the metric or the dimensions are wrong.")
    if in_alarm:
        return note(f"In ALARM, but only part of a composite alarm of the group: {_with_reasons(snapshot, in_alarm)}")
    return ok(f"OK: {', '.join(states)}.")


def _with_reasons(snapshot: Snapshot, names: Sequence[str]) -> str:
    return " ".join(f"{name} ({snapshot.states()[name].reason.rstrip('.')})." for name in names)


def _waits_for_its_version(snapshot: Snapshot, name: str) -> bool:
    alarms = {alarm.name: alarm for alarm in snapshot.alarms()}
    return name in alarms and snapshot.watches_the_next_version(alarms[name])


def quiet_lately(snapshot: Snapshot) -> Assessment:
    """No alarm went to ALARM within the last hour."""
    if not snapshot.group().alarms:
        raise Unseen("no alarm guards the group")
    why = snapshot.failure("cloudwatch:DescribeAlarmHistory")
    if why:
        raise Unseen(why)
    went = [change.name for change in snapshot.sighted(AlarmChanged) if _went_to_alarm(change)]
    if went:
        times = ", ".join(f"{name} {went.count(name)} x" for name in dict.fromkeys(went))
        return note(f"Went to ALARM within the last hour: {times}.", "If no experiment caused it, find out why.")
    return ok("No alarm went to ALARM within the last hour.")


def _went_to_alarm(change: AlarmChanged) -> bool:
    return change.to_state == "ALARM" and change.changed_s >= -LOOK_BACK_S


def in_time(snapshot: Snapshot) -> Assessment:
    """The alarm can go to ALARM before the deployment ends."""
    return _one_suffices(snapshot, _in_time)


def _in_time(snapshot: Snapshot, alarm: AlarmDefined) -> Assessment:
    if alarm.period_s is None:
        return note(f"{alarm.name} does not say over which period it counts.")
    bake, needed_s = bake_s(snapshot.config()), slowest_s(alarm)
    seen = f"{alarm.name} may take {needed_s:.0f} s from the first failure to the stop; the bake time is {bake:.0f} s"
    if needed_s > bake:
        return error(
            f"{seen}. The alarm comes too late.",
            "Lengthen the bake time, or shorten the alarm's period or the number of its periods.",
        )
    left = f"A fault is caught in time if it begins in the first {bake - needed_s:.0f} s"
    if needed_s > TIGHT * bake:
        return warning(
            f"{seen}. {left}.", "Lengthen the bake time, or shorten the alarm's period or the number of its periods."
        )
    return ok(f"{seen}. {left}.")


def slowest_s(alarm: AlarmDefined) -> float:
    """The longest time from the first failure to the stop: the periods, publishing, evaluating, CodeDeploy's poll."""
    periods = alarm.datapoints or alarm.evaluation_periods or 1
    return max(alarm.period_s or 0, SHORTEST_PERIOD_S) * periods + SLOWEST_ALARM_S


def tries(alarm: AlarmDefined, bake: float) -> int:
    """How many periods of the bake time can still stop the deployment; at least 1, so that there is a chance."""
    period_s = max(alarm.period_s or 0, SHORTEST_PERIOD_S)
    return max(1, 1 + math.floor((bake - slowest_s(alarm)) / period_s))


def missing_data(snapshot: Snapshot) -> Assessment:
    """How the alarm treats missing data."""
    return _one_suffices(snapshot, _missing_data)


def _missing_data(_: Snapshot, alarm: AlarmDefined) -> Assessment:
    answer = _MISSING_DATA.get(alarm.missing or "missing")
    if answer is None:
        return note(f"{alarm.name} treats missing data as {alarm.missing}, which is not known here.")
    return answer._replace(seen=answer.seen.format(name=alarm.name))


def _one_suffices(snapshot: Snapshot, ask: Ask) -> Assessment:
    answers = [ask(snapshot, alarm) for alarm in snapshot.alarms()]
    severity = worst(answer.severity for answer in answers)
    if severity == "error" and any(answer.severity != "error" for answer in answers):
        answers = [_milder(answer) for answer in answers]
    worst_first = sorted(answers, key=lambda answer: SEVERITIES.index(answer.severity), reverse=True)
    advice = dict.fromkeys(
        answer.advice for answer in worst_first if answer.severity == worst_first[0].severity and answer.advice
    )
    return Assessment(worst_first[0].severity, " ".join(answer.seen for answer in worst_first), " ".join(advice))


def _milder(answer: Assessment) -> Assessment:
    return answer._replace(severity="warning") if answer.severity == "error" else answer
