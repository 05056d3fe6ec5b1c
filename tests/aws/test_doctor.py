"""The doctor against local clouds that are armed, and against ones that are misarmed on purpose."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from msgspec.structs import replace

from harness.aws.clients import SERVICES, Aws, Clients, Patience, action
from harness.aws.discovery import discover
from harness.aws.doctor import Waiting, examine
from harness.aws.policy import actions
from harness.core.arming import Check, CheckSeverity, Diagnosis, Probed
from harness.core.experiment.types import Alarm, Deployment, Expect, Experiment, Fault, Outcome, Target, Traffic
from harness.rehearsal.cloud import Cloud
from harness.rehearsal.fixtures import CloudFactory, aws_environment
from harness.run.sent import with_requests
from harness.traffic.probe import Prober

MINUTE_S = 60.0
HASTY = Patience(attempts=2, first_wait_s=0.0, longest_wait_s=0.0)
KEPT = (
    "AlarmName",
    "Namespace",
    "MetricName",
    "Statistic",
    "Period",
    "EvaluationPeriods",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "Dimensions",
)
WANTED = Experiment(name="checkup", traffic=Traffic(error_share=0.05))


class Clinic:
    """A local cloud with a history, and a doctor for it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.names: Mapping[str, Any] = cloud.ready
        self.session = boto3.session.Session()
        self.clients = Clients(self.session)
        self.codedeploy, self.cloudwatch, self.functions = map(self.clients.of, SERVICES)
        self.wire = self.clients
        self.experiment = replace(WANTED, target=Target(host=self.names["service_url"]))
        self.probe: Callable[[str], Probed | str] | None = None
        self.waits_s = 180.0
        self.clock_off_s = 0.0
        self.sent: list[str] = []

    def live(self) -> None:
        """One deployment long ago, and a good request each minute since."""
        self.cloud.deploy()
        self.cloud.advance(6 * MINUTE_S)
        self.serve()

    def serve(self, minutes: int = 6) -> None:
        """Good requests to the version in service."""
        record = self.cloud.cloudwatch.invocations.record
        for _ in range(minutes):
            record(self.names["function"], self.names["alias"], "2", self.cloud.clock.now(), 5.0, failed=False)
            self.cloud.advance(MINUTE_S)

    def examine(self) -> Diagnosis:
        """The diagnosis, names found as a person without a file would have them found."""
        aws = Aws(HASTY, self.wire)
        experiment = discover(Aws(HASTY, self.clients), self.experiment)
        waiting = Waiting(now=self._now, pause=self.cloud.advance, wait_s=self.waits_s)
        return examine(aws, experiment, probe=self._noting() if experiment.target.host else None, waiting=waiting)

    def check(self, name: str) -> Check:
        """One check of the diagnosis."""
        return next(check for check in self.examine().checks if check.id == name)

    def _now(self) -> float:
        return float(self.cloud.clock.now() + self.clock_off_s)

    def _noting(self) -> Callable[[str], Probed | str]:
        probe = self.probe or Prober(with_requests(self.experiment))

        def noting(intent: Any) -> Probed:
            self.sent.append(intent)
            return probe(intent)

        return noting

    def interfere(self, event: str, do: Callable[..., None]) -> None:
        """Lets `do` come between the examination and AWS, but not between AWS and the rest of the test."""
        self.session.events.register(event, do)
        self.wire = Clients(self.session)

    # Ways to spoil it

    def regroup(self, **changes: Any) -> None:
        """Changes the deployment group."""
        where = {"applicationName": self.names["application"], "currentDeploymentGroupName": self.names["group"]}
        self.codedeploy.update_deployment_group(**where, **changes)

    def guard_by(self, *alarms: str, **changes: Any) -> None:
        """Names other alarms in the group."""
        named = {"enabled": True, "alarms": [{"name": name} for name in alarms]}
        self.regroup(alarmConfiguration={**named, **changes})

    def roll_back_on(self, *events: str) -> None:
        """Leaves the group with these rollback events."""
        self.regroup(autoRollbackConfiguration={"enabled": bool(events), "events": list(events)})

    def redefine(self, **changes: Any) -> None:
        """Defines the alarm anew, changed."""
        alarm = self.cloudwatch.describe_alarms(AlarmNames=[self.names["alarm"]])["MetricAlarms"][0]
        kept = {name: alarm[name] for name in KEPT}
        self.cloudwatch.put_metric_alarm(**{**kept, **changes})

    def dimensions(self, **dimensions: str) -> None:
        """Gives the alarm other dimensions."""
        self.redefine(Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()])

    def deploy_back(self, hooks: Mapping[str, str] | None = None) -> str:
        """Starts a deployment from version 2 to version 1."""
        properties = {"Name": self.names["function"], "Alias": self.names["alias"]}
        versions = {"CurrentVersion": "2", "TargetVersion": "1"}
        resource = {"service": {"Type": "AWS::Lambda::Function", "Properties": {**properties, **versions}}}
        spec = {
            "version": 0.0,
            "Resources": [resource],
            "Hooks": [{event: name} for event, name in (hooks or {}).items()],
        }
        created = self.codedeploy.create_deployment(
            applicationName=self.names["application"],
            deploymentGroupName=self.names["group"],
            revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(spec)}},
        )
        return str(created["deploymentId"])

    def compute(self, expression: str, **changes: Any) -> None:
        """Has the alarm compute its value from `e`, the errors, and where it names it `i`, the invocations."""
        self.cloudwatch.delete_alarms(AlarmNames=[self.names["alarm"]])
        dimensions = [{"Name": "FunctionName", "Value": self.names["function"]}]
        read = {
            name: {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": dimensions}
            for name, metric in (("e", "Errors"), ("i", "Invocations"))
        }
        queries: list[Any] = [
            {"Id": name, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": False}
            for name, metric in read.items()
            if name in expression
        ]
        usual = {
            "EvaluationPeriods": 1,
            "Threshold": 3.0,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching",
        }
        value = {"Id": "value", "Expression": expression, "ReturnData": True}
        whole = {**usual, "AlarmName": self.names["alarm"], "Metrics": [*queries, value], **changes}
        self.cloudwatch.put_metric_alarm(**whole)
        self.cloud.advance(2 * MINUTE_S)

    def want(self, **changes: Any) -> None:
        """Changes what the experiment asks."""
        self.experiment = replace(self.experiment, **changes)

    def answer(self, **statuses: int | None) -> None:
        """Has the service answer these statuses by intent, by magic: no function runs."""
        told = {"good": 200, "fault": 502, **statuses}
        self.probe = lambda intent: Probed(told[intent], problem="connection refused")


@pytest.fixture
def clinic_of(canary_cloud_factory: CloudFactory, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Clinic]:
    """Makes a clinic for a cloud with the stack of an experiment, which has deployed once unless `new`."""

    def make(experiment: Experiment | None = None, *, new: bool = False) -> Clinic:
        cloud = canary_cloud_factory(experiment)
        aws_environment(cloud, monkeypatch)
        clinic = Clinic(cloud)
        clinic.serve() if new else clinic.live()
        return clinic

    return make


@pytest.fixture
def clinic(clinic_of: Callable[..., Clinic]) -> Clinic:
    """A clinic for the default stack, which is armed."""
    return clinic_of()


def bad(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """What a person would be worried by."""
    return [(check.id, check.seen) for check in diagnosis.checks if check.severity not in ("ok", "note")]


def test_an_armed_cloud_has_neither_error_nor_warning(clinic: Clinic) -> None:
    """Silence, exit code 0, and every question answered."""
    diagnosis = clinic.examine()
    assert bad(diagnosis) == []
    assert diagnosis.exit_code == 0
    assert diagnosis.alarms == (clinic.names["alarm"],)
    assert clinic.sent == ["good", "fault"]


def test_an_alarm_on_the_next_version_is_armed_before_that_has_any_data(clinic: Clinic) -> None:
    """A version that is not in service yet has neither datapoints nor a state."""
    clinic.dimensions(
        FunctionName=clinic.names["function"],
        Resource=f"{clinic.names['function']}:{clinic.names['alias']}",
        ExecutedVersion="3",
    )
    clinic.cloudwatch.set_alarm_state(
        AlarmName=clinic.names["alarm"], StateValue="INSUFFICIENT_DATA", StateReason="new"
    )
    assert bad(clinic.examine()) == []


def test_a_composite_alarm_is_judged_by_its_children(clinic: Clinic) -> None:
    """The group may be guarded by a composite alone."""
    clinic.cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule=f'ALARM("{clinic.names["alarm"]}")')
    clinic.guard_by("both")
    clinic.cloud.advance(2 * MINUTE_S)
    diagnosis = clinic.examine()
    assert bad(diagnosis) == []
    assert diagnosis.alarms == ("both", clinic.names["alarm"])


def test_an_alarm_by_metric_math_is_judged_as_any_other(clinic: Clinic) -> None:
    """Its metrics are read, and one of them counts the fault request."""
    clinic.compute("e * 1")
    diagnosis = clinic.examine()
    assert bad(diagnosis) == []
    told = {check.id: check.seen for check in diagnosis.checks}
    assert "goes to ALARM at e * 1 >= 3 in 60 s" in told["alarm-threshold"]
    assert "was counted by the metric of" in told["fault-counted"]


@dataclass(frozen=True)
class Misarmed:
    """A way to misarm a cloud, and the check that must find it."""

    check: str
    severity: CheckSeverity
    spoil: Callable[[Clinic], None]
    stack: Experiment | None = field(default=None)
    new: bool = False


def stack(**parts: Any) -> Experiment:
    """An experiment for a stack that is misarmed from the beginning."""
    return Experiment(name="misarmed", **parts)


def nothing(clinic: Clinic) -> None:
    """The stack itself is misarmed."""


def replace_by_a_new_alarm(clinic: Clinic) -> None:
    """An alarm that was never evaluated."""
    clinic.redefine(AlarmName="fresh")
    clinic.guard_by("fresh")


def ring(clinic: Clinic) -> None:
    """The alarm rings already."""
    clinic.cloudwatch.set_alarm_state(AlarmName=clinic.names["alarm"], StateValue="ALARM", StateReason="still there")


def split_the_alias(clinic: Clinic) -> None:
    """Weights left over from a deployment that ended badly."""
    routing = {"AdditionalVersionWeights": {"1": 0.1}}
    clinic.functions.update_alias(
        FunctionName=clinic.names["function"], Name=clinic.names["alias"], RoutingConfig=routing
    )


def fail_by_a_hook(clinic: Clinic) -> None:
    """The last deployment named a hook that does not exist."""
    clinic.deploy_back({"BeforeAllowTraffic": "CodeDeployHook_gone"})
    clinic.cloud.advance(MINUTE_S)


def bypass_the_alias(clinic: Clinic) -> None:
    """An hour later, what calls the function names no alias."""
    clinic.cloud.advance(65 * MINUTE_S)
    record = clinic.cloud.cloudwatch.invocations.record
    for _ in range(200):
        record(clinic.names["function"], None, "$LATEST", clinic.cloud.clock.now(), 5.0, failed=False)
    clinic.cloud.advance(3 * MINUTE_S)


def lead_elsewhere(clinic: Clinic) -> None:
    """The host leads to a function of another name: ours is never invoked."""
    with Cloud(speed=0) as other:
        host = other.ready["service_url"]
        prober = Prober(with_requests(replace(clinic.experiment, target=Target(host=host))))
        answers = {intent: prober(intent) for intent in ("good", "fault")}
    clinic.probe = lambda intent: answers[intent]


AN_ARN = {"FunctionName": "{function}", "Resource": "{alias_arn}"}
MISARMED = {
    "no alarm on the group": Misarmed("alarm-configured", "error", lambda c: c.guard_by(enabled=False)),
    "the experiment's alarm elsewhere": Misarmed(
        "alarm-configured", "error", lambda c: c.want(alarm=Alarm(name="another"))
    ),
    "alarms ignored": Misarmed("alarm-enabled", "error", lambda c: c.guard_by(c.names["alarm"], enabled=False)),
    "the alarm deleted": Misarmed(
        "alarm-exists", "error", lambda c: c.cloudwatch.delete_alarms(AlarmNames=[c.names["alarm"]])
    ),
    "poll failures ignored": Misarmed(
        "alarm-poll-failure", "warning", lambda c: c.guard_by(c.names["alarm"], ignorePollAlarmFailure=True)
    ),
    "an ARN in Resource": Misarmed("alarm-resource", "error", nothing, stack(alarm=Alarm(dimensions=AN_ARN))),
    "an ARN in Resource, seen by its data": Misarmed(
        "alarm-data", "error", nothing, stack(alarm=Alarm(dimensions=AN_ARN))
    ),
    "another alias in Resource": Misarmed(
        "alarm-resource",
        "error",
        lambda c: c.dimensions(FunctionName=c.names["function"], Resource=f"{c.names['function']}:Old"),
    ),
    "dimensions that Lambda never writes": Misarmed(
        "alarm-resource", "error", lambda c: c.dimensions(FunctionName=c.names["function"], Stage="prod")
    ),
    "another function": Misarmed("alarm-function", "error", lambda c: c.dimensions(FunctionName="shop-checkout")),
    "all functions of the account": Misarmed("alarm-function", "warning", lambda c: c.dimensions()),
    "all versions": Misarmed("alarm-versions", "note", nothing),
    "the version in service": Misarmed("alarm-versions", "warning", nothing, stack(alarm=Alarm(dimensions="version"))),
    "a metric misspelled": Misarmed("alarm-metric", "error", nothing, stack(alarm=Alarm(metric="Error"))),
    "a metric that nobody writes": Misarmed("alarm-data", "error", nothing, stack(alarm=Alarm(metric="Error"))),
    "a unit that nobody writes": Misarmed("alarm-unit", "error", lambda c: c.redefine(Unit="Seconds")),
    "a unit that nobody writes, seen by its data": Misarmed(
        "alarm-data", "error", lambda c: c.redefine(Unit="Seconds")
    ),
    "a namespace misspelt": Misarmed("alarm-data", "error", lambda c: c.redefine(Namespace="AWS/lambda")),
    "an API that is not there": Misarmed(
        "alarm-data",
        "warning",
        lambda c: c.redefine(
            Namespace="AWS/ApiGateway", MetricName="5XXError", Dimensions=[{"Name": "ApiName", "Value": "x"}]
        ),
    ),
    "no traffic for an hour": Misarmed("alarm-data", "warning", lambda c: c.cloud.advance(65 * MINUTE_S)),
    "in ALARM already": Misarmed("alarm-state", "error", ring),
    "in INSUFFICIENT_DATA": Misarmed("alarm-state", "warning", replace_by_a_new_alarm),
    "a period beyond the bake": Misarmed(
        "alarm-in-time", "error", nothing, stack(alarm=Alarm(period_s=300, evaluation_periods=3))
    ),
    "hardly in time": Misarmed("alarm-in-time", "warning", nothing, stack(alarm=Alarm(evaluation_periods=3))),
    "silence breaches": Misarmed("alarm-missing-data", "warning", nothing, stack(alarm=Alarm(missing="breaching"))),
    "silence changes nothing": Misarmed("alarm-missing-data", "warning", nothing, stack(alarm=Alarm(missing="ignore"))),
    "rings where failures are few": Misarmed(
        "alarm-threshold", "error", nothing, stack(alarm=Alarm(comparison="LessThanThreshold"))
    ),
    "an average above 1": Misarmed("alarm-threshold", "error", nothing, stack(alarm=Alarm(statistic="Average"))),
    "rings without failures": Misarmed("alarm-threshold", "error", lambda c: c.redefine(Threshold=0.0)),
    "counts requests": Misarmed("alarm-threshold", "error", nothing, stack(alarm=Alarm(statistic="SampleCount"))),
    "counts no failures": Misarmed("handled-errors", "warning", nothing, stack(alarm=Alarm(metric="Duration"))),
    "no rollback on the alarm": Misarmed(
        "rollback-on-alarm", "error", lambda c: c.roll_back_on("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST")
    ),
    "no rollback on failure": Misarmed(
        "rollback-on-failure", "warning", lambda c: c.roll_back_on("DEPLOYMENT_STOP_ON_ALARM")
    ),
    "no rollback on request": Misarmed(
        "rollback-on-request", "warning", lambda c: c.roll_back_on("DEPLOYMENT_STOP_ON_ALARM")
    ),
    "rollback switched off": Misarmed("rollback-on-alarm", "error", lambda c: c.roll_back_on()),
    "no such alias": Misarmed("alias-exists", "error", lambda c: c.want(deployment=Deployment(alias="Prod"))),
    "traffic past the alias": Misarmed("alias-traffic", "error", bypass_the_alias),
    "weights left over": Misarmed("alias-weights", "error", split_the_alias),
    "a deployment runs": Misarmed("no-active-deployment", "error", lambda c: c.deploy_back() and None),
    "all at once": Misarmed("gradual-shift", "error", nothing, stack(deployment=Deployment(config="AllAtOnce"))),
    "another configuration than the group's": Misarmed(
        "gradual-shift",
        "note",
        lambda c: c.want(deployment=Deployment(config="Linear10PercentEvery1Minute", target_version="3")),
    ),
    "a first deployment": Misarmed("deployed-before", "warning", nothing, new=True),
    "the version is live already": Misarmed(
        "target-version", "error", lambda c: c.want(deployment=Deployment(target_version="2"))
    ),
    "no such version": Misarmed(
        "target-version", "error", lambda c: c.want(deployment=Deployment(target_version="42"))
    ),
    "a hook that does not exist": Misarmed("hooks", "error", fail_by_a_hook),
    "a hook of the experiment that does not exist": Misarmed(
        "hooks", "error", lambda c: c.want(deployment=Deployment(hooks={"AfterAllowTraffic": "Succeeded"}))
    ),
    "no host": Misarmed("host", "warning", lambda c: c.want(target=Target())),
    "the wrong stage": Misarmed(
        "good-request", "error", lambda c: c.want(target=Target(host=c.names["service_url"] + "x"))
    ),
    "nobody answers": Misarmed("good-request", "error", lambda c: c.answer(good=None)),
    "the fault is answered well": Misarmed("fault-request", "error", lambda c: c.answer(fault=200)),
    "the fault is handled": Misarmed("handled-errors", "error", lambda c: c.answer(fault=500)),
    "the fault is refused before the function": Misarmed("handled-errors", "error", lambda c: c.answer(fault=403)),
    "the host leads to another function": Misarmed("fault-counted", "error", lead_elsewhere),
    "thin traffic": Misarmed("enough-traffic", "warning", lambda c: c.want(traffic=Traffic(arrival_rate=0.1))),
    "a threshold that no traffic reaches": Misarmed(
        "enough-traffic", "error", lambda c: c.redefine(Threshold=100_000.0)
    ),
    "few faults": Misarmed(
        "enough-traffic", "warning", lambda c: c.want(traffic=Traffic(arrival_rate=2, error_share=0.01))
    ),
}


@pytest.mark.parametrize("name", MISARMED)
def test_a_misarmed_cloud_is_found_by_the_id_of_its_check(clinic_of: Callable[..., Clinic], name: str) -> None:
    """Each with its severity, why it matters, and what to do about it."""
    case = MISARMED[name]
    clinic = clinic_of(case.stack, new=case.new)
    case.spoil(clinic)
    check = clinic.check(case.check)
    assert (check.severity, bool(check.seen), bool(check.matters), bool(check.advice)) == (
        case.severity,
        True,
        True,
        True,
    )


def test_an_error_is_3_and_warnings_alone_are_0(clinic: Clinic) -> None:
    """A pipeline stops at errors only."""
    clinic.guard_by(clinic.names["alarm"], ignorePollAlarmFailure=True)
    assert clinic.examine().exit_code == 0
    split_the_alias(clinic)
    assert clinic.examine().exit_code == 3


def test_one_good_alarm_makes_another_one_a_warning(clinic: Clinic) -> None:
    """The net is armed, though one of its alarms watches something else."""
    clinic.redefine(AlarmName="stray", Dimensions=[{"Name": "FunctionName", "Value": "shop-checkout"}])
    clinic.guard_by(clinic.names["alarm"], "stray")
    check = clinic.check("alarm-function")
    assert check.severity == "warning"
    assert "shop-checkout" in check.seen


def test_a_version_that_waits_to_be_deployed_is_well(clinic: Clinic) -> None:
    """It is published and not in service."""
    clinic.want(deployment=Deployment(target_version="1"))
    assert clinic.check("target-version").severity == "ok"


def test_a_version_that_may_not_be_looked_at_is_unknown(clinic: Clinic) -> None:
    """It is never taken for well."""
    clinic.want(deployment=Deployment(target_version="1"))
    deny(clinic, lambda asked: asked != "lambda:GetFunctionConfiguration")
    check = clinic.check("target-version")
    assert (check.severity, "lambda:GetFunctionConfiguration" in check.seen) == ("unknown", True)


def test_a_group_that_does_not_exist_is_told_as_such(clinic: Clinic) -> None:
    """Everything that hangs on it is unknown and not well."""
    wanted = replace(clinic.experiment, deployment=Deployment(application="fake-user", group="gone", function="fn"))
    diagnosis = examine(Aws(HASTY, clinic.wire), wanted, waiting=Waiting(now=clinic.cloud.clock.now))
    severities = {check.id: check.severity for check in diagnosis.checks}
    assert (severities["group-exists"], severities["alarm-configured"]) == ("error", "unknown")
    assert diagnosis.exit_code == 3


# After a rollback


def test_a_hook_that_never_reported_is_found_behind_the_rollback(clinic: Clinic) -> None:
    """The latest deployment is the rollback, which succeeded and has no hooks."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as package:
        package.writestr("hook.py", "def handler(event, context):\n    return 'fine'\n")
    clinic.functions.create_function(
        FunctionName="CodeDeployHook_pre",
        Runtime="python3.12",
        Role=f"arn:aws:iam::{clinic.names['account']}:role/hook",
        Handler="hook.handler",
        Code={"ZipFile": code.getvalue()},
    )
    failed = clinic.deploy_back({"BeforeAllowTraffic": "CodeDeployHook_pre"})
    clinic.cloud.advance(65 * MINUTE_S)
    checks = {check.id: check for check in clinic.examine().checks}
    assert (checks["deployed-before"].severity, checks["hooks"].severity) == ("warning", "warning")
    assert f"{failed} ended with Failed (HOOK_EXECUTION_FAILURE)" in checks["deployed-before"].seen
    assert "BeforeAllowTraffic by CodeDeployHook_pre" in checks["hooks"].seen
    assert "PutLifecycleEventHookExecutionStatus" in checks["hooks"].advice


# What is sent


def test_no_fault_is_sent_where_it_alone_would_ring_the_alarm(clinic: Clinic) -> None:
    """With a threshold of 1 the examination itself would block the next deployment."""
    clinic.redefine(Threshold=1.0)
    check = clinic.check("fault-request")
    assert clinic.sent == ["good"]
    assert (check.severity, "could put an alarm in ALARM" in check.seen) == ("note", True)


def rate(clinic: Clinic) -> None:
    """Our two requests alone would make 50 % at this traffic."""
    clinic.compute("100 * e / i", Threshold=25.0)


def a_metric_of_its_own(clinic: Clinic) -> None:
    """Nobody knows which requests that counts."""
    clinic.redefine(Namespace="Shop", MetricName="Failures")


@pytest.mark.parametrize(
    ("guard", "told"),
    [(rate, "a single failure could put an alarm in ALARM"), (a_metric_of_its_own, "is not judged")],
)
def test_doctor_itself_puts_no_alarm_in_alarm(clinic: Clinic, guard: Callable[[Clinic], None], told: str) -> None:
    """No fault is sent, and the alarm's history stays as it is."""
    guard(clinic)
    check = clinic.check("fault-request")
    assert (check.severity, told in check.seen, clinic.sent) == ("note", True, ["good"])
    clinic.cloud.advance(5 * MINUTE_S)
    history = clinic.cloudwatch.describe_alarm_history(AlarmName=clinic.names["alarm"], HistoryItemType="StateUpdate")
    assert not [item for item in history["AlarmHistoryItems"] if "to ALARM" in item["HistorySummary"]]


def test_no_fault_is_sent_while_a_deployment_runs(clinic: Clinic) -> None:
    """It would count against that one."""
    clinic.deploy_back()
    clinic.cloud.advance(MINUTE_S)
    clinic.examine()
    assert clinic.sent == ["good"]


def test_the_examination_changes_nothing(clinic: Clinic) -> None:
    """Group, alias and alarm are as before, and the alarm did not ring."""

    def state() -> Any:
        names = clinic.names
        where = {"applicationName": names["application"], "deploymentGroupName": names["group"]}
        alarm = clinic.cloudwatch.describe_alarms(AlarmNames=[names["alarm"]])["MetricAlarms"][0]
        return (
            clinic.codedeploy.get_deployment_group(**where)["deploymentGroupInfo"],
            clinic.functions.get_alias(FunctionName=names["function"], Name=names["alias"])["RevisionId"],
            (alarm["StateValue"], alarm["AlarmConfigurationUpdatedTimestamp"]),
        )

    before = state()
    clinic.examine()
    assert state() == before


def test_waiting_can_be_left_out(clinic: Clinic) -> None:
    """Then nobody knows whether the alarm counts the fault."""
    clinic.waits_s = 0.0
    before_s = clinic.cloud.clock.now()
    assert clinic.check("fault-counted").severity == "note"
    assert clinic.cloud.clock.now() == before_s


def test_a_fault_that_the_function_counts_and_the_alarm_does_not_is_found(clinic: Clinic) -> None:
    """The alarm watches something else, though its own metric has data."""
    record = clinic.cloud.cloudwatch.invocations.record
    clinic.dimensions(FunctionName="shop-checkout")
    record("shop-checkout", None, "1", clinic.cloud.clock.now() - MINUTE_S, 5.0, failed=False)
    check = clinic.check("fault-counted")
    assert (check.severity, "no alarm's metric did" in check.seen) == ("error", True)


# Traffic


def test_thin_traffic_is_a_note_where_a_promotion_is_expected(clinic: Clinic) -> None:
    """Staying below the threshold is then what is wanted."""
    clinic.want(traffic=Traffic(arrival_rate=0.1), expect=Expect(outcome=Outcome.PROMOTED))
    assert clinic.check("enough-traffic").severity == "note"


def test_the_highest_share_of_the_faults_is_what_counts(clinic: Clinic) -> None:
    """An experiment whose faults come later has enough of them all the same."""
    clinic.want(traffic=Traffic(arrival_rate=2), faults=(Fault(at_s=30, error_share=0.5),))
    check = clinic.check("enough-traffic")
    assert (check.severity, "0.5 of all requests" in check.seen) == ("ok", True)


# What may not be read, or cannot be


def deny(clinic: Clinic, allowed: Callable[[str], bool]) -> list[str]:
    """Has AWS refuse every call of the examination that is not allowed; what was refused."""
    refused: list[str] = []

    def judge(model: Any, **_: Any) -> None:
        asked = f"{model.service_model.signing_name}:{model.name}".replace("monitoring:", "cloudwatch:")
        if not allowed(asked):
            refused.append(asked)
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": f"not {asked}"}}, model.name)

    clinic.interfere("before-call", judge)
    return refused


@pytest.mark.parametrize("missing", sorted(actions("CanaryHarnessWatches")))
def test_a_permission_that_a_run_needs_is_named(clinic: Clinic, missing: str) -> None:
    """An IAM action a person can copy into a policy, and exit code 3."""
    deny(clinic, lambda asked: asked != missing)
    diagnosis = clinic.examine()
    check = next(check for check in diagnosis.checks if check.id == "permissions")
    assert (check.severity, missing in check.seen, diagnosis.exit_code) == ("error", True, 3)


def test_a_permission_that_only_the_doctor_needs_is_a_warning(clinic: Clinic) -> None:
    """A run does without it."""
    clinic.deploy_back({"BeforeAllowTraffic": "CodeDeployHook_any"})
    clinic.cloud.advance(MINUTE_S)
    deny(clinic, lambda asked: asked != "lambda:GetFunctionConfiguration")
    assert clinic.check("permissions").severity == "warning"


def test_the_policy_is_enough_to_find_and_to_examine(clinic: Clinic) -> None:
    """Where AWS denies everything outside of its reading statements, the armed cloud is found, and armed."""
    refused = deny(clinic, lambda asked: asked in actions("CanaryHarnessWatches", "CanaryHarnessFindsAndExamines"))
    assert discover(Aws(HASTY, clinic.wire), WANTED).deployment.function == clinic.names["function"]
    assert bad(clinic.examine()) == []
    assert refused == []


def test_a_group_that_never_deployed_leaves_calls_untried(clinic_of: Callable[..., Clinic]) -> None:
    """They are named, and that is no error."""
    check = clinic_of(new=True).check("permissions")
    assert (check.severity, "codedeploy:GetDeploymentTarget" in check.seen) == ("note", True)


def test_what_an_experiment_writes_is_named_and_not_tried(clinic: Clinic) -> None:
    """Nobody is told that writing will work."""
    faults = (Fault(at_s=30, force_alarm="ALARM"),)
    clinic.want(deployment=Deployment(target_version="3"), faults=faults)
    check = clinic.check("writes")
    assert check.severity == "note"
    assert "codedeploy:CreateDeployment, cloudwatch:SetAlarmState" in check.seen


def test_a_control_plane_that_is_gone_is_unknown_and_never_well(clinic: Clinic) -> None:
    """Exit code 4: nobody knows whether the net is armed."""

    def lose(request: Any, **_: Any) -> None:
        raise EndpointConnectionError(endpoint_url=request.url)

    clinic.interfere("before-send", lose)
    diagnosis = clinic.examine()
    severities = {check.id: check.severity for check in diagnosis.checks}
    assert diagnosis.exit_code == 4
    assert {name for name, severity in severities.items() if severity == "ok"} == {
        "host",
        "good-request",
        "writes",
        "target-version",
    }


@pytest.mark.parametrize("off_s", [-600.0, 600.0, 86_400.0])
def test_a_clock_that_is_off_is_found_and_spoils_nothing_else(clinic: Clinic, off_s: float) -> None:
    """The doctor tells the time by the dates of AWS's answers."""
    clinic.clock_off_s = off_s
    assert [name for name, _ in bad(clinic.examine())] == ["clock"]


def test_a_shaky_control_plane_changes_nothing(clinic: Clinic) -> None:
    """Calls that fail are tried again."""
    calls = SimpleNamespace(count=0)

    def lose(request: Any, **_: Any) -> None:
        calls.count += 1
        if calls.count % 3 == 0:
            raise EndpointConnectionError(endpoint_url=request.url)

    clinic.interfere("before-send", lose)
    assert bad(clinic.examine()) == []


def test_the_actions_denied_are_spelled_as_boto_calls_them() -> None:
    """The test's own spelling of IAM actions is the harness's."""
    assert action("codedeploy", "batch_get_deployments") == "codedeploy:BatchGetDeployments"
