"""Why an alarm is in its state, in the words and the JSON of CloudWatch.

The wording is that of captured answers; where a capture shows one form alone, its other numbers are inferred.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from harness.rehearsal.cloudwatch.definition import Definition
from harness.rehearsal.cloudwatch.evaluation import ALARM, FILL_INS, INSUFFICIENT_DATA, AlarmCondition, Judgement

INITIAL = "Unchecked: Initial alarm creation"
FEWEST_POINTS_LISTED_APART = 5
MOST_POINTS_LISTED = 5
MOST_POINTS_IN_DATA = 10
MOST_ALARMS_IN_DATA = 5
"""Assumption: AWS shortens long lists too, or they would not fit into StateReasonData's 4,000 characters."""

_CROSSED = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
_TREATED_AS = {"breaching": "Breaching", "notBreaching": "NonBreaching"}


class EvaluatedPeriod(Struct, frozen=True):
    """One period of the evaluation range; `value` None is a missing one, `samples` None an expression's."""

    start_s: float
    value: float | None = None
    samples: float | None = None


def reason(
    judgement: Judgement, points: Sequence[EvaluatedPeriod], condition: AlarmCondition, *, explicit: bool
) -> str:
    """The sentence for a judgement of `points`, oldest first; `explicit` says that DatapointsToAlarm was given."""
    if judgement.state == INSUFFICIENT_DATA:
        unknown = condition.evaluation_periods - len(judgement.evaluated)
        return f"Insufficient Data: {_datapoints(unknown)} {_was(unknown)} unknown."
    crossing = _crossing(judgement, points, condition)
    if not crossing:
        return _received(judgement, condition)
    return _crossed(judgement, crossing, condition, explicit=explicit)


def reason_data(
    judgement: Judgement, points: Sequence[EvaluatedPeriod], definition: Definition, at_s: float
) -> dict[str, Any]:
    """StateReasonData of an evaluation at `at_s`."""
    real = [points[index] for index in judgement.evaluated]
    stat = definition.query.stat
    parts = {
        "version": "1.0",
        "queryDate": stamp(at_s),
        "startDate": stamp(real[0].start_s) if real else None,
        "unit": stat.unit if stat else None,
        "statistic": stat.statistic if stat else None,
        "period": definition.period_s,
        "recentDatapoints": [point.value for point in real][-MOST_POINTS_IN_DATA:],
        "threshold": float(definition.condition.threshold),
        "evaluatedDatapoints": [
            _evaluated(point) for point in _deciding(judgement, points, definition.condition)[:MOST_POINTS_IN_DATA]
        ],
    }
    return {name: part for name, part in parts.items() if part is not None}


def _crossing(
    judgement: Judgement, points: Sequence[EvaluatedPeriod], condition: AlarmCondition
) -> list[EvaluatedPeriod]:
    """The real points on the side of the threshold that the state is named for, newest first."""
    alarming = judgement.state == ALARM
    real = [points[index] for index in reversed(judgement.evaluated)]
    return [point for point in real if point.value is not None and condition.breached_by(point.value) == alarming]


def _deciding(
    judgement: Judgement, points: Sequence[EvaluatedPeriod], condition: AlarmCondition
) -> Sequence[EvaluatedPeriod]:
    """The periods that StateReasonData lists, newest first: as many as the change of state takes (captured 2022-01-26,
    2023-01-09), and for INSUFFICIENT_DATA all that are evaluated (captured 2021-10-14, 2023-08-04)."""
    missing = [point for point in reversed(points) if point.value is None]
    if judgement.state == INSUFFICIENT_DATA:
        real = [points[index] for index in judgement.evaluated]
        gaps = condition.evaluation_periods - len(real)
        return _newest_first([*real, *missing[:gaps]])
    agreeing = _crossing(judgement, points, condition)
    if FILL_INS.get(condition.missing) == (judgement.state == ALARM):
        agreeing += missing[: judgement.filled]
    return _newest_first(agreeing)[: _needed(condition, judgement.state)]


