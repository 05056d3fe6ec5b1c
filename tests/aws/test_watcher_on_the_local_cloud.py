"""The watcher, the deployer and the forced alarm against the local cloud, over the wire."""

import json
import random
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from harness.aws.clients import Aws, Clients, Patience, action
from harness.aws.deployer import app_spec, create_deployment
from harness.aws.forced_alarm import ForcedAlarm
from harness.aws.journal import Journal
from harness.aws.policy import WATCHES, actions
from harness.aws.watcher import Watcher
from harness.core.experiment.types import Deployment
from harness.core.timeline.events import (
    AlarmChanged,
    AlarmDefined,
    AlarmGone,
    AlarmSeen,
    AliasSeen,
    ConfigSeen,
    DeploymentSeen,
    Event,
    GroupSeen,
    LookFailed,
    MetricSeen,
    TargetSeen,
)
from harness.core.timeline.hooks import unreported
from harness.core.timeline.rollout import replay
from harness.errors import AccessDenied, AwsError, BadCredentials, HarnessError


class Refusing(Aws):
    """AWS that refuses the calls of which `why` gives an error."""

    def __init__(self, aws: Aws, why: Callable[[str], HarnessError | None]) -> None:
        self._aws = aws
        self._why = why

    def with_patience(self, patience: Patience) -> "Refusing":
        """Refuses as much."""
        return Refusing(self._aws.with_patience(patience), self._why)

    def call(self, service: str, operation: str, **params: Any) -> Any:
        """The answer, or the refusal."""
        error = self._why(action(service, operation))
        if error:
            raise error
        return self._aws.call(service, operation, **params)


class Run:
    """A watcher beside a cloud whose clock moves only by `play`."""

    def __init__(self, cloud: Any, clients: Clients) -> None:
        self.cloud = cloud
        self.clients = clients
        self.names: Mapping[str, Any] = cloud.ready
        self.epoch_s = cloud.clock.now()
        self.aws = Aws(Patience(first_wait_s=0.0, longest_wait_s=0.0), clients)
        self.events: list[Event] = []
        self.watcher = self.watching(
            Deployment(**{name: self.names[name] for name in ("application", "group", "function", "alias")})
        )

    def refused(self, why: Callable[[str], HarnessError | None]) -> "Run":
        """Another run beside the same cloud, some of whose calls are refused."""
        other = Run(self.cloud, self.clients)
        other.epoch_s, other.aws = self.epoch_s, Refusing(other.aws, why)
        other.watcher = other.watching(Deployment(application=self.names["application"], group=self.names["group"]))
        return other

    def watching(self, deployment: Deployment, alarm: str | None = None) -> Watcher:
        """A watcher of `deployment`."""
        return Watcher(self.aws, deployment, alarm, now=self.now, epoch_s=self.epoch_s, record=self.events.append)

    def now(self) -> float:
        """Simulated seconds since the run began."""
        return float(self.cloud.clock.now() - self.epoch_s)

    def deploy(self) -> str:
        """Creates the canary deployment."""
        return create_deployment(
            self.aws,
            **{name: self.names[name] for name in ("application", "group", "function", "alias")},
            target_version=self.names["canary"],
            experiment="test",
            config="Canary10Percent5Minutes",
            journal=Journal(self.events.append, self.now),
        )

    def forced_alarm(self) -> ForcedAlarm:
        """The fault that forces the stack's alarm."""
        return ForcedAlarm(
            self.aws,
            name=self.names["alarm"],
            state="ALARM",
            reason="test",
            journal=Journal(self.events.append, self.now),
        )

    def play(self, seconds: float) -> None:
        """Lets simulated time pass, looking each five seconds."""
        for _ in range(int(seconds / 5)):
            self.cloud.advance(5.0)
            self.watcher.look()

    def seen(self, kind: type) -> list[Any]:
        """The recorded events of one type."""
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def run(canary_cloud: Any, canary_aws: Mapping[str, str]) -> Run:
    """A run on a cloud with the default stack."""
    return Run(canary_cloud, Clients(boto3.session.Session()))


def test_a_promotion_is_seen_from_its_start_to_its_end(run: Run) -> None:
    """Every view is there: group, configuration, deployment, target, alias and alarm."""
    run.watcher.look()
    deployment_id = run.deploy()
    run.play(340.0)
    assert run.watcher.forward == deployment_id
    assert [seen.rollback_events != () for seen in run.seen(GroupSeen)] == [True]
    assert [(seen.kind, seen.step, seen.interval_s) for seen in run.seen(ConfigSeen)] == [("canary", 0.1, 300.0)]
    assert run.seen(DeploymentSeen)[-1].status == "Succeeded"
    assert list(dict.fromkeys((seen.version, *seen.weights.items()) for seen in run.seen(AliasSeen))) == [
        ("1",),
        ("1", ("2", 0.1)),
        ("2",),
    ]
    assert run.seen(TargetSeen)[-1].weight == 1.0
    assert run.seen(LookFailed) == []


