"""A template is released as on AWS: at once, then as a canary, which an alarm rolls back with the stack."""

from collections.abc import Callable
from typing import Any

Sam = Callable[..., str]


def alias_of(deployer: Any) -> dict[str, Any]:
    """The alias as Lambda tells of it."""
    function = deployer.outputs()["Function"]
    return dict(deployer.cloud.functions.get_alias({"FunctionName": function, "Name": "live"}))


def test_the_first_deployment_is_no_canary(deployer: Any, sam: Sam) -> None:
    """CodeDeploy has a group and no deployment."""
    assert deployer.deploy(sam("1")) == "CREATE_COMPLETE"
    assert alias_of(deployer)["FunctionVersion"] == "1"
    assert deployer.cloud.codedeploy.list_deployments({})["deployments"] == []
    assert deployer.outputs()["Alias"].endswith(":live")


def test_the_second_is_one_and_the_stack_waits_for_it(deployer: Any, sam: Sam) -> None:
    """Five minutes at ten percent, told by the alias's events."""
    deployer.deploy(sam("1"))
    deployer.begin(sam("2"))
    deployer.cloud.advance(120)
    assert deployer.status() == "UPDATE_IN_PROGRESS"
    assert alias_of(deployer)["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.1}}
    deployer.cloud.advance(300)
    assert deployer.status() == "UPDATE_COMPLETE"
    assert alias_of(deployer)["FunctionVersion"] == "2"
    (deployment,) = deployer.cloud.codedeploy.list_deployments({})["deployments"]
    assert ("UPDATE_IN_PROGRESS", f"CodeDeploy deployment started: {deployment}") in deployer.events("ApiAliaslive")


def test_an_alarm_rolls_the_alias_and_the_stack_back(deployer: Any, sam: Sam) -> None:
    """With AWS's texts; the new version stays published, and $LATEST is the old code again."""
    deployer.deploy(sam("1"))
    before = deployer.cloud.functions.get_function_configuration({"FunctionName": deployer.outputs()["Function"]})
    deployer.begin(sam("2"))
    deployer.cloud.advance(60)
    alarm = {"AlarmName": deployer.physical("Errors"), "StateValue": "ALARM", "StateReason": "test"}
    deployer.cloud.cloudwatch.set_alarm_state(alarm)
    deployer.cloud.advance(120)
    assert deployer.status() == "UPDATE_ROLLBACK_COMPLETE"
    reasons = [reason for _, reason in deployer.events("ApiAliaslive") if reason]
    assert any(reason.startswith("CodeDeploy rollback deployment started: d-") for reason in reasons)
    failed = next(reason for status, reason in deployer.events("ApiAliaslive") if status == "UPDATE_FAILED")
    assert failed.startswith('Resource handler returned message: "d-')
    assert "One or more alarms have been activated" in failed
    assert failed.endswith("HandlerErrorCode: InternalFailure)")
    assert ("UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update: [ApiAliaslive]. ") in (
        deployer.events("shop")
    )
    function = {"FunctionName": deployer.outputs()["Function"]}
    assert alias_of(deployer)["FunctionVersion"] == "1"
    assert deployer.cloud.functions.get_function_configuration(function)["CodeSha256"] == before["CodeSha256"]
    versions = deployer.cloud.functions.list_versions_by_function(function)["Versions"]
    assert [one["Version"] for one in versions] == ["$LATEST", "1", "2"]


def test_the_same_template_again_is_no_change(deployer: Any, sam: Sam) -> None:
    """The change set fails with the text that deploy tools look for."""
    deployer.deploy(sam("1"))
    planned = deployer.plan(sam("1"))
    assert planned["Status"] == "FAILED"
    assert planned["StatusReason"].startswith("The submitted information didn't contain changes.")


def test_a_parameter_changes_what_hangs_on_it_alone(deployer: Any, sam: Sam) -> None:
    """The change set names the one property."""
    deployer.deploy(sam("1"))
    (change,) = deployer.plan(sam("1"), Threshold="5")["Changes"]
    assert change["ResourceChange"]["LogicalResourceId"] == "Errors"
    assert [one["Target"]["Name"] for one in change["ResourceChange"]["Details"]] == ["Threshold"]


def test_a_stack_that_is_deleted_leaves_nothing_behind(deployer: Any, sam: Sam) -> None:
    """No function, alarm or application of it."""
    deployer.deploy(sam("1"))
    deployer.api.delete_stack({"StackName": "shop"})
    deployer.cloud.advance(60)
    cloud = deployer.cloud
    assert cloud.functions.list_functions({})["Functions"] == []
    assert cloud.cloudwatch.describe_alarms({})["MetricAlarms"] == []
    assert cloud.codedeploy.list_applications({})["applications"] == []
    assert [one["StackStatus"] for one in deployer.api.list_stacks({})["StackSummaries"]] == ["DELETE_COMPLETE"]


def test_a_resource_that_is_not_played_says_so(deployer: Any, sam: Sam) -> None:
    """In the events of the stack."""
    deployer.deploy(sam("1", more="  Topic: {Type: 'AWS::SNS::Topic'}\n"))
    assert any("AWS::SNS::Topic is a placeholder" in reason for _, reason in deployer.events("Topic"))


def test_a_first_deployment_that_fails_is_taken_back(deployer: Any, sam: Sam) -> None:
    """The stack can only be deleted then, as on AWS."""
    bad = "  Bad: {Type: 'AWS::Lambda::Alias', Properties: {FunctionName: nobody, FunctionVersion: '1', Name: x}}\n"
    assert deployer.deploy(sam("1", more=bad)) == "ROLLBACK_COMPLETE"
    reason = next(reason for status, reason in deployer.events("Bad") if status == "CREATE_FAILED")
    assert "Function not found" in reason
    assert deployer.cloud.functions.list_functions({})["Functions"] == []
