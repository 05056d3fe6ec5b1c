"""Questions about the group, its alias and its deployments."""

from harness.core.arming.diagnosis import Assessment, CheckSeverity, error, note, ok, warning
from harness.core.arming.snapshot import GONE, Hook, Snapshot, Unseen
from harness.core.experiment.types import AWS_PREFIX, RollbackEvent
from harness.core.timeline.deployments import ended_badly, is_rollback
from harness.core.timeline.events import ConfigSeen, DeploymentSeen
from harness.core.timeline.steps import shifting_s

_NOT_INVOCABLE = ("Pending", "Failed")
_AS_MEANT = ("ALARM_ACTIVE", "MANUAL_STOP")
"""The safety net, or a person, stopped the deployment."""
_TIMED_OUT = "ScriptTimedOut"
_NOT_THERE = ("DoesNotExistException", "ResourceNotFoundException")


def group_exists(snapshot: Snapshot) -> Assessment:
    """The deployment group exists."""
    if _is_missing(snapshot, "codedeploy:GetDeploymentGroup"):
        wanted = snapshot.experiment.deployment
        seen = f"CodeDeploy knows no group {wanted.group} in the application {wanted.application}."
        return error(seen, "Correct the names, or use another region or account.")
    group = snapshot.group()
    return ok(f"The group {group.group} of the application {group.application} exists.")


def on_alarm(snapshot: Snapshot) -> Assessment:
    """The group rolls back when an alarm goes to ALARM."""
    return _rolls_back(snapshot, "DEPLOYMENT_STOP_ON_ALARM", bad="error")


def on_failure(snapshot: Snapshot) -> Assessment:
    """The group rolls back when a hook fails or a deployment cannot go on."""
    return _rolls_back(snapshot, "DEPLOYMENT_FAILURE", bad="warning")


def on_request(snapshot: Snapshot) -> Assessment:
    """The group rolls back when a person or CloudFormation stops a deployment."""
    return _rolls_back(snapshot, "DEPLOYMENT_STOP_ON_REQUEST", bad="warning")


def _rolls_back(snapshot: Snapshot, event: RollbackEvent, *, bad: CheckSeverity) -> Assessment:
    group = snapshot.group()
    if event in group.rollback_events:
        return ok(f"The group rolls back on {event}.")
    seen = f"The group {group.group} does not roll back on {event}."
    return Assessment(bad, seen, "Add the event to its automatic rollback, and enable that.")


def alias_exists(snapshot: Snapshot) -> Assessment:
    """The alias that CodeDeploy shifts exists."""
    if _is_missing(snapshot, "lambda:GetAlias"):
        seen = f"The function {snapshot.function} has no alias {snapshot.alias_name}."
        advice = (
            "Deploy once: the first deployment makes the alias and goes live without a canary. Then run doctor again."
        )
        return error(seen, advice)
    alias = snapshot.alias()
    return ok(f"The alias {alias.alias} points at version {alias.version}.")


def alias_whole(snapshot: Snapshot) -> Assessment:
    """The alias has no weights left from an earlier deployment."""
    alias = snapshot.alias()
    split = ", ".join(f"{share:.0%} on version {version}" for version, share in alias.weights.items())
    if not split:
        return ok(f"Version {alias.version} takes all traffic of the alias {alias.alias}.")
    if snapshot.active:
        return note(f"The alias {alias.alias} is split ({split}) by the deployment that is running.")
    advice = "Give all traffic to one version: aws lambda update-alias --routing-config AdditionalVersionWeights={}."
    return error(f"The alias {alias.alias} is split ({split}) and no deployment runs.", advice)


def target_is_there_and_new(snapshot: Snapshot) -> Assessment:
    """The version that the experiment deploys exists, can be invoked, and is not the one in service."""
    target = snapshot.experiment.deployment.target_version
    if target is None:
        return ok("The experiment does not name the version that it deploys.")
    state, live = snapshot.target_state, snapshot.alias().version
    advice = "Publish a new version and set deployment.target_version to it."
    if state == GONE:
        return error(f"The function {snapshot.function} has no version {target}.", advice)
    if target == live:
        seen = f"The experiment deploys version {target}, which the alias {snapshot.alias_name} points at already."
        return error(seen, advice)
    if state is None:
        raise Unseen(snapshot.failure("lambda:GetFunctionConfiguration") or f"version {target} could not be looked at")
    if state in _NOT_INVOCABLE:
        seen = f"Version {target} of the function {snapshot.function} is {state} and cannot be invoked."
        return error(seen, "Wait until Lambda says Active, or publish another version.")
    return ok(f"Version {target} is to take over from version {live}.")


def none_active(snapshot: Snapshot) -> Assessment:
    """No other deployment is running in the group."""
    if snapshot.active is None:
        raise Unseen(snapshot.failure("codedeploy:ListDeployments") or "the deployments were not listed")
    others = [seen.deployment_id for seen in snapshot.active if seen.deployment_id != snapshot.experiment.deployment.id]
    if not others:
        return ok("No other deployment runs in the group.")
    return error(f"The deployment {', '.join(others)} runs already.", "Wait for its end, or stop it.")


