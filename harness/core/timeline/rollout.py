"""All that was seen of one release, folded from its timeline: `replay` turns events into a `Rollout`."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any, get_args

from msgspec import Struct
from msgspec.structs import replace

from harness.core.experiment.planned_writes import STOPPING
from harness.core.experiment.types import Outcome
from harness.core.timeline.alarm_states import AlarmStates
from harness.core.timeline.bounds import exactly
from harness.core.timeline.deployments import PLACE_AFTER, Phase, has_ended, is_older, is_rollback, undoes
from harness.core.timeline.events import (
    AliasSeen,
    ConfigSeen,
    DeploymentSeen,
    Event,
    RunEnded,
    RunStarted,
    Seen,
    Shadow,
    TargetSeen,
    Write,
)
from harness.core.timeline.left import CREATION
from harness.core.timeline.release import GRACE_S, Release
from harness.core.timeline.run_state import RunState
from harness.core.timeline.weights import canary_of, place_of, shares_of, weight_of

UNSEEN_ALIAS_S = 120.0
"""How long after the end a look at the alias is waited for while other looks succeed."""

_TELLING = frozenset({*get_args(Seen), RunStarted, RunEnded, Shadow, Write})
"""The events that a rollout is folded from; most events of a timeline are others."""

_OUTCOMES: Mapping[Phase, Outcome] = {
    Phase.PROMOTED: Outcome.PROMOTED,
    Phase.ROLLED_BACK: Outcome.ROLLED_BACK,
    Phase.STOPPED: Outcome.STOPPED,
    Phase.FAILED: Outcome.FAILED,
}
_ID = re.compile(r"\bd-\w+")


class Rollout(Struct, frozen=True, kw_only=True):
    """The run, the release that it follows, the alarms, and those that do not exist; `step` folds in the next event."""

    run: RunState = RunState()
    release: Release = Release()
    alarms: AlarmStates = AlarmStates()
    shadows: AlarmStates = AlarmStates()

    def step(self, event: Event) -> "Rollout":
        """This rollout with one more event."""
        if type(event) not in _TELLING:
            return self
        if isinstance(event, Shadow):
            return replace(self, shadows=self.shadows.step(event.seen))
        return replace(
            self, run=self.run.step(event), release=follow(self.release, event), alarms=self.alarms.step(event)
        )

    def following(self, deployment_id: str) -> "Rollout":
        """This rollout with this deployment as the forward one, whatever was taken for it until now."""
        return replace(self, release=follow_deployment(self.release, deployment_id))

    @property
    def outcome(self) -> Outcome:
        """What CodeDeploy did; unknown while that is open, not_started if looks to the run's end show no deployment."""
        release = self.release
        in_vain = self.run.searched_in_vain and not release.in_doubt
        if release.phase is Phase.WAITING and (release.refused or in_vain):
            return Outcome.NOT_STARTED
        return _OUTCOMES.get(release.phase, Outcome.UNKNOWN)

    @property
    def settled(self) -> bool:
        """Whether nothing more will change."""
        release = self.release
        if release.phase in PLACE_AFTER:
            return release.agreed is not None or bool(release.superseded_by) or self._alias_unseen
        return release.phase in (Phase.STOPPED, Phase.FAILED)

    @property
    def alarm_names(self) -> tuple[str, ...]:
        """The alarms that can stop the deployment: its own or the group's; until these are known, all."""
        forward = self.release.forward
        if forward and forward.alarms is not None:
            return forward.alarms
        if self.run.group:
            return self._alarms_of_group
        return tuple(sorted({*self.alarms.states, *self.alarms.definitions}))

    @property
    def yardsticks(self) -> tuple[str, ...]:
        """The alarms that say what failures are borne: those that can stop it, or the group's that it switched off."""
        return self.alarm_names or self._alarms_of_group

    @property
    def rollback_events(self) -> tuple[str, ...] | None:
        """The events on which the deployment is rolled back: its own or the group's; None before either is known."""
        forward, group = self.release.forward, self.run.group
        if forward and forward.rollback_events is not None:
            return forward.rollback_events
        return group.rollback_events if group else None

    @property
    def _alarms_of_group(self) -> tuple[str, ...]:
        group = self.run.group
        return group.alarms if group and group.alarms_enabled else ()

    @property
    def _alias_unseen(self) -> bool:
        """Whether looks went on long after the end was seen, and none of them showed the alias."""
        alias, end_seen_s, last_look_s = self.release.alias, self.release.end_seen_s, self.run.last_look_s
        if end_seen_s is None or last_look_s is None or last_look_s < end_seen_s + UNSEEN_ALIAS_S:
            return False
        return alias is None or alias.asked_s < end_seen_s


def replay(events: Iterable[Event]) -> Rollout:
    """The rollout that a timeline, or a prefix of it, tells of."""
    return reduce(Rollout.step, events, Rollout())


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
    if event.call == STOPPING and event.subject == known.followed and event.step in ("done", "unanswered"):
        return replace(known, stop_asked_s=event.at_s)
    if event.call != CREATION or known.wanted:
        return known
    if event.step in ("failed", "refused"):
        return replace(known, refused=event.detail or "the call failed", in_doubt=False)
    if event.step in ("intended", "unanswered"):
        return replace(known, in_doubt=True)
    named = _ID.match(event.detail) or _ID.match(event.subject) if event.step == "done" else None
    if named is None:
        return known
    return replace(
        follow_deployment(known, named[0]), asked_for_s=event.at_s, known_s=event.at_s, refused=None, in_doubt=False
    )


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
    known_s = seen.at_s if known.known_s is None else known.known_s
    known = replace(known, forward=seen, known_s=known_s, first_seen_s=known.first_seen_s if before else seen.asked_s)
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
    strangers = known.strangers(seen)
    if strangers and not known.ended:
        return replace(known, weights=replace(known.weights, strayed=known.weights.strayed or (strangers[0], since)))
    weights = known.weights.at(place, since).showing(weight, seen, created_s)
    if place == "baseline":
        return replace(known, weights=weights.denied_by(seen, known.weighed) if _is_shifting(known) else weights)
    if not known.ended or seen.asked_s <= known.ended[1]:
        weights = replace(weights, before_end=weight)
    return replace(known, weights=weights, canary=known.canary or canary_of(seen, known.baseline))


def _is_shifting(known: Release) -> bool:
    """Whether the target's weight is what the alias should have: before AllowTraffic it may be what is planned."""
    began = known.was_allowed or (known.target is not None and not known.target.lifecycle)
    return began and not known.ended


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
