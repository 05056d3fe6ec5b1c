"""A rate that a file tells: `arrival_rate: {from: invocations.csv, scale: 0.1, window: "2026-11-20T18:00/30m"}`."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, inspect

from harness.core.experiment.part import Part
from harness.core.experiment.shape import mismatches
from harness.core.experiment.types import RateStep
from harness.errors import ExperimentError

PATH = "traffic.arrival_rate"


class Replay(Part, frozen=True, kw_only=True):
    """The rate of production, replayed from the run's beginning on.

    `source` is a file beside the experiment's, `scale` the part of its traffic that is sent, and `window` when it
    begins and how long it is; a time without a zone is UTC. When it is over, the last rate holds.
    """

    source: str = msgspec.field(name="from")
    scale: Annotated[float, Meta(gt=0, le=1000)] = 1.0
    window: str | None = None


Steps = Callable[[Replay], tuple[RateStep, ...]]
"""Reads the file; raises ExperimentError."""


def nowhere(_: Replay) -> tuple[RateStep, ...]:
    """Refuses a rate that a file tells, in a text that is no file itself."""
    raise ExperimentError(f"{PATH}.from", "is for an experiment in a file, beside which the other one is found")


def with_the_rate(tree: Any, steps: Steps) -> Any:
    """An experiment's tree with the steps in the place of the file that tells them, so that it needs no file later."""
    traffic = tree.get("traffic") if isinstance(tree, Mapping) else None
    asked = traffic.get("arrival_rate") if isinstance(traffic, Mapping) else None
    if not isinstance(traffic, Mapping) or not isinstance(asked, Mapping):
        return tree
    for problem in mismatches(asked, inspect.type_info(Replay), PATH):
        raise problem
    told = msgspec.to_builtins(steps(msgspec.convert(asked, Replay)))
    return {**tree, "traffic": {**traffic, "arrival_rate": [*told]}}
