"""What a deployment finds wrong before it moves any traffic."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

BAD_APPSPEC = (
    "The deployment failed because the AppSpec file that specifies the AWS Lambda deployment configuration is missing "
    "or has an invalid configuration."
)
OTHER_VERSION = f"{BAD_APPSPEC} The Lambda function alias version does not match the current version in AppSpec file."


def failed(stage: Any, content: str | None = None) -> dict[str, Any]:
    """The errorInformation of a deployment that fails at its start, before anything was shifted."""
    stage.group()
    info = stage.until_status(stage.deploy(content=content), "Failed", 3)
    assert stage.functions.shifts == []
    assert info["completeTime"]
    return dict(info["errorInformation"])


def test_alias_must_point_at_the_current_version(stage: Any, appspec: Any) -> None:
    """Otherwise the AppSpec is out of date."""
    error = failed(stage, appspec("3", "4"))
    assert error == {"code": "INVALID_LAMBDA_CONFIGURATION", "message": OTHER_VERSION}


def test_alias_must_not_be_split(stage: Any) -> None:
    """Left-over weights of a stopped deployment block the next one."""
    stage.functions.aliases["fn", "Live"] = SimpleNamespace(version="1", weights={"3": 0.1})
    assert failed(stage) == {"code": "INVALID_LAMBDA_CONFIGURATION", "message": OTHER_VERSION}


def test_target_must_be_another_version(stage: Any, appspec: Any) -> None:
    """AWS's message ends without saying why."""
    assert failed(stage, appspec("1", "1")) == {"code": "INVALID_LAMBDA_CONFIGURATION", "message": BAD_APPSPEC}


@pytest.mark.parametrize("wrong", [{"Name": "nofn"}, {"Alias": "Nowhere"}, {"TargetVersion": "77"}])
def test_what_the_appspec_names_must_exist(stage: Any, appspec: Any, wrong: dict[str, str]) -> None:
    """Function, alias and versions."""
    assert failed(stage, appspec(**{"target": "2", **wrong}))["code"] == "INVALID_LAMBDA_FUNCTION"


def test_failure_at_the_start_skips_every_event(stage: Any, appspec: Any) -> None:
    """None of them had begun."""
    stage.group()
    deployment_id = stage.deploy(content=appspec("3", "4"))
    stage.until_status(deployment_id, "Failed", 3)
    assert stage.events(deployment_id) == ["Skipped"] * 3
    assert stage.target(deployment_id)["status"] == "Skipped"


def test_failure_at_the_start_is_rolled_back_without_moving_the_alias(stage: Any, appspec: Any) -> None:
    """The rollback succeeds and touches nothing, because nothing was touched."""
    stage.group(autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]})
    deployment_id = stage.deploy(content=appspec("3", "4"))
    stage.until_status(deployment_id, "Failed", 3)
    assert stage.rollback_of(deployment_id)["status"] == "Succeeded"
    assert stage.alias == ("1", {})


@pytest.mark.parametrize(
    "content",
    [
        "version: 0.0\nResources:\n  - fn:\n      Type: AWS::Lambda::Function\n      Properties:\n"
        "        Name: fn\n        Alias: Live\n        CurrentVersion: 1\n        TargetVersion: '2'\n",
        "version: '0.0'\nresources:\n  - x:\n      type: AWS::Lambda::Function\n      properties:\n"
        "        name: fn\n        alias: Live\n        currentversion: '1'\n        targetversion: 2\nhooks: []\n",
        json.dumps(
            {
                "VERSION": "0.0",
                "RESOURCES": [
                    {
                        "x": {
                            "TYPE": "AWS::Lambda::Function",
                            "PROPERTIES": {"NAME": "fn", "ALIAS": "Live", "CURRENTVERSION": 1, "TARGETVERSION": 2},
                        }
                    }
                ],
            },
            indent="\t",
        ),
    ],
)
def test_appspec_is_read_as_json_or_yaml_in_any_case(stage: Any, content: str) -> None:
    """Versions may be numbers or text."""
    stage.group(config="LambdaAllAtOnce")
    stage.until_status(stage.deploy(content=content), "Succeeded", 20)
    assert stage.alias == ("2", {})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param("[" * 20_000, "well-formed yaml", id="nested too deep"),
        pytest.param("version: !!int x", "well-formed yaml", id="no int"),
        pytest.param("version: &a [*a]", "version of the AppSpec", id="version that holds itself"),
        ("{", "not a well-formed|not well-formed|well-formed yaml"),
        ("just text", "well-formed yaml"),
        ("version: 1.0\nResources: []", "version of the AppSpec"),
        ("version: 0.0\nResources: []", "exactly one resource"),
        ("version: 0.0\nResources: [{a: 1}]", "of the type AWS::Lambda::Function"),
        ("version: 0.0\nResources: [{a: {Type: 'AWS::Lambda::Function'}}]", "no properties"),
        ("version: 0.0\nResources: [{a: {Type: 'AWS::Lambda::Function', Properties: {Name: f}}}]", "Alias"),
    ],
)
def test_unusable_appspec_fails_the_deployment(stage: Any, content: str, problem: str) -> None:
    """AWS takes it, and says what is wrong when the deployment looks at it."""
    error = failed(stage, content)
    assert error["code"] == "INVALID_LAMBDA_CONFIGURATION"
    assert error["message"].startswith(BAD_APPSPEC)
    assert any(word in error["message"] for word in problem.split("|"))


@pytest.mark.parametrize(
    "hooks", [[{"AllowTraffic": "fn"}], [{"AfterAllowTraffic": "a"}, {"AfterAllowTraffic": "b"}], "x"]
)
def test_hooks_must_be_of_the_two_hookable_events(stage: Any, appspec: Any, hooks: object) -> None:
    """Each at most once, and as a list."""
    document = {**json.loads(appspec()), "Hooks": hooks}
    assert failed(stage, json.dumps(document))["code"] == "INVALID_LAMBDA_CONFIGURATION"
