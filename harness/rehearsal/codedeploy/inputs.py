"""What callers send, held against AWS's limits; botocore's client checks hardly any of it.

Every function raises a Refusal with AWS's code for the field.
"""

import logging
import re
from collections.abc import Collection

from harness.rehearsal.codedeploy.ids import DEPLOYMENT_ID
from harness.rehearsal.codedeploy.records import Alarming, AwsShape, RollbackTrigger, RollingBack
from harness.rehearsal.operations import Params
from harness.rehearsal.refusal import Refusal

MAX_ALARMS = 50
"""The service model says ten; AWS was seen to take fifty (terraform-provider-aws PR#39971)."""
MAX_ALARM_NAME = 255
MAX_DESCRIPTION = 256
MAX_NAME = 100
MAX_TAGS = 50
MAX_TRIGGERS = 10

COMPUTE_PLATFORMS = ("Server", "Lambda", "ECS")

log = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9+=,.@_-]+")

_TRIGGER_EVENTS = frozenset(
    [f"Deployment{word}" for word in ("Start", "Success", "Failure", "Stop", "Rollback", "Ready")]
    + [f"Instance{word}" for word in ("Start", "Success", "Failure", "Ready")]
)

_LAMBDA_STYLE = {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}

_EC2_OR_ECS_ONLY = {
    "ec2TagFilters": "InvalidEC2TagException",
    "ec2TagSet": "InvalidEC2TagException",
    "onPremisesInstanceTagFilters": "InvalidTagException",
    "onPremisesTagSet": "InvalidTagException",
    "autoScalingGroups": "InvalidAutoScalingGroupException",
    "ecsServices": "InvalidECSServiceException",
    "loadBalancerInfo": "InvalidLoadBalancerInfoException",
    "blueGreenDeploymentConfiguration": "InvalidBlueGreenDeploymentConfigurationException",
    "ec2DeploymentOptions": "InvalidInputException",
    "terminationHookEnabled": "InvalidInputException",
}


def application_name(params: Params, member: str = "applicationName") -> str:
    """An application's name."""
    return name(params, member, "ApplicationNameRequiredException", "InvalidApplicationNameException")


def group_name(params: Params, member: str = "deploymentGroupName") -> str:
    """A deployment group's name."""
    if not params.get(member):
        raise Refusal("DeploymentGroupNameRequiredException", "Deployment Group name is missing")
    return name(params, member, "DeploymentGroupNameRequiredException", "InvalidDeploymentGroupNameException")


def config_name(params: Params) -> str:
    """A deployment configuration's name."""
    invalid = "InvalidDeploymentConfigNameException"
    return name(params, "deploymentConfigName", "DeploymentConfigNameRequiredException", invalid)


def name(params: Params, member: str, required: str, invalid: str) -> str:
    """A name of at most 100 of AWS's characters."""
    given = params.get(member)
    if given is None or given == "":
        raise Refusal(required, f"{member} must be specified")
    if not isinstance(given, str) or len(given) > MAX_NAME or not _NAME.fullmatch(given):
        raise Refusal(invalid, f"{member} is not in a valid format: {given}")
    return given


def names(params: Params, member: str, required: str, invalid: str, at_most: int) -> list[str]:
    """One to `at_most` names."""
    given = params.get(member) or []
    if not given:
        raise Refusal(required, f"{member} must have at least one name")
    if len(given) > at_most:
        raise Refusal("BatchLimitExceededException", f"{member} can have at most {at_most} names, got {len(given)}")
    return [name({member: one}, member, required, invalid) for one in given]


def deployment_id(params: Params) -> str:
    """A deployment's id."""
    return known_id(params.get("deploymentId"))


def known_id(given: object) -> str:
    """Something that may be the id of a deployment."""
    if not given:
        raise Refusal("DeploymentIdRequiredException", "DeploymentId must be specified")
    if not isinstance(given, str) or not DEPLOYMENT_ID.fullmatch(given):
        raise Refusal("InvalidDeploymentIdException", f"Specified DeploymentId is not in the valid format: {given}")
    return given


def word(given: object, allowed: Collection[str], code: str, member: str) -> str:
    """One of AWS's words."""
    if not isinstance(given, str) or given not in allowed:
        raise Refusal(code, f"{member} must be one of {', '.join(sorted(allowed))}, got {given}")
    return given


def compute_platform(params: Params) -> str:
    """The compute platform; Server where none is given."""
    given = params.get("computePlatform") or "Server"
    return word(given, COMPUTE_PLATFORMS, "InvalidComputePlatformException", "computePlatform")


def alarming(given: AwsShape | None) -> Alarming | None:
    """An alarm configuration; None if none was sent."""
    if given is None:
        return None
    listed = given.get("alarms") or []
    if len(listed) > MAX_ALARMS:
        message = f"The maximum number of alarms for a deployment group ({MAX_ALARMS}) was exceeded."
        raise Refusal("AlarmsLimitExceededException", message)
    alarm_names = tuple(_alarm_name(one) for one in listed)
    if len(set(alarm_names)) != len(alarm_names):
        raise _bad_alarms("two alarms have the same name")
    enabled = bool(given.get("enabled"))
    if enabled and not alarm_names:
        raise _bad_alarms("it is enabled, but the alarm list is empty")
    ignore = bool(given.get("ignorePollAlarmFailure"))
    return Alarming(enabled=enabled, ignore_poll_failure=ignore, names=alarm_names)


