"""Slowness is harm where it shows in more than one part of the trial; in a single part it is a doubt."""

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from harness.core.experiment.types import Call
from harness.core.timeline.events import Event, Requests
from harness.core.timeline.histogram import bin_of

CREATED_S, WHOLE_S = 60.0, 365.0
"""When a built release is created, and when its canary gets all traffic."""
THIN: dict[str, Any] = {"rate": 10 / 3}
"""About 100 answers of the canary."""
UNDONE: dict[str, Any] = {"end": "rolled_back", "end_s": 306.0, "alarms": ((290.0, 400.0),), "shifts": ((5.0, 0.1),)}
SLOW_S = 2.0
OBJECTIVES: list[dict[str, Any]] = [{}, {"latency": {"p99_s": 0.5}}, {"latency": {"ratio": 2.0}}]


def is_canarys(event: Event) -> bool:
    """Whether these are answers of the canary."""
    return isinstance(event, Requests) and event.version == "2"


def slowed(events: list[Event], is_slow: Callable[[float], bool]) -> list[Event]:
    """The same release, whose canary takes two seconds for what is due at such a time."""
    return [
        replace(event, latency={bin_of(SLOW_S): event.count})
        if isinstance(event, Requests) and is_canarys(event) and is_slow(event.at_s)
        else event
        for event in events
    ]


def canary_seconds(events: list[Event]) -> list[float]:
    """When the canary answers while the baseline does, too, in order."""
    return [event.at_s for event in events if is_canarys(event) and event.at_s < WHOLE_S]


def answers(events: list[Event], seconds: list[float]) -> int:
    """How many answers the canary gave in these seconds."""
    return sum(
        event.count for event in events if isinstance(event, Requests) and is_canarys(event) and event.at_s in seconds
    )


def finding_ids(verdict: Any) -> list[str]:
    """The ids of a verdict's findings."""
    return [finding.id for finding in verdict.findings]


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("ending", [{}, UNDONE], ids=["promoted", "rolled back"])
def test_one_stall_is_a_doubt_that_says_when_and_how_much(
    build: Any, judged: Any, ending: dict[str, Any], objective: dict[str, Any]
) -> None:
    """A few slow answers of about a hundred, one after the other, are neither harm nor health."""
    events = build(**THIN, **ending)
    seconds = canary_seconds(events)
    stall = seconds[40:45]
    slow = answers(events, stall)
    assert 5 <= slow <= 8 < 80 < answers(events, seconds)
    verdict = judged(slowed(events, lambda at_s: at_s in stall), objective=objective)
    assert verdict.call is Call.INCONCLUSIVE
    told = f"{slow} of its {slow} answers that took over "
    when = f"came from {stall[0] - CREATED_S:.0f} to {stall[-1] + 1 - CREATED_S:.0f} s after the creation"
    assert any(told in because and when in because for because in verdict.because)
    (found,) = (finding for finding in verdict.findings if finding.id == "slow-in-one-part")
    assert told in found.text
    assert when in found.text
    assert "canary-slower" not in finding_ids(verdict)


@pytest.mark.parametrize("cold", [4, 5, 6])
def test_cold_starts_are_no_harm(build: Any, judged: Any, cold: int) -> None:
    """The first answers of about sixty of a canary are slow, and none after them."""
    events = build(rate=2.0)
    first = canary_seconds(events)[:cold]
    verdict = judged(slowed(events, lambda at_s: at_s in first))
    assert verdict.call is Call.INCONCLUSIVE
    assert "slow-in-one-part" in finding_ids(verdict)


