"""The faults of an experiment as a plan: which share holds when, counted from the deployment's creation."""

from typing import NamedTuple

from harness.core.experiment import Experiment, Fault

BASE = "traffic.error_share"


class Share(NamedTuple):
    """An error share and the name of the fault that asks for it."""

    fault: str
    share: float


def name_of(index: int) -> str:
    """How the timeline calls a fault of the list."""
    return f"faults[{index}]"


def share_at(experiment: Experiment, since_creation_s: float) -> Share | None:
    """The error share at an instant; of faults that overlap the last in the list holds, None where none is planned."""
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
    """The instants at which the error share may change, in order, counted from the deployment's creation."""
    starts = [fault.at_s for fault in experiment.faults if fault.error_share is not None]
    ends = [fault.at_s + fault.for_s for fault in experiment.faults if fault.error_share is not None and fault.for_s]
    return sorted({0.0, *starts, *ends})


def _lasts(fault: Fault, at_s: float) -> bool:
    return fault.at_s <= at_s and (fault.for_s is None or at_s < fault.at_s + fault.for_s)
