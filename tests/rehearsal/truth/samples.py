"""What is drawn two hundred times to be held against captured times: one simulated event a seed, in seconds."""

import random
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from harness.rehearsal.clock import CloudClock, Schedule
from harness.rehearsal.codedeploy.alarm_watch import AlarmWatch
from harness.rehearsal.codedeploy.records import Alarming, RollingBack
from harness.rehearsal.codedeploy.timing import STOP_DELAY_S


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


SAMPLES: Mapping[str, Callable[[Any], float]] = {"alarm_to_stopped": alarm_to_stopped}