def test_a_hook_that_does_not_report_is_named_with_its_function(run: Run) -> None:
    """Only the AppSpec tells which function it is; it is read once, when the hook is a minute late."""
    names, asked = run.names, []
    run.aws = Refusing(run.aws, lambda call: asked.append(call))  # type: ignore[func-returns-value]
    run.watcher = run.watching(Deployment(application=names["application"], group=names["group"]))
    run.watcher.look()
    spec = json.loads(app_spec(names["function"], names["alias"], names["baseline"], names["canary"]))
    content = json.dumps({**spec, "Hooks": [{"BeforeAllowTraffic": names["function"]}]})
    boto3.client("codedeploy").create_deployment(
        applicationName=names["application"],
        deploymentGroupName=names["group"],
        revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": content}},
    )
    run.play(50.0)
    assert unreported(run.seen(TargetSeen)[-1]) is None
    run.play(60.0)
    said = unreported(run.seen(TargetSeen)[-1])
    assert said
    assert f"its hook BeforeAllowTraffic: the function {names['function']} did not call" in said
    assert asked.count("codedeploy:GetApplicationRevision") == 1


def test_the_next_deployment_is_found_and_the_one_before_is_not(run: Run) -> None:
    """A deployment that ended before the run began is not the one that the run waits for."""
    run.deploy()
    run.cloud.advance(400.0)
    later = Run(run.cloud, Clients())
    later.watcher.look()
    later.names = {**run.names, "canary": run.names["baseline"]}
    later.cloud.advance(20.0)
    deployment_id = later.deploy()
    later.play(20.0)
    assert later.watcher.forward == deployment_id


def test_a_forced_alarm_is_seen_to_stop_and_roll_back_the_deployment(run: Run) -> None:
    """The forward deployment, its rollback and the alarm's history tell one story."""
    deployment_id = run.deploy()
    run.watcher.follow(deployment_id)
    fault = run.forced_alarm()
    run.play(60.0)
    fault.inject()
    run.play(60.0)
    assert fault.heal()
    run.play(60.0)
    forward = [seen for seen in run.seen(DeploymentSeen) if seen.deployment_id == deployment_id][-1]
    assert (forward.status, forward.error_code) == ("Stopped", "ALARM_ACTIVE")
    rollback = [seen for seen in run.seen(DeploymentSeen) if seen.deployment_id == forward.rollback_id][-1]
    assert (rollback.status, rollback.rollback_of) == ("Succeeded", deployment_id)
    assert "ALARM" in {seen.to_state for seen in run.seen(AlarmChanged)}
    assert run.seen(AlarmSeen)[-1].state != "ALARM"
    assert run.seen(AliasSeen)[-1].weights == {}


def test_one_group_has_one_deployment_at_a_time(run: Run) -> None:
    """CodeDeploy's refusal keeps its code."""
    run.deploy()
    with pytest.raises(AwsError) as caught:
        run.deploy()
    assert caught.value.code == "DeploymentLimitExceededException"


def test_an_alarm_that_does_not_exist_is_gone(run: Run) -> None:
    """CloudWatch says nothing about it, which is what is recorded."""
    run.watcher = run.watching(Deployment(), alarm="nobody")
    run.watcher.look()
    assert [seen.name for seen in run.seen(AlarmGone)] == ["nobody"]
    assert run.seen(LookFailed) == []


def test_a_composite_alarm_is_watched_with_its_children(run: Run) -> None:
    """CloudWatch lists composites only if it is asked for them."""
    rule = f'ALARM("{run.names["alarm"]}")'
    boto3.client("cloudwatch").put_composite_alarm(AlarmName="both", AlarmRule=rule)
    run.watcher = run.watching(Deployment(), alarm="both")
    run.play(70.0)
    assert {seen.name for seen in run.seen(AlarmSeen)} == {"both", run.names["alarm"]}
    assert {seen.kind for seen in run.seen(AlarmDefined)} == {"composite", "metric"}


def test_metrics_come_with_their_version(run: Run) -> None:
    """Errors of the canary are told from those of all versions."""
    record = run.cloud.cloudwatch.invocations.record
    run.watcher.follow(run.deploy())
    run.play(30.0)
    for version, failed in (("1", False), ("1", False), ("2", True)):
        record(run.names["function"], run.names["alias"], version, run.cloud.clock.now(), 12.0, failed=failed)
    run.play(240.0)
    run.watcher.final_looks()
    last = {(seen.metric, seen.version): sum(value for _, value in seen.points) for seen in run.seen(MetricSeen)}
    assert last[("Invocations", None)] == 3.0
    assert (last[("Invocations", "1")], last[("Errors", "1")]) == (2.0, 0.0)
    assert (last[("Invocations", "2")], last[("Errors", "2")]) == (1.0, 1.0)


def test_a_deployment_by_its_id_alone_leads_to_everything(run: Run) -> None:
    """Group, alarms, function and alias are learned from it."""
    deployment_id = run.deploy()
    run.watcher = run.watching(Deployment(id=deployment_id))
    run.play(20.0)
    assert run.seen(GroupSeen)[0].group == run.names["group"]
    assert {seen.function for seen in run.seen(AliasSeen)} == {run.names["function"]}
    assert {seen.name for seen in run.seen(AlarmSeen)} == {run.names["alarm"]}


