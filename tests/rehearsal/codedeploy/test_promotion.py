"""How a deployment that nothing stops goes, step by step."""

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PRESETS = {
    "LambdaCanary10Percent5Minutes": (10, 5),
    "LambdaCanary10Percent10Minutes": (10, 10),
    "LambdaCanary10Percent15Minutes": (10, 15),
    "LambdaCanary10Percent30Minutes": (10, 30),
    "LambdaLinear10PercentEvery1Minute": (10, 1),
    "LambdaLinear10PercentEvery2Minutes": (10, 2),
    "LambdaLinear10PercentEvery3Minutes": (10, 3),
    "LambdaLinear10PercentEvery10Minutes": (10, 10),
}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_first_weights_come_3_to_18_s_after_the_start(make_stage: Any, seed: int) -> None:
    """The alias is split soon after the start, and not at once."""
    stage = make_stage(seed)
    stage.group()
    deployment_id = stage.deploy()
    stage.advance(20)
    [(shifted_s, version, weights)] = stage.functions.shifts
    assert 3 <= shifted_s - stage.info(deployment_id)["startTime"].timestamp() <= 18
    assert (version, weights) == ("1", {"2": 0.1})


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_five_minute_canary_takes_five_minutes_and_some_seconds(make_stage: Any, seed: int) -> None:
    """From start to completion AWS took 5:02 and 5:05."""
    stage = make_stage(seed)
    stage.group()
    deployment_id = stage.deploy()
    stage.advance(299)
    assert stage.info(deployment_id)["status"] == "InProgress"
    assert stage.alias == ("1", {"2": 0.1})
    info = stage.until_status(deployment_id, "Succeeded", 10)
    assert 302 <= (info["completeTime"] - info["startTime"]).total_seconds() <= 307
    assert stage.alias == ("2", {})


def test_deployment_is_created_before_it_starts(stage: Any) -> None:
    """At first there is only a creation time."""
    stage.group()
    info = stage.info(stage.deploy(description="first"))
    assert info["status"] == "Created"
    assert info["description"] == "first"
    assert info["creator"] == "user"
    assert info["computePlatform"] == "Lambda"
    assert info["createTime"].timestamp() == pytest.approx(stage.now(), abs=0.002)
    assert not {"startTime", "completeTime", "errorInformation", "rollbackInfo", "deploymentOverview"} & info.keys()


def test_targets_are_not_there_before_the_start(stage: Any) -> None:
    """All three target operations say that the deployment has not started."""
    stage.group()
    deployment_id = stage.deploy()
    calls: list[tuple[str, dict[str, Any]]] = [
        ("list_deployment_targets", {}),
        ("get_deployment_target", {"targetId": "fn:Live"}),
        ("batch_get_deployment_targets", {"targetIds": ["fn:Live"]}),
    ]
    for operation, params in calls:
        assert stage.refused(operation, deploymentId=deployment_id, **params) == "DeploymentNotStartedException"


def test_lifecycle_events_go_through_in_order(stage: Any) -> None:
    """Before, during and after the shift the target tells which event is on."""
    stage.group()
    deployment_id = stage.deploy()
    seen = []
    for step_s in [0.2] * 50 + [290] + [0.2] * 50:
        stage.advance(step_s)
        if "startTime" in stage.info(deployment_id):
            events = stage.events(deployment_id)
            seen += [events] if [events] != seen[-1:] else []
    assert seen == [
        ["Pending", "Pending", "Pending"],
        ["InProgress", "Pending", "Pending"],
        ["Succeeded", "Pending", "Pending"],
        ["Succeeded", "InProgress", "Pending"],
        ["Succeeded", "Succeeded", "Pending"],
        ["Succeeded", "Succeeded", "InProgress"],
        ["Succeeded", "Succeeded", "Succeeded"],
    ]


def test_events_without_hook_take_about_half_a_second(stage: Any) -> None:
    """Captured: 0.4 to 0.7 s each, with gaps."""
    stage.group(config="LambdaAllAtOnce")
    deployment_id = stage.deploy()
    stage.advance(20)
    before, allow, after = stage.target(deployment_id)["lifecycleEvents"]
    for event in (before, after):
        assert 0.39 <= (event["endTime"] - event["startTime"]).total_seconds() <= 0.71
    for one, following in ((before, allow), (allow, after)):
        assert 0.24 <= (following["startTime"] - one["endTime"]).total_seconds() <= 0.81


