"""Filter patterns of CloudWatch Logs: which events of a log a metric filter counts.

By the user guide, "Filter pattern syntax": terms (`ERROR -retry`, `?ERROR ?Error`, `"a phrase"`, `%a regex%`), and
conditions on events of JSON (`{ $.level = "error" && $.took > 100 }`). Patterns of fields between spaces, as
`[ip, code=5*]`, are not here.
"""

import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

Event = str
Condition = Callable[[Any], bool]
Pattern = Callable[[Event], bool]


class UnknownPattern(Exception):
    """A pattern that this cloud cannot play; the message says why."""


_TERM = re.compile(r'\s*(?P<sign>[-?]?)(?:"(?P<phrase>[^"]*)"|%(?P<regex>[^%]*)%|(?P<word>[^\s"%]+))')
_TOKEN = re.compile(
    r"\s*(?:(?P<sign>&&|\|\||!=|<=|>=|[=<>()])|(?P<selector>\$[^\s=<>!()&|]*)"
    r'|"(?P<text>(?:[^"\\]|\\.)*)"|%(?P<regex>[^%]*)%|(?P<word>[^\s=<>!()&|"]+))'
)
_STEP = re.compile(r'\.(?P<name>[^.\[\]*]+)|\[(?P<index>\d+)\]|\["(?P<quoted>[^"]+)"\]')
_ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CONSTANTS: Mapping[str, object] = {"TRUE": True, "FALSE": False, "NULL": None}
_MISSING = object()


@lru_cache(maxsize=256)
def read_pattern(text: str) -> Pattern:
    """What a pattern matches; raises UnknownPattern."""
    stripped = text.strip()
    if stripped.startswith("["):
        raise UnknownPattern("patterns of fields between spaces are not played")
    if not stripped.startswith("{"):
        return _terms(stripped)
    if not stripped.endswith("}"):
        raise UnknownPattern(f"{stripped} has no end")
    condition = _Conditions(stripped[1:-1]).whole()
    return lambda event: (members := members_of(event)) is not None and condition(members)


def members_of(event: Event) -> Any:
    """What an event of JSON says; None for any other."""
    if "{" not in event and "[" not in event:
        return None
    try:
        return json.loads(event)
    except (ValueError, RecursionError):
        return None


def selected(members: Any, selector: str) -> Any:
    """What a selector, as `$.order.items[0]`, finds in an event of JSON; None where there is nothing."""
    found = _found(members, _steps(selector))
    return None if found is _MISSING else found


def _terms(text: str) -> Pattern:
    """Terms that must all be there, or one of those with `?` where there are no others, and none of those with `-`."""
    signed: dict[str, list[Pattern]] = {"": [], "?": [], "-": []}
    for found in _TERM.finditer(text):
        signed[found["sign"]].append(_contains(found["phrase"] or found["word"] or "", found["regex"]))
    needed, optional, excluded = signed[""], signed["?"], signed["-"]

    def matches(event: Event) -> bool:
        if any(term(event) for term in excluded):
            return False
        if needed or not optional:
            return all(term(event) for term in needed)
        return any(term(event) for term in optional)

    return matches


def _contains(text: str, regex: str | None) -> Pattern:
    if regex is None:
        return lambda event: text in event
    compiled = _compiled(regex)
    return lambda event: compiled.search(event) is not None


def _compiled(regex: str) -> re.Pattern[str]:
    try:
        return re.compile(regex)
    except re.error as error:
        raise UnknownPattern(f"%{regex}% is no regular expression") from error


def _steps(selector: str) -> Sequence[str | int]:
    steps: list[str | int] = []
    position = 1
    while position < len(selector):
        step = _STEP.match(selector, position)
        if step is None:
            raise UnknownPattern(f"the selector {selector} is not played")
        steps.append(int(step["index"]) if step["index"] else step["name"] or step["quoted"])
        position = step.end()
    return steps


def _found(members: Any, steps: Sequence[str | int]) -> Any:
    for step in steps:
        try:
            members = members[step]
        except (LookupError, TypeError):
            return _MISSING
    return members


class _Conditions:
    """Recursive descent over conditions on JSON; && binds tighter than ||."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [(str(found.lastgroup), found[found.lastgroup or 0]) for found in _TOKEN.finditer(text)]
        self._next = 0

    def whole(self) -> Condition:
        condition = self._either()
        if self._next < len(self._tokens):
            raise self._unread()
        return condition

    def _either(self) -> Condition:
        parts = [self._both()]
        while self._took("||"):
            parts.append(self._both())
        return lambda members: any(part(members) for part in parts)

    def _both(self) -> Condition:
        parts = [self._single()]
        while self._took("&&"):
            parts.append(self._single())
        return lambda members: all(part(members) for part in parts)

    def _single(self) -> Condition:
        if self._took("("):
            condition = self._either()
            if not self._took(")"):
                raise self._unread()
            return condition
        steps, sign = _steps(self._take("selector")), self._take("sign", "word")
        return self._tested(steps, sign)

    def _tested(self, steps: Sequence[str | int], sign: str) -> Condition:
        """Assumption: `!=` holds only where the member is there."""
        if sign == "EXISTS":
            return lambda members: _found(members, steps) is not _MISSING
        if sign == "NOT" and self._take("word") == "EXISTS":
            return lambda members: _found(members, steps) is _MISSING
        if sign == "IS" and (constant := self._take("word").upper()) in _CONSTANTS:
            return lambda members: _found(members, steps) is _CONSTANTS[constant]
        if sign in ("=", "!="):
            equals = self._value()
            return lambda members: (found := _found(members, steps)) is not _MISSING and equals(found) == (sign == "=")
        if sign in _ORDERS:
            order, limit = _ORDERS[sign], self._number()
            return lambda members: _is_number(found := _found(members, steps)) and order(found, limit)
        raise self._unread()

    def _value(self) -> Condition:
        kind, text = self._token()
        self._next += 1
        if kind == "regex":
            compiled = _compiled(text)
            return lambda found: isinstance(found, str) and compiled.search(found) is not None
        if kind not in ("text", "word"):
            raise self._unread()
        number = _as_number(text) if kind == "word" else None
        wanted = re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)
        return lambda found: found == number if _is_number(found) else bool(wanted.fullmatch(_as_text(found)))

    def _number(self) -> float:
        number = _as_number(self._take("word"))
        if number is None:
            raise self._unread()
        return number

    def _token(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "")

    def _take(self, *kinds: str) -> str:
        kind, text = self._token()
        if kind not in kinds:
            raise self._unread()
        self._next += 1
        return text

    def _took(self, sign: str) -> bool:
        took = self._token() == ("sign", sign)
        self._next += took
        return took

    def _unread(self) -> UnknownPattern:
        return UnknownPattern(f"{{{self._text}}} cannot be read")


def _is_number(found: object) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _as_text(found: object) -> str:
    return found if isinstance(found, str) else json.dumps(found)