@pytest.mark.parametrize("length_s", [12.0, 30.0, 55.0])
def test_a_stall_is_no_harm_whenever_it_comes(build: Any, judged: Any, length_s: float) -> None:
    """Also where it begins in one fifth of the trial and ends in the next."""
    events = build(rate=20.0)
    for began_s in range(65, 310, 35):
        slow = slowed(events, lambda at_s, began_s=began_s: began_s <= at_s < began_s + length_s)
        assert judged(slow).call is Call.INCONCLUSIVE


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_slowness_in_two_parts_is_harm(build: Any, judged: Any, objective: dict[str, Any]) -> None:
    """A canary that stalls, and stalls again later, is slow."""
    events = build(**THIN)
    seconds = canary_seconds(events)
    slow = {*seconds[5:15], *seconds[60:70]}
    verdict = judged(slowed(events, lambda at_s: at_s in slow), objective=objective)
    assert verdict.call is Call.MISSED
    assert "slow-in-one-part" not in finding_ids(verdict)
    assert "canary-slower" in finding_ids(verdict)


@pytest.mark.parametrize("rate", [1.0, 2.0, 20.0])
@pytest.mark.parametrize("usual_s", [0.001, 0.02])
def test_canary_that_is_slow_throughout_is_harm(build: Any, judged: Any, rate: float, usual_s: float) -> None:
    """However thin the traffic is, if there is enough to compare at all."""
    assert judged(build(rate=rate, latency_s=(usual_s, SLOW_S))).call is Call.MISSED


def test_slow_canary_that_was_soon_rolled_back_is_caught(build: Any, judged: Any) -> None:
    """Its trial took half a minute, and its parts are shorter than those of a long one."""
    undone = {"end": "rolled_back", "end_s": 35.0, "alarms": ((34.0, 90.0),), "shifts": ((5.0, 0.1),)}
    assert judged(build(rate=20.0, latency_s=(0.02, SLOW_S), **undone)).call is Call.CAUGHT


@pytest.mark.parametrize("number", [25, 45])
def test_canary_that_answered_in_one_part_alone_is_in_doubt(build: Any, judged: Any, number: int) -> None:
    """All of its answers are slow, and nothing tells whether later ones would have been: neither harm nor health."""
    events = build(rate=20.0)
    kept = canary_seconds(events)[:number]
    only = [event for event in slowed(events, lambda _: True) if not is_canarys(event) or event.at_s in kept]
    assert kept[-1] - kept[0] < 60
    verdict = judged(only)
    assert verdict.call is Call.INCONCLUSIVE
    assert any("the canary answered nothing from" in because for because in verdict.because)
    (found,) = (finding for finding in verdict.findings if finding.id == "slow-in-one-part")
    assert "it gave no other answers" in found.text


@pytest.mark.parametrize("seed", range(20))
def test_fewer_answers_of_a_slow_canary_never_clear_it(build: Any, judged: Any, seed: int) -> None:
    """What was harm, or a doubt, is at best a doubt with less to go by, as long as slow answers are kept."""
    drawn = random.Random(seed)
    events = build(**THIN, latency_s=(0.02, SLOW_S if seed % 2 else 0.02))
    stall = canary_seconds(events)[20:30]
    slow = slowed(events, lambda at_s: at_s in stall)
    less = [event for event in slow if not is_canarys(event) or event.at_s in stall or drawn.random() < 0.6]
    assert judged(less).call in (Call.INCONCLUSIVE, judged(slow).call)


def test_quick_failures_do_not_make_a_canary_quicker(build: Any, judged: Any, sent: Any) -> None:
    """Its latencies are what they were: how long a failure takes says nothing of an answer."""
    events = build(**THIN)
    seconds = canary_seconds(events)
    slow = slowed(events, lambda at_s: at_s in {*seconds[10:20], *seconds[60:70]})
    before = judged(slow).arms.latency
    assert before is not None
    quick = [sent(at_s, ok=False, version="2", count=9) for at_s in seconds[::20]]
    assert judged(sorted([*slow, *quick], key=lambda event: event.at_s)).arms.latency == before


def test_seconds_of_the_built_canary_are_in_order(build: Any) -> None:
    """The stalls of these tests are answers one after the other."""
    assert all(earlier < later for earlier, later in pairwise(canary_seconds(build(**THIN))))
