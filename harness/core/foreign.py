"""Values of documents that others wrote: what is not of the kind that is asked for counts as missing."""

import math
from collections.abc import Mapping, Sequence
from typing import Any


def text(value: object) -> str | None:
    """A text that is not empty and can be written as UTF-8."""
    if not isinstance(value, str) or not value:
        return None
    return value.encode("utf-8", "replace").decode()


def number(value: object) -> float | None:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def whole(value: object) -> int | None:
    """An integer of at most 2**53, which any JSON reader keeps exactly."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 2**53:
        return None
    return value


def mapping(value: object) -> Mapping[str, Any]:
    """A structure; anything else is an empty one."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[Any]:
    """A list; anything else is an empty one."""
    return value if isinstance(value, list | tuple) else ()
