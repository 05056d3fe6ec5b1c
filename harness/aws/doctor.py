"""The doctor: reads everything that decides whether the safety net works, and changes nothing on AWS.

It reads what a run will read, so a missing permission shows here first. It takes the time from the dates of AWS's
answers, so a wrong clock on this machine does no harm. `harness.core.arming` judges what was read.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Literal, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from harness.aws.appspec import hooks_of
from harness.aws.attempts import Attempts
from harness.aws.clients import ASK_ONCE, Aws
from harness.aws.deployer import full_config_name
from harness.aws.eyes import Blind, Eyes
from harness.aws.looks import BATCH_OF_DEPLOYMENTS, KINDS, Events, deployments_there
from harness.aws.metrics import datapoints, failures_of, look_back_s, stat_of, sum_of
from harness.aws.parsing import config_seen, deployment_seen, group_seen
from harness.aws.policy import WATCHES, actions, needed_for_writes
from harness.aws.sight import Sight
from harness.core.arming import Diagnosis, FaultCounts, Hook, Probed, Snapshot, diagnose, why_no_fault
from harness.core.arming.snapshot import GONE, LOOK_BACK_S, NO_HOST, Points
from harness.core.experiment.types import Experiment
from harness.core.foreign import mapping, sequence, text
from harness.core.timeline.alarm_rules import FAILURE_METRICS, is_told, metrics_of
from harness.core.timeline.deployments import UNDER_WAY, is_rollback
from harness.core.timeline.events import DeploymentSeen, Event, MetricQuery
from harness.errors import HarnessError, NotFound

WAIT_S = 180.0
"""How long CloudWatch may take to count a request: the rest of its minute, publishing, and some margin."""
LOOK_EVERY_S = 10.0

Intent = Literal["good", "fault"]
Probe = Callable[[Intent], Probed | str]
"""How a request was answered, or why none was sent."""
Reading = TypeVar("Reading")

_KINDS = {kind.name: kind for kind in KINDS}
_AFTER_THE_RELEASE = ("target", "alias", "alarms", "history", "metrics")


def _say_nothing(_: str) -> None:
    pass


class Waiting(Struct, frozen=True):
    """How the doctor reads the time, waits and says that it waits; in seconds of experiment time.

    `wait_s` bounds the wait until CloudWatch has counted the fault request; 0 means no wait.
    """

    now: Callable[[], float] = time.time
    pause: Callable[[float], None] = time.sleep
    wait_s: float = WAIT_S
    say: Callable[[str], None] = _say_nothing


def examine(
    aws: Aws,
    experiment: Experiment,
    *,
    probe: Probe | None = None,
    why_no_request: str = NO_HOST,
    unsent: tuple[str, ...] = (),
    waiting: Waiting | None = None,
) -> Diagnosis:
    """The diagnosis of the group that `experiment` names.

    `probe` sends requests to the service; without it nothing is sent, for the reason `why_no_request`. `unsent` are the
    requests of the experiment that nobody sends without a run, because they may change something. Never raises
    for what AWS answers: what cannot be read is unknown, and a missing permission is an error of its own.
    """
    waiting = waiting or Waiting()
    attempts = Attempts(aws, waiting.now)
    examination = Examination(attempts, experiment)
    seen = replace(examination.snapshot(), why_no_request=why_no_request, why_no_fault=why_no_request, unsent=unsent)
    if probe is not None:
        seen = _Probing(examination, waiting).probed(seen, probe)
    needed = actions(WATCHES)
    return diagnose(
        replace(
            seen,
            sightings=tuple(examination.seen),
            clock_ahead_s=attempts.ahead_s,
            denied=attempts.denied,
            needed=needed,
            untried=tuple(sorted(needed - attempts.tried)),
            writes=needed_for_writes(experiment),
        )
    )


def _learn_the_time(attempts: Attempts, experiment: Experiment) -> None:
    """Makes one call, whatever the answer, so that AWS's clock is known before times are taken."""
    wanted = experiment.deployment
    hasty = attempts.with_patience(ASK_ONCE)
    with contextlib.suppress(HarnessError):
        hasty.call(
            "codedeploy",
            "get_deployment_group",
            applicationName=wanted.application,
            deploymentGroupName=wanted.group,
        )


class _SightOfNames(Sight):
    """Looks at what the experiment names: the last deployment may have shifted another alias than that."""

    @property
    def function(self) -> str | None:
        """The function that is named, or that the last deployment was of."""
        return self.named.function or super().function

    @property
    def alias(self) -> str | None:
        """The alias that is named."""
        return self.named.alias

    @property
    def began_s(self) -> float:
        """Where what is to be known begins: with the last deployment, even if that is a rollback."""
        seen = (self.release.forward, *self.release.others)
        return min(0.0, *(one.created_s for one in seen if one and one.created_s is not None), 0.0)


