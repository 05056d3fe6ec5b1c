"""What the watcher has to look at, by what was seen so far and by what was read until when."""

from collections.abc import Iterable, Sequence
from threading import Lock

from harness.aws.shadow_looks import Shadows, words_of_apis
from harness.core.experiment.types import Deployment, ShadowAlarm
from harness.core.timeline.composites import children_of
from harness.core.timeline.deployments import ended_badly, has_ended, is_rollback
from harness.core.timeline.events import ConfigSeen, DeploymentSeen, Event
from harness.core.timeline.release import Release
from harness.core.timeline.rollout import Rollout
from harness.core.timeline.weights import canary_of


class Sight:
    """Cursors beside the rollout that the looks come to; `learn` adds what an event tells.

    `strangers` are deployments that are none of this run's; None until the group's deployments were listed once.
    `target_ids` are those of targets, by deployment, and `hooks` the functions of hooks, by deployment and event.
    `history_read_s` and `metrics_read_s` say until when these were read, None or absent if never, and
    `history_asked_s` when they were asked for last. `last_looks` says that nothing can be left to a later round.
    """

    def __init__(self, named: Deployment, alarm: str | None = None, shadow: Sequence[ShadowAlarm] = ()) -> None:
        self.named, self._alarm = named, alarm
        self._learning = Lock()
        self.rollout = Rollout()
        self.strangers: frozenset[str] | None = None
        self.configs_read: set[str] = set()
        self.target_ids: dict[str, str] = {}
        self.hooks: dict[str, dict[str, str]] = {}
        self.history_asked_s: dict[str, float] = {}
        self.history_read_s: dict[str, float] = {}
        self.metrics_read_s: float | None = None
        self.last_looks = False
        self.shadows = Shadows(shadow)
        if named.id:
            self.follow(named.id)

    def learn(self, event: Event) -> None:
        """Adds what `event` tells."""
        with self._learning:  # `follow` may come from another thread meanwhile
            self.rollout = self.rollout.step(event)
        if isinstance(event, ConfigSeen):
            self.configs_read.add(event.name)

    def follow(self, deployment_id: str) -> None:
        """Takes `deployment_id` for the forward deployment from now on."""
        with self._learning:
            self.rollout = self.rollout.following(deployment_id)

    def estrange(self, deployment_ids: Iterable[str]) -> None:
        """Takes these deployments for none of this run's, so that they are not looked at again."""
        self.strangers = (self.strangers or frozenset()) | {*deployment_ids}

    def read_anew(self) -> None:
        """Has history and metrics read from their beginning again."""
        self.last_looks = True
        self.history_read_s.clear()
        self.metrics_read_s = None

    @property
    def release(self) -> Release:
        """The release as far as it was seen."""
        return self.rollout.release

    @property
    def application(self) -> str | None:
        """The application, as it was named or as the deployment says."""
        return self.named.application or (self.release.forward.application if self.release.forward else None)

    @property
    def group(self) -> str | None:
        """The deployment group, as it was named or as the deployment says."""
        return self.named.group or (self.release.forward.group if self.release.forward else None)

    @property
    def function(self) -> str | None:
        """The function whose alias the deployment shifts, whatever the experiment called it."""
        seen = (look.function for look in (self.release.target, self.release.alias) if look)
        return next((function for function in seen if function), self.named.function)

    @property
    def alias(self) -> str | None:
        """The alias that the deployment shifts, whatever the experiment called it."""
        seen = (look.alias for look in (self.release.target, self.release.alias) if look)
        return next((alias for alias in seen if alias), self.named.alias)

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions of baseline and canary, as far as they are known."""
        alias, baseline = self.release.alias, self.release.baseline
        canary = self.release.canary or self.named.target_version or (canary_of(alias, baseline) if alias else None)
        return tuple(dict.fromkeys(version for version in (baseline, canary) if version))

    @property
    def alarms(self) -> tuple[str, ...]:
        """The alarms to watch: the one that was named, the group's and the deployment's, and those below composites."""
        group, forward = self.rollout.run.group, self.release.forward
        composed = (children_of(defined.rule) for defined in self.rollout.alarms.definitions.values())
        guarding = (*(group.alarms if group else ()), *((forward.alarms if forward else None) or ()))
        names = (self._alarm, *guarding, *(name for children in composed for name in children))
        return tuple(dict.fromkeys(name for name in names if name))

    @property
    def words(self) -> dict[str, str]:
        """What the placeholders of shadow alarms stand for, as far as it is known."""
        known = {"function": self.function, "alias": self.alias, "version": self.release.canary}
        named = {word: value for word, value in known.items() if value}
        return {**words_of_apis(self.rollout.alarms.definitions), **named}

    def is_later(self, seen: DeploymentSeen) -> bool:
        """Whether a deployment is known to have been created after the forward one."""
        created_s = self.release.forward.created_s if self.release.forward else None
        return created_s is not None and seen.created_s is not None and seen.created_s > created_s

    @property
    def deployment_of_interest(self) -> str | None:
        """The deployment to read: the forward one until it can bring nothing new, then the one that undoes it.

        Without a rollback it is read on: rollbackInfo is empty for about half a second after the end, at times longer.
        """
        release = self.release
        final = has_ended(release.forward) and release.rollback_id is not None
        return release.rollback_id if final else release.followed

    @property
    def began_s(self) -> float:
        """Where what is to be known begins: with the run, or with the deployment that began before it."""
        return min(0.0, (self.release.forward.created_s if self.release.forward else None) or 0.0)

    @property
    def searching(self) -> bool:
        """Whether a deployment is missing: the forward one, or the rollback of one that ended badly."""
        release = self.release
        return release.followed is None or (ended_badly(release.forward) and release.rollback_id is None)

    @property
    def config_wanted(self) -> str | None:
        """A deployment configuration that was named and not read yet; the deployment's own before its group's."""
        named = (source.config for source in (self.release.forward, self.rollout.run.group) if source)
        return next((name for name in named if name and name not in self.configs_read), None)


def next_forward(candidates: Sequence[DeploymentSeen], *, first_listing: bool) -> DeploymentSeen | None:
    """The earliest deployment that the run was waiting for.

    A rollback never is. What the first listing already shows must have been created after the run began; what only a
    later one shows is new whatever its date says, so a skewed clock does no harm.
    """
    fresh = (seen for seen in candidates if not is_rollback(seen) and not (first_listing and _is_old(seen)))
    return min(fresh, key=lambda seen: seen.created_s or 0.0, default=None)


def _is_old(seen: DeploymentSeen) -> bool:
    # CodeDeploy cuts its dates to milliseconds, so one that was created in the run's first instant lies before it.
    return seen.created_s is None or seen.created_s < -1.0
