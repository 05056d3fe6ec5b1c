"""When Lambda's metrics arrive, and when alarms on them change: bounds as measured on AWS."""

import random
from itertools import pairwise
from typing import Any

import pytest
from scipy.stats import ks_2samp

from harness.core.delays import METRIC_DELAY_S
from harness.rehearsal.clock import CloudClock, Schedule
from harness.rehearsal.cloudwatch.service import CloudWatch
from tests.rehearsal.cloudwatch.conftest import ALARM, NOON_S

ON_FUNCTION = {
    "Namespace": "AWS/Lambda",
    "Dimensions": [{"Name": "FunctionName", "Value": "fn"}],
}
CAPTURED_S = [
    *(51.7, 51.7, 32.0, 61.7),  # AWS/Lambda
    *(17.1, 26.8, 32.4, 37.8, 41.0, 44.7, 44.8, 46.9, 49.9, 53.4, 54.5, 55.4, 64.7, 66.4, 68.4, 71.2),  # other metrics
]
"""Seconds from the end of the deciding minute to the change of state, of alarms with one period of 60 s."""
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


def cloudwatch(clock: CloudClock, seed: int) -> tuple[Schedule, CloudWatch]:
    """A CloudWatch on a clock, with the alarm `errors` on the Errors of `fn`."""
    schedule = Schedule(clock)
    service = CloudWatch(schedule, rng=random.Random(seed), account="123456789012", region="eu-north-1")
    service.put_metric_alarm({**ALARM, **ON_FUNCTION})
    return schedule, service


def invoke(service: CloudWatch, at_s: float, *, failed: bool) -> None:
    """One invocation of `fn`."""
    service.invocations.record("fn", "Live", "1", at_s, 12.0, failed=failed)


def changes(service: CloudWatch) -> list[tuple[str, float]]:
    """The states that `errors` went to, and when, oldest first."""
    items = service.describe_alarm_history({"ScanBy": "TimestampAscending", "HistoryItemType": "StateUpdate"})
    return [
        (item["HistorySummary"].rpartition(" ")[2], item["Timestamp"].timestamp())
        for item in items["AlarmHistoryItems"]
    ]


def detection_s(seed: int) -> float:
    """How long after the end of the first breaching minute a cloud of that seed goes to ALARM."""
    clock = CloudClock(speed=0, wall=lambda: NOON_S)
    schedule, service = cloudwatch(clock, seed)
    for minute in range(6):
        for number in range(10):
            invoke(service, clock.now() + number, failed=minute >= 3)
        schedule.advance(60)
    return next(at_s for state, at_s in changes(service) if state == "ALARM") - (NOON_S + 4 * 60)


def played(*, wall_s: float, speed: float, phase_s: float) -> tuple[list[tuple[float, float]], list[tuple[str, float]]]:
    """Ten minutes in which minutes four to six have errors: datapoints and changes of state, counted from the start."""
    wall = [wall_s]
    clock = CloudClock(speed, wall=lambda: wall[0], phase_s=phase_s)
    began_s = clock.now()
    schedule, service = cloudwatch(clock, seed=4)
    for number in range(600):
        invoke(service, began_s + number, failed=180 < number < 360 and number % 7 == 0)
        wall[0] = wall_s + (number + 1) / speed
        schedule.run_due()
    bounds = {"StartTime": began_s - 60, "EndTime": began_s + 600, "Period": 60, "Statistics": ["Sum"]}
    answer = service.get_metric_statistics({**ON_FUNCTION, "MetricName": "Errors", **bounds})
    points = [(round(point["Timestamp"].timestamp() - began_s, 2), point["Sum"]) for point in answer["Datapoints"]]
    return points, [(state, round(at_s - began_s, 2)) for state, at_s in changes(service)]


def put_alarms(aws: Any, **changes: Any) -> None:
    """Puts alarms that differ in nothing but their names, and so in the second at which they are evaluated."""
    for name in NAMES:
        aws.put_alarm(AlarmName=name, **{**ON_FUNCTION, **changes})


def test_a_minute_of_lambda_data_is_not_there_before_ten_seconds(aws: Any) -> None:
    """Until 10 s after its end a minute cannot be read."""
    aws.traffic(1, errors=2)
    aws.advance(METRIC_DELAY_S[0] - 1)
    assert errors_seen(aws) == []


def test_a_minute_of_lambda_data_is_there_after_twenty_seconds(aws: Any) -> None:
    """From 20 s after its end a minute can be read."""
    aws.traffic(1, errors=2)
    aws.advance(METRIC_DELAY_S[1])
    assert errors_seen(aws) == [2.0]


def test_no_minute_is_passed_over(aws: Any) -> None:
    """Minutes that breach and heal in turn are each judged, at whatever second of the minute an alarm is evaluated."""
    put_alarms(aws)
    for number in range(20):
        aws.traffic(1, errors=5 * (number % 2))
    aws.traffic(2)
    for name in NAMES:
        assert [state for state, _ in aws.changes(name)][:20] == ["OK", "ALARM"] * 10


