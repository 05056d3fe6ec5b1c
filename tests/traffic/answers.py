"""What a hostile server sends, and what two independent readers of HTTP make of it: ours (llhttp) and h11."""

from typing import NamedTuple

import h11

from harness.traffic.client.failures import NoAnswer
from harness.traffic.client.parser import AnswerParser

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FIVE = OK + b"Content-Length: 5\r\n\r\nhello"


class Read(NamedTuple):
    """What a reader understood: status and body, or why it refuses."""

    status: int
    body: bytes
    refused: str = ""


class Case(NamedTuple):
    """All that a server sends before it closes the connection; `differs` says why we and h11 read it differently."""

    name: str
    stream: bytes
    differs: str = ""


STRICTER = "ours is stricter"
CASES = [
    Case("Content-Length", FIVE),
    Case("Content-Length twice, the same", OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", STRICTER),
    Case("Content-Length as a list", OK + b"Content-Length: 5, 5\r\n\r\nhello", STRICTER),
    Case("Content-Length twice, conflicting", OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    Case("Content-Length +5", OK + b"Content-Length: +5\r\n\r\nhello"),
    Case("Content-Length -5", OK + b"Content-Length: -5\r\n\r\nhello"),
    Case("Content-Length 0x5", OK + b"Content-Length: 0x5\r\n\r\nhello"),
    Case("Content-Length empty", OK + b"Content-Length: \r\n\r\nhello"),
    Case("Content-Length beyond 64 bits", OK + b"Content-Length: 99999999999999999999\r\n\r\nhello"),
    Case("body shorter than Content-Length", OK + b"Content-Length: 50\r\n\r\nhello"),
    Case("another answer behind the answer", FIVE + OK + b"Content-Length: 5\r\n\r\nwrong"),
    Case("garbage behind the answer", FIVE + b"\x00\xffgarbage"),
    Case("chunks", CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
    Case("chunk extension", CHUNKED + b"5;a=b\r\nhello\r\n0\r\n\r\n"),
    Case("trailer", CHUNKED + b"5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n"),
    Case("trailer without a colon", CHUNKED + b"5\r\nhello\r\n0\r\nX\r\n\r\n"),
    Case("chunk size xyz", CHUNKED + b"xyz\r\nhello\r\n0\r\n\r\n"),
    Case("chunk size 0x5", CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n"),
    Case("chunk size -1", CHUNKED + b"-1\r\nhello\r\n0\r\n\r\n"),
    Case("chunk size beyond 64 bits", CHUNKED + b"fffffffffffffffffffff\r\nhello"),
    Case("chunk size with a space", CHUNKED + b"5 \r\nhello\r\n0\r\n\r\n", STRICTER),
    Case("chunk longer than its size", CHUNKED + b"3\r\nhello\r\n0\r\n\r\n"),
    Case("chunk without line break", CHUNKED + b"5\r\nhello0\r\n\r\n"),
    Case("chunks with bare line feeds", CHUNKED + b"5\nhello\n0\n\n"),
    Case("empty line before a chunk", CHUNKED + b"\r\n5\r\nhello\r\n0\r\n\r\n"),
    Case("closed in a chunk", CHUNKED + b"5\r\nhel"),
    Case("closed before the last chunk", CHUNKED + b"5\r\nhello\r\n"),
    Case("closed in the trailer", CHUNKED + b"5\r\nhello\r\n0\r\n"),
    Case("chunks with Content-Length", OK + b"Content-Length: 5\r\n" + CHUNKED[17:] + b"0\r\n\r\n", STRICTER),
    Case("unknown Transfer-Encoding", OK + b"Transfer-Encoding: xchunked\r\n\r\nhello"),
    Case("gzip under chunked", CHUNKED.replace(b": ", b": gzip, ") + b"5\r\nhello\r\n0\r\n\r\n", "h11 knows no gzip"),
    Case("chunks of HTTP/1.0", CHUNKED.replace(b"/1.1", b"/1.0") + b"5\r\nhello\r\n0\r\n\r\n"),
    Case("no length, until the end", OK + b"\r\nuntil the end"),
    Case("HTTP/1.0, until the end", b"HTTP/1.0 200 OK\r\n\r\nuntil the end"),
    Case("204 with a body", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"),
    Case("304 with chunks", CHUNKED.replace(b"200 OK", b"304 Not Modified") + b"5\r\nhello\r\n0\r\n\r\n"),
    Case("100 before the answer", b"HTTP/1.1 100 Continue\r\n\r\n" + FIVE),
    Case("103 before the answer", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + FIVE),
    Case("103 that says close", b"HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n" + FIVE),
    Case("bytes after the last answer", FIVE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + FIVE),
    Case("100 alone", b"HTTP/1.1 100 Continue\r\n\r\n"),
    Case("101 that nobody asked for", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    Case("101 without Upgrade", b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    Case("no reason phrase", b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
    Case("status 20", b"HTTP/1.1 20 OK\r\n\r\n"),
    Case("status 2000", b"HTTP/1.1 2000 OK\r\n\r\n"),
    Case("no status", b"HTTP/1.1 OK\r\n\r\n"),
    Case("two spaces before the status", b"HTTP/1.1  200 OK\r\n\r\n"),
    Case("lower-case http", b"http/1.1 200 OK\r\n\r\n"),
    Case("an answer of another protocol", b"220 smtp.example.com ESMTP\r\n"),
    Case("a page without a head", b"<html>502 Bad Gateway</html>"),
    Case("bare line feeds in the head", b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", STRICTER),
    Case("bare carriage returns in the head", b"HTTP/1.1 200 OK\r\rContent-Length: 5\r\n\r\nhello"),
    Case("empty line before the head", b"\r\n" + FIVE, "ours is laxer, as RFC 9112 section 2.2 asks of servers"),
    Case("folded header", OK + b"X: a\r\n b\r\nContent-Length: 5\r\n\r\nhello", STRICTER),
    Case("header without a name", OK + b": x\r\n\r\n"),
    Case("header without a colon", OK + b"X\r\nContent-Length: 5\r\n\r\nhello"),
    Case("space in a header's name", OK + b"X y: z\r\n\r\n"),
    Case("space before the colon", OK + b"X : 1\r\nContent-Length: 5\r\n\r\nhello"),
    Case("NUL in a header", OK + b"X: a\x00b\r\nContent-Length: 5\r\n\r\nhello"),
    Case("control character in a header", OK + b"X: a\x01b\r\nContent-Length: 5\r\n\r\nhello", STRICTER),
    Case("header that is no ASCII", OK + b"X: \xff\r\nContent-Length: 5\r\n\r\nhello"),
    Case("nothing at all", b""),
    Case("closed in the head", b"HTTP/1.1 200 OK\r\nContent-Le"),
]  # fmt: skip


def ours(stream: bytes, size: int = 1 << 20) -> Read:
    """What our parser makes of a stream that comes in pieces of `size` and then ends."""
    parser = AnswerParser()
    parser.begin(head_only=False)
    try:
        for start in range(0, len(stream), size):
            piece = stream[start : start + size]
            parser.feed(piece, len(piece))
            if parser.answer:
                break
        if parser.answer is None:
            parser.end()
    except NoAnswer as reason:
        return Read(0, b"", str(reason))
    assert parser.answer
    return Read(parser.answer.status, parser.answer.body())


def h11s(stream: bytes) -> Read:
    """What h11 makes of it."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    status, body = 0, b""
    try:
        connection.receive_data(stream)
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                connection.receive_data(b"")
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
            elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return Read(0, b"", "no answer")
    except h11.RemoteProtocolError as error:
        return Read(0, b"", str(error))
    return Read(status, body)
