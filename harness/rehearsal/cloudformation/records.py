"""What CloudFormation remembers: stacks, their resources, events and change sets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from harness.rehearsal.cloudformation.template import StackTemplate
from harness.rehearsal.operations import Answer

Properties = Mapping[str, Any]
"""Properties of a resource with nothing left to resolve, as JSON has them."""


class MadeResource(Struct, frozen=True):
    """What a resource became: its physical id, which Ref gives, and what Fn::GetAtt gives."""

    physical: str
    attributes: Mapping[str, Any] = {}


class WantedResource(Struct, frozen=True, kw_only=True):
    """What a template asks of one resource; `needs` are the resources that it refers to."""

    logical: str
    kind: str
    properties: Properties
    update_policy: Properties = {}
    deletion_policy: str = "Delete"
    replace_policy: str = "Delete"
    needs: frozenset[str] = frozenset()


class Resource(Struct, frozen=True, kw_only=True):
    """A resource that exists, or that could not be made: then it has no `made`."""

    wanted: WantedResource
    made: MadeResource | None
    status: str
    reason: str | None
    changed_s: float

    @property
    def physical(self) -> str:
        """The physical id; empty where there is none."""
        return self.made.physical if self.made else ""


class Event(Struct, frozen=True, kw_only=True):
    """One line of DescribeStackEvents."""

    id: str
    at_s: float
    logical: str
    physical: str
    kind: str
    status: str
    reason: str | None = None
    properties: str | None = None


class ResourceChange(Struct, frozen=True, kw_only=True):
    """What a change set does to one resource; `replaces` is for one that is modified."""

    action: str
    logical: str
    physical: str
    kind: str
    names: tuple[str, ...] = ()
    replaces: bool = False


@dataclass
class ChangeSet:
    """A change that waits to be carried out."""

    id: str
    name: str
    kind: str
    created_s: float
    template: StackTemplate
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    capabilities: tuple[str, ...]
    description: str | None = None
    changes: tuple[ResourceChange, ...] = ()
    status: str = "CREATE_PENDING"
    reason: str | None = None
    execution: str = "UNAVAILABLE"
    on_failure: str = "ROLLBACK"
    resolved: Mapping[str, str] = field(default_factory=dict)


@dataclass
class StackRecord:
    """A stack. `parameters` are as they were given, those of the Parameter Store by their names there."""

    id: str
    name: str
    created_s: float
    status: str
    reason: str | None = None
    updated_s: float | None = None
    deleted_s: float | None = None
    template: StackTemplate = field(default_factory=StackTemplate)
    parameters: Mapping[str, str] = field(default_factory=dict)
    resolved: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    resources: dict[str, Resource] = field(default_factory=dict)
    outputs: list[Answer] = field(default_factory=list)
    imports: frozenset[str] = frozenset()
    events: list[Event] = field(default_factory=list)
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)
    change_set_id: str | None = None
    protected: bool = False
    disable_rollback: bool = False
    is_provided: bool = False

    @property
    def is_busy(self) -> bool:
        """Whether something is being done to it."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def exports(self) -> Mapping[str, str]:
        """The values that it exports, by their names."""
        return {one["ExportName"]: one["OutputValue"] for one in self.outputs if "ExportName" in one}
