"""An HTTP/1.1 client for load: requests are prepared once and sent as bytes, answers are parsed by llhttp.

    Client(host)                    one service: its addresses, its TLS, its idle connections
    ├── prepare(...) -> Prepared    a request as bytes
    └── send(prepared) -> Response  waits for the whole answer; raises NoAnswer
        └── Connection              a socket that wakes who waits for an answer
            └── AnswerParser        from bytes to one Response; knows no socket

A connection is driven by its socket: the event loop reads and parses what comes, and wakes the greenlet that waits
when the answer is whole. A request costs no object but its response, and one sweep ten times a second looks after all
time limits.
"""

import contextlib
import errno
import gzip
import io
import os
import ssl
import time
import zlib
from _socket import IPPROTO_TCP, SO_ERROR, SOCK_STREAM, SOL_SOCKET, TCP_NODELAY

# gevent replaces the one in `socket` by its own, which would wait where this one says at once that it would block.
from _socket import socket as RawSocket  # noqa: N812
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import gevent
import gevent.lock
import gevent.socket
import httptools
from gevent import get_hub, getcurrent
from msgspec import Struct

from harness.core.experiment.rails import is_url
from harness.errors import UsageError

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
MAX_HEAD = 64 * 1024
"""Bytes in a row that are no body (status line and headers, a chunk's head, a trailer) beyond which it is refused."""
BODY_KEPT = 1024 * 1024
"""Bytes on the wire up to which a body is kept for reading; a longer one is only counted."""
BODIES_KEPT = 64 * 1024 * 1024
"""Bytes of unfinished bodies that a client keeps in all; with more of them, they are only counted."""
PIECES_KEPT = 1024
"""Pieces of a body that are kept apart; each takes some forty bytes, were it of one byte."""
DECODED_KEPT = 16 * 1024 * 1024
"""Bytes up to which a compressed body is decoded."""
OPENING = 64
"""Connections that are opened at once; whoever waits for a turn takes a kept one that became idle meanwhile."""
AT_ONCE_S = 0.1
"""Seconds within which a server's goodbye to an idle connection arrives after a request that crossed it.

It was under way when the request was sent, so it takes a round trip at most; some 0.1 s lie between AWS regions of one
continent. What breaks later broke while the server worked on the request, and that is what a test must see.
"""
CODINGS = 5
"""Codings of one body that are undone; curl and urllib3 have the same bound."""
WARM_S = 1.0
SWEEP_S = 0.1
ADDRESSES_KEPT_S = 60.0
UNRESOLVED_KEPT_S = 0.5

_PORTS = {"http": 80, "https": 443}
_INTERIM = range(100, 200)
_SWITCHED = "the server switched protocols without being asked"
_READABLE, _WRITABLE = 1, 2
_TLS_READ = 64 * 1024
_buffer = bytearray(64 * 1024)
_view = memoryview(_buffer)
_plain = bytearray(_TLS_READ)
_plain_view = memoryview(_plain)


class Timeouts(Struct, frozen=True):
    """Wall seconds that a client waits: for a connection, between two reads, for an answer from start to end.

    The defaults lie above API Gateway's own limit of 29 s, so that its answer is seen rather than our impatience.
    """

    connect_s: float = 5.0
    read_s: float = 35.0
    total_s: float = 60.0


PATIENT = Timeouts()


class NoAnswer(Exception):
    """A request got no whole and well-formed answer; the message is the reason."""


class ClosedEarly(NoAnswer):
    """The connection ended before the first byte of an answer."""


class Prepared:
    """A request as bytes; `method` and `name` are what Locust's statistics call it."""

    __slots__ = ("head_only", "idempotent", "method", "name", "payload")

    def __init__(self, method: str, name: str, payload: bytes) -> None:
        self.method = method
        self.name = name
        self.payload = payload
        self.head_only = method == "HEAD"
        self.idempotent = method in IDEMPOTENT


