"""Operations on the resources and events of stacks."""

from harness.rehearsal.cloudformation.records import Resource, StackRecord
from harness.rehearsal.cloudformation.refusals import invalid
from harness.rehearsal.cloudformation.store import StackStore
from harness.rehearsal.cloudformation.views import event_view, page, resource_view
from harness.rehearsal.operations import Answer, Params, operation


class ResourceOperations(StackStore):
    """What stacks are made of, and what happened to them."""

    @operation
    def list_stack_resources(self, params: Params) -> Answer:
        """ListStackResources."""
        stack = self._stack(params.get("StackName"))
        told = [{**resource_view(one), "LastUpdatedTimestamp": one.changed_s} for one in stack.resources.values()]
        return page("StackResourceSummaries", told, params.get("NextToken"))

    @operation
    def describe_stack_resources(self, params: Params) -> Answer:
        """DescribeStackResources: of a stack, or of the one that has a resource."""
        stack = self._stack(params.get("StackName") or self._owner(params.get("PhysicalResourceId")))
        wanted = params.get("LogicalResourceId")
        found = [one for name, one in stack.resources.items() if wanted in (None, name)]
        return {"StackResources": [{**_in_stack(stack, one), "Timestamp": one.changed_s} for one in found]}

    @operation
    def describe_stack_resource(self, params: Params) -> Answer:
        """DescribeStackResource."""
        stack = self._stack(params.get("StackName"))
        found = stack.resources.get(params["LogicalResourceId"])
        if found is None:
            raise invalid(f"Resource {params['LogicalResourceId']} does not exist for stack {stack.name}")
        return {"StackResourceDetail": {**_in_stack(stack, found), "LastUpdatedTimestamp": found.changed_s}}

    @operation
    def describe_stack_events(self, params: Params) -> Answer:
        """DescribeStackEvents, newest first."""
        stack = self._stack(params.get("StackName"))
        told = [event_view(stack, one) for one in reversed(stack.events)]
        return page("StackEvents", told, params.get("NextToken"))

    def _owner(self, physical: str | None) -> str | None:
        stacks = self._stacks.values()
        owners = (one.name for one in stacks for each in one.resources.values() if each.physical == physical)
        return next(owners, None)


def _in_stack(stack: StackRecord, resource: Resource) -> Answer:
    return {"StackId": stack.id, "StackName": stack.name, **resource_view(resource)}
