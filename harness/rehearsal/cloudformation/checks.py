"""What is wrong with a template before anything is made of it, in AWS's words."""

from collections.abc import Mapping

from harness.rehearsal.cloudformation.records import WantedResource
from harness.rehearsal.cloudformation.refusals import invalid
from harness.rehearsal.cloudformation.template import StackTemplate
from harness.rehearsal.cloudformation.types import Types
from harness.templates.values import Value

_SECTIONS = frozenset(
    {
        "AWSTemplateFormatVersion",
        "Conditions",
        "Description",
        "Globals",
        "Hooks",
        "Mappings",
        "Metadata",
        "Outputs",
        "Parameters",
        "Resources",
        "Rules",
        "Transform",
    }
)
_OF_RESOURCES = frozenset(
    {
        "Condition",
        "Connectors",
        "CreationPolicy",
        "DeletionPolicy",
        "DependsOn",
        "IgnoreGlobals",
        "Metadata",
        "Properties",
        "Type",
        "UpdatePolicy",
        "UpdateReplacePolicy",
    }
)


_NO_TYPE = "Every Resources object must contain a Type member."


def check_form(template: StackTemplate) -> None:
    """Raises the Refusal of a template that is not built as one must be."""
    unknown = [key for key, _ in template.values.items() if key not in _SECTIONS]
    if unknown:
        raise invalid(f"Invalid template property or properties [{', '.join(unknown)}]")
    resources = template.section("Resources")
    if not resources:
        raise invalid("Template format error: At least one Resources member must be defined.")
    for logical, resource in resources.items():
        _check_resource(logical, resource)
    kinds = (resource.get("Type") for resource in resources.values())
    strange = sorted({kind.text() for kind in kinds if kind and not Types.is_known(kind.text())})
    if strange:
        raise invalid(f"Template format error: Unrecognized resource types: [{', '.join(strange)}]")


def _check_resource(logical: str, resource: Value) -> None:
    if not logical.isalnum():
        raise invalid(f"Template format error: Resource name {logical} is non alphanumeric.")
    if resource.get("Type") is None:
        raise invalid(f"Template format error: [/Resources/{logical}] {_NO_TYPE}")
    strange = [key for key, _ in resource.items() if key not in _OF_RESOURCES]
    if strange:
        raise invalid(f"Invalid template resource property '{strange[0]}'")


def check_circles(wanted: Mapping[str, WantedResource]) -> None:
    """Raises the Refusal of resources that need each other in a circle."""
    left = {name: {*one.needs} & {*wanted} for name, one in wanted.items()}
    while left:
        needed = {name for needs in left.values() for name in needs}
        ends = [name for name, needs in left.items() if not needs & {*left} or name not in needed]
        if not ends:
            raise invalid(f"Circular dependency between resources: [{', '.join(sorted(left))}]")
        left = {name: needs - {*ends} for name, needs in left.items() if name not in ends}
