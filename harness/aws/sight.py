"""What the watcher has learned so far, and so what it has to look at."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness.aws.parsing import ENDED, children_of, is_rollback
from harness.core.timeline.events import (
    AlarmChanged,
    AlarmDefined,
    AliasSeen,
    ConfigSeen,
    DeploymentSeen,
    Event,
    GroupSeen,
    TargetSeen,
)


@dataclass
class Sight:
    """Names and ids as far as they are known; `learn` adds what an event tells.

    `baseline` and `canary` are versions. `strangers` are deployments that are none of this run's; None until the
    group's deployments were listed once. `history_read_s` and `metrics_read_s` say until when these were read, None or
    absent if never, and `history_asked_s` when they were asked for last. `last_looks` says that nothing can be left to
    a later round.
    """

    application: str | None = None
    group: str | None = None
    function: str | None = None
    alias: str | None = None
    forward: str | None = None
    forward_status: str | None = None
    forward_created_s: float | None = None
    rollback: str | None = None
    target_id: str | None = None
    baseline: str | None = None
    canary: str | None = None
    strangers: frozenset[str] | None = None
    group_known: bool = False
    configs_wanted: dict[str, bool] = field(default_factory=dict)
    alarms: list[str] = field(default_factory=list)
    definitions: dict[str, AlarmDefined] = field(default_factory=dict)
    changes: set[tuple[str, float, str]] = field(default_factory=set)
    history_asked_s: dict[str, float] = field(default_factory=dict)
    history_read_s: dict[str, float] = field(default_factory=dict)
    metrics_read_s: float | None = None
    last_looks: bool = False

    def follow(self, deployment_id: str) -> None:
        """Takes `deployment_id` for the forward deployment from now on."""
        if deployment_id != self.forward:
            self.forward, self.forward_status, self.rollback, self.target_id = deployment_id, None, None, None
            self.forward_created_s = None

    def estrange(self, deployment_ids: Iterable[str]) -> None:
        """Takes these deployments for none of this run's, so that they are not looked at again."""
        self.strangers = (self.strangers or frozenset()) | {*deployment_ids}

    def is_later(self, seen: DeploymentSeen) -> bool:
        """Whether a deployment is known to have been created after the forward one."""
        if self.forward_created_s is None or seen.created_s is None:
            return False
        return seen.created_s > self.forward_created_s

    @property
    def forward_is_final(self) -> bool:
        """Whether GetDeployment of the forward deployment can bring nothing new: ended, and its rollback known.

        Without a rollback it is read on: rollbackInfo is empty for about half a second after the end, at times longer.
        """
        return self.forward_status in ENDED and self.rollback is not None

    @property
    def deployment_of_interest(self) -> str | None:
        """The deployment to read: the forward one until it is final, then the one that undoes it."""
        return self.rollback if self.forward_is_final else self.forward

    @property
    def began_s(self) -> float:
        """Where what is to be known begins: with the run, or with the deployment that began before it."""
        return min(0.0, self.forward_created_s or 0.0)

    @property
    def searching(self) -> bool:
        """Whether a deployment is missing: the forward one, or the rollback of one that ended badly."""
        return self.forward is None or (self.forward_status in ENDED - {"Succeeded"} and self.rollback is None)

    @property
    def config_wanted(self) -> str | None:
        """A deployment configuration that was named and not read yet; the deployment's own before its group's."""
        return next((name for name, wanted in reversed(self.configs_wanted.items()) if wanted), None)

    def read_anew(self) -> None:
        """Has history and metrics read from their beginning again."""
        self.last_looks = True
        self.history_read_s.clear()
        self.metrics_read_s = None

    def learn(self, event: Event) -> None:
        """Adds what `event` tells."""
        match event:
            case GroupSeen():
                self._learn_group(event)
            case ConfigSeen():
                self.configs_wanted[event.name] = False
            case DeploymentSeen():
                self._learn_deployment(event)
            case TargetSeen():
                self._learn_target(event)
            case AliasSeen():
                self._learn_alias(event)
            case AlarmDefined():
                self.definitions[event.name] = event
                self.watch_alarms(children_of(event.rule))
            case AlarmChanged():
                self.changes.add(change_key(event))

    def watch_alarms(self, names: Sequence[str]) -> None:
        """Adds alarms to watch, each once."""
        self.alarms.extend(name for name in dict.fromkeys(names) if name not in self.alarms)

    def _want_config(self, name: str | None) -> None:
        if name:
            self.configs_wanted.setdefault(name, True)

    def _learn_group(self, seen: GroupSeen) -> None:
        self.group_known = True
        self._want_config(seen.config)
        self.watch_alarms(seen.alarms)

    def _learn_deployment(self, seen: DeploymentSeen) -> None:
        if seen.deployment_id == self.forward:
            self.forward_status, self.forward_created_s = seen.status, seen.created_s
            self.rollback = seen.rollback_id or self.rollback
            self.application = self.application or seen.application
            self.group = self.group or seen.group
            self._want_config(seen.config)
        elif is_rollback(seen) and seen.rollback_of == self.forward:
            self.rollback = seen.deployment_id

    def _learn_target(self, seen: TargetSeen) -> None:
        # The alias that this deployment shifts is the one to watch, whatever the experiment called it.
        self.function = seen.function or self.function
        self.alias = seen.alias or self.alias
        self.baseline = seen.current_version or self.baseline
        self.canary = seen.target_version or self.canary

    def _learn_alias(self, seen: AliasSeen) -> None:
        self.baseline = self.baseline or seen.version
        self.canary = self.canary or next(iter(seen.weights), None)


def change_key(change: AlarmChanged) -> tuple[str, float, str]:
    """What makes a state change the same one when it is read again."""
    return change.name, change.changed_s, change.to_state


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


def rollback_of(forward: str, candidates: Sequence[DeploymentSeen]) -> DeploymentSeen | None:
    """The deployment that names `forward` as the one it undoes."""
    return next((seen for seen in candidates if seen.rollback_of == forward), None)
