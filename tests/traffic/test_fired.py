"""Events of requests that anybody may fire: whatever their values are, a row comes of each that can be read again."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.experiment.requests import FaultWhen
from harness.core.timeline.events import Event, Requests, decode, encode
from harness.traffic.fired import MOST_CHARACTERS, Fired, bounded, fired
from harness.traffic.recorder import Recorder
from harness.traffic.steering import Timebase

NOW_S = 1_800_000_000.0


class Nasty:
    """An object of somebody's client, with bugs."""

    @property
    def headers(self) -> Any:
        """Fails."""
        raise RuntimeError("closed")

    def __str__(self) -> str:
        raise ValueError("no words")


odd_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.just("x" * 10_000),
    st.just("\ud800"),
    st.builds(Nasty),
    st.just(b"bytes"),
    st.just([1]),
    st.builds(ValueError, st.text(max_size=3)),
    st.dictionaries(st.sampled_from(["intent", "persona", "x"]), st.one_of(st.none(), st.integers(), st.builds(Nasty))),
    st.builds(
        SimpleNamespace,
        status_code=st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=3)),
        headers=st.one_of(st.none(), st.just({"X-Lambda-Version": "9" * 999}), st.just([("a", "b")])),
    ),
)
FIELDS = ("name", "request_type", "response_time", "response_length", "response", "context", "exception", "start_time")


def read(**told: Any) -> Fired:
    """An event that is fine, but for what is told."""
    return fired({"name": "/a", "request_type": "GET", "response_time": 5.0, "context": {}, **told}, NOW_S, NOW_S)


@given(told=st.dictionaries(st.sampled_from(FIELDS), odd_values))
def test_any_event_makes_one_row_that_can_be_read_again(told: Mapping[str, Any]) -> None:
    """Whatever is left out or odd, with texts of bounded length."""
    events: list[Event] = []
    recorder = Recorder(Timebase(began_wall_s=NOW_S, speed=60.0), events.extend)
    recorder.on_request(**told)
    recorder.flush()
    assert [*decode(encode(event) for event in events)] == events
    (row,) = (event for event in events if isinstance(event, Requests))
    assert (row.count, recorder.recorded, sum(row.latency.values())) == (1, 1, 1)
    assert max(map(len, (row.persona, row.endpoint, row.version or ""))) <= MOST_CHARACTERS


@pytest.mark.parametrize(
    "told",
    [
        {"name": None},
        {"name": 7},
        {"name": "x" * 999},
        {"response_time": -1},
        {"response_time": math.nan},
        {"response_time": "fast"},
        {"start_time": 12.5},
        {"start_time": NOW_S * 1000},
        {"context": "fault"},
        {"response": Nasty()},
        {"response": SimpleNamespace(status_code="fine")},
    ],
)
def test_what_no_request_has_is_odd(told: dict[str, Any]) -> None:
    """It is left out, and what it was is shown, in a line."""
    odd = read(**told).odd
    assert odd
    assert any(next(iter(told)) in kind or kind == "status_code" for kind in odd)
    assert all(len(shown) <= MOST_CHARACTERS for shown in odd.values())


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"response_time": None},
        {"context": None},
        {"request_type": None},
        {"exception": "text"},
        {"exception": ValueError("object")},
        {"start_time": NOW_S - 3},
        {"response": SimpleNamespace(status_code=HTTPStatus.OK, headers={})},
        {"response": object()},
        {"context": {"persona": 5}},
    ],
)
def test_what_a_client_may_leave_out_is_not_odd(told: dict[str, Any]) -> None:
    """Clients differ in what they tell."""
    assert not read(**told).odd


def test_no_name_is_the_word_none() -> None:
    """A row needs one."""
    assert read(name=None).features.endpoint == "none"


@pytest.mark.parametrize("response", [None, object(), SimpleNamespace(code=0), SimpleNamespace(status_code=None)])
@pytest.mark.parametrize(("error", "reason"), [(None, None), (ValueError("no"), "no"), ("text", "text")])
def test_without_a_status_the_exception_alone_says_how_it_went(response: Any, error: Any, reason: str | None) -> None:
    """XML-RPC, gRPC, SQL and websockets have none."""
    reply = read(request_type="grpc", response=response, exception=error).reply
    assert (reply.status, reply.http, reply.reason) == (0, False, reason)


@pytest.mark.parametrize(
    "told",
    [
        {"response": SimpleNamespace(status_code=0, headers=None)},
        {"response": None, "request_type": "GET"},
    ],
)
def test_http_without_a_status_got_no_answer(told: dict[str, Any]) -> None:
    """Locust's clients say 0, those of one's own give no response."""
    reply = read(exception=ConnectionRefusedError("refused"), **told).reply
    assert (reply.status, reply.http, reply.reason) == (0, True, "refused")


@pytest.mark.parametrize("status", [403, 502])
def test_a_status_is_recorded_whatever_the_locustfile_thinks_of_it(status: int) -> None:
    """With `response.success()` there is no exception, and the status stays."""
    reply = read(response=SimpleNamespace(status_code=status, headers={"X-Lambda-Version": "2"})).reply
    assert (reply.status, reply.version, reply.reason, reply.http) == (status, "2", None, True)


def test_a_bounded_text_can_be_written() -> None:
    """Half a pair of surrogates cannot."""
    assert bounded("a\ud800b") == "a?b"


SENT = SimpleNamespace(status_code=502, headers={}, request=SimpleNamespace(headers={b"authorization": b"nobody"}))


@pytest.mark.parametrize(
    ("when", "told", "intent"),
    [
        (FaultWhen(header={"Authorization": "nobody"}), {"response": SENT}, "fault"),
        (FaultWhen(header={"Authorization": "nobody"}), {"response": None}, "good"),
        (FaultWhen(header={"Authorization": "nobody"}), {"response": Nasty()}, "good"),
        (FaultWhen(header={"Authorization": "somebody"}), {"response": SENT}, "good"),
        (FaultWhen(name="/a", header={"Authorization": "nobody"}), {"response": SENT}, "fault"),
        (FaultWhen(name="/b", header={"Authorization": "nobody"}), {"response": SENT}, "good"),
        (FaultWhen(name="/a"), {}, "fault"),
        (FaultWhen(name="/b"), {"context": {"intent": "fault"}}, "fault"),
    ],
)
def test_an_experiment_may_tell_which_requests_are_fault_requests(
    when: FaultWhen, told: dict[str, Any], intent: str
) -> None:
    """By a header that was sent, or by their name; the context of a request says it, too."""
    event = {"name": "/a", "request_type": "GET", "response_time": 5.0, **told}
    assert fired(event, NOW_S - 60, NOW_S, when).features.intent == intent
