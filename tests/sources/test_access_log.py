"""Access logs give the real mix and the real rate, whatever wrote them."""

import gzip
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.sources.access_log import read_access_log
from harness.sources.drafts import Described
from harness.sources.files import SourceFile, read_source
from harness.sources.log_times import seconds_of
from harness.sources.mix import MOST_BRANCHES, MOST_REQUESTS, SeenRequest, mixed
from tests.sources.shop import logs


def read(text: str) -> Described:
    """What a log tells."""
    return read_access_log(SourceFile("a.log", text))


@pytest.mark.parametrize("kind", logs.FORMATS)
def test_every_format_gives_the_mix_and_the_rate(kind: str) -> None:
    """Of the same traffic: six orders, three searches and one login in ten, twenty a second."""
    described = read(logs.log(kind))
    assert [(draft.method, draft.weight) for draft in described.drafts] == [("get", 360), ("get", 180), ("post", 60)]
    assert described.arrival_rate == pytest.approx(logs.RATE, rel=0.01)
    assert [draft.label.lower() for draft in described.drafts][1:] == ["get /search", "post /login"]


@pytest.mark.parametrize("kind", ["nginx", "alb", "cloudfront"])
def test_values_of_a_log_become_a_feed_and_its_credentials_do_not(kind: str) -> None:
    """The most frequent ones, in as few rows as hold them."""
    described = read(logs.log(kind))
    assert {row["order_id"] for row in described.feed} == {"1000", "1001", "1002", "1003"}
    assert {row["q"] for row in described.feed} == {"shoes", "red hats"}
    assert described.drafts[1].query == {"q": "{{q}}", "token": "{{env.TOKEN}}"}


def test_a_log_that_names_routes_has_made_up_values() -> None:
    """And says so."""
    order = read(logs.log("gateway-clf")).drafts[0]
    assert (order.label, order.path) == ("GET /orders/{orderId}", "/orders/1")
    assert order.notes == ("orderId (only its route was seen)",)


def test_the_stage_is_no_part_of_the_path() -> None:
    """It is in the address of the API."""
    assert read(logs.log("gateway-json")).drafts[0].path == "/orders/{{order_id}}"


def test_exported_and_compressed_logs_are_read_as_well(tmp_path: Path) -> None:
    """CloudWatch Logs puts a time before each line, and S3 holds files of gzip."""
    lines = "".join(f"2026-11-20T18:00:00.123Z {line}\n" for line in logs.log("gateway-json").splitlines())
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(lines.encode()))
    assert len(read_access_log(read_source(tmp_path / "a.log.gz")).drafts) == 3


def test_lines_that_cannot_be_read_are_counted() -> None:
    """The first is named."""
    described = read(logs.log("nginx") + "what is this\nand this\n")
    assert ("2 lines", "they cannot be read, the first is line 601") in [
        (one.label, one.why) for one in described.left_out
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("once upon a time\n", "a.log, line 1: is in no known format"),
        ('{"level": "info"}\n', "a.log, line 1: is in no known format"),
        (logs.log("nginx")[:120].splitlines()[0] + "\n" + "x\n" * 3, "a.log, line 2: this line and 2 more"),
        (logs.common(logs.START, "GET", "/wp-admin", "", 404), "most of its answers were failures, mainly 404"),
        ("#Version: 1.0\n#Fields: date time\n", "no line of a request"),
    ],
)
def test_a_log_that_is_none_gets_one_sentence(text: str, says: str) -> None:
    """With file and line, and the formats that are known."""
    with pytest.raises(UsageError) as caught:
        read(text)
    assert says in str(caught.value)


def test_a_short_log_says_nothing_of_the_rate() -> None:
    """Three seconds are no rhythm."""
    described = read("\n".join(logs.log("nginx").splitlines()[:60]))
    assert described.arrival_rate is None
    assert any("less than 10 s" in sentence for sentence in described.unknown)


@pytest.mark.parametrize(
    "text", ["2026-11-20T18:00:00Z", "20/Nov/2026:19:00:00 +0100", "1795197600", "1795197600000", "2026-11-20T18:00:00"]
)
def test_times_are_read_in_every_form(text: str) -> None:
    """All of the same second."""
    assert seconds_of(text) == 1_795_197_600


def test_what_is_no_time_is_none() -> None:
    """And no error."""
    assert seconds_of("-") is None


# The mix


def seen(target: str, method: str = "GET", status: int | None = 200) -> SeenRequest:
    """A request that was seen."""
    return SeenRequest(method=method, target=target, status=status)


@pytest.mark.parametrize(
    "things",
    [
        ("7", "8"),
        ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "3f2504e0-4f89-11d3-9a0c-0305e82c3302"),
        ("507f1f77bcf86cd799439011", "507f1f77bcf86cd799439012"),
        tuple(f"word{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
    ],
)
def test_parts_of_a_path_that_name_one_thing_become_a_column(things: tuple[str, ...]) -> None:
    """By their look, or because there are too many to be routes."""
    mix = mixed((seen(f"/items/{thing}/reviews"), 1) for thing in things)
    assert [draft.path for draft in mix.drafts] == ["/items/{{item_id}}/reviews"]
    assert {row["item_id"] for row in mix.feed} <= {*things}


def test_few_words_are_routes() -> None:
    """Each is a request of its own."""
    mix = mixed((seen(f"/v1/{word}"), 1) for word in ("orders", "search", "login"))
    assert len(mix.drafts) == 3 < MOST_BRANCHES


def test_addresses_of_people_stay_in_the_log() -> None:
    """In paths and parameters."""
    mix = mixed([(seen("/users/ada@example.com"), 1), (seen("/find?by=ada@example.com"), 1)])
    assert "ada" not in str(mix)


def test_the_most_frequent_requests_are_kept_and_the_others_named() -> None:
    """With how often each was seen."""
    mix = mixed((seen(f"/route-{chr(97 + number // 26)}{chr(97 + number % 26)}"), 100 - number) for number in range(60))
    assert len(mix.drafts) == MOST_REQUESTS
    assert mix.left_out[0].label == "GET /route-by (50 times)"


def test_values_that_were_answered_with_failures_are_not_taken() -> None:
    """They would fail again, on every version."""
    mix = mixed([(seen("/orders/1"), 5), (seen("/orders/2", status=404), 1)])
    assert [draft.path for draft in mix.drafts] == ["/orders/1"]
    assert mix.drafts[0].weight == 6
