"""Messages as bytes: what is fixed is written once, and each request fills in the values of its placeholders."""

import os
import random
import time
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
UUIDS_IN_A_ROW = 65_536
"""Drawing each would take as long as the rest of a request's making."""
_LENGTH = "content-length"


class Values:
    """Where one process has the values of placeholders from; no UUID is ever repeated."""

    def __init__(self, feed: Feed | None, environment: Mapping[str, str] = os.environ) -> None:
        self.feed = feed
        self._environment = environment
        self._drawn = random.Random()
        self._uuids_left, self._uuid_start, self._uuid_last = 0, b"", 0
        self._now_ms, self._now_text = 0, b""
        self._columns: dict[tuple[str, Written], list[bytes]] = {}

    def seed(self, seed: str) -> None:
        """Draws numbers by this seed from now on."""
        self._drawn.seed(seed)

    def pieces(self, pieces: Pieces, taken: Container[str]) -> "list[bytes | Source]":
        """Fixed bytes, and how the others are had; raises UsageError for a value that cannot stand in its place."""
        return [piece if isinstance(piece, bytes) else self._of(piece, taken) for piece in pieces]

    def _of(self, hole: Hole, taken: Container[str]) -> "bytes | Source":
        placeholder, place = hole.placeholder, hole.written
        match placeholder.kind:
            case "env":
                return self._variable(placeholder.name, place)
            case "uuid":
                return _made_up(self._uuid, place)
            case "now":
                return _made_up(self._now, place)
            case "random":
                lowest, count, draw = (
                    placeholder.lowest,
                    placeholder.highest - placeholder.lowest + 1,
                    self._drawn.random,
                )
                return lambda _, __: b"%d" % (lowest + int(draw() * count))
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

    def _uuid(self) -> bytes:
        """One of version 4. Its last part is counted, from a place and after a beginning drawn now and then."""
        if not self._uuids_left:
            drawn = str(uuid.uuid4())
            self._uuids_left, self._uuid_start = UUIDS_IN_A_ROW, drawn[:24].encode()
            self._uuid_last = int(drawn[24:], 16) >> 1
        self._uuids_left -= 1
        self._uuid_last += 1
        return b"%b%012x" % (self._uuid_start, self._uuid_last)

    def _now(self) -> bytes:
        """The time to the millisecond; written once in each."""
        at_ms = int(time.time() * 1000)
        if at_ms != self._now_ms:
            moment = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
            self._now_ms, self._now_text = at_ms, moment.replace("+00:00", "Z").encode()
        return self._now_text


def _made_up(make: Callable[[], bytes], place: Written) -> Source:
    """A made-up text in its place; a colon is all of it that is written otherwise anywhere."""
    if place == "json":
        return lambda _, __: b'"%b"' % make()
    if place in ("path", "query", "form"):
        return lambda _, __: make().replace(b":", b"%3A")
    return lambda _, __: make()


class Text:
    """Bytes with places to fill in: how it begins, then each place with what stands between it and the next."""

    __slots__ = ("_begins", "_goes_on")

    def __init__(self, pieces: "Iterable[bytes | Source]") -> None:
        begins, goes_on = b"", list[tuple[Source, bytes]]()
        for piece in pieces:
            if not isinstance(piece, bytes):
                goes_on.append((piece, b""))
            elif goes_on:
                source, between = goes_on[-1]
                goes_on[-1] = source, between + piece
            else:
                begins += piece
        self._begins, self._goes_on = begins, tuple(goes_on)

    @property
    def is_fixed(self) -> bool:
        """Whether there is nothing to fill in."""
        return not self._goes_on

    def filled(self, row: int, taken: Taken) -> bytes:
        """The bytes for a row and what was taken."""
        filled = self._begins
        for source, between in self._goes_on:  # for so few, sums are twice as fast as a format
            filled += source(row, taken) + between
        return filled


class Template:
    """A message to one service; `taken` are the names of values that come from answers before."""

    __slots__ = ("_body", "_whole")

    def __init__(self, message: Message, client: Client, values: Values, taken: Container[str] = ()) -> None:
        named = {name.lower() for name, _ in message.headers}
        usual = {name: value for name, value in client.fields.items() if name.lower() not in named}
        head: list[bytes | Source] = [f"{message.method} {client.prefix}".encode("latin-1")]
        head += [*values.pieces(message.target, taken), b" HTTP/1.1"]
        head += [f"\r\n{name}: {value}".encode("latin-1") for name, value in usual.items()]
        for name, value in message.headers:
            if name.lower() != _LENGTH:
                head += [f"\r\n{name}: ".encode(), *values.pieces(value, taken)]
        body = Text(values.pieces(message.body, taken))
        self._body = None if body.is_fixed else body
        if body.is_fixed:
            content = body.filled(0, NOTHING_TAKEN)
            length = b"\r\nContent-Length: %d" % len(content) if content or message.method in WITH_BODY else b""
            self._whole = Text([*head, length + b"\r\n\r\n" + content])
        else:
            self._whole = Text([*head, b"\r\nContent-Length: "])

    @property
    def is_fixed(self) -> bool:
        """Whether all requests of it are alike."""
        return self._whole.is_fixed and self._body is None

    def payload(self, row: int = 0, taken: Taken = NOTHING_TAKEN) -> bytes:
        """A request as bytes."""
        if self._body is None:
            return self._whole.filled(row, taken)
        body = self._body.filled(row, taken)
        return self._whole.filled(row, taken) + b"%d\r\n\r\n" % len(body) + body
