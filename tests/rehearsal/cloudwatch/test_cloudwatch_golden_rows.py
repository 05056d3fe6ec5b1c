"""AWS's two tables of missing data played over the wire: points put, former state set, one evaluation.

CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data": each table has five rows and four
treatments, and each of those cells is played from each of the three former states.
"""

from typing import Any

import pytest

TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")
RETAIN = "retain"
INSUFFICIENT = "INSUFFICIENT_DATA"

TABLES = {
    3: {
        "0-X-X": ("OK", "OK", "OK", "OK"),
        "0----": ("OK", "OK", "OK", "OK"),
        "-----": (INSUFFICIENT, RETAIN, "ALARM", "OK"),
        "0XX-X": ("ALARM", "ALARM", "ALARM", "ALARM"),
        "--X--": ("ALARM", RETAIN, "ALARM", "OK"),
    },
    2: {
        "0-X-X": ("ALARM", "ALARM", "ALARM", "ALARM"),
        "00X0X": ("ALARM", "ALARM", "ALARM", "ALARM"),
        "0-X--": ("OK", "OK", "ALARM", "OK"),
        "----0": ("OK", "OK", "ALARM", "OK"),
        "---X-": ("ALARM", RETAIN, "ALARM", "OK"),
    },
}
"""The state for each treatment by the row, newest point to the right, of an alarm with so many of three datapoints."""
CELLS = [
    pytest.param(row, datapoints, treatment, expected, id=f"{datapoints} of 3 {row} {treatment}")
    for datapoints, table in TABLES.items()
    for row, states in table.items()
    for treatment, expected in zip(TREATMENTS, states, strict=True)
]


def put_row(aws: Any, row: str) -> None:
    """Puts a row into the last five minutes."""
    for minutes_ago, mark in zip(range(5, 0, -1), row, strict=True):
        if mark != "-":
            aws.put(5.0 if mark == "X" else 0.0, at_s=aws.now - minutes_ago * 60)


def put_former(aws: Any, state: str, how: str) -> None:
    """Puts the alarm of a former state, and the data of another metric that lead to it at the next evaluation."""
    aws.put_alarm(AlarmName=state, MetricName=f"Former{state}")
    if how == "by data" and state != INSUFFICIENT:
        aws.put(5.0 if state == "ALARM" else 0.0, at_s=aws.now - 60, name=f"Former{state}")


@pytest.mark.parametrize("how", ["by data", "by SetAlarmState"])
@pytest.mark.parametrize(("row", "datapoints", "treatment", "expected"), CELLS)
def test_cell(aws: Any, how: str, row: str, datapoints: int, treatment: str, expected: str) -> None:
    """The cell gives the documented state; where AWS says that the state is retained, it stays as it was."""
    for state in STATES:
        put_former(aws, state, how)
    aws.advance(60)
    put_row(aws, row)
    for state in STATES:
        aws.put_alarm(AlarmName=state, EvaluationPeriods=3, DatapointsToAlarm=datapoints, TreatMissingData=treatment)
        if how == "by SetAlarmState":
            aws.client.set_alarm_state(AlarmName=state, StateValue=state, StateReason="before")
    assert {state: aws.state(state) for state in STATES} == {state: state for state in STATES}
    aws.advance(59.9)
    found = {state: aws.state(state) for state in STATES}
    assert found == {state: state if expected == RETAIN else expected for state in STATES}
