"""What becomes of a stack: it is made, changed, rolled back and deleted, resource by resource, in simulated time."""

from collections.abc import Collection, Mapping
from typing import Any

from harness.rehearsal.cloudformation.evaluation import StackResolver
from harness.rehearsal.cloudformation.records import Event, Resource, StackRecord
from harness.rehearsal.cloudformation.refusals import invalid
from harness.rehearsal.cloudformation.resource_work import ResourceWork, StackTarget, Tools
from harness.rehearsal.cloudformation.steps import Steps, in_order
from harness.rehearsal.cloudformation.template import as_meant
from harness.rehearsal.operations import Answer
from harness.rehearsal.refusal import Refusal

STACK = "AWS::CloudFormation::Stack"


class StackWork:
    """Work on one stack, one piece at a time."""

    def __init__(self, stack: StackRecord, tools: Tools) -> None:
        self._stack = stack
        self._tools = tools
        self._resources = ResourceWork(stack, tools)

    def create(self, target: StackTarget, on_failure: str) -> Steps[None]:
        """Makes all of it; what becomes of it where that fails is `on_failure` to say."""
        self.tell("CREATE_IN_PROGRESS", "User Initiated")
        self._take(target)
        failed = yield from self._forward(target)
        if not failed:
            self.tell("CREATE_COMPLETE")
        elif on_failure == "DO_NOTHING":
            self.tell("CREATE_FAILED", _failures(failed))
        else:
            yield from self._give_up(failed, "DELETE" if on_failure == "DELETE" else "ROLLBACK")

    def _give_up(self, failed: Mapping[str, str], word: str) -> Steps[None]:
        self.tell(f"{word}_IN_PROGRESS", f"{_failures(failed)}Rollback requested by user.")
        undone = yield from self._resources.remove_all(self._stack.resources.values())
        self._stack.outputs = []
        self.tell(*((f"{word}_FAILED", _failures(undone, "delete")) if undone else (f"{word}_COMPLETE", None)))

    def update(self, target: StackTarget, *, keep: bool = False) -> Steps[None]:
        """Changes it; what fails is rolled back, unless it is to be kept."""
        before, then = dict(self._stack.resources), self._as_it_is()
        self.tell("UPDATE_IN_PROGRESS", "User Initiated")
        self._take(target)
        failed = yield from self._forward(target)
        if failed and keep:
            self.tell("UPDATE_FAILED", _failures(failed))
        elif failed:
            yield from self._roll_back(failed, before, then)
        else:
            self.tell("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
            there = {name for name, one in self._stack.template.section("Resources").items() if self._is_there(name)}
            gone = [one for name, one in self._stack.resources.items() if name not in there]
            yield from self._resources.remove_all([*self._resources.stale, *gone])
            self.tell("UPDATE_COMPLETE")

    def _is_there(self, logical: str) -> bool:
        deployment = self._tools.deployment(self._stack, self._as_it_is(), self._resources.made)
        return deployment.is_there(deployment.resources[logical])

    def _roll_back(self, failed: Mapping[str, str], before: Mapping[str, Resource], then: StackTarget) -> Steps[None]:
        self.tell("UPDATE_ROLLBACK_IN_PROGRESS", _failures(failed, *self._what_failed(failed, before)))
        self._take(then)
        back = {name: old for name, old in before.items() if self._stack.resources.get(name) is not old}
        jobs = {name: (lambda name=name, old=old: self._resources.back(name, old)) for name, old in back.items()}
        failed_again = yield from in_order(jobs, lambda name: back[name].wanted.needs)
        if failed_again:
            self.tell("UPDATE_ROLLBACK_FAILED", _failures(failed_again, "update"))
            return
        self.tell("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        new = [one for name, one in self._stack.resources.items() if name not in before]
        yield from self._resources.remove_all([*self._resources.stale, *new])
        self.tell("UPDATE_ROLLBACK_COMPLETE")

    @staticmethod
    def _what_failed(failed: Mapping[str, str], before: Mapping[str, Resource]) -> tuple[str]:
        return ("update",) if any(name in before for name in failed) else ("create",)

    def delete(self, retained: Collection[str] = ()) -> Steps[None]:
        """Deletes all of it but what is to be retained."""
        self.tell("DELETE_IN_PROGRESS", "User Initiated")
        for name in retained:
            self._stack.resources.pop(name, None)
        failed = yield from self._resources.remove_all(self._stack.resources.values())
        if failed:
            self.tell("DELETE_FAILED", _failures(failed, "delete"))
        else:
            self._stack.deleted_s = self._resources.now_s
            self.tell("DELETE_COMPLETE")

    def tell(self, status: str, reason: str | None = None) -> None:
        """Sets the status of the stack, with its event."""
        stack = self._stack
        stack.status, stack.reason = status, reason
        if not status.startswith(("REVIEW", "CREATE_IN")):
            stack.updated_s = self._resources.now_s
        self._resources.add(
            Event(id="", at_s=0.0, logical=stack.name, physical=stack.id, kind=STACK, status=status, reason=reason)
        )

    def _take(self, target: StackTarget) -> None:
        stack = self._stack
        stack.template, stack.parameters, stack.resolved = target.template, target.parameters, target.resolved
        stack.tags, stack.capabilities = target.tags, target.capabilities

    def _as_it_is(self) -> StackTarget:
        stack = self._stack
        return StackTarget(
            template=stack.template,
            parameters=stack.parameters,
            resolved=stack.resolved,
            tags=stack.tags,
            capabilities=stack.capabilities,
        )

    def _forward(self, target: StackTarget) -> Steps[dict[str, str]]:
        """Makes and changes resources as the template asks, and sets the outputs; the reasons of those that failed."""
        deployment = self._tools.deployment(self._stack, target, self._resources.made)
        needs = {name: one.needs for name, one in self._tools.all_wanted(deployment).items()}
        jobs = {name: (lambda name=name: self._resources.apply(deployment, name)) for name in needs}
        failed = yield from in_order(jobs, lambda name: needs[name])
        if failed:
            return failed
        try:
            self._stack.outputs = outputs_of(deployment, self._tools.exports(self._stack))
            self._stack.imports = frozenset(deployment.imported)
        except Refusal as refusal:
            return {"Outputs": refusal.message}
        return {}


def outputs_of(deployment: StackResolver, exports: Mapping[str, str]) -> list[Answer]:
    """The outputs of a stack; raises Refusal."""
    section = deployment.outputs
    told = [_output(deployment, name, one) for name, one in section.items() if deployment.is_there(one)]
    for one in told:
        if one.get("ExportName") in exports:
            raise invalid(f"Export with name {one['ExportName']} is already exported by another stack.")
    return told


def _output(deployment: StackResolver, name: str, one: Any) -> Answer:
    answer = {"OutputKey": name, "OutputValue": _scalar(as_meant(deployment.value(one.get("Value"))))}
    if one.get("Description"):
        answer["Description"] = one.get("Description").text()
    export = one.get("Export")
    if export and export.get("Name"):
        answer["ExportName"] = _scalar(as_meant(deployment.value(export.get("Name"))))
    return answer


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _failures(failed: Mapping[str, str], what: str = "create") -> str:
    return f"The following resource(s) failed to {what}: [{', '.join(failed)}]. "
