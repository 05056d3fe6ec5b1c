"""What a good answer holds, and what is taken from one."""

from typing import Any

import pytest

from harness.core.experiment.answers import NOTHING, NotJson, as_scalar, check_of, find_of

BODY = b'{"items": [{"id": 7, "paid": true}], "state": "open", "none": null}'


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        ("$.items[0].id", None),
        ("$.items[?@.id == 7]", None),
        ("$.none", None),
        ("$.items[1]", "the body does not hold $.items[1]"),
        ("$.items[?@.id == 8]", "the body does not hold $.items[?@.id == 8]"),
        ("$.state.x", "the body does not hold $.state.x"),
        ('"state": "(open|new)"', None),
        ("closed", "the body does not hold closed"),
        ({"$.state": "open", "$.items[0].paid": True}, None),
        ({"$.state": "paid"}, "$.state is not paid"),
        ({"$.items[0].paid": 1}, "$.items[0].paid is not 1"),
        ({"$.gone": "x"}, "the body does not hold $.gone"),
    ],
)
def test_a_body_is_good_or_has_a_reason(check: Any, reason: str | None) -> None:
    """By a JSONPath, a regular expression, or what stands at paths."""
    assert check_of(check)(BODY) == reason


@pytest.mark.parametrize("check", ["$.a", {"$.a": 1}])
def test_a_body_that_is_not_json_is_a_failure_with_a_reason(check: Any) -> None:
    """Of the request, not of the harness."""
    assert check_of(check)(b"<html>") == "the body is not JSON, and check asks for $.a"


@pytest.mark.parametrize(
    ("check", "why"), [("$.[", "is no JSONPath"), ("(", "is no regular expression"), ({"a": 1}, "must name JSONPaths")]
)
def test_a_check_that_cannot_be_read_is_refused(check: Any, why: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match=why):
        check_of(check)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("$.items[0].id", 7),
        ("$..paid", True),
        ('"state": "(o)', "o"),
        ("open", "open"),
        ("$.x", NOTHING),
        ("x", NOTHING),
    ],
)
def test_a_value_is_taken_from_a_body(where: str, found: object) -> None:
    """By the first group of a regular expression, or all of it."""
    assert find_of(where)(BODY) == found


def test_nothing_is_taken_from_what_is_not_json() -> None:
    """By a JSONPath."""
    with pytest.raises(NotJson):
        find_of("$.a")(b"x")


def test_what_is_taken_can_be_sent() -> None:
    """A list or a map as its JSON."""
    assert (as_scalar("x"), as_scalar(3), as_scalar({"a": [1]})) == ("x", 3, '{"a":[1]}')
