"""The fleet: arrivals are split over whoever paces, and every change reaches all for one instant."""

import time

import pytest
from msgspec.structs import replace

from harness.core.experiment import Experiment, Traffic
from harness.core.pacing import Part
from harness.load.fleet import Fleet
from harness.load.steering import Steering, Timebase, unpacked

EXPERIMENT = Experiment(name="test", traffic=Traffic(arrival_rate=20.0), seed=3)


class Post:
    """Remembers the last steering of every worker."""

    def __init__(self) -> None:
        self.last: dict[str, Steering] = {}

    def __call__(self, worker: str, steering: Steering) -> None:
        """Delivers."""
        self.last[worker] = steering

    def parts(self) -> dict[str, Part | None]:
        """Who has which part."""
        return {worker: steering.part for worker, steering in self.last.items()}


@pytest.fixture
def post() -> Post:
    """The workers' letter box."""
    return Post()


@pytest.fixture
def fleet(post: Post) -> Fleet:
    """A fleet of a run that began just now."""
    return Fleet(EXPERIMENT, Timebase(time.time(), 60.0), post)


def test_nobody_has_anything_to_send_before_a_worker_is_there(fleet: Fleet) -> None:
    """No arrival is asked for that nobody could start."""
    assert (fleet.steering.pace.rate, fleet.steering.part) == (0.0, None)


def test_a_single_worker_gets_everything_at_once(fleet: Fleet, post: Post) -> None:
    """The whole rate, from this instant on."""
    fleet.join("a")
    steering = post.last["a"]
    assert (steering.part, steering.pace.rate, steering.pace.level) == (Part(0, 1), 20.0, 0.0)
    assert steering.pace.since_s <= fleet.steering.timebase.now_s()


def test_a_worker_that_joins_shares_the_arrivals(fleet: Fleet, post: Post) -> None:
    """Both get a part, and the same pace from the same instant, which is still to come."""
    fleet.join("a")
    fleet.join("b")
    assert post.parts() == {"a": Part(0, 2), "b": Part(1, 2)}
    assert post.last["a"].pace == post.last["b"].pace
    assert post.last["a"].pace.since_s > fleet.steering.timebase.now_s()


def test_the_others_take_over_from_a_worker_that_leaves(fleet: Fleet, post: Post) -> None:
    """What is left is split anew."""
    for worker in ("a", "b", "c"):
        fleet.join(worker)
    fleet.leave("a")
    assert (post.last["b"].part, post.last["c"].part) == (Part(0, 2), Part(1, 2))


def test_nothing_is_planned_while_nobody_paces(fleet: Fleet) -> None:
    """When the last worker left, the plan stands still."""
    fleet.join("a")
    fleet.leave("a")
    assert fleet.steering.pace.rate == 0.0


def test_joining_twice_changes_nothing(fleet: Fleet, post: Post) -> None:
    """A worker that says twice that it is there has one part."""
    fleet.join("a")
    fleet.join("a")
    assert post.parts() == {"a": Part(0, 1)}


def test_a_new_share_and_rate_reach_all(fleet: Fleet, post: Post) -> None:
    """Every worker hears of them, and keeps its part."""
    fleet.join("a")
    fleet.join("b")
    fleet.set_error_share(0.2)
    fleet.set_rate(50.0)
    for steering in post.last.values():
        assert (steering.error_share, steering.pace.rate) == (0.2, 50.0)
    assert post.parts() == {"a": Part(0, 2), "b": Part(1, 2)}


def test_steering_survives_a_message(fleet: Fleet) -> None:
    """Packed and unpacked it is the same."""
    steering = replace(fleet.steering, part=Part(1, 3), error_share=0.25)
    assert unpacked(steering.packed()) == steering
