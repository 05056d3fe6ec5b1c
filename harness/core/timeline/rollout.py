"""What CodeDeploy did, folded from the looks at it: `replay` turns a timeline into a `Rollout`.

The outcome is read from the forward deployment, its rollback and the alias together. A rollback by alarm is a `Stopped`
forward deployment and a second deployment that ends `Succeeded`, so the newest deployment alone would tell a lie; and
right after its end a deployment does not name its rollback yet, so "no rollback" is believed only after `GRACE_S`.

Bounds: a change between two looks lies between `asked_s` of the last look that showed the old state and `at_s` of the
first that showed the new one. Where AWS dated it itself both are that date.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import reduce
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from harness.core.experiment.types import Outcome
from harness.core.timeline.alarm_states import Episode, Turn, episodes, turns
from harness.core.timeline.bounds import Bounds, Shift, exactly
from harness.core.timeline.events import (
    AlarmChanged,
    AlarmDefined,
    AlarmGone,
    AlarmSeen,
    AliasSeen,
    ClockSeen,
    ConfigSeen,
    DeploymentSeen,
    Event,
    GroupSeen,
    LifecycleEvent,
    Look,
    LookFailed,
    NoDeployment,
    RunEnded,
    RunStarted,
    TargetSeen,
    Write,
)

GRACE_S = 30.0
UNSEEN_ALIAS_S = 120.0
"""How long after the end a look at the alias is waited for while other looks succeed."""
ROLLBACK_CREATOR = "codeDeployRollback"

_CREATION = "codedeploy:CreateDeployment"
_SEARCHES = frozenset(f"codedeploy:{call}" for call in ("ListDeployments", "BatchGetDeployments", "GetDeployment"))
_ID = re.compile(r"\bd-\w+")


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
Undoing = Literal["awaited", "none", "running", "done", "broken"]

# A status that is in no table (Baking, Ready, or a word nobody knows yet) is in progress.
_WAITING_STATUSES = frozenset({"Created", "Queued"})
_ENDED_STATUSES = frozenset({"Succeeded", "Failed", "Stopped"})

_PHASE_BY_PLACE: Mapping[Place | None, Phase] = {
    None: Phase.BEFORE_TRAFFIC,
    "baseline": Phase.BEFORE_TRAFFIC,
    "split": Phase.CANARY,
    "canary": Phase.AFTER_TRAFFIC,
}
_PHASE_BY_END: Mapping[tuple[str, Undoing], Phase] = {
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
_UNDOING_BY_STATUS: Mapping[str, Undoing] = {"Succeeded": "done", "Failed": "broken", "Stopped": "broken"}
_OUTCOMES: Mapping[Phase, Outcome] = {
    Phase.PROMOTED: Outcome.PROMOTED,
    Phase.ROLLED_BACK: Outcome.ROLLED_BACK,
    Phase.STOPPED: Outcome.STOPPED,
    Phase.FAILED: Outcome.FAILED,
}
_PLACE_AFTER: Mapping[Outcome, Place] = {Outcome.PROMOTED: "canary", Outcome.ROLLED_BACK: "baseline"}


class Rollout(Struct, frozen=True, kw_only=True):
    """All that is known of one release at one point of the timeline; `step` folds in the next event.

    `forward`, `rollback`, `target`, `alias`, `group`, `config` are the last looks at each; `alarms` the last by name.
    `weighed` is the last look at the target that told its weight while the deployment lasted: later it tells the past.
    `wanted` is the id of the deployment that this run created or was told to follow; `sends` says whether the run has
    traffic of its own. `canary_began`, `shifted` and `returned` are when the alias was first split, first wholly on the
    canary, and last back on the baseline. `agreed` is the first look at which the alias was where the outcome puts it.
    `others` are deployments of the group that are not this release's.
    `splits` are the canary's weights while the versions shared the traffic, as looks at alias and target bracket them;
    `held_s` is when the last look was asked for that still showed the weight of now.
    `ahead_s` is how far AWS's clock is ahead of the run's. `unsearched` says that the last search for the deployment
    failed, so that its absence proves nothing; `missed_s` is when the last one was asked that found none.
    """

    epoch_s: float = 0.0
    ahead_s: float = 0.0
    unsearched: bool = False
    missed_s: float | None = None
    ended_run: RunEnded | None = None
    sends: bool = True
    wanted: str | None = None
    asked_for_s: float | None = None
    refused: str | None = None
    speed: float = 1.0
    forward: DeploymentSeen | None = None
    first_seen_s: float | None = None
    rollback: DeploymentSeen | None = None
    target: TargetSeen | None = None
    weighed: TargetSeen | None = None
    alias: AliasSeen | None = None
    group: GroupSeen | None = None
    config: ConfigSeen | None = None
    alarms: dict[str, AlarmSeen] = {}
    definitions: dict[str, AlarmDefined] = {}
    missing_alarms: frozenset[str] = frozenset()
    looked_turns: dict[str, tuple[Turn, ...]] = {}
    history: dict[str, tuple[AlarmChanged, ...]] = {}
    baseline: str | None = None
    canary: str | None = None
    canary_began: Bounds | None = None
    shifted: Bounds | None = None
    returned: Bounds | None = None
    split_weight: float | None = None
    splits: tuple[Shift, ...] = ()
    held_s: float = 0.0
    ended: Bounds | None = None
    end_seen_s: float | None = None
    grace_over: bool = False
    agreed: AliasSeen | None = None
    others: tuple[DeploymentSeen, ...] = ()
    looks: int = 0
    failed_looks: int = 0
    last_look_s: float | None = None

    def step(self, event: Event) -> "Rollout":
        """This rollout with one more event."""
        seen = replace(self, looks=self.looks + 1, last_look_s=event.at_s) if isinstance(event, Look) else self
        fold = _FOLDS.get(type(event))
        return fold(seen, event) if fold else seen

    @property
    def created_s(self) -> float | None:
        """The deployment's creation: by CodeDeploy's date, else when our call returned, else when first seen."""
        if self.forward and self.forward.created_s is not None:
            return self.forward.created_s
        return self.asked_for_s if self.asked_for_s is not None else self.first_seen_s

    @property
    def place(self) -> Place | None:
        """Where the alias sends traffic; without a look at it, what the target's lifecycle says."""
        if self.alias:
            return _place(self.alias, self.baseline)
        return _PLACE_BY_SHIFT.get(self._lifecycle_status("AllowTraffic"))

    @property
    def phase(self) -> Phase:
        """Where the release stands."""
        if self.forward is None:
            return Phase.CREATED if self.wanted else Phase.WAITING
        if self.forward.status in _WAITING_STATUSES:
            return Phase.CREATED
        if self.forward.status not in _ENDED_STATUSES:
            return _PHASE_BY_PLACE[self.place]
        if self.forward.status == "Succeeded":
            return Phase.PROMOTED
        return _PHASE_BY_END[self.forward.status, self._undoing]

    @property
    def outcome(self) -> Outcome:
        """What CodeDeploy did; unknown while that is open, not_started if looks up to the run's end show no deployment.

        A timeline that was cut off may have lost the deployment, so it proves no absence.
        """
        if self.phase is Phase.WAITING and (self.refused or (self.ended_run and self.looks and not self.unsearched)):
            return Outcome.NOT_STARTED
        return _OUTCOMES.get(self.phase, Outcome.UNKNOWN)

    @property
    def settled(self) -> bool:
        """Whether nothing more will change."""
        if self.outcome in _PLACE_AFTER:
            return self.agreed is not None or bool(self.superseded_by) or self._alias_unseen
        return self.outcome in (Outcome.STOPPED, Outcome.FAILED)

    @property
    def weight(self) -> float | None:
        """The last known share of traffic on the canary; CodeDeploy tells it too while the deployment lasts."""
        if self.alias is None:
            return self.target.weight if self.target else None
        if self.weighed and self.weighed.asked_s > self.alias.asked_s:
            return self.weighed.weight
        return _weight(self.alias, self.baseline)

    @property
    def weight_at_end(self) -> float | None:
        """The canary's share when the deployment ended, before any rollback; while it lasts, the share now."""
        if self.outcome is Outcome.PROMOTED:
            return 1.0
        if self.split_weight is not None:
            return self.split_weight
        return self.weight if self.ended is None or self._dated_shift is None else self._dated_weight

    @property
    def bake_weight(self) -> float | None:
        """The canary's last share while both versions had traffic, so below 1; None if they never shared it."""
        return self.splits[-1].weight if self.splits else None

    @property
    def shifts(self) -> tuple[Shift, ...]:
        """The canary's weights while the versions shared the traffic; none before CodeDeploy's dates allow it."""
        return tuple(Shift(shift.weight, self._allowed(shift)) for shift in self.splits)

    @property
    def bake_ends_s(self) -> float | None:
        """When the last shift is due; None before the canary has traffic, and where all traffic shifts at once."""
        began_s = self._shift_began_s
        config = self.config
        if began_s is None or config is None or not config.step or not config.interval_s:
            return None
        shifts = 1 if config.kind == "canary" else math.ceil((1 - config.step) / config.step - 1e-9)
        return began_s + shifts * config.interval_s

    @property
    def stopped(self) -> Bounds | None:
        """When the forward deployment stopped or failed."""
        return self.ended if self.forward and self.forward.status in ("Stopped", "Failed") else None

    @property
    def promoted(self) -> Bounds | None:
        """When the forward deployment succeeded."""
        return self.ended if self.forward and self.forward.status == "Succeeded" else None

    @property
    def restored(self) -> Bounds | None:
        """When all traffic was on the baseline again: after the stop, by the rollback's end or a look at the alias.

        The rollback's end alone tells it where the alias already belongs to the group's next deployment.
        """
        if self.outcome is not Outcome.ROLLED_BACK or self.ended is None:
            return None
        done_s = self.rollback.completed_s if self.rollback else None
        if self.agreed is None:
            return (self.ended[0], done_s) if self.superseded_by and done_s is not None else None
        low, high = self.returned or (self.ended[0], self.agreed.at_s)
        low = max(low, self.ended[0])
        if done_s is not None and low <= done_s <= high:
            high = done_s
        return low, max(low, high)

    @property
    def shared(self) -> tuple[float, float | None] | None:
        """From when until when both arms had traffic, as wide as looks leave it; open while they do, None if never.

        CodeDeploy's dates tell it where no look showed the alias split: of a deployment that was over before, too.
        """
        began = self.canary_began or self._dated_shift
        if began is None:
            return None
        ends = [bounds[1] for bounds in (self.restored or self.returned, self.shifted, self.promoted) if bounds]
        return began[0], min(ends, default=None)

    @property
    def canary_gone_s(self) -> float | None:
        """Until when the canary was on trial: all traffic back on the baseline, or the promotion; None before that."""
        left = self.restored or self.returned or self.promoted
        return left[1] if left else None

    @property
    def alarm_names(self) -> tuple[str, ...]:
        """The alarms that can stop the deployment; before the group is known, all that were seen."""
        if self.group:
            return self.group.alarms if self.group.alarms_enabled else ()
        return tuple(sorted({*self.alarms, *self.definitions}))

    def alarm_turns(self, name: str) -> tuple[Turn, ...]:
        """The states of an alarm in order, from its history and from looks."""
        return turns(self.history.get(name, ()), self.looked_turns.get(name, ()))

    def alarm_episodes(self, name: str) -> tuple[Episode, ...]:
        """The times an alarm was in ALARM."""
        return episodes(self.alarm_turns(name))

    @property
    def alias_contradicts(self) -> bool:
        """Whether the last look at the alias, asked after the end and the grace, shows another place than it should."""
        wanted = _PLACE_AFTER.get(self.outcome)
        if wanted is None or self.alias is None or self.ended is None or self.baseline is None or self.superseded_by:
            return False
        return self.alias.asked_s >= self.ended[1] + GRACE_S and _place(self.alias, self.baseline) != wanted

    @property
    def superseded_by(self) -> tuple[str, ...]:
        """The deployments of the group that began after this one ended."""
        return tuple(other.deployment_id for other in self._later)

    @property
    def superseded_s(self) -> float:
        """When the group's next deployment was created: nothing from then on is this one's doing; infinite if none."""
        return min((other.created_s for other in self._later if other.created_s is not None), default=math.inf)

    @property
    def _later(self) -> tuple[DeploymentSeen, ...]:
        ended_s = self.ended[0] if self.ended else math.inf
        later = (other for other in self.others if other.created_s is not None and other.created_s >= ended_s)
        return tuple(other for other in later if not is_rollback(other))

    @property
    def left_split(self) -> bool:
        """Whether the deployment ended badly without a rollback and the alias still splits the traffic."""
        ended_badly = self.outcome in (Outcome.STOPPED, Outcome.FAILED)
        return ended_badly and self.alias is not None and bool(_shares(self.alias))

    @property
    def _alias_unseen(self) -> bool:
        """Whether looks went on long after the end was seen, and none of them showed the alias."""
        if self.end_seen_s is None or self.last_look_s is None or self.last_look_s < self.end_seen_s + UNSEEN_ALIAS_S:
            return False
        return self.alias is None or self.alias.asked_s < self.end_seen_s

    @property
    def _undoing(self) -> Undoing:
        if self.rollback:
            return _UNDOING_BY_STATUS.get(self.rollback.status, "running")
        if self.forward and self.forward.rollback_id:
            return "running"
        return "none" if self.grace_over else "awaited"

    @property
    def _shift_began_s(self) -> float | None:
        allowed = self._lifecycle("AllowTraffic")
        if allowed and allowed.started_s is not None:
            return allowed.started_s
        return self.canary_began[1] if self.canary_began else None

    @property
    def _dated_shift(self) -> Bounds | None:
        """When CodeDeploy, by its own dates, gave the canary a part of the traffic; None if all at once, or never."""
        allowed = self._lifecycle("AllowTraffic")
        began_s = allowed.started_s if allowed and allowed.status in _SHIFTED_STATUSES else None
        return exactly(began_s) if self.config and self.config.step else None

    def _allowed(self, shift: Shift) -> Bounds:
        """The bounds of a shift without the time before AllowTraffic began, and the intervals until its step.

        Assumption: no step comes early, and intervals count from the begin of AllowTraffic.
        """
        (low, high), allowed, config = shift.at_s, self._lifecycle("AllowTraffic"), self.config
        if allowed is None or allowed.started_s is None:
            return low, high
        earliest_s = allowed.started_s
        if config and config.kind == "linear" and config.step and config.interval_s:
            earliest_s += (round(shift.weight / config.step) - 1) * config.interval_s
        return (earliest_s, high) if low <= earliest_s <= high else (low, high)

    @property
    def _dated_weight(self) -> float | None:
        """The share that the steps of the configuration had reached by CodeDeploy's dates."""
        began, config = self._dated_shift, self.config
        if began is None or self.ended is None or config is None or not config.step:
            return None
        linear = config.kind == "linear" and config.interval_s
        steps = 1 + (math.floor((self.ended[0] - began[0]) / config.interval_s) if linear and config.interval_s else 0)
        return min(1.0, steps * config.step)

    def _lifecycle_status(self, name: str) -> str | None:
        event = self._lifecycle(name)
        return event.status if event else None

    def _lifecycle(self, name: str) -> LifecycleEvent | None:
        lifecycle = self.target.lifecycle if self.target else ()
        return next((event for event in lifecycle if event.name == name), None)