def test_steady_traffic_never_flaps(aws: Any) -> None:
    """A one-minute alarm goes to OK once and stays there, though the newest minute is always on its way."""
    put_alarms(aws)
    aws.traffic(40)
    for name in NAMES:
        assert [state for state, _ in aws.changes(name)] == ["OK"]


def test_alarm_follows_the_first_breaching_minute_and_recovers(aws: Any) -> None:
    """ALARM comes 10 to 80 s after the first breaching minute ended, OK likewise after the first healthy one."""
    put_alarms(aws)
    aws.traffic(5)
    aws.traffic(2, errors=5)
    aws.traffic(5)
    for name in NAMES:
        states, times = zip(*aws.changes(name), strict=True)
        assert states == ("OK", "ALARM", "OK")
        assert 360 + METRIC_DELAY_S[0] <= times[1] <= 360 + METRIC_DELAY_S[1] + 60
        assert 480 + METRIC_DELAY_S[0] <= times[2] <= 480 + METRIC_DELAY_S[1] + 60


def test_alarms_are_evaluated_at_different_seconds(aws: Any) -> None:
    """Each alarm has a phase of its own, the same at every change."""
    put_alarms(aws)
    for errors in (0, 5, 0, 5, 0):
        aws.traffic(3, errors=errors)
    phases = {name: {round(time % 60, 3) for _, time in aws.changes(name)} for name in NAMES}
    assert all(len(seconds) == 1 for seconds in phases.values())
    assert len(set.union(*phases.values())) == len(NAMES)


def test_silence_becomes_insufficient_data_after_some_minutes(aws: Any) -> None:
    """When invocations stop, the last minute is judged again while among the six newest, then nothing is known."""
    put_alarms(aws)
    aws.traffic(5)
    aws.advance(600)
    for name in NAMES:
        state, time = aws.changes(name)[-1]
        assert state == "INSUFFICIENT_DATA"
        assert 300 + 360 <= time <= 300 + 420


def test_one_breaching_minute_and_silence_keeps_alarm_then_follows_the_treatment(aws: Any) -> None:
    """With `notBreaching`, ALARM ends in OK once the breaching minute has left the range."""
    put_alarms(aws, TreatMissingData="notBreaching")
    aws.traffic(3)
    aws.traffic(1, errors=5)
    aws.advance(600)
    for name in NAMES:
        (_, _), (state, ok_s) = aws.changes(name)[-2:]
        assert state == "OK"
        assert 240 + 360 <= ok_s <= 240 + 420


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


@pytest.mark.parametrize(
    ("treatment", "forced", "reverted"),
    [
        ("missing", "ALARM", "INSUFFICIENT_DATA"),  # captured 2021-10-14
        ("missing", "OK", "INSUFFICIENT_DATA"),
        ("notBreaching", "ALARM", "OK"),
        ("breaching", "OK", "ALARM"),
        ("ignore", "ALARM", "ALARM"),
    ],
)
def test_a_forced_state_reverts_without_data(aws: Any, treatment: str, forced: str, reverted: str) -> None:
    """The next evaluation decides, by the treatment alone where there are no data."""
    aws.put_alarm(TreatMissingData=treatment)
    aws.advance(120)
    aws.client.set_alarm_state(AlarmName="errors", StateValue=forced, StateReason="game day")
    assert aws.state() == forced
    aws.advance(60)
    assert aws.state() == reverted


def test_a_forced_state_yields_when_data_come(aws: Any) -> None:
    """The first real point ends a forced state."""
    aws.put_alarm()
    aws.client.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="game day")
    aws.advance(300)
    aws.put(0.0)
    aws.advance(120)
    assert aws.state() == "OK"


def test_detection_takes_as_long_as_captured() -> None:
    """From the end of the breaching minute to ALARM: 200 alarms in 200 clouds against twenty that were captured."""
    simulated = [detection_s(seed) for seed in range(200)]
    assert ks_2samp(simulated, CAPTURED_S).pvalue > 0.05
    assert sum(seconds < 60 for seconds in simulated) / 200 == pytest.approx(0.75, abs=0.1)
    low, median, high = (sorted(simulated)[share] for share in (10, 100, 190))
    assert (low, median, high) == pytest.approx((18, 48, 72), abs=8)


def test_the_same_seed_gives_the_same_minutes_whenever_and_however_fast() -> None:
    """Five starts 13 s apart at three speeds: the same datapoints and the same changes of state."""
    runs = [
        played(wall_s=NOON_S + start * 13, speed=speed, phase_s=21.0) for start in range(5) for speed in (10, 60, 300)
    ]
    assert [points for points, _ in runs] == [runs[0][0]] * 15
    assert [changes for _, changes in runs] == [runs[0][1]] * 15
    assert [state for state, _ in runs[0][1]] == ["OK", "ALARM", "OK"]


def test_history_is_in_order_of_time(aws: Any) -> None:
    """However much happens, no item is older than the one before."""
    put_alarms(aws)
    for errors in (0, 5, 0):
        aws.traffic(3, errors=errors)
    items = aws.client.describe_alarm_history(ScanBy="TimestampAscending")["AlarmHistoryItems"]
    assert all(earlier["Timestamp"] <= later["Timestamp"] for earlier, later in pairwise(items))