def denied(call: str) -> AccessDenied:
    """A permission that is missing."""
    return AccessDenied(call, "AccessDeniedException", f"not authorized. Allow {call} in the policy.")


SEARCHES = {"codedeploy:ListDeployments", "codedeploy:BatchGetDeployments", "codedeploy:GetDeployment"}


def test_a_permission_that_is_missing_hides_only_what_it_tells(run: Run) -> None:
    """Whoever may find and read the deployment sees its rollback, whatever else is denied."""
    calls = sorted(actions(WATCHES))
    runs = {call: run.refused(lambda asked, call=call: denied(call) if asked == call else None) for call in calls}
    for other in runs.values():
        other.watcher.look()
    run.deploy()
    for second in range(0, 165, 15):
        if second == 60:
            run.forced_alarm().inject()
        run.cloud.advance(15.0)
        for other in runs.values():
            other.watcher.look()
    seen = {call: replay(other.events).outcome for call, other in runs.items()}
    assert seen == {call: "unknown" if call in SEARCHES else "rolled_back" for call in calls}
    for call, other in runs.items():
        assert {failed.call for failed in other.seen(LookFailed)} == {call}


def test_a_rollback_while_the_credentials_are_expired_is_found_afterwards(run: Run) -> None:
    """CodeDeploy still knows what it did, and CloudWatch when its alarm rang."""
    expired = BadCredentials("any", "ExpiredTokenException", "renew them")
    other = run.refused(lambda _: expired if 60.0 < other.now() < 240.0 else None)
    other.watcher.look()
    run.deploy()
    other.play(60.0)
    fault = run.forced_alarm()
    fault.inject()
    run.cloud.advance(60.0)
    fault.heal()
    other.play(240.0)
    rollout = replay(other.events)
    assert rollout.outcome == "rolled_back"
    assert rollout.settled
    assert [59.0 < episode.start[0] < 120.0 for episode in rollout.alarms.episodes(run.names["alarm"])] == [True]


def test_an_alarm_that_is_deleted_during_the_run_is_seen_to_be_gone(run: Run) -> None:
    """What it did until then stays known, and the other looks go on."""
    run.watcher.follow(run.deploy())
    run.play(30.0)
    boto3.client("cloudwatch").delete_alarms(AlarmNames=[run.names["alarm"]])
    run.play(30.0)
    assert run.seen(AlarmSeen)
    assert {seen.name for seen in run.seen(AlarmGone)} == {run.names["alarm"]}
    assert run.seen(AliasSeen)[-1].at_s >= 60.0
    assert run.seen(LookFailed) == []


def test_a_deployment_of_somebody_else_afterwards_is_seen(run: Run) -> None:
    """It supersedes ours, whose outcome stays as it was."""
    run.watcher.follow(run.deploy())
    run.play(340.0)
    run.names = {**run.names, "canary": run.names["baseline"]}
    later = run.deploy()
    run.play(60.0)
    rollout = replay(run.events)
    assert rollout.outcome == "promoted"
    assert rollout.release.superseded_by == (later,)


@pytest.fixture
def losing() -> Any:
    """A session whose requests are lost with the chance `losing.chance`."""
    rng = random.Random(7)
    session = boto3.session.Session()
    network = SimpleNamespace(chance=0.0, clients=Clients(session))

    def lose(request: Any, **_: Any) -> None:
        if rng.random() < network.chance:
            raise EndpointConnectionError(endpoint_url=request.url)

    session.events.register("before-send", lose)
    return network


def test_an_unreliable_control_plane_changes_nothing_of_what_is_seen(run: Run, losing: Any) -> None:
    """With three calls of ten lost, the same rollback is seen."""
    losing.chance = 0.3
    shaky = Run(run.cloud, losing.clients)
    deployment_id = shaky.deploy()
    shaky.play(60.0)
    shaky.forced_alarm().inject()
    shaky.play(60.0)
    assert shaky.watcher.forward == deployment_id
    last = {seen.deployment_id: seen.status for seen in shaky.seen(DeploymentSeen)}
    assert sorted(last.values()) == ["Stopped", "Succeeded"]


def test_a_control_plane_that_was_gone_is_seen_again_when_it_is_back(run: Run, losing: Any) -> None:
    """Meanwhile the failed looks are recorded, and nothing else."""
    cut_off = Run(run.cloud, losing.clients)
    cut_off.watcher.follow(cut_off.deploy())
    cut_off.play(20.0)
    losing.chance = 1.0
    cut_off.play(20.0)
    losing.chance = 0.0
    cut_off.play(20.0)
    assert [seen.at_s for seen in cut_off.seen(DeploymentSeen)] == pytest.approx([5, 10, 15, 20, 45, 50, 55, 60])
    assert {failed.code for failed in cut_off.seen(LookFailed)} == {"Unreachable"}
    assert all(20.0 < failed.at_s <= 40.1 for failed in cut_off.seen(LookFailed))