_SHIFTED_STATUSES = frozenset({"InProgress", "Succeeded", "Failed"})
_PLACE_BY_SHIFT: Mapping[str | None, Place] = {"Pending": "baseline", "InProgress": "split", "Succeeded": "canary"}


def replay(events: Iterable[Event]) -> Rollout:
    """The rollout that a timeline, or a prefix of it, tells of."""
    return reduce(Rollout.step, events, Rollout())


def is_rollback(seen: DeploymentSeen) -> bool:
    """Whether a deployment was made by CodeDeploy to undo another."""
    return seen.rollback_of is not None or seen.creator == ROLLBACK_CREATOR


def _run_started(known: Rollout, event: RunStarted) -> Rollout:
    return replace(known, epoch_s=event.epoch_s, speed=event.speed, wanted=event.deployment, sends=event.sends)


def _run_ended(known: Rollout, event: RunEnded) -> Rollout:
    return replace(known, ended_run=event)


def _write(known: Rollout, event: Write) -> Rollout:
    if event.call != _CREATION or known.wanted:
        return known
    if event.step == "failed":
        return replace(known, refused=event.detail or "the call failed")
    named = _ID.match(event.detail) or _ID.match(event.subject) if event.step == "done" else None
    if named is None:
        return known
    if known.forward and known.forward.deployment_id != named[0]:
        known = _without_release(known)
    return replace(known, wanted=named[0], asked_for_s=event.at_s, refused=None)


