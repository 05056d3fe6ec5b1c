"""A tree of plain values held against the types, with the exact path of whatever differs."""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from msgspec import inspect

from harness.core.experiment.types import Experiment, ShadowFile
from harness.errors import ExperimentError

Problems = Iterator[ExperimentError]

_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


@cache
def shape_of(kind: type) -> inspect.Type:
    """A type as `mismatches` holds trees against it; working one out takes as long as reading a file by it."""
    return inspect.type_info(kind)


def mismatches(value: Any, kind: inspect.Type, path: str) -> Problems:
    """Everything in which a tree differs from its type; `path` is where it hangs, for the whole the source's name."""
    check = _CHECKS.get(type(kind))
    if check:
        yield from check(value, kind, path)


def _in_struct(value: Any, kind: inspect.StructType, path: str) -> Problems:
    if not isinstance(value, Mapping):
        yield ExperimentError(path, f"must be a map of keys, got {shown(value)}")
        return
    inside = "" if kind.cls in (Experiment, ShadowFile) else f"{path}."
    fields = {field.encode_name: field for field in kind.fields}
    for key, item in value.items():
        if key not in fields and _LONE_SURROGATE.search(key):
            yield ExperimentError(path, f"a key must be text that can be written down, got {key[:60]!a}")
        elif key not in fields:
            yield ExperimentError(f"{inside}{key}", f"unknown key; {_nearest(key, fields)}")
        else:
            yield from mismatches(item, fields[key].type, f"{inside}{key}")
    for name, field in fields.items():
        if field.required and name not in value:
            yield ExperimentError(f"{inside}{name}", "is missing")


def _in_map(value: Any, kind: inspect.DictType, path: str) -> Problems:
    if not isinstance(value, Mapping):
        yield ExperimentError(path, f"must be a map, got {shown(value)}")
        return
    for key, item in value.items():
        if _LONE_SURROGATE.search(key):
            yield ExperimentError(path, f"a key must be text that can be written down, got {key[:60]!a}")
            continue
        if isinstance(kind.key_type, inspect.LiteralType) and key not in kind.key_type.values:
            yield ExperimentError(f"{path}.{key}", f"unknown key; {_nearest(key, _choices(kind.key_type))}")
        yield from mismatches(item, kind.value_type, f"{path}.{key}")


def _in_list(value: Any, kind: inspect.VarTupleType, path: str) -> Problems:
    if not isinstance(value, list):
        yield ExperimentError(path, f"must be a list, got {shown(value)}")
        return
    for index, item in enumerate(value):
        yield from mismatches(item, kind.item_type, f"{path}[{index}]")


def _in_union(value: Any, kind: inspect.UnionType, path: str) -> Problems:
    members = [member for member in kind.types if not isinstance(member, inspect.NoneType)]
    if value is None and len(members) < len(kind.types):
        return
    problems = [next(mismatches(value, member, path), None) for member in members]
    if None in problems:
        return
    meant = members if len(members) == 1 else [member for member in members if _is_meant(value, member)]
    if meant:
        yield from mismatches(value, meant[0], path)
    else:
        kinds = dict.fromkeys(_kind(member) for member in members if not isinstance(member, inspect.IntType))
        yield ExperimentError(path, f"must be {_joined(kinds)}, got {shown(value)}")


def _is_meant(value: Any, member: inspect.Type) -> bool:
    """Whether a person who wrote this value had this member of a union in mind."""
    match member:
        case inspect.DictType() | inspect.StructType():
            return isinstance(value, Mapping)
        case inspect.VarTupleType():
            return isinstance(value, list)
        case inspect.FloatType():
            return isinstance(value, int | float) and not isinstance(value, bool)
    return False


def _in_choice(value: Any, kind: inspect.LiteralType | inspect.EnumType, path: str) -> Problems:
    if value not in _choices(kind):
        yield ExperimentError(path, f"must be {_joined(_choices(kind))}, got {shown(value)}")


def _in_truth(value: Any, _: inspect.BoolType, path: str) -> Problems:
    if not isinstance(value, bool):
        yield ExperimentError(path, f"must be true or false, got {shown(value)}")


def _in_text(value: Any, kind: inspect.StrType, path: str) -> Problems:
    if not isinstance(value, str):
        quoted = f'; write "{value}"' if isinstance(value, int | float) and not isinstance(value, bool) else ""
        yield ExperimentError(path, f"must be text, got {shown(value)}{quoted}")
    elif _LONE_SURROGATE.search(value):
        yield ExperimentError(path, f"must be text that can be written down, got {value[:60]!a}")
    elif kind.pattern and not re.search(kind.pattern, value):
        yield ExperimentError(
            path, f"must be 1 to 64 letters, digits, dots, dashes and underscores, got {shown(value)}"
        )


def _in_number(value: Any, kind: inspect.IntType | inspect.FloatType, path: str) -> Problems:
    whole = isinstance(kind, inspect.IntType)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        yield ExperimentError(path, f"must be {_kind(kind)}, got {shown(value)}")
    elif not _is_finite(value):
        yield ExperimentError(path, f"must be a finite number, got {shown(value)}")
    elif not _in_range(value, kind):
        yield ExperimentError(path, f"must be {_range(kind)}, got {shown(value)}")


_CHECKS: Mapping[type, Callable[[Any, Any, str], Problems]] = {
    inspect.StructType: _in_struct,
    inspect.DictType: _in_map,
    inspect.VarTupleType: _in_list,
    inspect.UnionType: _in_union,
    inspect.LiteralType: _in_choice,
    inspect.EnumType: _in_choice,
    inspect.BoolType: _in_truth,
    inspect.StrType: _in_text,
    inspect.IntType: _in_number,
    inspect.FloatType: _in_number,
}


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _in_range(value: float, kind: inspect.IntType | inspect.FloatType) -> bool:
    above = (kind.ge is None or value >= kind.ge) and (kind.gt is None or value > kind.gt)
    return above and (kind.le is None or value <= kind.le)


def _range(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f"between {kind.ge:,.15g} and {kind.le:,.15g}"
    if kind.gt is not None:
        return f"more than {kind.gt:g}" + (f" and at most {kind.le:,.15g}" if kind.le is not None else "")
    return f"at least {kind.ge:g}"


def _choices(kind: inspect.LiteralType | inspect.EnumType) -> list[str]:
    """Every word allowed, in the order of the alphabet."""
    if isinstance(kind, inspect.EnumType):
        return sorted(str(member.value) for member in kind.cls)
    return sorted(str(value) for value in kind.values)


def _kind(kind: inspect.Type) -> str:
    match kind:
        case inspect.LiteralType() | inspect.EnumType():
            return _joined(_choices(kind))
        case inspect.DictType() | inspect.StructType():
            return "a map"
        case inspect.VarTupleType():
            return "a list"
        case inspect.IntType():
            return "a whole number"
        case inspect.FloatType():
            return "a number"
    return "text"


def _joined(words: Iterable[str]) -> str:
    *head, last = words
    return f"{', '.join(head)} or {last}" if head else last


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"


def shown(value: Any) -> str:
    """A value as an error message repeats it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case Mapping():
            return "a map"
        case list():
            return "a list"
        case str():
            return repr(value if len(value) <= 60 else f"{value[:57]}...")
        case int() if abs(value) >= 10**30:
            return "a number without end"
    return str(value)