class Response:
    """An answer: `status`, `headers` as sent, `length` of its body on the wire."""

    __slots__ = ("_chunks", "headers", "length", "status")

    def __init__(self, status: int, headers: dict[bytes, bytes], chunks: list[bytes], length: int) -> None:
        self.status = status
        self.headers = headers
        self.length = length
        self._chunks = chunks

    def header(self, name: bytes) -> str | None:
        """The value of a header whatever the case of its name; of one sent twice, the last."""
        folded = name.lower()
        value = self.headers.get(name) or self.headers.get(folded)
        if value is None:
            value = next((own for sent, own in self.headers.items() if sent.lower() == folded), None)
        return None if value is None else value.decode("latin-1")

    def body(self) -> bytes:
        """The body with all codings of Content-Encoding undone, the last first.

        Raises NoAnswer if it is not what they say, if one is neither gzip nor deflate, or if it was too long to keep.
        """
        raw = b"".join(self._chunks)
        if len(raw) != self.length:
            raise NoAnswer(f"the body of {self.length} bytes was too long to keep")
        named = [coding.strip().lower() for coding in (self.header(b"Content-Encoding") or "").split(",")]
        codings = [coding for coding in named if coding not in ("", "identity")] if raw else []
        if len(codings) > CODINGS:
            raise NoAnswer(f"the body is encoded {len(codings)} times, which is more than {CODINGS}")
        for coding in reversed(codings):
            raw = _decoded(raw, coding)
        return raw


def _decoded(raw: bytes, coding: str) -> bytes:
    if coding not in _DECODERS:
        raise NoAnswer(f"the body is encoded as {coding!r}; only gzip and deflate can be undone")
    try:
        plain = _DECODERS[coding](raw)
    except (OSError, EOFError, zlib.error) as error:
        raise NoAnswer(f"the body is not valid {coding}: {error}") from error
    if len(plain) > DECODED_KEPT:
        raise NoAnswer(f"the body is longer than {DECODED_KEPT} bytes when decoded")
    return plain


def _gunzipped(raw: bytes) -> bytes:
    """The bytes of all members, up to one more than are kept."""
    with gzip.GzipFile(fileobj=io.BytesIO(raw)) as members:
        return members.read(DECODED_KEPT + 1)


def _inflated(raw: bytes) -> bytes:
    """The bytes of a deflate stream, up to one more than are kept; servers send it with zlib's frame and without."""
    try:
        return _inflated_by(raw, zlib.MAX_WBITS)
    except zlib.error:
        return _inflated_by(raw, -zlib.MAX_WBITS)


def _inflated_by(raw: bytes, window_bits: int) -> bytes:
    decoder = zlib.decompressobj(window_bits)
    plain = decoder.decompress(raw, DECODED_KEPT + 1)
    if not decoder.eof and len(plain) <= DECODED_KEPT:
        raise EOFError("it is cut off")
    return plain


_DECODERS = {"gzip": _gunzipped, "x-gzip": _gunzipped, "deflate": _inflated}


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
        self.answer: Response | None = None

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
            self.answer = Response(llhttp.get_status_code(), self._headers.copy(), chunks, length)
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


class Tls(Struct, frozen=True):
    """A TLS session between two memory buffers."""

    session: ssl.SSLObject
    incoming: ssl.MemoryBIO
    outgoing: ssl.MemoryBIO


