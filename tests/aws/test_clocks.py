"""This machine's clock is not AWS's: planned faults happen all the same, and no verdict is another one."""

from collections.abc import Iterator
from typing import Any

import pytest
from test_survival import SPEED, Rehearse, packaged, rehearse

from harness import experiments
from harness.core.experiment.types import Call
from harness.core.timeline.events import FaultStarted

__all__ = ["rehearse"]

OFF_S = (-300.0, -2.0, -0.5, -0.1, -0.01, 0.01, 0.1, 0.5, 2.0, 300.0)
"""How far this machine's clock is ahead of AWS's."""
SOON = (("late-fault", -0.5),)
"""Pairs that `make test` plays, too: the fault is due 280 s after a creation that AWS dates half a second later."""


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
    if played.verdict.call is Call.INCONCLUSIVE:
        assert played.exit_code == 4, played.verdict.because
    else:
        played.check(name)
