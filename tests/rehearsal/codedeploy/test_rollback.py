"""What stops a deployment, what that leaves behind, and which way leads back."""

import itertools
from typing import Any

import pytest

ALL_EVENTS = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]


def rolling_back(*events: str) -> dict[str, Any]:
    """The group parameters for a rollback on these events."""
    return {"autoRollbackConfiguration": {"enabled": True, "events": list(events or ALL_EVENTS)}}


def alarming(*names: str, **more: Any) -> dict[str, Any]:
    """An enabled alarm configuration."""
    return {"enabled": True, "alarms": [{"name": name} for name in names], **more}


def test_alarm_stops_the_deployment(stage: Any) -> None:
    """Within 30 s after the alarm, with AWS's code and sentence."""
    stage.alarms["errors"] = "OK"
    stage.group(alarmConfiguration=alarming("errors"), **rolling_back())
    deployment_id = stage.deploy()
    stage.advance(60)
    stage.alarms["errors"] = "ALARM"
    info = stage.until_status(deployment_id, "Stopped", 29.5)
    assert info["errorInformation"] == {
        "code": "ALARM_ACTIVE",
        "message": "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, "
        "and the affected deployments have been stopped. Activated alarms: <errors>",
    }
    assert stage.events(deployment_id) == ["Succeeded", "Failed", "Skipped"]
    assert stage.target(deployment_id)["status"] == "Failed"


def test_several_alarms_are_named_in_angle_brackets(stage: Any) -> None:
    """Only those in ALARM, separated by spaces."""
    stage.alarms.update(a="ALARM", b="OK", c="ALARM")
    stage.group(alarmConfiguration=alarming("a", "b", "c"))
    deployment_id = stage.deploy()
    stage.advance(2)
    assert stage.info(deployment_id)["errorInformation"]["message"].endswith("Activated alarms: <a> <c>")


def test_looks_at_alarms_are_ten_seconds_apart(stage: Any) -> None:
    """The first comes with the start."""
    looks = []
    states = stage.alarms.states
    stage.alarms["errors"] = "OK"
    stage.alarms.states = lambda names: (looks.append(stage.now()), states(names))[1]
    stage.group(alarmConfiguration=alarming("errors"))
    started = stage.info(stage.deploy())["createTime"].timestamp()
    stage.advance(200)
    waits = [b - a for a, b in itertools.pairwise(looks)]
    assert looks[0] - started < 1
    assert waits == pytest.approx([10.0] * len(waits))


def test_succeeded_deployment_watches_no_alarm(stage: Any) -> None:
    """What rings later changes nothing."""
    stage.alarms["errors"] = "OK"
    stage.group(config="LambdaAllAtOnce", alarmConfiguration=alarming("errors"), **rolling_back())
    deployment_id = stage.deploy()
    stage.until_status(deployment_id, "Succeeded", 20)
    stage.alarms["errors"] = "ALARM"
    stage.advance(60)
    assert stage.info(deployment_id)["status"] == "Succeeded"
    assert "rollbackInfo" not in stage.info(deployment_id)


@pytest.mark.parametrize("state", ["OK", "INSUFFICIENT_DATA"])
def test_only_alarm_counts(stage: Any, state: str) -> None:
    """An alarm without data never stops anything."""
    stage.alarms["errors"] = state
    stage.group(alarmConfiguration=alarming("errors"), **rolling_back())
    stage.until_status(stage.deploy(), "Succeeded", 320)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_alarm_already_on_stops_within_a_second(make_stage: Any, seed: int) -> None:
    """No weight is ever set, and yet a rollback deployment appears."""
    stage = make_stage(seed)
    stage.alarms["errors"] = "ALARM"
    stage.group(alarmConfiguration=alarming("errors"), **rolling_back())
    deployment_id = stage.deploy()
    stage.advance(1)
    info = stage.info(deployment_id)
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert (info["completeTime"] - info["createTime"]).total_seconds() < 1
    assert stage.rollback_of(deployment_id)["status"] == "Succeeded"
    assert stage.functions.shifts == []
    assert stage.alias == ("1", {})


