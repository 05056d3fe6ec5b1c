"""Hooks: functions that run beside the deployment and decide whether it goes on."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

BOTH = {"BeforeAllowTraffic": "pre", "AfterAllowTraffic": "post"}
FAILED = {
    "code": "HOOK_EXECUTION_FAILURE",
    "message": "The deployment failed because one or more of the lifecycle event validation functions failed.",
}
ROLL_BACK = {"autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}}


def reporting(stage: Any, status: str) -> Callable[[dict[str, str]], None]:
    """A hook that reports `status` over boto3, as user code does."""

    def hook(event: dict[str, str]) -> None:
        stage.client.put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status=status,
        )

    return hook


def crashing(_event: dict[str, str]) -> None:
    """A hook that never comes to report."""
    raise ZeroDivisionError


def after_hook(stage: Any, name: str, within_s: float = 5) -> None:
    """Lets time pass until the hook was called, and waits for its end."""
    stage.until(lambda: any(call[0] == name for call in stage.functions.invoked), within_s, 0.5)
    stage.join_hooks()


def test_hook_gets_exactly_the_two_members(stage: Any, appspec: Any) -> None:
    """The deployment's id and an opaque execution id; the function is run unqualified."""
    stage.functions.hooks["pre"] = reporting(stage, "Succeeded")
    stage.group()
    deployment_id = stage.deploy(content=appspec(hooks={"BeforeAllowTraffic": "pre"}))
    after_hook(stage, "pre")
    [(function, version, payload, alias)] = stage.functions.invoked
    assert (function, version, alias) == ("pre", "$LATEST", None)
    event = json.loads(payload)
    assert event.keys() == {"DeploymentId", "LifecycleEventHookExecutionId"}
    assert event["DeploymentId"] == deployment_id
    assert event["LifecycleEventHookExecutionId"].startswith("eyJlbmNyeXB0ZWREYXRhIjog")


def test_hooks_that_pass_let_the_deployment_succeed(stage: Any, appspec: Any) -> None:
    """Each is run once, the first before any traffic, the second after all of it."""
    weights = []
    for name in BOTH.values():
        report = reporting(stage, "Succeeded")
        stage.functions.hooks[name] = lambda event, report=report: (weights.append(stage.alias), report(event))[1]
    stage.group()
    deployment_id = stage.deploy(content=appspec(hooks=BOTH))
    after_hook(stage, "pre")
    after_hook(stage, "post", 320)
    stage.until_status(deployment_id, "Succeeded", 5)
    assert weights == [("1", {}), ("2", {})]
    assert stage.events(deployment_id) == ["Succeeded"] * 3


def test_pre_hook_that_fails_keeps_all_traffic_back(stage: Any, appspec: Any) -> None:
    """The deployment fails at once, later events are skipped."""
    stage.functions.hooks["pre"] = reporting(stage, "Failed")
    stage.group(**ROLL_BACK)
    deployment_id = stage.deploy(content=appspec(hooks=BOTH))
    after_hook(stage, "pre")
    info = stage.info(deployment_id)
    assert (info["status"], info["errorInformation"]) == ("Failed", FAILED)
    assert stage.events(deployment_id) == ["Failed", "Skipped", "Skipped"]
    assert stage.rollback_of(deployment_id)["status"] == "Succeeded"
    assert stage.functions.shifts == []


def test_post_hook_that_fails_rolls_back_all_traffic(stage: Any, appspec: Any) -> None:
    """Although everything was shifted already; the rollback runs no hooks."""
    stage.functions.hooks.update(pre=reporting(stage, "Succeeded"), post=reporting(stage, "Failed"))
    stage.group(**ROLL_BACK)
    deployment_id = stage.deploy(content=appspec(hooks=BOTH))
    after_hook(stage, "pre")
    after_hook(stage, "post", 320)
    assert stage.info(deployment_id)["errorInformation"] == FAILED
    assert stage.events(deployment_id) == ["Succeeded", "Succeeded", "Failed"]
    assert stage.alias == ("2", {})
    rollback = stage.rollback_of(deployment_id)
    assert rollback["status"] == "Succeeded"
    assert stage.events(rollback["deploymentId"]) == ["Succeeded"] * 3
    assert stage.alias == ("1", {})
    assert [call[0] for call in stage.functions.invoked] == ["pre", "post"]


