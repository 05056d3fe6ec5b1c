"""AWS's missing-data tables played over the wire: points put, alarm put, one evaluation."""

from typing import Any

import pytest

TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
RETAIN = "retain"
INSUFFICIENT = "INSUFFICIENT_DATA"

ROWS = [
    ("0-X-X", None, ("OK", "OK", "OK", "OK")),
    ("0----", None, ("OK", "OK", "OK", "OK")),
    ("-----", None, (INSUFFICIENT, RETAIN, "ALARM", "OK")),
    ("0XX-X", None, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("--X--", None, ("ALARM", RETAIN, "ALARM", "OK")),
    ("X----", None, ("ALARM", RETAIN, "ALARM", "OK")),
    ("0-X-X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("00X0X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("0-X--", 2, ("OK", "OK", "ALARM", "OK")),
    ("----0", 2, ("OK", "OK", "ALARM", "OK")),
    ("---X-", 2, ("ALARM", RETAIN, "ALARM", "OK")),
]
CASES = [
    (text, datapoints, treatment, state)
    for text, datapoints, expected in ROWS
    for treatment, state in zip(TREATMENTS, expected, strict=True)
]


def play(aws: Any, text: str, **alarm: Any) -> None:
    """Puts a row into the last five minutes and an alarm of three periods, and lets it be evaluated once."""
    for minutes_ago, mark in zip(range(5, 0, -1), text, strict=True):
        if mark != "-":
            aws.put(5.0 if mark == "X" else 0.0, at_s=aws.now - minutes_ago * 60)
    aws.put_alarm(EvaluationPeriods=3, **alarm)


@pytest.mark.parametrize(("text", "datapoints", "treatment", "expected"), CASES)
def test_golden_row(aws: Any, text: str, datapoints: int | None, treatment: str, expected: str) -> None:
    """The row gives the documented state; where AWS says that the state is retained, it stays as it was."""
    play(aws, text, DatapointsToAlarm=datapoints, TreatMissingData=treatment)
    before = aws.state()
    aws.advance(59)
    assert aws.state() == (before if expected == RETAIN else expected)


@pytest.mark.parametrize("state", ["OK", "ALARM"])
@pytest.mark.parametrize("text", ["--X--", "X----"])
def test_ignore_retains_any_state(aws: Any, text: str, state: str) -> None:
    """With `ignore`, breaching points that are too few leave OK as OK and ALARM as ALARM."""
    play(aws, text, TreatMissingData="ignore")
    aws.client.set_alarm_state(AlarmName="errors", StateValue=state, StateReason="before")
    aws.advance(59)
    assert aws.state() == state