def test_all_at_once_looks_at_alarms_too(stage: Any) -> None:
    """The alarm that is on keeps the traffic where it is."""
    stage.alarms["errors"] = "ALARM"
    stage.group(config="LambdaAllAtOnce", alarmConfiguration=alarming("errors"))
    stage.until_status(stage.deploy(), "Stopped", 1.1)
    assert stage.alias == ("1", {})


def test_missing_alarm_stops_the_deployment(stage: Any) -> None:
    """An alarm that cannot be read is no licence to go on."""
    stage.group(alarmConfiguration=alarming("gone"), **rolling_back())
    info = stage.until_status(stage.deploy(), "Stopped", 1.1)
    assert "<gone>" in info["errorInformation"]["message"]


def test_missing_alarm_is_ignored_where_that_is_asked(stage: Any) -> None:
    """ignorePollAlarmFailure lets the deployment go on, and the alarms that can be read still count."""
    stage.alarms["errors"] = "OK"
    stage.group(alarmConfiguration=alarming("gone", "errors", ignorePollAlarmFailure=True))
    deployment_id = stage.deploy()
    stage.advance(60)
    assert stage.info(deployment_id)["status"] == "InProgress"
    stage.alarms["errors"] = "ALARM"
    stage.until_status(deployment_id, "Stopped", 29.5)


def test_disabled_alarm_configuration_is_not_watched(stage: Any) -> None:
    """`enabled: false` is the console's "ignore alarm configuration"."""
    stage.alarms["errors"] = "ALARM"
    stage.group(alarmConfiguration={"enabled": False, "alarms": [{"name": "errors"}]})
    stage.until_status(stage.deploy(), "Succeeded", 320)


def test_override_replaces_the_groups_alarms(stage: Any) -> None:
    """The way to deploy a fix while the alarm rings."""
    stage.alarms["errors"] = "ALARM"
    stage.group(alarmConfiguration=alarming("errors"))
    override = {"enabled": False, "ignorePollAlarmFailure": True, "alarms": []}
    deployment_id = stage.deploy(overrideAlarmConfiguration=override)
    info = stage.until_status(deployment_id, "Succeeded", 320)
    assert info["overrideAlarmConfiguration"] == override


def test_rollback_is_a_deployment_of_its_own(stage: Any) -> None:
    """Creator, configuration, messages and links are as captured, and it succeeds while the alarm is still in ALARM."""
    stage.alarms["errors"] = "OK"
    stage.group(alarmConfiguration=alarming("errors"), **rolling_back())
    forward_id = stage.deploy()
    stage.advance(60)
    stage.alarms["errors"] = "ALARM"
    stage.until_status(forward_id, "Stopped", 29.5)
    rollback = stage.rollback_of(forward_id)
    rollback_id = rollback["deploymentId"]
    assert rollback["status"] == "Succeeded"
    assert rollback["creator"] == "codeDeployRollback"
    assert rollback["deploymentConfigName"] == "CodeDeployDefault.LambdaAllAtOnce"
    assert 1 <= (rollback["completeTime"] - rollback["createTime"]).total_seconds() <= 3
    assert rollback["rollbackInfo"] == {
        "rollbackTriggeringDeploymentId": forward_id,
        "rollbackMessage": f"Deployment {rollback_id} is triggered to roll back deployment {forward_id}.",
    }
    assert stage.info(forward_id)["rollbackInfo"] == {
        "rollbackDeploymentId": rollback_id,
        "rollbackMessage": f"Deployment {forward_id} terminated. "
        f"Automatic rollback is triggered with a DeploymentId {rollback_id}.",
    }
    assert stage.events(rollback_id) == ["Succeeded"] * 3
    assert stage.target(rollback_id)["lambdaFunctionInfo"]["targetVersion"] == "1"
    assert stage.alias == ("1", {})


