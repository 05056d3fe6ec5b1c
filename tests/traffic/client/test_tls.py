"""TLS: answers are read whole over it, and what cannot be trusted is refused with the verifier's reason."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.traffic.client.answer import HttpAnswer
from harness.traffic.client.client import Client
from harness.traffic.client.connection import Timeouts
from harness.traffic.client.failures import NoAnswer
from harness.traffic.client.tls import trusting_context
from tests.traffic.client.tls_server import TlsServer

Serve = Callable[..., Any]


def get(client: Client, path: str = "/", method: str = "GET") -> HttpAnswer:
    """Sends one request without more ado."""
    return client.send(client.prepare(method, path))


def test_tls_answers_are_read_whole_and_the_connection_is_kept(
    authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two requests over one verified connection, the server's name sent along."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
    server = TlsServer(authority / "good.pem")
    client = Client(f"https://localhost:{server.port}")
    assert [len(get(client).body()), len(get(client).body())] == [70_000, 70_000]
    assert server.names == ["localhost"]
    client.close()
    server.close()


@pytest.mark.parametrize("certificate", ["good", "other"])
def test_a_certificate_that_cannot_be_trusted_is_refused(
    authority: Path, monkeypatch: pytest.MonkeyPatch, certificate: str
) -> None:
    """An unknown authority and a wrong name are failures with the verifier's reason."""
    if certificate == "other":
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority / "ca.pem"))
    server = TlsServer(authority / f"{certificate}.pem")
    client = Client(f"https://localhost:{server.port}")
    with pytest.raises(NoAnswer, match=r"TLS certificate refused: (unable to get|.*ostname mismatch)"):
        get(client)
    client.close()
    server.close()


def test_plain_http_on_a_tls_port_has_a_reason(serve: Serve) -> None:
    """A server that answers the handshake in plain text is no TLS server."""
    server = serve([b"HTTP/1.1 400 Bad Request\r\n\r\n"])
    with pytest.raises(NoAnswer, match="TLS failed: wrong version number"):
        get(Client(f"https://localhost:{server.port}"))


def test_a_server_that_never_shakes_hands_is_given_up(serve: Serve) -> None:
    """The handshake counts as connecting and has its limit."""
    server = serve([1.0])
    with pytest.raises(NoAnswer, match="no connection: timed out"):
        get(Client(f"https://localhost:{server.port}", Timeouts(connect_s=0.2)))


def test_a_bundle_that_cannot_be_read_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(UsageError, match="REQUESTS_CA_BUNDLE"):
        trusting_context()
