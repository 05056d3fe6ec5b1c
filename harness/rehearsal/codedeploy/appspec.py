"""The AppSpec of a Lambda deployment: which alias of which function goes from which version to which."""

import json
from collections.abc import Mapping
from typing import Any

import yaml
from msgspec import Struct

HOOKABLE = ("BeforeAllowTraffic", "AfterAllowTraffic")

_FUNCTION_TYPE = "AWS::Lambda::Function"

_VERSIONS = ("0.0", "0")
"""Assumption: programs write 0.0 as 0 too, and AWS, which states nothing of it, is thought to take both."""

_NOT_WELL_FORMED = "The input AppSpec file is a not well-formed yaml. The template cannot be parsed."

_UNREADABLE = (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError)
"""What PyYAML raises: beside its own, what its constructors meet in values such as `!!int x` or `2026-13-45`."""


class AppSpecError(ValueError):
    """An AppSpec cannot be used; the message is AWS's sentence, or empty where AWS gives no detail."""


class AppSpec(Struct, frozen=True, kw_only=True):
    """One Lambda resource with its hooks: `hooks` maps lifecycle events to function names."""

    function: str
    alias: str
    current: str
    target: str
    hooks: Mapping[str, str] = {}

    def reversed(self) -> "AppSpec":
        """The AppSpec that undoes this one; hooks are not run on the way back."""
        return AppSpec(function=self.function, alias=self.alias, current=self.target, target=self.current)


def parse(content: str) -> AppSpec:
    """Reads JSON or YAML, keys in any case, versions as numbers or text.

    Raises AppSpecError.
    """
    document = _document(content)
    resources = _found(document, "resources")
    if not isinstance(resources, list) or len(resources) != 1 or not isinstance(resources[0], Mapping):
        raise AppSpecError("The AppSpec file must have exactly one resource.")
    properties = _properties(next(iter(resources[0].values()), None))
    function, alias, current, target = (
        _text(properties, name) for name in ("Name", "Alias", "CurrentVersion", "TargetVersion")
    )
    return AppSpec(function=function, alias=alias, current=current, target=target, hooks=_hooks(document))


def render(spec: AppSpec) -> str:
    """The AppSpec as JSON text."""
    names = {"Name": spec.function, "Alias": spec.alias, "CurrentVersion": spec.current, "TargetVersion": spec.target}
    resource = {"Type": _FUNCTION_TYPE, "Properties": names}
    document: dict[str, Any] = {"version": 0.0, "Resources": [{spec.function: resource}]}
    if spec.hooks:
        document["Hooks"] = [{event: function} for event, function in spec.hooks.items()]
    return json.dumps(document)


def _document(content: str) -> Mapping[Any, Any]:
    document = _loaded(content)
    if not isinstance(document, Mapping):
        raise AppSpecError(_NOT_WELL_FORMED)
    version = _found(document, "version")
    if isinstance(version, list | Mapping) or str(version) not in _VERSIONS:
        raise AppSpecError("The version of the AppSpec file must be 0.0.")
    return document


def _loaded(content: str) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):  # JSON first: indented by tabs it is not YAML
        pass
    try:
        return yaml.safe_load(content)
    except _UNREADABLE as error:
        raise AppSpecError(_NOT_WELL_FORMED) from error


def _properties(resource: object) -> Mapping[Any, Any]:
    if not isinstance(resource, Mapping) or _found(resource, "type") != _FUNCTION_TYPE:
        raise AppSpecError(f"The resource of the AppSpec file must be of the type {_FUNCTION_TYPE}.")
    properties = _found(resource, "properties")
    if not isinstance(properties, Mapping):
        raise AppSpecError("The resource of the AppSpec file has no properties.")
    return properties


def _hooks(document: Mapping[Any, Any]) -> dict[str, str]:
    entries = _found(document, "hooks") or []
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise AppSpecError("The hooks of the AppSpec file must be a list of lifecycle events and functions.")
    pairs = [(event, function) for entry in entries for event, function in entry.items() if function]
    if any(isinstance(function, list | Mapping) for _, function in pairs):
        raise AppSpecError("A hook of the AppSpec file must be the name of a function.")
    named = [(_hook_event(event), str(function)) for event, function in pairs]
    if len({event for event, _ in named}) != len(named):
        raise AppSpecError("The hooks of the AppSpec file name a lifecycle event twice.")
    return dict(named)


def _hook_event(name: object) -> str:
    known = {event.lower(): event for event in HOOKABLE}
    if str(name).lower() not in known:
        raise AppSpecError(f"The lifecycle event {name} cannot have a hook in a Lambda deployment.")
    return known[str(name).lower()]


def _text(properties: Mapping[Any, Any], name: str) -> str:
    value = _found(properties, name)
    if value is None or isinstance(value, list | Mapping) or not str(value).strip():
        raise AppSpecError(f"The property {name} of the AppSpec file is missing.")
    return str(value).strip()


def _found(mapping: Mapping[Any, Any], name: str) -> Any:
    matches = (value for key, value in mapping.items() if str(key).lower() == name.lower())
    return next(matches, None)
