"""Placeholders in what is sent: `{{column}}` of the feed or of an answer before, and values that are made up.

{{email}}                 a column of `traffic.feed`, or a value that a step of the flow took before
{{uuid}}                  a fresh UUID
{{now}}                   the time, as 2026-01-31T23:59:59.123Z
{{random.int(1,100)}}     a whole number between both, drawn by seed
{{env.TOKEN}}             a variable of the environment, for secrets: it is in no artifact
"""

import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

Kind = Literal["named", "uuid", "now", "random", "env"]

_MARK = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_NAMED = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_RANDOM = re.compile(r"random\.int\(\s*(-?\d{1,18})\s*,\s*(-?\d{1,18})\s*\)")
_VARIABLE = re.compile(r"env\.([A-Za-z_]\w*)", re.ASCII)
MADE_UP: tuple[Kind, ...] = ("uuid", "now")
"""Names that are values of their own, and so cannot be columns."""


class Placeholder(Struct, frozen=True):
    """One placeholder: what kind, and its column, its variable, or its lowest and highest number."""

    kind: Kind
    name: str = ""
    lowest: int = 0
    highest: int = 0


def pieces(text: str) -> tuple[str | Placeholder, ...]:
    """A text as its fixed parts and its placeholders, in order; raises ValueError for a placeholder that cannot be."""
    return tuple(piece for piece in _pieces(text) if piece != "")


def _pieces(text: str) -> Iterator[str | Placeholder]:
    end = 0
    for mark in _MARK.finditer(text):
        yield _fixed(text[end : mark.start()])
        yield _placeholder(mark[1].strip())
        end = mark.end()
    yield _fixed(text[end:])


def _fixed(text: str) -> str:
    if "{{" in text:
        raise ValueError("has {{ without }} after it")
    return text


def _placeholder(word: str) -> Placeholder:
    if word in MADE_UP:
        return Placeholder("uuid" if word == "uuid" else "now")
    if variable := _VARIABLE.fullmatch(word):
        return Placeholder("env", variable[1])
    if bounds := _RANDOM.fullmatch(word):
        lowest, highest = int(bounds[1]), int(bounds[2])
        if lowest > highest:
            raise ValueError(f"{{{{{word}}}}} must name the lower number first")
        return Placeholder("random", "", lowest, highest)
    if _NAMED.fullmatch(word):
        return Placeholder("named", word)
    known = "a column's name, uuid, now, random.int(1,100) or env.NAME"
    raise ValueError(f"{{{{{word}}}}} is no placeholder; between the braces stands {known}")


def is_column_name(word: str) -> bool:
    """Whether a column of a feed can be used as a placeholder."""
    return bool(_NAMED.fullmatch(word)) and word not in MADE_UP
