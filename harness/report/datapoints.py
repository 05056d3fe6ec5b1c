"""What the alarm counted against its threshold, period by period, and how likely it would catch the same again."""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from harness.core.timeline.alarm_rules import Rule, chance, counted_by_period
from harness.core.verdict.evidence import Evidence
from harness.core.verdict.guards import rules_of
from harness.core.verdict.measure import requests_per_s
from harness.report.judged_run import JudgedRun


class AlarmPeriod(Struct, frozen=True, kw_only=True):
    """One period of an alarm, in seconds since the run began.

    `value` is CloudWatch's own, None where it told none; `seen` what clients saw of what the alarm is meant to count,
    None where they sent nothing. `breaching` goes by CloudWatch's value, or by the clients' where it told none, as
    `counted_by` says; None where neither counted, and while a period lasts that has not breached yet.
    """

    alarm: str
    from_s: float
    to_s: float
    threshold: float
    value: float | None
    of_canary: float | None
    seen: float | None
    breaching: bool | None
    counted_by: Literal["CloudWatch", "clients"] | None


def datapoints(run: JudgedRun) -> list[AlarmPeriod]:
    """The periods of each alarm that counts failures, alarm by alarm, to the end of what is shown."""
    points = (point for rule in rules_of(run.evidence) for point in _points_of(run.evidence, rule))
    return [point for point in points if point.from_s <= run.ends_s]


def chance_again(run: JudgedRun) -> float | None:
    """How likely the first alarm breaches if only the canary fails as it did, at this rate and the bake's weight.

    An estimate; None where rate, weight or the canary's failures were not measured, or no alarm counts failures.
    """
    rule, rate = next(iter(rules_of(run.evidence)), None), requests_per_s(run.evidence)
    canary, weight = run.verdict.arms.canary, run.rollout.release.weights.bake_weight
    if rule is None or rate is None or not weight or not canary.requests or canary.failures is None:
        return None
    return chance(rule, rate * weight * canary.failures / canary.requests)


def _points_of(evidence: Evidence, rule: Rule) -> Iterator[AlarmPeriod]:
    epoch_s = evidence.rollout.run.aws_epoch_s
    values = _counted_by_cloudwatch(evidence, rule)
    of_canary = _values_of(evidence, rule, evidence.release.canary) if evidence.release.canary else {}
    seen = {
        number: counted
        for number, counted in counted_by_period(rule, evidence.own(evidence.requests), epoch_s).items()
        if counted[1]
    }
    for number in sorted({*values, *of_canary, *seen}):
        value, counted = values.get(number), seen.get(number)
        to_s = (number + 1) * rule.period_s - epoch_s
        breaching = _breaches(rule, value, counted)
        yield AlarmPeriod(
            alarm=rule.name or "alarm",
            from_s=number * rule.period_s - epoch_s,
            to_s=to_s,
            threshold=rule.threshold,
            value=value,
            of_canary=of_canary.get(number),
            seen=rule.value(*counted) if counted else None,
            breaching=breaching if to_s <= evidence.end_s or (breaching and rule.only_grows) else None,
            counted_by="CloudWatch" if value is not None else None if breaching is None else "clients",
        )


def _counted_by_cloudwatch(evidence: Evidence, rule: Rule) -> dict[int, float]:
    """What the alarm compared, by number of period: computed from what it reads, or the function's own metric."""
    read = {one.id: _read_by_alarm(evidence, rule, one.id) for one in rule.metrics}
    if not any(read.values()):
        return _values_of(evidence, rule, rule.version)
    periods = sorted(set().union(*read.values()))
    series = {id_: [points.get(number) for number in periods] for id_, points in read.items()}
    computed = zip(periods, rule.computed(series), strict=True)
    return {number: value for number, value in computed if value is not None}


def _read_by_alarm(evidence: Evidence, rule: Rule, query: str) -> dict[int, float]:
    """The datapoints of one metric that the alarm reads; the last look at a period wins."""
    values: dict[int, float] = {}
    for seen in evidence.alarm_metrics:
        if (seen.alarm, seen.query, seen.period_s) == (rule.name, query, rule.period_s):
            values |= {rule.period_at(evidence.rollout.run.aws_epoch_s + at_s): value for at_s, value in seen.points}
    return values


def _values_of(evidence: Evidence, rule: Rule, version: str | None) -> dict[int, float]:
    """CloudWatch's sums for the function by number of period; the last look at a period wins."""
    if rule.statistic != "Sum":
        return {}
    values: dict[int, float] = {}
    for seen in evidence.metrics:
        if (seen.metric, seen.version, seen.period_s) == (rule.metric, version, rule.period_s):
            values |= {rule.period_at(evidence.rollout.run.aws_epoch_s + at_s): value for at_s, value in seen.points}
    return values


def _breaches(rule: Rule, value: float | None, counted: tuple[int, int] | None) -> bool | None:
    if value is not None:
        return rule.condition.breached_by(value)
    return rule.breaches(*counted) if counted else None
