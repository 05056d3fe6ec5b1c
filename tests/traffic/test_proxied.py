"""A service behind a proxy: requests go through it, and what it answers or fails to is told as by the other client."""

import gzip
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.errors import UsageError
from harness.traffic.client import AT_ONCE_S, BODY_KEPT, DECODED_KEPT, ClosedEarly, NoAnswer, Timeouts, service_url

with pytest.MonkeyPatch.context() as environment_variables:
    environment_variables.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")  # other tests need sockets as they are
    from harness.traffic.proxied import ProxiedClient, proxy_for, without_credentials

Serve = Callable[..., Any]
HASTY = Timeouts(connect_s=1.0, read_s=0.3)
OK = b"HTTP/1.1 200 OK\r\nX-Lambda-Version: 7\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture
def client_by() -> Iterator[Callable[..., ProxiedClient]]:
    """Makes clients of a service that only the proxy at a port knows."""
    clients: list[ProxiedClient] = []

    def make(port: int, host: str = "http://service.invalid/stage") -> ProxiedClient:
        clients.append(ProxiedClient(host, f"http://127.0.0.1:{port}", HASTY))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def test_requests_go_through_the_proxy(serve: Serve, client_by: Callable[..., ProxiedClient]) -> None:
    """The proxy gets the whole address, our headers and no others, and its answer is the service's."""
    proxy = serve([OK])
    client = client_by(proxy.port)
    headers = {"Authorization": "betauser@company.com", "Content-Type": "application/json"}
    response = client.send(client.prepare("POST", "/featureToggles", headers=headers, body=b"{}"))
    assert (response.status, response.header(b"x-lambda-version"), response.body()) == (200, "7", b"hello")
    head, _, body = proxy.requests[0].partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    assert (first, body) == (b"POST http://service.invalid/stage/featureToggles HTTP/1.1", b"{}")
    names = {line.partition(b":")[0].lower() for line in lines} - {b"accept-encoding"}
    assert names == {b"host", b"user-agent", b"accept", b"authorization", b"content-type", b"content-length"}


def test_an_answer_of_a_failing_service_is_an_answer(serve: Serve, client_by: Callable[..., ProxiedClient]) -> None:
    """A 502 has its status, and a redirect is not followed."""
    client = client_by(serve([b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"]).port)
    assert client.send(client.prepare("GET", "/")).status == 302


@pytest.mark.parametrize(
    ("script", "host", "reason"),
    [
        ([], "http://service.invalid", "the proxy failed: remote end closed connection"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"], "http://service.invalid", "no answer: .*"),
        ([b"garbage"], "http://service.invalid", "no answer: garbage"),
        ([1.0], "http://service.invalid", "nothing came for 0.3 s"),
        (
            [b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"],
            "https://service.invalid",
            "the proxy failed: tunnel connection failed: 407",
        ),
    ],
)
def test_what_gives_no_answer_has_a_reason(
    serve: Serve, client_by: Callable[..., ProxiedClient], script: list[Any], host: str, reason: str
) -> None:
    """Always the same words for the same failure, and never a crash."""
    client = client_by(serve(script).port, host)
    with pytest.raises(NoAnswer, match=reason) as failure:
        client.send(client.prepare("GET", "/"))
    assert " object at 0x" not in str(failure.value)


def test_a_proxy_that_is_not_there_is_the_reason(client_by: Callable[..., ProxiedClient]) -> None:
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
    assert proxy_for(service_url("https://example.com/stage")) == "http://proxy:3128"
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
def test_a_body_is_not_decoded_unless_it_is_read(
    serve: Serve, client_by: Callable[..., ProxiedClient], status: bytes
) -> None:
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


def test_a_long_body_is_counted_and_not_kept(serve: Serve, client_by: Callable[..., ProxiedClient]) -> None:
    """As by the other client."""
    size = 2 * BODY_KEPT
    client = client_by(serve([b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size]).port)
    response = client.send(client.prepare("GET", "/"))
    assert response.length == size
    with pytest.raises(NoAnswer, match="too long to keep"):
        response.body()


@pytest.mark.parametrize("end", [[], ["reset"]])
def test_an_idempotent_request_is_sent_again_when_a_kept_connection_was_closed(
    serve: Serve, client_by: Callable[..., ProxiedClient], monkeypatch: pytest.MonkeyPatch, end: list[str]
) -> None:
    """The proxy closes the kept connection as the second request arrives: it is sent once more, on a new one."""
    monkeypatch.setattr("harness.traffic.proxied.AT_ONCE_S", 10.0)  # on a busy machine, at once takes its time
    proxy = serve([OK, "ask", *end], [OK])
    client = client_by(proxy.port)
    assert [client.send(client.prepare("GET", "/")).status for _ in range(2)] == [200, 200]
    assert proxy.connections == 2


@pytest.mark.parametrize(
    ("method", "script"), [("POST", [OK, "ask"]), ("GET", [OK, "ask", 2 * AT_ONCE_S])], ids=["post", "late"]
)
def test_what_may_have_been_worked_on_is_not_sent_again(
    serve: Serve, client_by: Callable[..., ProxiedClient], method: str, script: list[Any]
) -> None:
    """Neither a POST, nor what the proxy held before it closed."""
    proxy = serve(script, [OK])
    client = client_by(proxy.port)
    client.send(client.prepare("GET", "/"))
    with pytest.raises(ClosedEarly, match="the proxy failed: remote end closed"):
        client.send(client.prepare(method, "/"))
    assert proxy.connections == 1


def test_a_cookie_is_not_sent_back(serve: Serve, client_by: Callable[..., ProxiedClient]) -> None:
    """Users of one client are strangers to each other."""
    proxy = serve([OK.replace(b"X-L", b"Set-Cookie: a=b\r\nX-L"), "ask", OK, 1.0])
    client = client_by(proxy.port)
    for _ in range(2):
        client.send(client.prepare("GET", "/"))
    assert b"cookie" not in proxy.requests[1].lower()


def test_a_password_is_not_shown() -> None:
    """A log is read by many."""
    assert without_credentials("http://me:secret@proxy:3128") == "http://proxy:3128"
