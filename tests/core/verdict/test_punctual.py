"""A planned fault that did not happen when it was planned proves nothing."""

from typing import Any

import pytest
from msgspec.structs import replace

from harness.core.timeline.events import Asked, Event, FaultEnded, FaultStarted, RunStarted

PLAN: dict[str, Any] = {
    "faults": [{"at_s": 60, "for_s": 60, "error_share": 0.2}],
    "expect": {"outcome": "promoted", "call": "missed"},
}
"""Six fault requests a minute that no alarm counts."""


def played(build: Any, *, begin_s: float = 60.0, end_s: float = 120.0, speed: float = 1.0) -> list[Event]:
    """A release whose one fault holds from and until these instants since its creation."""
    events = build(faults=((60.0, 120.0, 0.2),))
    shift = {FaultStarted: begin_s, FaultEnded: end_s}
    named = {"fault": "faults[0]"}
    moved = [
        replace(event, at_s=60.0 + shift[type(event)], **named) if type(event) in shift else event for event in events
    ]
    return [replace(event, speed=speed) if isinstance(event, RunStarted) else event for event in moved]


def lateness(verdict: Any) -> list[str]:
    """The sentences about the plan."""
    return [said for said in verdict.because if "than planned" in said or "never began, so" in said]


def test_a_fault_in_time_is_no_word_worth(judged: Any, build: Any) -> None:
    """Up to a second, which calls and busy machines take."""
    verdict = judged(played(build, begin_s=60.9, end_s=120.9), **PLAN)
    assert (verdict.result, lateness(verdict)) == ("as_expected", [])


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"begin_s": 61.5}, "The fault faults[0] began 1.5 s later than planned"),
        ({"end_s": 121.2}, "The fault faults[0] ended 1.2 s later than planned"),
    ],
)
def test_a_fault_that_came_late_makes_the_run_inconclusive(
    judged: Any, build: Any, when: dict[str, float], said: str
) -> None:
    """Whatever the release came to, and with that reason."""
    verdict = judged(played(build, **when), **PLAN)
    assert (verdict.result, verdict.exit_code) == ("inconclusive", 4)
    assert [sentence.partition(",")[0] for sentence in lateness(verdict)] == [said]


@pytest.mark.parametrize(("begin_s", "result"), [(60.0, "contrary"), (62.0, "inconclusive")])
def test_a_time_limit_is_not_held_against_a_release_whose_fault_came_late(
    judged: Any, build: Any, begin_s: float, result: str
) -> None:
    """It was meant for the fault as planned; the release of 300 s exceeds one of 100 s either way."""
    plan = {**PLAN, "expect": {**PLAN["expect"], "within_s": 100}}
    assert judged(played(build, begin_s=begin_s), **plan).result == result


def test_a_fast_clock_leaves_as_much_wall_time(judged: Any, build: Any) -> None:
    """A second of wall time, but never more than a minute of the experiment's."""
    assert not lateness(judged(played(build, begin_s=75.0, speed=30.0), **PLAN))
    assert lateness(judged(played(build, begin_s=95.0, speed=30.0), **PLAN))
    assert lateness(judged(played(build, begin_s=121.0, end_s=180.0, speed=900.0), **PLAN))


def test_a_fault_that_never_began_makes_the_run_inconclusive(judged: Any, build: Any) -> None:
    """Also where only the outcome was expected, and came."""
    verdict = judged(build(), **{**PLAN, "expect": {"outcome": "promoted"}})
    assert verdict.result == "inconclusive"
    assert lateness(verdict) == ["The fault faults[0] was planned and never began, so the run proves nothing."]


def test_a_person_who_takes_over_ends_the_plan(judged: Any, build: Any) -> None:
    """What a person asked for came in the plan's place."""
    asked = Asked(at_s=61.0, what="error_share", value="0.2", by="ana")
    assert not lateness(judged([*played(build, begin_s=90.0), asked], **PLAN))
    refused = replace(asked, refused="too much")
    assert lateness(judged([*played(build, begin_s=90.0), refused], **PLAN))
