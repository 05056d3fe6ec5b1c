"""CloudFormation's intrinsic functions: Ref, Fn::Sub and their kin, and what a value refers to by them."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from harness.templates.names import literal, names_in, pieces
from harness.templates.values import Value

if TYPE_CHECKING:
    from harness.templates.resolver import Resolver

NO_VALUE = "AWS::NoValue"
_IN_SUB = re.compile(r"\$\{(!?)([^}]+)\}")


def function_of(value: Value) -> tuple[str, Value] | None:
    """The function that a value calls, and its argument."""
    if not isinstance(value.content, dict) or len(value.content) != 1:
        return None
    name, argument = next(iter(value.content.items()))
    is_one = name in ("Ref", "Condition") or name.startswith("Fn::")
    return (name, argument) if is_one else None


def is_left_out(value: Value) -> bool:
    """Whether a value is AWS::NoValue."""
    return value.content == NO_VALUE


def text_of(value: Value | None) -> str:
    """The text of a value; empty where there is none."""
    return value.text() if value else ""


def references(value: Value, *more: str) -> Iterator[str]:
    """The logical ids, and other names, that a value refers to whatever its conditions are.

    `more` are functions besides Ref that name what they refer to.
    """
    for key, part in value.items():
        if key == "Fn::If":
            continue
        if key in ("Ref", *more):
            yield part.text().partition(".")[0]
        elif key == "Fn::GetAtt":
            yield (part.parts()[0] if part.parts() else part).text().partition(".")[0]
        elif key == "Fn::Sub":
            text = part.parts()[0] if part.parts() else part
            yield from (found[2].partition(".")[0] for found in _IN_SUB.finditer(text.text()) if not found[1])
        yield from references(part, *more)
    for part in value.parts():
        yield from references(part, *more)


def _ref(resolver: "Resolver", argument: Value, _: str) -> Value:
    return resolver.reference(argument.text(), argument.line)


def _get_att(resolver: "Resolver", argument: Value, _: str) -> Value:
    words = [part.text() for part in argument.parts()] or argument.text().split(".", 1)
    if len(words) != 2:
        raise resolver.wrong(argument.line, "Fn::GetAtt takes a resource and its attribute")
    return resolver.attribute(words[0], words[1], argument.line)


def _sub(resolver: "Resolver", argument: Value, _: str) -> Value:
    text, own = (argument, Value({}, argument.line)) if not argument.parts() else (*argument.parts(), Value({}, 0))[:2]

    def filled(found: re.Match[str]) -> str:
        escaped, name = found[1], found[2].strip()
        if escaped:
            return literal(f"${{{name}}}")
        given = own.get(name)
        if given:
            return resolver.value(given).text()
        resource, _, attribute = name.partition(".")
        if attribute and resource in resolver.resources and attribute not in ("Alias", "Version"):
            return resolver.attribute(resource, attribute, text.line).text()
        return resolver.reference(name, text.line).text()

    return Value(_IN_SUB.sub(filled, text.text()), argument.line)


def _join(resolver: "Resolver", argument: Value, name: str) -> Value:
    parts = argument.parts()
    listed = resolver.value(parts[1]) if len(parts) == 2 else None
    if listed is None or not isinstance(listed.content, tuple):
        return not_read(resolver, argument, name)
    return Value(parts[0].text().join(part.text() for part in listed.content), argument.line)


def _split(resolver: "Resolver", argument: Value, name: str) -> Value:
    parts = argument.parts()
    if len(parts) != 2:
        return not_read(resolver, argument, name)
    text = resolver.value(parts[1]).text()
    return Value(tuple(Value(piece, argument.line) for piece in pieces(text, parts[0].text())), argument.line)


def _select(resolver: "Resolver", argument: Value, name: str) -> Value:
    parts = argument.parts()
    index = resolver.value(parts[0]).text() if parts else ""
    listed = resolver.value(parts[1]).parts() if len(parts) == 2 else ()
    if not index.isdecimal() or int(index) >= len(listed):
        return not_read(resolver, argument, name)
    return listed[int(index)]


def _find_in_map(resolver: "Resolver", argument: Value, name: str) -> Value:
    keys = [resolver.value(part).text() for part in argument.parts()[:3]]
    found: Value | None = resolver.mappings
    for key in keys:
        found = found.get(key) if found else None
    if found is not None and len(keys) == 3:
        return resolver.value(found)
    if any(names_in(key) for key in keys):
        open_here = (found for key in keys for found in names_in(key))
        return resolver.hanging(f"{name} {'.'.join(map(_bare, keys))}", open_here, argument.line)
    default = argument.parts()[3].get("DefaultValue") if len(argument.parts()) == 4 else None
    if default:
        return resolver.value(default)
    raise resolver.wrong(argument.line, f"{name} finds no {'.'.join(keys)} in the Mappings")


def _length(resolver: "Resolver", argument: Value, name: str) -> Value:
    listed = resolver.value(argument)
    if not isinstance(listed.content, tuple):
        return not_read(resolver, argument, name)
    return Value(len(listed.content), argument.line)


def _if(resolver: "Resolver", argument: Value, name: str) -> Value:
    parts = argument.parts()
    if len(parts) != 3:
        raise resolver.wrong(argument.line, "Fn::If takes a condition and two values")
    holds = resolver.condition(parts[0].text(), parts[0].line)
    if holds is None:
        condition = parts[0].text()
        return resolver.hanging(f"{name} {condition}", resolver.needed_by(condition), argument.line)
    return resolver.value(parts[1 if holds else 2])


def _bare(text: str) -> str:
    """A text that can stand within a name."""
    return text.replace("${", "").replace("}", "")


def _import(resolver: "Resolver", argument: Value, _: str) -> Value:
    name = resolver.value(argument).text()
    return Value(resolver.unknown(name, "it is imported from another stack", argument.line), argument.line)


def _to_json(resolver: "Resolver", argument: Value, _: str) -> Value:
    return Value(json.dumps(_plain(resolver.value(argument)), separators=(",", ":")), argument.line)


def _plain(value: Value) -> object:
    """A value as JSON has it; its texts may have names in them that are not known yet."""
    if isinstance(value.content, dict):
        return {key: _plain(part) for key, part in value.content.items()}
    return [*map(_plain, value.content)] if isinstance(value.content, tuple) else value.content


def not_read(resolver: "Resolver", argument: Value, name: str) -> Value:
    """What stands for a function that is not in `READERS`, or not written as CloudFormation has it."""
    what = f"{name} on line {argument.line}"
    return Value(resolver.unknown(what, "this function is not read here", argument.line), argument.line)


Reader = Callable[["Resolver", Value, str], Value]
READERS: Mapping[str, Reader] = {
    "Fn::FindInMap": _find_in_map,
    "Fn::GetAtt": _get_att,
    "Fn::If": _if,
    "Fn::ImportValue": _import,
    "Fn::Join": _join,
    "Fn::Length": _length,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::Sub": _sub,
    "Fn::ToJsonString": _to_json,
    "Ref": _ref,
}
