"""Requests that cannot be sent, cannot fail or lack a value are refused, with what to do."""

import pytest

from harness.core.experiment.feed import feed_of
from harness.core.experiment.parse import parse
from harness.core.experiment.sendable import about_feed, names_of, sent_of, variables_of, weight_of
from harness.errors import ExperimentError

SHOP = """\
name: shop
traffic:
  error_share: 0.1
  feed: c.csv
  requests:
    login: {post: /login, json: {user: "{{email}}"}, take: {token: $.token}}
    orders: {get: /orders, headers: {Authorization: "{{token}} {{env.KEY}}"}, name: list of orders}
    search: {get: "/search?q={{term}}", weight: 4}
  flow: {visit: {steps: [login, orders]}}
  fault: {search: {headers: {Authorization: nobody}}}
"""

BAD = [
    (
        "requests: {all: {get: /}}",
        "requests.all: must be called otherwise: all stands for all requests in traffic.fault",
    ),
    (
        "requests: {a: {weight: 1}}",
        "requests.a: needs exactly one of get, head, options, post, put, patch, delete, with its path",
    ),
    (
        "requests: {a: {get: /, post: /}}",
        "requests.a: needs exactly one of get, head, options, post, put, patch, delete, with its "
        "path, got get and post",
    ),
    (
        "requests: {a: {get: x}}",
        "requests.a.get: must be a path that begins with /, got 'x'",
    ),
    (
        "requests: {a: {gett: /}}",
        "requests.a.gett: unknown key; did you mean get?",
    ),
    (
        "requests: {a: {get: /, headers: {A: null}}}",
        "requests.a.headers.A: must have a value; null is for traffic.fault, where it takes one away",
    ),
    (
        "requests: {a: {get: /, headers: {'A B': x}}}",
        "requests.a.headers.A B: is no name of a header",
    ),
    (
        'requests: {a: {get: /, headers: {A: "x\\ny"}}}',
        "requests.a.headers.A: must not hold a line break",
    ),
    (
        "requests: {a: {post: /, json: {a: 2026-01-01}}}",
        "requests.a.json.a: must be what JSON can hold, got 2026-01-01; write a date in quotation marks",
    ),
    (
        "requests: {a: {post: /, json: {}, form: {a: b}}}",
        "requests.a.form: cannot stand beside json: a request has one body",
    ),
    (
        "requests: {a: {get: '/{{x'}}",
        "requests.a.get: has {{ without }} after it",
    ),
    (
        "requests: {a: {get: '/{{random.int(9,1)}}'}}",
        "requests.a.get: {{random.int(9,1)}} must name the lower number first",
    ),
    (
        "requests: {a: {get: '/{{a.b}}'}}",
        "requests.a.get: {{a.b}} is no placeholder; between the braces stands a column's name, "
        "uuid, now, random.int(1,100) or env.NAME",
    ),
    (
        "requests: {a: {get: '/{{x}}'}}",
        "requests.a: {{x}} has no column: no feed is given; name a file in traffic.feed",
    ),
    (
        "requests: {a: {get: /, expect: [20]}}",
        "requests.a.expect[0]: must be between 100 and 599, got 20",
    ),
    (
        "requests: {a: {get: /, weight: 0}}",
        "requests: needs at least one weight above 0",
    ),
    (
        "requests: {a: {get: /, check: '$['}}",
        "requests.a.check: is no JSONPath",
    ),
    (
        "requests: {a: {get: /, check: 'hello {{name}}'}}",
        "requests.a.check: has a placeholder, which only a value of a map can be",
    ),
    (
        "requests: {a: {get: /, check: {$.id: '{{uuid}}'}}}",
        "requests.a.check: has a placeholder that is no column of the feed",
    ),
    (
        "requests: {a: {get: /, check: {$.id: '{{name}}'}}}",
        "requests.a.check: {{name}} has no column: no feed is given",
    ),
    (
        "requests: {a: {head: /, check: x}}",
        "requests.a.check: has nothing to look at: an answer to HEAD has no body",
    ),
    (
        "requests: {a: {get: /, take: {t: $.t}}}",
        "requests.a.take: keeps values for later steps of a flow, and no flow of traffic.flow has this request",
    ),
    (
        "requests: {a: {get: /}}\n  flow: {f: {steps: []}}",
        "flow.f.steps: needs at least one step, the key of a request",
    ),
    (
        "requests: {a: {get: /}}\n  flow: {f: {steps: [b]}}",
        "flow.f.steps: no request is called b; known are a",
    ),
    (
        "requests: {a: {get: /}}\n  error_share: 0.1",
        "fault: 0.1 of all requests are to fail, and nothing makes one fail; say what does, such "
        "as {all: {headers: {X-Fail: please}}}",
    ),
    (
        "requests: {a: {get: /, weight: 0}, b: {get: /}}\n  fault: {a: {path: /x}}\n  error_share: 0.1",
        "fault: 0.1 of all requests are to fail, and nothing makes one fail",
    ),
    (
        "requests: {a: {get: /}}\n  fault: {b: {path: /x}}",
        "fault: no request is called b; known are all, a",
    ),
    (
        "requests: {a: {get: /, headers: {A: x}}}\n  fault: {all: {headers: {A: x}}}",
        "fault.all: leaves a as it is, so that it never fails; lay something else over it",
    ),
    (
        "requests: {a: {get: /, expect: [200, 502]}}\n  fault: {a: {path: /x}}",
        "requests.a.expect: takes 502 for a good answer, so its fault could not be told from "
        "one; drop 502, or traffic.fault.a",
    ),
    (
        "fault: {all: {path: /x}}",
        "fault: is for traffic.requests, which are missing",
    ),
]


