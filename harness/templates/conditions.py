"""Whether a condition of a template holds: true, false, or None where that hangs on what is not known here."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.templates.intrinsics import function_of, references
from harness.templates.names import names_in
from harness.templates.values import Value

if TYPE_CHECKING:
    from harness.templates.resolver import Resolver


def holds(resolver: "Resolver", value: Value) -> bool | None:
    """Whether an expression holds; None where that hangs on what is not known here."""
    function = function_of(value)
    if function is None:
        return {"true": True, "false": False}.get(value.text().lower())
    name, argument = function
    if name == "Condition":
        return resolver.condition(argument.text(), argument.line)
    if name == "Fn::Equals":
        return _equal(resolver, argument)
    read = {"Fn::And": _all, "Fn::Or": _any, "Fn::Not": _not}.get(name)
    return read([holds(resolver, part) for part in argument.parts()]) if read else None


def _equal(resolver: "Resolver", argument: Value) -> bool | None:
    sides = [resolver.value(part).text() for part in argument.parts()]
    if len(sides) != 2:
        return None
    if sides[0] == sides[1]:
        return True
    return None if any(names_in(side) for side in sides) else False


def needed_by(resolver: "Resolver", condition: str) -> Iterator[str]:
    """The names that are not known, and on which a condition hangs."""
    seen, left = set[str](), [condition]
    while left:
        declared = resolver.conditions.get(name := left.pop())
        if declared is not None and name not in seen:
            seen.add(name)
            names = [*references(declared, "Condition")]
            left += names
            yield from (found for found in names if found in resolver.asked)


def _all(parts: Sequence[bool | None]) -> bool | None:
    return False if False in parts else None if None in parts else True


def _any(parts: Sequence[bool | None]) -> bool | None:
    return True if True in parts else None if None in parts else False


def _not(parts: Sequence[bool | None]) -> bool | None:
    return None if len(parts) != 1 or parts[0] is None else not parts[0]
