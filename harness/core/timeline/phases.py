"""Where a release stands, by its deployment's status, the alias and the rollback."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from harness.core.timeline.deployments import ENDED_STATUSES, WAITING_STATUSES
from harness.core.timeline.events import DeploymentSeen


class Phase(StrEnum):
    """Where the release stands."""

    WAITING = "waiting"
    CREATED = "created"
    BEFORE_TRAFFIC = "before_traffic"
    CANARY = "canary"
    AFTER_TRAFFIC = "after_traffic"
    PROMOTED = "promoted"
    STOPPING = "stopping"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    STOPPED = "stopped"
    FAILED = "failed"


Place = Literal["baseline", "split", "canary"]
"""Where the alias sends traffic."""
Undoing = Literal["awaited", "none", "running", "done", "broken"]
"""How far the rollback is; `none` once it was waited for in vain."""

UNDOING_BY_STATUS: Mapping[str, Undoing] = {"Succeeded": "done", "Failed": "broken", "Stopped": "broken"}
PLACE_AFTER: Mapping[Phase, Place] = {Phase.PROMOTED: "canary", Phase.ROLLED_BACK: "baseline"}
PLACE_BY_SHIFT: Mapping[str | None, Place] = {"Pending": "baseline", "InProgress": "split", "Succeeded": "canary"}
"""By the status of AllowTraffic."""

_BY_PLACE: Mapping[Place | None, Phase] = {
    None: Phase.BEFORE_TRAFFIC,
    "baseline": Phase.BEFORE_TRAFFIC,
    "split": Phase.CANARY,
    "canary": Phase.AFTER_TRAFFIC,
}
_BY_END: Mapping[tuple[str, Undoing], Phase] = {
    ("Stopped", "awaited"): Phase.STOPPING,
    ("Stopped", "none"): Phase.STOPPED,
    ("Stopped", "running"): Phase.ROLLING_BACK,
    ("Stopped", "done"): Phase.ROLLED_BACK,
    ("Stopped", "broken"): Phase.STOPPED,
    ("Failed", "awaited"): Phase.STOPPING,
    ("Failed", "none"): Phase.FAILED,
    ("Failed", "running"): Phase.ROLLING_BACK,
    ("Failed", "done"): Phase.ROLLED_BACK,
    ("Failed", "broken"): Phase.FAILED,
}


def phase_of(forward: DeploymentSeen, place: Place | None, undoing: Undoing) -> Phase:
    """The phase of a release whose deployment was seen."""
    if forward.status in WAITING_STATUSES:
        return Phase.CREATED
    if forward.status not in ENDED_STATUSES:
        return _BY_PLACE[place]
    return Phase.PROMOTED if forward.status == "Succeeded" else _BY_END[forward.status, undoing]
