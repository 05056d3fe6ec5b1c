"""What is drawn two hundred times to be held against captured times: one simulated event a seed, in seconds."""

import random
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from harness.core.delays import STOP_DELAY_S
from harness.rehearsal.clock import CloudClock, Schedule
from harness.rehearsal.cloudwatch.service import CloudWatch
from harness.rehearsal.codedeploy.alarm_watch import AlarmWatch
from harness.rehearsal.codedeploy.records import Alarming, RollingBack


def alarm_to_stopped(seed: int) -> float:
    """From an alarm's change to ALARM, at any moment of a bake, to the status Stopped."""
    dice = random.Random(f"alarm-to-stopped:{seed}")
    schedule, stopped = Schedule(CloudClock(speed=0, wall=lambda: 0.0)), []
    deployment = SimpleNamespace(running=True, alarms=Alarming(enabled=True, names=("errors",)), rollback=RollingBack())
    alarms = SimpleNamespace(states=lambda _: {"errors": "ALARM" if schedule.clock.now() >= rang_s else "OK"})

    def stop(_id: str, at_s: float, _failure: object, *, roll_back: bool) -> None:
        deployment.running = False
        stopped.append(at_s)

    watch = AlarmWatch(schedule, SimpleNamespace(deployments={"d": deployment}), alarms, stop, STOP_DELAY_S)  # type: ignore[arg-type]
    rang_s = dice.uniform(60, 240)
    watch.begin("d", 0.0, dice)
    schedule.advance(400)
    return float(stopped[0]) - rang_s


def end_of_minute_to_alarm(seed: int) -> float:
    """From the end of the first minute with errors of a function to the ALARM of one period of 60 s."""
    schedule = Schedule(CloudClock(speed=0, wall=lambda: 0.0))
    cloudwatch = CloudWatch(schedule, rng=random.Random(seed), account="123456789012", region="eu-north-1")
    metric = {
        "Namespace": "AWS/Lambda",
        "MetricName": "Errors",
        "Dimensions": [{"Name": "FunctionName", "Value": "fn"}],
    }
    rule = {"Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0}
    comparison = {"ComparisonOperator": "GreaterThanOrEqualToThreshold"}
    cloudwatch.put_metric_alarm({"AlarmName": "errors", **metric, **rule, **comparison})
    cloudwatch.invocations.record("fn", "live", "1", 30.0, 12.0, failed=True)
    schedule.advance(180)
    (change,) = cloudwatch.describe_alarm_history({"HistoryItemType": "StateUpdate"})["AlarmHistoryItems"]
    return float(change["Timestamp"].timestamp()) - 60.0


SAMPLES: Mapping[str, Callable[[Any], float]] = {
    "alarm_to_stopped": alarm_to_stopped,
    "end_of_minute_to_alarm": end_of_minute_to_alarm,
}
