"""When the world outside counts as gone."""

import pytest

from harness.core.timeline.events import AliasSeen, LookFailed, Requests
from harness.run.contact import Contact
from harness.traffic import steering
from harness.traffic.steering import Timebase

LOST = LookFailed(at_s=0.0, asked_s=0.0, call="lambda:GetAlias", code="Unreachable", message="no such host")
SEEN = AliasSeen(at_s=0.0, asked_s=0.0, function="fn", alias="live", version="1")


class Clock:
    """A run that began so many seconds ago."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        monkeypatch.setattr(steering, "wall_now", lambda: self.now_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The wall clock, moved by hand."""
    return Clock(monkeypatch)


def answered(status: int) -> Requests:
    """A request to the service; status 0 is no answer."""
    return Requests(
        at_s=0.0,
        intent="good",
        persona="standard",
        endpoint="/fakeUser",
        version=None,
        outcome="ok" if status else "failed",
        status=status,
        count=1,
        latency={},
        service_time={},
    )


def test_a_minute_without_any_answer_is_survived(clock: Clock) -> None:
    """A name that did not resolve for a minute is no reason to end a run; three minutes are, at AWS's speed."""
    contact = Contact(Timebase(clock.now_s))
    contact.note(LOST)
    contact.note(answered(0))
    clock.now_s += 75.0
    assert contact.lost() is None
    clock.now_s += 180.0
    assert contact.lost() == "no such host"


@pytest.mark.parametrize("sign", [SEEN, answered(502)])
def test_whoever_answers_keeps_the_run_alive(clock: Clock, sign: Requests | AliasSeen) -> None:
    """The service without a control plane, or the control plane without the service."""
    contact = Contact(Timebase(clock.now_s))
    contact.note(LOST)
    clock.now_s += 170.0
    contact.note(sign)
    contact.note(LOST)
    clock.now_s += 170.0
    assert contact.lost() is None


def test_a_control_plane_that_was_never_seen_is_given_up_soon(clock: Clock) -> None:
    """A wrong region or credentials that were never good: half an hour of traffic would not mend them."""
    contact = Contact(Timebase(clock.now_s))
    contact.note(LOST)
    clock.now_s += 170.0
    contact.note(answered(200))
    assert contact.blind() is None
    clock.now_s += 20.0
    assert contact.blind() == "no such host"
    assert contact.lost() is None


def test_a_control_plane_that_was_seen_once_may_come_back(clock: Clock) -> None:
    """Credentials may be renewed, and an outage may end."""
    contact = Contact(Timebase(clock.now_s))
    contact.note(SEEN)
    contact.note(LOST)
    clock.now_s += 1000.0
    contact.note(answered(200))
    assert contact.blind() is None


def test_a_fast_clock_leaves_some_seconds_of_wall_time(clock: Clock) -> None:
    """A busy machine must not look like a world that is gone."""
    contact = Contact(Timebase(clock.now_s, 60.0))
    contact.note(LOST)
    clock.now_s += 4.0
    assert contact.lost() is None
    clock.now_s += 2.0
    assert contact.lost()