def test_target_weight_is_a_fraction(stage: Any) -> None:
    """0.1 in the canary window, 1.0 at the end; nothing is told before the shift begins."""
    stage.group()
    deployment_id = stage.deploy()
    stage.advance(1)
    assert not stage.target(deployment_id)["lambdaFunctionInfo"]
    stage.advance(60)
    expected = {"functionName": "fn", "functionAlias": "Live", "currentVersion": "1", "targetVersion": "2"}
    assert stage.target(deployment_id)["lambdaFunctionInfo"] == {**expected, "targetVersionWeight": 0.1}
    stage.advance(260)
    target = stage.target(deployment_id)
    assert target["lambdaFunctionInfo"] == {**expected, "targetVersionWeight": 1.0}
    assert target["status"] == "Succeeded"


def test_overview_counts_the_one_target(stage: Any) -> None:
    """First in progress, then succeeded."""
    stage.group()
    deployment_id = stage.deploy()
    stage.advance(20)
    nothing = dict.fromkeys(["Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Ready"], 0)
    assert stage.info(deployment_id)["deploymentOverview"] == {**nothing, "InProgress": 1}
    stage.advance(300)
    assert stage.info(deployment_id)["deploymentOverview"] == {**nothing, "Succeeded": 1}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_shift_as_their_names_say(stage: Any, name: str) -> None:
    """Weights and their times follow the percentage and the minutes."""
    percent, minutes = PRESETS[name]
    stage.group(config=name)
    deployment_id = stage.deploy()
    stage.advance(9.3 * minutes * 60 + 60)
    steps = 1 if "Canary" in name else math.ceil((100 - percent) / percent)
    expected = [{"2": pytest.approx((n + 1) * percent / 100)} for n in range(steps)] + [{}]
    assert [weights for _, _, weights in stage.functions.shifts] == expected
    waits = [b - a for (a, *_), (b, *_) in zip(stage.functions.shifts, stage.functions.shifts[1:], strict=False)]
    assert all(minutes * 60 - 3 <= wait <= minutes * 60 + 1.5 for wait in waits)
    assert stage.info(deployment_id)["status"] == "Succeeded"


def test_all_at_once_shifts_everything_at_once(stage: Any) -> None:
    """There is never a weight."""
    stage.group(config="LambdaAllAtOnce")
    deployment_id = stage.deploy()
    stage.until_status(deployment_id, "Succeeded", 20)
    assert [shift[1:] for shift in stage.functions.shifts] == [("2", {})]


def test_lambda_deployment_cannot_be_continued(stage: Any) -> None:
    """It waits for nobody."""
    stage.group()
    deployment_id = stage.deploy()
    code = stage.refused("continue_deployment", deploymentId=deployment_id, deploymentWaitType="READY_WAIT")
    assert code == "UnsupportedActionForDeploymentTypeException"


def test_custom_configuration_is_used(stage: Any) -> None:
    """A one-minute canary of a quarter of the traffic."""
    canary = {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 25, "canaryInterval": 1}}
    stage.client.create_deployment_config(
        deploymentConfigName="Custom.Canary25Percent1Minute", computePlatform="Lambda", trafficRoutingConfig=canary
    )
    stage.group(config="Custom.Canary25Percent1Minute")
    stage.deploy()
    stage.advance(70)
    assert [weights for *_, weights in stage.functions.shifts] == [{"2": 0.25}, {}]


def test_configuration_of_the_deployment_overrides_the_groups(stage: Any) -> None:
    """CreateDeployment may name its own."""
    stage.group()
    deployment_id = stage.deploy(deploymentConfigName="CodeDeployDefault.LambdaAllAtOnce")
    info = stage.until_status(deployment_id, "Succeeded", 20)
    assert info["deploymentConfigName"] == "CodeDeployDefault.LambdaAllAtOnce"


