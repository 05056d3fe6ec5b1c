"""What a template says becomes what AWS makes of it, and what it must not say is refused in AWS's words."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from harness.rehearsal.cloud import Cloud
from harness.rehearsal.functions.own_code import WARM_ENVIRONMENTS
from harness.rehearsal.refusal import Refusal
from tests.rehearsal.cloudformation.conftest import Deployer

Sam = Callable[..., str]
ROLE = "arn:aws:iam::123456789012:role/r"


def template(resources: dict[str, Any] | None = None, **sections: Any) -> str:
    """A template with a log group beside the given resources."""
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "group"}}
    return json.dumps({"Resources": {"Group": group, **(resources or {})}, **sections})


def output(deployer: Any, value: Any, **sections: Any) -> str:
    """What a value of an output becomes."""
    deployer.deploy(template(Outputs={"Value": {"Value": value}}, **sections))
    return str(deployer.outputs()["Value"])


VALUES = {
    "Ref": ({"Ref": "Group"}, "group"),
    "a pseudo parameter": ({"Ref": "AWS::Region"}, "eu-north-1"),
    "no topic to notify": ({"Fn::Join": [",", {"Ref": "AWS::NotificationARNs"}]}, ""),
    "GetAtt": ({"Fn::GetAtt": ["Group", "Arn"]}, "arn:aws:logs:eu-north-1:123456789012:log-group:group:*"),
    "Sub": ({"Fn::Sub": "${Group}-${AWS::StackName}-${!Not}"}, "group-shop-${Not}"),
    "Join": ({"Fn::Join": ["-", ["a", {"Ref": "Group"}]]}, "a-group"),
    "Select and Split": ({"Fn::Select": [1, {"Fn::Split": [",", "a,b,c"]}]}, "b"),
    "FindInMap": ({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "Size"]}, "7"),
    "If": ({"Fn::If": ["IsNorth", "north", "south"]}, "north"),
    "Base64": ({"Fn::Base64": "text"}, "dGV4dA=="),
    "ToJsonString": ({"Fn::ToJsonString": {"a": {"Ref": "Group"}}}, '{"a":"group"}'),
    "Length": ({"Fn::Length": ["a", "b"]}, "2"),
    "GetAZs": ({"Fn::Select": ["0", {"Fn::GetAZs": ""}]}, "eu-north-1a"),
    "a parameter": ({"Ref": "Stage"}, "test"),
}


@pytest.mark.parametrize(("value", "meant"), VALUES.values(), ids=VALUES.keys())
def test_a_function_gives_what_it_gives_on_aws(deployer: Any, value: Any, meant: str) -> None:
    """Each function of CloudFormation, in an output."""
    given = {
        "Mappings": {"Sizes": {"eu-north-1": {"Size": "7"}}},
        "Conditions": {"IsNorth": {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-north-1"]}},
        "Parameters": {"Stage": {"Type": "String", "Default": "test"}},
    }
    assert output(deployer, value, **given) == meant


def test_a_stack_uses_what_another_exports(deployer: Any) -> None:
    """And the one that exports cannot be deleted meanwhile."""
    deployer.deploy(template(Outputs={"Name": {"Value": "text", "Export": {"Name": "shared"}}}), "base")
    other = {"Other": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": {"Fn::ImportValue": "shared"}}}}
    deployer.deploy(json.dumps({"Resources": other}))
    assert deployer.physical("Other") == "text"
    with pytest.raises(Refusal, match="Export shared cannot be deleted as it is in use by shop"):
        deployer.api.delete_stack({"StackName": "base"})


def test_a_parameter_of_the_store_is_read_there(deployer: Any) -> None:
    """By its type, and as a dynamic reference."""
    stored = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/key", "Type": "String", "Value": "kept"}}
    deployer.deploy(json.dumps({"Resources": {"Stored": stored}}), "base")
    declared = {"Key": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/key"}}
    value = {"Fn::Join": ["+", [{"Ref": "Key"}, "{{resolve:ssm:/key}}"]]}
    assert output(deployer, value, Parameters=declared) == "kept+kept"


def test_a_condition_that_does_not_hold_makes_nothing(deployer: Any) -> None:
    """And takes away what was made while it held."""
    other = {"Other": {"Type": "AWS::Logs::LogGroup", "Condition": "Wanted"}}
    sections = {
        "Conditions": {"Wanted": {"Fn::Equals": [{"Ref": "On"}, "yes"]}},
        "Parameters": {"On": {"Type": "String"}},
    }
    deployer.deploy(template(other, **sections), On="yes")
    assert deployer.physical("Other").startswith("shop-Other-")
    deployer.deploy(template(other, **sections), On="no")
    assert deployer.events("Other")[-1] == ("DELETE_COMPLETE", "")


def test_a_new_name_makes_a_new_resource_before_the_old_one_goes(deployer: Any) -> None:
    """In the clean-up, as on AWS."""

    def group(name: str) -> str:
        return json.dumps({"Resources": {"G": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name}}}})

    deployer.deploy(group("one"))
    (change,) = deployer.plan(group("two"))["Changes"]
    assert change["ResourceChange"]["Replacement"] == "True"
    deployer.api.delete_change_set({"StackName": "shop", "ChangeSetName": "change"})
    assert deployer.deploy(group("two")) == "UPDATE_COMPLETE"
    assert deployer.physical("G") == "two"
    statuses = [status for status, _ in deployer.events("G")]
    assert statuses.index("UPDATE_COMPLETE") < statuses.index("DELETE_COMPLETE")


NEEDS = {"Type": "AWS::Logs::LogGroup", "DependsOn": "B"}
BAD = {
    "not YAML": ("a: [", "Template format error: YAML not well-formed"),
    "no resources": ("{}", "Template format error: At least one Resources member must be defined."),
    "no type": (template({"A": {}}), r"\[/Resources/A\] Every Resources object must contain a Type member"),
    "an unknown type": (template({"A": {"Type": "Nope"}}), r"Unrecognized resource types: \[Nope\]"),
    "a name with a dash": (template({"A-b": {"Type": "AWS::SNS::Topic"}}), "Resource name A-b is non alphanumeric"),
    "an unknown reference": (
        template({"A": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "Nobody"}}}}),
        r"Unresolved resource dependencies \[Nobody\] in the Resources block of the template",
    ),
    "an unknown attribute's resource": (
        template({"A": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Fn::GetAtt": ["Nobody", "Arn"]}}}}),
        "instance of Fn::GetAtt references undefined resource Nobody",
    ),
    "a circle": (
        template({"A": NEEDS, "B": {"Type": "AWS::SNS::Topic", "DependsOn": "A"}}),
        r"Circular dependency between resources: \[A, B\]",
    ),
    "a missing parameter": (
        template(Parameters={"Stage": {"Type": "String"}}),
        r"Parameters: \[Stage\] must have values",
    ),
    "an unknown section": (template(Foo={}), r"Invalid template property or properties \[Foo\]"),
    "a value that is not allowed": (
        template(Parameters={"Stage": {"Type": "String", "AllowedValues": ["a"], "Default": "b"}}),
        "Parameter 'Stage' must be one of AllowedValues",
    ),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD.keys())
def test_a_bad_template_is_refused_in_the_words_of_aws(deployer: Any, text: str, words: str) -> None:
    """When the change set is asked for, so that no stack is left behind."""
    with pytest.raises(Refusal, match=words):
        deployer.plan(text)
    assert deployer.api.describe_stacks({})["Stacks"] == []


def test_what_sam_refuses_fails_the_change_set(deployer: Any) -> None:
    """With the translator's own sentences."""
    function = {"Type": "AWS::Serverless::Function", "Properties": {"DeploymentPreference": {"Type": "AllAtOnce"}}}
    planned = deployer.plan(template({"F": function}, Transform="AWS::Serverless-2016-10-31"))
    assert planned["Status"] == "FAILED"
    assert "Resource with id [F] is invalid" in planned["StatusReason"]


