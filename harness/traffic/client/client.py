"""The client of one service: it prepares requests, sends them, and keeps connections for the next ones."""

import contextlib
import ssl
import time
from collections.abc import Mapping
from urllib.parse import SplitResult

import gevent
import gevent.lock
from gevent import get_hub

from harness.errors import Exhausted
from harness.traffic.client.address import authority, service_url
from harness.traffic.client.answer import HttpAnswer
from harness.traffic.client.connection import PATIENT, Connection, Timeouts
from harness.traffic.client.failures import ClosedEarly, NoAnswer
from harness.traffic.client.opening import Opener
from harness.traffic.client.prepared import Prepared, payload_of
from harness.traffic.client.proxies import credentials_header
from harness.traffic.client.tls import trusting_context

BODIES_KEPT = 64 * 1024 * 1024
"""Bytes of unfinished bodies that a client keeps in all; with more of them, they are only counted."""
OPENING = 64
"""Connections that are opened at once; whoever waits for a turn takes a kept one that became idle meanwhile."""
AT_ONCE_S = 0.1
"""Seconds within which a server's goodbye to an idle connection arrives after a request that crossed it.

It was under way when the request was sent, so it takes a round trip at most; some 0.1 s lie between AWS regions of one
continent. What breaks later broke while the server worked on the request, and that is what a test must see.
"""
REQUEST_TIMEOUT = 408
"""With `Connection: close` the goodbye of a server to a connection that was idle for too long (RFC 9110, 15.5.9)."""
GOODBYE = "the server answered 408 to a kept connection before it can have seen the request, and closed it"
WARM_S = 1.0
SWEEP_S = 0.1


class Client:
    """A client of one service, for any number of greenlets; `host` may hold a base path, as in `https://x/stage`.

    With a `proxy` all requests go through it: in a tunnel if the service has TLS, else by their whole address.
    Certificates are checked against the system's trust store, or what SSL_CERT_FILE, REQUESTS_CA_BUNDLE or
    CURL_CA_BUNDLE name. Raises UsageError if `host` is no http or https address.
    """

    def __init__(
        self,
        host: str,
        timeouts: Timeouts = PATIENT,
        *,
        tls: ssl.SSLContext | None = None,
        proxy: SplitResult | None = None,
    ) -> None:
        self.url = service_url(host)
        self._timeouts = timeouts
        schemes = {self.url.scheme, proxy.scheme if proxy else ""}
        context = (tls or trusting_context()) if "https" in schemes else None
        self._lack: Exhausted | None = None
        self._opener = Opener(self.url, proxy, timeouts, context)
        self._by_whole_address = proxy if self.url.scheme == "http" else None
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
        target = (self.prefix + path) or "/"
        return Prepared(method, name or path, payload_of(method, target, {**self.fields, **(headers or {})}, body))

    @property
    def prefix(self) -> str:
        """What stands before the path of every request: the base path, and for a proxy the whole address."""
        base = self.url.path.rstrip("/")
        return f"http://{authority(self.url)}{base}" if self._by_whole_address else base

    @property
    def fields(self) -> dict[str, str]:
        """The headers of every request that does not have its own."""
        usual = {"Host": authority(self.url), "User-Agent": "canary-harness", "Accept": "*/*"}
        return usual | (credentials_header(self._by_whole_address) if self._by_whole_address else {})

    def send(self, request: Prepared) -> HttpAnswer:
        """Sends a request and waits for the whole answer; raises NoAnswer.

        An idempotent request is sent once more if it met a kept connection that the server had just closed; the limit
        of the whole time counts from the first.
        """
        connection = self._idle_connection() or self._new_connection()
        kept = connection.reused
        try:
            answer = connection.ask(request)
            if kept and answer.status == REQUEST_TIMEOUT and not connection.open and _at_once(connection):
                raise ClosedEarly(GOODBYE)
        except ClosedEarly:
            if not (kept and request.idempotent and _at_once(connection)):
                raise
            asked = connection.asked
            connection = self._connect()
            answer = connection.ask(request, asked)
        if connection.open:
            self._idle.append(connection)
        return answer

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

    def _idle_connection(self) -> Connection | None:
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.open and connection.silent():
                return connection
        return None

    def _new_connection(self) -> Connection:
        if not self._opening.acquire(timeout=self._timeouts.connect_s):
            raise NoAnswer("no connection: timed out")
        try:
            return self._idle_connection() or self._connect()
        finally:
            self._opening.release()

    def _connect(self) -> Connection:
        if self._lack:  # what is left is for others, who heal
            raise self._lack
        try:
            connection = self._opener.open()
        except Exhausted as lack:
            self._lack = lack
            raise
        self._connections.append(connection)
        return connection

    def _sweep(self) -> None:
        """Fails what is over its time, and holds the bound on unfinished bodies."""
        now = time.monotonic()
        for connection in self._connections:
            connection.expire(now)
        self._connections = [connection for connection in self._connections if connection.open]
        if sum(connection.parser.held for connection in self._connections) > BODIES_KEPT:
            for connection in self._connections:
                connection.parser.let_go()


def _at_once(connection: Connection) -> bool:
    """Whether so little time went by since its request that what came must have been under way before."""
    return time.monotonic() - connection.asked < AT_ONCE_S
