"""Parses answers: status line, headers and body, from the bytes of a connection.

llhttp reads the grammar. Nothing here knows a socket.
"""

import httptools

from harness.traffic.client.answer import HttpAnswer
from harness.traffic.client.failures import ClosedEarly, NoAnswer

MAX_HEAD = 64 * 1024
"""The most bytes in a row that are no body: status line and headers, a chunk's head, a trailer. More are refused."""
BODY_KEPT = 1024 * 1024
"""The longest body that is kept for reading, in bytes on the wire. A longer one is only counted."""
PIECES_KEPT = 1024
"""How many pieces of a body are kept apart. Each takes some forty bytes of memory, even for a single byte."""

_INTERIM = range(100, 200)
_SWITCHED = "the server switched protocols without being asked"


class AnswerParser:
    """Parses one `answer` after another; `keep` says whether the connection may bring another."""

    __slots__ = (
        "_chunks",
        "_counted",
        "_fields",
        "_head_only",
        "_headers",
        "_in_body",
        "_llhttp",
        "_no_body",
        "answer",
        "keep",
        "on_body",
        "on_header",
        "received",
    )

    def __init__(self) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._fields: dict[bytes, bytes] = {}  # those of the head alone: what comes behind the body changes none
        self._chunks: list[bytes] = []
        # llhttp calls these two straight, without a Python frame of ours in between.
        self.on_header = self._headers.__setitem__
        self.on_body = self._chunks.append
        self._llhttp = self._started()
        self._head_only = self._in_body = False
        self._counted = self._no_body = 0
        self.received = 0
        self.keep = False
        self.answer: HttpAnswer | None = None

    def begin(self, *, head_only: bool) -> None:
        """Prepares for the next answer; `head_only` says that it has no body, whatever its headers say."""
        if self._head_only:
            self._llhttp = self._started()
        self._headers.clear()
        self._chunks.clear()
        self._head_only = head_only
        self._in_body = self.keep = False
        self._counted = self._no_body = self.received = 0
        self.answer = None

    def _started(self) -> httptools.HttpResponseParser:
        llhttp = httptools.HttpResponseParser(self)
        # An interim answer may say `Connection: close` and is still followed by the answer, which ends our reading.
        llhttp.set_dangerous_leniencies(lenient_keep_alive=True)
        return llhttp

    def feed(self, received: "memoryview | bytes", size: int) -> None:
        """Takes `size` bytes, and sets `answer` once it is complete. Raises NoAnswer if they are no HTTP answer."""
        self.received += size
        pieces = len(self._chunks)
        try:
            self._llhttp.feed_data(received)
        except httptools.HttpParserUpgrade as error:
            raise NoAnswer(_SWITCHED) from error
        except httptools.HttpParserError as error:
            self.keep = False
            if self.answer is None:
                raise NoAnswer(_SWITCHED if "Upgrade" in str(error) else f"malformed answer: {error}") from error
        if self.answer is None:
            self._no_body = self._no_body + size if len(self._chunks) == pieces else 0
            self._hold_limits()

    def end(self) -> None:
        """Takes the end of the connection. It completes an answer that did not say its length; else raises NoAnswer."""
        if not self.received:
            raise ClosedEarly("the connection was closed before an answer")
        if not self._in_body or self._says_length():
            raise NoAnswer("the connection was closed in the middle of the answer")
        self._complete()
        self.keep = False

    def on_message_begin(self) -> None:
        """Called by llhttp. After a whole answer it means bytes that nobody asked for."""
        if self.answer is not None:
            self.keep = False

    def on_headers_complete(self) -> None:
        """Called by llhttp."""
        self._in_body = True
        self._fields = self._headers.copy()
        if self._head_only and self._llhttp.get_status_code() not in _INTERIM:
            self._complete()

    def on_message_complete(self) -> None:
        """Called by llhttp, also at the end of an interim answer, which is skipped."""
        if self._llhttp.get_status_code() not in _INTERIM:
            self._complete()
        elif self.answer is None:
            self._headers.clear()
            self._in_body = False

    def _complete(self) -> None:
        if self.answer is None:
            llhttp, chunks = self._llhttp, self._chunks[:]
            length = self._counted + sum(map(len, chunks))
            self.answer = HttpAnswer(llhttp.get_status_code(), self._fields, chunks, length)
            self.keep = llhttp.should_keep_alive()

    @property
    def held(self) -> int:
        """About how many bytes of an unfinished body are kept."""
        return self.received - self._counted if self._in_body and self.answer is None else 0

    def let_go(self) -> None:
        """Keeps no more of the body than its length."""
        self._counted += sum(map(len, self._chunks))
        self._chunks.clear()

    def _hold_limits(self) -> None:
        if self._no_body > MAX_HEAD:
            part = "a trailer or a chunk's head is" if self._in_body else "the headers of the answer are"
            raise NoAnswer(f"{part} longer than {MAX_HEAD} bytes")
        if self.received > BODY_KEPT:
            self.let_go()
        elif len(self._chunks) > PIECES_KEPT:
            self._chunks[:] = [b"".join(self._chunks)]

    def _says_length(self) -> bool:
        return any(name.lower() in (b"content-length", b"transfer-encoding") for name in self._fields)
