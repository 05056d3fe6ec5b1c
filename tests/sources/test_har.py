"""HAR recordings become requests without credentials."""

from typing import Any

import msgspec
import pytest

from harness.errors import UsageError
from harness.sources.drafts import Described
from harness.sources.experiment import Choices, written
from harness.sources.files import SourceFile, read_source
from harness.sources.har import read_har
from tests.sources.shop import HAR

SECRETS = ("eyJhbGciOiJIUzI1NiJ9", "5f2d8c", "k-9d1f", "correct horse")


def entry(url: str = "https://a.example.com/x", method: str = "GET", **request: Any) -> dict[str, Any]:
    """An entry that was answered with 200."""
    return {"request": {"method": method, "url": url, **request}, "response": {"status": 200}}


def read(*entries: dict[str, Any]) -> Described:
    """What a recording of some entries tells."""
    return read_har(SourceFile("x.har", msgspec.json.encode({"log": {"entries": entries}}).decode()))


def test_a_recording_becomes_the_calls_of_its_api() -> None:
    """Orders by a column, each other call once, and the rest named with the reason."""
    described = read_har(read_source(HAR))
    assert described.host == "https://shop.example.com"
    assert [(draft.label, draft.weight) for draft in described.drafts] == [
        ("GET /orders/{order_id}", 2),
        ("GET /search", 1),
        ("POST /login", 1),
    ]
    assert described.feed == ({"order_id": "1042"}, {"order_id": "1043"})
    left = {one.label: one.why for one in described.left_out}
    assert "binary" in left["POST /photos"]
    assert "no calls of an API: GET /logo.png" in left["files of pages (1)"]
    assert "one host" in left["calls of https://telemetry.example.net (1)"]


def test_no_credential_of_a_recording_is_in_the_experiment() -> None:
    """Tokens, cookies, keys and passwords are variables of the environment."""
    text = written(read_har(read_source(HAR)), Choices(source="recording.har")).text
    assert not [secret for secret in SECRETS if secret in text]
    for placeholder in ("Bearer {{env.TOKEN}}", "{{env.COOKIE}}", "{{env.API_KEY}}", "{{env.PASSWORD}}"):
        assert placeholder in text


def test_headers_that_the_client_sets_itself_are_not_repeated() -> None:
    """Those of the service are."""
    headers = [{"name": name, "value": "v"} for name in ("User-Agent", "Host", "X-Client", "sec-ch-ua", ":path")]
    (draft,) = read(entry(headers=headers)).drafts
    assert draft.headers == {"X-Client": "v"}


@pytest.mark.parametrize(
    ("posted", "sent"),
    [
        ({"mimeType": "application/json", "text": '{"a": [1]}'}, {"json": {"a": [1]}}),
        ({"mimeType": "application/x-www-form-urlencoded", "text": "a=1&b="}, {"form": {"a": "1", "b": ""}}),
        (
            {"mimeType": "application/x-www-form-urlencoded", "params": [{"name": "a", "value": "1"}]},
            {"form": {"a": "1"}},
        ),
        ({"mimeType": "text/plain", "text": "hi"}, {"body": "hi"}),
        ({"mimeType": "application/json", "text": "{broken"}, {"body": "{broken"}),
    ],
)
def test_a_recorded_body_is_sent_as_what_it_is(posted: dict[str, Any], sent: dict[str, Any]) -> None:
    """JSON, a form, or the text itself."""
    (draft,) = read(entry(method="PUT", postData=posted)).drafts
    assert draft.request() == {"put": "/x", **sent}


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"postData": {"mimeType": "image/png", "text": "iVBO", "encoding": "base64"}}, "binary"),
        ({"postData": {"mimeType": "multipart/form-data; boundary=x", "text": "--x"}}, "several parts"),
        ({"bodySize": 99}, "its body was not recorded"),
        ({"postData": {"mimeType": "application/json", "text": '{"a": "{{b}}"}'}}, "begins a placeholder"),
    ],
)
def test_a_recording_without_anything_to_send_says_why(asked: dict[str, Any], why: str) -> None:
    """One sentence with file and line."""
    with pytest.raises(UsageError, match=rf"^x.har, line 1: nothing in it can be sent; POST /x: .*{why}"):
        read(entry(method="POST", **asked))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "x.har, line 1: is not a HAR file"),
        ('{"log": {"entries": [{"request": {}}]}}', "missing required field `method`"),
        ('{"openapi": "3.0.0"}', "missing required field `log`"),
        ('{"log": {"entries": []}}', "has no entries"),
        ('{"log": {"entries": [{"request": {"method": "GET", "url": "https://[::"}}]}}', "nothing in it can be sent"),
    ],
)
def test_a_file_that_is_no_recording_gets_one_sentence(text: str, says: str) -> None:
    """With the place."""
    with pytest.raises(UsageError) as caught:
        read_har(SourceFile("x.har", text))
    assert says in str(caught.value)
