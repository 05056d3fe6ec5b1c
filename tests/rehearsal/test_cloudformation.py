"""CloudFormation of the local cloud tells of the stack that was set up, by boto3 and by the harness."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from harness.cli import main as cli
from harness.rehearsal.cloud import Cloud

Check = Callable[[Any, str, Any], None]
HOST = ("--host", "http://localhost:1")


@pytest.fixture
def cloudformation(canary_aws: Mapping[str, str]) -> Any:
    """boto3's client."""
    return boto3.client("cloudformation")


def test_resources_of_the_stack_are_those_that_were_made(
    canary_cloud: Cloud, cloudformation: Any, fits_model: Check
) -> None:
    """By their types, with the physical ids that CloudFormation gives them."""
    names = canary_cloud.ready
    answer = cloudformation.list_stack_resources(StackName=names["stack"])
    fits_model(cloudformation, "ListStackResources", answer)
    found = {one["ResourceType"]: one["PhysicalResourceId"] for one in answer["StackResourceSummaries"]}
    assert found["AWS::Lambda::Function"] == names["function"]
    assert found["AWS::Lambda::Alias"].endswith(f":function:{names['function']}:{names['alias']}")
    assert found["AWS::CodeDeploy::DeploymentGroup"] == names["group"]
    assert found["AWS::CloudWatch::Alarm"] == names["alarm"]


def test_a_stack_is_described_by_its_name_or_id(canary_cloud: Cloud, cloudformation: Any, fits_model: Check) -> None:
    """As AWS does."""
    (stack,) = cloudformation.describe_stacks()["Stacks"]
    answer = cloudformation.describe_stacks(StackName=stack["StackId"])
    fits_model(cloudformation, "DescribeStacks", answer)
    assert answer["Stacks"] == [stack]
    assert stack["StackName"] == canary_cloud.ready["stack"]


@pytest.mark.parametrize("by", ["StackName", "PhysicalResourceId"])
def test_resources_are_described_by_their_stack_or_one_of_them(
    canary_cloud: Cloud, cloudformation: Any, fits_model: Check, by: str
) -> None:
    """All of the stack."""
    asked = {"StackName": canary_cloud.ready["stack"], "PhysicalResourceId": canary_cloud.ready["function"]}[by]
    answer = cloudformation.describe_stack_resources(**{by: asked})
    fits_model(cloudformation, "DescribeStackResources", answer)
    assert canary_cloud.ready["group"] in [one["PhysicalResourceId"] for one in answer["StackResources"]]


@pytest.mark.usefixtures("canary_cloud")
@pytest.mark.parametrize("operation", ["list_stack_resources", "describe_stacks", "describe_stack_resources"])
def test_a_stack_that_does_not_exist_is_refused(cloudformation: Any, operation: str) -> None:
    """With CloudFormation's words."""
    with pytest.raises(ClientError, match=r"ValidationError.*Stack with id gone does not exist"):
        getattr(cloudformation, operation)(StackName="gone")


# What a person on a laptop types


