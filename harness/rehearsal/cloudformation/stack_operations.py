"""Operations on stacks."""

from collections.abc import Iterable

from harness.rehearsal.cloudformation import parameters
from harness.rehearsal.cloudformation.checks import check_form
from harness.rehearsal.cloudformation.records import StackRecord
from harness.rehearsal.cloudformation.refusals import invalid
from harness.rehearsal.cloudformation.resource_work import StackTarget
from harness.rehearsal.cloudformation.store import StackStore
from harness.rehearsal.cloudformation.template import StackTemplate
from harness.rehearsal.cloudformation.transforms import (
    TransformFailed,
    check_capabilities,
    needed_capabilities,
)
from harness.rehearsal.cloudformation.views import page, stack_view, summary_view
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal
from harness.templates.resolver import transforms_of

UPDATABLE = (
    "CREATE_COMPLETE",
    "IMPORT_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_COMPLETE",
    "CREATE_FAILED",
)


class StackOperations(StackStore):
    """Stacks: made, changed, deleted, and told of."""

    @operation
    def create_stack(self, params: Params) -> Answer:
        """CreateStack."""
        name = params["StackName"]
        if self._found(name):
            raise Refusal("AlreadyExistsException", f"Stack [{name}] already exists")
        target = self._asked_target(params, None)
        blank = StackRecord(id="", name=name, created_s=self._now(), status="")
        self._wanted(blank, target)
        stack = self._new_stack(name)
        stack.disable_rollback = bool(params.get("DisableRollback"))
        stack.protected = bool(params.get("EnableTerminationProtection"))
        on_failure = params.get("OnFailure") or ("DO_NOTHING" if stack.disable_rollback else "ROLLBACK")
        self._begin(stack, self._work(stack).create(target, on_failure))
        return {"StackId": stack.id}

    @operation
    def update_stack(self, params: Params) -> Answer:
        """UpdateStack."""
        stack = self._own(params["StackName"])
        check_updatable(stack)
        target = self._asked_target(params, stack)
        self._wanted(stack, target)
        if self._is_same(stack, target):
            raise invalid("No updates are to be performed.")
        self._begin(stack, self._work(stack).update(target, keep=bool(params.get("DisableRollback"))))
        return {"StackId": stack.id}

    def _asked_target(self, params: Params, stack: StackRecord | None) -> StackTarget:
        try:
            target = self._target(params, stack)
        except TransformFailed as error:
            raise invalid(str(error)) from error
        check_allowed(target, needs_expansion=True)
        return target

    @operation
    def delete_stack(self, params: Params) -> Answer:
        """DeleteStack; one that is not there is no error."""
        stack = self._found(params["StackName"])
        if stack is None or stack.deleted_s is not None:
            return {}
        self._own(stack.id)
        self._check_deletable(stack)
        self._begin(stack, self._work(stack).delete(params.get("RetainResources") or ()))
        return {}

    def _check_deletable(self, stack: StackRecord) -> None:
        if stack.protected:
            raise invalid(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        if stack.is_busy:
            raise invalid(f"Stack [{stack.name}] cannot be deleted while in status {stack.status}")
        for export in stack.exports:
            users = [one.name for one in self._stacks.values() if export in one.imports]
            if users:
                raise invalid(f"Export {export} cannot be deleted as it is in use by {' and '.join(users)}")

    @operation
    def continue_update_rollback(self, params: Params) -> Answer:
        """ContinueUpdateRollback: accepts what could not be rolled back as it is."""
        stack = self._own(params["StackName"])
        if stack.status != "UPDATE_ROLLBACK_FAILED":
            raise invalid(f"Stack [{stack.name}] is in {stack.status} state and cannot continue update rollback")
        self._work(stack).tell("UPDATE_ROLLBACK_COMPLETE")
        return {}

    @operation
    def update_termination_protection(self, params: Params) -> Answer:
        """UpdateTerminationProtection."""
        stack = self._own(params["StackName"])
        stack.protected = bool(params["EnableTerminationProtection"])
        return {"StackId": stack.id}

    @operation
    def describe_stacks(self, params: Params) -> Answer:
        """DescribeStacks: one, or all."""
        wanted = params.get("StackName")
        stacks: Iterable[StackRecord] = [self._stack(wanted)] if wanted else self._stacks.values()
        return page("Stacks", [stack_view(one) for one in stacks], params.get("NextToken"))

    @operation
    def list_stacks(self, params: Params) -> Answer:
        """ListStacks, those that were deleted among them."""
        wanted = params.get("StackStatusFilter")
        stacks = [one for one in (*self._stacks.values(), *self._deleted) if not wanted or one.status in wanted]
        return page("StackSummaries", [summary_view(one) for one in stacks], params.get("NextToken"))

    @operation
    def list_exports(self, params: Params) -> Answer:
        """ListExports."""
        exports = [
            {"ExportingStackId": one.id, "Name": name, "Value": value}
            for one in self._stacks.values()
            for name, value in one.exports.items()
        ]
        return page("Exports", exports, params.get("NextToken"))

    @operation
    def list_imports(self, params: Params) -> Answer:
        """ListImports."""
        users = [one.name for one in self._stacks.values() if params["ExportName"] in one.imports]
        if not users:
            raise invalid(f"Export '{params['ExportName']}' is not imported by any stack.")
        return page("Imports", users, params.get("NextToken"))

    @operation
    def get_template(self, params: Params) -> Answer:
        """GetTemplate: as it was sent, or as the stack is made of it."""
        if params.get("ChangeSetName"):
            template = self._change_set_template(params)
        else:
            template = self._stack(params.get("StackName")).template
        is_processed = params.get("TemplateStage") == "Processed"
        body = template.processed if is_processed else template.original
        return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}

    def _change_set_template(self, params: Params) -> StackTemplate:
        stack = self._stack(params.get("StackName"))
        found = next((one for one in stack.change_sets.values() if params["ChangeSetName"] in (one.id, one.name)), None)
        if found is None:
            raise Refusal("ChangeSetNotFound", f"ChangeSet [{params['ChangeSetName']}] does not exist")
        return found.template

    @operation
    def get_template_summary(self, params: Params) -> Answer:
        """GetTemplateSummary, of a template or of a stack's."""
        stack = self._stack(params["StackName"]) if params.get("StackName") else None
        template = stack.template if stack else self._read(self._text(params, None))
        original = self._read(template.original)
        kinds = sorted({kind.text() for one in template.section("Resources").values() if (kind := one.get("Type"))})
        return {**_described(original), "ResourceTypes": kinds, "Version": "2010-09-09"}

    @operation
    def validate_template(self, params: Params) -> Answer:
        """ValidateTemplate."""
        template = self._read(self._text(params, None))
        check_form(template)
        return _described(template)


