"""Operations on change sets, which is how deploy tools change stacks."""

from harness.rehearsal.cloudformation.records import ChangeSet, StackRecord
from harness.rehearsal.cloudformation.refusals import invalid
from harness.rehearsal.cloudformation.resource_work import StackTarget
from harness.rehearsal.cloudformation.stack_operations import check_allowed, check_updatable
from harness.rehearsal.cloudformation.steps import Steps
from harness.rehearsal.cloudformation.store import StackStore
from harness.rehearsal.cloudformation.template import StackTemplate
from harness.rehearsal.cloudformation.transforms import TransformFailed
from harness.rehearsal.cloudformation.views import change_set_summary, change_set_view, change_view, page
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal

SETTLES_IN_S = 1.0
"""Seconds until a change set is there. Assumption: on AWS it is a few."""
_NOTHING = "The submitted information didn't contain changes. Submit different information to create a change set."


class ChangeSetOperations(StackStore):
    """Change sets: made, told of, carried out."""

    @operation
    def create_change_set(self, params: Params) -> Answer:
        """CreateChangeSet: what is wrong with a template fails it at once or in the change set, as on AWS."""
        stack = self._stack_to_change(params)
        name = params["ChangeSetName"]
        if name in stack.change_sets:
            raise Refusal(
                "AlreadyExistsException",
                f"ChangeSet {name} cannot be created: there is one of that name.",
            )
        one = ChangeSet(
            id=f"arn:aws:cloudformation:{self._home}:changeSet/{name}/{self._tools.id()}",
            name=name,
            kind=params.get("ChangeSetType") or "UPDATE",
            created_s=self._now(),
            template=StackTemplate(),
            parameters={},
            tags={},
            capabilities=tuple(params.get("Capabilities") or ()),
            description=params.get("Description"),
            on_failure=params.get("OnStackFailure") or "ROLLBACK",
        )
        self._plan(stack, one, params)
        self._keep(stack)
        stack.change_sets[name] = one
        self._begin(stack, self._settle(one))
        return {"Id": one.id, "StackId": stack.id}

    def _stack_to_change(self, params: Params) -> StackRecord:
        """The stack of a request, a new one where a change set makes it."""
        name, found = params["StackName"], self._found(params["StackName"])
        if params.get("ChangeSetType") != "CREATE":
            stack = self._own(name) if found else None
            if stack is None:
                raise invalid(f"Stack [{name}] does not exist")
            check_updatable(stack)
            return stack
        if found and found.status != "REVIEW_IN_PROGRESS":
            again = f"cannot be created again with the changeSet [{params['ChangeSetName']}]."
            raise invalid(f"Stack [{name}] already exists and {again}")
        if found:
            return found
        stack = self._new_stack(name)
        del self._stacks[name]
        return stack

    def _keep(self, stack: StackRecord) -> None:
        """Keeps a stack that was made for a change set, with its first event."""
        if not stack.status:
            self._stacks[stack.name] = stack
            self._work(stack).tell("REVIEW_IN_PROGRESS", "User Initiated")

    def _plan(self, stack: StackRecord, one: ChangeSet, params: Params) -> None:
        """What the change set will do, or why it cannot."""
        try:
            target = self._target(params, stack)
        except TransformFailed as error:
            one.reason = str(error)
            return
        check_allowed(target, needs_expansion=False)
        one.template, one.parameters, one.tags = target.template, target.parameters, target.tags
        one.resolved = target.resolved
        one.changes = self._changes(stack, target)
        if one.kind == "UPDATE" and self._is_same(stack, target):
            one.reason = _NOTHING

    def _settle(self, one: ChangeSet) -> Steps[None]:
        yield SETTLES_IN_S
        one.status = "FAILED" if one.reason else "CREATE_COMPLETE"
        one.execution = "UNAVAILABLE" if one.reason else "AVAILABLE"

    @operation
    def describe_change_set(self, params: Params) -> Answer:
        """DescribeChangeSet."""
        stack, one = self._change_set(params)
        changes = [] if one.status == "CREATE_PENDING" else [change_view(change) for change in one.changes]
        return {**change_set_view(stack, one), **page("Changes", changes, params.get("NextToken"))}

    @operation
    def list_change_sets(self, params: Params) -> Answer:
        """ListChangeSets."""
        stack = self._stack(params["StackName"])
        listed = [change_set_summary(stack, one) for one in stack.change_sets.values()]
        return page("Summaries", listed, params.get("NextToken"))

    @operation
    def delete_change_set(self, params: Params) -> Answer:
        """DeleteChangeSet; one that is not there is no error."""
        stack = self._found(params.get("StackName")) if params.get("StackName") else None
        for each in [stack] if stack else [*self._stacks.values()]:
            for name in [
                one.name for one in each.change_sets.values() if params["ChangeSetName"] in (one.name, one.id)
            ]:
                del each.change_sets[name]
        return {}

    @operation
    def execute_change_set(self, params: Params) -> Answer:
        """ExecuteChangeSet."""
        stack, one = self._change_set(params)
        if one.execution != "AVAILABLE":
            raise Refusal(
                "InvalidChangeSetStatus",
                f"ChangeSet [{one.id}] cannot be executed in its current status of [{one.status}]",
            )
        target = StackTarget(
            template=one.template,
            parameters=one.parameters,
            resolved=one.resolved,
            tags=one.tags,
            capabilities=one.capabilities,
        )
        keep = bool(params.get("DisableRollback"))
        stack.disable_rollback, stack.change_set_id = keep, one.id
        stack.change_sets.clear()
        work = self._work(stack)
        if one.kind == "CREATE":
            self._begin(stack, work.create(target, "DO_NOTHING" if keep else one.on_failure))
        else:
            check_updatable(stack)
            self._begin(stack, work.update(target, keep=keep))
        return {}

    def _change_set(self, params: Params) -> tuple[StackRecord, ChangeSet]:
        wanted, name = params["ChangeSetName"], params.get("StackName")
        stacks = [self._stack(name)] if name else [*self._stacks.values()]
        for stack in stacks:
            for one in stack.change_sets.values():
                if wanted in (one.name, one.id):
                    return stack, one
        raise Refusal("ChangeSetNotFound", f"ChangeSet [{wanted}] does not exist")
