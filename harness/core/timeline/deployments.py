"""What CodeDeploy's words for a deployment mean: whether it is over, what it undoes, and where its release stands."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from harness.core.timeline.events import DeploymentSeen, Place

ENDED_STATUSES = frozenset({"Succeeded", "Failed", "Stopped"})
"""A status that is in no table (Baking, Ready, or a word nobody knows yet) is in progress."""
WAITING_STATUSES = ("Created", "Queued")
UNDER_WAY = (*WAITING_STATUSES, "InProgress", "Baking", "Ready")
"""The statuses by which CodeDeploy lists deployments that have not ended."""
ROLLBACK_CREATOR = "codeDeployRollback"


def has_ended(seen: DeploymentSeen | None) -> bool:
    """Whether a deployment was seen to be over."""
    return seen is not None and seen.status in ENDED_STATUSES


def ended_badly(seen: DeploymentSeen | None) -> bool:
    """Whether a deployment was seen to have failed or been stopped."""
    return seen is not None and seen.status in ("Failed", "Stopped")


def is_rollback(seen: DeploymentSeen) -> bool:
    """Whether CodeDeploy made this deployment to undo another."""
    return seen.rollback_of is not None or seen.creator == ROLLBACK_CREATOR


def undoes(rollback: DeploymentSeen, forward: DeploymentSeen) -> bool:
    """Whether one of the two names the other; for a moment after the creation of a rollback neither does."""
    return rollback.rollback_of == forward.deployment_id or rollback.deployment_id == forward.rollback_id


def is_older(before: DeploymentSeen | None, seen: DeploymentSeen) -> bool:
    """Whether `seen` tells an older state than an earlier look: no deployment goes on after its end."""
    return has_ended(before) and not has_ended(seen)


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