def _described(template: StackTemplate) -> Answer:
    declared = [parameters.declared_view(*one) for one in template.section("Parameters").items()]
    transforms = [*transforms_of(template.values)]
    needed = needed_capabilities(template) + (["CAPABILITY_AUTO_EXPAND"] if transforms else [])
    answer: Answer = {"Parameters": declared, "Capabilities": needed, "DeclaredTransforms": transforms}
    if template.text("Description") is not None:
        answer["Description"] = template.text("Description")
    if needed:
        answer["CapabilitiesReason"] = f"The following resource(s) require capabilities: [{', '.join(needed)}]"
    return answer


def check_allowed(target: StackTarget, *, needs_expansion: bool) -> None:
    """Raises the Refusal of a template that needs a capability that was not given."""
    missing = check_capabilities(target.template, target.capabilities)
    expands = transforms_of(StackStore._read(target.template.original).values)
    if needs_expansion and expands and "CAPABILITY_AUTO_EXPAND" not in target.capabilities:
        missing = "Requires capabilities : [CAPABILITY_AUTO_EXPAND]"
    if missing:
        raise Refusal("InsufficientCapabilitiesException", missing)


def check_updatable(stack: StackRecord) -> None:
    """Raises the Refusal of a stack that cannot be changed as it is."""
    if stack.status not in UPDATABLE:
        raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
