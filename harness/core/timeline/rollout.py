"""All that was seen of one release, folded from its timeline: `replay` turns events into a `Rollout`."""

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import get_args

from msgspec import Struct
from msgspec.structs import replace

from harness.core.experiment.types import Outcome
from harness.core.timeline.alarm_states import AlarmStates
from harness.core.timeline.events import Event, RunEnded, RunStarted, Seen, Write
from harness.core.timeline.following import follow, follow_deployment
from harness.core.timeline.phases import PLACE_AFTER, Phase
from harness.core.timeline.release import Release
from harness.core.timeline.run_state import RunState

UNSEEN_ALIAS_S = 120.0
"""How long after the end a look at the alias is waited for while other looks succeed."""

_TELLING = frozenset({*get_args(Seen), RunStarted, RunEnded, Write})
"""The events that a rollout is folded from; most events of a timeline are others."""

_OUTCOMES: Mapping[Phase, Outcome] = {
    Phase.PROMOTED: Outcome.PROMOTED,
    Phase.ROLLED_BACK: Outcome.ROLLED_BACK,
    Phase.STOPPED: Outcome.STOPPED,
    Phase.FAILED: Outcome.FAILED,
}


class Rollout(Struct, frozen=True, kw_only=True):
    """The run, the release that it follows, and the alarms; `step` folds in the next event."""

    run: RunState = RunState()
    release: Release = Release()
    alarms: AlarmStates = AlarmStates()

    def step(self, event: Event) -> "Rollout":
        """This rollout with one more event."""
        if type(event) not in _TELLING:
            return self
        return Rollout(run=self.run.step(event), release=follow(self.release, event), alarms=self.alarms.step(event))

    def following(self, deployment_id: str) -> "Rollout":
        """This rollout with this deployment as the forward one, whatever was taken for it until now."""
        return replace(self, release=follow_deployment(self.release, deployment_id))

    @property
    def outcome(self) -> Outcome:
        """What CodeDeploy did; unknown while that is open, not_started if looks to the run's end show no deployment."""
        release = self.release
        if release.phase is Phase.WAITING and (release.refused or self.run.searched_in_vain):
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
        """The alarms that can stop the deployment; before the group is known, all that were seen."""
        group = self.run.group
        if group:
            return group.alarms if group.alarms_enabled else ()
        return tuple(sorted({*self.alarms.states, *self.alarms.definitions}))

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
