"""Messages as bytes: what is fixed is written once, and each request fills in the values of its placeholders."""

import os
import random
import uuid
from collections.abc import Callable, Container, Iterable, Mapping
from datetime import UTC, datetime

from harness.core.experiment.composing import Hole, Message, Pieces, Written, written
from harness.core.experiment.feed import Feed, Value
from harness.errors import UsageError
from harness.traffic.client.client import Client
from harness.traffic.client.prepared import WITH_BODY

Taken = Mapping[str, Value]
"""What the steps of a visit took from answers, by name."""
Source = Callable[[int, Taken], bytes]
"""A placeholder's value in its place, for a row of the feed and what was taken."""

NOTHING_TAKEN: Taken = {}
_LENGTH = "content-length"


class Values:
    """Where one process has the values of placeholders from; numbers are drawn by `seed`, a UUID is never repeated."""

    def __init__(self, feed: Feed | None, seed: str, environment: Mapping[str, str] = os.environ) -> None:
        self.feed = feed
        self._environment = environment
        self._drawn = random.Random(seed)
        self._unique = random.Random()
        self._columns: dict[tuple[str, Written], list[bytes]] = {}

    def pieces(self, pieces: Pieces, taken: Container[str]) -> "list[bytes | Source]":
        """Fixed bytes, and how the others are had; raises UsageError for a value that cannot stand in its place."""
        return [piece if isinstance(piece, bytes) else self._of(piece, taken) for piece in pieces]

    def _of(self, hole: Hole, taken: Container[str]) -> "bytes | Source":
        placeholder, place = hole.placeholder, hole.written
        match placeholder.kind:
            case "env":
                return self._variable(placeholder.name, place)
            case "uuid":
                return lambda _, __: written(self._uuid(), place)
            case "now":
                return lambda _, __: written(_now(), place)
            case "random":
                lowest, highest = placeholder.lowest, placeholder.highest
                return lambda _, __: written(self._drawn.randint(lowest, highest), place)
        if placeholder.name in taken:
            return lambda _, taken: written(taken[placeholder.name], place)
        column = self._column(placeholder.name, place)
        return lambda row, _: column[row]

    def _variable(self, name: str, place: Written) -> bytes:
        value = self._environment.get(name)
        if not value:
            raise UsageError(f"traffic.requests: {{{{env.{name}}}}} has no value; set the environment variable {name}")
        try:
            return written(value, place)
        except ValueError as error:
            raise UsageError(f"traffic.requests: the environment variable {name} {error}") from error

    def _column(self, name: str, place: Written) -> list[bytes]:
        if self.feed is None:
            raise UsageError(f"traffic.requests: {{{{{name}}}}} has no column: no feed is given")
        if (name, place) not in self._columns:
            values = enumerate(self.feed.column(name), 1)
            self._columns[name, place] = [self._cell(name, row, value, place) for row, value in values]
        return self._columns[name, place]

    def _cell(self, name: str, row: int, value: Value, place: Written) -> bytes:
        try:
            return written(value, place)
        except ValueError as error:
            assert self.feed is not None
            raise UsageError(f"traffic.feed: {self.feed.source}, row {row}: the column {name} {error}") from error

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._unique.getrandbits(128), version=4))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Text:
    """Bytes with places to fill in."""

    __slots__ = ("_format", "_sources")

    def __init__(self, pieces: "Iterable[bytes | Source]") -> None:
        pieces = tuple(pieces)
        self._format = b"".join(one.replace(b"%", b"%%") if isinstance(one, bytes) else b"%b" for one in pieces)
        self._sources = tuple(one for one in pieces if not isinstance(one, bytes))

    @property
    def is_fixed(self) -> bool:
        """Whether there is nothing to fill in."""
        return not self._sources

    def filled(self, row: int, taken: Taken) -> bytes:
        """The bytes for a row and what was taken."""
        return self._format % tuple([source(row, taken) for source in self._sources])


class Template:
    """A message to one service; `taken` are the names of values that come from answers before."""

    __slots__ = ("_bodiless", "_body", "_head")

    def __init__(self, message: Message, client: Client, values: Values, taken: Container[str] = ()) -> None:
        named = {name.lower() for name, _ in message.headers}
        usual = {name: value for name, value in client.fields.items() if name.lower() not in named}
        body = values.pieces(message.body, taken)
        head: list[bytes | Source] = [f"{message.method} {client.prefix}".encode("latin-1")]
        head += [*values.pieces(message.target, taken), b" HTTP/1.1"]
        head += [f"\r\n{name}: {value}".encode("latin-1") for name, value in usual.items()]
        for name, value in message.headers:
            if name.lower() != _LENGTH:
                head += [f"\r\n{name}: ".encode(), *values.pieces(value, taken)]
        self._head, self._body = Text(head), Text(body)
        self._bodiless = b"\r\nContent-Length: 0\r\n\r\n" if message.method in WITH_BODY else b"\r\n\r\n"

    @property
    def is_fixed(self) -> bool:
        """Whether all requests of it are alike."""
        return self._head.is_fixed and self._body.is_fixed

    def payload(self, row: int = 0, taken: Taken = NOTHING_TAKEN) -> bytes:
        """A request as bytes."""
        body = self._body.filled(row, taken)
        if body:
            return b"%b\r\nContent-Length: %d\r\n\r\n%b" % (self._head.filled(row, taken), len(body), body)
        return self._head.filled(row, taken) + self._bodiless
