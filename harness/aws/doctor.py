"""The doctor: reads everything that decides whether the safety net is armed, and changes nothing on AWS.

What it reads is what a run will read, so that a permission that is missing shows here first. Judging is
`harness.core.arming`'s.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from harness.aws.clients import Answer, Aws, Patience, action
from harness.aws.deployer import full_config_name
from harness.aws.looks import KINDS, METRIC_PERIOD_S, Blind, Events, Eyes
from harness.aws.parsing import Stamp, config_seen, deployment_seen, group_seen, mapping, metric_seen, sequence, text
from harness.aws.policy import WATCHES, actions, writes_of
from harness.aws.revisions import hooks_of, spec_of
from harness.aws.sight import Sight
from harness.core.arming import Counted, Diagnosis, Hook, Probed, Snapshot, diagnose
from harness.core.arming.snapshot import LOOK_BACK_S, Points
from harness.core.experiment import Experiment
from harness.core.timeline import AlarmDefined, DeploymentSeen, Event, LookFailed, MetricSeen
from harness.errors import AccessDenied, HarnessError, NotFound

WAIT_S = 180.0
"""How long CloudWatch may take to count a request: the rest of its minute, the publishing, and some room."""
LOOK_EVERY_S = 10.0
ACTIVE = ("Created", "Queued", "InProgress", "Baking", "Ready")

Intent = Literal["good", "fault"]
Probe = Callable[[Intent], Probed]
_KINDS = {kind.name: kind for kind in KINDS}


class Attempts(Aws):
    """AWS that notes by IAM action what was answered and what was refused."""

    def __init__(self, aws: Aws, refused: dict[str, bool] | None = None) -> None:
        self._aws = aws
        self.refused = {} if refused is None else refused

    def with_patience(self, patience: Patience) -> "Attempts":
        """The same notes under another retry policy."""
        return Attempts(self._aws.with_patience(patience), self.refused)

    def call(self, service: str, operation: str, **params: Any) -> Answer:
        """As `Aws.call`."""
        try:
            answer = self._aws.call(service, operation, **params)
        except HarnessError as error:
            self.refused[action(service, operation)] = isinstance(error, AccessDenied)
            raise
        self.refused[action(service, operation)] = False
        return answer

    def denied(self) -> tuple[str, ...]:
        """The actions that the credentials may not do."""
        return tuple(sorted(action for action, refused in self.refused.items() if refused))


class Waiting(Struct, frozen=True):
    """How the doctor tells the time and lets it pass, in seconds of experiment time: `wait_s` 0 waits for nothing."""

    now: Callable[[], float] = time.time
    pause: Callable[[float], None] = time.sleep
    wait_s: float = WAIT_S


def examine(
    aws: Aws, experiment: Experiment, *, probe: Probe | None = None, waiting: Waiting | None = None
) -> Diagnosis:
    """The diagnosis of the group that `experiment` names, whose blanks are filled in.

    `probe` sends one request of an intent to the service; without it nothing is sent. Never raises for what AWS
    answers: what cannot be read is unknown, and what may not be read is an error of its own.
    """
    return diagnose(_Examination(aws, experiment, waiting or Waiting()).snapshot(probe))


class _Examination:
    """One reading of everything, in seconds since it began."""

    def __init__(self, aws: Aws, experiment: Experiment, waiting: Waiting) -> None:
        self._attempts = Attempts(aws)
        self._experiment = experiment
        self._waiting = waiting
        self._epoch_s = waiting.now()
        self._eyes = Eyes(self._attempts, lambda: waiting.now() - self._epoch_s, self._epoch_s)
        wanted = experiment.deployment
        self._sight = Sight(
            application=wanted.application,
            group=wanted.group,
            function=wanted.function,
            alias=wanted.alias,
            metrics_read_s=-LOOK_BACK_S,
        )
        self._seen: list[Event] = []
        self._spec: Mapping[str, Any] | None = {}
        self._newest: list[str] = []

    def snapshot(self, probe: Probe | None) -> Snapshot:
        """Everything that could be read."""
        self._look(self._group())
        self._sight.forward = self._experiment.deployment.id or next(iter(self._newest), None)
        self._look(self._config())
        self._look(self._last())
        for kind in ("target", "alias", "alarms", "history", "metrics"):
            if _KINDS[kind].wanted(self._sight):
                self._look(_KINDS[kind].read(self._eyes, self._sight))
        before = Snapshot(
            experiment=self._experiment,
            sightings=tuple(self._seen),
            active=self._active(),
            last=self._sight.forward,
            hooks=self._hooks(),
            points=dict(self._points()),
        )
        seen = self._probed(before, probe)
        denied = self._attempts.denied()
        return replace(
            seen,
            sightings=tuple(self._seen),
            denied=denied,
            needed=actions(WATCHES),
            untried=tuple(sorted(actions(WATCHES) - self._attempts.refused.keys())),
            writes=writes_of(self._experiment),
        )

    # The release

    def _look(self, events: Events) -> None:
        function, alias = self._sight.function, self._sight.alias
        try:
            for event in events:
                self._seen.append(event)
                self._sight.learn(event)
        except Blind as blind:
            self._seen.append(blind.failed)
        # A last deployment may have shifted another alias than the one that is asked about.
        self._sight.function, self._sight.alias = function or self._sight.function, alias or self._sight.alias

    def _group(self) -> Events:
        where = {"applicationName": self._sight.application, "deploymentGroupName": self._sight.group}
        answer, stamp = self._eyes.ask("codedeploy", "get_deployment_group", **where)
        known = mapping(answer.get("deploymentGroupInfo"))
        ends = (mapping(known.get(f"last{word}Deployment")) for word in ("Attempted", "Successful"))
        self._newest = [found for found in (text(end.get("deploymentId")) for end in ends) if found]
        yield group_seen(known, stamp)

    def _config(self) -> Events:
        wanted = self._experiment.deployment
        name = full_config_name(wanted.config) if wanted.target_version else self._sight.config_wanted
        if name:
            answer, stamp = self._eyes.ask("codedeploy", "get_deployment_config", deploymentConfigName=name)
            yield config_seen(name, answer.get("deploymentConfigInfo"), stamp)

    def _last(self) -> Events:
        if self._sight.forward is None:
            return
        answer, stamp = self._eyes.ask("codedeploy", "get_deployment", deploymentId=self._sight.forward)
        known = mapping(answer.get("deploymentInfo"))
        yield deployment_seen(known, stamp)
        self._spec = None
        self._spec = spec_of(self._eyes, self._sight.application, known.get("revision"))

    def _active(self) -> tuple[DeploymentSeen, ...] | None:
        try:
            return tuple(self._active_deployments())
        except Blind as blind:
            self._seen.append(blind.failed)
            return None

    def _active_deployments(self) -> Iterator[DeploymentSeen]:
        where = {"applicationName": self._sight.application, "deploymentGroupName": self._sight.group}
        answer, _ = self._eyes.ask("codedeploy", "list_deployments", **where, includeOnlyStatuses=ACTIVE)
        listed = [found for found in map(text, sequence(answer.get("deployments"))) if found]
        ids = list(dict.fromkeys([*listed, *self._newest]))[:25]
        if ids:
            answer, stamp = self._eyes.ask("codedeploy", "batch_get_deployments", deploymentIds=ids)
            seen = (deployment_seen(found, stamp) for found in sequence(answer.get("deploymentsInfo")))
            yield from (one for one in seen if isinstance(one, DeploymentSeen) and one.status in ACTIVE)

    def _hooks(self) -> tuple[Hook, ...] | None:
        if self._spec is None:
            return None
        named = {**hooks_of(self._spec), **{event: f"CodeDeployHook_{event}" for event in self._experiment.deployment.hooks}}
        return tuple(Hook(event, function, self._exists(function)) for event, function in named.items())

    def _exists(self, function: str) -> bool | None:
        try:
            self._eyes.ask("lambda", "get_function_configuration", FunctionName=function)
        except Blind as blind:
            if isinstance(blind.__cause__, NotFound):
                return False
            self._seen.append(blind.failed)
            return None
        return True

    # The alarms' own metrics

    def _points(self) -> Iterator[tuple[str, Points]]:
        for alarm in self._alarms():
            try:
                yield alarm.name, self._datapoints(_stat_of(alarm), -LOOK_BACK_S)
            except Blind as blind:
                self._seen.append(blind.failed)

    def _alarms(self) -> list[AlarmDefined]:
        return [alarm for alarm in self._sight.definitions.values() if alarm.metric and alarm.statistic]

    def _datapoints(self, stat: Mapping[str, Any], since_s: float) -> Points:
        points: list[tuple[float, float]] = []
        for page, stamp in self._eyes.pages(
            "cloudwatch",
            "get_metric_data",
            MetricDataQueries=[{"Id": "m0", "MetricStat": stat}],
            StartTime=self._eyes.date(self._eyes.minute(since_s)),
            EndTime=self._eyes.date(self._eyes.minute(self._eyes.now(), after=True)),
            ScanBy="TimestampAscending",
        ):
            for result in sequence(page.get("MetricDataResults")):
                points.extend(_seen_points(result, stamp))
        return tuple(sorted(points))

    # The service behind the host

    def _probed(self, seen: Snapshot, probe: Probe | None) -> Snapshot:
        if probe is None:
            return seen
        seen = replace(seen, good=probe("good"))
        why_not = _why_no_fault(seen)
        if why_not:
            return replace(seen, why_no_fault=why_not)
        sent_s = self._eyes.now()
        return self._counted(replace(seen, fault=probe("fault")), sent_s)

    def _counted(self, seen: Snapshot, sent_s: float) -> Snapshot:
        if seen.fault is None or seen.fault.status is None or not self._waiting.wait_s:
            return replace(seen, why_not_counted="CloudWatch was not waited for")
        while True:
            try:
                counted = self._count(sent_s)
            except Blind as blind:
                self._seen.append(blind.failed)
                return replace(seen, why_not_counted=blind.failed.message)
            if any(counted.alarms.values()) or self._eyes.now() - sent_s >= self._waiting.wait_s:
                return replace(seen, counted=counted)
            self._waiting.pause(LOOK_EVERY_S)

    def _count(self, sent_s: float) -> Counted:
        own = {"FunctionName": self._sight.function or ""}
        totals = [sum(value for _, value in self._datapoints(_sum(name, own), sent_s)) for name in ("Errors", "Invocations")]
        alarms = {alarm.name: self._failures(alarm, sent_s) for alarm in self._alarms()}
        return Counted(alarms, *totals)
