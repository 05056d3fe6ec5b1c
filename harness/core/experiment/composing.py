"""A request, with what a fault lays over it, as a message: its method, target, headers and body as pieces.

A piece is fixed bytes or a hole: a placeholder, and how its value is written where it stands. Nothing is filled in yet.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal
from urllib.parse import quote, quote_plus

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from harness.core.experiment.placeholders import Placeholder, pieces
from harness.core.experiment.requests import Overlay, Request, Scalar

Written = Literal["whole path", "path", "query", "header", "form", "json text", "json", "body"]
"""Where a placeholder stands, which says how its value is written there."""

_PATH_SAFE = "/:@!$&'()*+,;=~-._%?"
"""What may stand in a path and its query as it is; a fixed path has its own percent-encoding."""
_TYPES: Mapping[str, str] = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


class Hole(Struct, frozen=True):
    """A placeholder in its place."""

    placeholder: Placeholder
    written: Written


Piece = bytes | Hole
Pieces = tuple[Piece, ...]


class Message(Struct, frozen=True):
    """What is sent, before a host and the values of placeholders are known; `target` is below the host's base path."""

    method: str
    target: Pieces
    headers: tuple[tuple[str, Pieces], ...]
    body: Pieces

    @property
    def holes(self) -> Iterator[Hole]:
        """Every hole."""
        for part in (self.target, *(value for _, value in self.headers), self.body):
            yield from (piece for piece in part if isinstance(piece, Hole))


class CannotBe(ValueError):
    """A part of a request that cannot be sent; `part` is its path within the request."""

    def __init__(self, part: str, problem: str) -> None:
        super().__init__(problem)
        self.part = part


def message_of(request: Request) -> Message:
    """The request as a message; raises CannotBe."""
    for part in ("headers", "query", "form"):
        for name, value in getattr(request, part).items():
            if value is None:
                raise CannotBe(
                    f"{part}.{name}", "must have a value; null is for traffic.fault, where it takes one away"
                )
    content = "json" if request.json is not None else "form" if request.form else ""
    usual = {"Content-Type": _TYPES[content]} if content else {}
    return Message(
        request.method.upper(),
        _joined((*_target(request), *_query(request))),
        tuple((name, _header(name, value)) for name, value in _headers(usual, request.headers).items()),
        _joined(_body(request)),
    )


def expected_of(request: Request) -> Pieces:
    """The values that its check asks for, as a JSON list; none where they are the same for every row.

    Raises CannotBe for a placeholder that cannot be there.
    """
    check = request.check
    if "{{" not in str(check):
        return ()
    if not isinstance(check, Mapping) or any("{{" in path for path in check):
        hint = 'has a placeholder, which only a value of a map can be, as in check: {$.email: "{{email}}"}'
        raise CannotBe("check", hint)
    found = _joined(_json([*check.values()], "check"))
    if any(isinstance(piece, Hole) and piece.placeholder.kind != "named" for piece in found):
        raise CannotBe(
            "check", "has a placeholder that is no column of the feed; only a row's own values can be asked for"
        )
    return found


def faulty(request: Request, overlay: Overlay) -> Request:
    """The request as a fault has it."""
    changes: dict[str, Any] = {request.method: overlay.path} if overlay.path is not None else {}
    given = {name: getattr(overlay, name) for name in ("json", "form", "body") if getattr(overlay, name)}
    if given:  # another kind of body takes the place of the request's
        changes |= {"json": None, "form": {}, "body": None}
    if overlay.json is not None:
        changes["json"] = _merged(request.json, overlay.json)
    if overlay.form:
        changes["form"] = _without_none({**request.form, **overlay.form})
    if overlay.body is not None:
        changes["body"] = overlay.body
    headers, query = _headers(request.headers, overlay.headers), _without_none({**request.query, **overlay.query})
    return replace(request, **changes, headers=headers, query=query)


def overlaid_twice(first: Overlay, second: Overlay) -> Overlay:
    """One overlay with another one over it."""
    laid = {name: getattr(second, name) for name in ("path", "body", "json") if getattr(second, name) is not None}
    if first.json is not None and second.json is not None:
        laid["json"] = {**first.json, **second.json} if _are_maps(first.json, second.json) else second.json
    maps = {name: {**getattr(first, name), **getattr(second, name)} for name in ("query", "form")}
    names = {name.lower() for name in second.headers}
    kept = {name: value for name, value in first.headers.items() if name.lower() not in names}
    return replace(first, **laid, **maps, headers={**kept, **second.headers})


def _headers(below: Mapping[str, Scalar | None], above: Mapping[str, Scalar | None]) -> dict[str, Scalar | None]:
    """Both, whatever the case of their names; null takes one away."""
    names = {name.lower(): name for name in above}
    kept = {names.get(name.lower(), name): value for name, value in below.items()}
    return _without_none({**kept, **above})


def _without_none(values: Mapping[str, Scalar | None]) -> dict[str, Scalar | None]:
    return {name: value for name, value in values.items() if value is not None}


def _are_maps(*values: Any) -> bool:
    return all(isinstance(value, Mapping) for value in values)


def _merged(below: Any, above: Any) -> Any:
    """A JSON value with another one merged into it, as RFC 7396 has it."""
    if not isinstance(above, Mapping):
        return above
    base = below if isinstance(below, Mapping) else {}
    changed = {name: _merged(base.get(name), value) for name, value in above.items() if value is not None}
    return {**{name: value for name, value in base.items() if name not in above}, **changed}


