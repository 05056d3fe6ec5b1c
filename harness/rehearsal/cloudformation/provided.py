"""The stack that a cloud begins with, as a template of a team would have made it; it is not changed.

Assumption: logical ids are those of a SAM or Serverless Framework template, `<Key>DeploymentGroup` beside
`<Key>Alias<alias>`.
"""

from collections.abc import Iterator

from harness.rehearsal.cloudformation.records import MadeResource, Resource, StackRecord, WantedResource
from harness.rehearsal.stack import Stack

KEY = "Service"
"""What the logical ids of the function and of all that belongs to it begin with."""
_COMPLETE = "CREATE_COMPLETE"


def provided(stack: Stack, home: str, made_s: float) -> StackRecord:
    """The record of a stack that was set up at an instant."""
    arn = f"arn:aws:cloudformation:{home}:stack/{stack.name}/00000000-0000-4000-8000-000000000000"
    record = StackRecord(id=arn, name=stack.name, created_s=made_s, status=_COMPLETE, is_provided=True)
    for kind, logical, physical in _listed(stack, home):
        wanted = WantedResource(logical=logical, kind=f"AWS::{kind}", properties={})
        record.resources[logical] = Resource(
            wanted=wanted, made=MadeResource(physical), status=_COMPLETE, reason=None, changed_s=made_s
        )
    return record


def _listed(stack: Stack, home: str) -> Iterator[tuple[str, str, str]]:
    """Type, logical and physical id of each resource."""
    arn = f"arn:aws:lambda:{home}:function:{stack.function}"
    yield "Lambda::Function", KEY, stack.function
    yield "Lambda::Version", f"{KEY}Version", f"{arn}:{stack.baseline}"
    yield "Lambda::Alias", f"{KEY}Alias{stack.alias}", f"{arn}:{stack.alias}"
    yield "CloudWatch::Alarm", f"{KEY}Errors", stack.alarm
    yield "CodeDeploy::Application", "DeploymentApplication", stack.application
    yield "CodeDeploy::DeploymentGroup", f"{KEY}DeploymentGroup", stack.group
    for event, function in stack.hooks.items():
        yield "Lambda::Function", f"{event}Hook", function
