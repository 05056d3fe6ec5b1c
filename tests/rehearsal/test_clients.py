"""The clients that the README lists play the same deployment, each in the protocol of its own."""

import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import cbor2
import pytest
from botocore import xform_name

from harness.rehearsal.cloud import Cloud
from harness.rehearsal.codedeploy import appspec

ROOT = Path(__file__).parents[2]
JAVASCRIPT = ROOT / "build/javascript"
README = ROOT / "harness/rehearsal/README.md"
TARGETS = {"codedeploy": "CodeDeploy_20141006", "cloudwatch": "GraniteServiceVersion20100801"}
SIGNED = "AWS4-HMAC-SHA256 Credential=x/20260822/eu-north-1/{}/aws4_request, SignedHeaders=host, Signature=0"
REASON = "played"

Call = Callable[[str, str, Mapping[str, Any]], dict[str, Any]]
"""Service, operation and parameters; gives the answer, or `{"error": code}`."""


@pytest.fixture
def cloud(canary_cloud_factory: Callable[..., Cloud]) -> Cloud:
    """A cloud whose clock moves by `advance` alone."""
    return canary_cloud_factory()


def by_boto3(cloud: Cloud) -> Iterator[Call]:
    """boto3, which speaks JSON to CodeDeploy and CloudWatch."""

    def call(service: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        client = boto3.client(service, **options)
        try:
            return dict(getattr(client, xform_name(operation))(**parameters))
        except client.exceptions.ClientError as error:
            return {"error": error.response["Error"]["Code"]}

    keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": cloud.ready["region"]}
    options = {"endpoint_url": cloud.ready["endpoint_url"], **keys}
    yield call


def by_aws_cli(cloud: Cloud) -> Iterator[Call]:
    """The AWS CLI, a process a call."""
    keys = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": cloud.ready["region"]}
    environment = {**os.environ, **keys, "AWS_ENDPOINT_URL": cloud.ready["endpoint_url"], "AWS_MAX_ATTEMPTS": "1"}

    def call(service: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        words = ["deploy" if service == "codedeploy" else service, xform_name(operation, "-")]
        command = [str(Path(sys.executable).with_name("aws")), *words, "--cli-input-json", json.dumps(parameters)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        if done.returncode:
            return {"error": done.stderr.partition("(")[2].partition(")")[0]}
        return json.loads(done.stdout or "{}")

    yield call


def by_javascript(cloud: Cloud, *words: str) -> Iterator[Call]:
    """AWS's SDK for JavaScript, version 3. CI must have it."""
    node = shutil.which("node")
    if node is None or not (JAVASCRIPT / "node_modules/@aws-sdk").exists():
        reason = "no SDK for JavaScript on this machine: make javascript"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    command = [
        str(node),
        str(Path(__file__).with_name("sdk.mjs")),
        str(JAVASCRIPT),
        cloud.ready["endpoint_url"],
        *words,
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout

        def call(service: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
            process.stdin.write(json.dumps({"service": service, "operation": operation, "input": parameters}) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        try:
            yield call
        finally:
            process.stdin.close()
            process.wait(timeout=20)


def by_cbor(cloud: Cloud) -> Iterator[Call]:
    """Bytes of Smithy's rpc-v2-cbor over plain HTTP, and of Lambda's REST where there is no other protocol."""

    def call(service: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if service == "lambda":
            path = f"/2015-03-31/functions/{parameters['FunctionName']}/aliases/{parameters['Name']}"
            return json.loads(sent(path, None, {"Authorization": SIGNED.format("lambda")}))
        name = "monitoring" if service == "cloudwatch" else service
        headers = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        path = f"/service/{TARGETS[service]}/operation/{operation}"
        answer = cbor2.loads(sent(path, cbor2.dumps(parameters), {**headers, "Authorization": SIGNED.format(name)}))
        return {"error": answer["__type"]} if "__type" in answer else answer

    def sent(path: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        request = urllib.request.Request(cloud.ready["endpoint_url"] + path, data=body, headers=dict(headers))
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            return error.read()

    yield call


CLIENTS = {
    "boto3": by_boto3,
    "AWS CLI": by_aws_cli,
    "AWS SDK for JavaScript v3": by_javascript,
    "AWS SDK for JavaScript v3, CBOR": lambda cloud: by_javascript(cloud, "cbor"),
    "plain CBOR": by_cbor,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIENTS)
def test_each_client_plays_the_same_deployment(cloud: Cloud, name: str) -> None:
    """It deploys, sees the weights, forces the alarm, and sees the stop, the rollback and the history."""
    for call in CLIENTS[name](cloud):
        _play(cloud, call)


def test_the_readme_lists_the_clients_that_are_tried() -> None:
    """No other client is named, and none of these is missing."""
    table = README.read_text("utf-8").partition("| client |")[2].partition("\n\n")[0]
    assert [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:]] == list(CLIENTS)


def _play(cloud: Cloud, call: Call) -> None:
    ready = cloud.ready
    group = {"applicationName": ready["application"], "deploymentGroupName": ready["group"]}
    spec = appspec.AppSpec(
        function=ready["function"], alias=ready["alias"], current=ready["baseline"], target=ready["canary"]
    )
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": appspec.render(spec)}}
    alias = {"FunctionName": ready["function"], "Name": ready["alias"]}
    alarm = {"AlarmName": ready["alarm"]}

    deployment = {
        "deploymentId": call("codedeploy", "CreateDeployment", {**group, "revision": revision})["deploymentId"]
    }
    assert call("codedeploy", "CreateDeployment", {**group, "revision": revision}) == {
        "error": "DeploymentLimitExceededException"
    }
    cloud.advance(30)
    assert call("lambda", "GetAlias", alias)["RoutingConfig"] == {"AdditionalVersionWeights": {ready["canary"]: 0.1}}
    call("cloudwatch", "SetAlarmState", {**alarm, "StateValue": "ALARM", "StateReason": REASON})
    (rung,) = call("cloudwatch", "DescribeAlarms", {"AlarmNames": [ready["alarm"]]})["MetricAlarms"]
    assert (rung["StateValue"], rung["StateReason"], rung["Period"]) == ("ALARM", REASON, 60)
    cloud.advance(45)
    info = call("codedeploy", "GetDeployment", deployment)["deploymentInfo"]
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    back = call("codedeploy", "GetDeployment", {"deploymentId": info["rollbackInfo"]["rollbackDeploymentId"]})
    assert back["deploymentInfo"]["status"] == "Succeeded"
    found = call("lambda", "GetAlias", alias)
    assert (found["FunctionVersion"], found.get("RoutingConfig")) == (ready["baseline"], None)
    history = call("cloudwatch", "DescribeAlarmHistory", {**alarm, "HistoryItemType": "StateUpdate"})
    assert any(REASON in item["HistoryData"] for item in history["AlarmHistoryItems"])
    unknown = {"AlarmName": "none", "StateValue": "OK", "StateReason": ""}
    assert call("cloudwatch", "SetAlarmState", unknown) == {"error": "ResourceNotFound"}
