"""Applications, groups, configurations, revisions and tags."""

import hashlib
from typing import Any

import pytest

ROLE = "arn:aws:iam::123456789012:role/CodeDeploy"
GROUP = {"applicationName": "app", "deploymentGroupName": "group"}
PRESETS = {
    "CodeDeployDefault.LambdaAllAtOnce": {"type": "AllAtOnce"},
    **{
        f"CodeDeployDefault.LambdaCanary10Percent{minutes}Minutes": {
            "type": "TimeBasedCanary",
            "timeBasedCanary": {"canaryPercentage": 10, "canaryInterval": minutes},
        }
        for minutes in (5, 10, 15, 30)
    },
    **{
        f"CodeDeployDefault.LambdaLinear10PercentEvery{minutes}Minute{'s' if minutes > 1 else ''}": {
            "type": "TimeBasedLinear",
            "timeBasedLinear": {"linearPercentage": 10, "linearInterval": minutes},
        }
        for minutes in (1, 2, 3, 10)
    },
}


def shown(stage: Any, **group: str) -> dict[str, Any]:
    """The DeploymentGroupInfo."""
    return dict(stage.client.get_deployment_group(**{**GROUP, **group})["deploymentGroupInfo"])


def test_application_is_shown_as_created(stage: Any) -> None:
    """With its platform and time; one without platform is of the platform Server."""
    created = stage.client.create_application(applicationName="app", computePlatform="Lambda")
    application = stage.client.get_application(applicationName="app")["application"]
    assert application["applicationId"] == created["applicationId"]
    assert application["computePlatform"] == "Lambda"
    assert application["createTime"].timestamp() == pytest.approx(stage.now(), abs=0.002)
    stage.client.create_application(applicationName="other")
    both = stage.client.batch_get_applications(applicationNames=["app", "other"])["applicationsInfo"]
    assert [one["computePlatform"] for one in both] == ["Lambda", "Server"]


def test_renamed_application_takes_its_groups_and_deployments_along(stage: Any) -> None:
    """The old name is free again."""
    stage.group()
    deployment_id = stage.deploy()
    stage.client.update_application(applicationName="app", newApplicationName="new")
    assert stage.info(deployment_id)["applicationName"] == "new"
    assert shown(stage, applicationName="new")["lastAttemptedDeployment"]["deploymentId"] == deployment_id
    assert stage.refused("get_application", applicationName="app") == "ApplicationDoesNotExistException"


def test_deleted_application_takes_its_groups_with_it(stage: Any) -> None:
    """Deleting it again is no error, and its deployments stay known."""
    stage.group()
    deployment_id = stage.deploy()
    for _ in range(2):
        stage.client.delete_application(applicationName="app")
    assert stage.client.list_applications()["applications"] == []
    stage.until_status(deployment_id, "Succeeded", 320)