class Connection:
    """One connection, used by one greenlet at a time, and only as long as it is `open`.

    `reused` says that it has brought an answer before.
    """

    __slots__ = (
        "_heard",
        "_hub",
        "_outcome",
        "_raw",
        "_timeouts",
        "_tls",
        "_waiter",
        "_waiting",
        "_watcher",
        "asked",
        "open",
        "parser",
        "reused",
    )

    def __init__(self, raw: RawSocket, tls: Tls | None, timeouts: Timeouts) -> None:
        self._raw = raw
        self._tls = tls
        self._timeouts = timeouts
        self.parser = AnswerParser()
        self._waiter: Any = None
        self._waiting = False
        self._outcome: Response | NoAnswer | None = None
        self.asked = self._heard = 0.0
        self.open = True
        self.reused = False
        self._hub = get_hub()
        self._watcher = self._hub.loop.io(raw.fileno(), _READABLE)
        self._watcher.start(self._on_readable)

    def ask(self, request: Prepared, asked: float = 0.0) -> Response:
        """Sends a request and waits for its answer; raises NoAnswer, and the connection is closed then.

        `asked` is the monotonic time from which its total time counts, now unless given.
        """
        self.parser.begin(head_only=request.head_only)
        self._outcome = None
        self._waiting = True
        self._heard = time.monotonic()
        self.asked = asked or self._heard
        try:
            self._write(request.payload)
            while self._outcome is None:
                self._wait()
        except OSError as error:
            self._settle(self._broken(error))
        finally:
            self._waiting = False
            if self._outcome is None or not self.open:
                self.close()
        if isinstance(self._outcome, Response):
            self.reused = True
            return self._outcome
        raise self._outcome or NoAnswer("the wait for the answer was cut short")

    def close(self) -> None:
        """Ends the connection; who waits on it is not woken."""
        self.open = False
        if self._raw.fileno() >= 0:
            self._watcher.stop()
            self._watcher.close()
            self._raw.close()

    def expire(self, now: float) -> None:
        """Fails the request in flight if it is over its limits by the monotonic time `now`; for the event loop only."""
        if not self._waiting or self._outcome is not None:
            return
        limits = self._timeouts
        if now - self.asked > limits.total_s:
            self._settle(NoAnswer(f"the answer was not whole after {limits.total_s:g} s"))
        elif now - self._heard > limits.read_s:
            self._settle(NoAnswer(f"nothing came for {limits.read_s:g} s"))
        self._wake()

    def _wait(self) -> None:
        self._waiter = getcurrent()
        try:
            self._hub.switch()
        finally:
            self._waiter = None

    def _settle(self, outcome: "Response | NoAnswer") -> None:
        """Notes the outcome; the connection stays open only after an answer that allows another."""
        self._outcome = outcome
        if isinstance(outcome, NoAnswer) or not self.parser.keep:
            self.open = False
            self._watcher.stop()

    def _wake(self) -> None:
        """Goes on in the greenlet that waits, if the outcome is there; nothing may follow this call."""
        if self._outcome is not None and self._waiter is not None:
            self._waiter.switch()

    def _broken(self, error: OSError) -> NoAnswer:
        reason = f"{'the answer broke off' if self.parser.received else 'no answer'}: {reason_of(error)}"
        return NoAnswer(reason) if self.parser.received else ClosedEarly(reason)

    # Writing

    def _write(self, payload: bytes) -> None:
        if self._tls:
            self._tls.session.write(payload)
            payload = self._tls.outgoing.read()
        try:
            sent = self._raw.send(payload)
        except BlockingIOError:
            sent = 0
        if sent < len(payload):
            self._write_slowly(memoryview(payload)[sent:])

    def _write_slowly(self, rest: memoryview) -> None:
        """Sends what the socket had no room for, unless the answer comes before the request is out."""
        writable = self._hub.loop.io(self._raw.fileno(), _WRITABLE)
        try:
            while rest and self._outcome is None:
                writable.start(getcurrent().switch)
                self._wait()
                writable.stop()
                if self._outcome is None:
                    rest = rest[self._raw.send(rest) :]
                    self._heard = time.monotonic()
        finally:
            writable.stop()
            writable.close()
        self.open = self.open and not rest

    # Reading, called by the event loop

    def _on_readable(self) -> None:
        try:
            size = self._raw.recv_into(_buffer)
            if self._tls and size:
                self._decrypt(self._tls, size)
            else:
                self._take(_view[:size], size)
        except BlockingIOError:
            return
        except NoAnswer as reason:
            self._settle(reason)
        except OSError as error:
            self._settle(self._broken(error))
        except Exception as error:  # noqa: BLE001 - the event loop would print it and leave the greenlet waiting
            self._settle(NoAnswer(f"the client failed: {error!r}"))
        self._wake()

    def _decrypt(self, tls: Tls, size: int) -> None:
        tls.incoming.write(_view[:size])
        while tls.incoming.pending and self.open:
            try:
                plain: Any = tls.session.read(_TLS_READ, _plain)  # how many bytes, other than its annotation says
            except ssl.SSLWantReadError:
                break
            self._take(_plain_view[:plain], plain)
            if not plain:
                return
        if tls.outgoing.pending and self.open:
            self._raw.send(tls.outgoing.read())

    def _take(self, received: "memoryview | bytes", size: int) -> None:
        """Takes plain bytes, none at the end of the connection; whatever comes while nobody asked ends it."""
        if not self._waiting:
            self.close()
            return
        if size:
            self.parser.feed(received, size)
        elif self._outcome is None:
            self.parser.end()
        if self.parser.answer is None:
            self._heard = time.monotonic()
        else:
            self._settle(self.parser.answer)


