"""Requests as bytes: what stands where, and values that cannot be sent."""

import re
from typing import Any

import pytest

from harness.core.experiment.composing import message_of
from harness.core.experiment.feed import feed_of_rows
from harness.core.experiment.requests import Request
from harness.errors import UsageError
from harness.traffic.client.client import Client
from harness.traffic.rendering import Template, Values

FEED = feed_of_rows(({"email": "a b@x", "count": 3}, {"email": "ü", "count": 4}))


def template(environment: dict[str, str] | None = None, feed: Any = FEED, **request: Any) -> Template:
    """A request to a service below a base path."""
    values = Values(feed, environment or {})
    return Template(message_of(Request(**request)), Client("http://127.0.0.1:3000/stage"), values)


def test_a_request_is_written_whole() -> None:
    """Base path, own headers before the usual ones, and the length of what was filled in."""
    post = template(post="/o/{{email}}", headers={"accept": "text/plain"}, json={"n": "{{count}}", "who": "{{email}}"})
    body = '{"n":4,"who":"ü"}'.encode()
    assert post.payload(1) == (
        b"POST /stage/o/%C3%BC HTTP/1.1\r\nHost: 127.0.0.1:3000\r\nUser-Agent: canary-harness\r\n"
        b"Content-Type: application/json\r\naccept: text/plain\r\nContent-Length: "
        + str(len(body)).encode()
        + b"\r\n\r\n"
        + body
    )


def test_a_per_cent_sign_stays_one() -> None:
    """It has no meaning of its own to whoever fills in."""
    assert b"GET /stage/100%25?x=a%20b%40x " in template(get="/100%25", query={"x": "{{email}}"}).payload(0)


def test_a_request_without_placeholders_is_fixed() -> None:
    """So is one whose only placeholder is a variable of the environment."""
    assert template(get="/", headers={"A": "{{env.KEY}}"}, environment={"KEY": "s"}).is_fixed
    assert not template(get="/{{uuid}}").is_fixed


def test_made_up_values_differ_and_keep_to_their_form() -> None:
    """A UUID is of version 4 and never the same, a number stays within its bounds, a time is in UTC."""
    get = template(get="/{{uuid}}/{{random.int(-2,3)}}?at={{now}}")
    found = [re.search(rb"/([0-9a-f-]{36})/(-?\d)\?at=(\S+) ", get.payload()) for _ in range(500)]
    parts = [match.groups() for match in found if match]
    assert len({uuid for uuid, _, _ in parts}) == 500
    assert all(
        re.fullmatch(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", uuid)
        for uuid, _, _ in parts
    )
    assert {int(number) for _, number, _ in parts} == {-2, -1, 0, 1, 2, 3}
    assert all(re.fullmatch(rb"\d{4}-\d\d-\d\dT\d\d%3A\d\d%3A\d\d\.\d{3}Z", at) for _, _, at in parts)


def test_a_made_up_text_in_json_has_its_quotation_marks() -> None:
    """It stands for a value."""
    assert re.search(
        rb'"id":"[0-9a-f-]{36}","n":\d}',
        template(post="/", json={"id": "{{uuid}}", "n": "{{random.int(1,9)}}"}).payload(),
    )


def test_a_row_that_cannot_be_sent_is_named() -> None:
    """Before anything is."""
    feed = feed_of_rows(({"email": "fine"}, {"email": "a\nb"}))
    with pytest.raises(UsageError, match=r"traffic\.feed, row 2: the column email holds a line break"):
        template(get="/", headers={"A": "{{email}}"}, feed=feed)


def test_a_variable_without_a_value_is_named() -> None:
    """With what to do."""
    with pytest.raises(UsageError, match=r"\{\{env\.KEY\}\} has no value; set the environment variable KEY"):
        template(get="/", headers={"A": "{{env.KEY}}"})
