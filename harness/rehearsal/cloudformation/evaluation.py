"""A template with the names of a deployment: the reader of `harness.templates`, which knows here what AWS knows."""

import base64
from collections.abc import Callable, Mapping

from harness.errors import TemplateError
from harness.rehearsal.cloudformation.records import MadeResource, WantedResource
from harness.rehearsal.cloudformation.refusals import invalid
from harness.rehearsal.cloudformation.template import StackTemplate, as_meant
from harness.templates.intrinsics import function_of
from harness.templates.names import literal, placeholder
from harness.templates.places import Places
from harness.templates.resolver import Resolver
from harness.templates.values import Value

StoreReader = Callable[[str], str]
"""Reads the value of a name in the Parameter Store; raises Refusal."""


class StackResolver(Resolver):
    """Reads a template while its resources are made.

    `made` is what exists; a resource that does not exist yet is a placeholder. `needs` gathers the resources that were
    referred to, `imported` the exports.
    """

    def __init__(
        self,
        template: StackTemplate,
        known: Mapping[str, str],
        made: Mapping[str, MadeResource],
        exports: Mapping[str, str],
        stored: StoreReader,
    ) -> None:
        super().__init__(template.values, known, Places("template"))
        self._made = made
        self._exports = exports
        self._stored = stored
        self.outputs = template.section("Outputs")
        self.needs: set[str] = set()
        self.imported: set[str] = set()

    def wanted(self, logical: str) -> WantedResource:
        """What the template asks of a resource; raises Refusal."""
        resource = self.resources[logical]
        self.needs = set()
        try:
            properties = as_meant(self.value(resource.get("Properties") or Value({}, 0)))
            policy = as_meant(self.value(resource.get("UpdatePolicy") or Value({}, 0)))
        except TemplateError as error:
            raise invalid(f"Template error: {error}") from error
        depends = resource.get("DependsOn")
        listed = {part.text() for part in depends.parts() or (depends,)} if depends else set()
        needs = {name for name in self.needs | listed if name in self.resources and name != logical}
        return WantedResource(
            logical=logical,
            kind=_text(resource, "Type"),
            properties=properties,
            update_policy=policy,
            deletion_policy=_text(resource, "DeletionPolicy", "Delete"),
            replace_policy=_text(resource, "UpdateReplacePolicy", "Delete"),
            needs=frozenset(needs),
        )

    def is_there(self, entry: Value) -> bool:
        """Whether the condition of a resource or an output holds."""
        condition = entry.get("Condition")
        return condition is None or self.condition(condition.text(), condition.line) is True

    def value(self, value: Value) -> Value:
        """The value, with the functions that only a deployment can carry out."""
        called = function_of(value)
        read = _FUNCTIONS.get(called[0]) if called else None
        return read(self, called[1]) if read and called else super().value(value)

    def reference(self, name: str, line: int) -> Value:
        """What Ref gives."""
        if name in self.resources:
            self.needs.add(name)
            made = self._made.get(name)
            return Value(literal(made.physical) if made else placeholder(name), line)
        declared = self.parameters.get(name)
        if declared and "List<" in _text(declared, "Type") and name in self.given:
            return Value(tuple(Value(literal(part.strip()), line) for part in self.given[name].split(",")), line)
        if declared is None and not name.startswith("AWS::"):
            problem = f"Unresolved resource dependencies [{name}] in the Resources block of the template"
            raise invalid(f"Template format error: {problem}")
        return super().reference(name, line)

    def attribute(self, logical: str, attribute: str, line: int) -> Value:
        """What Fn::GetAtt gives."""
        if logical not in self.resources:
            raise invalid(f"Template error: instance of Fn::GetAtt references undefined resource {logical}")
        self.needs.add(logical)
        made = self._made.get(logical)
        if made is None:
            return Value(placeholder(f"{logical}.{attribute}"), line)
        if attribute not in made.attributes:
            kind = _text(self.resources[logical], "Type")
            raise invalid(f"Template error: resource {logical} does not support attribute type {attribute} of {kind}")
        return _as_value(made.attributes[attribute], line)

    def unknown(self, name: str, why: str, line: int) -> str:
        """What a dynamic reference gives; every other name is known, or is an error."""
        service, _, rest = name.partition(":")
        if service in ("ssm", "ssm-secure"):
            return literal(self._stored(rest.partition(":")[0]))
        if service == "secretsmanager":
            return literal(f"secret of {rest.partition(':')[0]}")
        if name in self.given:
            return super().unknown(name, why, line)
        raise invalid(f"Template error: {name}: {why}")

    def imports(self, argument: Value) -> Value:
        """What Fn::ImportValue gives."""
        name = as_meant(self.value(argument))
        if name not in self._exports:
            raise invalid(f"No export named {name} found.")
        self.imported.add(name)
        return Value(literal(self._exports[name]), argument.line)


def _text(entry: Value, key: str, missing: str = "") -> str:
    found = entry.get(key)
    return missing if found is None else found.text()


def _as_value(content: object, line: int) -> Value:
    if isinstance(content, str):
        return Value(literal(content), line)
    if isinstance(content, list | tuple):
        return Value(tuple(_as_value(part, line) for part in content), line)
    if isinstance(content, Mapping):
        return Value({key: _as_value(part, line) for key, part in content.items()}, line)
    return Value(content, line)  # type: ignore[arg-type]


def _base64(deployment: StackResolver, argument: Value) -> Value:
    return Value(base64.b64encode(str(as_meant(deployment.value(argument))).encode()).decode(), argument.line)


def _zones(deployment: StackResolver, argument: Value) -> Value:
    region = as_meant(deployment.value(argument)) or deployment.given["AWS::Region"]
    return Value(tuple(Value(f"{region}{letter}", argument.line) for letter in "abc"), argument.line)


_FUNCTIONS: Mapping[str, Callable[[StackResolver, Value], Value]] = {
    "Fn::Base64": _base64,
    "Fn::GetAZs": _zones,
    "Fn::ImportValue": StackResolver.imports,
}
