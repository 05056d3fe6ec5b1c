"""What a good answer's body holds, and what is taken from it: a JSONPath (RFC 9535) or a regular expression, read once.

A text that begins with `$` is a JSONPath, any other one a regular expression.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from harness.core.experiment.requests import Scalar

Check = Callable[[bytes], str | None]
"""Why a body is not that of a good answer; None where it is."""
CheckOfValues = Callable[[bytes, Sequence[Any]], str | None]
"""The same, given the values that should stand in it."""
Find = Callable[[bytes], Any]
"""What stands in a body, or `NOTHING`; raises NotJson."""

NOTHING = object()
_decode = msgspec.json.Decoder().decode


class NotJson(ValueError):
    """A body that is not JSON, where a JSONPath is to look into it."""


def is_json_path(word: str) -> bool:
    """Whether a text is meant as a JSONPath."""
    return word.startswith("$")


def check_of(wanted: str | Mapping[str, Any]) -> Check:
    """How a body is checked; raises ValueError for a JSONPath or a regular expression that cannot be read."""
    if isinstance(wanted, str):
        return _holds(wanted)
    check, values = check_of_values(wanted), [*wanted.values()]
    return lambda body: check(body, values)


def check_of_values(wanted: Mapping[str, Any]) -> CheckOfValues:
    """The same for a map whose values are another request's each time; raises ValueError."""
    compares = [_comparing(path, said) for path, said in wanted.items()]

    def check(body: bytes, values: Sequence[Any]) -> str | None:
        return next((why for one, value in zip(compares, values, strict=True) if (why := one(body, value))), None)

    return check


def find_of(word: str) -> Find:
    """How a value is found: by a regular expression its first group, or all of it; raises ValueError as `check_of`."""
    if is_json_path(word):
        find = _finder(word)
        return lambda body: find(_json(body))
    pattern = _pattern(word)
    group = min(1, pattern.groups)

    def matched(body: bytes) -> Any:
        found = pattern.search(body)
        return NOTHING if found is None or found[group] is None else found[group].decode("utf-8", "replace")

    return matched


def as_scalar(value: Any) -> Scalar | None:
    """A value that was taken, as a later request can use it: what is no plain value becomes its JSON."""
    return value if isinstance(value, Scalar | None) else msgspec.json.encode(value).decode()


def _holds(word: str) -> Check:
    find = find_of(word)
    missing = f"the body does not hold {word}"

    def check(body: bytes) -> str | None:
        try:
            return missing if find(body) is NOTHING else None
        except NotJson as error:
            return f"{error}, and check asks for {word}"

    return check


def _comparing(path: str, said: Any) -> Callable[[bytes, Any], str | None]:
    """Holds what stands at a path against a value, which the experiment says as `said`."""
    if not is_json_path(path):
        raise ValueError(f"must name JSONPaths such as $.status, got {path!r}")
    find = find_of(path)

    def compare(body: bytes, wanted: Any) -> str | None:
        try:
            found = find(body)
        except NotJson as error:
            return f"{error}, and check asks for {path}"
        if found is NOTHING:
            return f"the body does not hold {path}"
        return (
            None if found == wanted and isinstance(found, bool) == isinstance(wanted, bool) else f"{path} is not {said}"
        )

    return compare


def _json(body: bytes) -> Any:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotJson("the body is not JSON") from error


def _pattern(word: str) -> re.Pattern[bytes]:
    try:
        return re.compile(word.encode())
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from error


def _finder(word: str) -> Callable[[Any], Any]:
    from jsonpath import JSONPathEnvironment  # only here: its import takes a third of a second
    from jsonpath.exceptions import JSONPathError
    from jsonpath.selectors import IndexSelector, NameSelector

    try:
        query = JSONPathEnvironment(strict=True).compile(word)
    except JSONPathError as error:
        raise ValueError(f"is no JSONPath: {str(error).splitlines()[0]}") from error
    selectors = [selector for segment in getattr(query, "segments", ()) for selector in segment.selectors]
    steps = [getattr(one, "name", getattr(one, "index", None)) for one in selectors]
    if all(type(one) in (NameSelector, IndexSelector) for one in selectors) and query.singular_query():
        return lambda tree: _followed(tree, steps)  # fifty times as fast, and most paths are like that

    def first(tree: Any) -> Any:
        found = query.match(tree)
        return NOTHING if found is None else found.obj

    return first


def _followed(tree: Any, steps: list[Any]) -> Any:
    """What stands at names and places one below the other."""
    for step in steps:
        if isinstance(tree, dict if isinstance(step, str) else list):
            try:
                tree = tree[step]
            except (KeyError, IndexError):
                return NOTHING
        else:
            return NOTHING
    return tree
