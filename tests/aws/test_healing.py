"""After a crash the journal tells what is left, and how to undo it."""

from typing import Any

import pytest

from harness.aws.concurrency import THROTTLING, ReservedConcurrency
from harness.aws.fis import FisExperiment
from harness.aws.forced_alarm import FORCING, ForcedAlarm
from harness.aws.healing import heal
from harness.aws.journal import AS_BEFORE
from harness.aws.redeploy import DESCRIBING
from harness.core.timeline.events import Event, Write
from harness.core.timeline.left import unhealed
from harness.errors import Unreachable
from tests.aws.scripted_aws import Stage
from tests.aws.test_concurrency import Function
from tests.aws.test_fis import Service
from tests.aws.test_forced_alarm import Alarm


def crashed(stage: Stage) -> list[Event]:
    """The journal of a run that did all it can do, and was killed."""
    journal = stage.journal()
    aws: Any = stage.aws
    script: dict[str, Any] = {}
    taken_back = Alarm(stage, "INSUFFICIENT_DATA")
    script |= stage.aws.script
    Function(stage, 5)
    script |= stage.aws.script
    Service(stage)
    script |= stage.aws.script
    stage.aws.script = {**script, "get_experiment_template": {"experimentTemplate": {"id": "EXT1"}}}
    alarm = ForcedAlarm(aws, name="errors", state="ALARM", reason="x", journal=journal)
    alarm.inject()
    taken_back.state = "OK"
    alarm.hold()
    ReservedConcurrency(aws, function="fn", limit=0, journal=journal).inject()
    FisExperiment(aws, template="EXT1", journal=journal).inject()
    return [*stage.events]


def healed(stage: Stage, events: list[Event]) -> dict[str, str]:
    """Heals what is left; what is told of each."""
    done = heal(stage.aws, unhealed(events), stage.events.append, stage.clock, rest=stage.rest)  # type: ignore[arg-type]
    return {one.subject: f"{one.healed}: {one.told}" for one in done}


def test_everything_that_was_left_is_undone(stage: Stage) -> None:
    """Each as it was before, once, with what was done."""
    told = healed(stage, crashed(stage))
    assert told == {"errors": "True: INSUFFICIENT_DATA", "fn": "True: 5", "EXT1": "True: EXP0 was stopped"}
    assert healed(stage, stage.events) == {}


def test_what_was_never_made_is_not_said_to_be_undone(stage: Stage) -> None:
    """Killed between the note and the call: what is as it was before is left alone, and told as that."""
    script: dict[str, Any] = {}
    Alarm(stage, "OK")
    script |= stage.aws.script
    Function(stage, 77)
    stage.aws.script = {**script, **stage.aws.script, "get_function_configuration": {"Description": "mine"}}
    writes = [
        Write(at_s=1.0, call=call, subject="x", step="intended", before=before, after=after)
        for call, before, after in ((FORCING, "OK", "ALARM"), (THROTTLING, "77", "3"), (DESCRIBING, "mine", "a mark"))
    ]
    stage.clock.at_s = 1.0
    done = heal(stage.aws, unhealed(writes), stage.events.append, stage.clock, rest=stage.rest)  # type: ignore[arg-type]
    assert [(one.healed, one.found, one.told) for one in done] == [(True, False, AS_BEFORE)] * 3
    assert unhealed([*writes, *stage.events]) == []


def test_what_was_undone_already_is_not_left(stage: Stage) -> None:
    """Healing in the run counts, and so does one that a person asked for."""
    events = crashed(stage)
    undone = [
        Write(at_s=9.0, call=left.write.call, subject=left.write.subject, step="undone", after=left.write.after)
        for left in unhealed(events)
    ]
    assert unhealed([*events, *undone]) == []
    assert len(unhealed(events)) == 3


@pytest.mark.parametrize("cut", range(1, 9))
def test_any_prefix_of_a_journal_can_be_healed(stage: Stage, cut: int) -> None:
    """The process may be killed between the note and the call, or between the call and its answer."""
    events = crashed(stage)[:cut]
    stage.events.clear()
    done = heal(stage.aws, unhealed(events), stage.events.append, stage.clock, rest=stage.rest)  # type: ignore[arg-type]
    assert done
    assert all(one.healed for one in done)
    assert unhealed([*events, *stage.events]) == []


def test_what_is_not_found_is_left_and_says_where_to_look(stage: Stage) -> None:
    """The credentials may lead to another account than the run's."""
    events = crashed(stage)
    stage.aws.script = {"describe_alarms": {"MetricAlarms": [], "CompositeAlarms": []}}
    told = healed(stage, events)
    assert all(said.startswith("False: ") and "account and region" in said for said in told.values())
    assert len(unhealed(stage.events)) == 3


def test_what_cannot_be_reached_is_left_with_the_reason(stage: Stage) -> None:
    """And may be tried again."""
    events = crashed(stage)
    script = stage.aws.script
    stage.aws.script = dict.fromkeys(script, Unreachable("x:Y", "no route"))
    assert all("no route" in said for said in healed(stage, events).values())
    stage.aws.script = script
    assert len(healed(stage, stage.events)) == 3


def test_a_deployment_is_not_healed() -> None:
    """What is not undone by itself is not undone later."""
    assert unhealed([Write(at_s=0.0, call="codedeploy:CreateDeployment", subject="a/b", step="intended")]) == []
