"""Requests as data become messages: what is fixed is written once, and every placeholder has its place."""

from typing import Any

import msgspec
import pytest

from harness.core.experiment.composing import Hole, Message, Pieces, faulty, message_of, overlaid_twice, written
from harness.core.experiment.requests import Overlay, Request


def request(**given: Any) -> Request:
    """A request as a file has it."""
    return msgspec.convert(given, Request)


def overlay(**given: Any) -> Overlay:
    """A fault as a file has it."""
    return msgspec.convert(given, Overlay)


def shown(pieces: Pieces) -> str:
    """Pieces as one text, each placeholder with its place."""
    return "".join(
        f"<{one.placeholder.name} in {one.written}>" if isinstance(one, Hole) else one.decode() for one in pieces
    )


def headers(message: Message) -> dict[str, str]:
    """The headers of a message."""
    return {name: shown(value) for name, value in message.headers}


def test_path_and_query_are_encoded_once_and_placeholders_where_they_stand() -> None:
    """A fixed path keeps its own percent-encoding."""
    message = message_of(request(get="/a b/%20/{{one}}?x={{two}}", query={"q": "ü {{three}}", "n": 3}))
    assert shown(message.target) == "/a%20b/%20/<one in path>?x=<two in path>&q=%C3%BC%20<three in query>&n=3"


def test_a_placeholder_may_be_a_whole_path() -> None:
    """Its slashes and its query stay as they are."""
    (hole,) = message_of(request(get="{{path}}")).target
    assert isinstance(hole, Hole)
    assert hole.written == "whole path"
    assert written("/orders/7?full=1", "whole path") == b"/orders/7?full=1"


@pytest.mark.parametrize(
    ("given", "content_type", "body"),
    [
        (
            {"json": {"a": ["{{x}}", "n {{x}}", 1, None]}},
            "application/json",
            '{"a":[<x in json>,"n <x in json text>",1,null]}',
        ),
        ({"form": {"a b": "{{x}}", "c": True}}, "application/x-www-form-urlencoded", "a+b=<x in form>&c=true"),
        ({"body": "<{{x}}>"}, None, "<<x in body>>"),
    ],
)
def test_a_body_has_its_type(given: dict[str, Any], content_type: str | None, body: str) -> None:
    """JSON and forms say what they are; any other body says it in its headers."""
    message = message_of(request(post="/", **given))
    assert shown(message.body) == body
    assert headers(message).get("Content-Type") == content_type


def test_own_content_type_goes_first() -> None:
    """Whatever the case of its name."""
    message = message_of(request(post="/", json={}, headers={"content-type": "application/vnd.api+json"}))
    assert headers(message) == {"content-type": "application/vnd.api+json"}


@pytest.mark.parametrize(
    ("value", "place", "bytes_"),
    [
        ('say "ü"', "json text", b'say \\"\xc3\xbc\\"'),
        (3, "json", b"3"),
        (None, "json", b"null"),
        ("a/b c", "path", b"a%2Fb%20c"),
        ("a b&c", "form", b"a+b%26c"),
        ("ü", "header", b"\xfc"),
        (True, "query", b"true"),
    ],
)
def test_a_value_is_written_as_its_place_wants_it(value: Any, place: Any, bytes_: bytes) -> None:
    """A number in JSON stays a number, and no value breaks out of its place."""
    assert written(value, place) == bytes_


@pytest.mark.parametrize(("value", "place"), [("a\r\nX-Evil: 1", "header"), ("日", "header"), ("orders", "whole path")])
def test_a_value_that_cannot_stand_there_is_refused(value: str, place: Any) -> None:
    """A line break would make another header of it."""
    with pytest.raises(ValueError, match=r"holds|must be"):
        written(value, place)


def test_a_fault_is_laid_over_a_request() -> None:
    """Headers and parameters change or go, JSON is merged, all else stays."""
    usual = request(post="/o", headers={"Authorization": "a", "X": "1"}, query={"q": 1}, json={"a": 1, "b": {"c": 2}})
    laid = overlay(headers={"authorization": "nobody", "X": None}, query={"q": None}, json={"b": {"c": None, "d": 3}})
    message = message_of(faulty(usual, laid))
    assert headers(message) == {"Content-Type": "application/json", "authorization": "nobody"}
    assert (shown(message.target), shown(message.body)) == ("/o", '{"a":1,"b":{"d":3}}')


@pytest.mark.parametrize("laid", [{"body": "x"}, {"form": {"a": "b"}}])
def test_another_kind_of_body_takes_the_place_of_the_first(laid: dict[str, Any]) -> None:
    """A request has one body."""
    assert message_of(faulty(request(post="/", json={"a": 1}), overlay(**laid))).body


def test_a_fault_for_all_and_one_of_its_own_add_up() -> None:
    """Where both say the same, the request's own goes."""
    both = overlaid_twice(overlay(headers={"A": "1", "B": "1"}, path="/x"), overlay(headers={"b": "2"}))
    assert (both.headers, both.path) == ({"A": "1", "b": "2"}, "/x")
