"""Doctor on a template and doctor on the stack that the local cloud makes of it: the same answers."""

from collections.abc import Mapping
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
from tests.templates.conftest import SAM

HASTY = Patience(attempts=2, first_wait_s=0.0, longest_wait_s=0.0)
NEED_AWS = {"alarm-sound", "enough-traffic"}
"""What is asked of the states of alarms and of traffic, which no template has."""
CODE = (
    "CodeUri: src/",
    "InlineCode: 'def handler(event, context): return 1'\n      Handler: index.handler\n      Runtime: python3.13",
)
ALARMS = "        Alarms:\n          - !Ref ApiErrors\n"
TEMPLATES: Mapping[str, tuple[tuple[str, str], ...]] = {
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
    "a threshold that never is": (("Threshold: 3", "Threshold: 0"),),
}


@pytest.mark.parametrize("changes", TEMPLATES.values(), ids=TEMPLATES)
def test_doctor_says_the_same_of_a_template_and_of_its_stack(
    tmp_path: Path,
    canary_cloud_factory: CloudFactory,
    monkeypatch: pytest.MonkeyPatch,
    changes: tuple[tuple[str, str], ...],
) -> None:
    """But for what only AWS can answer."""
    text = SAM
    for old, new in (*changes, CODE):
        assert old in text, f"the template has no {old!r}"
        text = text.replace(old, new)
    path = tmp_path / "template.yaml"
    path.write_text(text)
    (said,) = examine_template(read_release(path, {"Owner": "us"}), Experiment(name="doctor")).diagnoses
    cloud = canary_cloud_factory(Experiment(name="other"))
    aws_environment(cloud, monkeypatch)
    deployer = Deployer(cloud)
    assert deployer.deploy(text, Owner="us") == "CREATE_COMPLETE"
    aws = Aws(HASTY, Clients(boto3.session.Session()))
    wanted = Experiment(name="doctor", deployment=Deployment(stack="shop", alias="live"))
    waiting = Waiting(now=cloud.clock.now, pause=cloud.advance, wait_s=180.0)
    seen = {check.id: check for check in examine(aws, discover(aws, wanted), waiting=waiting).checks}
    differ = {
        check.id: (check.severity, check.seen, seen[check.id].severity, seen[check.id].seen)
        for check in said.checks
        if check.id in seen and check.id not in NEED_AWS and check.severity != seen[check.id].severity
    }
    shared = [check.id for check in said.checks if check.id in seen and check.id not in NEED_AWS]
    assert "alarm-configured" in shared
    assert not differ
