"""One release: its deployment, rollback, target and alias as they were last seen, and what follows from them.

A rollback by alarm is a `Stopped` forward deployment and a second deployment that ends `Succeeded`, so the newest
deployment alone would tell a lie; and right after its end a deployment does not name its rollback yet, so "no rollback"
is believed only after `GRACE_S`.

Bounds: a change between two looks lies between `asked_s` of the last look that showed the old state and `at_s` of the
first that showed the new one. Where AWS dated it itself both are that date.
"""

import math

from msgspec import Struct

from harness.core.timeline.bounds import Bounds, Shift
from harness.core.timeline.dated_shift import DatedShift, dated_shift
from harness.core.timeline.deployments import (
    UNDOING_BY_STATUS,
    Phase,
    Undoing,
    ended_badly,
    is_rollback,
    phase_of,
)
from harness.core.timeline.events import AliasSeen, ConfigSeen, DeploymentSeen, Place, TargetSeen
from harness.core.timeline.weights import Weights, place_of, versions_of, weight_of

GRACE_S = 30.0


class Release(Struct, frozen=True, kw_only=True):
    """All that is known of one release at one point of the timeline.

    `forward`, `rollback`, `target`, `alias` and `config` are the last looks at each. `weighed` is the last look at the
    target that told its weight while the deployment lasted: later it tells the past. `wanted` is the id of the
    deployment that this run created or was told to follow; `refused` says why none was created; `in_doubt` that the run
    asked for one and knows of no answer, so that there may be one. `baseline` and `canary` are versions. `stop_asked_s`
    is when the run had asked CodeDeploy to stop it, and was not refused. `agreed` is the first look at which the alias
    was where the outcome puts it. `others` are deployments of the group that are not this release's. `known_s` is when
    the run learned of the deployment: its own call had returned, or the first look that showed it had.
    """

    wanted: str | None = None
    asked_for_s: float | None = None
    known_s: float | None = None
    refused: str | None = None
    in_doubt: bool = False
    forward: DeploymentSeen | None = None
    first_seen_s: float | None = None
    rollback: DeploymentSeen | None = None
    others: tuple[DeploymentSeen, ...] = ()
    config: ConfigSeen | None = None
    target: TargetSeen | None = None
    weighed: TargetSeen | None = None
    alias: AliasSeen | None = None
    baseline: str | None = None
    canary: str | None = None
    weights: Weights = Weights()
    ended: Bounds | None = None
    end_seen_s: float | None = None
    grace_over: bool = False
    agreed: AliasSeen | None = None
    stop_asked_s: float | None = None

    @property
    def followed(self) -> str | None:
        """The id of the forward deployment, be it seen yet or not."""
        return self.wanted or (self.forward.deployment_id if self.forward else None)

    @property
    def rollback_id(self) -> str | None:
        """The id of the deployment that undoes the forward one, be it seen yet or not."""
        if self.rollback:
            return self.rollback.deployment_id
        return self.forward.rollback_id if self.forward else None

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
            return place_of(self.alias, self.baseline)
        return self._dated_shift.place

    @property
    def phase(self) -> Phase:
        """Where the release stands."""
        if self.forward is None:
            return Phase.CREATED if self.wanted else Phase.WAITING
        return phase_of(self.forward, self.place, self._undoing)

    @property
    def weight(self) -> float | None:
        """The last known share of traffic on the canary; CodeDeploy tells it too while the deployment lasts."""
        if self.alias is None:
            return self.target.weight if self.target else None
        if self.weighed and self.weighed.asked_s > self.alias.asked_s:
            return self.weighed.weight
        return weight_of(self.alias, self.baseline)

    @property
    def weight_at_end(self) -> float | None:
        """The canary's share when the deployment ended, before any rollback; while it lasts, the share now."""
        if self.phase is Phase.PROMOTED:
            return 1.0
        if self.weights.before_end is not None:
            return self.weights.before_end
        dated = self._dated_shift.weight_at(self.ended[0]) if self.ended else None
        return self.weight if dated is None else dated

    @property
    def shifts(self) -> tuple[Shift, ...]:
        """The canary's weights while the versions shared the traffic; none before CodeDeploy's dates allow it."""
        return tuple(map(self._dated_shift.narrowed, self.weights.splits))

    @property
    def bake_ends_s(self) -> float | None:
        """When the last shift is due; None before the canary has traffic, and where all traffic shifts at once."""
        split = self.weights.split
        return self._dated_shift.ends_s(split[1] if split else None)

    @property
    def stopped(self) -> Bounds | None:
        """When the forward deployment stopped or failed."""
        return self.ended if ended_badly(self.forward) else None

    @property
    def stopped_by_hand(self) -> bool:
        """Whether CodeDeploy says that somebody stopped the deployment, and no alarm or hook did."""
        if self.forward is None or not ended_badly(self.forward):
            return False
        return self.forward.error_code == "MANUAL_STOP" or self.stopped_by_us

    @property
    def stopped_by_us(self) -> bool:
        """Whether the run had the deployment stopped, before an alarm did.

        Assumption: AWS does not document the error code of a StopDeployment, so any but the alarm's will do.
        """
        if self.stop_asked_s is None or self.forward is None:
            return False
        return self.forward.status == "Stopped" and self.forward.error_code != "ALARM_ACTIVE"

    @property
    def promoted(self) -> Bounds | None:
        """When the forward deployment succeeded."""
        return self.ended if self.forward and self.forward.status == "Succeeded" else None

    @property
    def restored(self) -> Bounds | None:
        """When all traffic was on the baseline again: after the stop, by the rollback's end or a look at the alias.

        The rollback's end alone tells it where the alias already belongs to the group's next deployment.
        """
        if self.phase is not Phase.ROLLED_BACK or self.ended is None:
            return None
        done_s = self.rollback.completed_s if self.rollback else None
        if self.agreed is None:
            return (self.ended[0], done_s) if self.superseded_by and done_s is not None else None
        low, high = self.weights.returned or (self.ended[0], self.agreed.at_s)
        low = max(low, self.ended[0])
        if done_s is not None and low <= done_s <= high:
            high = done_s
        return low, max(low, high)

    @property
    def shared(self) -> tuple[float, float | None] | None:
        """From when until when both arms had traffic, as wide as looks leave it; open while they do, None if never.

        CodeDeploy's dates tell it where no look showed the alias split: of a deployment that was over before, too.
        """
        began = self.weights.split or self._dated_shift.began
        if began is None:
            return None
        left = (self.restored or self.weights.returned, self.weights.whole, self.promoted)
        return began[0], min((bounds[1] for bounds in left if bounds), default=None)

    @property
    def canary_gone_s(self) -> float | None:
        """Until when the canary was on trial: all traffic back on the baseline, or the promotion; None before that."""
        left = self.restored or self.weights.returned or self.promoted
        return left[1] if left else None

    def strangers(self, alias: AliasSeen) -> list[str]:
        """The versions an alias sends traffic to that are none of this release's; none where those are not known."""
        if self.baseline is None or self.canary is None:
            return []
        return sorted(versions_of(alias) - {self.baseline, self.canary})

    @property
    def superseded_by(self) -> tuple[str, ...]:
        """The deployments of the group that began after this one ended."""
        return tuple(other.deployment_id for other in self._later)

    @property
    def superseded_s(self) -> float:
        """When the group's next deployment was created: nothing from then on is this one's doing; infinite if none."""
        return min((other.created_s for other in self._later if other.created_s is not None), default=math.inf)

    @property
    def was_allowed(self) -> bool:
        """Whether CodeDeploy began to give the canary traffic, be it seen on the alias or not."""
        return self._dated_shift.was_allowed

    @property
    def _later(self) -> tuple[DeploymentSeen, ...]:
        ended_s = self.ended[0] if self.ended else math.inf
        later = (other for other in self.others if other.created_s is not None and other.created_s >= ended_s)
        return tuple(other for other in later if not is_rollback(other))

    @property
    def _undoing(self) -> Undoing:
        if self.rollback:
            return UNDOING_BY_STATUS.get(self.rollback.status, "running")
        if self.forward and self.forward.rollback_id:
            return "running"
        return "none" if self.grace_over else "awaited"

    @property
    def _dated_shift(self) -> DatedShift:
        return dated_shift(self.target, self.config)
