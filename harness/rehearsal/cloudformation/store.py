"""The stacks that exist, how operations find them, and how a request becomes what a stack is to be."""

import random
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from harness.rehearsal.clock import Schedule
from harness.rehearsal.cloudformation import parameters
from harness.rehearsal.cloudformation.checks import check_circles, check_form
from harness.rehearsal.cloudformation.records import MadeResource, ResourceChange, StackRecord, WantedResource
from harness.rehearsal.cloudformation.refusals import invalid
from harness.rehearsal.cloudformation.resource_work import StackTarget, Tools, changed
from harness.rehearsal.cloudformation.steps import StackWorker, Steps
from harness.rehearsal.cloudformation.template import StackTemplate
from harness.rehearsal.cloudformation.transforms import transformed
from harness.rehearsal.cloudformation.types import Types
from harness.rehearsal.cloudformation.work import StackWork, outputs_of
from harness.rehearsal.kept import Kept
from harness.rehearsal.operations import AwsService, Params
from harness.rehearsal.refusal import Refusal

_S3 = ("s3.", "s3-")


class StackStore(AwsService):
    """What all operations share."""

    def __init__(
        self,
        schedule: Schedule,
        services: Mapping[str, AwsService],
        *,
        rng: random.Random,
        account: str,
        region: str,
    ) -> None:
        super().__init__(schedule)
        self._kept = Kept(account, region)
        self._home = f"{region}:{account}"
        self._stacks: dict[str, StackRecord] = {}
        self._deleted: list[StackRecord] = []
        self._worker = StackWorker(schedule)
        self._tools = Tools(
            types=Types(services, self._kept),
            worker=self._worker,
            rng=rng,
            account=account,
            region=region,
            stored=self._kept.parameter,
            exports=self._exports_of_others,
        )

    def _exports_of_others(self, stack: StackRecord) -> Mapping[str, str]:
        others = (one for one in self._stacks.values() if one is not stack)
        return {name: value for one in others for name, value in one.exports.items()}

    def _begin(self, stack: StackRecord, steps: Steps[None]) -> None:
        self._worker.begin(self._until_gone(stack, steps))

    def _until_gone(self, stack: StackRecord, steps: Steps[None]) -> Steps[None]:
        """The work on a stack, and its burial where it was deleted."""
        yield from steps
        if stack.status == "DELETE_COMPLETE":
            self._stacks.pop(stack.name, None)
            self._deleted.append(stack)

    def _work(self, stack: StackRecord) -> StackWork:
        self._worker.now_s = self._now()
        return StackWork(stack, self._tools)

    def _new_stack(self, name: str) -> StackRecord:
        arn = f"arn:aws:cloudformation:{self._home}:stack/{name}/{self._tools.id()}"
        stack = StackRecord(id=arn, name=name, created_s=self._now(), status="")
        self._stacks[name] = stack
        return stack

    def _stack(self, wanted: str | None) -> StackRecord:
        """The stack of a name or an id, one that was deleted by its id alone; raises Refusal."""
        stack = self._found(wanted)
        if stack is None:
            raise invalid(f"Stack with id {wanted} does not exist")
        return stack

    def _found(self, wanted: str | None) -> StackRecord | None:
        living = next((one for one in self._stacks.values() if wanted in (one.name, one.id)), None)
        return living or next((one for one in self._deleted if wanted == one.id), None)

    def _own(self, wanted: str | None) -> StackRecord:
        """The same, of a stack that may be changed."""
        stack = self._stack(wanted)
        if stack.is_provided:
            raise invalid(
                f"The stack {stack.name} is the one that this local cloud began with, and is not changed: give the "
                "stack of your template another name."
            )
        return stack

    # What a request asks for

    def _text(self, params: Params, stack: StackRecord | None) -> str:
        """The template of a request: its body, what its URL names, or the one before; raises Refusal."""
        if params.get("TemplateBody"):
            return str(params["TemplateBody"])
        if params.get("TemplateURL"):
            return self._kept.content(*_object_of(params["TemplateURL"])).decode("utf-8-sig")
        if params.get("UsePreviousTemplate") and stack:
            return stack.template.original
        raise invalid("Either Template URL or Template Body must be specified.")

    def _target(self, params: Params, stack: StackRecord | None) -> StackTarget:
        """What a stack is to be. Raises Refusal, and TransformFailed for what SAM refuses."""
        text = self._text(params, stack)
        bare = self._read(text)
        given = params.get("Parameters") or []
        values = parameters.chosen(bare.section("Parameters"), given, stack.parameters if stack else {})
        resolved = parameters.resolved(bare.section("Parameters"), values, self._kept.parameter)
        template = transformed(text, resolved, self._kept.region)
        check_form(template)
        tags = params.get("Tags")
        kept = stack.tags if stack and tags is None else {}
        return StackTarget(
            template=template,
            parameters=values,
            resolved=resolved,
            tags={one["Key"]: one["Value"] for one in tags or []} or kept,
            capabilities=tuple(params.get("Capabilities") or ()),
        )

    @staticmethod
    def _read(text: str) -> StackTemplate:
        from harness.rehearsal.cloudformation.template import read_template

        return StackTemplate(text, read_template(text))

    def _wanted(self, stack: StackRecord, target: StackTarget) -> dict[str, WantedResource]:
        """What a target asks for as things stand; raises Refusal for what cannot be."""
        made = {name: one.made for name, one in stack.resources.items() if one.made}
        deployment = self._tools.deployment(stack, target, made)
        wanted = self._tools.all_wanted(deployment)
        check_circles(wanted)
        _check_types(stack, wanted)
        return wanted

    def _changes(self, stack: StackRecord, target: StackTarget) -> tuple[ResourceChange, ...]:
        """What a target changes; what hangs on a resource that is not made yet changes, too."""
        made: dict[str, MadeResource] = {name: one.made for name, one in stack.resources.items() if one.made}
        wanted, again = self._wanted(stack, target), True
        while again:
            changes = {name: self._change(stack, one) for name, one in wanted.items()}
            replaced = [name for name, one in changes.items() if one and one.replaces and name in made]
            again = bool(replaced)
            for name in replaced:
                del made[name]
            wanted = self._tools.all_wanted(self._tools.deployment(stack, target, made)) if again else wanted
        removed = [
            ResourceChange(action="Remove", logical=name, physical=one.physical, kind=one.wanted.kind)
            for name, one in stack.resources.items()
            if name not in wanted and one.made
        ]
        return (*(one for one in changes.values() if one), *removed)

    def _change(self, stack: StackRecord, wanted: WantedResource) -> ResourceChange | None:
        was = stack.resources.get(wanted.logical)
        if was is None or was.made is None:
            return ResourceChange(action="Add", logical=wanted.logical, physical="", kind=wanted.kind)
        names = changed(was.wanted, wanted)
        if not names:
            return None
        return ResourceChange(
            action="Modify",
            logical=wanted.logical,
            physical=was.physical,
            kind=wanted.kind,
            names=tuple(sorted(names)),
            replaces=bool(names & {*self._tools.types.of(wanted.kind).replaced_by}),
        )

    def _is_same(self, stack: StackRecord, target: StackTarget) -> bool:
        """Whether a target changes nothing at all."""
        if self._changes(stack, target):
            return False
        made = {name: one.made for name, one in stack.resources.items() if one.made}
        deployment = self._tools.deployment(stack, target, made)
        return outputs_of(deployment, self._exports_of_others(stack)) == stack.outputs and target.tags == stack.tags


def _check_types(stack: StackRecord, wanted: Mapping[str, WantedResource]) -> None:
    known = stack.resources
    other = [name for name, one in wanted.items() if name in known and known[name].wanted.kind != one.kind]
    if other:
        raise invalid(
            "Update of resource type is not permitted. The new template modifies resource type of the following "
            f"resources: [{', '.join(other)}]"
        )


def _object_of(address: Any) -> tuple[str, str, str | None]:
    """Bucket, key and version of an object's URL, which has the bucket in its host or in its path."""
    parts = urlsplit(str(address))
    host, path = parts.hostname or "", unquote(parts.path.lstrip("/"))
    version = next((one[10:] for one in parts.query.split("&") if one.startswith("versionId=")), None)
    by_path = host.startswith(_S3) or host.replace(".", "").isdecimal() or "." not in host
    bucket, _, key = path.partition("/") if by_path else (host.split(".s3")[0].split(".localhost")[0], "", path)
    if not bucket or not key:
        raise Refusal("ValidationError", "TemplateURL must be a supported URL.")
    return bucket, key, version