def test_doctor_finds_the_net_by_its_stack(
    canary_cloud: Cloud, canary_aws: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A first deployment is a warning and no error."""
    code = cli.main(["doctor", "--stack", canary_cloud.ready["stack"], "--json"])
    diagnosis = json.loads(capsys.readouterr().out)
    assert (diagnosis["group"], diagnosis["function"]) == (canary_cloud.ready["group"], canary_cloud.ready["function"])
    assert code == 0


SHOP = """
Resources:
  Code:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      Role: arn:aws:iam::123456789012:role/r
      Code: {ZipFile: "def handler(event, context): return {}"}
  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties: {Name: shop, ProtocolType: HTTP, Target: !GetAtt Code.Arn, RouteKey: "GET /orders/{id}"}
"""


def test_init_reads_the_routes_of_a_stack(
    canary_cloud: Cloud, cloudformation: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As API Gateway exports them."""
    cloudformation.create_stack(StackName="shop", TemplateBody=SHOP)
    canary_cloud.advance(600)
    file = tmp_path / "shop.yaml"
    assert cli.main(["init", "--stack", "shop", "--output", str(file)]) == 0, capsys.readouterr()
    assert "get: /orders/" in file.read_text()


def test_plan_names_what_the_stack_leads_to(
    canary_cloud: Cloud, canary_aws: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Group, function and alarm by their names, before anything is done to them."""
    names = canary_cloud.ready
    words = ["run", "forced-alarm", "--stack", names["stack"], "--target-version", names["canary"], "--dry-run", *HOST]
    assert cli.main(words) == 0
    plan = capsys.readouterr().out
    group = f"{names['application']}/{names['group']}"
    assert f"Watches {group}, which shifts {names['alias']} of {names['function']}" in plan
    assert f"codedeploy:CreateDeployment on {group}" in plan
    assert f"cloudwatch:SetAlarmState on {names['alarm']}" in plan
    assert f"The run is refused: this would change AWS (codedeploy:CreateDeployment on {group}" in plan
    assert cli.main([*words, "--allow-writes"]) == 0
    assert "refused" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--target-version", "99"], "has no version 99; publish it first, or name one that exists"),
        (["--target-version", "1"], "deployment.target_version: the alias Live is already on version 1"),
        (["--alias", "nope"], "has no alias nope; there are Live"),
        (["--alias", "nope", "--target-version", "2"], "has no alias nope; there are Live"),
        (["--function", "nope", "--target-version", "2"], "deployment.function: Lambda knows no function nope"),
        (["--redeploy"], "deployment.redeploy: $LATEST of fake-user-FakeUser is not version 2 in service"),
        (["--stack", "nope"], "deployment.stack: CloudFormation knows no stack nope"),
        (["--", "/nonexistent/cmd"], "deployment.command: there is no command /nonexistent/cmd"),
    ],
)
def test_what_the_run_would_refuse_the_plan_refuses(
    canary_cloud: Cloud, canary_aws: Mapping[str, str], capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    """Whether or not there is leave to write."""
    if words == ["--redeploy"]:  # somebody moved the alias, and changed nothing of the function
        alias = {"FunctionName": canary_cloud.ready["function"], "Name": canary_cloud.ready["alias"]}
        boto3.client("lambda").update_alias(**alias, FunctionVersion=canary_cloud.ready["canary"])
    names = ["--application", canary_cloud.ready["application"], "--group", canary_cloud.ready["group"]]
    assert cli.main(["plan", *HOST, *names, *words]) == 2
    said = capsys.readouterr()
    assert told in said.err
    assert not said.out


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--target-version", "99"], ["--", "/nonexistent/cmd"]])
def test_a_run_that_cannot_deploy_is_refused_before_its_traffic(
    canary_cloud: Cloud, canary_aws: Mapping[str, str], tmp_path: Path, words: list[str]
) -> None:
    """In the sentence of its plan."""
    ready = canary_cloud.ready
    asked = ["--function", ready["function"], "--host", ready["service_url"], "--allow-writes", *words]
    plan, run = (
        subprocess.run(
            [sys.executable, "-m", "harness", command, *asked],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        for command in ("plan", "run")
    )
    assert (plan.returncode, run.returncode) == (2, 2)
    assert plan.stderr.strip().removeprefix("canary-harness: ") in run.stderr


def test_plan_for_what_is_not_there_is_refused(
    canary_cloud: Cloud, canary_aws: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """As the run would be, with what there is."""
    assert cli.main(["plan", "--function", "gone", *HOST]) == 2
    assert canary_cloud.ready["group"] in capsys.readouterr().err


def test_plan_says_why_names_could_not_be_looked_up(
    monkeypatch: pytest.MonkeyPatch, canary_aws: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """With the call, and the rest of the plan all the same."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert cli.main(["plan", "--stack", "shop", "--json", *HOST]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert "cloudformation:ListStackResources got no answer" in plan["not_found_because"]
    assert plan["experiment"]["deployment"]["stack"] == "shop"


def test_refusal_to_write_names_what_would_be_changed(
    canary_cloud: Cloud, canary_aws: Mapping[str, str], tmp_path: Path
) -> None:
    """Without a rehearsal's clock nobody gave leave."""
    names = canary_cloud.ready
    words = ["run", "forced-alarm", "--stack", names["stack"], "--host", names["service_url"]]
    without = {name: value for name, value in os.environ.items() if name != "LOCUST_CANARY_CLOCK"}
    done = subprocess.run(
        [sys.executable, "-m", "harness", *words], env=without, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert f"this would change AWS (cloudwatch:SetAlarmState on {names['alarm']})" in done.stderr
