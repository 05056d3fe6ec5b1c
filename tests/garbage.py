"""Garbage made from good texts: the same for a seed, and a little of every kind."""

import random
import re
from collections.abc import Callable

_ODD = (
    *(b"null", b"-1", b"1e999", b"9" * 400, b"-0.0", b"1e308", b"9223372036854775808", b"true", b"NaN"),
    *(b'""', b'"\\ud800"', b'"\\u0000"', b'"' + b"x" * 5_000 + b'"', b"\xff", b"'", b"*a", b"!!int x"),
    *(b"[]", b"{}", b"[[[[[[[[]]]]]]]]", b"[" * 300),
)
_VALUE = re.compile(rb'(?<=[:\[, ])(?:"[^"\n]*"|[-\w.]+)')


def _flipped(text: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(text))
    return text[:at] + bytes([dice.randrange(256)]) + text[at + 1 :]


def _cut_out(text: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(text))
    return text[:at] + text[at + dice.randint(1, 200) :]


def _cut_off(text: bytes, dice: random.Random) -> bytes:
    return text[: dice.randrange(len(text))]


def _doubled(text: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(text))
    return text[:at] + text[at : at + dice.randint(1, 200)] + text[at:]


def _odd_value(text: bytes, dice: random.Random) -> bytes:
    found = [*_VALUE.finditer(text)]
    if not found:
        return _flipped(text, dice)
    value = dice.choice(found)
    return text[: value.start()] + dice.choice(_ODD) + text[value.end() :]


def _lines_shuffled(text: bytes, dice: random.Random) -> bytes:
    lines = text.splitlines(keepends=True)
    dice.shuffle(lines)
    return b"".join(lines)


_KINDS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flipped,
    _cut_out,
    _cut_off,
    _doubled,
    _odd_value,
    _odd_value,
    _odd_value,
    _lines_shuffled,
)


def garbage(text: bytes, seed: int) -> bytes:
    """A text with one to three faults in it."""
    dice = random.Random(seed)
    for _ in range(dice.randint(1, 3)):
        text = dice.choice(_KINDS)(text, dice) or b" "
    return text
