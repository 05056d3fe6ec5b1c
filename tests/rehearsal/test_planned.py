"""What the local cloud knows of the requests that a rehearsal planned."""

from pathlib import Path
from typing import Any

import pytest

from harness.rehearsal.clock import CloudClock, Schedule
from harness.rehearsal.functions.records import Alias
from harness.rehearsal.functions.routing import route
from harness.rehearsal.planned import HEADER, LONGEST_S, Plan
from harness.wallclock import Standstill

SPEED = 60.0
NOW_S = 5000.0


@pytest.fixture
def schedule() -> Schedule:
    """One whose wall clock stands at the instant at which both times agree."""
    return Schedule(CloudClock(SPEED, wall=lambda: NOW_S))


@pytest.fixture
def world(tmp_path: Path) -> Standstill:
    """The time that is shared with whoever sends."""
    return Standstill.create(tmp_path / "world")


def scope(value: str) -> dict[str, Any]:
    """A request with this date."""
    return {"headers": [(b"host", b"a"), (HEADER, value.encode())]}


def test_a_request_counts_as_it_was_due(schedule: Schedule, world: Standstill) -> None:
    """Its date is taken out before anybody's code sees it, and it has arrived."""
    request = scope(f"{NOW_S - 0.5} 12.5")
    planned = Plan(schedule, world, 1).of(request, NOW_S)
    assert planned
    assert planned[0] == pytest.approx(NOW_S - 0.5 * SPEED)
    assert (request["headers"], world.arrived) == ([(b"host", b"a")], 1)


@pytest.mark.parametrize("value", ["soon 1", "", f"{NOW_S - LONGEST_S - 1} 1"])
def test_a_date_that_tells_nothing_is_left_out(value: str, schedule: Schedule, world: Standstill) -> None:
    """The request counts from when it came."""
    assert Plan(schedule, world, 1).of(scope(value), NOW_S) is None
    assert Plan(schedule, world, 1).of({"headers": []}, NOW_S) is None


def test_draws_follow_from_the_seed_and_the_request_alone(schedule: Schedule, world: Standstill) -> None:
    """Whatever came before; other seeds and requests draw others, evenly from 0 to 1."""

    def draws(seed: int, name: str) -> list[float]:
        planned = Plan(schedule, world, seed).of(scope(f"{NOW_S} {name}"), NOW_S)
        assert planned
        return [planned[1]() for _ in range(9)]

    assert draws(1, "1.5") == draws(1, "1.5")
    assert len({draws(seed, name)[0] for seed in (1, 2) for name in ("1.5", "2.5")}) == 4
    drawn = [draws(3, f"{number}")[0] for number in range(500)]
    assert all(0 <= chance < 1 for chance in drawn)
    assert sum(drawn) / len(drawn) == pytest.approx(0.5, abs=0.06)


def test_what_was_due_before_a_request_has_happened_when_it_is_answered(schedule: Schedule, world: Standstill) -> None:
    """And what is due after it has not."""
    done: list[float] = []
    for at_s in (NOW_S - 1, NOW_S + 1):
        schedule.at(at_s, lambda at_s: done.append(schedule.instant()))
    Plan(schedule, world, 1).of(scope(f"{NOW_S} 1"), NOW_S)
    assert done == [NOW_S - 1]


def test_a_run_that_was_due_before_a_shift_is_drawn_by_the_weights_of_then() -> None:
    """And one that was due later by the new ones."""
    before = route(Alias(name="Live", version="1", weights={}, description="", revision_id=""))
    after = route(Alias(name="Live", version="1", weights={"2": 1.0}, description="", revision_id=""), 10.0, before)
    assert [after.draw(0.5, at_s) for at_s in (9.9, 10.0, None)] == ["1", "2", "2"]
