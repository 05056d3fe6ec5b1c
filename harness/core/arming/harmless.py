"""What the doctor may send: nothing that could do harm, and nothing to a service that was not meant."""

from harness.core.arming.judged import why_not_judged
from harness.core.arming.recent import recent_periods
from harness.core.arming.snapshot import NO_HOST, Snapshot, Unseen
from harness.core.experiment.hosts import host_of, is_loopback
from harness.core.experiment.types import Experiment
from harness.core.timeline.alarm_rules import Rule, read_rule
from harness.core.timeline.composites import children_of
from harness.core.timeline.events import AlarmDefined

RECENT_S = 900.0
"""How far back the traffic is looked at that our own requests would come to."""


def why_no_request(experiment: Experiment, *, packaged: bool) -> str | None:
    """Why no request should be sent to the host; None where it may.

    An experiment that does not say what is sent means the requests of the bundled service. So its host must be this
    machine, or the experiment a packaged one.
    """
    host = experiment.target.host
    if not host:
        return NO_HOST
    if is_loopback(host) or packaged or experiment.traffic.requests:
        return None
    return f"{host_of(host)} is not this machine, and no experiment says in traffic.requests what it answers"


def why_no_fault(snapshot: Snapshot) -> str | None:
    """Why a fault request should not be sent now, because it might do harm; None where it may."""
    if snapshot.active is None or snapshot.active:
        return "a deployment runs, or might"
    try:
        alarms = snapshot.alarms()
        reasons = (_unread(snapshot), *(_why_it_may_ring(snapshot, alarm) for alarm in alarms))
    except Unseen as unseen:
        return str(unseen)
    return next((reason for reason in reasons if reason), None)


def _unread(snapshot: Snapshot) -> str | None:
    """Why it is not known what all the alarms are that guard the group."""
    known = {*(alarm.name for alarm in snapshot.sighted(AlarmDefined)), *snapshot.gone()}
    names = [*snapshot.group().alarms]
    for composite in snapshot.composites():
        children = children_of(composite.rule)
        if not children:
            return f"which alarms {composite.name} is composed of is not known"
        names += children
    unread = [name for name in names if name not in known]
    return f"the alarm {unread[0]} could not be read" if unread else None


def _why_it_may_ring(snapshot: Snapshot, alarm: AlarmDefined) -> str | None:
    reason = why_not_judged(alarm)
    if reason:
        return f"{alarm.name} is not judged ({reason}), so a failure might put it in ALARM"
    rule = read_rule(alarm)
    if not rule.counted_metrics or not _rings_by_one_more(snapshot, alarm, rule):
        return None
    return f"a single failure could put an alarm in ALARM: {alarm.name} ({rule})"


def _rings_by_one_more(snapshot: Snapshot, alarm: AlarmDefined, rule: Rule) -> bool:
    """Whether one failure more makes some recent period breach, and enough others of them do already."""
    look_back_s = max(RECENT_S, (rule.condition.evaluation_periods + 1.0) * rule.period_s)
    recent = recent_periods(snapshot, alarm, rule, look_back_s)
    already = sum(_breaches(rule, failures, requests) for failures, requests in recent)
    return already + 1 >= rule.datapoints and any(_breaches_by_one_more(rule, *period) for period in recent)


def _breaches(rule: Rule, failures: float, requests: float) -> bool:
    if not requests and not failures:
        return rule.condition.missing == "breaching"
    return rule.breaches(failures, max(requests, failures))


def _breaches_by_one_more(rule: Rule, failures: float, requests: float) -> bool:
    # Our good request may fall into the same period, or into another one.
    return any(rule.breaches(failures + 1, max(requests, failures) + ours) for ours in (1, 2))