class Examination:
    """One reading of everything on AWS; `seen` is all that was learned, in seconds since it began."""

    def __init__(self, attempts: Attempts, experiment: Experiment) -> None:
        _learn_the_time(attempts, experiment)
        began_s = attempts.aws_now()
        self.eyes = Eyes(attempts, lambda: attempts.aws_now() - began_s, began_s)
        self.seen: list[Event] = []
        self._experiment = experiment
        # A version that is still to be deployed has no metrics.
        self._sight = _SightOfNames(replace(experiment.deployment, target_version=None))
        self._sight.metrics_read_s = -LOOK_BACK_S
        self._newest: list[str] = []
        self._latest = experiment.deployment.id
        self._revision: object = None

    def snapshot(self) -> Snapshot:
        """Reads everything; what could not be read is recorded as a failed look."""
        self._look(self._group())
        self._look(self._config())
        self._look(self._last())
        for kind in _AFTER_THE_RELEASE:
            if _KINDS[kind].wanted(self._sight):
                self._look(_KINDS[kind].read(self.eyes, self._sight))
        return Snapshot(
            experiment=self._experiment,
            sightings=tuple(self.seen),
            active=self.attempt(lambda: tuple(self._active())),
            last=self._latest,
            hooks=self.attempt(lambda: tuple(self._hooks())),
            target_state=self.attempt(self._target_state),
            points=self.attempt(self._points) or {},
        )

    def attempt(self, read: Callable[[], Reading]) -> Reading | None:
        """What `read` returns; None if it failed, and the failed look is noted."""
        try:
            return read()
        except Blind as blind:
            self.seen.append(blind.failed)
            return None

    def metrics(self) -> dict[tuple[str, str], MetricQuery]:
        """The metrics that the alarms read, by alarm and id; those of other accounts cannot be read here."""
        alarms = self._sight.rollout.alarms.definitions.values()
        read = ((alarm.name, metric) for alarm in alarms for metric in metrics_of(alarm))
        return {(name, metric.id): metric for name, metric in read if metric.statistic and not metric.account}

    def _look(self, events: Events) -> None:
        try:
            for event in events:
                self.seen.append(event)
                self._sight.learn(event)
        except Blind as blind:
            self.seen.append(blind.failed)

    def _where(self) -> dict[str, str | None]:
        return {"applicationName": self._sight.application, "deploymentGroupName": self._sight.group}

    def _group(self) -> Events:
        answer, stamp = self.eyes.ask("codedeploy", "get_deployment_group", **self._where())
        known = mapping(answer.get("deploymentGroupInfo"))
        ends = (mapping(known.get(f"last{word}Deployment")) for word in ("Attempted", "Successful"))
        self._newest = [found for found in (text(end.get("deploymentId")) for end in ends) if found]
        self._latest = self._latest or next(iter(self._newest), None)
        yield group_seen(known, stamp)

    def _config(self) -> Events:
        wanted = self._experiment.deployment
        asked = wanted.config if wanted.target_version else None
        name = full_config_name(asked) if asked else self._sight.config_wanted
        if name:
            answer, stamp = self.eyes.ask("codedeploy", "get_deployment_config", deploymentConfigName=name)
            yield config_seen(name, answer.get("deploymentConfigInfo"), stamp)

    def _last(self) -> Events:
        """The latest deployment; a rollback is none, so what it undid is looked at after it."""
        if self._latest is None:
            return
        self._sight.follow(self._latest)
        seen = self._deployment(self._latest)
        undone = self._undone_by(seen)
        if undone:
            self._latest = undone
            self._sight.follow(undone)
            yield seen
            seen = self._deployment(undone)
        yield seen

    def _undone_by(self, seen: Event) -> str | None:
        if not isinstance(seen, DeploymentSeen) or not is_rollback(seen):
            return None
        return seen.rollback_of or self._forward_before(seen)

    def _deployment(self, deployment_id: str) -> Event:
        answer, stamp = self.eyes.ask("codedeploy", "get_deployment", deploymentId=deployment_id)
        known = mapping(answer.get("deploymentInfo"))
        self._revision = known.get("revision")
        return deployment_seen(known, stamp)

    def _forward_before(self, rollback: DeploymentSeen) -> str | None:
        """The last forward deployment before a rollback that does not say what it undid."""
        before = [
            (seen.created_s, seen.deployment_id)
            for seen in deployments_there(self.eyes, self._sight)
            if not is_rollback(seen) and seen.created_s is not None and seen.created_s <= (rollback.created_s or 0.0)
        ]
        return max(before)[1] if before else None

    def _active(self) -> Iterator[DeploymentSeen]:
        answer, _ = self.eyes.ask("codedeploy", "list_deployments", **self._where(), includeOnlyStatuses=UNDER_WAY)
        listed = [found for found in map(text, sequence(answer.get("deployments"))) if found]
        # CodeDeploy may not list a deployment that was created a moment ago, so the newest ones are added.
        ids = list(dict.fromkeys([*listed, *self._newest]))[:BATCH_OF_DEPLOYMENTS]
        if not ids:
            return
        answer, stamp = self.eyes.ask("codedeploy", "batch_get_deployments", deploymentIds=ids)
        seen = (deployment_seen(found, stamp) for found in sequence(answer.get("deploymentsInfo")))
        yield from (one for one in seen if isinstance(one, DeploymentSeen) and one.status in UNDER_WAY)

    def _hooks(self) -> Iterator[Hook]:
        asked = {str(event): f"CodeDeployHook_{event}" for event in self._experiment.deployment.hooks}
        named = {**hooks_of(self.eyes, self._sight.application, self._revision), **asked}
        for event, function in named.items():
            yield Hook(event, function, self.attempt(partial(self._exists, function)))

    def _target_state(self) -> str | None:
        """Lambda's state of the version to be deployed; a version without a state can be invoked."""
        function, version = self._sight.function, self._experiment.deployment.target_version
        if not function or not version:
            return None
        try:
            answer, _ = self.eyes.ask("lambda", "get_function_configuration", FunctionName=function, Qualifier=version)
        except Blind as blind:
            if isinstance(blind.__cause__, NotFound):
                return GONE
            raise
        return text(answer.get("State")) or "Active"

    def _exists(self, function: str) -> bool:
        try:
            self.eyes.ask("lambda", "get_function_configuration", FunctionName=function)
        except Blind as blind:
            if isinstance(blind.__cause__, NotFound):
                return False
            raise
        return True

    def _points(self) -> Mapping[tuple[str, str], Points]:
        stats = {name: stat_of(metric) for name, metric in self.metrics().items()}
        return datapoints(self.eyes, stats, -look_back_s(stats))