def _without_release(known: Rollout) -> Rollout:
    """What stays true when the deployment that was followed turns out not to be this run's."""
    mistaken = (known.forward,) if known.forward else ()
    return Rollout(
        sends=known.sends,
        epoch_s=known.epoch_s,
        ahead_s=known.ahead_s,
        speed=known.speed,
        alias=known.alias,
        group=known.group,
        alarms=known.alarms,
        definitions=known.definitions,
        missing_alarms=known.missing_alarms,
        looked_turns=known.looked_turns,
        history=known.history,
        others=(*known.others, *mistaken),
        looks=known.looks,
        failed_looks=known.failed_looks,
        last_look_s=known.last_look_s,
    )


def _deployment(known: Rollout, seen: DeploymentSeen) -> Rollout:
    if is_rollback(seen):
        return _rollback(known, seen)
    if _is_forward(known, seen):
        return _forward(known, seen)
    return _other(known, seen)


def _is_forward(known: Rollout, seen: DeploymentSeen) -> bool:
    followed = known.wanted or (known.forward.deployment_id if known.forward else None)
    if followed:
        return seen.deployment_id == followed
    over_before_run = seen.status in _ENDED_STATUSES and seen.completed_s is not None and seen.completed_s < 0
    return not over_before_run


def _forward(known: Rollout, seen: DeploymentSeen) -> Rollout:
    before = known.forward
    if before and before.status in _ENDED_STATUSES and seen.status not in _ENDED_STATUSES:
        return known
    if before and before.rollback_id and not seen.rollback_id:
        seen = replace(seen, rollback_id=before.rollback_id)
    known = replace(known, forward=seen, first_seen_s=known.first_seen_s if before else seen.asked_s)
    if known.rollback and not _undoes(known.rollback, seen):
        known = _other(replace(known, rollback=None), known.rollback)
    return _end(known, before, seen) if seen.status in _ENDED_STATUSES else known


