"""A cloud that stands still, and stacks that are deployed to it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.rehearsal.cloud import Cloud

Text = str
ALLOWED = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


class Deployer:
    """Deploys templates by change sets, as deploy tools do, to a cloud whose clock it moves."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.api = cloud.cloudformation

    def plan(self, text: Text, stack: str = "shop", **params: str) -> dict[str, Any]:
        """Makes a change set, and describes it once it is there."""
        found = [one for one in self.api.describe_stacks({})["Stacks"] if one["StackName"] == stack]
        is_new = not found or found[0]["StackStatus"] == "REVIEW_IN_PROGRESS"
        asked = self.api.create_change_set(
            {
                "StackName": stack,
                "ChangeSetName": "change",
                "ChangeSetType": "CREATE" if is_new else "UPDATE",
                "TemplateBody": text,
                "Capabilities": ALLOWED,
                "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in params.items()],
            }
        )
        self.cloud.advance(2)
        return self.api.describe_change_set({"ChangeSetName": asked["Id"]})

    def begin(self, text: Text, stack: str = "shop", **params: str) -> None:
        """Carries a change set out, and does not wait for its end."""
        planned = self.plan(text, stack, **params)
        assert planned["Status"] == "CREATE_COMPLETE", planned.get("StatusReason")
        self.api.execute_change_set({"ChangeSetName": planned["ChangeSetId"]})

    def deploy(self, text: Text, stack: str = "shop", **params: str) -> str:
        """Carries a change set out; the status that the stack ends in."""
        self.begin(text, stack, **params)
        self.cloud.advance(600)
        return self.status(stack)

    def status(self, stack: str = "shop") -> str:
        """The status of a stack."""
        return str(self.api.describe_stacks({"StackName": stack})["Stacks"][0]["StackStatus"])

    def outputs(self, stack: str = "shop") -> dict[str, str]:
        """The outputs of a stack."""
        (found,) = self.api.describe_stacks({"StackName": stack})["Stacks"]
        return {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}

    def events(self, logical: str, stack: str = "shop") -> list[tuple[str, str]]:
        """Status and reason of all that happened to a resource, oldest first."""
        told = self.api.describe_stack_events({"StackName": stack})["StackEvents"]
        own = [one for one in reversed(told) if one["LogicalResourceId"] == logical]
        return [(one["ResourceStatus"], one.get("ResourceStatusReason", "")) for one in own]

    def reasons(self, stack: str = "shop") -> list[str]:
        """What went wrong, but for what was then cancelled."""
        told = self.api.describe_stack_events({"StackName": stack})["StackEvents"]
        failed = [one["ResourceStatusReason"] for one in told if one["ResourceStatus"].endswith("FAILED")]
        return [reason for reason in failed if reason != "Resource creation cancelled"]

    def physical(self, logical: str, stack: str = "shop") -> str:
        """The physical id of a resource."""
        listed = self.api.list_stack_resources({"StackName": stack})["StackResourceSummaries"]
        return next(str(one["PhysicalResourceId"]) for one in listed if one["LogicalResourceId"] == logical)


@pytest.fixture
def deployer() -> Iterator[Deployer]:
    """A deployer to a cloud of its own."""
    cloud = Cloud(speed=0)
    cloud.functions.settles_in_s = 1.0
    yield Deployer(cloud)
    cloud.functions.close()


@pytest.fixture
def sam() -> Callable[..., Text]:
    """A SAM template whose function has a canary: `sam(body)` gives its code, `more` further resources."""

    def text(body: str, *, more: str = "", kind: str = "Canary10Percent5Minutes") -> Text:
        return SAM.replace("BODY", body).replace("KIND", kind) + more

    return text


SAM = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Threshold: {Type: Number, Default: 3}
Outputs:
  Function: {Value: !Ref Api}
  Alias: {Value: !Ref Api.Alias}
Resources:
  Api:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      InlineCode: |
        def handler(event, context):
            return BODY
      AutoPublishAlias: live
      DeploymentPreference:
        Type: KIND
        Alarms: [!Ref Errors]
  Errors:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/Lambda
      MetricName: Errors
      Dimensions: [{Name: FunctionName, Value: !Ref Api}]
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: !Ref Threshold
      ComparisonOperator: GreaterThanOrEqualToThreshold
"""
