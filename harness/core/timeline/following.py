"""How each event changes what is known of the release that is followed."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from harness.core.timeline.bounds import exactly
from harness.core.timeline.deployments import has_ended, is_older, is_rollback, undoes
from harness.core.timeline.events import (
    AliasSeen,
    ConfigSeen,
    DeploymentSeen,
    Event,
    RunStarted,
    TargetSeen,
    Write,
)
from harness.core.timeline.phases import PLACE_AFTER, Phase
from harness.core.timeline.release import GRACE_S, Release
from harness.core.timeline.weights import canary_of, place_of, shares_of, weight_of

_CREATION = "codedeploy:CreateDeployment"
_ID = re.compile(r"\bd-\w+")


def follow(known: Release, event: Event) -> Release:
    """The release with one more event."""
    fold = _FOLDS.get(type(event))
    return fold(known, event) if fold else known


def follow_deployment(known: Release, deployment_id: str) -> Release:
    """The release of this deployment; one that was followed until now was not ours."""
    if known.followed not in (None, deployment_id):
        mistaken = (known.forward,) if known.forward else ()
        known = Release(alias=known.alias, others=(*known.others, *mistaken))
    return replace(known, wanted=deployment_id)


def _run_started(known: Release, event: RunStarted) -> Release:
    return replace(known, wanted=event.deployment)


def _write(known: Release, event: Write) -> Release:
    if event.call != _CREATION or known.wanted:
        return known
    if event.step == "failed":
        return replace(known, refused=event.detail or "the call failed")
    named = _ID.match(event.detail) or _ID.match(event.subject) if event.step == "done" else None
    if named is None:
        return known
    return replace(follow_deployment(known, named[0]), asked_for_s=event.at_s, refused=None)


def _deployment(known: Release, seen: DeploymentSeen) -> Release:
    if is_rollback(seen):
        return _rollback(known, seen)
    if _is_forward(known, seen):
        return _forward(known, seen)
    return _other(known, seen)


def _is_forward(known: Release, seen: DeploymentSeen) -> bool:
    if known.followed:
        return seen.deployment_id == known.followed
    over_before_run = has_ended(seen) and seen.completed_s is not None and seen.completed_s < 0
    return not over_before_run


def _forward(known: Release, seen: DeploymentSeen) -> Release:
    before = known.forward
    if is_older(before, seen):
        return known
    if before and before.rollback_id and not seen.rollback_id:
        seen = replace(seen, rollback_id=before.rollback_id)
    known = replace(known, forward=seen, first_seen_s=known.first_seen_s if before else seen.asked_s)
    if known.rollback and not undoes(known.rollback, seen):
        known = _other(replace(known, rollback=None), known.rollback)
    return _end(known, before, seen) if has_ended(seen) else known


def _end(known: Release, before: DeploymentSeen | None, seen: DeploymentSeen) -> Release:
    ended = exactly(seen.completed_s) or known.ended or (_last_asked(known, before), seen.at_s)
    end_seen_s = seen.at_s if known.end_seen_s is None else known.end_seen_s
    no_rollback = known.rollback is None and seen.rollback_id is None
    grace_over = no_rollback and seen.asked_s >= end_seen_s + GRACE_S
    return replace(known, ended=ended, end_seen_s=end_seen_s, grace_over=known.grace_over or grace_over)


def _last_asked(known: Release, before: DeploymentSeen | None) -> float:
    if before:
        return before.asked_s
    return known.created_s if known.created_s is not None else 0.0


def _rollback(known: Release, seen: DeploymentSeen) -> Release:
    if known.forward and not undoes(seen, known.forward):
        return _other(known, seen)
    if known.wanted and known.forward is None and seen.rollback_of != known.wanted:
        return _other(known, seen)
    return known if is_older(known.rollback, seen) else replace(known, rollback=seen)


def _other(known: Release, seen: DeploymentSeen) -> Release:
    kept = tuple(other for other in known.others if other.deployment_id != seen.deployment_id)
    return replace(known, others=(*kept, seen))


def _config(known: Release, seen: ConfigSeen) -> Release:
    deployed = known.forward.config if known.forward else None
    return replace(known, config=seen) if deployed in (None, seen.name) or known.config is None else known


def _target(known: Release, seen: TargetSeen) -> Release:
    if seen.deployment_id != known.followed:
        return known
    known = replace(
        known,
        target=seen,
        baseline=seen.current_version or known.baseline,
        canary=seen.target_version or known.canary,
    )
    if seen.weight is None or known.ended:
        return known
    weights = replace(known.weights, before_end=seen.weight or known.weights.before_end)
    return replace(known, weighed=seen, weights=weights.showing(seen.weight, seen, known.created_s))


def _alias(known: Release, seen: AliasSeen) -> Release:
    before = known.alias
    known = replace(known, alias=seen, baseline=known.baseline or seen.version)
    if known.created_s is None or seen.at_s < known.created_s:
        return known
    if known.agreed is None:
        known = _moved(known, before, seen, known.created_s)
    return _compared(known, seen)


def _moved(known: Release, before: AliasSeen | None, seen: AliasSeen, created_s: float) -> Release:
    """The alias's way from the baseline through the split to the canary, or back."""
    place, weight = place_of(seen, known.baseline), weight_of(seen, known.baseline)
    since = (max(before.asked_s, created_s) if before else created_s, seen.at_s)
    weights = known.weights.at(place, since).showing(weight, seen, created_s)
    if place == "baseline":
        return replace(known, weights=weights)
    if not known.ended or seen.asked_s <= known.ended[1]:
        weights = replace(weights, before_end=weight)
    return replace(known, weights=weights, canary=known.canary or canary_of(seen, known.baseline))


def _compared(known: Release, seen: AliasSeen) -> Release:
    after_end = known.ended is not None and seen.asked_s >= known.ended[0]
    if known.agreed or not after_end or not _agrees(known, seen):
        return known
    return replace(known, agreed=seen)


def _agrees(known: Release, seen: AliasSeen) -> bool:
    """Whether the alias is where the outcome puts it; a third version's share is the next deployment's."""
    phase = known.phase
    if known.canary is None:
        return PLACE_AFTER.get(phase) == place_of(seen, known.baseline)
    if phase is Phase.PROMOTED:
        return seen.version == known.canary
    return phase is Phase.ROLLED_BACK and seen.version == known.baseline and known.canary not in shares_of(seen)


_FOLDS: Mapping[type, Callable[[Release, Any], Release]] = {
    RunStarted: _run_started,
    Write: _write,
    DeploymentSeen: _deployment,
    ConfigSeen: _config,
    TargetSeen: _target,
    AliasSeen: _alias,
}
