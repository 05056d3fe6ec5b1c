"""A run told line by line."""

from pathlib import Path

import pytest

from harness.core.experiment.types import AlarmState
from harness.core.timeline.events import (
    AlarmSeen,
    Asked,
    Event,
    FaultStarted,
    LifecycleEvent,
    LookFailed,
    Note,
    RunStarted,
    Shadow,
    TargetSeen,
    Trouble,
    Write,
)
from harness.core.timeline.rollout import Rollout
from harness.report.folder import RunFolder
from harness.report.story import StoryLine, Teller

SAMPLE = RunFolder(Path(__file__).parents[2] / "reports" / "sample")
LOOKS: tuple[tuple[float, AlarmState], ...] = ((1.0, "OK"), (2.0, "OK"), (3.0, "ALARM"))


def told(*events: Event) -> list[StoryLine]:
    """The lines of a timeline."""
    teller, rollout, lines = Teller(), Rollout(), []
    for event in events:
        rollout = rollout.step(event)
        lines.extend(teller.tell(event, rollout))
    return lines


def test_a_rollback_is_told_from_beginning_to_end() -> None:
    """Each transition once, in order, and nothing else."""
    lines = told(*SAMPLE.read_events())
    texts = [line.text for line in lines]
    for part in (
        "began at speed",
        "was created",
        "error share 5 % began",
        "the bake time began",
        "is ALARM",
        "rolled back to version 1",
        "the run ended",
    ):
        texts = texts[next(i for i, text in enumerate(texts) if part in text) :]
    # Looks at alias and deployment take turns, so either may see the beginning and the end first.
    assert sum(line.text == "10 % on the canary" for line in lines) == 1
    assert sum(line.text == "0 % on the canary" for line in lines) == 1
    assert len(lines) < 30
    assert [line.at_s for line in lines] == sorted(line.at_s for line in lines)


def test_a_hook_that_does_not_report_is_told_once() -> None:
    """With its function, as soon as that is a minute late."""
    hook = LifecycleEvent(name="BeforeAllowTraffic", status="InProgress", started_s=5.0, script="check")
    looks = [
        TargetSeen(asked_s=at_s, at_s=at_s, deployment_id="d-1", status="InProgress", lifecycle=(hook,))
        for at_s in (10.0, 70.0, 75.0, 80.0)
    ]
    lines = told(RunStarted(at_s=0.0, experiment="x", epoch_s=0.0, deployment="d-1"), *looks)
    (line,) = [line for line in lines if line.kind == "trouble"]
    assert line.at_s == 70.0
    assert line.text.startswith("d-1 waits for its hook BeforeAllowTraffic: the function check did not call")


def test_what_people_do_bears_their_names() -> None:
    """A note, an ask, a refusal, and a fault that somebody asked for."""
    lines = told(
        Note(at_s=1.0, text="here it comes", by="Ana"),
        Asked(at_s=2.0, what="error_share", value="0.2", by="Bea"),
        Asked(at_s=3.0, what="force_alarm", value="ALARM", by="Bea", refused="read-only"),
        FaultStarted(at_s=4.0, fault="hand.error_share", kind="error_share", value="0.2", by="Bea"),
    )
    assert [(line.by, line.text) for line in lines] == [
        ("Ana", "here it comes"),
        ("Bea", "asked for error share 0.2"),
        ("Bea", "asked for force alarm ALARM, refused: read-only"),
        ("Bea", "error share 20 % began"),
    ]


def test_blindness_is_told_when_it_begins() -> None:
    """Not with every look that fails."""
    failed = LookFailed(at_s=1.0, asked_s=0.5, call="codedeploy:GetDeployment", code="Throttling", message="too fast")
    lines = told(failed, failed, failed)
    assert [line.text for line in lines] == ["a look failed: too fast"]


def test_a_permission_that_is_missing_is_told_once() -> None:
    """Other looks succeed in between, and it would be told with each of them."""
    call = "lambda:GetAlias"
    denied = LookFailed(at_s=1.0, asked_s=0.5, call=call, code="AccessDeniedException", message="allow it")
    seen = AlarmSeen(at_s=2.0, asked_s=1.9, name="errors", state="OK")
    lines = told(denied, seen, denied, seen)
    assert [line.text for line in lines if line.kind == "trouble"] == ["a look failed: allow it"]


@pytest.mark.parametrize(("step", "kind"), [("done", "fault"), ("failed", "trouble"), ("undone", "fault")])
def test_writes_are_told_when_they_are_made(step: str, kind: str) -> None:
    """The intention alone changed nothing yet."""
    write = Write(at_s=1.0, call="cloudwatch:SetAlarmState", subject="errors", step=step)  # type: ignore[arg-type]
    assert [line.kind for line in told(write)] == [kind]
    assert told(Write(at_s=1.0, call="cloudwatch:SetAlarmState", subject="errors", step="intended")) == []


@pytest.mark.parametrize("call", ["codedeploy:CreateDeployment", "lambda:PublishVersion", "lambda:UpdateAlias"])
def test_write_that_deploys_is_no_fault(call: str) -> None:
    """What we release ourselves is marked as a write."""
    assert [line.kind for line in told(Write(at_s=1.0, call=call, subject="group", step="done"))] == ["write"]


def test_foreign_words_cannot_move_the_cursor() -> None:
    """A log is read on terminals."""
    (line,) = told(Trouble(at_s=1.0, what="worker", message="\x1b[2Jgone\naway"))
    assert line.text == "worker: [2Jgone away"


def test_a_shadow_alarm_is_told_as_one_that_does_not_exist() -> None:
    """Its turns are told once each, and why it is not read any more."""
    states = [AlarmSeen(at_s=at_s, asked_s=at_s, name="strict", state=state) for at_s, state in LOOKS]
    failed = LookFailed(at_s=9.0, asked_s=9.0, call="c", code="ValidationError", message="no such statistic")
    lines = told(*(Shadow(at_s=one.at_s, seen=one) for one in (*states, failed)))
    assert [line.text for line in lines] == [
        "shadow alarm strict would be in OK",
        "shadow alarm strict would be in ALARM",
        "shadow alarms are not read any more: no such statistic",
    ]
