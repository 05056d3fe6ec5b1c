"""Hooks that do not report: CodeDeploy waits an hour for a hook function, and then fails the deployment."""

from harness.core.timeline.events import LifecycleEvent, TargetSeen

HOOKED = ("BeforeAllowTraffic", "AfterAllowTraffic")
"""The lifecycle events of a Lambda deployment that may have a hook."""
UNREPORTED_S = 60.0
"""A lifecycle event without a hook takes seconds: one that lasts longer waits for its hook's report."""


def awaited_hook(seen: TargetSeen) -> LifecycleEvent | None:
    """The lifecycle event that waits for its hook's report for a minute or more."""
    waiting = (event for event in seen.lifecycle if event.name in HOOKED and event.status == "InProgress")
    return next((event for event in waiting if waited_s(seen, event) >= UNREPORTED_S), None)


def waited_s(seen: TargetSeen, event: LifecycleEvent) -> float:
    """How long a lifecycle event had lasted; 0 where CodeDeploy did not date it."""
    return 0.0 if event.started_s is None else seen.asked_s - event.started_s


def unreported(seen: TargetSeen) -> str | None:
    """Which hook did not report, for how long, and what that leads to; None where no deployment waits for one."""
    event = awaited_hook(seen)
    if event is None:
        return None
    function = f"the function {event.script}" if event.script else "its function"
    return (
        f"{seen.deployment_id} waits for its hook {event.name}: {function} did not call "
        f"PutLifecycleEventHookExecutionStatus within {waited_s(seen, event):.0f} s. CodeDeploy waits an hour for "
        "that, and then fails the deployment"
    )
