"""This machine's clock is not AWS's: planned faults happen all the same, and no verdict is another one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import experiments
from harness.core.experiment.types import Call
from harness.core.timeline.events import FaultStarted, Trouble
from tests.aws.test_survival import SPEED, Played, Rehearse, packaged, rehearse

__all__ = ["rehearse"]

OFF_S = (-300.0, -2.0, -0.5, -0.1, -0.01, 0.01, 0.1, 0.5, 2.0, 300.0)
"""How far this machine's clock is ahead of AWS's."""
SOON = (("late-fault", -0.5),)
"""Pairs that `make test` plays, too: the fault is due 280 s after a creation that AWS dates half a second later."""


def is_same_or_inconclusive(played: Played, name: str) -> None:
    """Holds a verdict against what a packaged experiment comes to with one clock for both."""
    if played.verdict.result == "inconclusive" and Call.INCONCLUSIVE not in packaged(name).expect.calls:
        assert played.exit_code == 4, played.verdict.because
    else:
        played.check(name)


def cases() -> Iterator[Any]:
    """Every experiment with every offset."""
    for name in experiments.NAMES:
        for off_s in OFF_S:
            marks = pytest.mark.slow if (name, off_s) in SOON else pytest.mark.soak
            yield pytest.param(name, off_s, marks=marks, id=f"{name} {off_s:+g} s")


@pytest.mark.parametrize(("name", "off_s"), [*cases()])
def test_a_clock_that_differs_changes_no_verdict(name: str, off_s: float, rehearse: Rehearse) -> None:
    """Every planned fault begins, and what the release comes to is what it comes to with one clock for both."""
    played = rehearse(packaged(name), lambda _: None, speed=SPEED, clock_off_s=off_s)
    began = {event.fault for event in played.folder.read_events() if isinstance(event, FaultStarted)}
    assert began >= {f"faults[{index}]" for index, _ in enumerate(packaged(name).faults)}
    is_same_or_inconclusive(played, name)


STEPS = """
import os, pathlib, sys, time

timeline, system, look_s, step_s = pathlib.Path(os.environ["TIMELINE"]), time.time, 0.0, 0.0

def show():
    global look_s, step_s
    if not step_s and time.monotonic() > look_s + 0.2:
        look_s = time.monotonic()
        if timeline.exists() and b"codedeploy:CreateDeployment" in timeline.read_bytes():
            step_s = float(os.environ["STEP_S"])
    return system() + step_s

if "locust" in " ".join(sys.orig_argv):
    time.time = show
"""
"""Sets the clock that Python shows once a run deploys; the clock of the cloud beside it stays."""


def steps() -> Iterator[Any]:
    """Every experiment with both steps."""
    for name in experiments.NAMES:
        for step_s in (-60.0, 60.0):
            marks = pytest.mark.slow if (name, step_s) == ("forced-alarm", -60.0) else pytest.mark.soak
            yield pytest.param(name, step_s, marks=marks, id=f"{name} {step_s:+g} s")


@pytest.mark.parametrize(("name", "step_s"), [*steps()])
def test_a_clock_that_is_set_in_the_middle_changes_no_verdict(
    name: str,
    step_s: float,
    rehearse: Rehearse,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is told as trouble, and every time of the run goes on as before."""
    sets = tmp_path_factory.mktemp("sets")
    (sets / "sitecustomize.py").write_text(STEPS)
    monkeypatch.setenv("PYTHONPATH", str(sets))
    monkeypatch.setenv("STEP_S", str(step_s))
    monkeypatch.setenv("TIMELINE", str(tmp_path / "latest" / "timeline.jsonl"))
    played = rehearse(packaged(name), lambda _: None, speed=SPEED)
    events = played.folder.read_events()
    assert [event.message for event in events if isinstance(event, Trouble) and event.what == "clock"]
    assert max(event.at_s for event in events) < packaged(name).give_up_s
    is_same_or_inconclusive(played, name)
