"""Questions about the alarms that guard a group.

One good alarm is enough: if a question finds an error in one alarm and none in another, the error becomes a warning.
What cannot be judged is no better than unknown, unless another alarm is good.
"""

from collections.abc import Sequence
from functools import partial

from harness.core.arming.diagnosis import Assessment, error, note, ok, warning
from harness.core.arming.judged import not_judged, of_each_alarm, together, why_not_judged
from harness.core.arming.metric_names import RESERVED
from harness.core.arming.release import bake_s
from harness.core.arming.snapshot import LOOK_BACK_S, Snapshot, Unseen
from harness.core.delays import SLOWEST_ALARM_S
from harness.core.timeline.alarm_rules import Rule, metrics_of, read_rule, why_not_evaluated
from harness.core.timeline.composites import ChildIs, can_be_read, expanded, holds, leaves
from harness.core.timeline.events import AlarmChanged, AlarmDefined

SHORTEST_PERIOD_S = 60
"""Lambda publishes its metrics once a minute, so a shorter period sees nothing sooner."""
TIGHT = 0.8
"""An alarm that needs more than this share of the bake time catches only faults that begin right at its start."""

_DOWNWARDS = ("LessThanThreshold", "LessThanOrEqualToThreshold")
_MANY = 10**9
"""Requests of a period in which the number of them does not matter."""
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
    composites = [f"{one.name} goes to ALARM at {one.rule}.{_suppressed(one)}" for one in snapshot.composites()]
    return ok(" ".join([f"CloudWatch knows {_all_of(snapshot)}.", *composites]))


def _suppressed(composite: AlarmDefined) -> str:
    """A suppressor holds back actions, not the state, which is what CodeDeploy looks at."""
    if composite.suppressor is None:
        return ""
    return (
        f" Its suppressor {composite.suppressor} holds back its actions, and no rollback: CodeDeploy reads its state."
    )


def _all_of(snapshot: Snapshot) -> str:
    return ", ".join(alarm.name for alarm in (*snapshot.composites(), *snapshot.alarms()))


def composed(snapshot: Snapshot) -> Assessment:
    """Each composite can go to ALARM, by which of its children alone, and by which never."""
    composites = snapshot.composites()
    if not composites:
        return note(f"No composite alarm is among {', '.join(alarm.name for alarm in snapshot.alarms())}.")
    return together([_composed(snapshot, one) for one in composites])


def _composed(snapshot: Snapshot, composite: AlarmDefined) -> Assessment:
    if not can_be_read(composite.rule):
        return not_judged(composite, "its rule cannot be read here")
    rule = expanded(composite.name, {one.name: one for one in snapshot.sighted(AlarmDefined)})
    guards = tuple(dict.fromkeys(leaf.name for leaf in leaves(rule) if leaf.guards))
    if holds(rule, lambda _: False):
        return error(f"{composite.name} is always in ALARM: {composite.rule}.", "Correct its rule.")
    if not guards or not holds(rule, lambda _: True):
        return error(f"No failure can make {composite.name} go to ALARM: {composite.rule}.", "Correct its rule.")
    never = snapshot.holding_back(composite)
    if never:
        names = ", ".join(never)
        return note(f"{names} can never make {composite.name} go to ALARM, and may hold it back: {composite.rule}.")
    alone = [name for name in guards if holds(rule, partial(_is_child, name))]
    if len(alone) < len(guards):
        others = ", ".join(name for name in guards if name not in alone)
        return note(f"{others} can make {composite.name} go to ALARM only together with others: {composite.rule}.")
    return ok(f"Each of {', '.join(guards)} can make {composite.name} go to ALARM.")


def _is_child(name: str, leaf: ChildIs) -> bool:
    return leaf.name == name


def can_breach(snapshot: Snapshot) -> Assessment:
    """Failures put the alarm in ALARM, and nothing else does."""
    return of_each_alarm(snapshot, _can_breach)


def _can_breach(_: Snapshot, alarm: AlarmDefined) -> Assessment:
    if (alarm.datapoints or 0) > (alarm.evaluation_periods or 1):
        many = f"{alarm.datapoints} of {alarm.evaluation_periods or 1} datapoints"
        return error(f"{alarm.name} asks for {many}: CloudWatch takes no such alarm.", "Ask for as many at the most.")
    reason = why_not_judged(alarm)
    if reason:
        return not_judged(alarm, reason)
    rule = read_rule(alarm)
    if not rule.counted_metrics:
        return note(f"{alarm.name} ({rule}) counts no failures.")
    return ok(f"{alarm.name} goes to ALARM at {rule}.") if rule.counts_failures else _never_by_failures(rule)


