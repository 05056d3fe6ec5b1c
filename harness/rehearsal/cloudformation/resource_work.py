"""What becomes of one resource of a stack: it is made, changed, replaced, taken back and deleted."""

import random
from collections.abc import Callable, Iterable, Mapping
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from harness.rehearsal.cloudformation.evaluation import StackResolver, StoreReader
from harness.rehearsal.cloudformation.kinds import made_up
from harness.rehearsal.cloudformation.records import Event, MadeResource, Resource, StackRecord, WantedResource
from harness.rehearsal.cloudformation.refusals import Cancelled, ResourceFailed
from harness.rehearsal.cloudformation.steps import PACE_S, StackWorker, Steps, in_order
from harness.rehearsal.cloudformation.template import StackTemplate
from harness.rehearsal.cloudformation.types import Types
from harness.rehearsal.refusal import Refusal

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


class ResourceWork:
    """Work on the resources of one stack: `made` is what there is now, `stale` what was replaced and is still there."""

    def __init__(self, stack: StackRecord, tools: Tools) -> None:
        self._stack = stack
        self._tools = tools
        self.made = {name: one.made for name, one in stack.resources.items() if one.made}
        self.stale: list[Resource] = []

    def apply(self, deployment: StackResolver, logical: str) -> Steps[None]:
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
            made = self.made.get(wanted.logical, made)
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
            made = self.made.get(wanted.logical, old)
            raise ResourceFailed(self._mark(wanted, made, "UPDATE_FAILED", _why(error, "update"))) from error
        self.stale.append(replace(was, wanted=replace(was.wanted, deletion_policy=was.wanted.replace_policy)))
        self._mark(wanted, made, "UPDATE_COMPLETE")

    def _make(self, wanted: WantedResource, status: str) -> Steps[MadeResource]:
        """Makes a resource by its kind, and marks it as begun."""
        kind = self._tools.types.of(wanted.kind)
        name = made_up(self._stack.name, wanted.logical, getattr(kind, "longest", 64), self._tools.rng)
        yield PACE_S
        made = yield from kind.create(wanted, name, lambda text: self._say(wanted, None, status, text))
        self.made[wanted.logical] = made
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
        self.made[wanted.logical] = made
        self._mark(wanted, made, "UPDATE_COMPLETE")

    def back(self, logical: str, old: Resource) -> Steps[None]:
        """Takes a resource back to what it was before an update that failed."""
        now = self._stack.resources.get(logical)
        if now is None or old.made is None:
            self._stack.resources[logical] = old
        elif now.physical != old.physical:
            self.stale = [one for one in self.stale if one.physical != old.physical] + [now]
            self.made[logical] = old.made
            self._mark(old.wanted, old.made, "UPDATE_COMPLETE")
        elif now.wanted.properties == old.wanted.properties:
            self._stack.resources[logical] = old
        else:
            yield from self._update(old.made, now.wanted, old.wanted)

    def remove_all(self, resources: Iterable[Resource]) -> Steps[dict[str, str]]:
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
            self.made.pop(wanted.logical, None)

    @property
    def now_s(self) -> float:
        """The instant of the step under way."""
        return self._tools.worker.now_s

    def _mark(self, wanted: WantedResource, made: MadeResource | None, status: str, reason: str | None = None) -> str:
        """Sets the status of a resource, with its event; the reason."""
        self._stack.resources[wanted.logical] = Resource(
            wanted=wanted, made=made, status=status, reason=reason, changed_s=self.now_s
        )
        self._say(wanted, made, status, reason)
        return reason or ""

    def _say(self, wanted: WantedResource, made: MadeResource | None, status: str, reason: str | None) -> None:
        self.add(
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

    def add(self, event: Event) -> None:
        """Adds an event of this instant."""
        self._stack.events.append(replace(event, id=self._tools.id(), at_s=self.now_s))


def changed(was: WantedResource, wanted: WantedResource) -> set[str]:
    """The properties that differ."""
    names = {*was.properties, *wanted.properties}
    return {name for name in names if was.properties.get(name) != wanted.properties.get(name)}


def _why(error: Exception, what: str) -> str:
    return f"Resource {what} cancelled" if isinstance(error, Cancelled) else str(error)
