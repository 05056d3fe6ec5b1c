"""Predictions held against rehearsals on the local cloud's own state machines, whose delays are AWS's captured ones."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from msgspec.structs import replace
from scipy.stats import binom

from harness.core.experiment.types import Experiment
from harness.core.odds.chances import outlook
from harness.core.odds.from_experiment import setting_of
from harness.core.odds.outlook import Quantiles
from harness.core.rehearsed import CREATED_WITHIN_S
from tests.core.odds.grid import GRID
from tests.core.odds.virtual import rehearsed

OVER_SOCKETS = ("thin", "thin, half fails", "fault requests by chance")
DRAWS = 20
STEADY_S = 60.0

REHEARSALS = 40
SAMPLE = ("thin", "canary alone, two of two", "five minutes", "linear, quick", "fault requests by chance", "a rate")
MOST_OUT = 2
"""Of 24: so many lie outside of a 95 % interval by chance now and then."""


class Compared(NamedTuple):
    """One setting: its predicted chance, and how often rehearsals were rolled back in time."""

    name: str
    predicted: float
    seen: int
    inside: bool
    times_inside: bool


def compared(name: str) -> Compared:
    """Forty rehearsals of a setting, with seeds of its own."""
    experiment = GRID[name]
    told, first = outlook(setting_of(experiment)), 1000 * (1 + list(GRID).index(name))
    found = [rehearsed(experiment, first + number) for number in range(REHEARSALS)]
    seen = sum(one.rolled_back for one in found)
    low, high = binom.ppf((0.025, 0.975), REHEARSALS, told.rolled_back.value)
    times = [one.detect_s for one in found if one.detect_s is not None]
    back = [one.roll_back_s for one in found if one.roll_back_s is not None]
    fit = _fits(told.detect_s, times) and (told.at_start > 0 or _fits(told.roll_back_s, back))
    return Compared(name, told.rolled_back.value, seen, bool(low <= seen <= high), fit)


def _fits(told: Quantiles | None, times: Sequence[float]) -> bool:
    """Whether as many times lie below each predicted quantile as chance allows, in 99 of 100."""
    if told is None or len(times) < 5:
        return True
    for level, value in ((0.05, told.p05), (0.5, told.p50), (0.95, told.p95)):
        low, high = binom.ppf((0.005, 0.995), len(times), level)
        if not low <= sum(time <= value for time in times) <= high:
            return False
    return True


def test_a_sample_of_the_predictions_comes_true() -> None:
    """Six settings, forty rehearsals each."""
    found = [compared(name) for name in SAMPLE]
    assert sum(not one.inside for one in found) <= 1, found
    assert sum(not one.times_inside for one in found) <= 1, found


@pytest.mark.soak
def test_predictions_come_true() -> None:
    """All settings of the grid, of which there are at least 24."""
    found = [compared(name) for name in GRID]
    assert len(found) >= 24
    assert sum(not one.inside for one in found) <= MOST_OUT, found
    assert sum(not one.times_inside for one in found) <= MOST_OUT, found


@pytest.mark.soak
@pytest.mark.parametrize("name", OVER_SOCKETS)
def test_a_sample_over_sockets_comes_true(name: str, tmp_path: Path) -> None:
    """By the command, with processes, HTTP and boto3, which creates deployments at its own place in a minute."""
    made = replace(GRID[name], steady_s=STEADY_S)
    told = outlook(replace(setting_of(made), created=CREATED_WITHIN_S)).rolled_back.value
    files = [_file(made, seed, tmp_path) for seed in range(1, DRAWS + 1)]
    command = [
        sys.executable,
        "-m",
        "harness",
        "rehearse",
        *files,
        "--json",
        "--speed",
        "100",
        "--reports",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
    outcomes = [run["verdict"]["outcome"] for run in json.loads(done.stdout)["runs"]]
    assert len(outcomes) == DRAWS, done.stderr
    assert set(outcomes) <= {"rolled_back", "promoted"}, outcomes
    seen = outcomes.count("rolled_back")
    low, high = binom.ppf((0.025, 0.975), DRAWS, told)
    print(f"{name}: predicted {told:.3f}, rolled back in {seen} of {DRAWS}")  # noqa: T201 - its result
    assert low <= seen <= high, f"{name}: predicted {told:.3f}, rolled back in {seen} of {DRAWS}"


def _file(made: Experiment, seed: int, folder: Path) -> str:
    path = folder / f"seed-{seed}.yaml"
    path.write_bytes(msgspec.yaml.encode(replace(made, name=f"seed-{seed}", seed=seed)))
    return str(path)
