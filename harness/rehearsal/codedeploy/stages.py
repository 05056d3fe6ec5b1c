"""The stages of a deployment, as a table: what a signal makes of each."""

from enum import StrEnum
from types import MappingProxyType


class DeploymentStage(StrEnum):
    """Where a deployment is."""

    CREATED = "Created"
    START = "Start"
    BEFORE_ALLOW_TRAFFIC = "BeforeAllowTraffic"
    ALLOW_TRAFFIC = "AllowTraffic"
    AFTER_ALLOW_TRAFFIC = "AfterAllowTraffic"
    END = "End"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"


class StageSignal(StrEnum):
    """What can happen to a deployment."""

    DONE = "done"
    FAIL = "fail"
    STOP = "stop"


EVENTS = (DeploymentStage.BEFORE_ALLOW_TRAFFIC, DeploymentStage.ALLOW_TRAFFIC, DeploymentStage.AFTER_ALLOW_TRAFFIC)
"""The stages that are lifecycle events of the target."""


def _running(following: DeploymentStage) -> MappingProxyType[StageSignal, DeploymentStage]:
    return MappingProxyType(
        {
            StageSignal.DONE: following,
            StageSignal.FAIL: DeploymentStage.FAILED,
            StageSignal.STOP: DeploymentStage.STOPPED,
        }
    )


_OVER: MappingProxyType[StageSignal, DeploymentStage] = MappingProxyType({})

TRANSITIONS = {
    DeploymentStage.CREATED: _running(DeploymentStage.START),
    DeploymentStage.START: _running(DeploymentStage.BEFORE_ALLOW_TRAFFIC),
    DeploymentStage.BEFORE_ALLOW_TRAFFIC: _running(DeploymentStage.ALLOW_TRAFFIC),
    DeploymentStage.ALLOW_TRAFFIC: _running(DeploymentStage.AFTER_ALLOW_TRAFFIC),
    DeploymentStage.AFTER_ALLOW_TRAFFIC: _running(DeploymentStage.END),
    DeploymentStage.END: _running(DeploymentStage.SUCCEEDED),
    DeploymentStage.SUCCEEDED: _OVER,
    DeploymentStage.FAILED: _OVER,
    DeploymentStage.STOPPED: _OVER,
}

RUNNING = frozenset(stage for stage, row in TRANSITIONS.items() if row)

STATUS = {
    DeploymentStage.CREATED: "Created",
    **dict.fromkeys(RUNNING - {DeploymentStage.CREATED}, "InProgress"),
    DeploymentStage.SUCCEEDED: "Succeeded",
    DeploymentStage.FAILED: "Failed",
    DeploymentStage.STOPPED: "Stopped",
}
"""AWS's DeploymentStatus for each stage."""
