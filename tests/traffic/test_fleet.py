"""The fleet: arrivals are split over whoever paces, and every change reaches all for one instant."""

import time

import pytest
from msgspec.structs import replace

from harness.core.experiment.pacing import NOTHING, WorkerPart
from harness.core.experiment.types import Experiment, RateStep, Replay, Traffic
from harness.traffic.fleet import Fleet
from harness.traffic.steering import Steering, Timebase, unpacked

EXPERIMENT = Experiment(name="test", traffic=Traffic(arrival_rate=20.0), seed=3)


def planned(steering: Steering) -> float:
    """Arrivals planned within the first second after the steering holds."""
    return steering.plan.level_at(steering.since_s + 1) - steering.plan.level_at(steering.since_s)


class Post:
    """Remembers the last steering of every worker."""

    def __init__(self) -> None:
        self.last: dict[str, Steering] = {}
        self.delivered = 0

    def __call__(self, worker: str, steering: Steering) -> None:
        """Delivers."""
        self.last[worker] = steering
        self.delivered += 1

    def parts(self) -> dict[str, WorkerPart | None]:
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
    assert (fleet.steering.plan.level_at(1e6), fleet.steering.part) == (0.0, None)


def test_a_single_worker_gets_everything_at_once(fleet: Fleet, post: Post) -> None:
    """The whole rate, from this instant on."""
    fleet.join("a")
    steering = post.last["a"]
    assert (steering.part, planned(steering)) == (WorkerPart(0, 1), 20.0)
    assert steering.since_s <= fleet.steering.timebase.now_s()


def test_a_worker_that_joins_shares_the_arrivals(fleet: Fleet, post: Post) -> None:
    """Both get a part, and the same pace from the same instant, which is still to come."""
    fleet.join("a")
    fleet.join("b")
    assert post.parts() == {"a": WorkerPart(0, 2), "b": WorkerPart(1, 2)}
    assert post.last["a"].plan == post.last["b"].plan
    assert post.last["a"].since_s > fleet.steering.timebase.now_s()


def test_the_others_take_over_from_a_worker_that_leaves(fleet: Fleet, post: Post) -> None:
    """What is left is split anew."""
    for worker in ("a", "b", "c"):
        fleet.join(worker)
    fleet.leave("a")
    assert (post.last["b"].part, post.last["c"].part) == (WorkerPart(0, 2), WorkerPart(1, 2))


def test_a_worker_that_leaves_keeps_its_part_until_the_others_take_over(fleet: Fleet, post: Post) -> None:
    """No arrival is nobody's, however few are left."""
    fleet.join("a")
    fleet.join("b")
    fleet.leave("a")
    left, other = post.last["a"], post.last["b"]
    assert (left.part, left.since_s, left.plan) == (NOTHING, other.since_s, other.plan)
    assert left.since_s > fleet.steering.timebase.now_s()


def test_nothing_is_planned_while_nobody_paces(fleet: Fleet) -> None:
    """When the last worker left, the plan stands still."""
    fleet.join("a")
    fleet.leave("a")
    assert planned(fleet.steering) == 0.0


def test_joining_twice_changes_nothing(fleet: Fleet, post: Post) -> None:
    """A worker that says twice that it is there has one part."""
    fleet.join("a")
    fleet.join("a")
    assert post.parts() == {"a": WorkerPart(0, 1)}


def test_workers_that_join_together_cost_the_others_one_message_each(fleet: Fleet, post: Post) -> None:
    """All get parts that add up, and nobody hears of each newcomer by itself."""
    fleet.join("a")
    before = post.delivered
    fleet.join("a", *map(str, range(999)))
    assert post.delivered - before == 1000
    assert set(post.parts().values()) == {WorkerPart(index, 1000) for index in range(1000)}


def test_a_replay_begins_when_all_who_join_together_have_heard_of_it(post: Post) -> None:
    """Nothing of its first minute is left out, however many begin it."""
    steps = (RateStep(at_s=0, rate=2), RateStep(at_s=60, rate=0))
    hour = Replay(source="counts.csv", steps=steps)
    fleet = Fleet(Experiment(name="test", traffic=Traffic(arrival_rate=hour)), Timebase(time.time(), 720.0), post)
    fleet.join("a", "b")
    plan, since_s = post.last["b"].plan, post.last["b"].since_s
    assert plan.level_at(since_s + 3600) - plan.level_at(since_s) == pytest.approx(120)


def test_a_new_share_and_rate_reach_all(fleet: Fleet, post: Post) -> None:
    """Every worker hears of them, and keeps its part."""
    fleet.join("a")
    fleet.join("b")
    fleet.set_error_share(0.2)
    fleet.set_arrival_rate(50.0)
    fleet.set_pattern("burst")
    for steering in post.last.values():
        assert (steering.error_share, planned(steering), steering.traffic.pattern) == (0.2, 50.0, "burst")
    assert post.parts() == {"a": WorkerPart(0, 2), "b": WorkerPart(1, 2)}


def test_a_change_holds_for_all_within_two_seconds(fleet: Fleet, post: Post) -> None:
    """Wall time, however many workers there are."""
    for worker in ("a", "b", "c"):
        fleet.join(worker)
    fleet.set_error_share(0.5)
    lead_s = post.last["c"].since_s - fleet.steering.timebase.now_s()
    assert 0 < lead_s / fleet.steering.timebase.speed < 2


def test_a_changed_rate_is_seen_when_it_holds(fleet: Fleet) -> None:
    """Until then the rate before is the one asked for, also for who looks at it."""
    fleet.join("a")
    fleet.join("b")
    fleet.set_arrival_rate(50.0)
    assert fleet.rate == 20.0


def test_a_ramp_begins_at_the_rate_of_now(fleet: Fleet, post: Post) -> None:
    """And its steps count from now."""
    fleet.join("a")
    fleet.set_arrival_rate((RateStep(at_s=0, ramp_to=120, for_s=10),))
    steering = post.last["a"]
    begun, ended = (steering.plan.level_at(steering.since_s + after_s) for after_s in (0.0, 10.0))
    assert ended - begun == pytest.approx(10 * (20 + 120) / 2)


def test_a_worker_that_joins_later_meets_the_rate_of_then(post: Post) -> None:
    """The ramp of the experiment goes on whoever is there to send."""
    ramp = Traffic(arrival_rate=(RateStep(at_s=0, ramp_to=100, for_s=100),))
    fleet = Fleet(replace(EXPERIMENT, traffic=ramp), Timebase(time.time() - 50.0), post)
    fleet.join("a")
    assert (fleet.rate, planned(post.last["a"])) == (pytest.approx(50, rel=0.05), pytest.approx(51, rel=0.05))


def test_steering_survives_a_message(fleet: Fleet) -> None:
    """Packed and unpacked it is the same."""
    steering = replace(fleet.steering, part=WorkerPart(1, 3), error_share=0.25)
    assert unpacked(steering.packed()) == steering