def gradual(snapshot: Snapshot) -> Assessment:
    """Traffic shifts in steps, so that there is something to watch."""
    config, group = snapshot.config(), snapshot.group()
    if config.kind == "all_at_once":
        advice = f"Give the group {group.group} a canary or linear configuration such as Canary10Percent5Minutes."
        return error(f"{config.name} shifts all traffic at once.", advice)
    if config.name != group.config:
        seen = f"The experiment deploys with {_short(config.name)}, and the group uses {_short(group.config)}."
        return note(
            seen, "Set deployment.config to the group's, or the run tests another configuration than the one in use."
        )
    return ok(f"{_short(config.name)} shifts {config.step or 0:.0%} at first; the bake time is {bake_s(config):.0f} s.")


def bake_s(config: ConfigSeen) -> float:
    """The bake time, in which alarms can stop the deployment; 0 if all traffic shifts at once. Raises Unseen."""
    if config.kind == "all_at_once":
        return 0.0
    lasts_s = shifting_s(config)
    if lasts_s is None:
        raise Unseen(f"the configuration {config.name} does not say how it shifts")
    return lasts_s


def deployed_before(snapshot: Snapshot) -> Assessment:
    """The group has deployed before; the answer says how its last deployment ended."""
    last = _last(snapshot)
    if last is None:
        seen = f"The group {snapshot.group().group} has never deployed anything."
        return warning(seen, "Deploy once, so that there is a revision to roll back to.")
    if is_rollback(last):
        return note(f"The last deployment {last.deployment_id} is a rollback; what it undid is not known.")
    if ended_badly(last):
        return _ended_badly(last)
    return ok(f"The last deployment {last.deployment_id} is {last.status}.")


def _ended_badly(last: DeploymentSeen) -> Assessment:
    seen = f"The last deployment {last.deployment_id} ended with {last.status}{_why(last)}."
    if last.error_code in _AS_MEANT:
        return note(seen)
    message = f" CodeDeploy says: {last.error_message}" if last.error_message else ""
    return warning(f"{seen}{message}", "Find out why before the next deployment: it may end the same way.")


def _last(snapshot: Snapshot) -> DeploymentSeen | None:
    """The last deployment; None where the group, which knows it, was seen to have none."""
    if snapshot.last is None:
        snapshot.group()  # raises Unseen: then nobody knows whether it has one
    return snapshot.last_deployment()


def hooks(snapshot: Snapshot) -> Assessment:
    """The hooks of the last deployment exist, and none of them failed."""
    if snapshot.hooks is None:
        raise Unseen(snapshot.failure("codedeploy:GetApplicationRevision") or "the AppSpec could not be read")
    missing = [hook for hook in snapshot.hooks if hook.exists is False]
    if missing:
        seen = f"There is no function {' and '.join(map(_hook, missing))}."
        return error(seen, "Deploy the hook function, or remove it from the AppSpec.")
    last = _last(snapshot)
    if last and last.error_code == "HOOK_EXECUTION_FAILURE":
        return _hook_failed(snapshot, last)
    if any(hook.exists is None for hook in snapshot.hooks):
        raise Unseen(snapshot.failure("lambda:GetFunctionConfiguration") or "a hook function could not be looked at")
    named = ", ".join(map(_hook, snapshot.hooks))
    return ok(f"Hooks of the last deployment: {named}." if named else "No hook was seen.")


def _hook_failed(snapshot: Snapshot, last: DeploymentSeen) -> Assessment:
    target = snapshot.target()
    failed = [event for event in target.lifecycle if event.status == "Failed"] if target else []
    named = " and ".join(f"{event.name}{f' by {event.script}' if event.script else ''}" for event in failed)
    said = " ".join(event.message for event in failed if event.message)
    seen = f"A hook failed the last deployment {last.deployment_id}{f' in {named}' if named else ''}. {said}".rstrip()
    if any(event.error_code == _TIMED_OUT for event in failed):
        advice = (
            "Have the hook function call PutLifecycleEventHookExecutionStatus with Succeeded or Failed, and allow "
            "codedeploy:PutLifecycleEventHookExecutionStatus in its role."
        )
        return warning(seen, advice)
    return warning(seen, "Read the log of the hook function before the next deployment.")


def _hook(hook: Hook) -> str:
    return f"{hook.function} ({hook.event})"


def _why(last: DeploymentSeen) -> str:
    return f" ({last.error_code})" if last.error_code else ""


def _short(config: str) -> str:
    return config.removeprefix(AWS_PREFIX)


def _is_missing(snapshot: Snapshot, call: str) -> bool:
    look = snapshot.failed(call)
    return look is not None and look.code.endswith(_NOT_THERE)
