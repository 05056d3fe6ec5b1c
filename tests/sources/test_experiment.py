"""Drafts become the text of an experiment that our own parser takes for the same requests."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.experiment.parse import parse, rehearsable
from harness.errors import UsageError
from harness.sources.drafts import Described, Draft, LeftOut, sendable
from harness.sources.experiment import Choices, written

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
SCALARS = st.one_of(
    TEXTS, st.integers(-(10**9), 10**9), st.booleans(), st.floats(allow_nan=False, allow_infinity=False)
)
JSON = st.recursive(
    SCALARS | st.none(), lambda one: st.lists(one, max_size=3) | st.dictionaries(TEXTS, one, max_size=3)
)
DRAFTS = st.builds(
    Draft,
    label=TEXTS,
    method=st.just("get"),
    key=TEXTS,
    path=TEXTS.map(lambda text: f"/{text}"),
    headers=st.dictionaries(TEXTS, SCALARS, max_size=2),
    query=st.dictionaries(TEXTS, SCALARS, max_size=2),
    json=JSON,
    notes=st.lists(TEXTS, max_size=2).map(tuple),
)


def draft(method: Any = "get", **more: Any) -> Draft:
    """A draft of a request."""
    return Draft(label="x", key="x", method=method, path="/x", **more)


def described(*drafts: Draft, **more: Any) -> Described:
    """A source of some drafts."""
    return sendable(Described(title="Shop", drafts=drafts, **more))


@settings(deadline=None, max_examples=50)
@given(drafts=st.lists(DRAFTS, min_size=1, max_size=4), title=TEXTS, why=TEXTS, host=st.none() | TEXTS)
def test_what_is_written_is_read_as_the_same_requests(drafts: list[Draft], title: str, why: str, host: Any) -> None:
    """Whatever stands in names, values and reasons; what cannot be sent is left out."""
    more = {"left_out": (LeftOut(why, why),), "unknown": (why,), "host": host}
    source = sendable(Described(title=title, drafts=(*drafts, draft()), **more))
    made = written(source, Choices(source=f"file {why}"))
    read = parse(made.text, source="it").traffic.requests
    assert [*read] == [one.key for one in source.drafts]
    for one in source.drafts:
        request = read[one.key]
        assert (request.path, request.headers, request.query) == (one.path, one.headers, one.query)
        assert request.json == one.json
    assert len(source.drafts) + len(source.left_out) == len(drafts) + 2


@pytest.mark.parametrize("word", ["1e5", "6e5f82", "yes", "2026-01-31", "0x1f", "~", "12:30", "1_000", "=", "<<"])
def test_a_text_stays_a_text(word: str) -> None:
    """Even one that YAML has other ideas about."""
    made = written(described(draft(query={"q": word}, json={"q": word})), Choices(source="x"))
    assert made.experiment.traffic.requests["x"].query == {"q": word}
    assert made.experiment.traffic.requests["x"].json == {"q": word}


def test_requests_that_may_change_something_have_weight_0_and_a_comment() -> None:
    """And their own weight where they are asked for."""
    source = described(draft(weight=3), draft("delete", weight=2))
    made = written(source, Choices(source="x"))
    assert made.experiment.traffic.requests["x-2"].weight == 0
    assert "# It may change something, so it is not sent; its weight would be 2." in made.text
    assert any("1 request, which may change something" in sentence for sentence in made.unknown)
    meant = written(source, Choices(source="x", include_writes=True))
    assert meant.experiment.traffic.requests["x-2"].weight == 2


def test_a_source_of_nothing_but_changes_is_refused() -> None:
    """Unless they are meant."""
    with pytest.raises(UsageError, match="--include-writes"):
        written(described(draft("post")), Choices(source="api.yaml"))
    assert written(described(draft("post")), Choices(source="api.yaml", include_writes=True))


def test_the_rate_is_that_of_the_requests_that_are_sent() -> None:
    """A log's writes are in its rate, and not in the experiment's."""
    source = described(draft(weight=3), draft("post", weight=1), arrival_rate=40.0)
    assert written(source, Choices(source="x")).experiment.traffic.arrival_rate == 30
    assert written(source, Choices(source="x", include_writes=True)).experiment.traffic.arrival_rate == 40


def test_an_experiment_with_a_service_on_this_machine_can_be_rehearsed() -> None:
    """One for a host can be run."""
    source = described(draft(), host="https://api.example.com")
    rehearsable(written(source, Choices(source="x", baseline="http://127.0.0.1:3000", stack="shop")).experiment)
    run = written(source, Choices(source="x", stack="shop")).experiment
    assert (run.target.host, run.deployment.stack) == ("https://api.example.com", "shop")


def test_a_handler_is_told_from_a_url() -> None:
    """Both may stand for a version."""
    made = written(described(draft()), Choices(source="x", baseline="shop.app:handler", canary="http://127.0.0.1:1"))
    assert (made.experiment.baseline.handler, made.experiment.canary.url) == ("shop.app:handler", "http://127.0.0.1:1")


def test_what_is_left_out_stands_at_the_end() -> None:
    """With its reason, on lines of comments alone."""
    made = written(described(draft(), left_out=(LeftOut("POST /y\n", "it is\nbinary"),)), Choices(source="x"))
    assert made.text.endswith("\n# Left out:\n# - POST /y : it is binary\n")
