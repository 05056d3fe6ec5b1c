"""When Lambda's metrics arrive, and when alarms on them change: bounds as measured on AWS."""

from itertools import pairwise
from typing import Any

import pytest

from harness.rehearsal.cloudwatch.invocations import LEAST_DELAY_S, MOST_DELAY_S

ON_FUNCTION = {
    "Namespace": "AWS/Lambda",
    "Dimensions": [{"Name": "FunctionName", "Value": "fn"}],
}
NAMES = [f"errors-{number}" for number in range(10)]


def errors_seen(aws: Any) -> list[float]:
    """The Errors of `fn`, minute by minute, as they can be read now."""
    answer = aws.client.get_metric_statistics(
        **ON_FUNCTION,
        MetricName="Errors",
        StartTime=aws.now - 3600,
        EndTime=aws.now + 60,
        Period=60,
        Statistics=["Sum"],
    )
    return [point["Sum"] for point in answer["Datapoints"]]


def put_alarms(aws: Any, **changes: Any) -> None:
    """Puts alarms that differ in nothing but their names, and so in the second at which they are evaluated."""
    for name in NAMES:
        aws.put_alarm(AlarmName=name, **{**ON_FUNCTION, **changes})


def test_a_minute_of_lambda_data_is_not_there_before_half_a_minute(aws: Any) -> None:
    """Until 30 s after its end a minute cannot be read."""
    aws.traffic(1, errors=2)
    aws.advance(LEAST_DELAY_S - 1)
    assert errors_seen(aws) == []


def test_a_minute_of_lambda_data_is_there_after_a_minute(aws: Any) -> None:
    """From 60 s after its end a minute can be read."""
    aws.traffic(1, errors=2)
    aws.advance(MOST_DELAY_S)
    assert errors_seen(aws) == [2.0]


