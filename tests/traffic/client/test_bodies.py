"""Bodies: decoded as their headers say, within bounds, or refused with a reason."""

import gzip
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from harness.traffic.client.answer import HttpAnswer
from harness.traffic.client.bodies import DECODED_KEPT
from harness.traffic.client.client import Client
from harness.traffic.client.failures import NoAnswer

Serve = Callable[..., Any]
ClientOf = Callable[..., Client]


def get(client: Client, path: str = "/", method: str = "GET") -> HttpAnswer:
    """Sends one request without more ado."""
    return client.send(client.prepare(method, path))


@pytest.mark.parametrize(
    ("encoding", "encoded"),
    [
        ("gzip", gzip.compress(b"hello", mtime=0)),
        ("deflate", zlib.compress(b"hello")),
        ("deflate", zlib.compress(b"hello", wbits=-15)),
        ("gzip", gzip.compress(b"hel", mtime=0) + gzip.compress(b"lo", mtime=0)),
        ("deflate, gzip", gzip.compress(zlib.compress(b"hello"), mtime=0)),
        ("gzip, identity", gzip.compress(b"hello", mtime=0)),
        ("identity", b"hello"),
    ],
)
def test_a_body_is_decoded_when_it_is_read(serve: Serve, client_of: ClientOf, encoding: str, encoded: bytes) -> None:
    """gzip of any number of members and both kinds of deflate are undone, one after the other."""
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(encoded)}\r\n\r\n"
    response = get(client_of(serve([head.encode() + encoded])))
    assert response.length == len(encoded)
    assert response.body() == b"hello"


@pytest.mark.parametrize(
    ("encoding", "encoded", "reason"),
    [
        ("br", b"whatever", "encoded as 'br'"),
        ("br, gzip", gzip.compress(b"whatever", mtime=0), "encoded as 'br'"),
        ("gzip" + ", gzip" * 5, b"whatever", "encoded 6 times"),
        ("gzip", gzip.compress(b"hello", mtime=0) + b"garbage", "not valid gzip"),
        pytest.param("gzip", gzip.compress(b"x" * (DECODED_KEPT + 1), mtime=0), "longer than .* when decoded", id="gz"),
        pytest.param("deflate", zlib.compress(b"x" * (DECODED_KEPT + 1)), "longer than .* when decoded", id="zlib"),
        ("deflate", zlib.compress(b"hello" * 100)[:-9], "not valid deflate"),
        ("deflate", b"whatever", "not valid deflate"),
    ],
)
def test_a_body_that_cannot_be_decoded_says_why(encoding: str, encoded: bytes, reason: str) -> None:
    """Never the encoded bytes in place of the body, and never more than is kept."""
    response = HttpAnswer(200, {b"content-encoding": encoding.encode()}, [encoded], len(encoded))
    with pytest.raises(NoAnswer, match=reason):
        response.body()


@pytest.mark.parametrize("encoded", [b"no gzip at all", gzip.compress(b"hello" * 100, mtime=0)[:-9]])
def test_a_body_that_is_not_what_it_says_has_a_reason(serve: Serve, client_of: ClientOf, encoded: bytes) -> None:
    """Reading a broken or cut gzip body is a failure, not a crash."""
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(encoded)}\r\n\r\n"
    response = get(client_of(serve([head.encode() + encoded])))
    with pytest.raises(NoAnswer, match="not valid gzip"):
        response.body()
