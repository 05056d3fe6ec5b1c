"""What a deployment is to others, and whether it is over: the one place that knows CodeDeploy's words for it."""

from harness.core.timeline.events import DeploymentSeen

ENDED_STATUSES = frozenset({"Succeeded", "Failed", "Stopped"})
"""A status that is in no table (Baking, Ready, or a word nobody knows yet) is in progress."""
WAITING_STATUSES = frozenset({"Created", "Queued"})
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
