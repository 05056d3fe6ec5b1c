"""TLS between memory buffers, so that whoever owns the socket sends and receives; and the certificates it trusts."""

import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.errors import UsageError

RECORD = 64 * 1024
"""Plain bytes that are read at once; a record of TLS holds at most 16 KiB."""


class Tls:
    """A TLS session; `outer` is the one with a proxy that itself is reached by TLS, through which this one runs.

    `receive` takes bytes of the wire, which the session then can read; `to_send` gives what is to go on the wire.
    """

    __slots__ = ("_outer", "incoming", "outgoing", "receive", "session", "to_send")

    def __init__(self, context: ssl.SSLContext, host: str, outer: "Tls | None" = None) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.session = context.wrap_bio(self.incoming, self.outgoing, server_hostname=host)
        self._outer = outer
        # Almost always the buffers' own methods: every request pays for a call in between.
        self.receive: Callable[[bytes | memoryview], object] = self._receive_by_outer if outer else self.incoming.write
        self.to_send: Callable[[], bytes] = self._to_send_by_outer if outer else self.outgoing.read

    def encrypted(self, plain: bytes) -> bytes:
        """Plain bytes as they go on the wire."""
        self.session.write(plain)
        return self.to_send()

    def _receive_by_outer(self, wire: bytes | memoryview) -> None:
        assert self._outer
        self._outer.receive(wire)
        for piece in self._outer.decrypted():
            self.incoming.write(piece)

    def _to_send_by_outer(self) -> bytes:
        assert self._outer
        wire = self.outgoing.read()
        return self._outer.encrypted(wire) if wire else self._outer.to_send()

    def decrypted(self) -> Iterator[bytes]:
        """The plain bytes of all whole records that were received."""
        while self.incoming.pending:
            try:
                piece = self.session.read(RECORD)
            except ssl.SSLWantReadError:
                return
            if not piece:  # the peer ended the session
                return
            yield piece


def trusting_context() -> ssl.SSLContext:
    """TLS with verification by the system's trust store or the bundle that the environment names.

    Raises UsageError if the bundle cannot be read.
    """
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
