"""Names that are only known when the stack is deployed: how they are written, and whether two of them may be one.

`${Logical}` stands for the name that CloudFormation makes up for a resource: it is that of no other one. `${Stage}` of
a parameter without a value may be anything; such names are *open*. A text that itself has `${` in it is written `${!`,
as in Fn::Sub, so that it never looks like one of these.
"""

import re
from collections.abc import Collection

_NAMES = re.compile(r"\$\{[^!}][^}]*\}")


def literal(text: str) -> str:
    """A text of the template in which nothing is to be filled in."""
    return text.replace("${", "${!")


def placeholder(name: str) -> str:
    """What stands for a name that is not known yet."""
    return f"${{{name}}}"


def names_in(text: str) -> tuple[str, ...]:
    """The names that are not known yet, as they stand in a text."""
    return tuple(found[2:-1] for found in _NAMES.findall(text))


def pieces(text: str, separator: str) -> list[str]:
    """A text split as Fn::Split does, but not within a name that is not known yet."""
    hidden = _NAMES.sub(lambda found: found[0].replace(separator, "\0"), text)
    return [piece.replace("\0", separator) for piece in hidden.split(separator)]


def may_be_one(one: str, other: str, open_names: Collection[str]) -> bool:
    """Whether two texts may become the same one; a name stands for the same in both, an open one for anything."""
    ours, theirs = _trimmed(_split(one), _split(other))
    ours, theirs = [part[::-1] for part in _trimmed(ours[::-1], theirs[::-1])]
    if not _is_open(ours, open_names) and not _is_open(theirs, open_names):
        return ours == theirs
    if _is_open(ours, open_names) and _is_open(theirs, open_names):
        return True
    pattern, text = (ours, theirs) if _is_open(ours, open_names) else (theirs, ours)
    wanted = "".join(".*" if _is_open([part], open_names) else re.escape(part) for part in pattern)
    return re.fullmatch(wanted, "".join(text), re.DOTALL) is not None


def _split(text: str) -> list[str]:
    """The characters of a text, a name that is not known yet as one of them."""
    return re.findall(rf"{_NAMES.pattern}|.", text, re.DOTALL)


def _trimmed(one: list[str], other: list[str]) -> tuple[list[str], list[str]]:
    """Two lists without what they have in common at the beginning."""
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    return one[same:], other[same:]


def _is_open(parts: list[str], open_names: Collection[str]) -> bool:
    return any(len(part) > 1 and part[2:-1] in open_names for part in parts)
