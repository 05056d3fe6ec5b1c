"""A canary is called slower than the baseline only where the samples show it."""

from typing import Any

import numpy as np
import pytest

from harness.core.experiment.types import LatencyObjective
from harness.core.timeline.histogram import histogram
from harness.core.verdict.latency import Compared, compared, limit_exceeded

TIMES = 400
RATIO = LatencyObjective(ratio=1.5)


def arms(sent: Any, drawn: np.random.Generator, canary: int, baseline: int, slow: float, of_canary: float) -> Compared:
    """Both arms, of which so many answers take a second and all others about 50 ms."""
    rows = []
    for size, share in ((canary, of_canary), (baseline, slow)):
        usual = drawn.lognormal(np.log(0.05), 0.5, size)
        rows.append([sent(1.0, count=size, latency=histogram(np.where(drawn.random(size) < share, 1.0, usual)))])
    found = compared(*rows)
    assert found is not None
    return found


@pytest.mark.parametrize("slow", [0.0, 0.02, 0.05])
@pytest.mark.parametrize(("canary", "baseline"), [(20, 180), (300, 20), (1000, 100), (5000, 200)])
def test_arms_that_are_equally_slow_are_hardly_ever_told_apart(
    sent: Any, canary: int, baseline: int, slow: float
) -> None:
    """However few answers the baseline gave: the largest of few is no bound of the 99th percentile."""
    drawn = np.random.default_rng(7)
    found = [arms(sent, drawn, canary, baseline, slow, slow) for _ in range(TIMES)]
    for objective in (None, RATIO):
        assert sum(limit_exceeded(one, objective) is not None for one in found) <= 0.01 * TIMES


@pytest.mark.parametrize(("canary", "baseline"), [(60, 540), (300, 60), (1000, 100)])
def test_canary_that_is_slow_is_told(sent: Any, canary: int, baseline: int) -> None:
    """Half of its answers take a second, and none of the baseline's."""
    drawn = np.random.default_rng(7)
    found = [arms(sent, drawn, canary, baseline, 0.0, 0.5) for _ in range(50)]
    for objective in (None, RATIO):
        assert all(limit_exceeded(one, objective) for one in found)


@pytest.mark.parametrize(("answers", "has_upper"), [(527, False), (528, True)])
def test_few_answers_have_no_upper_bound(sent: Any, answers: int, has_upper: bool) -> None:
    """The largest of them may lie below the 99th percentile, so neither it nor a ratio to it is told as one."""
    found = compared([sent(1.0, count=600)], [sent(1.0, count=answers)])
    assert found is not None
    assert (found.facts.baseline_p99_ms[1] is not None) is has_upper
    assert (found.facts.ratio is not None) is has_upper
    assert found.facts.canary_p99_ms[1] is not None
