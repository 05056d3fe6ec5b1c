"""Opening connections to one service, straight or through a proxy: resolve, connect, ask for a tunnel, shake hands."""

import errno
import os
import ssl
import time
from _socket import IPPROTO_TCP, SO_ERROR, SOCK_STREAM, SOL_SOCKET, TCP_NODELAY

# As in connection.py: the one that gevent does not replace.
from _socket import socket as RawSocket  # noqa: N812
from typing import Any
from urllib.parse import SplitResult

import gevent.lock
import gevent.socket

from harness.errors import exhausted
from harness.traffic.client.address import host_name, port_of
from harness.traffic.client.connection import Connection, Timeouts
from harness.traffic.client.failures import NoAnswer, reason_of
from harness.traffic.client.parser import AnswerParser
from harness.traffic.client.proxies import connect_request
from harness.traffic.client.tls import RECORD, Tls

ADDRESSES_KEPT_S = 60.0
UNRESOLVED_KEPT_S = 0.5


class Opener:
    """Opens connections to a service; with a proxy, to the proxy, and through its tunnel where the service has TLS."""

    def __init__(
        self, service: SplitResult, proxy: SplitResult | None, timeouts: Timeouts, context: ssl.SSLContext | None
    ) -> None:
        self._service = service
        self._proxy = proxy
        self._timeouts = timeouts
        self._context = context
        self._addresses = _Addresses(proxy or service)
        self._failed = "the proxy failed" if proxy else "no connection"

    def open(self) -> Connection:
        """A connection to the first address that accepts one; raises NoAnswer, or Exhausted."""
        addresses = self._addresses.now()
        reason = self._addresses.problem
        for family, address in addresses:
            try:
                return self._opened(family, address)
            except OSError as error:
                if lack := exhausted(error):
                    raise lack from error
                reason = reason_of(error)
        if addresses:
            self._addresses.forget()
        raise NoAnswer(f"{self._failed}: {reason}")

    def _opened(self, family: int, address: Any) -> Connection:
        raw = RawSocket(family, SOCK_STREAM)
        wire = _Wire(raw, self._timeouts.connect_s)
        try:
            wire.connect(address)
            by_proxy = self._speak_to_proxy(wire)
            if self._service.scheme == "https":
                self._shake_hands_with_service(wire)
        except BaseException:
            raw.close()
            raise
        return Connection(raw, wire.tls, self._timeouts, answered_by_proxy=by_proxy)

    def _speak_to_proxy(self, wire: "_Wire") -> bool:
        """Whether the proxy is who answers requests: it is asked for a tunnel only where the service has TLS."""
        if self._proxy is None:
            return False
        if self._proxy.scheme == "https":
            wire.shake_hands(self._context, host_name(self._proxy))
        if self._service.scheme == "http":
            return True
        status = wire.status_of_answer(connect_request(self._proxy, self._service))
        if not 200 <= status < 300:
            raise NoAnswer(f"the proxy failed: it refused a tunnel with HTTP {status}")
        return False

    def _shake_hands_with_service(self, wire: "_Wire") -> None:
        try:
            wire.shake_hands(self._context, host_name(self._service))
        except OSError as error:
            if self._proxy is None:
                raise
            # Another address of the proxy would lead to the same service.
            raise NoAnswer(f"no connection: {reason_of(error)}") from error


class _Addresses:
    """The addresses of a host, kept for a while; `problem` says why there are none."""

    def __init__(self, url: SplitResult) -> None:
        self._url = url
        self._found: list[tuple[int, Any]] = []
        self._until = 0.0
        self._resolving = gevent.lock.RLock()
        self.problem = "the host has no address"

    def now(self) -> list[tuple[int, Any]]:
        """The addresses, none where the name does not resolve; that is asked again after a while."""
        with self._resolving:  # one question for all that open a connection at the same time
            if time.monotonic() > self._until:
                self._found = self._resolved()
                self._until = time.monotonic() + (ADDRESSES_KEPT_S if self._found else UNRESOLVED_KEPT_S)
            return self._found

    def forget(self) -> None:
        """Asks again the next time."""
        self._until = 0.0

    def _resolved(self) -> list[tuple[int, Any]]:
        try:
            found = gevent.socket.getaddrinfo(host_name(self._url), port_of(self._url), type=SOCK_STREAM)
        except OSError as error:
            self.problem = reason_of(error)
            return []
        return [(family, address) for family, _, _, _, address in found]


class _Wire:
    """A socket while its connection is opened, which has `connect_s` for all of it; raises OSError."""

    def __init__(self, raw: RawSocket, connect_s: float) -> None:
        self._raw = raw
        self._give_up = time.monotonic() + connect_s
        self.tls: Tls | None = None

    def connect(self, address: Any) -> None:
        """Connects the socket."""
        self._raw.setblocking(False)
        self._raw.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        code = self._raw.connect_ex(address)
        if code == errno.EINPROGRESS:
            gevent.socket.wait_write(self._raw.fileno(), timeout=self._left_s())
            code = self._raw.getsockopt(SOL_SOCKET, SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))

    def shake_hands(self, context: ssl.SSLContext | None, host: str) -> None:
        """Begins TLS with a host, inside of the TLS that there may be already."""
        assert context
        self.tls = tls = Tls(context, host, outer=self.tls)
        while True:
            try:
                tls.session.do_handshake()
            except ssl.SSLWantReadError:
                self._send(tls.to_send())
                tls.receive(self._received())
            else:
                self._send(tls.to_send())
                return

    def status_of_answer(self, request: bytes) -> int:
        """The status of the answer to a request that has no body; raises NoAnswer if it is none."""
        parser = AnswerParser()
        parser.begin(head_only=True)
        self._send(self.tls.encrypted(request) if self.tls else request)
        while parser.answer is None:
            wire = self._received()
            try:
                for plain in self._decrypted(wire):
                    parser.feed(plain, len(plain))
            except NoAnswer as reason:
                raise NoAnswer(f"the proxy failed: {reason}") from reason
        return parser.answer.status

    def _decrypted(self, wire: bytes) -> "list[bytes]":
        if self.tls is None:
            return [wire]
        self.tls.receive(wire)
        return list(self.tls.decrypted())

    def _send(self, payload: bytes) -> None:
        while payload:
            try:
                payload = payload[self._raw.send(payload) :]
            except BlockingIOError:
                gevent.socket.wait_write(self._raw.fileno(), timeout=self._left_s())

    def _received(self) -> bytes:
        gevent.socket.wait_read(self._raw.fileno(), timeout=self._left_s())
        received = self._raw.recv(RECORD)
        if not received:
            raise ConnectionResetError(errno.ECONNRESET, "closed while it was being opened")
        return received

    def _left_s(self) -> float:
        return max(0.0, self._give_up - time.monotonic())
