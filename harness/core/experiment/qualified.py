"""A Lambda function as people copy it: by name, by ARN or a part of one, with or without the alias behind it."""

import re
from collections.abc import Mapping
from typing import Any

from harness.errors import ExperimentError

# As the Lambda API takes it. An alias is never a number, which is a version.
_FUNCTION = re.compile(
    r"(?:arn:[\w-]+:lambda:)?(?:[a-z]{2}(?:-[a-z]+)+-\d:)?(?:\d{12}:)?(?:function:)?"
    r"(?P<name>[\w-]+)(?::(?P<qualifier>\$LATEST|[\w-]+))?",
    re.ASCII,
)


def with_a_bare_function(given: Mapping[str, Any], path: str = "deployment") -> dict[str, Any]:
    """What one source (a file, a command line) gives of a deployment, its function by name and its alias apart.

    Region and account of an ARN say nothing here: AWS is asked where the credentials lead. Raises ExperimentError where
    it is no function, where a version stands behind it, or another alias than the one given beside it.
    """
    if given.get("function") is None:
        return dict(given)
    name, alias = _parts(str(given["function"]), f"{path}.function")
    beside = given.get("alias")
    if alias and beside not in (None, alias):
        raise ExperimentError(f"{path}.function", f"names the alias {alias}, and the alias given is {beside}; drop one")
    return {**given, "function": name, **({"alias": alias} if alias else {})}


def _parts(word: str, path: str) -> tuple[str, str | None]:
    found = _FUNCTION.fullmatch(word)
    if not found:
        raise ExperimentError(path, f"must be a function's name, name:alias or ARN, got {word!r}")
    qualifier = found["qualifier"]
    if qualifier and (qualifier.isdecimal() or qualifier == "$LATEST"):
        raise ExperimentError(path, f"ends with the version {qualifier}; a deployment shifts an alias: name that")
    return found["name"], qualifier