def test_failed_hook_is_diagnosed(stage: Any, appspec: Any) -> None:
    """The event tells which function failed."""
    stage.functions.hooks["pre"] = reporting(stage, "Failed")
    stage.group()
    deployment_id = stage.deploy(content=appspec(hooks=BOTH))
    after_hook(stage, "pre")
    diagnostics = stage.target(deployment_id)["lifecycleEvents"][0]["diagnostics"]
    assert (diagnostics["errorCode"], diagnostics["scriptName"]) == ("ScriptFailed", "pre")


def test_crashed_hook_times_out_after_an_hour(stage: Any, appspec: Any) -> None:
    """CodeDeploy waits for a report that never comes."""
    stage.functions.hooks["pre"] = crashing
    stage.group()
    deployment_id = stage.deploy(content=appspec(hooks=BOTH))
    after_hook(stage, "pre")
    begun = stage.target(deployment_id)["lifecycleEvents"][0]["startTime"].timestamp()
    stage.advance(begun + 3599 - stage.now())
    assert stage.info(deployment_id)["status"] == "InProgress"
    stage.advance(2)
    assert stage.info(deployment_id)["errorInformation"] == FAILED
    assert stage.target(deployment_id)["lifecycleEvents"][0]["diagnostics"]["errorCode"] == "ScriptTimedOut"


def test_alarm_stops_a_deployment_that_waits_for_its_hook(stage: Any, appspec: Any) -> None:
    """Alarms are watched until the end."""
    stage.alarms["errors"] = "OK"
    stage.functions.hooks["post"] = crashing
    stage.group(alarmConfiguration={"enabled": True, "alarms": [{"name": "errors"}]})
    deployment_id = stage.deploy(content=appspec(hooks={"AfterAllowTraffic": "post"}))
    after_hook(stage, "post", 320)
    stage.alarms["errors"] = "ALARM"
    stage.until_status(deployment_id, "Stopped", 29.5)
    assert stage.events(deployment_id) == ["Succeeded", "Succeeded", "Failed"]


def test_hook_function_that_does_not_exist_fails_the_deployment(stage: Any, appspec: Any) -> None:
    """There is nothing to wait for."""
    stage.group()
    deployment_id = stage.deploy(content=appspec(hooks={"BeforeAllowTraffic": "nowhere"}))
    stage.advance(3)
    stage.join_hooks()
    assert stage.info(deployment_id)["errorInformation"] == FAILED


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("pre:7", ("pre", "7", None)),
        ("fn:Live", ("fn", "1", "Live")),
        ("arn:aws:lambda:eu-north-1:123456789012:function:pre", ("pre", "$LATEST", None)),
        ("arn:aws:lambda:eu-north-1:123456789012:function:pre:3", ("pre", "3", None)),
    ],
)
def test_hook_may_be_qualified(stage: Any, appspec: Any, name: str, called: tuple[str, str, str | None]) -> None:
    """By a version, an alias, or a full ARN."""
    stage.functions.hooks.update(pre=crashing, fn=crashing)
    stage.group()
    stage.deploy(content=appspec(hooks={"BeforeAllowTraffic": name}))
    after_hook(stage, called[0])
    [(function, version, _, alias)] = stage.functions.invoked
    assert (function, version, alias) == called


def waiting(stage: Any, appspec: Any) -> tuple[str, str]:
    """A deployment that waits for its pre-hook, and the execution id."""
    stage.functions.hooks["pre"] = crashing
    stage.group()
    deployment_id = stage.deploy(content=appspec(hooks={"BeforeAllowTraffic": "pre"}))
    after_hook(stage, "pre")
    return deployment_id, json.loads(stage.functions.invoked[0][2])["LifecycleEventHookExecutionId"]


def put_refused(stage: Any, deployment_id: str, execution_id: str, status: str = "Succeeded") -> str:
    """The error code of a report."""
    return str(
        stage.refused(
            "put_lifecycle_event_hook_execution_status",
            deploymentId=deployment_id,
            lifecycleEventHookExecutionId=execution_id,
            status=status,
        )
    )


def test_report_may_come_later_and_from_elsewhere(stage: Any, appspec: Any) -> None:
    """Only the id counts, not who sends it."""
    deployment_id, execution_id = waiting(stage, appspec)
    stage.advance(600)
    reporting(stage, "Succeeded")({"DeploymentId": deployment_id, "LifecycleEventHookExecutionId": execution_id})
    stage.until_status(deployment_id, "Succeeded", 320)


