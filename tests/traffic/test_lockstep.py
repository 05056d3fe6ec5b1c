"""Time waits for the traffic of a rehearsal."""

import time
from pathlib import Path

import pytest

from harness.traffic import lockstep
from harness.traffic.client.prepared import Prepared
from harness.traffic.lockstep import MOST_ON_THE_WAY, Lockstep
from harness.traffic.steering import Timebase
from harness.wallclock import Standstill

REQUEST = Prepared("GET", "/", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 3.0)


@pytest.fixture
def world(tmp_path: Path) -> Standstill:
    """A time that stands still until somebody lets it go on."""
    made = Standstill.create(tmp_path / "world")
    made.renew(0.0)
    return made


def goes_on(world: Standstill) -> bool:
    """Whether time passes."""
    before_s = world.passed_s()
    time.sleep(0.002)
    return world.passed_s() > before_s


def test_a_request_says_when_it_was_due(world: Standstill) -> None:
    """By the wall clock, and in the run; all else stays."""
    stamped = Lockstep(world, Timebase(1000.0, 60.0)).stamped(REQUEST, 30.0)
    assert stamped.payload == b"GET / HTTP/1.1\r\nX-Rehearsal-Due: 1000.5000000 30.000000\r\nHost: a\r\n\r\n"
    assert (stamped.method, stamped.idempotent, stamped.timeout_s) == ("GET", True, 3.0)


def test_time_waits_for_what_is_on_the_way(world: Standstill) -> None:
    """Until enough of it arrived."""
    step = Lockstep(world, Timebase(0.0, 60.0))
    for _ in range(MOST_ON_THE_WAY + 1):
        step.stamped(REQUEST, 0.0)
    step.keep()
    assert not goes_on(world)
    world.note_arrival()
    step.keep()
    assert goes_on(world)


def test_time_does_not_wait_for_what_is_lost(world: Standstill, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that never arrives holds it up once, and for a moment."""
    monkeypatch.setattr(lockstep, "PATIENCE_S", 0.01)
    step = Lockstep(world, Timebase(0.0, 60.0))
    for _ in range(2 * MOST_ON_THE_WAY):
        step.stamped(REQUEST, 0.0)
    step.keep()
    time.sleep(0.02)
    step.keep()
    assert goes_on(world)
    step.stamped(REQUEST, 0.0)
    world.renew(0.0)
    step.keep()
    assert goes_on(world)


def test_time_waits_for_nobody_who_has_ended(world: Standstill) -> None:
    """The lease is without an end then."""
    Lockstep(world, Timebase(0.0, 60.0)).end()
    assert goes_on(world)


def test_time_does_not_wait_again_and_again_where_nothing_arrives_at_all(
    world: Standstill, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The local cloud may be gone; once something arrives, it is back."""
    monkeypatch.setattr(lockstep, "PATIENCE_S", 0.0)
    step = Lockstep(world, Timebase(0.0, 60.0))

    def send_more_than_arrives() -> None:
        for _ in range(MOST_ON_THE_WAY + 1):
            step.stamped(REQUEST, 0.0)

    for _ in range(lockstep.MOST_IN_VAIN):
        send_more_than_arrives()
        step.keep()
    monkeypatch.setattr(lockstep, "PATIENCE_S", 60.0)
    send_more_than_arrives()
    world.renew(0.0)
    step.keep()
    assert goes_on(world)
    world.note_arrival()
    send_more_than_arrives()
    world.renew(0.0)
    step.keep()
    assert not goes_on(world)
