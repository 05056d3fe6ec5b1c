"""What DescribeAlarmHistory tells, and the words and JSON in which alarms give their reasons."""

import json
from collections.abc import Callable
from typing import Any

import pytest


def told(item: dict[str, Any]) -> dict[str, Any]:
    """An item's HistoryData."""
    return dict(json.loads(item["HistoryData"]))


def play(aws: Any, *values: float | None, **alarm: Any) -> str:
    """Puts values into successive minutes from the last on back, evaluates once, and gives the StateReason."""
    for minutes_ago, value in enumerate(reversed(values), start=1):
        if value is not None:
            aws.put(value, at_s=aws.now - minutes_ago * 60)
    aws.put_alarm(**alarm)
    aws.advance(59)
    return str(aws.alarm()["StateReason"])


def test_configuration_is_written_down(aws: Any, fits_model: Callable[..., None]) -> None:
    """Creation, update and deletion are items, and stay after the alarm is gone."""
    aws.put_alarm()
    aws.put_alarm(Threshold=5.0)
    aws.client.delete_alarms(AlarmNames=["errors"])
    items = aws.history(HistoryItemType="ConfigurationUpdate")
    fits_model(aws.client, "DescribeAlarmHistory", {"AlarmHistoryItems": items})
    assert [item["HistorySummary"] for item in items] == [
        f'Alarm "errors" {did}' for did in ("created", "updated", "deleted")
    ]
    assert told(items[1])["updatedAlarm"]["threshold"] == 5.0


def test_a_change_of_state_tells_both_states(aws: Any, fits_model: Callable[..., None]) -> None:
    """A StateUpdate has the old and the new state with their reasons, and the data of an evaluation."""
    aws.put_alarm()
    aws.client.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="testing purposes")
    aws.put(0.0, at_s=aws.now - 60)
    aws.advance(59)
    _, item = aws.history(HistoryItemType="StateUpdate")
    fits_model(aws.client, "DescribeAlarmHistory", {"AlarmHistoryItems": [item]})
    assert item["HistorySummary"] == "Alarm updated from ALARM to OK"
    change = told(item)
    assert change["version"] == "1.0"
    assert change["oldState"] == {"stateValue": "ALARM", "stateReason": "testing purposes"}
    assert change["newState"]["stateValue"] == "OK"
    assert change["newState"]["stateReason"].startswith("Threshold Crossed: 1 datapoint [0.0 (")
    assert change["newState"]["stateReasonData"]["recentDatapoints"] == [0.0]


def test_state_reason_data_is_that_of_aws(aws: Any) -> None:
    """StateReasonData has the members of captured answers, its instants in UTC with milliseconds."""
    for _ in range(3):
        aws.put(2.0, at_s=aws.now - 60, Unit="Count")
    aws.put_alarm(Unit="Count")
    aws.advance(59)
    alarm = aws.alarm()
    data = json.loads(alarm["StateReasonData"])
    assert data.pop("queryDate").startswith("2026-08-22T12:00:")
    assert data == {
        "version": "1.0",
        "startDate": "2026-08-22T11:59:00.000+0000",
        "unit": "Count",
        "statistic": "Sum",
        "period": 60,
        "recentDatapoints": [6.0],
        "threshold": 3.0,
        "evaluatedDatapoints": [{"timestamp": "2026-08-22T11:59:00.000+0000", "sampleCount": 3.0, "value": 6.0}],
    }


def test_state_reason_data_without_data_lists_the_missing_periods(aws: Any) -> None:
    """As captured: no startDate, no recent datapoints, and the evaluated ones with their timestamps alone."""
    play(aws, EvaluationPeriods=2, TreatMissingData="breaching")
    data = json.loads(aws.alarm()["StateReasonData"])
    assert "startDate" not in data
    assert data["recentDatapoints"] == []
    assert data["evaluatedDatapoints"] == [
        {"timestamp": "2026-08-22T11:59:00.000+0000"},
        {"timestamp": "2026-08-22T11:58:00.000+0000"},
    ]


def test_an_evaluation_that_confirms_a_state_renews_its_reason(aws: Any) -> None:
    """The newest point is told, while the state is as old as before and history has no item of it."""
    aws.put_alarm()
    aws.put(1.0, at_s=aws.now - 60)
    aws.advance(59)
    first = aws.alarm()
    aws.put(2.0, at_s=aws.now)
    aws.advance(60)
    second = aws.alarm()
    assert ("[1.0 (" in first["StateReason"], "[2.0 (" in second["StateReason"]) == (True, True)
    assert json.loads(second["StateReasonData"])["recentDatapoints"] == [2.0]
    for name in ("StateUpdatedTimestamp", "StateTransitionedTimestamp"):
        assert first[name] == second[name]
    assert [state for state, _ in aws.changes()] == ["OK"]


