"""The local cloud as pytest fixtures, for the tests of any project that talks to CodeDeploy, CloudWatch or Lambda.

pytest finds them by itself where the package is installed. In a test:

    def test_my_deployer_waits_for_the_promotion(canary_cloud, canary_aws):
        deployment_id = canary_cloud.deploy()          # or create one by boto3 yourself
        canary_cloud.advance(6 * 60)                   # six minutes pass at once
        boto3.client("codedeploy").get_deployment(deploymentId=deployment_id)

`canary_cloud.ready` holds the names and addresses, among them `service_url` for real HTTP requests.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.core.experiment.types import Experiment
    from harness.rehearsal.cloud import Cloud

CloudFactory = Callable[..., "Cloud"]

_OTHER_WAYS = (
    "AWS_ENDPOINT_URL_CODEDEPLOY",
    "AWS_ENDPOINT_URL_CLOUDWATCH",
    "AWS_ENDPOINT_URL_LAMBDA",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
)


@pytest.fixture
def canary_cloud_factory() -> Iterator[CloudFactory]:
    """Makes started clouds: `canary_cloud_factory(experiment, speed=60, seed=7)`; all of them end with the test.

    Takes what `Cloud` takes, but its clock stands still unless `speed` is given. The experiment may be a mapping of
    the keys of an experiment file; a wrong key or value raises ExperimentError, which names it.
    """
    from harness.core.experiment.parse import parse  # only here: both take long, and most tests need no cloud
    from harness.rehearsal.cloud import Cloud

    with ExitStack() as clouds:

        def make(
            experiment: "Experiment | Mapping[str, Any] | None" = None, *, speed: float = 0.0, **options: Any
        ) -> Cloud:
            if isinstance(experiment, Mapping):
                experiment = parse(json.dumps({"name": "test", **experiment}), source="experiment")
            return clouds.enter_context(Cloud(experiment, speed=speed, **options))

        yield make


@pytest.fixture
def canary_cloud(canary_cloud_factory: CloudFactory) -> "Cloud":
    """A started cloud with the stack of an experiment with all defaults.

    Its clock stands still and moves only by `canary_cloud.advance(seconds)`.
    """
    return canary_cloud_factory()


@pytest.fixture
def canary_aws(canary_cloud: "Cloud", monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """Points boto3, the AWS CLI and every SDK at `canary_cloud` by environment variables, and returns these.

    Clients made before keep their old endpoint.
    """
    return aws_environment(canary_cloud, monkeypatch)


def aws_environment(cloud: "Cloud", monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """Sets the environment that points every AWS SDK at `cloud`, until the test ends; for clouds from the factory."""
    variables = {
        "AWS_ENDPOINT_URL": cloud.ready["endpoint_url"],
        "AWS_REGION": cloud.ready["region"],
        "AWS_DEFAULT_REGION": cloud.ready["region"],
        "AWS_ACCESS_KEY_ID": "rehearsal",
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for variable in _OTHER_WAYS:
        monkeypatch.delenv(variable, raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    return variables