def reason_of(error: OSError) -> str:
    """What went wrong with a connection, in few and always the same words, so that equal failures count as one."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS certificate refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or 'unknown').replace('_', ' ').lower()}"
    if isinstance(error, gevent.socket.gaierror):
        return "the name of the host does not resolve"
    if isinstance(error, TimeoutError):
        return "timed out"
    return (error.strerror or type(error).__name__).lower()


class Client:
    """A client of one service, for any number of greenlets; `host` may hold a base path, as in `https://x/stage`.

    Certificates are held against the system's trust store, or what SSL_CERT_FILE, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE
    name. Raises UsageError if `host` is no http or https address.
    """

    def __init__(self, host: str, timeouts: Timeouts = PATIENT, *, tls: ssl.SSLContext | None = None) -> None:
        self.url = service_url(host)
        self._timeouts = timeouts
        self._port = self.url.port or _PORTS[self.url.scheme]
        self._tls = (tls or trusting_context()) if self.url.scheme == "https" else None
        self._addresses: list[tuple[int, Any]] = []
        self._addresses_until = 0.0
        self._unresolved: OSError = gevent.socket.gaierror("the host has no address")
        self._resolving = gevent.lock.RLock()
        self._opening = gevent.lock.Semaphore(OPENING)
        self._idle: list[Connection] = []
        self._connections: list[Connection] = []
        self._sweeper = get_hub().loop.timer(SWEEP_S, SWEEP_S, ref=False)
        self._sweeper.start(self._sweep)

    def prepare(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"", name: str = ""
    ) -> Prepared:
        """A request as bytes, below the base path; `name` stands for its path in statistics.

        Raises ValueError if a method, path or header holds what would break the request apart.
        """
        target = (self.url.path.rstrip("/") + path) or "/"
        fields = {"Host": self._authority(), "User-Agent": "canary-harness", "Accept": "*/*", **(headers or {})}
        if body or method in ("POST", "PUT", "PATCH"):
            fields["Content-Length"] = str(len(body))
        lines = [f"{method} {target} HTTP/1.1", *(f"{field}: {value}" for field, value in fields.items())]
        if any(character in line for line in lines for character in "\r\n\0") or " " in method + target:
            raise ValueError(f"{method} {path!r} cannot be sent: its path or a header holds a space or a line break")
        return Prepared(method, name or path, "\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def send(self, request: Prepared) -> Response:
        """Sends a request and waits for the whole answer; raises NoAnswer.

        An idempotent request is sent once more if it met a kept connection that the server had just closed; the limit
        of the whole time counts from the first.
        """
        connection = self._idle_connection() or self._new_connection()
        try:
            response = connection.ask(request)
        except ClosedEarly:
            at_once = time.monotonic() - connection.asked < AT_ONCE_S
            if not (connection.reused and request.idempotent and at_once):
                raise
            asked = connection.asked
            connection = self._connect()
            response = connection.ask(request, asked)
        if connection.open:
            self._idle.append(connection)
        return response

    def warm(self) -> None:
        """Resolves the host and opens a first connection, so that no request has to; what fails will fail again."""
        with contextlib.suppress(NoAnswer), gevent.Timeout(WARM_S, False):
            self._idle.append(self._connect())

    def close(self) -> None:
        """Ends all connections; requests in flight fail when their time is up."""
        self._sweeper.stop()
        self._sweeper.close()
        for connection in self._connections:
            connection.close()

    def _authority(self) -> str:
        host = _ascii(self.url.hostname or "")
        host = f"[{host}]" if ":" in host else host
        return host if self._port == _PORTS[self.url.scheme] else f"{host}:{self._port}"

    def _idle_connection(self) -> Connection | None:
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.open:
                return connection
        return None

    def _sweep(self) -> None:
        now = time.monotonic()
        for connection in self._connections:
            connection.expire(now)
        self._connections = [connection for connection in self._connections if connection.open]
        if sum(connection.parser.held for connection in self._connections) > BODIES_KEPT:
            for connection in self._connections:
                connection.parser.let_go()

    # Connecting

    def _new_connection(self) -> Connection:
        if not self._opening.acquire(timeout=self._timeouts.connect_s):
            raise NoAnswer("no connection: timed out")
        try:
            return self._idle_connection() or self._connect()
        finally:
            self._opening.release()

    def _connect(self) -> Connection:
        problem: OSError | None = None
        addresses = self._resolved()
        for family, address in addresses:
            try:
                return self._connection(family, address)
            except OSError as error:
                problem = error
        if addresses:
            self._addresses_until = 0.0
        raise NoAnswer(f"no connection: {reason_of(problem or self._unresolved)}") from problem

    def _resolved(self) -> list[tuple[int, Any]]:
        """The addresses of the host, none where its name does not resolve; that is asked again after a while."""
        with self._resolving:  # one question for all that open a connection at the same time
            if time.monotonic() > self._addresses_until:
                try:
                    found = gevent.socket.getaddrinfo(_ascii(self.url.hostname or ""), self._port, type=SOCK_STREAM)
                except OSError as error:
                    found, self._unresolved = [], error
                self._addresses = [(family, address) for family, _, _, _, address in found]
                self._addresses_until = time.monotonic() + (ADDRESSES_KEPT_S if found else UNRESOLVED_KEPT_S)
            return self._addresses

    def _connection(self, family: int, address: Any) -> Connection:
        raw = RawSocket(family, SOCK_STREAM)
        try:
            _connect_socket(raw, address, self._timeouts.connect_s)
            tls = self._shake_hands(raw) if self._tls else None
        except BaseException:
            raw.close()
            raise
        connection = Connection(raw, tls, self._timeouts)
        self._connections.append(connection)
        return connection

    def _shake_hands(self, raw: RawSocket) -> Tls:
        assert self._tls is not None
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = self._tls.wrap_bio(incoming, outgoing, server_hostname=_ascii(self.url.hostname or ""))
        give_up = time.monotonic() + self._timeouts.connect_s
        while True:
            try:
                session.do_handshake()
            except ssl.SSLWantReadError:
                _send_all(raw, outgoing.read(), give_up)
                incoming.write(_read_some(raw, give_up))
            else:
                _send_all(raw, outgoing.read(), give_up)
                return Tls(session, incoming, outgoing)


def _connect_socket(raw: RawSocket, address: Any, connect_s: float) -> None:
    raw.setblocking(False)
    raw.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    code = raw.connect_ex(address)
    if code == errno.EINPROGRESS:
        gevent.socket.wait_write(raw.fileno(), timeout=connect_s)
        code = raw.getsockopt(SOL_SOCKET, SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


def _send_all(raw: RawSocket, payload: bytes, give_up: float) -> None:
    while payload:
        try:
            payload = payload[raw.send(payload) :]
        except BlockingIOError:
            gevent.socket.wait_write(raw.fileno(), timeout=max(0.0, give_up - time.monotonic()))


def _read_some(raw: RawSocket, give_up: float) -> bytes:
    gevent.socket.wait_read(raw.fileno(), timeout=max(0.0, give_up - time.monotonic()))
    received = raw.recv(_TLS_READ)
    if not received:
        raise ConnectionResetError(errno.ECONNRESET, "closed during the TLS handshake")
    return received


def service_url(host: str) -> SplitResult:
    """A service's address in parts; raises UsageError if it is no plain http or https address."""
    url = urlsplit(host.strip()) if is_url(host.strip()) else None
    if url is None or url.query or url.fragment or url.username is not None:
        raise UsageError(f"the host must be an http or https address such as https://example.com/stage, not {host!r}")
    return url


def trusting_context() -> ssl.SSLContext:
    """TLS with verification by the system's trust store or the bundle that the environment names."""
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    try:
        context = ssl.create_default_context()
        if bundle:
            path = Path(bundle)
            context.load_verify_locations(capath=bundle) if path.is_dir() else context.load_verify_locations(bundle)
    except OSError as error:
        raise UsageError(f"the certificates of REQUESTS_CA_BUNDLE={bundle} cannot be read: {error}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def _ascii(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode("ascii")
