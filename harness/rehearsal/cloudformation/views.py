"""Records as CloudFormation shows them."""

from collections.abc import Iterable
from typing import Any

from harness.rehearsal.cloudformation import parameters
from harness.rehearsal.cloudformation.records import ChangeSet, Event, Resource, ResourceChange, StackRecord
from harness.rehearsal.operations import Answer

PAGE = 100
_NO_DRIFT = {"StackResourceDriftStatus": "NOT_CHECKED"}


def page(key: str, items: Iterable[Any], token: str | None, size: int = PAGE) -> Answer:
    """One page of a list; the token is where the next one begins."""
    listed, first = list(items), int(token) if token and token.isdecimal() else 0
    answer: Answer = {key: listed[first : first + size]}
    if first + size < len(listed):
        answer["NextToken"] = str(first + size)
    return answer


def filled(**members: Any) -> Answer:
    """The members of an answer that there are."""
    return {name: value for name, value in members.items() if value not in (None, "")}


def stack_view(stack: StackRecord) -> Answer:
    """A Stack of DescribeStacks."""
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "CreationTime": stack.created_s,
        "StackStatus": stack.status,
        "DisableRollback": stack.disable_rollback,
        "EnableTerminationProtection": stack.protected,
        "NotificationARNs": [],
        "RollbackConfiguration": {"RollbackTriggers": []},
        "Capabilities": list(stack.capabilities),
        "Parameters": parameters.shown(stack.template.section("Parameters"), stack.parameters),
        "Outputs": stack.outputs,
        "Tags": [{"Key": key, "Value": value} for key, value in stack.tags.items()],
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        **filled(
            Description=stack.template.text("Description"),
            ChangeSetId=stack.change_set_id,
            StackStatusReason=stack.reason,
            LastUpdatedTime=stack.updated_s,
            DeletionTime=stack.deleted_s,
        ),
    }


def summary_view(stack: StackRecord) -> Answer:
    """A StackSummary of ListStacks."""
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "CreationTime": stack.created_s,
        "StackStatus": stack.status,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        **filled(
            TemplateDescription=stack.template.text("Description"),
            LastUpdatedTime=stack.updated_s,
            DeletionTime=stack.deleted_s,
            StackStatusReason=stack.reason,
        ),
    }


def resource_view(resource: Resource) -> Answer:
    """What all views of a resource have in common."""
    return {
        "LogicalResourceId": resource.wanted.logical,
        "ResourceType": resource.wanted.kind,
        "ResourceStatus": resource.status,
        "DriftInformation": _NO_DRIFT,
        **filled(PhysicalResourceId=resource.physical, ResourceStatusReason=resource.reason),
    }


def event_view(stack: StackRecord, event: Event) -> Answer:
    """A StackEvent."""
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "EventId": event.id if event.kind.endswith("::Stack") else f"{event.logical}-{event.status}-{event.id}",
        "LogicalResourceId": event.logical,
        "PhysicalResourceId": event.physical,
        "ResourceType": event.kind,
        "Timestamp": event.at_s,
        "ResourceStatus": event.status,
        **filled(ResourceStatusReason=event.reason),
    }


def change_set_view(stack: StackRecord, one: ChangeSet) -> Answer:
    """DescribeChangeSet, without its changes."""
    return {
        **change_set_summary(stack, one),
        "Parameters": parameters.shown(one.template.section("Parameters"), one.parameters),
        "Capabilities": list(one.capabilities),
        "NotificationARNs": [],
        "RollbackConfiguration": {},
        "Tags": [{"Key": key, "Value": value} for key, value in one.tags.items()],
        "OnStackFailure": one.on_failure,
    }


def change_set_summary(stack: StackRecord, one: ChangeSet) -> Answer:
    """A ChangeSetSummary."""
    return {
        "ChangeSetId": one.id,
        "ChangeSetName": one.name,
        "StackId": stack.id,
        "StackName": stack.name,
        "CreationTime": one.created_s,
        "Status": one.status,
        "ExecutionStatus": one.execution,
        "IncludeNestedStacks": False,
        **filled(StatusReason=one.reason, Description=one.description),
    }


def change_view(change: ResourceChange) -> Answer:
    """One change of a change set."""
    told: Answer = {
        "Action": change.action,
        "LogicalResourceId": change.logical,
        "ResourceType": change.kind,
        "Scope": ["Properties"] if change.names else [],
        "Details": [_detail(name, replaces=change.replaces) for name in change.names],
        **filled(PhysicalResourceId=change.physical),
    }
    if change.action == "Modify":
        told["Replacement"] = "True" if change.replaces else "False"
    return {"Type": "Resource", "ResourceChange": told}


def _detail(name: str, *, replaces: bool) -> Answer:
    recreation = "Always" if replaces else "Never"
    target = {"Attribute": "Properties", "Name": name, "RequiresRecreation": recreation}
    return {"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"}
