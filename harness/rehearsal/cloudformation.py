"""CloudFormation of the local cloud: the stack that was set up, as a template of a team would have made it.

It is read-only: a stack keeps the resources that it started with.
Assumption: logical ids are those of a SAM or Serverless Framework template, `<Key>DeploymentGroup` beside
`<Key>Alias<alias>`.
"""

from collections.abc import Iterator

from harness.rehearsal.clock import Schedule
from harness.rehearsal.operations import Answer, AwsService, Params, operation
from harness.rehearsal.refusal import Refusal
from harness.rehearsal.stack import Stack

KEY = "Service"
"""What the logical ids of the function and of all that belongs to it begin with."""
_COMPLETE = "CREATE_COMPLETE"
_NO_DRIFT = {"StackResourceDriftStatus": "NOT_CHECKED"}


class CloudFormation(AwsService):
    """CloudFormation; operations are methods in snake case with AWS's parameters."""

    def __init__(self, schedule: Schedule, *, account: str, region: str) -> None:
        super().__init__(schedule)
        self._home = f"{region}:{account}"
        self._stacks: dict[str, Answer] = {}
        self._resources: dict[str, list[Answer]] = {}

    def provide(self, stack: Stack) -> None:
        """Adds a stack that was set up."""
        made_s = self._now()
        self._stacks[stack.name] = {
            "StackId": f"arn:aws:cloudformation:{self._home}:stack/{stack.name}/00000000-0000-4000-8000-000000000000",
            "StackName": stack.name,
            "CreationTime": made_s,
            "StackStatus": _COMPLETE,
        }
        self._resources[stack.name] = [
            {
                "LogicalResourceId": logical,
                "PhysicalResourceId": physical,
                "ResourceType": f"AWS::{kind}",
                "ResourceStatus": _COMPLETE,
                "DriftInformation": _NO_DRIFT,
                "made_s": made_s,
            }
            for kind, logical, physical in self._listed(stack)
        ]

    def _listed(self, stack: Stack) -> Iterator[tuple[str, str, str]]:
        """Type, logical and physical id of each resource."""
        arn = f"arn:aws:lambda:{self._home}:function:{stack.function}"
        yield "Lambda::Function", KEY, stack.function
        yield "Lambda::Version", f"{KEY}Version", f"{arn}:{stack.baseline}"
        yield "Lambda::Alias", f"{KEY}Alias{stack.alias}", f"{arn}:{stack.alias}"
        yield "CloudWatch::Alarm", f"{KEY}Errors", stack.alarm
        yield "CodeDeploy::Application", "DeploymentApplication", stack.application
        yield "CodeDeploy::DeploymentGroup", f"{KEY}DeploymentGroup", stack.group
        for event, function in stack.hooks.items():
            yield "Lambda::Function", f"{event}Hook", function

    @operation
    def describe_stacks(self, params: Params) -> Answer:
        """DescribeStacks: one, or all."""
        wanted = params.get("StackName")
        return {"Stacks": [self._stacks[self._known(wanted)]] if wanted else list(self._stacks.values())}

    @operation
    def list_stack_resources(self, params: Params) -> Answer:
        """ListStackResources."""
        name = self._known(params.get("StackName"))
        return {"StackResourceSummaries": [_dated(one, "LastUpdatedTimestamp") for one in self._resources[name]]}

    @operation
    def describe_stack_resources(self, params: Params) -> Answer:
        """DescribeStackResources: of a stack, or of the one that has a resource."""
        name = self._known(params.get("StackName") or self._owner(params.get("PhysicalResourceId")))
        wanted = params.get("LogicalResourceId")
        stack = {key: self._stacks[name][key] for key in ("StackId", "StackName")}
        found = [one for one in self._resources[name] if wanted in (None, one["LogicalResourceId"])]
        return {"StackResources": [{**stack, **_dated(one, "Timestamp")} for one in found]}

    def _known(self, wanted: str | None) -> str:
        """The name of the stack of a name or id."""
        for name, stack in self._stacks.items():
            if wanted in (name, stack["StackId"]):
                return name
        raise Refusal("ValidationError", f"Stack with id {wanted} does not exist")

    def _owner(self, physical: str | None) -> str | None:
        owners = (name for name, listed in self._resources.items() for one in listed if _is(one, physical))
        return next(owners, None)


def _is(resource: Answer, physical: str | None) -> bool:
    return bool(resource["PhysicalResourceId"] == physical)


def _dated(resource: Answer, name: str) -> Answer:
    told = {key: value for key, value in resource.items() if key != "made_s"}
    return {**told, name: resource["made_s"]}
