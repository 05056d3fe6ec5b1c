"""From the bytes of a connection to answers; llhttp reads the grammar, and nothing here knows a socket."""

import httptools

from harness.traffic.client.answer import HttpAnswer
from harness.traffic.client.failures import ClosedEarly, NoAnswer

MAX_HEAD = 64 * 1024
"""Bytes in a row that are no body (status line and headers, a chunk's head, a trailer) beyond which it is refused."""
BODY_KEPT = 1024 * 1024
"""Bytes on the wire up to which a body is kept for reading; a longer one is only counted."""
PIECES_KEPT = 1024
"""Pieces of a body that are kept apart; each takes some forty bytes, even one of a single byte."""

_INTERIM = range(100, 200)
_SWITCHED = "the server switched protocols without being asked"


class AnswerParser:
    """From the bytes of a connection to one `answer` after another; `keep` says whether another may follow."""

    __slots__ = (
        "_chunks",
        "_counted",
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
        """Makes ready for the answer to the next request; `head_only` if it will have no body whatever it says."""
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
        """Takes `size` bytes; `answer` is set if they completed it. Raises NoAnswer if they cannot be one."""
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
        """Takes the end of the connection, which completes an answer that did not say its length."""
        if not self.received:
            raise ClosedEarly("the connection was closed before an answer")
        if not self._in_body or self._says_length():
            raise NoAnswer("the connection was closed in the middle of the answer")
        self._complete()
        self.keep = False

    def on_message_begin(self) -> None:
        """Called by llhttp; after a whole answer it means bytes that nobody asked for."""
        if self.answer is not None:
            self.keep = False

    def on_headers_complete(self) -> None:
        """Called by llhttp."""
        self._in_body = True
        if self._head_only and self._llhttp.get_status_code() not in _INTERIM:
            self._complete()

    def on_message_complete(self) -> None:
        """Called by llhttp; an interim answer is not one."""
        if self._llhttp.get_status_code() not in _INTERIM:
            self._complete()
        elif self.answer is None:
            self._headers.clear()
            self._in_body = False

    def _complete(self) -> None:
        if self.answer is None:
            llhttp, chunks = self._llhttp, self._chunks[:]
            length = self._counted + sum(map(len, chunks))
            self.answer = HttpAnswer(llhttp.get_status_code(), self._headers.copy(), chunks, length)
            self.keep = llhttp.should_keep_alive()

    @property
    def held(self) -> int:
        """Bytes of an unfinished body that are kept, about."""
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
        return any(name.lower() in (b"content-length", b"transfer-encoding") for name in self._headers)
