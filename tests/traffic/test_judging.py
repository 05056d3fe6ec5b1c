"""Whether an answer is a good one, with the reason where it is none."""

from typing import Any

import pytest

from harness.core.experiment.feed import feed_of_rows
from harness.core.experiment.requests import FromHeader, Request
from harness.core.experiment.types import Traffic
from harness.traffic.client.answer import HttpAnswer
from harness.traffic.client.client import Client
from harness.traffic.judging import Judge, Missing
from harness.traffic.kinds import Stock


def answer(status: int = 200, body: bytes = b"{}", length: int | None = None, **headers: str) -> HttpAnswer:
    """An answer; a `length` beyond its body is one that was too long to keep."""
    sent = {name.encode(): value.encode() for name, value in headers.items()}
    return HttpAnswer(status, sent, [body], len(body) if length is None else length)


@pytest.mark.parametrize(
    ("request_", "answered", "reason"),
    [
        ({}, answer(302), None),
        ({}, answer(404), "HTTP 404"),
        ({"expect": (404,)}, answer(404), None),
        ({"expect": (201,)}, answer(200), "HTTP 200, which is not expected"),
        ({"expect": (201,)}, answer(503), "HTTP 503"),
        ({"check": "$.id"}, answer(body=b'{"id": 1}'), None),
        ({"check": "$.id"}, answer(), "the body does not hold $.id"),
        ({"check": "$.id"}, answer(body=b"<html>"), "the body is not JSON, and check asks for $.id"),
        ({"check": "$.id"}, answer(500), "HTTP 500"),
        ({"check": "x"}, answer(length=2_000_000), "the body of 2000000 bytes was too long to keep"),
        (
            {"check": "x"},
            answer(**{"Content-Encoding": "br"}),
            "the body is encoded as 'br'; only gzip and deflate can be decoded",
        ),
    ],
)
def test_a_bad_answer_has_its_reason(request_: dict[str, Any], answered: HttpAnswer, reason: str | None) -> None:
    """By its status, and by what its body holds where that can be read."""
    assert Judge(Request(get="/", **request_)).failure(answered) == reason


def test_values_are_taken_from_body_and_headers() -> None:
    """By a JSONPath, a regular expression or a header's name, whatever its case."""
    take: dict[str, Any] = {"id": "$.id", "word": "(o+)k", "place": FromHeader(header="location")}
    taken = Judge(Request(get="/", take=take)).taken(answer(body=b'{"id": 7, "x": "ook"}', Location="/orders/7"))
    assert taken == {"id": 7, "word": "oo", "place": "/orders/7"}


@pytest.mark.parametrize("take", [{"id": "$.id"}, {"id": "(x)"}, {"id": FromHeader(header="X-Id")}])
def test_a_value_that_is_not_there_is_missed_by_name(take: dict[str, Any]) -> None:
    """Later steps could not be sent."""
    with pytest.raises(Missing, match="the answer does not hold id"):
        Judge(Request(get="/", take=take)).taken(answer())


@pytest.mark.parametrize("path", ["/", "/{{id}}", "/{{id}}/{{uuid}}"])
def test_a_check_may_ask_for_what_belongs_to_the_row(path: str) -> None:
    """An answer for somebody else is a failure, which tells no value of the feed."""
    feed = feed_of_rows([{"id": number, "who": f"user {number}"} for number in range(5)])
    request = Request(get=path, check={"$.id": "{{id}}", "$.who": "{{who}}", "$.ok": True})
    stock = Stock(Traffic(requests={"a": request}), feed, 1, Client("http://127.0.0.1:1"), {None: 1.0})
    ((kind, _, _),) = stock.singles
    for row in range(5):
        number = kind.planned(row).row
        assert number is not None
        mine = b'{"id": %d, "who": "user %d", "ok": true}' % (number - 1, number - 1)
        assert kind.judge.failure(answer(body=mine), number) is None
        others = mine.replace(b"user", b"other")
        assert kind.judge.failure(answer(body=others), number) == "$.who is not {{who}}"