def _end(known: Rollout, before: DeploymentSeen | None, seen: DeploymentSeen) -> Rollout:
    ended = exactly(seen.completed_s) or known.ended or (_last_asked(known, before), seen.at_s)
    end_seen_s = seen.at_s if known.end_seen_s is None else known.end_seen_s
    no_rollback = known.rollback is None and seen.rollback_id is None
    grace_over = no_rollback and seen.asked_s >= end_seen_s + GRACE_S
    return replace(known, ended=ended, end_seen_s=end_seen_s, grace_over=known.grace_over or grace_over)


def _last_asked(known: Rollout, before: DeploymentSeen | None) -> float:
    if before:
        return before.asked_s
    return known.created_s if known.created_s is not None else 0.0


def _rollback(known: Rollout, seen: DeploymentSeen) -> Rollout:
    if known.forward and not _undoes(seen, known.forward):
        return _other(known, seen)
    if known.wanted and known.forward is None and seen.rollback_of != known.wanted:
        return _other(known, seen)
    before = known.rollback
    if before and before.status in _ENDED_STATUSES and seen.status not in _ENDED_STATUSES:
        return known
    return replace(known, rollback=seen)


def _undoes(rollback: DeploymentSeen, forward: DeploymentSeen) -> bool:
    return rollback.rollback_of == forward.deployment_id or rollback.deployment_id == forward.rollback_id


