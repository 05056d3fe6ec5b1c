"""Pages of a list, for operations with a nextToken."""

import base64
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from harness.rehearsal.refusal import Refusal

PAGE_SIZE = 100
"""Assumption: AWS does not say how long a page is."""


def page(member: str, names: Sequence[str], token: str | None) -> dict[str, Any]:
    """One page of `names` under `member`, and the token of the next page where there is one.

    A token names the last item of its page, so that what is new meanwhile does not shift the pages.
    """
    start = 0 if not token else _after(names, token)
    end = start + PAGE_SIZE
    answer: dict[str, Any] = {member: list(names[start:end])}
    if end < len(names):
        answer["nextToken"] = base64.urlsafe_b64encode(f"after:{names[end - 1]}".encode()).decode()
    return answer


def _after(names: Sequence[str], token: str) -> int:
    with suppress(ValueError):
        prefix, _, last = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        if prefix == "after":
            return list(names).index(last) + 1
    raise Refusal("InvalidNextTokenException", f"The next token is not valid: {token}")
