"""How often a canary is called harmful where the truth is known: simulated releases, judged by the whole of `harm_of`.

Arms of 5,000 canary and 45,000 baseline requests, whose numbers are drawn; latencies are log-normal.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from harness.core.experiment.types import Experiment
from harness.core.timeline.events import AlarmDefined, Event, Requests
from harness.core.timeline.histogram import histogram
from harness.core.timeline.rollout import replay
from harness.core.verdict.evidence import evidence_of
from harness.core.verdict.harm import harm_of
from harness.core.verdict.measure import measure

RELEASES = pytest.mark.parametrize(
    "releases", [pytest.param(250, marks=pytest.mark.slow), pytest.param(1000, marks=pytest.mark.soak)]
)
PARTS = 10
POOL = 200
BASELINE, CANARY = 45_000, 5_000
MEDIAN_S, SIGMA = 0.05, 0.8


def latencies(drawn: np.random.Generator, size: int, factor: float) -> list[Any]:
    """Histograms of parts of an arm, to draw from: to draw each latency anew would take most of the time."""
    return [histogram(factor * drawn.lognormal(np.log(MEDIAN_S), SIGMA, size // PARTS)) for _ in range(POOL)]


def arms(
    drawn: np.random.Generator, pools: Any, *, fails: float, times: float = 1.0
) -> Iterator[tuple[str, int, int, Any]]:
    """Requests, failures and latencies of each arm in each part of the bake; the canary fails `times` as often."""
    for version, size, share in (("1", BASELINE, fails), ("2", CANARY, fails * times)):
        for part in drawn.choice(POOL, PARTS, replace=False):
            count = size // PARTS
            yield version, count, int(drawn.binomial(count, share)), pools[version][part]


def timeline(
    skeleton: list[Event], drawn: np.random.Generator, pools: Any, names: int = 1, **truth: float
) -> list[Event]:
    """A promoted release without an alarm, with these arms; their requests have so many names."""
    rows: list[Event] = []
    for part, (version, count, failures, latency) in enumerate(arms(drawn, pools, **truth)):
        at_s = 75.0 + (part % PARTS) * 28
        for ok, number in ((True, count - failures), (False, failures)):
            if number:
                rows.append(
                    Requests(
                        at_s=at_s,
                        intent="good",
                        persona="standard",
                        endpoint=f"/{part % names}",
                        version=version,
                        outcome="ok" if ok else "failed",
                        status=200 if ok else 502,
                        count=number,
                        latency=latency if ok else {},
                        service_time={},
                    )
                )
    return sorted([*skeleton, *rows], key=lambda event: event.at_s)


@pytest.fixture(scope="module")
def skeleton(build: Any) -> list[Event]:
    """All that is seen of a promoted release but its traffic and its alarm."""
    events = build(metrics=False, guards=())
    return [event for event in events if not isinstance(event, Requests | AlarmDefined)]


def harms(skeleton: list[Event], releases: int, slower: float = 1.0, names: int = 1, **truth: float) -> float:
    """The share of simulated releases that are called harmful."""
    drawn, rollout = np.random.default_rng(20260131), replay(skeleton)
    pools = {"1": latencies(drawn, BASELINE, 1.0), "2": latencies(drawn, CANARY, slower)}
    harmful = 0
    for _ in range(releases):
        evidence = evidence_of(Experiment(name="simulated"), timeline(skeleton, drawn, pools, names, **truth), rollout)
        harmful += harm_of(evidence, measure(evidence)).done is True
    return harmful / releases


@RELEASES
def test_good_canaries_are_hardly_ever_called_harmful(skeleton: list[Event], releases: int) -> None:
    """At most one in a hundred of those that fail and answer as the baseline does."""
    assert harms(skeleton, releases, fails=0.01) <= 0.01


@pytest.mark.soak
def test_good_canaries_with_several_request_names_are_hardly_ever_called_harmful(skeleton: list[Event]) -> None:
    """Each name is compared by itself, and all of them together are wrong no more often."""
    assert harms(skeleton, 300, names=5, fails=0.01) <= 0.01


@RELEASES
def test_canaries_with_twice_the_failures_are_called_harmful(skeleton: list[Event], releases: int) -> None:
    """At least 95 of a hundred, where the baseline fails once in a hundred; beside it one in a thousand."""
    assert harms(skeleton, releases, fails=0.01, times=2.0) >= 0.95
    rare = harms(skeleton, releases // 5, fails=0.001, times=2.0)
    print(f"power at a baseline of 0.1 %: {rare:.2f}")  # noqa: T201 - the figure belongs beside the other one
    assert 0.1 < rare < 0.95


@RELEASES
def test_canaries_twice_as_slow_are_called_harmful(skeleton: list[Event], releases: int) -> None:
    """At least 95 of a hundred whose 99th percentile is twice the baseline's."""
    assert harms(skeleton, releases, fails=0.01, slower=2.0) >= 0.95
