"""What happened to the release itself, on the alias and in CodeDeploy."""

import math

from harness.core.experiment.types import Outcome
from harness.core.timeline.alias_astray import is_elsewhere, is_left_split, strayed_to
from harness.core.timeline.events import LifecycleEvent
from harness.core.timeline.release import Release
from harness.core.verdict.findings.scene import Scene, error, warning
from harness.core.verdict.trial import forced_weight, lost_weights, was_refused
from harness.core.verdict.types import Finding


def no_canary(scene: Scene) -> Finding | None:
    """All traffic shifted and nobody ever saw the two versions share it."""
    rollout = scene.evidence.rollout
    if rollout.outcome is not Outcome.PROMOTED or rollout.release.weights.split or rollout.release.alias is None:
        return None
    if rollout.release.config is not None and rollout.release.config.kind == "all_at_once":
        why = f"{rollout.release.config.name} shifts all traffic at once, so the alarm has nothing to watch"
    elif rollout.release.ended is not None and rollout.release.ended[1] <= 0:
        return None  # it was over before the run began, so that nobody looked
    else:
        why = "weights never appeared on the alias"
    return error("no-canary", f"There was no canary: {why}. Deploy with a canary or linear configuration.")


def alias_left_split(scene: Scene) -> Finding | None:
    """The deployment ended badly, nothing rolled it back, and the canary still has traffic."""
    release = scene.evidence.release
    if not is_left_split(release) or release.alias is None:
        return None
    return error(
        "alias-left-split",
        f"The alias {release.alias.alias} was left split: version {release.canary} still takes "
        f"{release.weight or 0:.0%} of the traffic, and the next deployment will fail (INVALID_LAMBDA_CONFIGURATION). "
        "Remove the weights with UpdateAlias, and let the group roll back by itself.",
    )


def alias_contradicts(scene: Scene) -> Finding | None:
    """The alias is not where CodeDeploy says it put it."""
    outcome, release = scene.evidence.rollout.outcome, scene.evidence.release
    if not is_elsewhere(release) or release.alias is None or was_refused(scene.evidence):
        return None
    return error(
        "alias-contradicts-codedeploy",
        f"CodeDeploy says {outcome.replace('_', ' ')}, but the alias {release.alias.alias} points at version "
        f"{release.alias.version} with weights {dict(release.alias.weights) or 'none'}. Did somebody else change it?",
    )


def alias_lost_weights(scene: Scene) -> Finding | None:
    """Somebody took the weights off the alias while CodeDeploy was shifting."""
    lost, created_s = lost_weights(scene.evidence), scene.evidence.release.created_s
    if lost is None or created_s is None:
        return None
    return error(
        "alias-lost-weights",
        f"The alias lost the canary's weight {lost[0] - created_s:.0f} to {lost[1] - created_s:.0f} s after the "
        "creation, while CodeDeploy still said that it shifts traffic: somebody else changed the alias, and the "
        "canary was not on trial from then on. Let nothing but CodeDeploy own the alias's weights (Terraform: "
        "ignore_changes on routing_config).",
    )


def alias_moved(scene: Scene) -> Finding | None:
    """Somebody put another version on the alias while CodeDeploy was shifting."""
    release = scene.evidence.release
    strayed, created_s = strayed_to(release), release.created_s
    if strayed is None or created_s is None:
        return None
    version, (low, high) = strayed
    return error(
        "alias-moved",
        f"The alias went to version {version} {low - created_s:.0f} to {high - created_s:.0f} s after the creation, "
        f"while CodeDeploy shifted traffic from version {release.baseline} to {release.canary}: somebody else changed "
        "the alias, and the canary was not on trial from then on. Let nothing but CodeDeploy own the alias.",
    )


def alias_weight_forced(scene: Scene) -> Finding | None:
    """Somebody gave the canary more than CodeDeploy did."""
    forced, created_s = forced_weight(scene.evidence), scene.evidence.release.created_s
    if forced is None or created_s is None:
        return None
    (low, high), config = forced.at_s, scene.evidence.release.config
    return error(
        "alias-weight-forced",
        f"The alias gave the canary {forced.weight:.0%} of the traffic {low - created_s:.0f} to {high - created_s:.0f} "
        f"s after the creation, which {config.name if config else 'CodeDeploy'} does not do then: somebody else "
        "changed the alias. Let nothing but CodeDeploy own the alias's weights.",
    )


def deployment_refused(scene: Scene) -> Finding | None:
    """CodeDeploy or Lambda did not take what the AppSpec names, so that no version was tried."""
    release = scene.evidence.release
    if release.forward is None or not was_refused(scene.evidence):
        return None
    code, said = (
        release.forward.error_code,
        (release.forward.error_message or "").removeprefix("The deployment failed because ").rstrip("."),
    )
    return error(
        "deployment-refused",
        f"The deployment failed before it shifted any traffic ({code}), and by no alarm{_versions(release)}."
        f"{f' CodeDeploy says: {said}.' if said else ''}",
    )


def _versions(release: Release) -> str:
    """What the AppSpec names, where its versions are the trouble."""
    target = release.target
    if target is None or not target.target_version:
        return ""
    if target.target_version == target.current_version:
        return f": its AppSpec names version {target.target_version} twice, and so no new one"
    return f": its AppSpec shifts {target.alias} from version {target.current_version} to {target.target_version}"


def hook_failed(scene: Scene) -> Finding | None:
    """A lifecycle hook said no."""
    release = scene.evidence.release
    if release.forward is None or release.forward.error_code != "HOOK_EXECUTION_FAILURE":
        return None
    lifecycle = release.target.lifecycle if release.target else ()
    hooks = [event for event in lifecycle if event.status == "Failed"]
    names = " and ".join(event.name for event in hooks)
    said = "".join(map(_why_hook_failed, hooks)) or " Look into the log of the hook function."
    return warning(
        "hook-failed",
        f"The deployment failed by its hook{f' {names}' if names else ''} (HOOK_EXECUTION_FAILURE), not by the alarm."
        f"{said}",
    )


def _why_hook_failed(hook: LifecycleEvent) -> str:
    """What CodeDeploy tells of a hook that failed, and what to do."""
    script = f"its function {hook.script}" if hook.script else "its function"
    if hook.error_code == "ScriptTimedOut":
        return (
            f" CodeDeploy waited an hour for {script} and heard nothing (ScriptTimedOut): it must call "
            "PutLifecycleEventHookExecutionStatus at its end, and its role must allow "
            "codedeploy:PutLifecycleEventHookExecutionStatus."
        )
    reason = ": ".join(part.rstrip(".") for part in (hook.error_code, hook.message) if part)
    return f" Look into the log of {script}{f' ({reason})' if reason else ''}."


def superseded(scene: Scene) -> Finding | None:
    """Another deployment of the group began after this one."""
    release = scene.evidence.release
    if release.superseded_by:
        names = ", ".join(release.superseded_by)
        text = f"The group's next deployment began ({names}): nothing from then on is counted for this one."
        return warning("superseded-by-other-deployment", text)
    created_s = release.created_s
    beside = [other for other in release.others if created_s is not None and (other.created_s or -math.inf) > created_s]
    if not beside:
        return None
    names = ", ".join(other.deployment_id for other in beside)
    text = f"Another deployment began during this run ({names}): what was measured after it may be its doing."
    return warning("superseded-by-other-deployment", text)
