"""What no change of a timeline may do to its call."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from harness.core.experiment.types import Call
from harness.core.timeline.events import (
    AlarmChanged,
    AlarmDefined,
    AlarmSeen,
    AliasSeen,
    Event,
    GroupSeen,
    MetricSeen,
    Requests,
    TargetSeen,
)

BEST_FIRST = {Call.CLEARED: 0, Call.FALSE_ALARM: 0, Call.INCONCLUSIVE: 1, Call.MISSED: 2, Call.CAUGHT: 2}
"""How bad a call says that the release was for its users."""
RELEASES: dict[str, dict[str, Any]] = {
    "healthy": {},
    "erroruser": {"faults": ((0, 9e9, 0.05),)},
    "below threshold": {"rate": 2.0, "faults": ((0, 9e9, 1 / 60),)},
    "broken canary": {"canary_fails": 0.3},
    "slow canary": {"latency_s": (0.02, 0.3)},
    "throttled": {"throttled": (60.0, 90.0)},
    "rolled back": {"faults": ((0, 9e9, 0.05),), "end": "rolled_back", "end_s": 131.0, "alarms": ((120.5, 240.0),)},
    "false alarm": {"end": "rolled_back", "end_s": 131.0, "alarms": ((120.5, 240.0),)},
    "traffic stops": {"traffic_ends_s": 150.0},
}


@pytest.fixture(scope="module", params=RELEASES)
def events(request: pytest.FixtureRequest, build: Any) -> Sequence[Event]:
    """The timeline of one kind of release."""
    return tuple(build(**RELEASES[request.param]))


@pytest.fixture(scope="module")
def before(events: Sequence[Event], judged: Any) -> Call:
    """What that release is called, before anything is changed."""
    return judged(events).call


@pytest.mark.parametrize("seed", range(12))
def test_one_more_failure_never_improves_a_call(
    events: Sequence[Event], before: Call, seed: int, judged: Any, sent: Any
) -> None:
    """A failure of the canary, or a fault request that failed, makes nothing look better for the users."""
    drawn, worse = random.Random(seed), [*events]
    for _ in range(drawn.choice((1, 3, 30))):
        at_s = float(drawn.randrange(66, 180))
        intent = drawn.choice(("good", "fault"))
        status = drawn.choice((500, 502, 504))
        worse.append(sent(at_s, ok=False, version="2", intent=intent, status=status))
    after = judged(sorted(worse, key=lambda event: event.at_s)).call
    assert BEST_FIRST[after] >= BEST_FIRST[before]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("version", ["1", None])
def test_failures_of_any_version_never_make_health_of_harm(
    events: Sequence[Event], before: Call, version: str | None, seed: int, judged: Any, sent: Any
) -> None:
    """Also those of the baseline, and those that no header gives to a version: at best it is not known then."""
    drawn, worse = random.Random(seed), [*events]
    for _ in range(drawn.choice((3, 30, 300))):
        at_s, status = float(drawn.randrange(66, 180)), drawn.choice((0, 200, 404, 429, 500, 502))
        worse.append(sent(at_s, ok=False, version=version, status=status))
    after = judged(sorted(worse, key=lambda event: event.at_s)).call
    assert after not in (Call.CLEARED, Call.FALSE_ALARM) or BEST_FIRST[before] == BEST_FIRST[after]


def looks(event: Event) -> bool:
    """Whether it is a look that may fail."""
    return isinstance(event, GroupSeen | AlarmDefined | AlarmSeen | AlarmChanged | AliasSeen | TargetSeen | MetricSeen)


def canary_requests(event: Event) -> bool:
    """Whether it tells of answers by the canary."""
    return isinstance(event, Requests) and event.version == "2"


def requests(event: Event) -> bool:
    """Whether it tells of any answers."""
    return isinstance(event, Requests)


@pytest.mark.parametrize("lost", [looks, canary_requests, requests])
@pytest.mark.parametrize("seed", [0, 1, 5, 6, 7])  # 2, 3 and 4 would lose it all, as 1 does
def test_lost_evidence_never_clears(
    events: Sequence[Event], before: Call, lost: Callable[[Event], bool], seed: int, judged: Any
) -> None:
    """What was inconclusive, missed or caught does not become health, or a false alarm, because less is known."""
    drawn = random.Random(seed)
    kept_share = drawn.choice((0.0, 0.3, 0.8))
    less = [event for event in events if not lost(event) or drawn.random() < kept_share]
    after = judged(less).call
    assert after not in (Call.CLEARED, Call.FALSE_ALARM) or before is after


def renamed(events: Sequence[Event]) -> Iterator[Event]:
    """The same timeline of a team that calls everything otherwise, and whose service fails with other statuses."""
    for event in events:
        match event:
            case Requests():
                status = {502: 503, 500: 504}.get(event.status, event.status)
                yield replace(event, endpoint="POST /orders", persona=f"team-{event.persona}", status=status)
            case GroupSeen():
                yield replace(event, alarms=tuple(f"prod-{name}" for name in event.alarms))
            case AlarmDefined() | AlarmSeen() | AlarmChanged():
                yield replace(event, name=f"prod-{event.name}")
            case _:
                yield event


def test_other_names_and_statuses_change_no_call(events: Sequence[Event], before: Call, judged: Any) -> None:
    """No call hangs on what the demo's requests, statuses and alarms are called."""
    assert judged([*renamed(events)]).call == before


@pytest.mark.parametrize("seconds", [1.0, 7.25, 29.0, 31.0, 60.0, 299.0, 3601.5])
def test_later_start_changes_no_call(
    events: Sequence[Event], before: Call, seconds: float, judged: Any, begun: Any
) -> None:
    """Neither the second of the minute nor the minute of the period decides."""
    assert judged(begun(events, seconds)).call == before