def _alarm_name(alarm: AwsShape | None) -> str:
    given = (alarm or {}).get("name")
    if not isinstance(given, str) or not 0 < len(given) <= MAX_ALARM_NAME:
        raise _bad_alarms(f"an alarm name is empty or longer than {MAX_ALARM_NAME} characters")
    return given


def _bad_alarms(problem: str) -> Refusal:
    return Refusal("InvalidAlarmConfigException", f"The format of the alarm configuration is invalid: {problem}.")


def rolling_back(given: AwsShape | None) -> RollingBack | None:
    """An automatic rollback configuration; None if none was sent."""
    if given is None:
        return None
    code = "InvalidAutoRollbackConfigException"
    events = tuple(word(one, list(RollbackTrigger), code, "autoRollbackConfiguration.events") for one in _events(given))
    enabled = bool(given.get("enabled"))
    if enabled and not events:
        raise Refusal(code, "Automatic rollback is enabled, but no events were listed.")
    return RollingBack(enabled=enabled, events=events)


def _events(given: AwsShape) -> list[str]:
    return list(given.get("events") or [])


def triggers(given: list[AwsShape] | None) -> tuple[AwsShape, ...]:
    """Trigger configurations; they are kept, and nobody is notified, which is said on stderr."""
    if given and len(given) > MAX_TRIGGERS:
        raise Refusal(
            "TriggerTargetsLimitExceededException", f"A deployment group has at most {MAX_TRIGGERS} triggers."
        )
    for trigger in given or []:
        if not trigger.get("triggerName") or not trigger.get("triggerTargetArn"):
            raise Refusal("InvalidTriggerConfigException", "A trigger needs triggerName and triggerTargetArn.")
        for event in _trigger_events(trigger):
            word(event, _TRIGGER_EVENTS, "InvalidTriggerConfigException", "triggerEvents")
        log.warning("The trigger %s is kept, and this local cloud notifies nobody of it.", trigger["triggerName"])
    return tuple(given or ())


def _trigger_events(trigger: AwsShape) -> list[str]:
    events = list(trigger.get("triggerEvents") or [])
    if not events:
        raise Refusal("InvalidTriggerConfigException", "A trigger needs at least one of triggerEvents.")
    return events


def lambda_group_only(params: Params) -> None:
    """Refuses what a deployment group of the platform Lambda cannot have."""
    for member, code in _EC2_OR_ECS_ONLY.items():
        if params.get(member):
            raise Refusal(code, f"{member} cannot be specified for a Lambda deployment group")
    style = params.get("deploymentStyle")
    if style and dict(style) != _LAMBDA_STYLE:
        message = "A Lambda deployment group needs the deployment style BLUE_GREEN with WITH_TRAFFIC_CONTROL."
        raise Refusal("InvalidDeploymentStyleException", message)
    if strategy := params.get("outdatedInstancesStrategy"):
        word(strategy, ("UPDATE", "IGNORE"), "InvalidInputException", "outdatedInstancesStrategy")


def lambda_deployment_only(params: Params) -> None:
    """Refuses what a deployment of the platform Lambda cannot have."""
    if params.get("ignoreApplicationStopFailures"):
        message = "For Lambda deployments, ignoreApplicationStopFailures must be false"
        raise Refusal("InvalidIgnoreApplicationStopFailuresValueException", message)
    if params.get("updateOutdatedInstancesOnly"):
        message = "For Lambda deployments, updateOutdatedInstancesOnly must be false"
        raise Refusal("InvalidUpdateOutdatedInstancesOnlyValueException", message)
    if params.get("fileExistsBehavior"):
        message = "For Lambda and ECS deployment, fileExistsBehavior can not be specified"
        raise Refusal("InvalidFileExistsBehaviorException", message)
    if params.get("targetInstances"):
        raise Refusal("InvalidTargetInstancesException", "targetInstances cannot be specified for a Lambda deployment")
    if params.get("ec2DeploymentOptions"):
        raise Refusal("InvalidInputException", "ec2DeploymentOptions cannot be specified for a Lambda deployment")
    if params.get("deploymentMode", "STANDARD") != "STANDARD":
        raise Refusal("InvalidInputException", "deploymentMode must be STANDARD for a Lambda deployment")


def description(params: Params) -> str | None:
    """A comment of at most 256 characters."""
    given: str | None = params.get("description")
    if given and len(given) > MAX_DESCRIPTION:
        raise Refusal("DescriptionTooLongException", f"A description has at most {MAX_DESCRIPTION} characters.")
    return given


def role(params: Params) -> str:
    """A service role's ARN."""
    given = params.get("serviceRoleArn")
    if not given:
        raise Refusal("RoleRequiredException", "serviceRoleArn must be specified")
    return valid_role(given)


def valid_role(given: str) -> str:
    """Something of the form of a role's ARN."""
    if not re.fullmatch(r"arn:aws[\w-]*:iam::\d{12}:role/.+", given):
        raise Refusal("InvalidRoleException", f"serviceRoleArn is not the ARN of a role: {given}")
    return given


def tags(given: list[AwsShape] | None) -> dict[str, str]:
    """Tags as a mapping."""
    for tag in given or []:
        if not tag.get("Key") or len(tag["Key"]) > 128 or len(tag.get("Value") or "") > 256:
            message = "A tag needs a Key of 1 to 128 characters, and its Value has at most 256."
            raise Refusal("InvalidTagsToAddException", message)
    if given and len(given) > MAX_TAGS:
        raise Refusal("InvalidTagsToAddException", f"A resource has at most {MAX_TAGS} tags.")
    return {tag["Key"]: tag.get("Value") or "" for tag in given or []}