def test_roles_need_a_capability(deployer: Any, sam: Sam) -> None:
    """As on AWS."""
    asked = {"StackName": "shop", "ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": sam("1")}
    with pytest.raises(Refusal, match=r"Requires capabilities : \[CAPABILITY_IAM\]"):
        deployer.api.create_change_set(asked)


def test_a_version_of_an_unchanged_function_is_refused(deployer: Any) -> None:
    """With the text of AWS's handler, and the update is taken back."""
    code = {"Runtime": "python3.12", "Handler": "index.h", "Role": ROLE, "Code": {"ZipFile": "def h(e, c): pass"}}
    function = {"Type": "AWS::Lambda::Function", "Properties": code}
    version = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "F"}}}
    deployer.deploy(json.dumps({"Resources": {"F": function, "One": version}}))
    assert deployer.deploy(json.dumps({"Resources": {"F": function, "One": version, "Two": version}})) == (
        "UPDATE_ROLLBACK_COMPLETE"
    )
    reason = next(reason for status, reason in deployer.events("Two") if status == "CREATE_FAILED")
    assert "A version for this Lambda function exists ( 1 ). Modify the function to create a new version." in reason


def test_a_version_is_warm_before_its_first_run_where_time_is_compressed() -> None:
    """Else 60 times as many requests as on AWS would wait for a start, and each new version would look slow."""
    code = {"Runtime": "python3.12", "Handler": "index.h", "Role": ROLE, "Code": {"ZipFile": "def h(e, c): pass"}}
    function = {"Type": "AWS::Lambda::Function", "Properties": code}
    version = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "F"}}}
    cloud = Cloud(speed=60)
    deployer = Deployer(cloud)
    try:
        deployer.begin(json.dumps({"Resources": {"F": function, "One": version}}))
        while deployer.status() == "CREATE_IN_PROGRESS":
            time.sleep(0.01)
        assert deployer.status() == "CREATE_COMPLETE"
        assert len(cloud.functions.pids()) == WARM_ENVIRONMENTS
    finally:
        cloud.functions.close()


