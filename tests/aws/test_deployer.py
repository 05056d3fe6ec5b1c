"""A deployment is created once, as asked, and journaled around it."""

import hashlib
import json
from collections import deque
from typing import Any

import pytest

from harness.aws.deployer import AskedDeployment, app_spec, create_deployment, full_config_name
from harness.aws.journal import LOOK_EVERY_S, SETTLED_S
from harness.core.timeline.events import Write
from harness.errors import AwsError, HarnessError, NotFound, Throttled, Unavailable, Unreachable, UsageError
from tests.aws.scripted_aws import Stage

LOST = Unreachable("codedeploy:CreateDeployment", "read timeout")
ACTIVE = AwsError("codedeploy:CreateDeployment", "DeploymentLimitExceededException", "already has an active Deployment")


@pytest.fixture
def ready(stage: Stage) -> Stage:
    """A group that has no deployment, and an alias at version 1."""
    stage.aws.script = {
        "get_alias": {"FunctionVersion": "1"},
        "create_deployment": {"deploymentId": "d-1"},
        "list_deployments": {"deployments": []},
    }
    return stage


def create(stage: Stage, **more: Any) -> str:
    """Creates the deployment that all tests create."""
    return create_deployment(
        stage.aws,  # type: ignore[arg-type]
        application="shop",
        group="shop-live",
        function="fn",
        alias="live",
        target_version="2",
        experiment="erroruser",
        journal=stage.journal(),
        **more,
    )


def journal(stage: Stage) -> list[tuple[str, str]]:
    """Step and detail of every write."""
    return [(event.step, event.detail) for event in stage.seen(Write)]


def there_after_all(stage: Stage) -> None:
    """Has the group list a deployment with the description that was asked for."""

    def described(deploymentIds: list[str]) -> dict[str, Any]:  # noqa: N803
        description = stage.aws.called("create_deployment")[0]["description"]
        return {"deploymentsInfo": [{"deploymentId": "d-old"}, {"deploymentId": "d-9", "description": description}]}

    stage.aws.script |= {"list_deployments": {"deployments": ["d-old", "d-9"]}, "batch_get_deployments": described}


def test_a_deployment_shifts_the_alias_from_its_current_version(ready: Stage) -> None:
    """The AppSpec names function, alias and both versions, and its digest fits."""
    assert create(ready) == "d-1"
    (request,) = ready.aws.called("create_deployment")
    content = request["revision"]["appSpecContent"]
    assert content["sha256"] == hashlib.sha256(content["content"].encode()).hexdigest()
    (resource,) = json.loads(content["content"])["Resources"]
    assert resource["fn"]["Properties"] == {
        "Name": "fn",
        "Alias": "live",
        "CurrentVersion": "1",
        "TargetVersion": "2",
    }
    assert request["description"].startswith("canary-harness erroruser ")


def test_the_groups_own_configuration_is_left_alone(ready: Stage) -> None:
    """Without a configuration of ours none is sent."""
    create(ready)
    create(ready, config="Canary10Percent5Minutes")
    without, given = ready.aws.called("create_deployment")
    assert "deploymentConfigName" not in without
    assert given["deploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ("AllAtOnce", "CodeDeployDefault.LambdaAllAtOnce"),
        ("CodeDeployDefault.LambdaAllAtOnce", "CodeDeployDefault.LambdaAllAtOnce"),
        ("Canary25Percent1Minutes", "Canary25Percent1Minutes"),
    ],
)
def test_only_the_presets_have_awss_prefix(config: str, name: str) -> None:
    """A configuration of one's own has the name that it was given."""
    assert full_config_name(config) == name


def test_hooks_are_named_in_the_app_spec() -> None:
    """Each hooked event runs the function of that name."""
    spec = json.loads(app_spec("fn", "live", "1", "2", ["AfterAllowTraffic"]))
    assert spec["Hooks"] == [{"AfterAllowTraffic": "CodeDeployHook_AfterAllowTraffic"}]
    assert "Hooks" not in json.loads(app_spec("fn", "live", "1", "2"))


def test_a_creation_is_journaled_before_and_after(ready: Stage) -> None:
    """The id of the deployment stands where it is done."""
    create(ready)
    assert journal(ready) == [("intended", "live to 2"), ("done", "d-1")]
    assert {(event.call, event.subject) for event in ready.seen(Write)} == {
        ("codedeploy:CreateDeployment", "shop/shop-live")
    }


@pytest.mark.parametrize(
    ("operation", "steps"), [("get_alias", ["refused"]), ("create_deployment", ["intended", "refused"])]
)
def test_a_refused_creation_is_journaled(ready: Stage, operation: str, steps: list[str]) -> None:
    """The refusal reaches the caller and the timeline."""
    ready.aws.script[operation] = NotFound("service:Call", "ApplicationDoesNotExistException", "no such thing")
    with pytest.raises(NotFound):
        create(ready)
    assert [step for step, _ in journal(ready)] == steps
    assert "no such thing" in journal(ready)[-1][1]