def test_rollback_info_comes_half_a_second_after_the_status(stage: Any) -> None:
    """An empty rollbackInfo right after the end proves nothing."""
    stage.group(**rolling_back())
    deployment_id = stage.deploy()
    stage.advance(60)
    stage.client.stop_deployment(deploymentId=deployment_id)
    stage.advance(0.49)
    assert stage.info(deployment_id)["status"] == "Stopped"
    assert "rollbackInfo" not in stage.info(deployment_id)
    stage.advance(0.02)
    assert "rollbackDeploymentId" in stage.info(deployment_id)["rollbackInfo"]


def test_stop_with_rollback_restores_the_alias(stage: Any) -> None:
    """autoRollbackEnabled asks for it even where the group does not."""
    stage.group()
    deployment_id = stage.deploy()
    stage.advance(60)
    answer = stage.client.stop_deployment(deploymentId=deployment_id, autoRollbackEnabled=True)
    assert answer["status"] == "Succeeded"
    assert answer["statusMessage"] == "No more commands will be scheduled for execution in the deployment instances"
    assert stage.info(deployment_id)["errorInformation"]["code"] == "MANUAL_STOP"
    assert stage.rollback_of(deployment_id)["status"] == "Succeeded"
    assert stage.alias == ("1", {})


def test_stop_without_rollback_leaves_the_alias_split(stage: Any) -> None:
    """And then the next deployment fails because of the weights."""
    stage.group(**rolling_back())
    deployment_id = stage.deploy()
    stage.advance(60)
    stage.client.stop_deployment(deploymentId=deployment_id, autoRollbackEnabled=False)
    stage.advance(60)
    assert "rollbackInfo" not in stage.info(deployment_id)
    assert stage.alias == ("1", {"2": 0.1})
    failed = stage.until_status(stage.deploy(), "Failed", 5)
    assert failed["errorInformation"]["code"] == "INVALID_LAMBDA_CONFIGURATION"
    assert stage.alias == ("1", {"2": 0.1})


def test_deployment_can_be_stopped_before_it_starts(stage: Any) -> None:
    """Its targets are then never there."""
    stage.group()
    deployment_id = stage.deploy()
    stage.client.stop_deployment(deploymentId=deployment_id)
    assert stage.info(deployment_id)["status"] == "Stopped"
    assert stage.refused("list_deployment_targets", deploymentId=deployment_id) == "DeploymentNotStartedException"


def test_stopped_deployment_cannot_be_stopped_again(stage: Any) -> None:
    """It is completed already."""
    stage.group()
    deployment_id = stage.deploy()
    stage.client.stop_deployment(deploymentId=deployment_id)
    assert stage.refused("stop_deployment", deploymentId=deployment_id) == "DeploymentAlreadyCompletedException"


def ends_by(stage: Any, event: str) -> str:
    """Brings a deployment to its end in the way that `event` names."""
    stage.alarms["errors"] = "OK"
    deployment_id = stage.deploy()
    stage.advance(30)
    if event == "DEPLOYMENT_STOP_ON_ALARM":
        stage.alarms["errors"] = "ALARM"
    elif event == "DEPLOYMENT_STOP_ON_REQUEST":
        stage.client.stop_deployment(deploymentId=deployment_id)
    else:
        del stage.functions.aliases["fn", "Live"]
    stage.until(lambda: stage.info(deployment_id)["status"] in ("Stopped", "Failed"), 300, 5)
    return deployment_id


@pytest.mark.parametrize("event", ALL_EVENTS)
def test_each_event_rolls_back_by_itself(stage: Any, event: str) -> None:
    """The other two are not needed."""
    stage.group(alarmConfiguration=alarming("errors"), **rolling_back(event))
    deployment_id = ends_by(stage, event)
    assert stage.rollback_of(deployment_id)["creator"] == "codeDeployRollback"


