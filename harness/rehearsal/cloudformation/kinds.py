"""What all types of resources have in common: how they are made, changed, replaced and deleted."""

import functools
import random
import string
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import Any, ParamSpec, TypeVar

from botocore import xform_name
from botocore.model import ListShape, MapShape, Shape, StructureShape

from harness.rehearsal.cloudformation.records import MadeResource, Properties, WantedResource
from harness.rehearsal.cloudformation.refusals import ResourceFailed, by_handler, by_service
from harness.rehearsal.cloudformation.steps import Steps
from harness.rehearsal.operations import Answer, AwsService
from harness.rehearsal.refusal import Refusal
from harness.rehearsal.service_models import service_model

_ENDING = string.ascii_uppercase + string.digits
Say = Callable[[str], None]
"""Adds an event to what is under way, with a text."""


Given = ParamSpec("Given")
Result = TypeVar("Result")


def at_once(method: Callable[Given, Result]) -> Callable[Given, Steps[Result]]:
    """Makes steps of a method that waits for nothing."""

    @functools.wraps(method)
    def steps(*args: Given.args, **named: Given.kwargs) -> Steps[Result]:
        return method(*args, **named)
        yield

    return steps


class ResourceKind(ABC):
    """One type of resource, or several that are alike; each method raises ResourceFailed.

    `replaced_by` are the properties whose change makes another resource, `longest` is of a name that is made up.
    """

    replaced_by: Collection[str] = ()
    longest = 100

    @abstractmethod
    def create(self, wanted: WantedResource, name: str, say: Say) -> Steps[MadeResource]:
        """Makes it; `name` is the one to take where the template gives none."""

    @abstractmethod
    def update(self, made: MadeResource, was: WantedResource, wanted: WantedResource, say: Say) -> Steps[MadeResource]:
        """Changes it where it is."""

    @abstractmethod
    def delete(self, made: MadeResource, was: WantedResource) -> Steps[None]:
        """Deletes it; what is gone already is no failure."""


def made_up(stack: str, logical: str, longest: int, rng: random.Random) -> str:
    """A name such as CloudFormation makes up: of the stack, of the resource, and random letters."""
    ending = "".join(rng.choices(_ENDING, k=12))
    room = longest - len(ending) - 2
    stack = stack[: max(room - len(logical), room // 2)]
    return f"{stack}-{logical[: room - len(stack)]}-{ending}"


class Api:
    """A service of the cloud as handlers of resource types call it: by properties instead of parameters."""

    def __init__(self, service: AwsService, name: str) -> None:
        self._service = service
        self.name = name

    def call(self, operation: str, properties: Mapping[str, Any], **more: Any) -> Answer:
        """Carries out an operation; raises ResourceFailed."""
        shape = service_model(self._model).operation_model(operation).input_shape
        assert isinstance(shape, StructureShape)
        try:
            method = getattr(self._service, xform_name(operation))
            answer: Answer = method(fitted(shape, {**properties, **more}))
        except Refusal as refusal:
            raise by_service(refusal, self.name) from refusal
        return answer

    def knows(self, operation: str, properties: Mapping[str, Any]) -> bool:
        """Whether the operation has all of these properties; else the handler refuses one."""
        shape = service_model(self._model).operation_model(operation).input_shape
        assert isinstance(shape, StructureShape)
        members = {_plain(name) for name in shape.members}
        unknown = [name for name in properties if _plain(name) not in members]
        if unknown:
            raise by_handler(f"Encountered unsupported property {unknown[0]}", "InvalidRequest")
        return True

    @property
    def _model(self) -> str:
        return self.name.lower()


def fitted(shape: StructureShape, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties as the parameters of an operation: names in its case, texts as the numbers that it takes."""
    by_name = {_plain(name): (name, member) for name, member in shape.members.items()}
    known = ((by_name[_plain(key)], value) for key, value in properties.items() if _plain(key) in by_name)
    return {name: _fitted(member, value) for (name, member), value in known}


def _plain(name: str) -> str:
    return name[:1].lower() + name[1:]


def _fitted(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        return fitted(shape, value)
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_fitted(shape.member, part) for part in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {key: _fitted(shape.value, part) for key, part in value.items()}
    if isinstance(value, Mapping | list):
        raise by_handler(f"Model validation failed (#: expected type: {shape.type_name})", "InvalidRequest")
    return _SCALARS.get(shape.type_name, _text)(value)


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if value is None else str(value)


def _number(value: Any) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise by_handler(f"Model validation failed (#: {value} is not a number)", "InvalidRequest") from error


_SCALARS: Mapping[str, Callable[[Any], Any]] = {
    "integer": lambda value: int(_number(value)),
    "long": lambda value: int(_number(value)),
    "double": _number,
    "float": _number,
    "boolean": lambda value: str(value).lower() == "true",
    "blob": lambda value: value,
}


def unless_gone(api: Api, operation: str, **by: Any) -> None:
    """Carries out a deletion; what is gone already is deleted."""
    try:
        api.call(operation, by)
    except ResourceFailed as error:
        if "HandlerErrorCode: NotFound" not in str(error):
            raise


def tag_map(properties: Properties) -> dict[str, str]:
    """The tags of a resource as a map; templates give either form."""
    tags = properties.get("Tags") or {}
    return dict(tags) if isinstance(tags, Mapping) else {str(one["Key"]): str(one["Value"]) for one in tags}


class Named(ResourceKind):
    """A type that a service makes by a name, changes and deletes by it."""

    def __init__(
        self,
        api: Api,
        *,
        name: str,
        create: str,
        update: str | None,
        delete: str | None,
        longest: int = 255,
        renamed: str | None = None,
        delete_by: str | None = None,
        replaced_by: Collection[str] = (),
        arn: Callable[[str], str] | None = None,
        fixed: Properties | None = None,
    ) -> None:
        self.replaced_by = (name, *replaced_by)
        self.longest = longest
        self._api, self._name = api, name
        self._create, self._update, self._delete = create, update, delete
        self._updated_by = renamed or name
        self._deleted_by = delete_by or name
        self._arn = arn
        self._fixed = dict(fixed or {})

    @at_once
    def create(self, wanted: WantedResource, name: str, say: Say) -> MadeResource:  # noqa: ARG002 - of the protocol
        """Makes it by the name of the template, or the made-up one."""
        self._api.knows(self._create, wanted.properties)
        own = str(wanted.properties.get(self._name) or name)
        self._api.call(self._create, wanted.properties, **{**self._fixed, self._name: own})
        return self._made(own)

    @at_once
    def update(self, made: MadeResource, was: WantedResource, wanted: WantedResource, say: Say) -> MadeResource:  # noqa: ARG002
        """Changes it under its name."""
        self._api.knows(self._create, wanted.properties)
        if self._update:
            others = {key: value for key, value in wanted.properties.items() if key != self._name}
            self._api.call(self._update, others, **{**self._fixed, self._updated_by: made.physical})
        return self._made(made.physical)

    @at_once
    def delete(self, made: MadeResource, was: WantedResource) -> None:
        """Deletes it by its name."""
        if self._delete:
            by = [made.physical] if self._deleted_by.endswith("s") else made.physical
            self._api.call(self._delete, was.properties, **{self._deleted_by: by})

    def _made(self, name: str) -> MadeResource:
        return MadeResource(name, {"Arn": self._arn(name)} if self._arn else {})
