"""Guard rails: what may be at the start, what may be asked for, and what stops a run."""

import math
from typing import Any

import pytest
from msgspec.structs import replace

from harness import experiments
from harness.core.experiment.parse import parse, rehearsable
from harness.core.experiment.rails import (
    RAILS,
    Seen,
    blind_limit_s,
    host_refusal,
    limits_of,
    refusal,
    refusals,
    sure_to_trip,
    tripped,
)
from harness.core.experiment.types import Experiment, Fault, Rails, Traffic
from harness.core.timeline.events import RailTripped, RunEnded
from harness.core.verdict.judge import judge
from harness.errors import ExperimentError

AWS_HOST = "https://api.example.com/shared"
LIMITS = limits_of(Rails(), AWS_HOST)
NOTHING = Seen(fault_requests=0, wall_s=0.0)


def refused(experiment: Experiment, host: str = AWS_HOST) -> list[str]:
    """What the rails say against an experiment."""
    return [str(problem) for problem in refusals(experiment, limits_of(experiment.rails, host))]


@pytest.mark.parametrize("name", experiments.NAMES)
@pytest.mark.parametrize("host", [AWS_HOST, "http://127.0.0.1:3000"])
def test_packaged_experiments_keep_to_the_defaults(name: str, host: str) -> None:
    """The rails stop mistakes, not what the project is for."""
    assert refused(parse(experiments.text(name), source=name), host) == []


@pytest.mark.parametrize(
    ("experiment", "said"),
    [
        (
            Experiment(name="x", traffic=Traffic(arrival_rate=5000)),
            "traffic.arrival_rate: 5000 is beyond the guard rail of 1000",
        ),
        (
            Experiment(name="x", traffic=Traffic(error_share=0.8)),
            "traffic.error_share: 0.8 is beyond the guard rail of 0.5",
        ),
        (Experiment(name="x", faults=(Fault(at_s=0, error_share=0.8),)), "faults: 0.8 is beyond"),
        (Experiment(name="x", rails=Rails(arrival_rate=10)), "traffic.arrival_rate: 20 is beyond the guard rail of 10"),
    ],
    ids=["rate", "share", "fault", "own limit"],
)
def test_a_plan_beyond_a_rail_is_refused_by_its_field(experiment: Experiment, said: str) -> None:
    """Before anything is sent, and with the way to mean it."""
    (sentence,) = refused(experiment)
    assert sentence.startswith(said)
    assert "raise rails." in sentence


def test_a_closed_loop_plans_no_rate() -> None:
    """The default of the other mode counts for nothing."""
    assert refused(Experiment(name="x", traffic=Traffic(users=5), rails=Rails(arrival_rate=1))) == []


