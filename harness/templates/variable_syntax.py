"""How the variables of a serverless.yml are written: `${self:custom.alias}`, `${opt:stage, 'dev'}`.

Source: lib/configuration/variables of the Serverless Framework.
"""

import json
import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from harness.templates.values import Content, Value

_TYPED = re.compile(r"([a-z][A-Za-z0-9]*)(?:\((.*)\))?(?::(.*))?", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_WORDS: Mapping[str, Content] = {"true": True, "false": False, "null": None}


class VariableSource(Struct, frozen=True):
    """One source of a variable: of a kind, with argument and address, or a value that is written out."""

    kind: str | None
    argument: str = ""
    address: str = ""
    literal: Value = Value(None, 0)
    nested: str | None = None


class Variable(Struct, frozen=True):
    """One `${…}` of a text."""

    sources: tuple[VariableSource, ...]


def pieces_of(text: str) -> Iterator[str | Variable]:
    """A text as plain pieces and variables. What looks like none of the framework's, as `${Name}`, is left as it is."""
    at = 0
    while at < len(text):
        start = text.find("${", at)
        if start < 0:
            break
        end = _closing(text, start + 2)
        variable = _variable_of(text[start + 2 : end]) if end is not None else None
        if variable is None or end is None:
            yield text[at : start + 2]
            at = start + 2
            continue
        if start > at:
            yield text[at:start]
        yield variable
        at = end + 1
    if at < len(text):
        yield text[at:]


def _closing(text: str, start: int) -> int | None:
    """Where the brace is closed that is open at a place."""
    depth = 1
    for at in range(start, len(text)):
        if text.startswith("${", at):
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if not depth:
                return at
    return None


def _variable_of(text: str) -> Variable | None:
    sources = [_source_of(part.strip()) for part in _by_commas(text)]
    is_ours = sources[0].kind is not None or sources[0].nested is not None
    return Variable(tuple(sources)) if is_ours else None


def _source_of(text: str) -> VariableSource:
    typed = _TYPED.fullmatch(text)
    if typed and (typed[2] is not None or typed[3] is not None):
        return VariableSource(typed[1], typed[2] or "", (typed[3] or "").strip())
    if text.startswith("${"):
        return VariableSource(None, nested=text)
    return VariableSource(None, literal=Value(_written(text), 0))


def _written(text: str) -> Content:
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1]
    try:
        read = json.loads(text)
    except ValueError:
        return text
    return read if isinstance(read, str) else text


def _by_commas(text: str) -> list[str]:
    """The parts between commas that are within no quotes, brackets or braces."""
    parts, depth, quote = [""], 0, ""
    for sign in text:
        quote = "" if sign == quote else quote or (sign if sign in "'\"" else "")
        depth += 0 if quote else (sign in "{(") - (sign in "})")
        if sign == "," and not quote and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return parts
