"""The client: well-formed answers whole, everything else a failure with a reason, nothing a hang or a crash."""

import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

import gevent
import pytest

from harness.errors import Exhausted
from harness.traffic.client.answer import HttpAnswer
from harness.traffic.client.client import AT_ONCE_S, Client
from harness.traffic.client.connection import Timeouts
from harness.traffic.client.failures import ClosedEarly, NoAnswer
from harness.traffic.client.parser import BODY_KEPT, MAX_HEAD

Serve = Callable[..., Any]
ClientOf = Callable[..., Client]

OK = b"HTTP/1.1 200 OK\r\nX-Lambda-Version: 7\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def get(client: Client, path: str = "/", method: str = "GET") -> HttpAnswer:
    """Sends one request without more ado."""
    return client.send(client.prepare(method, path))


# Well-formed answers


def test_an_answer_is_read_whole(serve: Serve, client_of: ClientOf) -> None:
    """Status, header and body arrive."""
    response = get(client_of(serve([OK])))
    assert (response.status, response.header(b"x-lambda-version"), response.body()) == (200, "7", b"hello")


def test_a_request_is_sent_as_prepared(serve: Serve, client_of: ClientOf) -> None:
    """Method, path, host, headers and body are on the wire."""
    server = serve([OK])
    client = client_of(server)
    client.send(client.prepare("POST", "/toggles", headers={"X-Client-Version": "2"}, body=b"{}"))
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /toggles HTTP/1.1"
    assert {b"Host: 127.0.0.1:%d" % server.port, b"X-Client-Version: 2", b"Content-Length: 2"} <= set(lines)
    assert body == b"{}"


def test_a_base_path_goes_before_every_path() -> None:
    """`https://x/stage` and `/fakeUser` make `/stage/fakeUser`, with or without a slash between them."""
    for host in ("http://127.0.0.1/stage", "http://127.0.0.1/stage/"):
        assert Client(host).prepare("GET", "/fakeUser").payload.startswith(b"GET /stage/fakeUser HTTP/1.1\r\n")


def test_a_connection_is_kept_for_the_next_request(serve: Serve, client_of: ClientOf) -> None:
    """Two requests one after the other need one connection."""
    server = serve([OK, "ask", OK, 1.0])
    client = client_of(server)
    assert [get(client).body(), get(client).body()] == [b"hello", b"hello"]
    assert server.connections == 1


def test_a_warm_client_has_its_first_connection_already(serve: Serve, client_of: ClientOf) -> None:
    """The first request resolves and opens nothing; where that fails, the request says why."""
    server = serve([OK, 1.0])
    client = client_of(server)
    client.warm()
    with gevent.Timeout(5):
        while not server.connections:
            gevent.sleep(0.01)
    assert (get(client).body(), server.connections) == (b"hello", 1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    Client(f"http://127.0.0.1:{port}").warm()


def test_requests_at_the_same_time_use_connections_of_their_own(serve: Serve, client_of: ClientOf) -> None:
    """A request never waits for another one's answer."""
    server = serve([0.1, OK, 1.0])
    client = client_of(server)
    jobs = [gevent.spawn(get, client) for _ in range(3)]
    assert [job.get().status for job in jobs] == [200, 200, 200]
    assert server.connections == 3


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", 200, b"hello world"),
        (CHUNKED + b"5;name=value\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n", 200, b"hello"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"hello"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK, 200, b"hello"),
        (b"HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n" + OK, 200, b"hello"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, b"until the end"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end", 200, b"until the end"),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, b""),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno", 502, b"no"),
        (b"HTTP/1.1 200 OK\r\nX-Empty:\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
    ],
)
def test_every_form_of_answer_is_understood(
    serve: Serve, client_of: ClientOf, answer: bytes, status: int, body: bytes
) -> None:
    """Chunks, trailers, no body, interim answers, bodies until the end of the connection."""
    response = get(client_of(serve([answer])))
    assert (response.status, response.body()) == (status, body)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_an_answer_may_come_in_pieces(serve: Serve, client_of: ClientOf, size: int) -> None:
    """Wherever the network cuts an answer, it is the same answer."""
    pieces: list[bytes | float] = []
    for start in range(0, len(OK), size):
        pieces += [OK[start : start + size], 0.001]
    assert get(client_of(serve(pieces))).body() == b"hello"


