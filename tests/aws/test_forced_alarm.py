"""A forced alarm is taken back, whatever happens."""

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest

from harness.aws.forced_alarm import ForcedAlarm
from harness.aws.journal import AS_BEFORE, SETTLED_S
from harness.core.timeline.events import Write
from harness.errors import AccessDenied, NotFound, Unreachable
from tests.aws.scripted_aws import Stage

GONE = NotFound("cloudwatch:SetAlarmState", "ResourceNotFound", "no such alarm")
LOST = Unreachable("cloudwatch:SetAlarmState", "read timeout")
MEANWHILE_S = 0.05
"""Wall time in which what does not wait would be done."""


class Alarm:
    """An alarm of the scripted AWS that takes what it is set to."""

    def __init__(self, stage: Stage, state: str, *, composite: bool = False) -> None:
        self.state = state
        self._list = "CompositeAlarms" if composite else "MetricAlarms"
        self._other = "MetricAlarms" if composite else "CompositeAlarms"
        stage.aws.script = {"describe_alarms": self.described, "set_alarm_state": self.set}

    def described(self, **_: Any) -> dict[str, Any]:
        """DescribeAlarms."""
        return {self._list: [{"AlarmName": "errors", "StateValue": self.state}], self._other: []}

    def set(self, StateValue: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        """SetAlarmState."""
        self.state = StateValue
        return {}


def forced(stage: Stage) -> ForcedAlarm:
    """The fault that all tests inject."""
    return ForcedAlarm(
        stage.aws,  # type: ignore[arg-type]
        name="errors",
        state="ALARM",
        reason="testing",
        journal=stage.journal(),
    )


def journal(stage: Stage) -> list[tuple[str, str]]:
    """Step and detail of every write."""
    return [(event.step, event.detail) for event in stage.seen(Write)]


@pytest.mark.parametrize("composite", [False, True])
@pytest.mark.parametrize("before", ["OK", "INSUFFICIENT_DATA"])
def test_the_state_before_is_restored(stage: Stage, before: str, composite: bool) -> None:
    """What was forced is gone afterwards, for both kinds of alarms."""
    alarm = Alarm(stage, before, composite=composite)
    fault = forced(stage)
    fault.inject()
    assert alarm.state == "ALARM"
    assert fault.heal()
    assert alarm.state == before
    assert journal(stage) == [("intended", f"{before} to ALARM"), ("done", "ALARM"), ("undone", before)]


def test_the_reason_is_the_callers(stage: Stage) -> None:
    """CloudWatch's history shows who forced the alarm and why."""
    Alarm(stage, "OK")
    forced(stage).inject()
    assert stage.aws.called("set_alarm_state") == [
        {"AlarmName": "errors", "StateValue": "ALARM", "StateReason": "testing"}
    ]


def test_a_state_that_the_evaluation_took_back_is_left_alone(stage: Stage) -> None:
    """What the alarm says by itself by now is not overwritten."""
    alarm = Alarm(stage, "OK")
    fault = forced(stage)
    fault.inject()
    alarm.state = "INSUFFICIENT_DATA"
    assert fault.heal()
    assert alarm.state == "INSUFFICIENT_DATA"
    assert journal(stage)[-1] == ("undone", AS_BEFORE)


def test_a_state_that_the_evaluation_took_back_is_forced_again(stage: Stage) -> None:
    """The fault lasts until it is healed."""
    alarm = Alarm(stage, "OK")
    fault = forced(stage)
    fault.inject()
    alarm.state = "OK"
    fault.hold()
    assert alarm.state == "ALARM"
    assert [step for step, _ in journal(stage)] == ["intended", "done", "intended", "done"]


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_nothing_is_forced_again_without_need(stage: Stage, moment: str) -> None:
    """Neither before the fault, nor while its state holds, nor once it is healed."""
    Alarm(stage, "OK")
    fault = forced(stage)
    if moment != "before":
        fault.inject()
    if moment == "after":
        fault.heal()
    writes = len(stage.events)
    fault.hold()
    assert len(stage.events) == writes


def test_a_look_that_fails_forces_nothing(stage: Stage) -> None:
    """The next one may tell more."""
    Alarm(stage, "OK")
    fault = forced(stage)
    fault.inject()
    stage.aws.script["describe_alarms"] = LOST
    fault.hold()
    assert len(stage.aws.called("set_alarm_state")) == 1


class Slow(Alarm):
    """An alarm that takes its time with every state ALARM; `begun` and `may_end` are of the call that is under way."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage, "OK")
        self.begun, self.may_end = threading.Event(), threading.Event()

    def set(self, StateValue: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        """SetAlarmState."""
        if StateValue == "ALARM":
            self.begun.set()
            assert self.may_end.wait(10)
            self.begun.clear()
        return super().set(StateValue)


def test_a_look_while_the_state_is_being_set_forces_it_no_second_time(stage: Stage) -> None:
    """What it would see is what was there before."""
    alarm, fault = Slow(stage), forced(stage)
    with ThreadPoolExecutor() as pool:
        injecting = pool.submit(fault.inject)
        assert alarm.begun.wait(10)
        holding = pool.submit(fault.hold)
        wait([holding], MEANWHILE_S)
        alarm.may_end.set()
        injecting.result(10)
        holding.result(10)
    assert len(stage.aws.called("set_alarm_state")) == 1


def test_what_is_healed_while_it_is_forced_again_stays_healed(stage: Stage) -> None:
    """The healing waits for the call that is under way, which would otherwise come after it."""
    alarm, fault = Slow(stage), forced(stage)
    alarm.may_end.set()
    fault.inject()
    alarm.state = "OK"
    alarm.may_end.clear()
    with ThreadPoolExecutor() as pool:
        holding = pool.submit(fault.hold)
        assert alarm.begun.wait(10)
        healing = pool.submit(fault.heal)
        wait([healing], MEANWHILE_S)
        alarm.may_end.set()
        holding.result(10)
        assert healing.result(10)
    assert alarm.state == "OK"
    assert [step for step, _ in journal(stage)][-2:] == ["done", "undone"]


def test_healing_twice_does_it_once(stage: Stage) -> None:
    """And healing what was never injected does nothing."""
    Alarm(stage, "OK")
    fault = forced(stage)
    assert fault.heal()
    fault.inject()
    assert fault.heal()
    assert fault.heal()
    assert [step for step, _ in journal(stage)] == ["intended", "done", "undone"]


def test_injecting_twice_keeps_the_state_before(stage: Stage) -> None:
    """The second time the alarm is in the forced state already."""
    alarm = Alarm(stage, "OK")
    fault = forced(stage)
    fault.inject()
    fault.inject()
    fault.heal()
    assert alarm.state == "OK"


def test_an_alarm_that_does_not_exist_cannot_be_forced(stage: Stage) -> None:
    """Nothing was intended, so there is nothing to undo."""
    stage.aws.script = {"describe_alarms": {"MetricAlarms": [], "CompositeAlarms": []}}
    fault = forced(stage)
    with pytest.raises(NotFound, match="errors"):
        fault.inject()
    assert fault.heal()
    assert stage.events == []


def test_a_refused_injection_is_raised_and_journaled(stage: Stage) -> None:
    """The caller must know that the fault is not there."""
    Alarm(stage, "OK")
    stage.aws.script["set_alarm_state"] = AccessDenied("cloudwatch:SetAlarmState", "AccessDenied", "no")
    with pytest.raises(AccessDenied):
        forced(stage).inject()
    assert [step for step, _ in journal(stage)] == ["intended", "refused"]


def test_an_injection_whose_answer_was_lost_is_healed(stage: Stage) -> None:
    """The state may have been set all the same, or be set yet: only later is it called undone."""
    alarm = Alarm(stage, "OK")
    works = stage.aws.script["set_alarm_state"]
    stage.aws.script["set_alarm_state"] = deque([LOST, works])
    fault = forced(stage)
    with pytest.raises(Unreachable):
        fault.inject()
    alarm.state = "ALARM"
    assert not fault.heal()
    assert alarm.state == "OK"
    assert "may still act" in journal(stage)[-1][1]
    stage.clock.at_s += SETTLED_S
    assert fault.heal()
    assert journal(stage)[-1] == ("undone", AS_BEFORE)


@pytest.mark.parametrize("operation", ["describe_alarms", "set_alarm_state"])
def test_an_alarm_that_vanished_is_healed(stage: Stage, operation: str) -> None:
    """Whether that is seen by listing it or by setting it."""
    Alarm(stage, "OK")
    fault = forced(stage)
    fault.inject()
    stage.aws.script[operation] = {"MetricAlarms": [], "CompositeAlarms": []} if operation[0] == "d" else GONE
    assert fault.heal()
    assert journal(stage)[-1][0] == "undone"


def test_a_failed_healing_is_journaled_and_may_be_repeated(stage: Stage) -> None:
    """It never raises, and says that something is left."""
    alarm = Alarm(stage, "OK")
    fault = forced(stage)
    fault.inject()
    works = dict(stage.aws.script)
    stage.aws.script = dict.fromkeys(works, LOST)
    assert not fault.heal()
    assert journal(stage)[-1][0] == "failed"
    stage.aws.script = works
    assert fault.heal()
    assert alarm.state == "OK"
