"""Latency is compared for each request name, too, and held against what the service did without the release."""

import random
import re
from typing import Any

import pytest
from msgspec.structs import replace

from harness.core.timeline.events import Event, Requests
from harness.core.timeline.histogram import bin_of

UNDONE: dict[str, Any] = {"end": "rolled_back", "end_s": 191.0, "alarms": ((180.5, 300.0),)}


def with_names(events: list[Event], share: float, slow_s: float = 0.02, names: int = 1) -> list[Event]:
    """The same with a share of the requests to other paths, the first of which is that slow on the canary."""
    drawn, told = random.Random(11), []
    for event in events:
        if not isinstance(event, Requests):
            told.append(event)
            continue
        elsewhere = 0
        for path in range(names):
            count = sum(drawn.random() < share for _ in range(event.count - elsewhere))
            elsewhere += count
            latency = {bin_of(slow_s if event.version == "2" and path == 0 else 0.02): count}
            row = replace(event, endpoint=f"/path-{path}", count=count, latency=latency, service_time=latency)
            told += [row] if count else []
        rest = {bin_of(0.02): event.count - elsewhere}
        told += [replace(event, count=event.count - elsewhere, latency=rest)] if event.count > elsewhere else []
    return told


@pytest.mark.parametrize("share", [0.05, 0.01, 0.005])
@pytest.mark.parametrize("objective", [{}, {"latency": {"p99_s": 1.0}}, {"latency": {"ratio": 2.0}}])
def test_slow_path_with_little_of_the_traffic_is_no_health(
    build: Any, judged: Any, share: float, objective: dict[str, Any]
) -> None:
    """Ten seconds instead of 20 ms, in so few answers that one percentile of all does not show it."""
    verdict = judged(with_names(build(rate=60.0), share, 10.0), objective=objective)
    assert verdict.call in ("missed", "inconclusive"), verdict.because
    assert any("/path-0" in said for said in verdict.because) or share > 0.01
    assert verdict.call == "missed" or share < 0.05
    undone = judged(with_names(build(rate=60.0, **UNDONE), share, 10.0), objective=objective)
    assert undone.call in ("caught", "inconclusive")


@pytest.mark.parametrize("names", [1, 20])
def test_paths_that_are_as_quick_as_ever_are_health(build: Any, judged: Any, names: int) -> None:
    """However many there are, and however few answers each has."""
    assert judged(with_names(build(rate=60.0), 0.01, names=names)).call == "cleared"


def test_path_within_the_objective_is_no_harm(build: Any, judged: Any) -> None:
    """What the objective bears of all requests it bears of each."""
    events = with_names(build(rate=60.0), 0.05, 0.5)
    assert judged(events).call == "missed"
    assert judged(events, objective={"latency": {"p99_s": 1.0}}).call == "cleared"


@pytest.mark.parametrize("ending", [{}, UNDONE], ids=["promoted", "rolled back"])
def test_service_that_misses_the_objective_anyway_is_not_the_canarys_fault(
    build: Any, judged: Any, ending: dict[str, Any]
) -> None:
    """Before and during its trial the baseline was as slow; a canary that is far slower is harm all the same."""
    objective = {"latency": {"p99_s": 0.1}}
    alike = judged(build(latency_s=(0.2, 0.2), **ending), objective=objective)
    assert alike.call == "inconclusive"
    assert any("the service is too slow, with the release or without it" in said for said in alike.because)
    slower = judged(build(latency_s=(0.2, 0.6), **ending), objective=objective)
    assert slower.call == ("caught" if ending else "missed")
    assert judged(build(latency_s=(0.02, 0.2), **ending), objective=objective).call == slower.call


def test_noise_of_both_versions_is_no_doubt(build: Any, judged: Any) -> None:
    """A busy moment after the creation hits whoever answers then."""

    def busy(event: Event) -> Event:
        if not isinstance(event, Requests) or not 100 <= event.at_s < 130:
            return event
        return replace(event, latency={bin_of(2.0): event.count})

    assert judged([*map(busy, build())]).call == "cleared"
    assert judged([*map(busy, with_names(build(rate=60.0), 0.01, names=20))]).call == "cleared"


def test_even_slowness_that_is_not_sure_is_not_told_as_one_part(build: Any, judged: Any) -> None:
    """What is said of the part and of the rest adds up to all slow answers."""
    drawn = random.Random(5)

    def at_times(event: Event) -> Event:
        is_slow = isinstance(event, Requests) and event.version == "2" and drawn.random() < 0.032
        return replace(event, latency={bin_of(0.4): event.count}) if is_slow and isinstance(event, Requests) else event

    verdict = judged([*map(at_times, build(rate=20.0))])
    assert verdict.call == "inconclusive"
    (told,) = (said for said in verdict.because if "one part of its trial" in said)
    ((within, total),) = re.findall(r"(\d+) of its (\d+) answers", told)
    (elsewhere,) = re.findall(r"(\d+) of them as slow", told)
    assert int(within) + int(elsewhere) == int(total)
    assert int(elsewhere) > 0


def test_traffic_that_stopped_is_told_before_a_slow_part(build: Any, judged: Any) -> None:
    """The few answers of the canary were slow, and then nobody asked."""
    verdict = judged(build(traffic_ends_s=60.0, latency_s=(0.02, 0.5), rate=5.0))
    assert verdict.call == "inconclusive"
    assert any("there was no traffic from 60 to 306 s" in said for said in verdict.because)