class _Probing:
    """Sends one good request and one fault request, and reads whether CloudWatch counts the second one."""

    def __init__(self, examination: Examination, waiting: Waiting) -> None:
        self._examination = examination
        self._eyes = examination.eyes
        self._waiting = waiting

    def probed(self, seen: Snapshot, probe: Probe) -> Snapshot:
        """The snapshot with the answers."""
        why_not = why_no_fault(seen)
        good = probe("good")
        seen = replace(seen, why_no_request=good) if isinstance(good, str) else replace(seen, good=good)
        if why_not:
            return replace(seen, why_no_fault=why_not)
        sent_s = self._eyes.now()
        fault = probe("fault")
        if isinstance(fault, str):
            return replace(seen, why_no_fault=fault)
        return self._counted(replace(seen, fault=fault), sent_s)

    def _counted(self, seen: Snapshot, sent_s: float) -> Snapshot:
        if seen.fault is None or seen.fault.status is None or not self._waiting.wait_s:
            return replace(seen, why_not_counted="CloudWatch was not waited for")
        self._waiting.say(f"waiting for CloudWatch to count the fault request, up to {self._waiting.wait_s:.0f} s")
        counted = self._examination.attempt(lambda: self._await(seen, sent_s))
        return replace(seen, counted=counted, why_not_counted="")

    def _await(self, seen: Snapshot, sent_s: float) -> FaultCounts | None:
        while True:
            counted = self._count(seen, sent_s)
            in_time = self._eyes.now() - sent_s < self._waiting.wait_s
            if (counted and any(counted.alarms.values())) or not in_time:
                return counted
            self._waiting.pause(LOOK_EVERY_S)

    def _count(self, seen: Snapshot, sent_s: float) -> FaultCounts | None:
        """What was counted since; None where CloudWatch's answer is incomplete."""
        function = {"FunctionName": seen.function}
        own = {("", name): sum_of(name, function) for name in ("Errors", "Invocations")}
        read = self._examination.metrics().items()
        failures = {
            name: failures_of(metric) for name, metric in read if is_told(metric) and metric.metric in FAILURE_METRICS
        }
        asked_for = {**own, **failures}
        points = datapoints(self._eyes, asked_for, sent_s)
        if points.keys() != asked_for.keys():
            return None
        totals = {name: sum(value for _, value in found) for name, found in points.items()}
        errors, invocations = totals.pop(("", "Errors")), totals.pop(("", "Invocations"))
        alarms: dict[str, float] = {}
        for (alarm, _), total in totals.items():
            alarms[alarm] = alarms.get(alarm, 0.0) + total
        return FaultCounts(alarms, errors, invocations)