def _other(known: Rollout, seen: DeploymentSeen) -> Rollout:
    kept = tuple(other for other in known.others if other.deployment_id != seen.deployment_id)
    return replace(known, others=(*kept, seen))


def _target(known: Rollout, seen: TargetSeen) -> Rollout:
    followed = known.wanted or (known.forward.deployment_id if known.forward else None)
    if seen.deployment_id != followed:
        return known
    known = replace(
        known,
        target=seen,
        baseline=seen.current_version or known.baseline,
        canary=seen.target_version or known.canary,
    )
    if seen.weight is None or known.ended:
        return known
    known = replace(known, weighed=seen, split_weight=seen.weight or known.split_weight)
    return _split(known, seen, seen.weight)


def _alias(known: Rollout, seen: AliasSeen) -> Rollout:
    before = known.alias
    known = replace(known, alias=seen, baseline=known.baseline or seen.version)
    if known.created_s is None or seen.at_s < known.created_s:
        return known
    if known.agreed is None:
        known = _moved(known, before, seen)
    return _compared(known, seen)


def _moved(known: Rollout, before: AliasSeen | None, seen: AliasSeen) -> Rollout:
    """The alias's way from the baseline through the split to the canary, or back."""
    place = _place(seen, known.baseline)
    created_s = known.created_s or 0.0
    since = (max(before.asked_s, created_s) if before else created_s, seen.at_s)
    if place == "baseline":
        was_away = known.canary_began or known.shifted
        known = _split(known, seen, 0.0)
        return replace(known, returned=known.returned or since) if was_away else known
    known = replace(known, returned=None, canary=known.canary or _canary_of(seen, known.baseline))
    if not known.ended or seen.asked_s <= known.ended[1]:
        known = replace(known, split_weight=_weight(seen, known.baseline))
    if place == "split":
        known = replace(known, canary_began=known.canary_began or since)
        return _split(known, seen, _weight(seen, known.baseline))
    return replace(known, shifted=known.shifted or since)