def test_history_tells_the_reason_for_which_a_state_was_entered(aws: Any) -> None:
    """As captured 2020-10-05 and 2024-07-16: the old state's reason is as old as the state."""
    aws.put_alarm()
    aws.put(1.0, at_s=aws.now - 60)
    aws.put(2.0)
    aws.put(9.0, at_s=aws.now + 60)
    aws.advance(180)
    told_of = told(aws.history(HistoryItemType="StateUpdate")[-1])
    assert "[1.0 (" in told_of["oldState"]["stateReason"]
    assert "[9.0 (" in told_of["newState"]["stateReason"]


def test_a_forced_state_that_is_confirmed_gets_the_reason_of_the_evaluation(aws: Any) -> None:
    """As captured: a forced OK without data is told as missing data within a minute, and no change is written down."""
    aws.put_alarm(TreatMissingData="notBreaching")
    aws.client.set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="game day")
    aws.advance(60)
    assert aws.alarm()["StateReason"].startswith("Threshold Crossed: no datapoints were received for 1 period")
    assert [state for state, _ in aws.changes()] == ["OK"]


def test_an_alarm_that_ignores_missing_data_keeps_its_reason(aws: Any) -> None:
    """What it has not judged it does not tell (captured 2023-09-12)."""
    aws.put_alarm(TreatMissingData="ignore")
    aws.client.set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="testing OK state")
    aws.advance(120)
    assert aws.alarm()["StateReason"] == "testing OK state"


CROSSED = "Threshold Crossed: "


@pytest.mark.parametrize(
    ("values", "alarm", "reason"),
    [
        ([6.0], {}, "1 datapoint [6.0 (22/08/26 11:59:00)] was greater than or equal to the threshold (3.0)."),
        ([0.0], {}, "1 datapoint [0.0 (22/08/26 11:59:00)] was not greater than or equal to the threshold (3.0)."),
        (
            [6.0],
            {"DatapointsToAlarm": 1, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 5.0},
            "1 out of the last 1 datapoints [6.0 (22/08/26 11:59:00)] was greater than the threshold (5.0) "
            "(minimum 1 datapoint for OK -> ALARM transition).",
        ),
        (
            [9.0, 0.0, 8.5],
            {"DatapointsToAlarm": 2, "EvaluationPeriods": 3},
            "2 out of the last 3 datapoints [8.5 (22/08/26 11:59:00), 9.0 (22/08/26 11:57:00)] were greater than or "
            "equal to the threshold (3.0) (minimum 2 datapoints for OK -> ALARM transition).",
        ),
        (
            [9.0, 0.0, 0.0],
            {"DatapointsToAlarm": 2, "EvaluationPeriods": 3},
            "2 out of the last 3 datapoints [0.0 (22/08/26 11:59:00), 0.0 (22/08/26 11:58:00)] were not greater than "
            "or equal to the threshold (3.0) (minimum 2 datapoints for ALARM -> OK transition).",
        ),
        (
            [5.0] * 6,
            {"EvaluationPeriods": 6},
            "6 datapoints were greater than or equal to the threshold (3.0). The most recent datapoints which crossed "
            "the threshold: [5.0 (22/08/26 11:59:00), 5.0 (22/08/26 11:58:00), 5.0 (22/08/26 11:57:00), "
            "5.0 (22/08/26 11:56:00), 5.0 (22/08/26 11:55:00)].",
        ),
        (
            [1.0, 1.0],
            {"EvaluationPeriods": 2, "ComparisonOperator": "LessThanThreshold"},
            "2 datapoints [1.0 (22/08/26 11:59:00), 1.0 (22/08/26 11:58:00)] were less than the threshold (3.0).",
        ),
        (
            [],
            {"TreatMissingData": "notBreaching"},
            "no datapoints were received for 1 period and 1 missing datapoint was treated as [NonBreaching].",
        ),
        (
            [],
            {"TreatMissingData": "breaching", "EvaluationPeriods": 2},
            "no datapoints were received for 2 periods and 2 missing datapoints were treated as [Breaching].",
        ),
        (
            [0.0, None, None],
            {"TreatMissingData": "breaching", "EvaluationPeriods": 3, "DatapointsToAlarm": 2},
            "1 datapoint was received for 3 periods and 2 missing datapoints were treated as [Breaching].",
        ),
    ],
)
def test_reasons_in_the_words_of_aws(aws: Any, values: list[float], alarm: dict[str, Any], reason: str) -> None:
    """The StateReason of an evaluation, word by word."""
    assert play(aws, *values, **alarm) == CROSSED + reason