def test_group_remembers_what_it_deployed(stage: Any) -> None:
    """Attempted, succeeded, and the revision that is in service."""
    stage.group()
    running = stage.deploy()
    stage.advance(20)
    group = {"applicationName": "app", "deploymentGroupName": "group"}
    shown = stage.client.get_deployment_group(**group)["deploymentGroupInfo"]
    assert shown["lastAttemptedDeployment"]["deploymentId"] == running
    assert shown["lastAttemptedDeployment"]["status"] == "InProgress"
    assert "lastSuccessfulDeployment" not in shown
    assert "targetRevision" not in shown
    stage.advance(300)
    shown = stage.client.get_deployment_group(**group)["deploymentGroupInfo"]
    assert shown["lastSuccessfulDeployment"]["deploymentId"] == running
    assert shown["lastSuccessfulDeployment"]["endTime"] == stage.info(running)["completeTime"]
    assert shown["targetRevision"] == stage.info(running)["revision"]


def test_previous_revision_is_what_was_deployed_before(stage: Any, appspec: Any) -> None:
    """A group's first deployment has none."""
    stage.group(config="LambdaAllAtOnce")
    first = stage.deploy()
    stage.advance(20)
    second = stage.deploy(content=appspec("2", "3"))
    stage.advance(20)
    assert "previousRevision" not in stage.info(first)
    assert stage.info(second)["previousRevision"] == stage.info(first)["revision"]


def test_same_seed_plays_the_same_deployment(make_stage: Any) -> None:
    """Ids and times depend on the seed alone."""
    played = []
    for seed in (7, 7, 8):
        stage = make_stage(seed)
        stage.group()
        begun_s, deployment_id = stage.now(), stage.deploy()
        stage.advance(320)
        played.append((deployment_id, [round(at_s - begun_s, 3) for at_s, *_ in stage.functions.shifts]))
    assert played[0] == played[1]
    assert played[0] != played[2]


def test_alias_moved_by_somebody_else_does_not_stop_the_deployment(stage: Any) -> None:
    """CodeDeploy writes its next weights over what it finds."""
    stage.group()
    deployment_id = stage.deploy()
    stage.advance(30)
    stage.functions.shift("fn", "Live", "5", {})
    stage.until_status(deployment_id, "Succeeded", 300)
    assert stage.alias == ("2", {})


def test_alias_deleted_meanwhile_fails_the_deployment(stage: Any) -> None:
    """There is nothing left to shift."""
    stage.group()
    deployment_id = stage.deploy()
    stage.advance(30)
    stage.functions.aliases.clear()
    info = stage.until_status(deployment_id, "Failed", 300)
    assert info["errorInformation"]["code"] == "INVALID_LAMBDA_FUNCTION"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.booleans(), st.integers(1, 99), st.integers(1, 29), st.integers())
def test_any_configuration_shifts_forward_to_the_target(
    make_stage: Any, appspec: Any, canary: bool, percent: int, minutes: int, seed: int
) -> None:
    """The alias gets more and more of the new version, and at last it alone."""
    stage = make_stage.off_the_wire(seed)
    kind = "Canary" if canary else "Linear"
    timing = {f"{kind.lower()}Percentage": percent, f"{kind.lower()}Interval": minutes}
    routing = {"type": f"TimeBased{kind}", f"timeBased{kind}": timing}
    group = {"applicationName": "app", "deploymentGroupName": "group", "deploymentConfigName": "Any"}
    role = {"serviceRoleArn": "arn:aws:iam::123456789012:role/CodeDeploy"}
    stage.service.create_deployment_config(
        {"deploymentConfigName": "Any", "computePlatform": "Lambda", "trafficRoutingConfig": routing}
    )
    stage.service.create_application({"applicationName": "app", "computePlatform": "Lambda"})
    stage.service.create_deployment_group({**group, **role})
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": appspec()}}
    deployment_id = stage.service.create_deployment({**group, "revision": revision})["deploymentId"]
    stage.advance(50 * 3600)
    *split, last = stage.functions.shifts
    weights = [shift[2]["2"] for shift in split]
    assert weights == sorted(set(weights))
    assert weights[0] == percent / 100
    assert {version for _, version, _ in split} == {"1"}
    assert last[1:] == ("2", {})
    info = stage.service.get_deployment({"deploymentId": deployment_id})["deploymentInfo"]
    assert info["status"] == "Succeeded"