def test_the_answer_to_head_has_no_body_and_the_connection_is_kept(serve: Serve, client_of: ClientOf) -> None:
    """Content-Length of a HEAD answer announces nothing."""
    server = serve([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "ask", OK, 1.0])
    client = client_of(server)
    head = get(client, method="HEAD")
    assert (head.status, head.length) == (200, 0)
    assert get(client).body() == b"hello"
    assert server.connections == 1


def test_a_connection_that_the_server_closes_is_not_kept(serve: Serve, client_of: ClientOf) -> None:
    """After `Connection: close` the next request opens another connection."""
    server = serve([b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 1.0])
    client = client_of(server)
    assert [get(client).status, get(client).status] == [200, 200]
    assert server.connections == 2


def test_a_long_body_is_counted_and_not_kept(serve: Serve, client_of: ClientOf) -> None:
    """Memory stays flat whatever a server sends."""
    size = 3 * BODY_KEPT
    response = get(client_of(serve([b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size])))
    assert response.length == size
    with pytest.raises(NoAnswer, match="too long to keep"):
        response.body()


def test_bodies_that_do_not_end_are_not_kept_beyond_a_bound(
    serve: Serve, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many requests wait for the rest of their bodies, a client keeps so much of them and counts the rest."""
    monkeypatch.setattr("harness.traffic.client.client.BODIES_KEPT", 100_000)
    begun = b"HTTP/1.1 200 OK\r\nContent-Length: 50001\r\n\r\n" + b"x" * 50_000
    client = client_of(serve([begun, 0.3, b"x"]))
    jobs = [gevent.spawn(get, client) for _ in range(3)]
    for job in jobs:
        assert job.get().length == 50_001
        with pytest.raises(NoAnswer, match="too long to keep"):
            job.get().body()


def test_a_long_request_is_sent_whole(client_of: ClientOf) -> None:
    """A body larger than the socket's buffer goes out piece by piece."""
    received = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = Client(f"http://127.0.0.1:{listener.getsockname()[1]}")
        request = client.prepare("POST", "/", body=b"x" * 8_000_000)

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                size = 0
                while size < len(request.payload):
                    size += len(connection.recv(1_000_000))
                received.append(size)
                connection.sendall(OK)

        thread = gevent.get_hub().threadpool.spawn(answer)
        assert client.send(request).status == 200
        thread.get()
    assert received == [len(request.payload)]


def test_ipv6_addresses_are_understood(serve: Serve) -> None:
    """A host in brackets is an IPv6 address, in the Host header too."""
    server = serve([OK], family=socket.AF_INET6)
    client = Client(f"http://[::1]:{server.port}")
    assert get(client).status == 200
    assert b"Host: [::1]:%d" % server.port in server.requests[0]


# Hostile answers


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ([], "closed before an answer"),
        (["reset"], "no answer: connection reset"),
        ([b"HTTP/1.1 200 OK\r\nContent-Le"], "closed in the middle"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf"], "closed in the middle"),
        ([CHUNKED + b"5\r\nhel"], "closed in the middle"),
        ([CHUNKED + b"5\r\nhello\r\n"], "closed in the middle"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", "reset"], "broke off|in the middle"),
        ([CHUNKED + b"xyz\r\nhello\r\n0\r\n\r\n"], "malformed answer"),
        ([CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n"], "malformed answer"),
        ([CHUNKED + b"fffffffffffffffff\r\nhello"], "malformed answer"),
        ([CHUNKED + b"3\r\nhello\r\n0\r\n\r\n"], "malformed answer"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"], "malformed answer"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello"], "malformed answer"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello"], "malformed answer"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello"], "malformed answer"),
        ([b"HTTP/1.1 200 OK\r\nBad Header : x\r\n\r\n"], "malformed answer"),
        ([b"HTTP/1.1 OK\r\n\r\n"], "malformed answer"),
        ([b"HTTP/9.9 200 OK\r\n\r\n"], "malformed answer"),
        ([b"220 smtp.example.com ESMTP\r\n"], "malformed answer"),
        ([b"\x15\x03\x01\x00\x02\x02\x46"], "malformed answer"),
        ([b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"], "switched protocols"),
        ([b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * (MAX_HEAD + 1)], "headers of the answer are longer"),
        ([b"HTTP/1.1 200 OK\r\n" + b"X-Many: x\r\n" * 20_000], "headers of the answer are longer"),
        ([b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 4000], "headers of the answer are longer"),
        ([CHUNKED + b"5;a=" + b"b" * 3 * MAX_HEAD], "a chunk's head is longer"),
        ([CHUNKED + b"2\r\nok\r\n0\r\n" + b"X-Trailer: x\r\n" * 20_000], "trailer or a chunk's head is longer"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n"], "closed in the middle"),
        ([1.2], "nothing came for"),
        ([b"HTTP/1.1 200 OK\r\n", 1.2], "nothing came for"),
        ([step for byte in OK for step in (bytes([byte]), 0.1)], "was not whole after"),
    ],
)  # fmt: skip
def test_every_bad_answer_is_a_failure_with_a_reason(
    serve: Serve, client_of: ClientOf, script: Sequence[Any], reason: str
) -> None:
    """No answer that is cut, late, contradictory or not HTTP is taken for one, and none blocks."""
    with pytest.raises(NoAnswer, match=reason):
        get(client_of(serve(script)))


@pytest.mark.parametrize("extra", [b"garbage", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong", b"\x00"])
def test_bytes_after_an_answer_never_become_the_next_one(serve: Serve, client_of: ClientOf, extra: bytes) -> None:
    """The answer stands, and its connection is given up."""
    server = serve([OK + extra, 1.0], [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright"])
    client = client_of(server)
    assert [get(client).body(), get(client).body()] == [b"hello", b"right"]


def test_bytes_that_nobody_asked_for_end_a_kept_connection(serve: Serve, client_of: ClientOf) -> None:
    """What comes between two requests is not the answer to the second."""
    server = serve([OK, 0.05, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong", 1.0], [OK])
    client = client_of(server)
    get(client)
    gevent.sleep(0.1)
    assert get(client).body() == b"hello"
    assert server.connections == 2


def test_bytes_that_the_event_loop_has_yet_to_see_are_not_the_next_answer(serve: Serve, client_of: ClientOf) -> None:
    """They came before the request, so they answer something else; even a POST is safe to send elsewhere."""
    server = serve([OK, 0.05, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong", 1.0], [OK])
    client = client_of(server)
    get(client)
    time.sleep(0.2)  # the event loop does not run meanwhile
    assert get(client, method="POST").body() == b"hello"
    assert server.connections == 2


GOODBYE = b"HTTP/1.1 408 Request Time-out\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def test_a_408_that_closes_a_kept_connection_at_once_is_no_answer(
    serve: Serve, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server gave up the idle connection as the request was under way: it is sent again where that is safe."""
    monkeypatch.setattr("harness.traffic.client.client.AT_ONCE_S", 10.0)
    server = serve([OK, "ask", GOODBYE], [OK])
    client = client_of(server)
    assert [get(client).status, get(client).status] == [200, 200]
    client = client_of(serve([OK, "ask", GOODBYE], [OK]))
    get(client)
    with pytest.raises(ClosedEarly, match="408"):
        get(client, method="POST")


@pytest.mark.parametrize("script", [[OK, "ask", 2 * AT_ONCE_S, GOODBYE], [GOODBYE]], ids=["late", "first"])
def test_a_408_that_answers_the_request_is_its_answer(serve: Serve, client_of: ClientOf, script: Sequence[Any]) -> None:
    """It came after the server waited for the request, or on a connection that never was idle."""
    client = client_of(serve(script))
    assert 408 in [get(client).status for _ in range(script.count(OK) or 1)] + [get(client).status]


# Connections that break


def test_an_idempotent_request_is_sent_again_when_a_kept_connection_was_closed(
    serve: Serve, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server closes the kept connection as the second request arrives: it is sent once more, on a new one."""
    monkeypatch.setattr("harness.traffic.client.client.AT_ONCE_S", 10.0)  # on a busy machine, at once takes its time
    server = serve([OK, "ask"], [OK])
    client = client_of(server)
    assert [get(client).status, get(client).status] == [200, 200]
    assert server.connections == 2


def test_a_server_that_dies_while_it_works_is_seen(serve: Serve, client_of: ClientOf) -> None:
    """What held a request and then closed had it: it is not sent again."""
    server = serve([OK, "ask", 2 * AT_ONCE_S], [OK])
    client = client_of(server)
    get(client)
    with pytest.raises(ClosedEarly):
        get(client)
    assert server.connections == 1


def test_the_whole_time_counts_from_the_first_sending(
    serve: Serve, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that is sent again has no more time than another."""
    monkeypatch.setattr("harness.traffic.client.client.AT_ONCE_S", 10.0)
    server = serve([OK, "ask", 0.5], [0.5, OK, 1.0])
    client = client_of(server, Timeouts(total_s=0.7))
    get(client)
    with pytest.raises(NoAnswer, match="was not whole after"):
        get(client)
    assert server.connections == 2


def test_a_post_is_never_sent_twice(serve: Serve, client_of: ClientOf) -> None:
    """What may have had an effect is not repeated."""
    server = serve([OK, "ask"], [OK])
    client = client_of(server)
    get(client)
    with pytest.raises(ClosedEarly):
        get(client, method="POST")
    assert server.connections == 1


def test_a_request_on_a_new_connection_is_not_sent_again(serve: Serve, client_of: ClientOf) -> None:
    """A server that closes at once is told from a connection that grew old."""
    server = serve([])
    with pytest.raises(ClosedEarly):
        get(client_of(server))
    assert server.connections == 1


def test_a_kept_connection_that_was_closed_meanwhile_is_not_used(serve: Serve, client_of: ClientOf) -> None:
    """Even a POST survives, because the end of an idle connection is seen when it happens."""
    server = serve([OK, 0.05], [OK])
    client = client_of(server)
    get(client)
    gevent.sleep(0.15)
    assert get(client, method="POST").status == 200


def test_a_port_without_a_server_is_refused() -> None:
    """The reason is the system's word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NoAnswer, match="no connection: connection refused"):
        get(Client(f"http://127.0.0.1:{port}"))


def test_a_name_that_does_not_resolve_says_so() -> None:
    """`.invalid` never resolves."""
    with pytest.raises(NoAnswer, match="does not resolve"):
        get(Client("http://nobody.invalid"))


def test_a_name_that_does_not_resolve_is_not_asked_for_by_every_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred requests that are due meanwhile fail at once, for the same reason."""
    asked = []

    def fail(*_: object, **__: object) -> None:
        asked.append(1)
        gevent.sleep(0.02)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("gevent.socket.getaddrinfo", fail)
    client = Client("http://service.example")
    jobs = [gevent.spawn(get, client) for _ in range(100)]
    gevent.joinall(jobs, timeout=5)
    assert {str(job.exception) for job in jobs} == {"no connection: the name of the host does not resolve"}
    assert len(asked) < 3


def test_a_greenlet_that_is_killed_leaves_no_connection_behind(serve: Serve, client_of: ClientOf) -> None:
    """The answer to a request that was given up is not the next one's."""
    server = serve([0.3, OK, 1.0], [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright"])
    client = client_of(server)
    job = gevent.spawn(get, client)
    gevent.sleep(0.1)
    job.kill()
    assert get(client).body() == b"right"


# Requests that cannot be


@pytest.mark.parametrize(("path", "headers"), [("/a b", {}), ("/a\r\nX: y", {}), ("/", {"X": "a\r\nY: b"})])
def test_a_request_that_would_fall_apart_is_refused(path: str, headers: dict[str, str]) -> None:
    """A line break cannot smuggle a header in."""
    with pytest.raises(ValueError, match="cannot be sent"):
        Client("http://127.0.0.1").prepare("GET", path, headers=headers)


def test_memory_that_this_machine_lacks_is_no_malformed_answer(
    serve: Serve, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """llhttp hides what a callback raised behind an error of its own; the service is not blamed for it."""

    def refuse(*_: object) -> HttpAnswer:
        raise MemoryError

    monkeypatch.setattr("harness.traffic.client.parser.HttpAnswer", refuse)
    with pytest.raises(Exhausted, match="got no more memory"):
        get(client_of(serve([OK])))
