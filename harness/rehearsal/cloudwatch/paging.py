"""Answers in pages: NextToken and what it continues."""

import base64
from collections.abc import Sequence
from contextlib import suppress
from typing import TypeVar

from harness.rehearsal.refusal import Refusal

Item = TypeVar("Item")


def page(items: Sequence[Item], size: int, offset: int) -> tuple[Sequence[Item], int | None]:
    """The `size` items from `offset` on, and the offset of what follows; None if nothing does."""
    following = offset + size
    return items[offset:following], following if following < len(items) else None


def token(*numbers: int) -> str:
    """A token that `numbers` can be read from again, opaque as AWS's are."""
    return base64.urlsafe_b64encode(":".join(map(str, numbers)).encode()).decode()


def numbers(text: str | None, *, first: tuple[int, ...]) -> tuple[int, ...]:
    """The numbers in a token, `first` without one; raises InvalidNextToken."""
    if text is None:
        return first
    with suppress(ValueError):
        found = tuple(int(number) for number in base64.urlsafe_b64decode(text).decode().split(":"))
        if len(found) == len(first) and min(found) >= 0:
            return found
    raise Refusal("InvalidNextToken", f"The token {text} is invalid.")