def test_group_is_shown_as_created(stage: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Configuration, role, alarms, rollback, triggers and the style of Lambda."""
    alarms = {"enabled": True, "ignorePollAlarmFailure": True, "alarms": [{"name": "a"}, {"name": "b"}]}
    rollback = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
    trigger = {"triggerName": "t", "triggerTargetArn": "arn:aws:sns:x", "triggerEvents": ["DeploymentFailure"]}
    stage.group(alarmConfiguration=alarms, autoRollbackConfiguration=rollback, triggerConfigurations=[trigger])
    group = shown(stage)
    assert group["deploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    assert group["serviceRoleArn"] == ROLE
    assert group["alarmConfiguration"] == alarms
    assert group["autoRollbackConfiguration"] == rollback
    assert group["triggerConfigurations"] == [trigger]
    assert "The trigger t is kept, and this local cloud notifies nobody of it." in caplog.text
    assert group["deploymentStyle"] == {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
    assert group["computePlatform"] == "Lambda"
    assert "lastAttemptedDeployment" not in group


def test_group_without_configuration_shifts_all_at_once(stage: Any) -> None:
    """The default for Lambda."""
    stage.client.create_application(applicationName="app", computePlatform="Lambda")
    stage.client.create_deployment_group(**GROUP, serviceRoleArn=ROLE)
    assert shown(stage)["deploymentConfigName"] == "CodeDeployDefault.LambdaAllAtOnce"


def test_update_changes_only_what_is_given(stage: Any) -> None:
    """The rest of the group stays."""
    alarms = {"enabled": True, "ignorePollAlarmFailure": False, "alarms": [{"name": "a"}]}
    stage.group(alarmConfiguration=alarms)
    stage.client.update_deployment_group(
        applicationName="app",
        currentDeploymentGroupName="group",
        deploymentConfigName="CodeDeployDefault.LambdaAllAtOnce",
        autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_STOP_ON_ALARM"]},
    )
    group = shown(stage)
    assert group["deploymentConfigName"] == "CodeDeployDefault.LambdaAllAtOnce"
    assert group["autoRollbackConfiguration"]["events"] == ["DEPLOYMENT_STOP_ON_ALARM"]
    assert group["alarmConfiguration"] == alarms
    assert group["serviceRoleArn"] == ROLE


def test_update_renames_the_group_with_its_deployments(stage: Any) -> None:
    """And lets the other groups alone."""
    stage.group()
    deployment_id = stage.deploy()
    stage.client.update_deployment_group(
        applicationName="app", currentDeploymentGroupName="group", newDeploymentGroupName="new"
    )
    assert stage.info(deployment_id)["deploymentGroupName"] == "new"
    assert stage.client.list_deployment_groups(applicationName="app")["deploymentGroups"] == ["new"]
    assert shown(stage, deploymentGroupName="new")["lastAttemptedDeployment"]["deploymentId"] == deployment_id


def test_update_does_not_reach_a_running_deployment(stage: Any) -> None:
    """It goes on with the alarms and the rollback with which it was created."""
    stage.alarms["errors"] = "ALARM"
    stage.group()
    deployment_id = stage.deploy()
    stage.client.update_deployment_group(
        applicationName="app",
        currentDeploymentGroupName="group",
        alarmConfiguration={"enabled": True, "alarms": [{"name": "errors"}]},
    )
    stage.until_status(deployment_id, "Succeeded", 320)


def test_deleted_group_is_gone(stage: Any) -> None:
    """Deleting it again is no error."""
    stage.group()
    for _ in range(2):
        assert stage.client.delete_deployment_group(**GROUP)["hooksNotCleanedUp"] == []
    assert stage.refused("get_deployment_group", **GROUP) == "DeploymentGroupDoesNotExistException"


def test_new_group_of_an_old_name_has_no_deployments(stage: Any) -> None:
    """Those of the deleted one are not its own."""
    stage.group()
    stage.deploy()
    stage.client.delete_deployment_group(**GROUP)
    stage.group()
    assert stage.client.list_deployments(**GROUP)["deployments"] == []


def test_groups_come_in_batches(stage: Any) -> None:
    """What does not exist is named in the error message."""
    stage.group("a")
    stage.group("b")
    answer = stage.client.batch_get_deployment_groups(applicationName="app", deploymentGroupNames=["b", "x", "a"])
    assert [one["deploymentGroupName"] for one in answer["deploymentGroupsInfo"]] == ["b", "a"]
    assert "x" in answer["errorMessage"]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_predefined(stage: Any, name: str) -> None:
    """All nine of Lambda, with AWS's routing."""
    config = stage.client.get_deployment_config(deploymentConfigName=name)["deploymentConfigInfo"]
    assert config["trafficRoutingConfig"] == PRESETS[name]
    assert config["computePlatform"] == "Lambda"


def test_configurations_are_listed_with_custom_ones(stage: Any) -> None:
    """The nine presets, and what the account added."""
    linear = {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 20, "linearInterval": 2}}
    stage.client.create_deployment_config(
        deploymentConfigName="Mine", computePlatform="Lambda", trafficRoutingConfig=linear
    )
    assert set(stage.client.list_deployment_configs()["deploymentConfigsList"]) == {*PRESETS, "Mine"}
    config = stage.client.get_deployment_config(deploymentConfigName="Mine")["deploymentConfigInfo"]
    assert config["trafficRoutingConfig"] == linear
    stage.client.delete_deployment_config(deploymentConfigName="Mine")
    assert set(stage.client.list_deployment_configs()["deploymentConfigsList"]) == set(PRESETS)


