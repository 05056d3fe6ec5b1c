"""Postman collections become requests with their variables filled in."""

from typing import Any

import msgspec
import pytest

from harness.errors import UsageError
from harness.sources.drafts import Described
from harness.sources.files import SourceFile, read_source
from harness.sources.postman import read_postman
from tests.sources.shop import POSTMAN


def read(*items: dict[str, Any], **more: Any) -> Described:
    """What a collection of some items holds."""
    return read_postman(SourceFile("c.json", msgspec.json.encode({"item": items, **more}).decode()))


def item(**request: Any) -> dict[str, Any]:
    """A saved request."""
    return {"name": "One", "request": {"url": "https://a.example.com/x", **request}}


def test_a_collection_becomes_its_requests() -> None:
    """Folders are in their names, variables are filled in, and unknown ones are the environment's."""
    described = read_postman(read_source(POSTMAN))
    by_key = {draft.key: draft for draft in described.drafts}
    assert described.host == "https://shop.example.com"
    assert by_key["orders-one-order"].request() == {
        "get": "/prod/orders/1042",
        "headers": {"Authorization": "Bearer {{env.TOKEN}}"},
    }
    assert by_key["orders-one-order-by-path-variable"].path == "/prod/orders/1043"
    assert by_key["search"].query == {"q": "red shoes", "lang": "{{env.LANGUAGE}}"}
    assert by_key["search"].headers == {"X-Request-Id": "{{uuid}}"}
    assert by_key["login"].json == {"email": "ada@example.com", "password": "{{env.PASSWORD}}"}
    assert [(one.label, "kind file" in one.why) for one in described.left_out] == [("Photo", True)]


@pytest.mark.parametrize(
    ("auth", "headers"),
    [
        ({"type": "basic"}, {"Authorization": "Basic {{env.BASIC_AUTH}}"}),
        ({"type": "apikey", "apikey": [{"key": "key", "value": "X-K"}]}, {"X-K": "{{env.X_K}}"}),
        ({"type": "noauth"}, {}),
    ],
)
def test_credentials_of_a_collection_come_from_the_environment(auth: Any, headers: dict[str, str]) -> None:
    """Each way in."""
    (draft,) = read(item(auth=auth)).drafts
    assert draft.headers == headers


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"auth": {"type": "awsv4"}}, "signed by awsv4"),
        ({"method": "LINK"}, "LINK cannot be sent"),
        ({"url": "https://a.example.com/{{$randomCity}}"}, "cannot make {{$randomCity}} up"),
        ({"method": "POST", "body": {"mode": "formdata"}}, "of the kind formdata"),
    ],
)
def test_what_cannot_be_sent_is_left_out_with_the_reason(request_: dict[str, Any], why: str) -> None:
    """And the others stay."""
    (left,) = read(item(**request_), item()).left_out
    assert why in left.why


def test_variables_within_variables_end() -> None:
    """Even where they hold each other."""
    variables = [{"key": "a", "value": "{{b}}"}, {"key": "b", "value": "{{a}}"}, {"key": "c", "value": "{{d}}/x"}]
    described = read(item(url="https://e.example.com/{{c}}?q={{a}}"), variable=[*variables, {"key": "d", "value": "y"}])
    assert described.drafts[0].path == "/y/x"
    assert str(described.drafts[0].query["q"]).startswith("{{env.")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"requests": [], "folders": []}', "version 1"),
        ('{"openapi": "3.0.0"}', "no list item"),
        ('{"item": []}', "it holds no requests"),
        ("[]", "is not a Postman collection"),
        ('{"a": 1,\n "b": }', "c.json, line 2"),
    ],
)
def test_a_file_that_is_no_collection_gets_one_sentence(text: str, says: str) -> None:
    """With the file and what to do."""
    with pytest.raises(UsageError) as caught:
        read_postman(SourceFile("c.json", text))
    assert says in str(caught.value)
    assert str(caught.value).startswith("c.json")