@pytest.mark.parametrize("host", ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:80/x"])
def test_this_machine_is_spared_the_defaults_and_not_what_was_set(host: str) -> None:
    """Load on oneself needs no leave, but a limit that a person wrote down holds everywhere."""
    loud = Experiment(name="x", traffic=Traffic(arrival_rate=50_000, error_share=1.0))
    assert refused(loud, host) == []
    assert refused(replace(loud, rails=Rails(error_share=0.5)), host)
    assert limits_of(Rails(), host).blind_s == RAILS["blind_s"].default


def test_a_rehearsal_of_what_its_own_rails_forbid_is_refused() -> None:
    """Before a cloud is started for it."""
    with pytest.raises(ExperimentError, match=r"beyond the guard rail of 0\.1"):
        rehearsable(Experiment(name="x", traffic=Traffic(error_share=0.2), rails=Rails(error_share=0.1)))


@pytest.mark.parametrize(
    ("seen", "rail"),
    [
        (NOTHING, None),
        (replace(NOTHING, fault_requests=10_000, wall_s=14_400.0, rate=1200.0, blind_s=120.0), None),
        (replace(NOTHING, fault_requests=10_001), "fault_requests"),
        (replace(NOTHING, wall_s=14_401.0), "wall_time_s"),
        (replace(NOTHING, rate=1201.0), "arrival_rate"),
        (replace(NOTHING, blind_s=121.0), "blind_s"),
    ],
)
def test_a_rail_trips_beyond_its_limit_and_not_at_it(seen: Seen, rail: str | None) -> None:
    """And says which, and by how much."""
    trip = tripped(LIMITS, seen)
    assert (trip and trip.rail) == rail
    assert trip is None or f"{RAILS[trip.rail].default:g}" in trip.message


def test_a_change_at_run_time_is_held_against_the_same_rails() -> None:
    """None where it may be, else the sentence."""
    assert refusal(LIMITS, "error_share", 0.5) is None
    assert "beyond the guard rail of 0.5" in str(refusal(LIMITS, "error_share", 0.51))


def test_a_fast_clock_does_not_make_one_slow_call_a_blindness() -> None:
    """At speed 60 two minutes are two seconds, which one call may take."""
    assert blind_limit_s(LIMITS, 1.0) == 120.0
    assert blind_limit_s(LIMITS, 60.0) == 480.0


@pytest.mark.parametrize(
    ("url", "named", "allowed", "may"),
    [
        (AWS_HOST, [AWS_HOST], (), True),
        ("https://API.example.com/other", [AWS_HOST], (), True),
        ("https://evil.example.com", [AWS_HOST], (), False),
        ("https://api.example.com.evil.net", [AWS_HOST], (), False),
        ("https://api.example.com@evil.net", [AWS_HOST], (), False),
        (AWS_HOST, [], (), True),
        ("http://127.0.0.1:3000", [AWS_HOST], ("api.example.com",), True),
        ("https://staging.example.com", [AWS_HOST], ("*.example.com",), True),
        ("https://example.com", [], ("*.example.com",), False),
        (AWS_HOST, [AWS_HOST], ("staging.example.com",), False),
    ],
)
def test_traffic_goes_where_it_was_meant_to_go(url: str, named: list[str], allowed: tuple[str, ...], may: bool) -> None:
    """The host that was named is consent; a list, where there is one, decides alone; this machine is always allowed."""
    assert (host_refusal(url, named, allowed) is None) is may


# What a trip does to the verdict


def with_trip(events: list[Any], rail: str, why: str) -> list[Any]:
    """The timeline of a run in which a rail tripped in the middle."""
    end_s = events[-1].at_s
    trip = RailTripped(at_s=end_s / 2, rail=rail, limit=1.0, seen=2.0, message="it was too much")
    return [*events[:-1], trip, RunEnded(at_s=end_s, why=why)]  # type: ignore[arg-type]


@pytest.mark.parametrize(("rail", "why"), [("fault_requests", "guard_rail"), ("blind_s", "settled")])
def test_a_trip_aborts_with_its_reason(rail: str, why: str, row: Any, experiment: Any) -> None:
    """Whatever came out was not what the experiment asked."""
    verdict = judge(experiment(expect={"outcome": "rolled_back"}), with_trip(row("erroruser"), rail, why))
    assert (verdict.result, verdict.exit_code) == ("aborted", 5)
    assert f"The guard rail {rail} tripped: it was too much." in verdict.because


def test_faults_stopped_for_want_of_sight_that_never_came_back_are_inconclusive(row: Any, experiment: Any) -> None:
    """What CodeDeploy did is not known, and that goes before."""
    events = [event for event in row("erroruser") if event.at_s < 100]
    tripped_at_last = with_trip([*events, RunEnded(at_s=500.0, why="given_up")], "blind_s", "given_up")
    verdict = judge(experiment(), tripped_at_last)
    assert (verdict.result, verdict.exit_code) == ("inconclusive", 4)
    assert any("blind_s tripped" in reason for reason in verdict.because)


def test_limits_that_do_not_hold_are_infinite() -> None:
    """So that nothing is ever beyond them."""
    assert limits_of(Rails(), "http://localhost").arrival_rate == math.inf


def doomed(experiment: Experiment, speed: float = 1.0) -> list[str]:
    """The rails that an experiment cannot keep."""
    return [str(problem) for problem in sure_to_trip(experiment, limits_of(experiment.rails, AWS_HOST), speed)]


def test_a_run_that_may_not_last_as_long_as_it_waits_is_refused() -> None:
    """The sentence names both fields and the fix."""
    (sentence,) = doomed(Experiment(name="x", rails=Rails(wall_time_s=600)))
    assert sentence == (
        "rails.wall_time_s: 600 s are over before give_up_s is (1800 s), so the rail would stop a run that still "
        "waits; lower give_up_s, or raise rails.wall_time_s"
    )


def test_wall_time_is_held_against_the_clock_s_speed() -> None:
    """Half an hour at speed 60 takes half a minute."""
    assert doomed(Experiment(name="x", rails=Rails(wall_time_s=600)), 60.0) == []
    assert "30 s of wall time at speed 60" in doomed(Experiment(name="x", rails=Rails(wall_time_s=20)), 60.0)[0]


def test_a_plan_that_needs_more_faults_than_may_be_is_refused() -> None:
    """Those after the deployment alone are too many, whatever becomes of it."""
    traffic = Traffic(arrival_rate=20, error_share=0.05)
    assert doomed(Experiment(name="x", traffic=traffic, rails=Rails(fault_requests=60))) == []
    (sentence,) = doomed(Experiment(name="x", traffic=traffic, rails=Rails(fault_requests=59)))
    assert sentence.startswith("rails.fault_requests: 59 are fewer than the 60 fault requests")


@pytest.mark.parametrize(
    "traffic", [Traffic(users=50, error_share=0.5), Traffic(arrival_rate=1000.0)], ids=["closed loop", "no faults"]
)
def test_what_is_not_sure_to_trip_is_let_be(traffic: Traffic) -> None:
    """Nobody knows how many requests a closed loop sends; without faults there are none."""
    assert doomed(Experiment(name="x", traffic=traffic, rails=Rails(fault_requests=1))) == []


@pytest.mark.parametrize("name", experiments.NAMES)
def test_packaged_experiments_can_keep_their_rails(name: str) -> None:
    """The defaults leave them room."""
    assert doomed(parse(experiments.text(name), source=name)) == []