def test_content_of_a_revision_is_given_back_by_its_hash(stage: Any, appspec: Any) -> None:
    """GetDeployment tells the hash only."""
    stage.group()
    deployment_id = stage.deploy()
    revision = stage.info(deployment_id)["revision"]
    sha256 = hashlib.sha256(appspec().encode()).hexdigest()
    assert revision == {"revisionType": "AppSpecContent", "appSpecContent": {"sha256": sha256}}
    answer = stage.client.get_application_revision(applicationName="app", revision=revision)
    assert answer["revision"]["appSpecContent"] == {"content": appspec(), "sha256": sha256}
    assert answer["revisionInfo"]["firstUsedTime"] == stage.info(deployment_id)["createTime"]


def test_legacy_string_revision_is_deployed_too(stage: Any, appspec: Any) -> None:
    """With a hash that is checked."""
    stage.group(config="LambdaAllAtOnce")
    sha256 = hashlib.sha256(appspec().encode()).hexdigest()
    revision = {"revisionType": "String", "string": {"content": appspec(), "sha256": sha256}}
    deployment_id = stage.deploy(revision=revision)
    info = stage.until_status(deployment_id, "Succeeded", 20)
    assert info["revision"] == {"revisionType": "String", "string": {"sha256": sha256}}


def test_revision_in_service_is_known_as_such(stage: Any, appspec: Any) -> None:
    """It has its group; one that was only registered has none."""
    stage.group(config="LambdaAllAtOnce")
    stage.until_status(stage.deploy(), "Succeeded", 20)
    other = {"revisionType": "AppSpecContent", "appSpecContent": {"content": appspec("2", "3")}}
    stage.client.register_application_revision(applicationName="app", revision=other, description="next")
    found = {}
    for deployed in ("include", "exclude", "ignore"):
        answer = stage.client.list_application_revisions(
            applicationName="app", deployed=deployed, sortBy="lastUsedTime", sortOrder="descending"
        )
        found[deployed] = answer["revisions"]
    assert found["ignore"] == found["include"] + found["exclude"]
    known = [stage.client.get_application_revision(applicationName="app", revision=one) for one in found["ignore"]]
    assert [one["revisionInfo"]["deploymentGroups"] for one in known] == [["group"], []]
    assert known[1]["revisionInfo"]["description"] == "next"


def test_tags_come_and_go(stage: Any) -> None:
    """On applications and groups."""
    stage.client.create_application(
        applicationName="app", computePlatform="Lambda", tags=[{"Key": "team", "Value": "a"}]
    )
    stage.group()
    for resource, before in (("application:app", {"team": "a"}), ("deploymentgroup:app/group", {})):
        arn = f"arn:aws:codedeploy:eu-north-1:123456789012:{resource}"
        stage.client.tag_resource(ResourceArn=arn, Tags=[{"Key": "stage", "Value": "prod"}])
        tags = stage.client.list_tags_for_resource(ResourceArn=arn)["Tags"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == {**before, "stage": "prod"}
        stage.client.untag_resource(ResourceArn=arn, TagKeys=["stage", "team"])
        assert stage.client.list_tags_for_resource(ResourceArn=arn)["Tags"] == []


def test_operations_are_the_same_in_process(stage: Any) -> None:
    """AWS's shapes in and out, without a wire."""
    stage.group()
    deployment_id = stage.deploy()
    info = stage.service.get_deployment({"deploymentId": deployment_id})["deploymentInfo"]
    assert info["status"] == "Created"
    stage.service.stop_deployment({"deploymentId": deployment_id})
    assert stage.info(deployment_id)["status"] == "Stopped"
