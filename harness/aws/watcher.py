"""The watcher: looks at deployment, alias, alarms and metrics, and records what it saw or that it could not see."""

from collections.abc import Callable, Sequence

from harness.aws.clients import Aws
from harness.aws.eyes import Blind, Eyes
from harness.aws.looks import KINDS, LookKind, deployments_there
from harness.aws.sight import Sight
from harness.core.experiment.types import Deployment, ShadowAlarm
from harness.core.timeline.deployments import has_ended, is_rollback
from harness.core.timeline.events import ClockSeen, Event

NEVER_MADE = float("-inf")


class Watcher:
    """Follows one deployment of one group, at each kind of look's own cadence.

    `now` gives experiment seconds since the run began, `epoch_s` is that beginning in seconds since 1970. What
    `deployment` leaves out is learned from what is seen: application and group from a deployment's id, function and
    alias from its target. One thread or greenlet makes the looks; `follow` may be called from another.
    """

    def __init__(
        self,
        aws: Aws,
        deployment: Deployment,
        alarm: str | None = None,
        shadow: Sequence[ShadowAlarm] = (),
        *,
        now: Callable[[], float],
        epoch_s: float,
        record: Callable[[Event], None],
    ) -> None:
        self._eyes = Eyes(aws, now, epoch_s)
        self._record = record
        self._ahead_s = 0.0
        self._made_s = {kind.name: NEVER_MADE for kind in KINDS}
        self._sight = Sight(deployment, alarm, shadow)

    @property
    def forward(self) -> str | None:
        """The id of the forward deployment, once there is one."""
        return self._sight.release.followed

    @property
    def next_look_s(self) -> float:
        """When the next look is due, in seconds since the run began; in the past if it is due already."""
        due = (self._due_s(kind) for kind in KINDS if kind.wanted(self._sight))
        return max(min(due, default=self._eyes.now() + KINDS[0].every_s), 0.0)

    def follow(self, deployment_id: str) -> None:
        """Watches `deployment_id` as the forward deployment, instead of waiting for the group's next one."""
        self._sight.follow(deployment_id)

    def disregard(self) -> str | None:
        """Takes all deployments that the group has now for none of this run's; which of them is still in progress.

        Whatever appears later is new then, however its date compares with this machine's clock. What cannot be seen is
        recorded as such, and dates decide.
        """
        if self._sight.release.followed or not (self._sight.application and self._sight.group):
            return None
        try:
            there = [*deployments_there(self._eyes, self._sight)]
        except Blind as blind:
            self._record(blind.failed)
            return None
        self._sight.strangers = frozenset(seen.deployment_id for seen in there)
        unfinished = (seen.deployment_id for seen in there if not has_ended(seen) and not is_rollback(seen))
        return next(unfinished, None)

    def look(self) -> None:
        """Makes every look that is due, each once however late; what cannot be seen is recorded as such.

        Raises for mistakes in the program only.
        """
        began_s = self._eyes.begin_round()
        for kind in KINDS:
            if kind.wanted(self._sight) and self._due_s(kind) <= began_s:
                self._made_s[kind.name] = began_s
                self._make(kind)

    def final_looks(self) -> None:
        """Makes every look once more, alarm history and metrics from their beginning.

        Gives up where a service does not answer any more, so that a run can end.
        """
        self._eyes.begin_round()
        self._sight.read_anew()
        for kind in KINDS:
            if kind.wanted(self._sight) and not self._eyes.lost:
                self._make(kind)

    def _due_s(self, kind: LookKind) -> float:
        # All looks of a round count from its beginning and so stay in step, whatever each of them takes.
        return self._made_s[kind.name] + kind.every_s

    def _make(self, kind: LookKind) -> None:
        try:
            for event in kind.read(self._eyes, self._sight):
                self._record(event)
                self._sight.learn(event)
        except Blind as blind:
            self._record(blind.failed)
        if self._eyes.ahead_s != self._ahead_s:
            self._ahead_s = self._eyes.ahead_s
            self._record(ClockSeen(at_s=self._eyes.now(), ahead_s=self._ahead_s))