def test_minutes_differ_in_their_delay(aws: Any) -> None:
    """The delay is jittered by the minute, within its bounds."""
    minutes = [int(aws.now // 60) + number for number in range(50)]
    delays = [aws.cloudwatch.invocations.visible_at(minute) - (minute + 1) * 60 for minute in minutes]
    assert LEAST_DELAY_S <= min(delays) < LEAST_DELAY_S + 10 < MOST_DELAY_S - 10 < max(delays) <= MOST_DELAY_S


def test_steady_traffic_never_flaps(aws: Any) -> None:
    """A one-minute alarm goes to OK once and stays there, though the newest minute is always on its way."""
    put_alarms(aws)
    aws.traffic(40)
    for name in NAMES:
        assert [state for state, _ in aws.changes(name)] == ["OK"]


def test_alarm_follows_the_first_breaching_minute_and_recovers(aws: Any) -> None:
    """ALARM comes 90 to 180 s after the first breaching minute began, OK likewise after the first healthy one."""
    put_alarms(aws)
    aws.traffic(5)
    aws.traffic(2, errors=5)
    aws.traffic(5)
    for name in NAMES:
        states, times = zip(*aws.changes(name), strict=True)
        assert states == ("OK", "ALARM", "OK")
        assert 300 + 90 <= times[1] <= 300 + 180
        assert 420 + 90 <= times[2] <= 420 + 180


def test_alarms_are_evaluated_at_different_seconds(aws: Any) -> None:
    """Each alarm has a phase of its own, the same at every change."""
    put_alarms(aws)
    for errors in (0, 5, 0, 5, 0):
        aws.traffic(3, errors=errors)
    phases = {name: {round(time % 60, 3) for _, time in aws.changes(name)} for name in NAMES}
    assert all(len(seconds) == 1 for seconds in phases.values())
    assert len(set.union(*phases.values())) == len(NAMES)


def test_silence_becomes_insufficient_data_after_some_minutes(aws: Any) -> None:
    """When invocations stop, the last minute is judged again while it is in range, then nothing is known."""
    put_alarms(aws)
    aws.traffic(5)
    aws.advance(600)
    for name in NAMES:
        state, time = aws.changes(name)[-1]
        assert state == "INSUFFICIENT_DATA"
        assert 300 + 180 <= time <= 300 + 240


def test_one_breaching_minute_and_silence_keeps_alarm_then_follows_the_treatment(aws: Any) -> None:
    """With `notBreaching`, ALARM ends in OK once the breaching minute has left the range."""
    put_alarms(aws, TreatMissingData="notBreaching")
    aws.traffic(3)
    aws.traffic(1, errors=5)
    aws.advance(600)
    for name in NAMES:
        (_, alarm_s), (state, ok_s) = aws.changes(name)[-2:]
        assert state == "OK"
        assert 60 <= ok_s - alarm_s <= 180


def test_an_arn_in_the_resource_dimension_never_gets_data(aws: Any) -> None:
    """The dimension is `fn:alias`; an ARN is another metric, which nobody publishes."""
    arn = "arn:aws:lambda:eu-north-1:123456789012:function:fn:Live"
    dimensions = [*ON_FUNCTION["Dimensions"], {"Name": "Resource", "Value": arn}]
    put_alarms(aws, Dimensions=dimensions)
    aws.traffic(15, errors=10)
    for name in NAMES:
        assert (aws.state(name), aws.changes(name)) == ("INSUFFICIENT_DATA", [])


def test_an_alarm_sees_ended_minutes_alone(aws: Any) -> None:
    """A breach in the running minute is not judged before that minute is over, though it can be read at once."""
    aws.put_alarm()
    aws.put(0.0, at_s=aws.now - 60)
    aws.advance(1)
    aws.put(100.0)
    aws.advance(58)
    assert aws.state() == "OK"
    aws.advance(60)
    assert aws.state() == "ALARM"


def test_fine_periods_are_evaluated_every_ten_seconds(aws: Any) -> None:
    """An alarm on 10 s periods changes within 20 s of a breach in fine data."""
    aws.put_alarm(Period=10)
    aws.put(100.0, StorageResolution=1)
    aws.advance(20)
    assert aws.state() == "ALARM"


def test_long_periods_slide_by_the_minute(aws: Any) -> None:
    """A five-minute alarm sums the last five full minutes, wherever they begin."""
    aws.advance(180)
    for _ in range(5):
        aws.put(1.0)
        aws.advance(60)
    aws.put_alarm(Period=300, Threshold=5.0)
    aws.advance(59)
    assert aws.state() == "ALARM"


def test_a_forced_state_lasts_until_the_next_evaluation(aws: Any) -> None:
    """While data flow, SetAlarmState is taken back within a minute, and the history has both changes."""
    aws.put_alarm(**ON_FUNCTION)
    aws.traffic(5)
    aws.client.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="game day")
    assert aws.state() == "ALARM"
    aws.traffic(1)
    assert aws.state() == "OK"
    assert [state for state, _ in aws.changes()][-2:] == ["ALARM", "OK"]


@pytest.mark.parametrize("treatment", ["missing", "notBreaching", "breaching", "ignore"])
def test_a_forced_state_outlives_silence(aws: Any, treatment: str) -> None:
    """Without any data to compare, the forced state stays, as captured on AWS."""
    aws.put_alarm(TreatMissingData=treatment)
    aws.advance(120)
    forced = "OK" if treatment == "breaching" else "ALARM"
    aws.client.set_alarm_state(AlarmName="errors", StateValue=forced, StateReason="game day")
    aws.advance(420)
    assert aws.state() == forced


def test_a_forced_state_yields_when_data_come(aws: Any) -> None:
    """The first real point ends a forced state."""
    aws.put_alarm()
    aws.client.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="game day")
    aws.advance(300)
    aws.put(0.0)
    aws.advance(120)
    assert aws.state() == "OK"


def test_history_is_in_order_of_time(aws: Any) -> None:
    """However much happens, no item is older than the one before."""
    put_alarms(aws)
    for errors in (0, 5, 0):
        aws.traffic(3, errors=errors)
    items = aws.client.describe_alarm_history(ScanBy="TimestampAscending")["AlarmHistoryItems"]
    assert all(earlier["Timestamp"] <= later["Timestamp"] for earlier, later in pairwise(items))
