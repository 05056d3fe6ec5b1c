"""The parser: any bytes in any pieces are an answer or a failure with a reason."""

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.traffic.client.answer import HttpAnswer
from harness.traffic.client.failures import NoAnswer
from harness.traffic.client.parser import PIECES_KEPT, AnswerParser
from tests.traffic.answers import CHUNKED

OK = b"HTTP/1.1 200 OK\r\nX-Lambda-Version: 7\r\nContent-Length: 5\r\n\r\nhello"


def test_a_body_in_many_pieces_is_kept_in_few() -> None:
    """A server that sends each byte as a chunk of its own gets no more memory than another."""
    parser = AnswerParser()
    parser.begin(head_only=False)
    for piece in (CHUNKED, *[b"1\r\nx\r\n" * 1000] * 20):
        parser.feed(piece, len(piece))
    assert len(parser.on_body.__self__) <= PIECES_KEPT + 1000
    parser.feed(b"0\r\n\r\n", 5)
    assert parser.answer
    assert parser.answer.body() == b"x" * 20_000


def parsed(*pieces: bytes) -> HttpAnswer | NoAnswer:
    """What a parser makes of an answer in pieces and the end of its connection."""
    parser = AnswerParser()
    parser.begin(head_only=False)
    try:
        for piece in pieces:
            if piece and parser.answer is None:
                parser.feed(piece, len(piece))
        if parser.answer is None:
            parser.end()
    except NoAnswer as reason:
        return reason
    assert parser.answer
    return parser.answer


@settings(max_examples=300, deadline=None)
@given(received=st.binary(max_size=200), cut=st.integers(0, 200))
def test_no_bytes_at_all_crash_the_parser(received: bytes, cut: int) -> None:
    """Whatever comes, in whatever pieces, is an answer or a failure with a reason."""
    outcome = parsed(received[:cut], received[cut:])
    assert isinstance(outcome, HttpAnswer) or str(outcome)


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, len(OK) - 1), byte=st.integers(0, 255))
def test_one_wrong_byte_never_crashes_the_parser(at: int, byte: int) -> None:
    """An answer with any byte changed is an answer or a failure with a reason."""
    outcome = parsed(OK[:at] + bytes([byte]) + OK[at + 1 :])
    assert isinstance(outcome, HttpAnswer) or str(outcome)


def test_a_trailer_never_replaces_a_header() -> None:
    """What comes behind the body says nothing of the version that answered, or of how the body is encoded."""
    head = CHUNKED.replace(b"\r\n\r\n", b"\r\nX-Lambda-Version: 7\r\n\r\n")
    trailer = b"X-Lambda-Version: 8\r\nContent-Encoding: gzip\r\nX-New: 1\r\n"
    answer = parsed(head + b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n")
    assert isinstance(answer, HttpAnswer)
    assert (answer.header(b"X-Lambda-Version"), answer.header(b"X-New"), answer.body()) == ("7", None, b"hello")
