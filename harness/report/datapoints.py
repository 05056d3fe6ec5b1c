"""What the alarm counted against its threshold, period by period, and how likely it would catch the same again."""

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from harness.core.timeline.alarm_rules import Rule, chance
from harness.core.verdict.evidence import Evidence, failed
from harness.core.verdict.measure import requests_per_s, rules_of
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
    canary, weight = run.verdict.arms.canary, run.rollout.bake_weight
    if rule is None or rate is None or not weight or not canary.requests or canary.failures is None:
        return None
    return chance(rule, rate * weight * canary.failures / canary.requests)


def _points_of(evidence: Evidence, rule: Rule) -> Iterator[AlarmPeriod]:
    told = _told(evidence, rule, rule.version)
    canary = _told(evidence, rule, evidence.rollout.canary) if evidence.rollout.canary else {}
    seen = _seen(evidence, rule)
    numbers = {_number(evidence, rule, start_s) for start_s in (*told, *canary)} | set(seen)
    values = {_number(evidence, rule, start_s): value for start_s, value in told.items()}
    canaries = {_number(evidence, rule, start_s): value for start_s, value in canary.items()}
    for number in sorted(numbers):
        value, counted = values.get(number), seen.get(number)
        to_s = (number + 1) * rule.period_s - evidence.rollout.epoch_s
        breaching = _breaches(rule, value, counted)
        yield AlarmPeriod(
            alarm=rule.name or "alarm",
            from_s=number * rule.period_s - evidence.rollout.epoch_s,
            to_s=to_s,
            threshold=rule.threshold,
            value=value,
            of_canary=canaries.get(number),
            seen=_statistic(rule, counted),
            breaching=breaching if to_s <= evidence.end_s or (breaching and rule.only_grows) else None,
            counted_by="CloudWatch" if value is not None else None if breaching is None else "clients",
        )


def _told(evidence: Evidence, rule: Rule, version: str | None) -> dict[float, float]:
    """CloudWatch's sums by start of period; the last look at a period wins."""
    if rule.statistic != "Sum":
        return {}
    points: dict[float, float] = {}
    for seen in evidence.metrics:
        if (seen.metric, seen.version, seen.period_s) == (rule.metric, version, rule.period_s):
            points |= dict(seen.points)
    return points


def _seen(evidence: Evidence, rule: Rule) -> dict[int, tuple[int, int]]:
    """What clients saw by number of period: failures that count, and requests."""
    totals: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for row in evidence.requests:
        if rule.version is None or row.version == rule.version:
            total = totals[_number(evidence, rule, row.at_s)]
            total[0] += row.count if failed(row) and rule.counts(row.status) else 0
            total[1] += row.count
    return {number: (total[0], total[1]) for number, total in totals.items()}


def _number(evidence: Evidence, rule: Rule, at_s: float) -> int:
    # A period that CloudWatch dates may be a rounding away from the multiple at which it began.
    return math.floor((evidence.rollout.epoch_s + at_s) / rule.period_s + 1e-6)


def _statistic(rule: Rule, counted: tuple[int, int] | None) -> float | None:
    if counted is None or not counted[1]:
        return None
    return counted[0] / counted[1] if rule.statistic == "Average" else float(counted[0])


def _breaches(rule: Rule, value: float | None, counted: tuple[int, int] | None) -> bool | None:
    if value is not None:
        return rule.breaches(round(value), 1)
    return rule.breaches(*counted) if counted and counted[1] else None
