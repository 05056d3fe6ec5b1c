"""One connection: it sends a request, and the event loop reads the answer and wakes the greenlet that waits."""

import ssl
import time

# gevent replaces the one in `socket` by its own, which would wait where this one says at once that it would block.
from _socket import socket as RawSocket  # noqa: N812
from array import array
from fcntl import ioctl
from termios import FIONREAD
from typing import Any

from gevent import get_hub, getcurrent
from msgspec import Struct

from harness.errors import Exhausted, exhausted
from harness.traffic.client.answer import HttpAnswer
from harness.traffic.client.failures import ClosedEarly, NoAnswer, reason_of
from harness.traffic.client.parser import AnswerParser
from harness.traffic.client.prepared import Prepared
from harness.traffic.client.tls import RECORD, Tls

_READABLE, _WRITABLE = 1, 2
# All connections share these buffers: what was read is parsed before the event loop reads again.
_buffer = bytearray(64 * 1024)
_view = memoryview(_buffer)
_plain = bytearray(RECORD)
_plain_view = memoryview(_plain)
_unread = array("i", [0])


class Timeouts(Struct, frozen=True):
    """How long a client waits, in wall seconds: for a connection, between two reads, and for a whole answer.

    The defaults are above API Gateway's own limit of 29 s, so that the client sees its answer and not our timeout.
    """

    connect_s: float = 5.0
    read_s: float = 35.0
    total_s: float = 60.0


PATIENT = Timeouts()


class Connection:
    """One connection. One greenlet at a time may use it, and only while it is `open`.

    `reused` says that it has brought an answer before. `answered_by_proxy` says that it ends at a proxy, which answers
    for the service.
    """

    __slots__ = (
        "_answered_by_proxy",
        "_heard",
        "_hub",
        "_limit_s",
        "_outcome",
        "_quiet_s",
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

    def __init__(self, raw: RawSocket, tls: Tls | None, timeouts: Timeouts, *, answered_by_proxy: bool = False) -> None:
        self._raw = raw
        self._answered_by_proxy = answered_by_proxy
        self._tls = tls
        self._timeouts = timeouts
        self.parser = AnswerParser()
        self._waiter: Any = None
        self._waiting = False
        self._outcome: HttpAnswer | NoAnswer | Exhausted | None = None
        self.asked = self._heard = 0.0
        self._limit_s, self._quiet_s = timeouts.total_s, timeouts.read_s
        self.open = True
        self.reused = False
        self._hub = get_hub()
        self._watcher = self._hub.loop.io(raw.fileno(), _READABLE)
        self._watcher.start(self._on_readable)

    def ask(self, request: Prepared, asked: float = 0.0) -> HttpAnswer:
        """Sends a request and waits for its answer. On failure it closes the connection and raises NoAnswer,
        or Exhausted where this machine and not the service is to blame.

        `asked` is the monotonic time from which the total time counts; 0 means now.
        """
        self.parser.begin(head_only=request.head_only)
        self._outcome = None
        self._waiting = True
        self._heard = time.monotonic()
        self.asked = asked or self._heard
        if request.timeout_s:
            self._limit_s, self._quiet_s = request.timeout_s, max(request.timeout_s, self._timeouts.read_s)
        else:
            self._limit_s, self._quiet_s = self._timeouts.total_s, self._timeouts.read_s
        try:
            self._write(request.payload)
            while self._outcome is None:
                self._wait()
        except OSError as error:
            self._settle(self._reason_of(error))
        finally:
            self._waiting = False
            if self._outcome is None or not self.open:
                self.close()
        if isinstance(self._outcome, HttpAnswer):
            self.reused = True
            return self._outcome
        raise self._failure()

    def silent(self) -> bool:
        """Whether nothing has come that nobody asked for and the event loop has yet to see; else it is closed."""
        ioctl(self._raw.fileno(), FIONREAD, _unread)
        if _unread[0]:
            self.close()
        return self.open

    def close(self) -> None:
        """Ends the connection. It does not wake a greenlet that waits on it."""
        self.open = False
        if self._raw.fileno() >= 0:
            self._watcher.stop()
            self._watcher.close()
            self._raw.close()

    def expire(self, now: float) -> None:
        """Fails the request in flight if its time is over at the monotonic time `now`; for the event loop only."""
        if not self._waiting or self._outcome is not None:
            return
        if now - self.asked > self._limit_s:
            self._settle(NoAnswer(f"the answer was not whole after {self._limit_s:g} s"))
        elif now - self._heard > self._quiet_s:
            self._settle(NoAnswer(f"nothing came for {self._quiet_s:g} s"))
        self._wake()

    def _wait(self) -> None:
        self._waiter = getcurrent()
        try:
            self._hub.switch()
        finally:
            self._waiter = None

    def _settle(self, outcome: "HttpAnswer | NoAnswer | Exhausted") -> None:
        """Notes the outcome. The connection stays open only after an answer that allows another."""
        self._outcome = outcome
        if not isinstance(outcome, HttpAnswer) or not self.parser.keep:
            self.open = False
            self._watcher.stop()

    def _wake(self) -> None:
        """Switches to the greenlet that waits, if the outcome is there. Nothing may follow this call."""
        if self._outcome is not None and self._waiter is not None:
            self._waiter.switch()

    def _failure(self) -> NoAnswer | Exhausted:
        if not isinstance(self._outcome, NoAnswer | Exhausted):
            return NoAnswer("the wait for the answer was cut short")
        if self._answered_by_proxy and isinstance(self._outcome, ClosedEarly):
            return ClosedEarly(f"the proxy failed: {self._outcome}")
        return self._outcome

    def _reason_of(self, error: Exception) -> NoAnswer | Exhausted:
        if lack := exhausted(error):
            return lack
        if isinstance(error, NoAnswer):
            return error
        return self._broken(error) if isinstance(error, OSError) else NoAnswer(f"the client failed: {error!r}")

    def _broken(self, error: OSError) -> NoAnswer:
        reason = f"{'the answer broke off' if self.parser.received else 'no answer'}: {reason_of(error)}"
        return NoAnswer(reason) if self.parser.received else ClosedEarly(reason)

    # Writing

    def _write(self, payload: bytes) -> None:
        if self._tls:
            self._tls.session.write(payload)
            payload = self._tls.to_send()
        try:
            sent = self._raw.send(payload)
        except BlockingIOError:
            sent = 0
        if sent < len(payload):
            self._write_slowly(memoryview(payload)[sent:])

    def _write_slowly(self, rest: memoryview) -> None:
        """Sends what the socket had no room for, unless the answer comes before all of the request is sent."""
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
        except Exception as error:  # noqa: BLE001 - the event loop would print it and leave the greenlet waiting
            self._settle(self._reason_of(error))
        self._wake()

    def _decrypt(self, tls: Tls, size: int) -> None:
        tls.receive(_view[:size])
        while tls.incoming.pending and self.open:
            try:
                plain: Any = tls.session.read(RECORD, _plain)  # how many bytes, other than its annotation says
            except ssl.SSLWantReadError:
                break
            self._take(_plain_view[:plain], plain)
            if not plain:
                return
        if tls.outgoing.pending and self.open:
            self._raw.send(tls.to_send())

    def _take(self, received: "memoryview | bytes", size: int) -> None:
        """Takes plain bytes; none mean the end of the connection. Bytes that nobody asked for end it, too."""
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