def _split(known: Rollout, seen: AliasSeen | TargetSeen, weight: float) -> Rollout:
    """The weight that a look showed; less than one before it showed is an answer from before, and no shift."""
    held = known.bake_weight or 0.0
    if weight >= 1 or weight < held or known.created_s is None:
        return known
    if math.isclose(weight, held):
        return replace(known, held_s=max(known.held_s, seen.asked_s))
    since = (min(max(known.held_s, known.created_s), seen.at_s), seen.at_s)
    return replace(known, splits=(*known.splits, Shift(weight, since)), held_s=seen.asked_s)


def _compared(known: Rollout, seen: AliasSeen) -> Rollout:
    after_end = known.ended is not None and seen.asked_s >= known.ended[0]
    if known.agreed or not after_end or not _agrees(known, seen):
        return known
    return replace(known, agreed=seen)


def _agrees(known: Rollout, seen: AliasSeen) -> bool:
    """Whether the alias is where the outcome puts it; a third version's share is the next deployment's."""
    if known.canary is None:
        return _PLACE_AFTER.get(known.outcome) == _place(seen, known.baseline)
    if known.outcome is Outcome.PROMOTED:
        return seen.version == known.canary
    return known.outcome is Outcome.ROLLED_BACK and seen.version == known.baseline and known.canary not in _shares(seen)


