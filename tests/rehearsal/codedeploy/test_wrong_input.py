"""Every error code: what AWS answers to input that is missing, malformed or in the way."""

import hashlib
from typing import Any

import pytest

from harness.rehearsal.codedeploy import CodeDeploy
from harness.rehearsal.refusal import Refusal

ROLE = "arn:aws:iam::123456789012:role/CodeDeploy"
APP = {"applicationName": "app"}
GROUP = {**APP, "deploymentGroupName": "group"}
UPDATE = {**APP, "currentDeploymentGroupName": "group"}
NEW_GROUP = {**APP, "deploymentGroupName": "new", "serviceRoleArn": ROLE}
ARN = "arn:aws:codedeploy:eu-north-1:123456789012:application:app"
CONTENT = {"revisionType": "AppSpecContent", "appSpecContent": {"content": "x"}}
DEPLOY = {**GROUP, "revision": CONTENT}
CONFIG = {"deploymentConfigName": "Mine", "computePlatform": "Lambda"}
LONG = "x" * 101
ALARMS = [{"name": f"a{number}"} for number in range(51)]


def canary(percent: object = 10, minutes: object = 5, kind: str = "TimeBasedCanary") -> dict[str, Any]:
    """Parameters of CreateDeploymentConfig."""
    timing = {"canaryPercentage": percent, "canaryInterval": minutes}
    return {**CONFIG, "trafficRoutingConfig": {"type": kind, "timeBasedCanary": timing}}


def linear(percent: int, minutes: int) -> dict[str, Any]:
    """Parameters of CreateDeploymentConfig."""
    timing = {"linearPercentage": percent, "linearInterval": minutes}
    return {**CONFIG, "trafficRoutingConfig": {"type": "TimeBasedLinear", "timeBasedLinear": timing}}


def alarming(*names: str, enabled: bool = True) -> dict[str, Any]:
    """An alarm configuration."""
    return {"enabled": enabled, "alarms": [{"name": name} for name in names]}


