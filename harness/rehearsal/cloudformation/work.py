"""What becomes of a stack: it is made, changed, rolled back and deleted, resource by resource, in simulated time."""

import random
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from harness.rehearsal.cloudformation.evaluation import StackResolver, StoreReader
from harness.rehearsal.cloudformation.kinds import made_up
from harness.rehearsal.cloudformation.records import Event, MadeResource, Resource, StackRecord, WantedResource
from harness.rehearsal.cloudformation.refusals import Cancelled, ResourceFailed, invalid
from harness.rehearsal.cloudformation.steps import PACE_S, StackWorker, Steps, in_order
from harness.rehearsal.cloudformation.template import StackTemplate, as_meant
from harness.rehearsal.cloudformation.types import Types
from harness.rehearsal.operations import Answer
from harness.rehearsal.refusal import Refusal

STACK = "AWS::CloudFormation::Stack"
_REPLACES = "Requested update requires the creation of a new physical resource; hence creating one."


class StackTarget(Struct, frozen=True, kw_only=True):
    """What a stack is to become."""

    template: StackTemplate
    parameters: Mapping[str, str]
    resolved: Mapping[str, str]
    tags: Mapping[str, str]
    capabilities: tuple[str, ...]


class Tools(Struct, frozen=True, kw_only=True):
    """What all work on stacks needs: `exports` are those of all other stacks, `stored` reads the Parameter Store."""

    types: Types
    worker: StackWorker
    rng: random.Random
    account: str
    region: str
    stored: StoreReader
    exports: Callable[[StackRecord], Mapping[str, str]]

    def id(self) -> str:
        """A random id."""
        return str(UUID(int=self.rng.getrandbits(128), version=4))

    def deployment(self, stack: StackRecord, target: StackTarget, made: Mapping[str, MadeResource]) -> StackResolver:
        """The template of a target, to be read with the names of this deployment."""
        pseudo = {
            "AWS::AccountId": self.account,
            "AWS::Partition": "aws",
            "AWS::Region": self.region,
            "AWS::StackId": stack.id,
            "AWS::StackName": stack.name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        return StackResolver(target.template, {**target.resolved, **pseudo}, made, self.exports(stack), self.stored)

    def all_wanted(self, deployment: StackResolver) -> dict[str, WantedResource]:
        """What a template asks for now, by logical id; raises Refusal."""
        there = [name for name, one in deployment.resources.items() if deployment.is_there(one)]
        found = {name: deployment.wanted(name) for name in there}
        return {name: replace(one, needs=one.needs & {*there}) for name, one in found.items()}


class StackWork:
    """Work on one stack, one piece at a time."""

    def __init__(self, stack: StackRecord, tools: Tools) -> None:
        self._stack = stack
        self._tools = tools
        self._made = {name: one.made for name, one in stack.resources.items() if one.made}
        self._stale: list[Resource] = []

    # A whole stack

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
        undone = yield from self._remove_all(self._stack.resources.values())
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
            yield from self._remove_all([*self._stale, *gone])
            self.tell("UPDATE_COMPLETE")

    def _is_there(self, logical: str) -> bool:
        deployment = self._tools.deployment(self._stack, self._as_it_is(), self._made)
        return deployment.is_there(deployment.resources[logical])

    def _roll_back(self, failed: Mapping[str, str], before: Mapping[str, Resource], then: StackTarget) -> Steps[None]:
        self.tell("UPDATE_ROLLBACK_IN_PROGRESS", _failures(failed, *self._what_failed(failed, before)))
        self._take(then)
        back = {name: old for name, old in before.items() if self._stack.resources.get(name) is not old}
        jobs = {name: (lambda name=name, old=old: self._back(name, old)) for name, old in back.items()}
        failed_again = yield from in_order(jobs, lambda name: back[name].wanted.needs)
        if failed_again:
            self.tell("UPDATE_ROLLBACK_FAILED", _failures(failed_again, "update"))
            return
        self.tell("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        new = [one for name, one in self._stack.resources.items() if name not in before]
        yield from self._remove_all([*self._stale, *new])
        self.tell("UPDATE_ROLLBACK_COMPLETE")

    @staticmethod
    def _what_failed(failed: Mapping[str, str], before: Mapping[str, Resource]) -> tuple[str]:
        return ("update",) if any(name in before for name in failed) else ("create",)

    def delete(self, retained: Collection[str] = ()) -> Steps[None]:
        """Deletes all of it but what is to be retained."""
        self.tell("DELETE_IN_PROGRESS", "User Initiated")
        for name in retained:
            self._stack.resources.pop(name, None)
        failed = yield from self._remove_all(self._stack.resources.values())
        if failed:
            self.tell("DELETE_FAILED", _failures(failed, "delete"))
        else:
            self._stack.deleted_s = self._now_s
            self.tell("DELETE_COMPLETE")

    def tell(self, status: str, reason: str | None = None) -> None:
        """Sets the status of the stack, with its event."""
        stack = self._stack
        stack.status, stack.reason = status, reason
        if not status.startswith(("REVIEW", "CREATE_IN")):
            stack.updated_s = self._now_s
        self._add(
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
        deployment = self._tools.deployment(self._stack, target, self._made)
        needs = {name: one.needs for name, one in self._tools.all_wanted(deployment).items()}
        jobs = {name: (lambda name=name: self._apply(deployment, name)) for name in needs}
        failed = yield from in_order(jobs, lambda name: needs[name])
        if failed:
            return failed
        try:
            self._stack.outputs = outputs_of(deployment, self._tools.exports(self._stack))
            self._stack.imports = frozenset(deployment.imported)
        except Refusal as refusal:
            return {"Outputs": refusal.message}
        return {}

    # One resource

    def _apply(self, deployment: StackResolver, logical: str) -> Steps[None]:
        """Makes, changes or replaces a resource, or leaves it as it is."""
        was = self._stack.resources.get(logical)
        try:
            wanted = deployment.wanted(logical)
        except Refusal as refusal:
            raise ResourceFailed(self._failed(logical, was, refusal.message)) from refusal
        if was is None or was.made is None:
            yield from self._create(wanted)
        elif was.wanted.properties == wanted.properties:
            self._stack.resources[logical] = replace(was, wanted=wanted)
        elif changed(was.wanted, wanted) & {*self._tools.types.of(wanted.kind).replaced_by}:
            yield from self._replace(was, was.made, wanted)
        else:
            yield from self._update(was.made, was.wanted, wanted)

    def _failed(self, logical: str, was: Resource | None, reason: str) -> str:
        kind = was.wanted.kind if was else ""
        wanted = was.wanted if was else WantedResource(logical=logical, kind=kind, properties={})
        self._mark(wanted, was.made if was else None, "UPDATE_FAILED" if was else "CREATE_FAILED", reason)
        return reason

    def _create(self, wanted: WantedResource) -> Steps[None]:
        self._mark(wanted, None, "CREATE_IN_PROGRESS")
        made: MadeResource | None = None
        try:
            made = yield from self._make(wanted, "CREATE_IN_PROGRESS")
            yield PACE_S
        except (ResourceFailed, Cancelled) as error:
            made = self._made.get(wanted.logical, made)
            raise ResourceFailed(self._mark(wanted, made, "CREATE_FAILED", _why(error, "creation"))) from error
        self._mark(wanted, made, "CREATE_COMPLETE")

    def _replace(self, was: Resource, old: MadeResource, wanted: WantedResource) -> Steps[None]:
        self._mark(wanted, old, "UPDATE_IN_PROGRESS", _REPLACES)
        try:
            if was.wanted.kind != wanted.kind:
                raise ResourceFailed(f"Update of resource type is not permitted: {wanted.logical}.")
            made = yield from self._make(wanted, "UPDATE_IN_PROGRESS")
            yield PACE_S
        except (ResourceFailed, Cancelled) as error:
            made = self._made.get(wanted.logical, old)
            raise ResourceFailed(self._mark(wanted, made, "UPDATE_FAILED", _why(error, "update"))) from error
        self._stale.append(replace(was, wanted=replace(was.wanted, deletion_policy=was.wanted.replace_policy)))
        self._mark(wanted, made, "UPDATE_COMPLETE")

    def _make(self, wanted: WantedResource, status: str) -> Steps[MadeResource]:
        """Makes a resource by its kind, and marks it as begun."""
        kind = self._tools.types.of(wanted.kind)
        name = made_up(self._stack.name, wanted.logical, getattr(kind, "longest", 64), self._tools.rng)
        yield PACE_S
        made = yield from kind.create(wanted, name, lambda text: self._say(wanted, None, status, text))
        self._made[wanted.logical] = made
        self._mark(wanted, made, status, "Resource creation Initiated")
        return made

    def _update(self, made: MadeResource, was: WantedResource, wanted: WantedResource) -> Steps[None]:
        self._mark(wanted, made, "UPDATE_IN_PROGRESS")
        kind = self._tools.types.of(wanted.kind)
        try:
            yield PACE_S
            say = lambda text: self._say(wanted, made, "UPDATE_IN_PROGRESS", text)  # noqa: E731 - a bound text
            made = yield from kind.update(made, was, wanted, say)
        except (ResourceFailed, Cancelled) as error:
            raise ResourceFailed(self._mark(wanted, made, "UPDATE_FAILED", _why(error, "update"))) from error
        self._made[wanted.logical] = made
        self._mark(wanted, made, "UPDATE_COMPLETE")

    def _back(self, logical: str, old: Resource) -> Steps[None]:
        """Takes a resource back to what it was before an update that failed."""
        now = self._stack.resources.get(logical)
        if now is None or old.made is None:
            self._stack.resources[logical] = old
        elif now.physical != old.physical:
            self._stale = [one for one in self._stale if one.physical != old.physical] + [now]
            self._made[logical] = old.made
            self._mark(old.wanted, old.made, "UPDATE_COMPLETE")
        elif now.wanted.properties == old.wanted.properties:
            self._stack.resources[logical] = old
        else:
            yield from self._update(old.made, now.wanted, old.wanted)

    def _remove_all(self, resources: Iterable[Resource]) -> Steps[dict[str, str]]:
        """Deletes resources, each after those that need it; the reasons of those that could not be."""
        listed = {f"{one.wanted.logical} {one.physical}": one for one in resources}
        users: dict[str, set[str]] = {key: set() for key in listed}
        for key, one in listed.items():
            for needed in one.wanted.needs:
                for other in (name for name, two in listed.items() if two.wanted.logical == needed):
                    users[other].add(key)
        jobs = {key: (lambda one=one: self._remove(one)) for key, one in listed.items()}
        failed = yield from in_order(jobs, lambda key: users[key] - {key})
        return {key.partition(" ")[0]: why for key, why in failed.items()}

    def _remove(self, one: Resource) -> Steps[None]:
        wanted, made = one.wanted, one.made
        current = self._stack.resources.get(wanted.logical)
        is_current = current is not None and current.physical == one.physical
        if made and wanted.deletion_policy == "Retain":
            self._say(wanted, made, "DELETE_SKIPPED", None)
        elif made:
            self._say(wanted, made, "DELETE_IN_PROGRESS", None)
            try:
                yield PACE_S
                yield from self._tools.types.of(wanted.kind).delete(made, wanted)
            except (ResourceFailed, Cancelled) as error:
                reason = _why(error, "deletion")
                if is_current:
                    self._mark(wanted, made, "DELETE_FAILED", reason)
                raise ResourceFailed(reason) from error
            self._say(wanted, made, "DELETE_COMPLETE", None)
        if is_current:
            self._stack.resources.pop(wanted.logical, None)
            self._made.pop(wanted.logical, None)

    # What is told

    @property
    def _now_s(self) -> float:
        return self._tools.worker.now_s

    def _mark(self, wanted: WantedResource, made: MadeResource | None, status: str, reason: str | None = None) -> str:
        """Sets the status of a resource, with its event; the reason."""
        self._stack.resources[wanted.logical] = Resource(
            wanted=wanted, made=made, status=status, reason=reason, changed_s=self._now_s
        )
        self._say(wanted, made, status, reason)
        return reason or ""

    def _say(self, wanted: WantedResource, made: MadeResource | None, status: str, reason: str | None) -> None:
        self._add(
            Event(
                id="",
                at_s=0.0,
                logical=wanted.logical,
                physical=made.physical if made else "",
                kind=wanted.kind,
                status=status,
                reason=reason,
            )
        )

    def _add(self, event: Event) -> None:
        self._stack.events.append(replace(event, id=self._tools.id(), at_s=self._now_s))


def changed(was: WantedResource, wanted: WantedResource) -> set[str]:
    """The properties that differ."""
    names = {*was.properties, *wanted.properties}
    return {name for name in names if was.properties.get(name) != wanted.properties.get(name)}


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


def _why(error: Exception, what: str) -> str:
    return f"Resource {what} cancelled" if isinstance(error, Cancelled) else str(error)


def _failures(failed: Mapping[str, str], what: str = "create") -> str:
    return f"The following resource(s) failed to {what}: [{', '.join(failed)}]. "