@pytest.mark.parametrize("event", ALL_EVENTS)
def test_without_its_event_nothing_rolls_back(stage: Any, event: str) -> None:
    """The other two do not help."""
    others = [one for one in ALL_EVENTS if one != event]
    stage.group(alarmConfiguration=alarming("errors"), **rolling_back(*others))
    deployment_id = ends_by(stage, event)
    stage.advance(10)
    assert "rollbackInfo" not in stage.info(deployment_id)
    if event != "DEPLOYMENT_FAILURE":
        assert stage.alias == ("1", {"2": 0.1})


def test_disabled_rollback_keeps_its_events_quiet(stage: Any) -> None:
    """`enabled: false` with events is no rollback."""
    stage.group(autoRollbackConfiguration={"enabled": False, "events": ALL_EVENTS})
    deployment_id = ends_by(stage, "DEPLOYMENT_STOP_ON_REQUEST")
    stage.advance(10)
    assert "rollbackInfo" not in stage.info(deployment_id)


def test_rollback_configuration_of_the_deployment_overrides_the_groups(stage: Any) -> None:
    """It is also the one that GetDeployment shows."""
    stage.group(**rolling_back())
    override = {"enabled": False, "events": []}
    deployment_id = stage.deploy(autoRollbackConfiguration=override)
    stage.advance(30)
    stage.client.stop_deployment(deploymentId=deployment_id)
    stage.advance(10)
    assert stage.info(deployment_id)["autoRollbackConfiguration"] == override
    assert "rollbackInfo" not in stage.info(deployment_id)


def test_rollback_does_not_roll_back(stage: Any) -> None:
    """One that fails, because the alias is gone, stays failed."""
    stage.group(**rolling_back())
    deployment_id = ends_by(stage, "DEPLOYMENT_FAILURE")
    rollback = stage.rollback_of(deployment_id)
    assert rollback["status"] == "Failed"
    assert "rollbackDeploymentId" not in rollback["rollbackInfo"]


def test_rollback_counts_as_the_groups_last_success(stage: Any) -> None:
    """The newest deployment of the list is the rollback, and it has succeeded."""
    stage.group(**rolling_back())
    deployment_id = stage.deploy()
    stage.advance(60)
    stage.client.stop_deployment(deploymentId=deployment_id)
    rollback_id = stage.rollback_of(deployment_id)["deploymentId"]
    newest = stage.client.list_deployments(applicationName="app", deploymentGroupName="group")["deployments"]
    assert newest == [rollback_id, deployment_id]


def test_group_has_one_deployment_at_a_time(stage: Any) -> None:
    """From the creation to the end of the rollback, also in the moment before that appears."""
    stage.group(**rolling_back())
    stage.group("other")
    deployment_id = stage.deploy()
    revision = stage.info(deployment_id)["revision"]
    second = {"applicationName": "app", "deploymentGroupName": "group"}
    second["revision"] = {**revision, "appSpecContent": {"content": "x"}}
    assert stage.refused("create_deployment", **second) == "DeploymentLimitExceededException"
    stage.advance(60)
    stage.client.stop_deployment(deploymentId=deployment_id)
    assert stage.refused("create_deployment", **second) == "DeploymentLimitExceededException"
    stage.advance(1)
    assert stage.refused("create_deployment", **second) == "DeploymentLimitExceededException"
    assert stage.deploy("other")
    stage.advance(5)
    assert stage.deploy()


def test_second_deployment_is_told_which_is_active(stage: Any) -> None:
    """The sentence is AWS's."""
    stage.group()
    deployment_id = stage.deploy()
    message = f"The Deployment Group 'group' already has an active Deployment '{deployment_id}'"
    with pytest.raises(stage.client.exceptions.DeploymentLimitExceededException, match=message):
        stage.deploy()
