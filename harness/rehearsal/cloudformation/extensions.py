"""The transform AWS::LanguageExtensions: loops, and functions whose values are known, before SAM reads a template.

Source: the maintainers of SAM, aws/serverless-application-model#1606 and #2533. What it makes of a function whose value
only the deployment knows is not documented; here it is left as it is (an assumption).
"""

from collections.abc import Iterator, Mapping

from harness.errors import TemplateError
from harness.rehearsal.cloudformation.template import as_meant
from harness.templates.intrinsics import NO_VALUE, function_of
from harness.templates.loops import LOOP, unrolled
from harness.templates.names import names_in
from harness.templates.places import Places
from harness.templates.resolver import Resolver
from harness.templates.values import Value, made

_CARRIED_OUT = frozenset(
    ("Ref", *(f"Fn::{name}" for name in ("FindInMap", "Join", "Length", "Select", "Split", "Sub", "ToJsonString")))
)
_SECTIONS = ("Resources", "Outputs")


def extended(values: Value, parameters: Mapping[str, str]) -> Value:
    """A template with its loops and its known functions carried out. Raises TemplateError for a loop that cannot be."""
    looped = Resolver(values, parameters, Places("template"))
    values = unrolled(values, looped)
    for name, part in (values.get("Resources") or Value({}, 0)).items():
        if name.startswith(LOOP):
            raise looped.wrong(part.line, f"what {name} goes over is not known before the deployment")
    resolver = Resolver(values, parameters, Places("template"))
    sections = dict(values.items())
    done = {name: _carried_out(resolver, sections[name]) for name in _SECTIONS if name in sections}
    return Value({**sections, **done}, values.line)


def _carried_out(resolver: Resolver, value: Value) -> Value:
    called = function_of(value)
    if called and called[0] == "Fn::If":
        return _branch(resolver, value)
    if called and called[0] in _CARRIED_OUT:
        known = _known(resolver, value)
        if known:
            return known
    if isinstance(value.content, dict):
        return Value(dict(_pairs(resolver, value)), value.line)
    if isinstance(value.content, tuple):
        parts = (_carried_out(resolver, part) for part in value.parts())
        return Value(tuple(part for part in parts if not _is_left_out(part)), value.line)
    return value


def _pairs(resolver: Resolver, value: Value) -> Iterator[tuple[str, Value]]:
    for key, part in value.items():
        done = _carried_out(resolver, part)
        if not _is_left_out(done):
            yield key, done


def _is_left_out(value: Value) -> bool:
    called = function_of(value)
    return value.content == NO_VALUE or (called is not None and called[0] == "Ref" and called[1].text() == NO_VALUE)


def _branch(resolver: Resolver, value: Value) -> Value:
    """What a condition chooses; the function itself where that is not known, or it is none."""
    parts = (value.get("Fn::If") or value).parts()
    try:
        holds = resolver.condition(parts[0].text(), parts[0].line) if len(parts) == 3 else None
    except TemplateError:
        holds = None
    return value if holds is None else _carried_out(resolver, parts[1 if holds else 2])


def _known(resolver: Resolver, value: Value) -> Value | None:
    """What a function gives; None where only the deployment knows it."""
    try:
        found = resolver.value(value)
    except TemplateError:
        return None
    return None if _has_names(found) else made(as_meant(found), value.line)


def _has_names(value: Value) -> bool:
    if isinstance(value.content, dict | tuple):
        return any(_has_names(part) for part in (*(part for _, part in value.items()), *value.parts()))
    return bool(names_in(value.text()))