@pytest.mark.parametrize(("keys", "sentence"), BAD, ids=str)
def test_what_cannot_be_sent_is_named_with_its_line(keys: str, sentence: str) -> None:
    """One sentence with the field, its line in the file, and what to do."""
    with pytest.raises(ExperimentError) as refusal:
        parse(f"name: x\ntraffic:\n  {keys}\n", source="f.yaml")
    assert str(refusal.value).startswith(f"traffic.{sentence}")
    assert refusal.value.line in (2, 3, 4)


def test_a_group_is_judged_by_requests_that_there_are() -> None:
    """By their names."""
    text = f"{SHOP}deployment: {{requests: [list of order]}}"
    with pytest.raises(
        ExperimentError, match=r"deployment\.requests: no request is called list of order; known are login,"
    ):
        parse(text, source="f.yaml")


def test_a_shop_can_be_sent() -> None:
    """Steps are sent in their flow alone, unless they have a weight of their own."""
    traffic = parse(SHOP, source="f.yaml").traffic
    assert [weight_of(traffic, key) for key in traffic.requests] == [0, 0, 4]
    assert sent_of(traffic) == ("login", "orders", "search")
    assert names_of(traffic) == ("login", "list of orders", "search")
    assert variables_of(traffic) == ("KEY",)


def test_every_placeholder_has_a_column_or_is_taken_before() -> None:
    """A token that a step takes needs no column."""
    traffic = parse(SHOP, source="f.yaml").traffic
    assert not [*about_feed(traffic, feed_of("email,term\na,b\n", "c.csv"))]
    (problem,) = about_feed(traffic, feed_of("email\na\n", "c.csv"))
    assert str(problem) == "traffic.requests.search: {{term}} has no column: c.csv has the columns email"


def test_a_value_is_not_taken_before_its_step() -> None:
    """Nor where the request is sent by itself as well."""
    for changed in (
        SHOP.replace("[login, orders]", "[orders, login]"),
        SHOP.replace("name: list", "weight: 1, name: list"),
    ):
        traffic = parse(changed, source="f.yaml").traffic
        (problem,) = about_feed(traffic, feed_of("email,term\na,b\n", "c.csv"))
        assert "{{token}} has no column" in str(problem)