def test_report_is_taken_once(stage: Any, appspec: Any) -> None:
    """The second one comes too late."""
    deployment_id, execution_id = waiting(stage, appspec)
    reporting(stage, "Succeeded")({"DeploymentId": deployment_id, "LifecycleEventHookExecutionId": execution_id})
    assert put_refused(stage, deployment_id, execution_id, "Failed") == "LifecycleEventAlreadyCompletedException"
    stage.advance(20)
    assert stage.info(deployment_id)["status"] == "InProgress"


def test_report_after_the_end_is_refused(stage: Any, appspec: Any) -> None:
    """A stopped deployment waits for nothing."""
    deployment_id, execution_id = waiting(stage, appspec)
    stage.client.stop_deployment(deploymentId=deployment_id)
    assert put_refused(stage, deployment_id, execution_id) == "LifecycleEventAlreadyCompletedException"


@pytest.mark.parametrize("word", ["Pending", "InProgress", "Skipped", "Unknown", "succeeded"])
def test_report_says_succeeded_or_failed(stage: Any, appspec: Any, word: str) -> None:
    """The other words of the enum are not results."""
    deployment_id, execution_id = waiting(stage, appspec)
    code = put_refused(stage, deployment_id, execution_id, word)
    assert code == "InvalidLifecycleEventHookExecutionStatusException"


def test_report_needs_the_id_of_its_deployment(stage: Any, appspec: Any) -> None:
    """An id that was made up, or that belongs to another deployment, is refused."""
    _, execution_id = waiting(stage, appspec)
    stage.group("other")
    other = stage.deploy("other")
    for wrong in (execution_id, "x"):
        assert put_refused(stage, other, wrong) == "InvalidLifecycleEventHookExecutionIdException"


def test_hook_that_hangs_holds_up_nobody(stage: Any, appspec: Any) -> None:
    """Time goes on and calls are answered while user code runs."""
    release = threading.Event()
    stage.functions.hooks["pre"] = lambda _event: release.wait(30)
    stage.group()
    deployment_id = stage.deploy(content=appspec(hooks={"BeforeAllowTraffic": "pre"}))
    stage.advance(600)
    assert stage.events(deployment_id) == ["InProgress", "Pending", "Pending"]
    release.set()
    stage.join_hooks()


def wait_on_a_running_clock(holds: Callable[[], object]) -> None:
    """Waits in wall time."""
    give_up = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.01)


@pytest.mark.slow
def test_hooks_and_rollback_play_on_a_running_clock(make_stage: Any, appspec: Any) -> None:
    """With the schedule's own thread, hooks over the wire, and calls in between."""
    stage = make_stage(1, speed=300)
    stage.functions.hooks.update(pre=reporting(stage, "Succeeded"), post=reporting(stage, "Failed"))
    stage.group(config="LambdaLinear10PercentEvery1Minute", **ROLL_BACK)
    stage.schedule.start()
    try:
        deployment_id = stage.deploy(content=appspec(hooks=BOTH))
        wait_on_a_running_clock(lambda: stage.info(deployment_id).get("rollbackInfo"))
        rollback_id = stage.info(deployment_id)["rollbackInfo"]["rollbackDeploymentId"]
        wait_on_a_running_clock(lambda: stage.info(rollback_id)["status"] == "Succeeded")
    finally:
        stage.schedule.stop()
    assert stage.info(deployment_id)["errorInformation"] == FAILED
    weights = [weights.get("2") for _, _, weights in stage.functions.shifts]
    assert weights == [*(pytest.approx(tenth / 10) for tenth in range(1, 10)), None, None]
    assert stage.alias == ("1", {})


def test_a_hook_that_ends_without_a_report_is_named_once(
    stage: Any, appspec: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Which function, in which lifecycle event; one that reported is not named."""
    stage.functions.hooks |= {"pre": reporting(stage, "Succeeded"), "post": lambda _: None}
    stage.group()
    deployment_id = stage.deploy(content=appspec(hooks=BOTH))
    after_hook(stage, "pre")
    after_hook(stage, "post", within_s=400)
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert said.startswith(f"{deployment_id} waits in AfterAllowTraffic: its hook function post ended without calling")