def _never_by_failures(rule: Rule) -> Assessment:
    what = f"{rule.name} ({rule})"
    if not rule.breaches(0, _MANY):
        seen = f"{what} cannot breach, however many requests fail."
        return error(seen, "Use the statistic Sum, or a threshold that the value can reach.")
    if rule.breaches(_MANY, _MANY):
        return error(f"{what} breaches without any failure.", "Use the statistic Sum and a threshold above 0.")
    advice = "Compare with GreaterThanOrEqualToThreshold."
    return error(f"{what} goes to ALARM when failures are few.", advice)


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
    return name in alarms and any(map(snapshot.awaits_its_version, metrics_of(alarms[name])))


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
    return of_each_alarm(snapshot, _in_time)


def _in_time(snapshot: Snapshot, alarm: AlarmDefined) -> Assessment:
    if not period_of(alarm):
        return not_judged(alarm, why_not_evaluated(alarm) or "its definition names no period")
    if period_of(alarm) < SHORTEST_PERIOD_S and any(
        str(one.namespace).startswith(RESERVED) for one in metrics_of(alarm)
    ):
        seen = f"{alarm.name} has a period of {period_of(alarm)} s, and AWS publishes its metrics once a minute"
        return warning(f"{seen}: in between it has no data.", f"Make its period {SHORTEST_PERIOD_S} s.")
    bake, needed_s = bake_s(snapshot.config()), slowest_s(alarm)
    seen = f"{alarm.name} may take {needed_s:.0f} s from the first failure to the stop; the bake time is {bake:.0f} s"
    advice = "Lengthen the bake time, or shorten the alarm's period or the number of its periods."
    if quickest_s(alarm) > bake:
        return error(f"{seen}. The alarm comes too late.", advice)
    if needed_s > bake:
        many = f"{quickest_s(alarm):.0f} s where one minute of the period has enough failures"
        return warning(f"{seen}. It takes {many}; few failures are caught too late.", advice)
    left = f"A fault is caught in time if it begins in the first {bake - needed_s:.0f} s"
    if needed_s > TIGHT * bake:
        return warning(f"{seen}. {left}.", advice)
    return ok(f"{seen}. {left}.")


def period_of(alarm: AlarmDefined) -> int:
    """The length of an alarm's period, be it that of its metrics; 0 where it names none."""
    return alarm.period_s or max((metric.period_s or 0 for metric in metrics_of(alarm)), default=0)


def slowest_s(alarm: AlarmDefined) -> float:
    """The longest time from the first failure to the stop: the periods, publishing, evaluating, CodeDeploy's poll."""
    periods = alarm.datapoints or alarm.evaluation_periods or 1
    return max(period_of(alarm), SHORTEST_PERIOD_S) * periods + SLOWEST_ALARM_S


def quickest_s(alarm: AlarmDefined) -> float:
    """The same where the failures of a minute are enough for the last period: each minute a period ends."""
    return slowest_s(alarm) - max(period_of(alarm), SHORTEST_PERIOD_S) + SHORTEST_PERIOD_S


def missing_data(snapshot: Snapshot) -> Assessment:
    """How the alarm treats missing data."""
    answer = of_each_alarm(snapshot, _missing_data)
    on = [alarm.name for alarm in snapshot.guards() if _is_on_between(alarm) and snapshot.suffice([alarm.name])]
    if not on:
        return answer
    seen = (
        f"{', '.join(on)} counts one version alone and treats missing data as breaching: without requests to that "
        "version it is in ALARM, and CodeDeploy stops each deployment at its start."
    )
    return together([error(seen, "Treat missing data as notBreaching."), answer])


def _is_on_between(alarm: AlarmDefined) -> bool:
    """Whether it is in ALARM between two deployments, when nobody sends requests to a version on trial."""
    metrics = metrics_of(alarm)
    alone = len(metrics) == 1 and not any(query.expression for query in alarm.queries)
    return alone and alarm.missing == "breaching" and "ExecutedVersion" in metrics[0].dimensions


def _missing_data(_: Snapshot, alarm: AlarmDefined) -> Assessment:
    if alarm.unlike:
        return not_judged(alarm, f"it is {alarm.unlike}")
    answer = _MISSING_DATA.get(alarm.missing or "missing")
    if answer is None:
        return note(f"{alarm.name} treats missing data as {alarm.missing}, which is not known here.")
    return answer._replace(seen=answer.seen.format(name=alarm.name))
