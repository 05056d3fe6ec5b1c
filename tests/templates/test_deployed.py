"""Doctor on a template and doctor on the stack that the local cloud makes of it: the same answers.

Terraform has no place here: CloudFormation deploys none of it, and so the local cloud has no stack of it to examine.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import boto3
import pytest

from harness.aws.clients import Aws, Clients, Patience
from harness.aws.discovery import discover
from harness.aws.doctor import Waiting, examine
from harness.core.experiment.types import Deployment, Experiment
from harness.rehearsal.fixtures import CloudFactory, aws_environment
from harness.templates import examine_template, read_release
from tests.rehearsal.cloudformation.conftest import Deployer
from tests.templates.conftest import PLAIN, SAM

HASTY = Patience(attempts=2, first_wait_s=0.0, longest_wait_s=0.0)
NEED_AWS = {"alarm-sound", "enough-traffic"}
"""What is asked of the states of alarms and of traffic, which no template has."""
CAPTURED = Path(__file__).parent / "captured"
MADE = ("cdk/basket.template.json", "serverless/packaged.json")
BOOTSTRAPPED = "/cdk-bootstrap/hnb659fds/version"
ROLE = "arn:aws:iam::123456789012:role/function"
INLINE = (
    "CodeUri: src/",
    "InlineCode: 'def handler(event, context): return 1'\n      Handler: index.handler\n      Runtime: python3.13",
)
ALARMS = "        Alarms:\n          - !Ref ApiErrors\n"
Changes = tuple[tuple[str, str], ...]
OF_SAM: Mapping[str, Changes] = {
    "sound": (),
    "all at once": (("Canary10Percent5Minutes", "AllAtOnce"),),
    "no alarms": ((ALARMS, ""),),
    "on all versions": (('        - {Name: Resource, Value: !Sub "${Api}:live"}\n', ""),),
    "another function": (("Value: !Ref Api}", "Value: other}"),),
    "breaching": (("notBreaching", "breaching"),),
    "too late": (("Period: 60", "Period: 3600"),),
    "missing data counts as bad": (("notBreaching", "missing"),),
    "average": (("Statistic: Sum", "Statistic: Average"),),
    "a unit": (("Statistic: Sum", "Statistic: Sum\n      Unit: Bytes"),),
    "a metric that Lambda has not": (("MetricName: Errors", "MetricName: Error"),),
    "linear": (("Canary10Percent5Minutes", "Linear10PercentEvery1Minute"),),
    "enabled by a condition": (
        ("Type: Canary10Percent5Minutes", "Type: Canary10Percent5Minutes\n        Enabled: !Equals [!Ref Stage, prod]"),
    ),
    "topics of the stack": (("Threshold: 3", "Threshold: 3\n      AlarmActions: !Ref AWS::NotificationARNs"),),
    "a threshold that never is": (("Threshold: 3", "Threshold: 0"),),
}


BY_HAND: Mapping[str, Changes] = {
    "sound": (),
    "all at once": (("LambdaLinear10PercentEvery1Minute", "LambdaAllAtOnce"),),
    "a canary": (("LambdaLinear10PercentEvery1Minute", "LambdaCanary10Percent30Minutes"),),
    "alarms switched off": (('"Enabled": true},\n    "AutoRollback', '"Enabled": false},\n    "AutoRollback'),),
    "poll failures ignored": (('}], "Enabled": true', '}], "IgnorePollAlarmFailure": true, "Enabled": true'),),
    "no rollback": (
        ('"AutoRollbackConfiguration": {"Enabled": true', '"AutoRollbackConfiguration": {"Enabled": false'),
    ),
    "no rollback on alarms": ((', "DEPLOYMENT_STOP_ON_ALARM"', ""),),
    "another function": (('"Value": {"Ref": "Fn"}', '"Value": "other"'),),
    "another alias": (('":live"', '":other"'),),
    "all versions": ((',\n         {"Name": "ExecutedVersion", "Value": {"Fn::GetAtt": ["Version", "Version"]}}', ""),),
    "breaching": (('"Threshold": 1', '"TreatMissingData": "breaching", "Threshold": 1'),),
    "too late": (('"Period": 60', '"Period": 3600'),),
    "a percentile": (('"Stat": "Sum"', '"Stat": "p99"'),),
}


def the_text(text: str, changes: Changes) -> str:
    """A template after its changes."""
    for old, new in changes:
        assert old in text, f"the template has no {old!r}"
        text = text.replace(old, new)
    return text


def whole(text: str) -> str:
    """A plain template whose code and roles are within it, as nobody stored any."""
    template = json.loads(text)
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Lambda::Function":
            properties |= {"Code": {"ZipFile": ""}, "Handler": "index.handler", "Role": ROLE}
        if resource["Type"] == "AWS::CodeDeploy::DeploymentGroup":
            properties |= {"ServiceRoleArn": ROLE}
        properties.pop("CodeSha256", None)  # that of the code that is not here
    return json.dumps(template, indent=1)


Differences = Callable[..., Mapping[str, tuple[str, ...]]]


@pytest.fixture
def differences(tmp_path: Path, canary_cloud_factory: CloudFactory, monkeypatch: pytest.MonkeyPatch) -> Differences:
    """What doctor answers otherwise to a template than to the stack that the local cloud makes of it."""

    def found(
        text: str, alias: str = "live", version: str | None = None, **given: str
    ) -> Mapping[str, tuple[str, ...]]:
        path = tmp_path / "template.yaml"
        path.write_text(text)
        (said,) = examine_template(read_release(path, given), Experiment(name="doctor")).diagnoses
        cloud = canary_cloud_factory(Experiment(name="other"))
        aws_environment(cloud, monkeypatch)
        boto3.client("ssm").put_parameter(Name=BOOTSTRAPPED, Value="21", Type="String")
        deployer = Deployer(cloud)
        assert deployer.deploy(text, **given) == "CREATE_COMPLETE", deployer.reasons()
        aws = Aws(HASTY, Clients(boto3.session.Session()))
        wanted = Experiment(name="doctor", deployment=Deployment(stack="shop", alias=alias, target_version=version))
        waiting = Waiting(now=cloud.clock.now, pause=cloud.advance, wait_s=180.0)
        seen = {check.id: check for check in examine(aws, discover(aws, wanted), waiting=waiting).checks}
        shared = [check for check in said.checks if check.id in seen and check.id not in NEED_AWS]
        assert "alarm-configured" in {check.id for check in shared}
        return {
            check.id: (check.severity, check.seen, seen[check.id].severity, seen[check.id].seen)
            for check in shared
            if check.severity != seen[check.id].severity
        }

    return found


@pytest.mark.parametrize("changes", OF_SAM.values(), ids=OF_SAM)
def test_doctor_says_the_same_of_sam(differences: Differences, changes: Changes) -> None:
    """But for what only AWS can answer."""
    assert not differences(the_text(SAM, (*changes, INLINE)), Owner="us")


@pytest.mark.parametrize("changes", BY_HAND.values(), ids=BY_HAND)
def test_doctor_says_the_same_of_cloudformation(differences: Differences, changes: Changes) -> None:
    """Of a template by hand, with what a team may get wrong in it; both are asked of the version that it makes."""
    assert not differences(whole(the_text(PLAIN, changes)), version="1")


@pytest.mark.parametrize("name", MADE)
def test_doctor_says_the_same_of_what_other_tools_make(differences: Differences, name: str) -> None:
    """Of the templates that `cdk synth` and `osls package` made; the latter names an alarm that it does not define."""
    text = whole((CAPTURED / name).read_text())
    differ = differences(text, alias="Live")
    assert sure(differ) == []
    assert bool(differ) is ("literal-shared" in text)


def test_doctor_knows_of_a_template_only_what_is_in_it(differences: Differences) -> None:
    """Whether there is an alarm of elsewhere is AWS's to say, and so is whether that is a composite."""
    differ = differences(whole(the_text(PLAIN, (('{"Name": {"Ref": "Errors"}}', '{"Name": "elsewhere"}'),))))
    assert {*differ} == {"alarm-exists"}
    assert sure(differ) == []


def sure(differ: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The questions to which a template has another answer than that it does not know."""
    return [question for question, (severity, *_) in differ.items() if severity not in ("note", "unknown")]
