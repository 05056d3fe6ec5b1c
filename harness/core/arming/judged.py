"""Which alarms can be judged, and how one question is asked of every alarm and of every metric that it reads."""

import re
from collections.abc import Callable, Iterable
from typing import get_args

from harness.core.arming.diagnosis import SEVERITIES, Assessment, CheckSeverity, worst
from harness.core.arming.metric_names import RESERVED
from harness.core.arming.snapshot import Snapshot
from harness.core.experiment.types import Statistic
from harness.core.timeline.alarm_rules import (
    FAILURE_METRICS,
    REQUEST_METRICS,
    Rule,
    is_told,
    metrics_of,
    read_rule,
    why_not_evaluated,
)
from harness.core.timeline.events import AlarmDefined, MetricQuery

AskAlarm = Callable[[Snapshot, AlarmDefined], Assessment]
AskMetric = Callable[[Snapshot, AlarmDefined, MetricQuery], Assessment]

_SOUNDS_LIKE_FAILURES = re.compile(r"error|fail|dropped|reject|[45]xx|_[45]\d\d_", re.IGNORECASE)


def why_not_judged(alarm: AlarmDefined) -> str | None:
    """Why nobody can say here which failures put an alarm in ALARM; None where that can be said."""
    return why_not_evaluated(alarm) or _why_not_counted(metrics_of(alarm))


def _why_not_counted(metrics: Iterable[MetricQuery]) -> str | None:
    metrics = tuple(metrics)
    for metric in metrics:
        if _may_count_failures(metric):
            return f"which requests its metric {metric.namespace} {metric.metric} counts is not known"
    failures = [metric for metric in metrics if _counts_failures(metric)]
    for metric in metrics if failures else ():
        if metric.metric not in REQUEST_METRICS and not _counts_failures(metric):
            return f"it reads {metric.metric} besides failures"
        if metric.statistic not in get_args(Statistic):
            return f"the statistic {metric.statistic} of {metric.metric} is not computed"
    return None


def _may_count_failures(metric: MetricQuery) -> bool:
    """Whether a metric that is not in the table of those that are understood may count failures of requests."""
    if is_told(metric):
        return False
    of_aws = str(metric.namespace).startswith(RESERVED)
    return not of_aws or bool(_SOUNDS_LIKE_FAILURES.search(str(metric.metric)))


def is_to_count_failures(alarm: AlarmDefined) -> bool:
    """Whether an alarm is meant to see failed requests, as far as the names of its metrics say it."""
    return any(_counts_failures(one) or _may_count_failures(one) for one in metrics_of(alarm))


def _counts_failures(metric: MetricQuery) -> bool:
    return is_told(metric) and metric.metric in FAILURE_METRICS


def rule_judged(alarm: AlarmDefined) -> Rule | None:
    """The rule of an alarm that failures can put in ALARM; None where they cannot, or nobody can say."""
    if why_not_judged(alarm):
        return None
    rule = read_rule(alarm)
    return rule if rule.counts_failures else None


def rules_of(snapshot: Snapshot) -> tuple[tuple[AlarmDefined, Rule], ...]:
    """The guarding alarms that failures put in ALARM; raises Unseen if there is no alarm to see."""
    ruled = ((alarm, rule_judged(alarm)) for alarm in snapshot.guards())
    return tuple((alarm, rule) for alarm, rule in ruled if rule is not None)


def not_judged(alarm: AlarmDefined, reason: str) -> Assessment:
    """The answer for an alarm that cannot be judged: never that it is well."""
    return Assessment("unknown", f"{alarm.name} is not judged: {reason}.", "Look at this alarm yourself.")


def called(alarm: AlarmDefined, metric: MetricQuery) -> str:
    """How a metric is named: by its alarm alone where that reads no other one."""
    return alarm.name if len(metrics_of(alarm)) == 1 else f"{alarm.name} ({metric.id}: {metric.metric})"


def of_each_alarm(snapshot: Snapshot, ask: AskAlarm) -> Assessment:
    """The answer for all alarms together: what is wrong with some is milder where the good ones are enough.

    One good alarm of the group is; of a composite it depends on its rule.
    """
    answers = {alarm.name: ask(snapshot, alarm) for alarm in snapshot.guards()}
    good = [name for name, answer in answers.items() if answer.severity not in ("error", "unknown")]
    enough = snapshot.suffice(good)
    return together(_milder(answer) if enough else answer for answer in answers.values())


def of_each_metric(ask: AskMetric) -> AskAlarm:
    """Asks every metric of an alarm: all must be right."""

    def asked(snapshot: Snapshot, alarm: AlarmDefined) -> Assessment:
        metrics = metrics_of(alarm)
        if not metrics:
            return not_judged(alarm, why_not_evaluated(alarm) or "its definition names no metric")
        return together([_own(snapshot, alarm, metric, ask) for metric in metrics])

    return asked


def _own(snapshot: Snapshot, alarm: AlarmDefined, metric: MetricQuery, ask: AskMetric) -> Assessment:
    if metric.account:
        return not_judged(alarm, f"its metric {metric.metric} is one of another account ({metric.account})")
    return ask(snapshot, alarm, metric)


def together(answers: Iterable[Assessment]) -> Assessment:
    """All that was seen, the worst first, with the advice for the worst."""
    worst_first = sorted(answers, key=lambda answer: SEVERITIES.index(answer.severity), reverse=True)
    severity = worst(answer.severity for answer in worst_first)
    seen = dict.fromkeys(answer.seen for answer in worst_first)
    advice = dict.fromkeys(answer.advice for answer in worst_first if answer.severity == severity and answer.advice)
    return Assessment(severity, " ".join(seen), " ".join(advice))


_MILDER: dict[CheckSeverity, CheckSeverity] = {"error": "warning", "unknown": "note"}


def _milder(answer: Assessment) -> Assessment:
    return answer._replace(severity=_MILDER.get(answer.severity, answer.severity))
