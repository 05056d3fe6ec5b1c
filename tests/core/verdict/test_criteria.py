"""Criteria of an experiment."""

from typing import Any

import pytest

from harness.core.experiment.criteria import LIMITS
from harness.core.experiment.types import Experiment
from harness.core.verdict.criteria import _NUMBERS, hold
from harness.core.verdict.judge import judge
from harness.core.verdict.types import Criterion


def test_every_criterion_has_its_number() -> None:
    """What an experiment may ask for is what can be read from a verdict."""
    verdict = judge(Experiment(name="x"), [])
    assert all(name in _NUMBERS for name in LIMITS)
    assert [criterion.name for criterion in hold(dict.fromkeys(LIMITS, 1.0), verdict)] == list(_NUMBERS)


@pytest.mark.parametrize(
    ("name", "met", "missed"),
    [
        ("time_to_detect_s", 121.0, 120.0),
        ("time_to_roll_back_s", 134.0, 133.9),
        ("blast_radius", 0.06, 0.01),
        ("error_share", 0.05, 0.04),
        ("schedule_lag_p99_s", 0.1, 0.0),
        ("arms.canary.p99_ms", 25.0, 15.0),
        ("arms.canary.requests", 200.0, 2000.0),
        ("canary_share", 0.01, 0.95),
        ("failed_good_requests", 0.0, -1.0),
    ],
)
def test_limits(name: str, met: float, missed: float, row: Any, experiment: Any) -> None:
    """Bounds are held by their later end; shares of the canary and sizes of samples are minima."""
    verdict = judge(experiment(), row("erroruser"))
    assert hold({name: met}, verdict)[0].met is True
    assert hold({name: missed}, verdict)[0].met is False


def test_what_was_not_measured_is_neither_met_nor_missed(experiment: Any) -> None:
    """A value that nobody measured is None."""
    verdict = judge(experiment(criteria={"time_to_detect_s": 5.0}), [])
    assert verdict.criteria == (Criterion(name="time_to_detect_s", limit=5.0, value=None, met=None),)
