"""The fixtures that other projects use, used as they would."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from harness.core.experiment.types import Arm, Deployment, Experiment
from harness.errors import CloudError, ExperimentError
from harness.rehearsal.cloud import Cloud
from harness.rehearsal.fixtures import CloudFactory, aws_environment

GOOD = "standarduser@company.com"
FAULT = "erroruser@company.com"
MINUTE_S = 60.0


def get(cloud: Cloud, user: str = GOOD) -> int:
    """The status of one real GET /fakeUser."""
    headers = {"Authorization": user, "X-Client-Version": "2"}
    request = urllib.request.Request(f"{cloud.ready['service_url']}/fakeUser", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def deploy(cloud: Cloud) -> str:
    """Starts the deployment of the canary by boto3; its id."""
    names = cloud.ready
    properties = {
        "Name": names["function"],
        "Alias": names["alias"],
        "CurrentVersion": names["baseline"],
        "TargetVersion": names["canary"],
    }
    spec = {
        "version": 0.0,
        "Resources": [{"fakeUser": {"Type": "AWS::Lambda::Function", "Properties": properties}}],
        "Hooks": [{event: function} for event, function in names["hooks"].items()],
    }
    created = boto3.client("codedeploy").create_deployment(
        applicationName=names["application"],
        deploymentGroupName=names["group"],
        revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(spec)}},
    )
    return str(created["deploymentId"])


def deployment(deployment_id: str) -> dict[str, Any]:
    """The deployment as boto3 sees it."""
    seen: dict[str, Any] = boto3.client("codedeploy").get_deployment(deploymentId=deployment_id)["deploymentInfo"]
    return seen


def alias(cloud: Cloud) -> tuple[str, dict[str, float] | None]:
    """Version and weights of the alias as boto3 sees them."""
    seen = boto3.client("lambda").get_alias(FunctionName=cloud.ready["function"], Name=cloud.ready["alias"])
    return seen["FunctionVersion"], seen.get("RoutingConfig", {}).get("AdditionalVersionWeights")


def test_the_environment_leads_boto3_to_the_cloud(canary_cloud: Cloud, canary_aws: Mapping[str, str]) -> None:
    """Clients made without any argument talk to the local cloud."""
    assert os.environ["AWS_ENDPOINT_URL"] == canary_aws["AWS_ENDPOINT_URL"] == canary_cloud.ready["endpoint_url"]
    assert boto3.client("codedeploy").list_applications()["applications"] == [canary_cloud.ready["application"]]


def test_the_clock_stands_still(canary_cloud: Cloud) -> None:
    """Time moves by `advance` alone."""
    before = canary_cloud.ready["now"]
    canary_cloud.advance(90)
    assert canary_cloud.ready["now"] == before + 90


def test_a_good_canary_is_promoted(canary_cloud: Cloud, canary_aws: Mapping[str, str]) -> None:
    """Five minutes at a tenth of the traffic, then all of it."""
    deployment_id = deploy(canary_cloud)
    canary_cloud.advance(30)
    assert alias(canary_cloud) == ("1", {"2": 0.1})
    for _ in range(10):
        assert get(canary_cloud) == 200
        canary_cloud.advance(MINUTE_S / 2)
    canary_cloud.advance(MINUTE_S)
    assert deployment(deployment_id)["status"] == "Succeeded"
    assert alias(canary_cloud) == ("2", None)


def test_errors_in_real_traffic_roll_the_canary_back(canary_cloud: Cloud, canary_aws: Mapping[str, str]) -> None:
    """Error users fail, the alarm counts them, CodeDeploy stops and gives the traffic back."""
    deployment_id = deploy(canary_cloud)
    canary_cloud.advance(30)
    assert [get(canary_cloud, FAULT) for _ in range(5)] == [502] * 5
    canary_cloud.advance(3.5 * MINUTE_S)
    stopped = deployment(deployment_id)
    assert (stopped["status"], stopped["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert deployment(stopped["rollbackInfo"]["rollbackDeploymentId"])["status"] == "Succeeded"
    assert alias(canary_cloud) == ("1", None)


def test_a_failing_canary_rolls_back_without_any_error_user(
    canary_cloud_factory: CloudFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAIL_RATIO of the canary is enough for the alarm."""
    cloud = canary_cloud_factory(Experiment(name="broken", canary=Arm(env={"FAIL_RATIO": 1})))
    aws_environment(cloud, monkeypatch)
    deployment_id = deploy(cloud)
    cloud.advance(30)
    assert 502 in [get(cloud) for _ in range(100)]
    cloud.advance(3.5 * MINUTE_S)
    assert deployment(deployment_id)["status"] == "Stopped"


def test_a_cloud_of_ones_own_has_its_own_speed(canary_cloud_factory: CloudFactory) -> None:
    """The factory takes what Cloud takes, several times."""
    clouds = [canary_cloud_factory(speed=60, seed=seed) for seed in (1, 2)]
    assert {cloud.ready["speed"] for cloud in clouds} == {60}
    assert len({cloud.ready["endpoint_url"] for cloud in clouds}) == 2


def test_a_cloud_has_no_addresses_before_it_started() -> None:
    """`ready` says so instead of failing somewhere else."""
    with pytest.raises(CloudError, match="not been started"):
        _ = Cloud(speed=0).ready


@pytest.mark.slow
def test_a_hook_that_reports_failed_rolls_back(
    canary_cloud_factory: CloudFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hook's function really runs, and reports over the wire."""
    wishes = Deployment(hooks={"AfterAllowTraffic": "Failed", "BeforeAllowTraffic": "Succeeded"})
    cloud = canary_cloud_factory(Experiment(name="hooked", deployment=wishes), speed=120)
    aws_environment(cloud, monkeypatch)
    deployment_id = deploy(cloud)
    failed = when_ended(deployment_id)
    assert (failed["status"], failed["errorInformation"]["code"]) == ("Failed", "HOOK_EXECUTION_FAILURE")


def when_ended(deployment_id: str) -> dict[str, Any]:
    """Waits in wall time for the end of a deployment."""
    import time

    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        seen = deployment(deployment_id)
        if seen["status"] in ("Succeeded", "Failed", "Stopped"):
            return seen
        time.sleep(0.05)
    raise TimeoutError(deployment_id)


def test_a_mapping_of_keys_is_an_experiment(canary_cloud_factory: CloudFactory) -> None:
    """As in an experiment file, without a name."""
    cloud = canary_cloud_factory({"alarm": {"name": "shop-errors", "threshold": 7}})
    (alarm,) = cloud.cloudwatch.describe_alarms({"AlarmNames": ["shop-errors"]})["MetricAlarms"]
    assert alarm["Threshold"] == 7


def test_a_mapping_with_an_unknown_key_is_refused(canary_cloud_factory: CloudFactory) -> None:
    """In the sentence of an experiment file."""
    with pytest.raises(ExperimentError, match="alarm"):
        canary_cloud_factory({"allarm": {"threshold": 7}})


@pytest.mark.slow
@pytest.mark.parametrize("line", ["", 'pytest_plugins = ["harness.rehearsal.fixtures"]'])
def test_pytest_has_the_fixtures_without_being_told(line: str, tmp_path: Path) -> None:
    """A project that names the plugin registers nothing twice."""
    (tmp_path / "conftest.py").write_text(line)
    (tmp_path / "test_it.py").write_text("def test_it(canary_cloud): assert canary_cloud.ready['alarm']")
    command = [sys.executable, "-m", "pytest", "-p", "no:locust", "-q", "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
