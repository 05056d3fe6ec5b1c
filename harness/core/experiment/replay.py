"""A rate that a file tells: `arrival_rate: {from: invocations.csv, scale: 0.1, window: "2026-11-20T18:00/30m"}`."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from harness.core.experiment.shape import mismatches, shape_of
from harness.core.experiment.types import RateStep, Replay
from harness.errors import ExperimentError

PATH = "traffic.arrival_rate"

Steps = Callable[[Replay], tuple[RateStep, ...]]
"""Reads the file; raises ExperimentError."""


def nowhere(_: Replay) -> tuple[RateStep, ...]:
    """Refuses a rate that a file tells, in a text that is no file itself."""
    raise ExperimentError(f"{PATH}.from", "is for an experiment in a file, beside which the other one is found")


def with_the_rate(tree: Any, steps: Steps) -> Any:
    """An experiment's tree with the steps that the file of its rate tells, so that it needs no file later."""
    traffic = tree.get("traffic") if isinstance(tree, Mapping) else None
    asked = traffic.get("arrival_rate") if isinstance(traffic, Mapping) else None
    if not isinstance(traffic, Mapping) or not isinstance(asked, Mapping) or asked.get("steps"):
        return tree
    for problem in mismatches(asked, shape_of(Replay), PATH):
        raise problem
    told = msgspec.to_builtins(steps(msgspec.convert(asked, Replay)))
    return {**tree, "traffic": {**traffic, "arrival_rate": {**asked, "steps": [*told]}}}
