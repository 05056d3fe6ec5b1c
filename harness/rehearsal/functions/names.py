"""Names of functions, versions and aliases, and the ARNs made of them."""

import re
from typing import Any

from msgspec import Struct

from harness.rehearsal.refusal import Refusal

LATEST = "$LATEST"

_FUNCTION = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:)?(?:(?P<region>[a-z]{2}(?:-gov)?-[a-z]+-\d):)?(?:(?P<account>\d{12}):)?"
    r"(?:function:)?(?P<name>[a-zA-Z0-9-_]{1,64})(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9-_]{1,128}))?"
)
_FUNCTION_PATTERN = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)"
    r"(:(\$LATEST|[a-zA-Z0-9-_]+))?"
)
_QUALIFIER_PATTERN = r"(|[a-zA-Z0-9$_-]+)"
_QUALIFIER = re.compile(_QUALIFIER_PATTERN)
_LONGEST_QUALIFIER = 128
_ALIAS = re.compile(r"(?!^[0-9]+$)([a-zA-Z0-9-_]{1,128})")


class Address(Struct, frozen=True):
    """Where functions live; the part of an ARN that is the same for all of them."""

    account: str
    region: str

    def arn(self, name: str, qualifier: str | None = None) -> str:
        """The ARN of a function, or of its version or alias `qualifier`."""
        suffix = f":{qualifier}" if qualifier else ""
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{name}{suffix}"

    def parse(self, text: str) -> "FunctionName":
        """Reads a name, partial ARN or ARN, each with or without a qualifier."""
        match = _FUNCTION.fullmatch(text)
        if not match:
            raise invalid_value(
                text, "functionName", f"Member must satisfy regular expression pattern: {_FUNCTION_PATTERN}"
            )
        if (match["region"] or self.region) != self.region:
            message = f"Functions from '{match['region']}' are not reachable in this region ('{self.region}')"
            raise Refusal("ResourceNotFoundException", message)
        if (match["account"] or self.account) != self.account:
            raise Refusal("ResourceNotFoundException", f"Function not found: {text}")
        return FunctionName(match["name"], match["qualifier"])


class FunctionName(Struct, frozen=True):
    """A function as a request names it; without `qualifier` it is $LATEST that is meant."""

    name: str
    qualifier: str | None


def qualified(name: FunctionName, params: dict[str, Any]) -> FunctionName:
    """The name together with the request's `Qualifier`; both may say it, but not differently."""
    given = params.get("Qualifier")
    if given:
        _check_qualifier(given)
    if given and name.qualifier and given != name.qualifier:
        raise Refusal(
            "InvalidParameterValueException",
            "The derived qualifier from the function name does not match the specified qualifier.",
        )
    return FunctionName(name.name, given or name.qualifier)


def _check_qualifier(qualifier: str) -> None:
    if len(qualifier) > _LONGEST_QUALIFIER:
        constraint = f"Member must have length less than or equal to {_LONGEST_QUALIFIER}"
        raise invalid_value(qualifier, "qualifier", constraint)
    if not _QUALIFIER.fullmatch(qualifier):
        constraint = f"Member must satisfy regular expression pattern: {_QUALIFIER_PATTERN}"
        raise invalid_value(qualifier, "qualifier", constraint)


def check_alias_name(name: str) -> None:
    """Refuses an alias name that AWS would refuse: it must not be a number alone."""
    if not _ALIAS.fullmatch(name):
        constraint = f"Member must satisfy regular expression pattern: {_ALIAS.pattern}"
        raise invalid_value(name, "name", constraint)


def is_version(qualifier: str) -> bool:
    """Whether a qualifier can be a version and not an alias."""
    return qualifier == LATEST or qualifier.isdecimal()


def invalid_value(value: object, field: str, constraint: str) -> Refusal:
    """AWS's answer to a value outside of its field's constraint."""
    return Refusal(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: {constraint}",
    )