def _newest_first(points: Sequence[EvaluatedPeriod]) -> Sequence[EvaluatedPeriod]:
    return sorted(points, key=lambda point: -point.start_s)


def transition_reason(arn: str, state: str, at_s: float) -> str:
    """The sentence of a composite alarm for the child whose change decided."""
    return f"{arn} transitioned to {state} at {datetime.fromtimestamp(at_s, UTC):%A %d %B, %Y %H:%M:%S} UTC"


def triggering_alarms(children: Sequence[tuple[str, str, float]]) -> dict[str, Any]:
    """StateReasonData of a composite alarm: ARN, state and the instant of its last change, for each child."""
    return {
        "triggeringAlarms": [
            {"arn": arn, "state": {"value": state, "timestamp": stamp(at_s)}}
            for arn, state, at_s in children[:MOST_ALARMS_IN_DATA]
        ]
    }


def stamp(at_s: float) -> str:
    """An instant as CloudWatch writes it in JSON, `2018-09-16T00:22:56.053+0000`."""
    return datetime.fromtimestamp(round(at_s, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def compact(value: object) -> str:
    """JSON without spaces, as AWS writes it."""
    return json.dumps(value, separators=(",", ":"))


def _crossed(
    judgement: Judgement, crossing: Sequence[EvaluatedPeriod], condition: AlarmCondition, *, explicit: bool
) -> str:
    alarming, count = judgement.state == ALARM, len(crossing)
    subject = f"{count} out of the last {condition.evaluation_periods} datapoints" if explicit else _datapoints(count)
    listed = f"[{', '.join(_listed(point) for point in crossing[:MOST_POINTS_LISTED])}]"
    did = f"{_was(count)} {'' if alarming else 'not '}{_CROSSED[condition.comparison]}"
    gaps = f" and {_missing(judgement, condition)}" if judgement.filled else ""
    threshold = f"the threshold ({float(condition.threshold)}){gaps}"
    rider = f" ({_minimum(condition, judgement.state)})" if explicit else ""
    if count < FEWEST_POINTS_LISTED_APART:
        return f"Threshold Crossed: {subject} {listed} {did} {threshold}{rider}."
    recent = f"The most recent datapoints which crossed the threshold: {listed}"
    return f"Threshold Crossed: {subject} {did} {threshold}. {recent}{rider}."


def _received(judgement: Judgement, condition: AlarmCondition) -> str:
    """For a state that the gaps alone decided."""
    real, periods = len(judgement.evaluated), condition.evaluation_periods
    received = f"{_datapoints(real)} {_was(real)}" if real else "no datapoints were"
    return (
        f"Threshold Crossed: {received} received for {periods} period{'' if periods == 1 else 's'} "
        f"and {_missing(judgement, condition)}."
    )


def _missing(judgement: Judgement, condition: AlarmCondition) -> str:
    gaps = f"{judgement.filled} missing datapoint{'' if judgement.filled == 1 else 's'} {_was(judgement.filled)}"
    return f"{gaps} treated as [{_TREATED_AS[condition.missing]}]"


def _minimum(condition: AlarmCondition, state: str) -> str:
    transition = "OK -> ALARM" if state == ALARM else "ALARM -> OK"
    return f"minimum {_datapoints(_needed(condition, state))} for {transition} transition"


def _needed(condition: AlarmCondition, state: str) -> int:
    """How many datapoints it takes to go to a state from the other one."""
    to_recover = condition.evaluation_periods - condition.datapoints_to_alarm + 1
    return condition.datapoints_to_alarm if state == ALARM else to_recover


def _datapoints(count: int) -> str:
    return f"{count} datapoint{'' if count == 1 else 's'}"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _listed(point: EvaluatedPeriod) -> str:
    return f"{point.value} ({datetime.fromtimestamp(point.start_s, UTC):%d/%m/%y %H:%M:%S})"


def _evaluated(point: EvaluatedPeriod) -> dict[str, Any]:
    parts = {"timestamp": stamp(point.start_s), "sampleCount": point.samples, "value": point.value}
    return {name: part for name, part in parts.items() if part is not None}