@pytest.mark.parametrize("lost", [LOST, Unavailable("codedeploy:CreateDeployment", "InternalFailure", "oops"), {}])
def test_a_deployment_whose_answer_was_lost_is_found(ready: Stage, lost: Any) -> None:
    """It is known by its description, and not created again."""
    ready.aws.script["create_deployment"] = lost
    there_after_all(ready)
    assert create(ready) == "d-9"
    assert len(ready.aws.called("create_deployment")) == 1
    assert journal(ready)[-1] == ("done", "d-9")


def test_a_deployment_that_was_not_made_is_created_again(ready: Stage) -> None:
    """Where no deployment is ours, the lost call did nothing."""
    ready.aws.script["create_deployment"] = deque([LOST, LOST, {"deploymentId": "d-2"}])
    assert create(ready) == "d-2"


def test_a_second_attempt_that_meets_our_own_deployment_finds_it(ready: Stage) -> None:
    """The listing may lag behind the deployment that it must show."""

    def refuse(**_: Any) -> AwsError:
        there_after_all(ready)
        return ACTIVE

    answers = deque([LOST, refuse, refuse])
    ready.aws.script["create_deployment"] = answers
    assert create(ready) == "d-9"


@pytest.mark.parametrize("error", [ACTIVE, Throttled("codedeploy:CreateDeployment", "ThrottlingException", "slow")])
def test_a_refusal_without_doubt_is_final(ready: Stage, error: AwsError) -> None:
    """Somebody else's deployment is not searched for our description."""
    ready.aws.script["create_deployment"] = error
    with pytest.raises(type(error)):
        create(ready)
    assert len(ready.aws.called("create_deployment")) == 1
    assert ready.aws.called("list_deployments") == []


def test_attempts_end(ready: Stage) -> None:
    """A control plane that never answers is an error in the end."""
    ready.aws.script["create_deployment"] = LOST
    with pytest.raises(Unreachable):
        create(ready)
    assert len(ready.aws.called("create_deployment")) == 4


def test_the_version_in_service_is_no_canary(ready: Stage) -> None:
    """AWS would begin such a deployment and fail it, which reads like a release that was rolled back."""
    ready.aws.script["get_alias"] = {"FunctionVersion": "2"}
    with pytest.raises(UsageError, match=r"deployment.target_version: the alias live is already on version 2"):
        create(ready)
    assert not ready.aws.called("create_deployment")


def test_a_creation_without_an_answer_is_not_called_refused(ready: Stage) -> None:
    """Nobody may say that there is no deployment."""
    ready.aws.script["create_deployment"] = LOST
    with pytest.raises(Unreachable):
        create(ready)
    assert journal(ready)[-1][0] == "unanswered"
    looked = len(ready.aws.called("list_deployments"))
    assert looked > 4 * SETTLED_S / LOOK_EVERY_S - 4, "it is looked for until AWS would surely list it"


def test_a_refusal_that_names_our_own_deployment_finds_it(ready: Stage) -> None:
    """Also where the list does not show it for long: the refusal of a second one says which is active."""
    active = AwsError(ACTIVE.call, ACTIVE.code, "The group 'shop-live' already has an active Deployment 'd-7'.")
    ready.aws.script["create_deployment"] = deque([LOST, active])

    def described(deploymentId: str) -> dict[str, Any]:  # noqa: N803
        description = ready.aws.called("create_deployment")[0]["description"]
        return {"deploymentInfo": {"deploymentId": deploymentId, "description": description}}

    ready.aws.script["get_deployment"] = described
    assert create(ready) == "d-7"
    assert len(ready.aws.called("create_deployment")) == 2


def test_a_refusal_that_names_somebody_elses_deployment_finds_none(ready: Stage) -> None:
    """Theirs is not ours, whatever it is that we do not know."""
    active = AwsError(ACTIVE.call, ACTIVE.code, "The group 'shop-live' already has an active Deployment 'd-7'.")
    ready.aws.script |= {
        "create_deployment": deque([LOST, active]),
        "get_deployment": {"deploymentInfo": {"deploymentId": "d-7", "description": "theirs"}},
    }
    with pytest.raises(AwsError):
        create(ready)
    assert journal(ready)[-1][0] == "unanswered"


def test_a_deployment_that_a_look_does_not_show_has_not_ended(ready: Stage) -> None:
    """Right after its creation a look may be older than it; whoever asks must not take anything for gone."""
    asked: list[AskedDeployment] = []
    create(ready, asking=asked.append)
    (ours,) = asked
    with pytest.raises(HarnessError, match="what became of d-1 is not known") as told:
        ours.has_ended()
    assert not isinstance(told.value, NotFound)
    ready.aws.script["get_deployment"] = {"deploymentInfo": {"status": "InProgress"}}
    assert not ours.has_ended()
    ready.aws.script["get_deployment"] = {"deploymentInfo": {"status": "Succeeded"}}
    assert ours.has_ended()


def test_a_deployment_without_an_answer_is_not_known_to_be_none(ready: Stage) -> None:
    """Until AWS would surely list it."""
    ready.aws.script["create_deployment"] = LOST
    asked: list[AskedDeployment] = []
    with pytest.raises(Unreachable):
        create(ready, asking=asked.append)
    with pytest.raises(HarnessError, match="is not known yet"):
        asked[0].has_ended()
    ready.clock.at_s += SETTLED_S
    assert asked[0].has_ended()
