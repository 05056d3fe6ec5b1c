"""Records as AWS shows them."""

from typing import Any

from harness.rehearsal.codedeploy.records import (
    Alarming,
    Application,
    Config,
    DeploymentRecord,
    EventRecord,
    Group,
    RegisteredRevision,
    RollbackNote,
    RollingBack,
)
from harness.rehearsal.codedeploy.revisions import located
from harness.rehearsal.codedeploy.routing import AllAtOnce, Canary, Linear, Routing
from harness.rehearsal.codedeploy.stages import DeploymentStage

Shape = dict[str, Any]

_STYLE = {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}

_COUNTED = ("Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Ready")


def application_view(application: Application) -> Shape:
    """An ApplicationInfo."""
    return {
        "applicationId": application.id,
        "applicationName": application.name,
        "createTime": application.created_s,
        "linkedToGitHub": False,
        "computePlatform": application.platform,
    }


def config_view(config: Config) -> Shape:
    """A DeploymentConfigInfo."""
    return {
        "deploymentConfigId": config.id,
        "deploymentConfigName": config.name,
        "createTime": config.created_s,
        "computePlatform": "Lambda",
        "trafficRoutingConfig": _routing(config.routing),
    }


def _routing(routing: Routing) -> Shape:
    match routing:
        case Canary(percent, interval_min):
            canary = {"canaryPercentage": percent, "canaryInterval": interval_min}
            return {"type": "TimeBasedCanary", "timeBasedCanary": canary}
        case Linear(percent, interval_min):
            linear = {"linearPercentage": percent, "linearInterval": interval_min}
            return {"type": "TimeBasedLinear", "timeBasedLinear": linear}
        case AllAtOnce():
            return {"type": "AllAtOnce"}


def group_view(group: Group, attempted: DeploymentRecord | None, succeeded: DeploymentRecord | None) -> Shape:
    """A DeploymentGroupInfo with the newest deployment and the newest that succeeded."""
    shape: Shape = {
        "applicationName": group.application,
        "deploymentGroupId": group.id,
        "deploymentGroupName": group.name,
        "deploymentConfigName": group.config,
        "serviceRoleArn": group.role,
        "triggerConfigurations": list(group.triggers),
        "deploymentStyle": _STYLE,
        "computePlatform": "Lambda",
        "terminationHookEnabled": False,
        "outdatedInstancesStrategy": group.outdated_instances,
    }
    optional = {
        "alarmConfiguration": group.alarms and alarming_view(group.alarms),
        "autoRollbackConfiguration": group.rollback and rolling_back_view(group.rollback),
        "targetRevision": succeeded and located(succeeded.revision),
        "lastAttemptedDeployment": attempted and _last(attempted),
        "lastSuccessfulDeployment": succeeded and _last(succeeded),
    }
    return _without_nothing({**shape, **optional})


def _last(deployment: DeploymentRecord) -> Shape:
    shape = {"deploymentId": deployment.id, "status": deployment.status, "createTime": deployment.created_s}
    return _without_nothing({**shape, "endTime": deployment.completed_s})


def alarming_view(alarms: Alarming) -> Shape:
    """An AlarmConfiguration."""
    return {
        "enabled": alarms.enabled,
        "ignorePollAlarmFailure": alarms.ignore_poll_failure,
        "alarms": [{"name": name} for name in alarms.names],
    }


def rolling_back_view(rollback: RollingBack) -> Shape:
    """An AutoRollbackConfiguration."""
    return {"enabled": rollback.enabled, "events": list(rollback.events)}


def deployment_view(deployment: DeploymentRecord) -> Shape:
    """A DeploymentInfo."""
    shape: Shape = {
        "applicationName": deployment.application,
        "deploymentGroupName": deployment.group,
        "deploymentConfigName": deployment.config,
        "deploymentId": deployment.id,
        "revision": located(deployment.revision),
        "status": deployment.status,
        "createTime": deployment.created_s,
        "creator": str(deployment.creator),
        "ignoreApplicationStopFailures": False,
        "autoRollbackConfiguration": rolling_back_view(deployment.rollback),
        "updateOutdatedInstancesOnly": False,
        "deploymentStyle": _STYLE,
        "instanceTerminationWaitTimeStarted": False,
        "fileExistsBehavior": "DISALLOW",
        "deploymentStatusMessages": [],
        "computePlatform": "Lambda",
    }
    return _without_nothing({**shape, **_what_happened(deployment)})


def _what_happened(deployment: DeploymentRecord) -> Shape:
    failure = deployment.failure
    return {
        "description": deployment.description,
        "previousRevision": deployment.previous_revision and located(deployment.previous_revision),
        "startTime": deployment.started_s,
        "completeTime": deployment.completed_s,
        "deploymentOverview": None if deployment.started_s is None else _overview(deployment),
        "errorInformation": failure and {"code": failure.code, "message": failure.message},
        "rollbackInfo": deployment.rollback_note and _rollback(deployment.rollback_note),
        "overrideAlarmConfiguration": alarming_view(deployment.alarms) if deployment.alarms_overridden else None,
    }


def _overview(deployment: DeploymentRecord) -> Shape:
    return {status: int(deployment.target_status == status) for status in _COUNTED}


def _rollback(note: RollbackNote) -> Shape:
    return _without_nothing(
        {
            "rollbackDeploymentId": note.rollback_id,
            "rollbackTriggeringDeploymentId": note.triggered_by,
            "rollbackMessage": note.message,
        }
    )


def target_view(deployment: DeploymentRecord, target_id: str, arn: str) -> Shape:
    """A DeploymentTarget; its weight is a fraction, as captured, though AWS's documentation says percentage."""
    target = {
        "deploymentId": deployment.id,
        "targetId": target_id,
        "targetArn": arn,
        "status": str(deployment.target_status),
        "lastUpdatedAt": deployment.updated_s,
        "lifecycleEvents": [_event(event) for event in deployment.events],
        "lambdaFunctionInfo": _function(deployment),
    }
    return {"deploymentTargetType": "LambdaTarget", "lambdaTarget": target}


def _function(deployment: DeploymentRecord) -> Shape:
    if deployment.stage in (DeploymentStage.START, DeploymentStage.BEFORE_ALLOW_TRAFFIC):
        return {}
    spec = deployment.known_spec
    return {
        "functionName": spec.function,
        "functionAlias": spec.alias,
        "currentVersion": spec.current,
        "targetVersion": spec.target,
        "targetVersionWeight": deployment.weight,
    }


def _event(event: EventRecord) -> Shape:
    diagnostics = event.diagnostics
    return _without_nothing(
        {
            "lifecycleEventName": event.name,
            "startTime": event.started_s,
            "endTime": event.ended_s,
            "status": str(event.status),
            "diagnostics": diagnostics
            and {"errorCode": diagnostics.code, "scriptName": diagnostics.script, "message": diagnostics.message},
        }
    )


def generic_revision_view(registered: RegisteredRevision, groups: list[str]) -> Shape:
    """A GenericRevisionInfo; `groups` have the revision as their target."""
    used = registered.used_s
    return _without_nothing(
        {
            "description": registered.description,
            "deploymentGroups": groups,
            "registerTime": registered.registered_s,
            "firstUsedTime": used[0] if used else None,
            "lastUsedTime": used[-1] if used else None,
        }
    )


def _without_nothing(shape: Shape) -> Shape:
    return {member: value for member, value in shape.items() if value is not None}