def test_unknown_datapoints_are_counted(aws: Any) -> None:
    """Silence under the default treatment is told as unknown datapoints."""
    aws.put(0.0, at_s=aws.now - 60)
    aws.put_alarm(EvaluationPeriods=5)
    aws.advance(660)
    assert aws.alarm()["StateReason"] == "Insufficient Data: 5 datapoints were unknown."


def test_history_of_composite_alarms_is_hidden_unless_asked_for(aws: Any) -> None:
    """Without AlarmTypes metric alarms' history alone is shown, even if a composite alarm is named."""
    aws.put_alarm()
    aws.client.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(errors)")
    answer = aws.client.describe_alarm_history()
    assert {item["AlarmName"] for item in answer["AlarmHistoryItems"]} == {"errors"}
    assert aws.client.describe_alarm_history(AlarmName="both")["AlarmHistoryItems"] == []
    assert aws.history("both")[0]["AlarmType"] == "CompositeAlarm"


def test_history_is_cut_by_dates(aws: Any) -> None:
    """StartDate and EndDate bound the items, both inclusive."""
    begin_s = aws.now
    for number in range(4):
        aws.put_alarm(Threshold=float(number))
        aws.advance(10)
    items = aws.history(StartDate=begin_s + 10, EndDate=begin_s + 20)
    assert [told(item)["updatedAlarm"]["threshold"] for item in items] == [1.0, 2.0]


def test_history_comes_newest_first_unless_told_otherwise(aws: Any) -> None:
    """ScanBy orders the items."""
    aws.put_alarm()
    aws.advance(10)
    aws.put_alarm(Threshold=5.0)
    newest_first = aws.client.describe_alarm_history(AlarmName="errors")["AlarmHistoryItems"]
    assert newest_first == aws.history()[::-1]


def test_pages_of_history_stay_what_they_were(aws: Any) -> None:
    """What happens between two pages neither repeats nor hides an item."""
    for number in range(5):
        aws.put_alarm(Threshold=float(number))
    first = aws.client.describe_alarm_history(AlarmName="errors", MaxRecords=2)
    aws.put_alarm(Threshold=99.0)
    rest = aws.client.describe_alarm_history(AlarmName="errors", MaxRecords=100, NextToken=first["NextToken"])
    items = first["AlarmHistoryItems"] + rest["AlarmHistoryItems"]
    thresholds = [next(iter(change.values()))["threshold"] for item in items if (change := _alarm_of(item))]
    assert thresholds == [4.0, 3.0, 2.0, 1.0, 0.0]


def _alarm_of(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told(item).items() if name.endswith("Alarm")}


def test_history_has_milliseconds(aws: Any) -> None:
    """Timestamps are as fine as the simulated clock, to the millisecond."""
    aws.advance(0.123)
    aws.put_alarm()
    assert aws.history()[0]["Timestamp"].microsecond == 123000


def test_history_data_never_exceeds_the_model(aws: Any, fits_model: Callable[..., None]) -> None:
    """Reasons and data too long for HistoryData leave the data out."""
    aws.put_alarm()
    data = json.dumps({"long": "x" * 3900})
    for state in ("ALARM", "OK"):
        aws.client.set_alarm_state(AlarmName="errors", StateValue=state, StateReason="y" * 1023, StateReasonData=data)
    items = aws.history(HistoryItemType="StateUpdate")
    fits_model(aws.client, "DescribeAlarmHistory", {"AlarmHistoryItems": items})
    assert told(items[-1])["newState"] == {"stateValue": "OK", "stateReason": "y" * 1023}


def test_history_is_kept_for_two_weeks(aws: Any) -> None:
    """Older items are gone, newer ones are not."""
    aws.put_alarm(AlarmName="old")
    aws.advance(13 * 86400)
    aws.put_alarm(AlarmName="new")
    aws.advance(2 * 86400)
    assert (aws.history("old"), len(aws.history("new"))) == ([], 1)
