"""A service behind a proxy: requests go through it, and what it answers or fails to is told as by the other client."""

import gzip
import socket
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from harness.errors import UsageError
from harness.traffic.client.address import service_url
from harness.traffic.client.bodies import DECODED_KEPT
from harness.traffic.client.client import AT_ONCE_S, Client
from harness.traffic.client.connection import Timeouts
from harness.traffic.client.failures import ClosedEarly, NoAnswer
from harness.traffic.client.parser import BODY_KEPT
from harness.traffic.client.proxies import proxy_for, shown
from tests.traffic.client.tls_server import TlsServer, TunnelProxy

Serve = Callable[..., Any]
HASTY = Timeouts(connect_s=1.0, read_s=0.3)
OK = b"HTTP/1.1 200 OK\r\nX-Lambda-Version: 7\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture
def client_by() -> Iterator[Callable[..., Client]]:
    """Makes clients of a service that only the proxy at a port knows."""
    clients: list[Client] = []

    def make(port: int, host: str = "http://service.invalid/stage", userinfo: str = "") -> Client:
        clients.append(Client(host, HASTY, proxy=urlsplit(f"http://{userinfo}127.0.0.1:{port}")))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def test_requests_go_through_the_proxy(serve: Serve, client_by: Callable[..., Client]) -> None:
    """The proxy gets the whole address, our headers and no others, and its answer is the service's."""
    proxy = serve([OK])
    client = client_by(proxy.port)
    headers = {"Authorization": "betauser@company.com", "Content-Type": "application/json"}
    response = client.send(client.prepare("POST", "/featureToggles", headers=headers, body=b"{}"))
    assert (response.status, response.header(b"x-lambda-version"), response.body()) == (200, "7", b"hello")
    head, _, body = proxy.requests[0].partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    assert (first, body) == (b"POST http://service.invalid/stage/featureToggles HTTP/1.1", b"{}")
    names = {line.partition(b":")[0].lower() for line in lines}
    assert names == {b"host", b"user-agent", b"accept", b"authorization", b"content-type", b"content-length"}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_service_with_tls_is_reached_through_a_tunnel(
    authority: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """One tunnel carries all requests of a connection, TLS runs end to end, and only the proxy gets credentials."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
    service = TlsServer(authority / "good.pem")
    proxy = TunnelProxy(service.port, authority / "good.pem" if scheme == "https" else None)
    client = Client(f"https://localhost:{service.port}", proxy=urlsplit(f"{scheme}://me:s%20t@localhost:{proxy.port}"))
    request = client.prepare("GET", "/fakeUser")
    assert [len(client.send(request).body()) for _ in range(2)] == [70_000, 70_000]
    assert request.payload.startswith(b"GET /fakeUser HTTP/1.1\r\n")
    assert b"Proxy-Authorization" not in request.payload
    first, *lines = proxy.heads[0].split(b"\r\n")
    assert first == b"CONNECT localhost:%d HTTP/1.1" % service.port
    assert b"Proxy-Authorization: Basic bWU6cyB0" in lines
    assert (service.names, len(proxy.heads)) == (["localhost"], 1)
    for each in (client, proxy, service):
        each.close()


def test_a_service_whose_certificate_is_refused_is_not_the_proxys_failure(
    authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tunnel stood."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
    service = TlsServer(authority / "other.pem")
    proxy = TunnelProxy(service.port)
    client = Client(f"https://localhost:{service.port}", proxy=urlsplit(f"http://localhost:{proxy.port}"))
    with pytest.raises(NoAnswer, match="no connection: TLS certificate refused"):
        client.send(client.prepare("GET", "/"))
    for each in (client, proxy, service):
        each.close()


def test_a_proxy_with_tls_is_checked_like_a_service(authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests go to it encrypted, and one that cannot be trusted gets none."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
    for certificate, reason in (("good", ""), ("other", "the proxy failed: TLS certificate refused")):
        proxy = TlsServer(authority / f"{certificate}.pem")
        client = Client("http://service.invalid", proxy=urlsplit(f"https://localhost:{proxy.port}"))
        with pytest.raises(NoAnswer, match=reason) if reason else nullcontext():
            assert len(client.send(client.prepare("GET", "/")).body()) == 70_000
        client.close()
        proxy.close()


def test_the_proxy_gets_its_credentials_with_every_request(serve: Serve, client_by: Callable[..., Client]) -> None:
    """A name without a password is one too."""
    proxy = serve([OK])
    client = client_by(proxy.port, userinfo="me@")
    client.send(client.prepare("GET", "/"))
    assert b"\r\nProxy-Authorization: Basic bWU6\r\n" in proxy.requests[0]


def test_an_answer_of_a_failing_service_is_an_answer(serve: Serve, client_by: Callable[..., Client]) -> None:
    """A 502 has its status, and a redirect is not followed."""
    client = client_by(serve([b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"]).port)
    assert client.send(client.prepare("GET", "/")).status == 302


@pytest.mark.parametrize(
    ("script", "host", "reason"),
    [
        ([], "http://service.invalid", "the proxy failed: the connection was closed before an answer"),
        (
            [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"],
            "http://service.invalid",
            "closed in the middle of the answer",
        ),
        ([b"garbage"], "http://service.invalid", "malformed answer"),
        ([1.0], "http://service.invalid", "nothing came for 0.3 s"),
        (
            [b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"],
            "https://service.invalid",
            "the proxy failed: it refused a tunnel with HTTP 407",
        ),
    ],
)
def test_what_gives_no_answer_has_a_reason(
    serve: Serve, client_by: Callable[..., Client], script: list[Any], host: str, reason: str
) -> None:
    """Always the same words for the same failure, and never a crash."""
    client = client_by(serve(script).port, host)
    with pytest.raises(NoAnswer, match=reason) as failure:
        client.send(client.prepare("GET", "/"))
    assert " object at 0x" not in str(failure.value)


def test_a_proxy_that_is_not_there_is_the_reason(client_by: Callable[..., Client]) -> None:
    """It is the proxy that refuses, not the service."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = client_by(port)
    with pytest.raises(NoAnswer, match="the proxy failed: connection refused"):
        client.send(client.prepare("GET", "/"))


def test_the_environments_proxy_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable of the scheme counts, unless NO_PROXY names the host or the service is on this machine."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "proxy:3128")
    monkeypatch.setenv("no_proxy", "internal.example.com")
    proxy = proxy_for(service_url("https://example.com/stage"))
    assert proxy
    assert proxy.geturl() == "http://proxy:3128"
    for host in ("https://internal.example.com", "http://example.com", "https://127.0.0.1", "https://localhost:1"):
        assert proxy_for(service_url(host)) is None


@pytest.mark.parametrize("proxy", ["socks5://me:secret@proxy:1080", "http://pro..xy:3128", "http://[::1"])
def test_a_proxy_that_cannot_be_used_is_one_sentence(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """Said before the first request, without the password."""
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(UsageError, match="only http and https proxies") as refused:
        proxy_for(service_url("http://example.com"))
    assert "secret" not in str(refused.value)
    assert "HTTP_PROXY" in str(refused.value)


@pytest.mark.parametrize("status", [b"200 OK", b"302 Found\r\nLocation: /x"])
def test_a_body_is_not_decoded_unless_it_is_read(serve: Serve, client_by: Callable[..., Client], status: bytes) -> None:
    """A small body that would become a huge one costs nothing, and reading it stops at the client's bound."""
    bomb = gzip.compress(b"x" * (DECODED_KEPT + 1), mtime=0)
    head = b"HTTP/1.1 %s\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % (status, len(bomb))
    proxy = serve([head + bomb, "ask", head + bomb, 1.0])
    client = client_by(proxy.port)
    responses = [client.send(client.prepare("GET", "/")) for _ in range(2)]
    assert [response.length for response in responses] == [len(bomb), len(bomb)]
    assert proxy.connections == 1
    with pytest.raises(NoAnswer, match="when decoded"):
        responses[0].body()


def test_a_long_body_is_counted_and_not_kept(serve: Serve, client_by: Callable[..., Client]) -> None:
    """As by the other client."""
    size = 2 * BODY_KEPT
    client = client_by(serve([b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size]).port)
    response = client.send(client.prepare("GET", "/"))
    assert response.length == size
    with pytest.raises(NoAnswer, match="too long to keep"):
        response.body()


@pytest.mark.parametrize("end", [[], ["reset"]])
def test_an_idempotent_request_is_sent_again_when_a_kept_connection_was_closed(
    serve: Serve, client_by: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, end: list[str]
) -> None:
    """The proxy closes the kept connection as the second request arrives: it is sent once more, on a new one."""
    monkeypatch.setattr("harness.traffic.client.client.AT_ONCE_S", 10.0)  # on a busy machine, at once takes its time
    proxy = serve([OK, "ask", *end], [OK])
    client = client_by(proxy.port)
    assert [client.send(client.prepare("GET", "/")).status for _ in range(2)] == [200, 200]
    assert proxy.connections == 2


@pytest.mark.parametrize(
    ("method", "script"), [("POST", [OK, "ask"]), ("GET", [OK, "ask", 2 * AT_ONCE_S])], ids=["post", "late"]
)
def test_what_may_have_been_worked_on_is_not_sent_again(
    serve: Serve, client_by: Callable[..., Client], method: str, script: list[Any]
) -> None:
    """Neither a POST, nor what the proxy held before it closed."""
    proxy = serve(script, [OK])
    client = client_by(proxy.port)
    client.send(client.prepare("GET", "/"))
    with pytest.raises(ClosedEarly, match="the proxy failed: the connection was closed before an answer"):
        client.send(client.prepare(method, "/"))
    assert proxy.connections == 1


def test_a_cookie_is_not_sent_back(serve: Serve, client_by: Callable[..., Client]) -> None:
    """Users of one client are strangers to each other."""
    proxy = serve([OK.replace(b"X-L", b"Set-Cookie: a=b\r\nX-L"), "ask", OK, 1.0])
    client = client_by(proxy.port)
    for _ in range(2):
        client.send(client.prepare("GET", "/"))
    assert b"cookie" not in proxy.requests[1].lower()


def test_a_password_is_not_shown() -> None:
    """A log is read by many."""
    assert shown(urlsplit("http://me:secret@proxy:3128")) == "http://proxy:3128"
