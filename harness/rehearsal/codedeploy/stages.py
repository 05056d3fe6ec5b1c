"""The stages of a deployment, as a table: what a signal makes of each."""

from enum import StrEnum
from types import MappingProxyType


class Stage(StrEnum):
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


class Signal(StrEnum):
    """What can happen to a deployment."""

    DONE = "done"
    FAIL = "fail"
    STOP = "stop"


EVENTS = (Stage.BEFORE_ALLOW_TRAFFIC, Stage.ALLOW_TRAFFIC, Stage.AFTER_ALLOW_TRAFFIC)
"""The stages that are lifecycle events of the target."""


def _running(following: Stage) -> MappingProxyType[Signal, Stage]:
    return MappingProxyType({Signal.DONE: following, Signal.FAIL: Stage.FAILED, Signal.STOP: Stage.STOPPED})


_OVER: MappingProxyType[Signal, Stage] = MappingProxyType({})

TRANSITIONS = {
    Stage.CREATED: _running(Stage.START),
    Stage.START: _running(Stage.BEFORE_ALLOW_TRAFFIC),
    Stage.BEFORE_ALLOW_TRAFFIC: _running(Stage.ALLOW_TRAFFIC),
    Stage.ALLOW_TRAFFIC: _running(Stage.AFTER_ALLOW_TRAFFIC),
    Stage.AFTER_ALLOW_TRAFFIC: _running(Stage.END),
    Stage.END: _running(Stage.SUCCEEDED),
    Stage.SUCCEEDED: _OVER,
    Stage.FAILED: _OVER,
    Stage.STOPPED: _OVER,
}

RUNNING = frozenset(stage for stage, row in TRANSITIONS.items() if row)

STATUS = {
    Stage.CREATED: "Created",
    **dict.fromkeys(RUNNING - {Stage.CREATED}, "InProgress"),
    Stage.SUCCEEDED: "Succeeded",
    Stage.FAILED: "Failed",
    Stage.STOPPED: "Stopped",
}
"""AWS's DeploymentStatus for each stage."""