def test_a_stack_at_work_takes_no_change(deployer: Any, sam: Sam) -> None:
    """Until its deployment is over; then the next deployment goes on."""
    deployer.deploy(sam("1"))
    deployer.begin(sam("2"))
    with pytest.raises(Refusal, match="is in UPDATE_IN_PROGRESS state and can not be updated"):
        deployer.plan(sam("3"))
    with pytest.raises(Refusal, match="cannot be deleted while in status UPDATE_IN_PROGRESS"):
        deployer.api.delete_stack({"StackName": "shop"})
    deployer.cloud.advance(600)
    assert deployer.deploy(sam("3")) == "UPDATE_COMPLETE"


def test_a_metric_filter_of_a_stack_makes_its_metric(deployer: Any) -> None:
    """What the functions of a log group write counts as the filter says; it is changed and deleted with its stack."""

    def text(pattern: str) -> str:
        made = {"MetricNamespace": "Shop", "MetricName": "Failures", "MetricValue": "1", "DefaultValue": 0}
        properties = {"LogGroupName": {"Ref": "Group"}, "FilterPattern": pattern, "MetricTransformations": [made]}
        return template({"Filter": {"Type": "AWS::Logs::MetricFilter", "Properties": properties}})

    def filters() -> list[str]:
        return [one["filterPattern"] for one in deployer.cloud.functions.logs.filters_of("group")]

    deployer.deploy(text("ERROR"))
    assert filters() == ["ERROR"]
    deployer.deploy(text("?ERROR ?Error"))
    assert filters() == ["?ERROR ?Error"]
    deployer.deploy(template())
    assert filters() == []
