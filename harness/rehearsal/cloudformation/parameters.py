"""The parameters of a stack: what was given, what was there before, defaults, and the constraints of the template."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.rehearsal.cloudformation.evaluation import StoreReader
from harness.rehearsal.cloudformation.refusals import invalid
from harness.templates.values import Value


def chosen(
    declared: Mapping[str, Value], given: Sequence[Mapping[str, Any]], previous: Mapping[str, str]
) -> dict[str, str]:
    """The value of each parameter, as DescribeStacks tells it; raises Refusal for what the template does not allow."""
    asked = {one["ParameterKey"]: one for one in given}
    unknown = [name for name in asked if name not in declared]
    if unknown:
        raise invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    values = {name: _value(name, one, asked.get(name), previous) for name, one in declared.items()}
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise invalid(f"Parameters: [{', '.join(missing)}] must have values")
    found = {name: value for name, value in values.items() if value is not None}
    for name, value in found.items():
        for problem in _problems(name, declared[name], value):
            raise invalid(problem)
    return found


def resolved(declared: Mapping[str, Value], values: Mapping[str, str], stored: StoreReader) -> dict[str, str]:
    """The values with those of the Parameter Store in place of their names there; raises Refusal."""
    return {
        name: stored(value) if _text(declared[name], "Type").startswith("AWS::SSM::Parameter::Value") else value
        for name, value in values.items()
    }


def shown(declared: Mapping[str, Value], values: Mapping[str, str]) -> list[dict[str, str]]:
    """Parameters as DescribeStacks shows them: what is secret is masked."""
    return [
        {"ParameterKey": name, "ParameterValue": "****" if _is_secret(declared.get(name)) else value}
        for name, value in values.items()
    ]


def declared_view(name: str, one: Value) -> dict[str, Any]:
    """A parameter as GetTemplateSummary and ValidateTemplate tell of it."""
    texts = {key: one.get(key) for key in ("DefaultValue", "Description")}
    default = one.get("Default")
    view: dict[str, Any] = {key: value.text() for key, value in texts.items() if value}
    if default is not None:
        view["DefaultValue"] = default.text()
    return {"ParameterKey": name, "NoEcho": _is_secret(one), **view}


def _is_secret(one: Value | None) -> bool:
    return one is not None and _text(one, "NoEcho").lower() == "true"


def _value(name: str, one: Value, asked: Mapping[str, Any] | None, previous: Mapping[str, str]) -> str | None:
    if asked and asked.get("UsePreviousValue"):
        if name not in previous:
            raise invalid(
                f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a parameter key "
                "not in the previous template"
            )
        return previous[name]
    if asked and asked.get("ParameterValue") is not None:
        return str(asked["ParameterValue"])
    default = one.get("Default")
    return None if default is None else default.text()


def _problems(name: str, one: Value, value: str) -> Iterator[str]:
    """Why a value is not allowed, in AWS's words."""
    described = _text(one, "ConstraintDescription")
    for problem in _unmet(name, one, value):
        yield f"Parameter '{name}' failed to satisfy constraint: {described}" if described else problem


def _unmet(name: str, one: Value, value: str) -> Iterator[str]:
    if _text(one, "Type") == "Number" and _number(value) is None:
        yield f"Parameter '{name}' must be a number."
    allowed = one.get("AllowedValues")
    if allowed and value not in [part.text() for part in allowed.parts()]:
        yield f"Parameter '{name}' must be one of AllowedValues"
    pattern = _text(one, "AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        yield f"Parameter '{name}' must match pattern {pattern}"
    for key, (is_met, words) in _LIMITS.items():
        limit = _number(_text(one, key))
        if limit is not None and not is_met(value, limit):
            yield f"Parameter '{name}' must {words.format(limit=_text(one, key))}"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


_LIMITS: Mapping[str, tuple[Callable[[str, float], bool], str]] = {
    "MinLength": (lambda value, limit: len(value) >= limit, "contain at least {limit} characters"),
    "MaxLength": (lambda value, limit: len(value) <= limit, "contain at most {limit} characters"),
    "MinValue": (lambda value, limit: (_number(value) or 0.0) >= limit, "be a number not less than {limit}"),
    "MaxValue": (lambda value, limit: (_number(value) or 0.0) <= limit, "be a number not greater than {limit}"),
}


def _text(one: Value, key: str) -> str:
    found = one.get(key)
    return "" if found is None else found.text()