def _group(known: Rollout, seen: GroupSeen) -> Rollout:
    return replace(known, group=seen)


def _config(known: Rollout, seen: ConfigSeen) -> Rollout:
    followed = known.forward.config if known.forward else None
    return replace(known, config=seen) if followed in (None, seen.name) or known.config is None else known


def _alarm_defined(known: Rollout, seen: AlarmDefined) -> Rollout:
    return replace(known, definitions={**known.definitions, seen.name: seen})


def _alarm_seen(known: Rollout, seen: AlarmSeen) -> Rollout:
    before = known.alarms.get(seen.name)
    known = replace(known, alarms={**known.alarms, seen.name: seen}, missing_alarms=known.missing_alarms - {seen.name})
    if before and before.state == seen.state:
        return known
    turned = (*known.looked_turns.get(seen.name, ()), Turn(seen.state, _turned(before, seen)))
    return replace(known, looked_turns={**known.looked_turns, seen.name: turned})


def _turned(before: AlarmSeen | None, seen: AlarmSeen) -> Bounds:
    """When an alarm took the state it shows; CloudWatch's own date counts if it fits what was seen before."""
    if before is None:
        return exactly(seen.since_s) or (min(0.0, seen.asked_s), seen.at_s)
    if seen.since_s is not None and before.asked_s <= seen.since_s <= seen.at_s:
        return seen.since_s, seen.since_s
    return before.asked_s, seen.at_s


def _alarm_changed(known: Rollout, change: AlarmChanged) -> Rollout:
    told = known.history.get(change.name, ())
    if any(old.changed_s == change.changed_s and old.to_state == change.to_state for old in told):
        return known
    return replace(known, history={**known.history, change.name: (*told, change)})


def _alarm_gone(known: Rollout, seen: AlarmGone) -> Rollout:
    left = {name: alarm for name, alarm in known.alarms.items() if name != seen.name}
    return replace(known, alarms=left, missing_alarms=known.missing_alarms | {seen.name})


def _no_deployment(known: Rollout, listed: NoDeployment) -> Rollout:
    return replace(known, unsearched=False, missed_s=listed.asked_s)


def _clock_seen(known: Rollout, seen: ClockSeen) -> Rollout:
    return replace(known, ahead_s=seen.ahead_s)


def _look_failed(known: Rollout, failed: LookFailed) -> Rollout:
    unsearched = known.unsearched or failed.call in _SEARCHES
    return replace(known, failed_looks=known.failed_looks + 1, unsearched=unsearched)


_FOLDS: Mapping[type, Callable[[Rollout, Any], Rollout]] = {
    RunStarted: _run_started,
    RunEnded: _run_ended,
    Write: _write,
    DeploymentSeen: _deployment,
    TargetSeen: _target,
    AliasSeen: _alias,
    GroupSeen: _group,
    ConfigSeen: _config,
    AlarmDefined: _alarm_defined,
    AlarmSeen: _alarm_seen,
    AlarmChanged: _alarm_changed,
    AlarmGone: _alarm_gone,
    NoDeployment: _no_deployment,
    ClockSeen: _clock_seen,
    LookFailed: _look_failed,
}


def _shares(alias: AliasSeen) -> dict[str, float]:
    return {version: share for version, share in alias.weights.items() if share > 0 and version != alias.version}


def _place(alias: AliasSeen, baseline: str | None) -> Place:
    if _shares(alias):
        return "split"
    return "baseline" if baseline is None or alias.version == baseline else "canary"


def _canary_of(alias: AliasSeen, baseline: str | None) -> str | None:
    away = [version for version in (*_shares(alias), alias.version) if version != baseline]
    return away[0] if away else None


def _weight(alias: AliasSeen, baseline: str | None) -> float:
    shares = _shares(alias)
    if shares:
        return min(1.0, sum(shares.values()))
    return 0.0 if _place(alias, baseline) == "baseline" else 1.0
