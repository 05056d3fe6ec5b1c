"""The journal: what is recorded around a write, and what is not written without a record."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.aws.journal import HEAL_WITHIN_S, SETTLED_S, Journal, JournalEntry
from harness.core.timeline.events import Event, Write
from harness.errors import AccessDenied, HarnessError, NotFound, RunEnding, Unreachable
from tests.aws.scripted_aws import Stage

GONE = NotFound("lambda:GetAlias", "ResourceNotFoundException", "no alias")


def entry(events: list[Event]) -> JournalEntry:
    """An entry of a journal that is kept in `events`."""
    return Journal(events.append, lambda: 1.0).entry("lambda:UpdateAlias", "fn:live", before="1", after="2")


def steps(events: list[Event]) -> list[tuple[str, str]]:
    """Steps and details of what was recorded."""
    return [(event.step, event.detail) for event in events if isinstance(event, Write)]


def failing(error: HarnessError) -> str:
    """A write that fails."""
    raise error


def test_a_write_is_recorded_before_and_after_it() -> None:
    """The intention is recorded when the write begins, and what was done when it has ended."""
    events: list[Event] = []
    during: list[tuple[str, str]] = []

    def write() -> str:
        during.extend(steps(events))
        return "2"

    assert entry(events).make("1 to 2", write) == "2"
    assert during == [("intended", "1 to 2")]
    assert steps(events) == [("intended", "1 to 2"), ("done", "2")]


def test_what_cannot_be_recorded_is_not_written() -> None:
    """Where the journal fails, the write is not made."""

    def full(event: Event) -> None:
        raise OSError("no space left on device")

    made: list[int] = []
    one = Journal(full, lambda: 1.0).entry("lambda:UpdateAlias", "fn:live")
    with pytest.raises(OSError, match="no space left"):
        one.make("1 to 2", lambda: made.append(1))
    assert not made


def test_a_failed_write_is_recorded_and_raised() -> None:
    """The caller gets the error, and the journal says refused."""
    events: list[Event] = []
    with pytest.raises(NotFound):
        entry(events).make("1 to 2", lambda: failing(GONE))
    assert [step for step, _ in steps(events)] == ["intended", "refused"]


@pytest.mark.parametrize(("gone", "step"), [("the alias is gone", "undone"), ("", "failed")])
def test_what_is_gone_is_undone_only_where_that_is_said(gone: str, step: str) -> None:
    """A thing that does not exist counts as undone if the caller says so, else as a failure."""
    events: list[Event] = []
    assert entry(events).undo(lambda: failing(GONE), gone=gone) is (step == "undone")
    assert steps(events) == [(step, gone or str(GONE))]


def test_a_failed_undo_is_never_called_undone() -> None:
    """Any other error is recorded as failed, whatever is to be said of what is gone."""
    events: list[Event] = []
    assert not entry(events).undo(lambda: failing(HarnessError("no answer")), gone="the alias is gone")
    assert steps(events) == [("failed", "no answer")]


def test_a_run_that_ends_begins_no_write_and_awaits_the_one_under_way() -> None:
    """What undoes a change is still made."""
    events: list[Event] = []
    journal = Journal(events.append, lambda: 1.0)
    begun, may_end, made = threading.Event(), threading.Event(), list[int]()

    def slow() -> str:
        begun.set()
        assert may_end.wait(10)
        return "2"

    with ThreadPoolExecutor() as pool:
        writing = pool.submit(journal.entry("lambda:UpdateAlias", "fn:live").make, "1 to 2", slow)
        assert begun.wait(10)
        journal.shut()
        with pytest.raises(RunEnding):
            journal.entry("lambda:UpdateAlias", "fn:other").make("1 to 2", lambda: made.append(1))
        assert not journal.wait(0.01)
        may_end.set()
        assert journal.wait(10)
        writing.result(10)
    assert not made
    assert journal.entry("lambda:UpdateAlias", "fn:live").undo(lambda: "1")
    assert [step for step, _ in steps(events)] == ["intended", "done", "undone"]


def test_what_had_no_answer_is_called_undone_only_when_it_can_act_no_more() -> None:
    """It is undone again and again until then, for as long as somebody waits."""
    stage = Stage()
    one, tries = stage.journal().entry("lambda:UpdateAlias", "fn:live"), list[float]()
    lost = Unreachable("lambda:UpdateAlias", "read timeout")

    def write_back() -> str:
        tries.append(stage.clock.at_s)
        return "back on 1"

    with pytest.raises(Unreachable):
        one.make("1 to 2", lambda: failing(lost))
    assert not one.undo(write_back)
    assert tries == [0.0, 1.0, 2.0, 3.0, 4.0, HEAL_WITHIN_S]
    stage.clock.at_s = SETTLED_S - 1
    assert one.undo(write_back)
    assert [step for step, _ in steps(stage.events)] == ["intended", "unanswered", "failed", "undone"]


def test_a_refusal_after_an_attempt_without_an_answer_is_no_refusal() -> None:
    """The attempt before may have acted."""
    events: list[Event] = []
    doubted = AccessDenied("lambda:UpdateAlias", "AccessDenied", "no")
    doubted.doubted = True
    with pytest.raises(AccessDenied):
        entry(events).make("1 to 2", lambda: failing(doubted))
    assert [step for step, _ in steps(events)] == ["intended", "unanswered"]