# The parts of a message


def _target(request: Request) -> Iterator[Piece]:
    path = request.path
    if not path.startswith(("/", "{{")):
        raise CannotBe(request.method, f"must be a path that begins with /, got {path!r}")
    for index, piece in enumerate(_read(path, request.method)):
        if isinstance(piece, Placeholder):
            yield Hole(piece, "whole path" if index == 0 else "path")
        else:
            yield quote(piece.partition("#")[0], safe=_PATH_SAFE).encode()


def _query(request: Request) -> Iterator[Piece]:
    sign = b"&" if "?" in request.path else b"?"
    for name, value in request.query.items():
        yield sign + quote(name, safe="").encode() + b"="
        yield from _text(value, "query", f"query.{name}", lambda text: quote(text, safe="").encode())
        sign = b"&"


def _header(name: str, value: Scalar | None) -> Pieces:
    where = f"headers.{name}"
    if not name or any(not "!" <= character <= "~" or character in ':"(),/;<=>?@[]{}\\' for character in name):
        raise CannotBe(where, "is no name of a header")

    def fixed(text: str) -> bytes:
        if any(character in text for character in "\r\n\0"):
            raise CannotBe(where, "must not hold a line break")
        return _latin(text, where)

    return _joined(_text(value, "header", where, fixed))


def _latin(text: str, where: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise CannotBe(where, f"must be of characters that a header can hold, got {text!r}") from error


def _body(request: Request) -> Iterator[Piece]:
    there = {"json": request.json is not None, "form": bool(request.form), "body": request.body is not None}
    given = [name for name, is_there in there.items() if is_there]
    if len(given) > 1:
        raise CannotBe(given[1], f"cannot stand beside {given[0]}: a request has one body")
    if request.json is not None:
        yield from _json(request.json, "json")
    for index, (name, value) in enumerate(request.form.items()):
        yield (b"&" if index else b"") + quote_plus(name).encode() + b"="
        yield from _text(value, "form", f"form.{name}", lambda text: quote_plus(text).encode())
    if request.body is not None:
        yield from _text(request.body, "body", "body", str.encode)


def _json(value: Any, where: str) -> Iterator[Piece]:
    """A JSON value; a text that is nothing but a placeholder becomes what its value is: a number stays one."""
    if isinstance(value, Mapping):
        yield b"{"
        for index, (name, inner) in enumerate(value.items()):
            yield (b"," if index else b"") + _plain_json(str(name), where) + b":"
            yield from _json(inner, f"{where}.{name}")
        yield b"}"
    elif isinstance(value, list | tuple):
        yield b"["
        for index, inner in enumerate(value):
            yield b"," if index else b""
            yield from _json(inner, f"{where}[{index}]")
        yield b"]"
    elif isinstance(value, str):
        yield from _json_text(value, where)
    else:
        yield _plain_json(value, where)


def _json_text(text: str, where: str) -> Iterator[Piece]:
    parts = _read(text, where)
    if len(parts) == 1 and isinstance(parts[0], Placeholder):
        yield Hole(parts[0], "json")
        return
    yield b'"'
    for part in parts:
        yield Hole(part, "json text") if isinstance(part, Placeholder) else _plain_json(part, where)[1:-1]
    yield b'"'


def _plain_json(value: Any, where: str) -> bytes:
    if not isinstance(value, str | int | float | bool | None) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        raise CannotBe(where, f"must be what JSON can hold, got {value}; write a date in quotation marks")
    try:
        return msgspec.json.encode(value)
    except (UnicodeEncodeError, OverflowError) as error:
        raise CannotBe(where, "must be text that can be written down") from error


def _text(value: Scalar | None, written: Written, where: str, fixed: Callable[[str], bytes]) -> Iterator[Piece]:
    for piece in _read(scalar_text(value), where):
        yield Hole(piece, written) if isinstance(piece, Placeholder) else fixed(piece)


def _read(text: str, where: str) -> tuple[str | Placeholder, ...]:
    try:
        return pieces(text)
    except ValueError as error:
        raise CannotBe(where, str(error)) from error


def scalar_text(value: Scalar | None) -> str:
    """A value as text: true and false as JSON has them."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _joined(parts: Iterator[Piece] | Pieces) -> Pieces:
    """The same with fixed neighbours made one."""
    joined: list[Piece] = []
    for part in parts:
        if isinstance(part, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += part
        elif part != b"":
            joined.append(part)
    return tuple(joined)


# Values in their places


def written(value: Scalar | None, place: Written) -> bytes:
    """A value as it is written in its place; raises ValueError for one that cannot stand there."""
    text = scalar_text(value)
    if place == "json":
        return msgspec.json.encode(value)
    if place == "json text":
        return msgspec.json.encode(text)[1:-1]
    if place == "body":
        return text.encode()
    if place == "header":
        return _written_header(text)
    return _QUOTED[place](text).encode()


def _written_header(text: str) -> bytes:
    if any(character in text for character in "\r\n\0"):
        raise ValueError("holds a line break, which no header can")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise ValueError("holds characters that no header can") from error


def _whole_path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError(f"must be a path that begins with /, got {text[:60]!r}")
    return quote(text, safe=_PATH_SAFE)


_QUOTED: Mapping[Written, Callable[[str], str]] = {
    "whole path": _whole_path,
    "path": lambda text: quote(text, safe=""),
    "query": lambda text: quote(text, safe=""),
    "form": quote_plus,
}
