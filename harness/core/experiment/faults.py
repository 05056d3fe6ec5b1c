"""The faults of an experiment as a plan: which share holds when, counted from the deployment's creation."""

import math
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from harness.core.experiment.types import Experiment, Fault

BASE = "traffic.error_share"

EffectKind = Literal["force_alarm", "concurrency", "fis_template"]
SHARE: Final = "error_share"
"""The kind of fault that changes what is sent: a share of all requests that are meant to fail."""
EFFECTS: tuple[EffectKind, ...] = ("force_alarm", "concurrency", "fis_template")
"""Kinds of fault that change something on AWS."""
KINDS = (SHARE, *EFFECTS)


class Share(NamedTuple):
    """A share of fault requests and the name of the fault that asks for it."""

    fault: str
    share: float


def name_of(index: int) -> str:
    """How the timeline calls a fault of the list."""
    return f"faults[{index}]"


def kind_of(fault: Fault) -> str:
    """The kind of a fault: its one key that is set."""
    return next(kind for kind in KINDS if getattr(fault, kind) is not None)


def effects_of(experiment: Experiment) -> Iterator[tuple[str, EffectKind, Fault]]:
    """The faults that change something on AWS: name, kind, and what is asked."""
    for index, fault in enumerate(experiment.faults):
        for kind in EFFECTS:
            if getattr(fault, kind) is not None:
                yield name_of(index), kind, fault


def share_at(experiment: Experiment, since_creation_s: float) -> Share | None:
    """The share at an instant; of faults that overlap the last in the list holds, None where none is planned."""
    holding = [
        Share(name_of(index), fault.error_share)
        for index, fault in enumerate(experiment.faults)
        if fault.error_share is not None and _lasts(fault, since_creation_s)
    ]
    if holding:
        return holding[-1]
    base = experiment.traffic.error_share
    return Share(BASE, base) if base and since_creation_s >= 0 else None


def changes_s(experiment: Experiment) -> list[float]:
    """The instants at which a share may change, in order, counted from the deployment's creation."""
    faults = [fault for fault in experiment.faults if kind_of(fault) == SHARE]
    starts = [fault.at_s for fault in faults]
    ends = [fault.at_s + fault.for_s for fault in faults if fault.for_s]
    return sorted({0.0, *starts, *ends})


def highest_share(experiment: Experiment) -> float:
    """The most that the share of fault requests ever comes to."""
    shares = (share_at(experiment, change_s) for change_s in changes_s(experiment))
    return max(share.share if share else 0.0 for share in shares)


def _lasts(fault: Fault, at_s: float) -> bool:
    return fault.at_s <= at_s and (fault.for_s is None or at_s < fault.at_s + fault.for_s)


class PlannedSpan(NamedTuple):
    """When a planned fault holds, counted from the deployment's creation; `until_s` is infinite without an end."""

    fault: str
    kind: str
    from_s: float
    until_s: float


def spans_of(experiment: Experiment) -> Iterator[PlannedSpan]:
    """When each planned fault holds: of shares that overlap the last in the list does, for a part of its own time."""
    yield from _share_spans(experiment)
    for name, effect, fault in effects_of(experiment):
        yield PlannedSpan(name, effect, fault.at_s, math.inf if fault.for_s is None else fault.at_s + fault.for_s)


def _share_spans(experiment: Experiment) -> Iterator[PlannedSpan]:
    instants = [*changes_s(experiment), math.inf]
    began_s, holding = instants[0], share_at(experiment, instants[0])
    for at_s in instants[1:]:
        share = share_at(experiment, at_s) if at_s < math.inf else None
        if share == holding and at_s < math.inf:
            continue
        if holding and holding.share:  # a share of zero breaks nothing: it ends what came before
            yield PlannedSpan(holding.fault, SHARE, began_s, at_s)
        began_s, holding = at_s, share