OVER_THE_WIRE: list[tuple[str, dict[str, Any], str]] = [
    ("create_application", {"applicationName": LONG}, "InvalidApplicationNameException"),
    ("create_application", {"applicationName": "no spaces"}, "InvalidApplicationNameException"),
    ("create_application", APP, "ApplicationAlreadyExistsException"),
    ("create_application", {"applicationName": "x", "computePlatform": "lambda"}, "InvalidComputePlatformException"),
    ("create_application", {"applicationName": "x", "tags": [{"Value": "y"}]}, "InvalidTagsToAddException"),
    ("get_application", {"applicationName": "x"}, "ApplicationDoesNotExistException"),
    ("batch_get_applications", {"applicationNames": []}, "ApplicationNameRequiredException"),
    ("batch_get_applications", {"applicationNames": ["x"] * 101}, "BatchLimitExceededException"),
    ("batch_get_applications", {"applicationNames": ["x"]}, "ApplicationDoesNotExistException"),
    ("list_applications", {"nextToken": "x"}, "InvalidNextTokenException"),
    ("list_applications", {"nextToken": "YWZ0ZXI6bm9wZQ=="}, "InvalidNextTokenException"),
    ("update_application", {"newApplicationName": "x"}, "ApplicationNameRequiredException"),
    ("update_application", {**APP, "newApplicationName": "server"}, "ApplicationAlreadyExistsException"),
    ("update_application", {"applicationName": "x"}, "ApplicationDoesNotExistException"),
    ("delete_application", {"applicationName": LONG}, "InvalidApplicationNameException"),
    ("create_deployment_group", {**NEW_GROUP, "applicationName": "x"}, "ApplicationDoesNotExistException"),
    ("create_deployment_group", {**NEW_GROUP, "applicationName": "server"}, "InvalidInputException"),
    ("create_deployment_group", {**NEW_GROUP, "deploymentGroupName": "group"}, "DeploymentGroupAlreadyExistsException"),
    ("create_deployment_group", {**NEW_GROUP, "deploymentGroupName": LONG}, "InvalidDeploymentGroupNameException"),
    ("create_deployment_group", {**NEW_GROUP, "deploymentConfigName": "x"}, "DeploymentConfigDoesNotExistException"),
    ("create_deployment_group", {**NEW_GROUP, "deploymentConfigName": LONG}, "InvalidDeploymentConfigNameException"),
    ("create_deployment_group", {**NEW_GROUP, "serviceRoleArn": "x"}, "InvalidRoleException"),
    ("create_deployment_group", {**NEW_GROUP, "serviceRoleArn": ""}, "RoleRequiredException"),
    ("create_deployment_group", {**NEW_GROUP, "alarmConfiguration": alarming()}, "InvalidAlarmConfigException"),
    ("create_deployment_group", {**NEW_GROUP, "alarmConfiguration": alarming("a", "a")}, "InvalidAlarmConfigException"),
    (
        "create_deployment_group",
        {**NEW_GROUP, "alarmConfiguration": alarming("x" * 256)},
        "InvalidAlarmConfigException",
    ),
    ("create_deployment_group", {**NEW_GROUP, "alarmConfiguration": alarming("")}, "InvalidAlarmConfigException"),
    (
        "create_deployment_group",
        {**NEW_GROUP, "alarmConfiguration": {"enabled": True, "alarms": ALARMS}},
        "AlarmsLimitExceededException",
    ),
    (
        "create_deployment_group",
        {**NEW_GROUP, "autoRollbackConfiguration": {"enabled": True, "events": []}},
        "InvalidAutoRollbackConfigException",
    ),
    (
        "create_deployment_group",
        {**NEW_GROUP, "autoRollbackConfiguration": {"enabled": True, "events": ["FAILURE"]}},
        "InvalidAutoRollbackConfigException",
    ),
    (
        "create_deployment_group",
        {**NEW_GROUP, "triggerConfigurations": [{"triggerName": "x"}]},
        "InvalidTriggerConfigException",
    ),
    (
        "create_deployment_group",
        {
            **NEW_GROUP,
            "triggerConfigurations": [
                {"triggerName": "x", "triggerTargetArn": "y", "triggerEvents": ["DeploymentEnd"]}
            ],
        },
        "InvalidTriggerConfigException",
    ),
    (
        "create_deployment_group",
        {**NEW_GROUP, "triggerConfigurations": [{}] * 11},
        "TriggerTargetsLimitExceededException",
    ),
    (
        "create_deployment_group",
        {
            **NEW_GROUP,
            "deploymentStyle": {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"},
        },
        "InvalidDeploymentStyleException",
    ),
    ("create_deployment_group", {**NEW_GROUP, "ec2TagFilters": [{"Key": "x"}]}, "InvalidEC2TagException"),
    ("create_deployment_group", {**NEW_GROUP, "autoScalingGroups": ["x"]}, "InvalidAutoScalingGroupException"),
    ("create_deployment_group", {**NEW_GROUP, "outdatedInstancesStrategy": "KEEP"}, "InvalidInputException"),
    ("create_deployment_group", {**NEW_GROUP, "tags": [{"Key": "x" * 129}]}, "InvalidTagsToAddException"),
    (
        "update_deployment_group",
        {**APP, "currentDeploymentGroupName": "nogroup"},
        "DeploymentGroupDoesNotExistException",
    ),
    (
        "update_deployment_group",
        {**UPDATE, "newDeploymentGroupName": "second"},
        "DeploymentGroupAlreadyExistsException",
    ),
    ("update_deployment_group", {**UPDATE, "serviceRoleArn": "x"}, "InvalidRoleException"),
    ("update_deployment_group", {**UPDATE, "alarmConfiguration": alarming()}, "InvalidAlarmConfigException"),
    ("update_deployment_group", {**UPDATE, "deploymentConfigName": "x"}, "DeploymentConfigDoesNotExistException"),
    ("get_deployment_group", {**GROUP, "applicationName": "x"}, "ApplicationDoesNotExistException"),
    ("get_deployment_group", {**GROUP, "deploymentGroupName": "x"}, "DeploymentGroupDoesNotExistException"),
    ("batch_get_deployment_groups", {**APP, "deploymentGroupNames": []}, "DeploymentGroupNameRequiredException"),
    ("batch_get_deployment_groups", {**APP, "deploymentGroupNames": ["x"] * 101}, "BatchLimitExceededException"),
    (
        "batch_get_deployment_groups",
        {"applicationName": "x", "deploymentGroupNames": ["y"]},
        "ApplicationDoesNotExistException",
    ),
    ("list_deployment_groups", {"applicationName": "x"}, "ApplicationDoesNotExistException"),
    ("list_deployment_groups", {**APP, "nextToken": "x"}, "InvalidNextTokenException"),
    ("delete_deployment_group", {**GROUP, "deploymentGroupName": LONG}, "InvalidDeploymentGroupNameException"),
    ("create_deployment_config", CONFIG, "InvalidTrafficRoutingConfigurationException"),
    ("create_deployment_config", canary(0), "InvalidTrafficRoutingConfigurationException"),
    ("create_deployment_config", canary(100), "InvalidTrafficRoutingConfigurationException"),
    ("create_deployment_config", canary(10, 0), "InvalidTrafficRoutingConfigurationException"),
    ("create_deployment_config", canary(10, 2881), "InvalidTrafficRoutingConfigurationException"),
    ("create_deployment_config", canary(kind="AllAtOnce"), "InvalidTrafficRoutingConfigurationException"),
    ("create_deployment_config", canary(kind="TimeBasedLinear"), "InvalidTrafficRoutingConfigurationException"),
    ("create_deployment_config", canary(kind="Canary"), "InvalidTrafficRoutingConfigurationException"),
    ("create_deployment_config", linear(100, 1), "InvalidTrafficRoutingConfigurationException"),
    ("create_deployment_config", linear(10, 321), "InvalidTrafficRoutingConfigurationException"),
    ("create_deployment_config", {**canary(), "deploymentConfigName": LONG}, "InvalidDeploymentConfigNameException"),
    (
        "create_deployment_config",
        {**canary(), "deploymentConfigName": "CodeDeployDefault.Mine"},
        "InvalidDeploymentConfigNameException",
    ),
    (
        "create_deployment_config",
        {**canary(), "deploymentConfigName": "InUse"},
        "DeploymentConfigAlreadyExistsException",
    ),
    ("create_deployment_config", {**canary(), "computePlatform": "x"}, "InvalidComputePlatformException"),
    (
        "create_deployment_config",
        {**canary(), "minimumHealthyHosts": {"type": "HOST_COUNT", "value": 1}},
        "InvalidMinimumHealthyHostValueException",
    ),
    (
        "create_deployment_config",
        {**canary(), "zonalConfig": {"monitorDurationInSeconds": 1}},
        "InvalidZonalDeploymentConfigurationException",
    ),
    ("get_deployment_config", {"deploymentConfigName": "x"}, "DeploymentConfigDoesNotExistException"),
    ("list_deployment_configs", {"nextToken": "x"}, "InvalidNextTokenException"),
    ("delete_deployment_config", {"deploymentConfigName": "InUse"}, "DeploymentConfigInUseException"),
    (
        "delete_deployment_config",
        {"deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce"},
        "InvalidOperationException",
    ),
    ("create_deployment", {**DEPLOY, "applicationName": "x"}, "ApplicationDoesNotExistException"),
    ("create_deployment", APP, "DeploymentGroupNameRequiredException"),
    ("create_deployment", {**DEPLOY, "deploymentGroupName": "x"}, "DeploymentGroupDoesNotExistException"),
    ("create_deployment", GROUP, "RevisionRequiredException"),
    ("create_deployment", {**DEPLOY, "revision": {}}, "RevisionRequiredException"),
    ("create_deployment", {**DEPLOY, "revision": {"revisionType": "Text"}}, "InvalidRevisionException"),
    ("create_deployment", {**DEPLOY, "revision": {"revisionType": "AppSpecContent"}}, "InvalidRevisionException"),
    (
        "create_deployment",
        {**DEPLOY, "revision": {"revisionType": "AppSpecContent", "appSpecContent": {"content": ""}}},
        "InvalidRevisionException",
    ),
    (
        "create_deployment",
        {**DEPLOY, "revision": {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k"}}},
        "InvalidRevisionException",
    ),
    (
        "create_deployment",
        {**DEPLOY, "revision": {**CONTENT, "appSpecContent": {"content": "x", "sha256": "0" * 64}}},
        "InvalidRevisionException",
    ),
    ("create_deployment", {**DEPLOY, "description": "x" * 257}, "DescriptionTooLongException"),
    ("create_deployment", {**DEPLOY, "deploymentConfigName": "x"}, "DeploymentConfigDoesNotExistException"),
    ("create_deployment", {**DEPLOY, "deploymentConfigName": LONG}, "InvalidDeploymentConfigNameException"),
    ("create_deployment", {**DEPLOY, "overrideAlarmConfiguration": alarming()}, "InvalidAlarmConfigException"),
    (
        "create_deployment",
        {**DEPLOY, "overrideAlarmConfiguration": {"alarms": ALARMS}},
        "AlarmsLimitExceededException",
    ),
    (
        "create_deployment",
        {**DEPLOY, "autoRollbackConfiguration": {"enabled": True}},
        "InvalidAutoRollbackConfigException",
    ),
    ("create_deployment", {**DEPLOY, "fileExistsBehavior": "RETAIN"}, "InvalidFileExistsBehaviorException"),
    (
        "create_deployment",
        {**DEPLOY, "ignoreApplicationStopFailures": True},
        "InvalidIgnoreApplicationStopFailuresValueException",
    ),
    (
        "create_deployment",
        {**DEPLOY, "updateOutdatedInstancesOnly": True},
        "InvalidUpdateOutdatedInstancesOnlyValueException",
    ),
    ("create_deployment", {**DEPLOY, "deploymentMode": "RESTART"}, "InvalidInputException"),
    (
        "create_deployment",
        {**DEPLOY, "targetInstances": {"autoScalingGroups": ["x"]}},
        "InvalidTargetInstancesException",
    ),
    (
        "create_deployment",
        {**DEPLOY, "ec2DeploymentOptions": {"autoScalingGroupProcessesToSuspend": ["x"]}},
        "InvalidInputException",
    ),
    ("create_deployment_group", {**NEW_GROUP, "terminationHookEnabled": True}, "InvalidInputException"),
    ("get_deployment", {"deploymentId": "x"}, "InvalidDeploymentIdException"),
    ("get_deployment", {"deploymentId": ""}, "DeploymentIdRequiredException"),
    ("get_deployment", {"deploymentId": "d-NOTTHERE1"}, "DeploymentDoesNotExistException"),
    ("batch_get_deployments", {"deploymentIds": []}, "DeploymentIdRequiredException"),
    ("batch_get_deployments", {"deploymentIds": ["x"]}, "InvalidDeploymentIdException"),
    ("batch_get_deployments", {"deploymentIds": ["d-NOTTHERE1"] * 26}, "BatchLimitExceededException"),
    ("list_deployments", APP, "DeploymentGroupNameRequiredException"),
    ("list_deployments", {"deploymentGroupName": "group"}, "ApplicationNameRequiredException"),
    ("list_deployments", {**GROUP, "applicationName": "x"}, "ApplicationDoesNotExistException"),
    ("list_deployments", {**GROUP, "deploymentGroupName": "x"}, "DeploymentGroupDoesNotExistException"),
    ("list_deployments", {**GROUP, "includeOnlyStatuses": ["In Progress"]}, "InvalidDeploymentStatusException"),
    ("list_deployments", {**GROUP, "createTimeRange": {"start": 2, "end": 1}}, "InvalidTimeRangeException"),
    ("list_deployments", {**GROUP, "nextToken": "x"}, "InvalidNextTokenException"),
    ("list_deployment_targets", {"deploymentId": "x"}, "InvalidDeploymentIdException"),
    ("list_deployment_targets", {"deploymentId": "d-NOTTHERE1"}, "DeploymentDoesNotExistException"),
    ("get_deployment_target", {"deploymentId": "d-NOTTHERE1", "targetId": "x"}, "DeploymentDoesNotExistException"),
    ("stop_deployment", {"deploymentId": "d-NOTTHERE1"}, "DeploymentDoesNotExistException"),
    ("stop_deployment", {"deploymentId": "x"}, "InvalidDeploymentIdException"),
    ("put_lifecycle_event_hook_execution_status", {"status": "Failed"}, "DeploymentIdRequiredException"),
    ("put_lifecycle_event_hook_execution_status", {"deploymentId": "x"}, "InvalidDeploymentIdException"),
    ("put_lifecycle_event_hook_execution_status", {"deploymentId": "d-NOTTHERE1"}, "DeploymentDoesNotExistException"),
    (
        "register_application_revision",
        {"applicationName": "x", "revision": CONTENT},
        "ApplicationDoesNotExistException",
    ),
    ("register_application_revision", {**APP, "revision": {}}, "RevisionRequiredException"),
    (
        "register_application_revision",
        {**APP, "revision": CONTENT, "description": "x" * 257},
        "DescriptionTooLongException",
    ),
    ("get_application_revision", {**APP, "revision": CONTENT}, "RevisionDoesNotExistException"),
    (
        "get_application_revision",
        {**APP, "revision": {"revisionType": "String", "string": {}}},
        "InvalidRevisionException",
    ),
    ("list_application_revisions", {**APP, "sortBy": "name"}, "InvalidSortByException"),
    ("list_application_revisions", {**APP, "sortOrder": "up"}, "InvalidSortOrderException"),
    ("list_application_revisions", {**APP, "deployed": "yes"}, "InvalidDeployedStateFilterException"),
    ("list_tags_for_resource", {"ResourceArn": "x"}, "InvalidArnException"),
    (
        "list_tags_for_resource",
        {"ResourceArn": "arn:aws:codedeploy:eu-north-1:123456789012:deploymentconfig:x"},
        "ArnNotSupportedException",
    ),
    ("tag_resource", {"ResourceArn": ARN + "x", "Tags": [{"Key": "a"}]}, "ApplicationDoesNotExistException"),
    ("tag_resource", {"ResourceArn": ARN, "Tags": []}, "TagRequiredException"),
    (
        "tag_resource",
        {"ResourceArn": ARN, "Tags": [{"Key": str(number)} for number in range(51)]},
        "InvalidTagsToAddException",
    ),
    ("untag_resource", {"ResourceArn": ARN, "TagKeys": []}, "TagRequiredException"),
    (
        "untag_resource",
        {"ResourceArn": ARN.replace("application:app", "deploymentgroup:app/x"), "TagKeys": ["a"]},
        "DeploymentGroupDoesNotExistException",
    ),
]


@pytest.fixture(scope="module")
def crowded(make_module_stage: Any) -> Any:
    """The groups `group` and `second` in `app`, an application of the platform Server, a configuration in use."""
    stage = make_module_stage(1)
    stage.client.create_deployment_config(**{**canary(), "deploymentConfigName": "InUse"})
    stage.group()
    stage.client.create_deployment_group(**{**NEW_GROUP, "deploymentGroupName": "second"}, deploymentConfigName="InUse")
    stage.client.create_application(applicationName="server", computePlatform="Server")
    return stage


@pytest.mark.parametrize(("operation", "params", "code"), OVER_THE_WIRE)
def test_wrong_input_gets_awss_code(crowded: Any, operation: str, params: dict[str, Any], code: str) -> None:
    """Each code is one that botocore's model lists for the operation."""
    assert crowded.refused(operation, **params) == code


REQUIRED = [
    ("create_application", "ApplicationNameRequiredException"),
    ("get_application", "ApplicationNameRequiredException"),
    ("create_deployment_group", "ApplicationNameRequiredException"),
    ("get_deployment_group", "ApplicationNameRequiredException"),
    ("create_deployment_config", "DeploymentConfigNameRequiredException"),
    ("get_deployment_config", "DeploymentConfigNameRequiredException"),
    ("create_deployment", "ApplicationNameRequiredException"),
    ("get_deployment", "DeploymentIdRequiredException"),
    ("batch_get_deployments", "DeploymentIdRequiredException"),
    ("list_deployment_targets", "DeploymentIdRequiredException"),
    ("stop_deployment", "DeploymentIdRequiredException"),
    ("list_tags_for_resource", "ResourceArnRequiredException"),
    ("tag_resource", "ResourceArnRequiredException"),
]


@pytest.mark.parametrize(("operation", "code"), REQUIRED)
def test_missing_names_are_named(stage: Any, operation: str, code: str) -> None:
    """What boto3 would not even send, other clients do."""
    with pytest.raises(Refusal) as caught:
        getattr(stage.service, operation)({})
    assert caught.value.code == code


def test_target_operations_need_the_id_of_the_target(stage: Any) -> None:
    """The one that ListDeploymentTargets gives."""
    stage.group()
    started = {"deploymentId": stage.deploy()}
    stage.advance(5)
    assert stage.refused("get_deployment_target", **started, targetId="") == "DeploymentTargetIdRequiredException"
    assert stage.refused("get_deployment_target", **started, targetId="x") == "DeploymentTargetDoesNotExistException"
    batch = "batch_get_deployment_targets"
    assert stage.refused(batch, **started, targetIds=[]) == "DeploymentTargetIdRequiredException"
    assert stage.refused(batch, **started, targetIds=["x", "y"]) == "DeploymentTargetListSizeExceededException"
    filters = {"targetFilters": {"TargetStatus": ["Gone"]}}
    assert stage.refused("list_deployment_targets", **started, **filters) == "InvalidInstanceStatusException"
    filters = {"targetFilters": {"Colour": ["x"]}}
    assert stage.refused("list_deployment_targets", **started, **filters) == "InvalidTargetFilterNameException"


def test_right_hash_is_accepted(stage: Any, appspec: Any) -> None:
    """In upper case too."""
    stage.group()
    sha256 = hashlib.sha256(appspec().encode()).hexdigest().upper()
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": appspec(), "sha256": sha256}}
    assert stage.deploy(revision=revision).startswith("d-")


def test_limits_of_the_account_hold(stage: Any) -> None:
    """1000 applications, 1000 groups an application, 50 custom configurations."""
    service: CodeDeploy = stage.service
    for number in range(50):
        service.create_deployment_config({**canary(), "deploymentConfigName": f"c{number}"})
    for number in range(1000):
        service.create_application({"applicationName": f"a{number}", "computePlatform": "Lambda"})
        service.create_deployment_group({**NEW_GROUP, "applicationName": "a0", "deploymentGroupName": f"g{number}"})
    assert stage.refused("create_deployment_config", **canary()) == "DeploymentConfigLimitExceededException"
    assert stage.refused("create_application", applicationName="x") == "ApplicationLimitExceededException"
    one_more = {**NEW_GROUP, "applicationName": "a0"}
    assert stage.refused("create_deployment_group", **one_more) == "DeploymentGroupLimitExceededException"
