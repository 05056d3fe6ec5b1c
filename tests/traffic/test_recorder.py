"""The recorder: every request is in exactly one row, and rows add up."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from harness.core.experiment.pacing import ArrivalPlan
from harness.core.experiment.rates import legs
from harness.core.timeline.events import Arrivals, Event, Exemplar, Requests, encode
from harness.core.timeline.histogram import merge, quantile_s
from harness.traffic.fired import Features, Reply
from harness.traffic.recorder import (
    EXEMPLARS_PER_RUN,
    EXEMPLARS_PER_SECOND,
    MOST_NAMES,
    MOST_VERSIONS,
    Recorder,
    unstarted,
)
from harness.traffic.steering import Timebase

GOOD = Features("good", "beta", "fakeUser")
FAULT = Features("fault", "error", "fakeUser")
FINE = Reply(200, "1")
BROKEN = Reply(502, "2", "HTTP 502")

features = st.builds(Features, st.sampled_from(["good", "fault"]), st.sampled_from("ab"), st.sampled_from("xy"))
replies = st.sampled_from([FINE, BROKEN, Reply(0, None, "no connection")])


@pytest.fixture
def sink() -> list[Event]:
    """What a recorder passed on."""
    return []


@pytest.fixture
def recorder(sink: list[Event]) -> Recorder:
    """A recorder of a run that began now."""
    return Recorder(Timebase(began_wall_s=1000.0, speed=60.0), sink.extend, worker="w1")


def requests(events: list[Event]) -> list[Requests]:
    """The request rows among events."""
    return [event for event in events if isinstance(event, Requests)]


def test_equal_requests_of_one_second_are_one_row(recorder: Recorder, sink: list[Event]) -> None:
    """Requests that share everything are counted together, at the start of their second."""
    for due_s in (7.0, 7.5, 7.999):
        recorder.answered(GOOD, FINE, due_s, 0.02, 0.01)
    recorder.flush()
    (row,) = requests(sink)
    assert (row.at_s, row.count, row.worker) == (7.0, 3, "w1")
    assert (row.intent, row.persona, row.endpoint) == ("good", "beta", "fakeUser")
    assert (row.version, row.status, row.outcome) == ("1", 200, "ok")


def test_a_service_that_makes_up_versions_gets_a_bounded_number_of_short_ones(
    recorder: Recorder, sink: list[Event]
) -> None:
    """Rows and their texts do not grow with what answers say; what is not told apart is counted as that."""
    for number in range(5000):
        recorder.answered(GOOD, Reply(500, f"{number}." * 10_000, "HTTP 500"), 1.0, 0.02, 0.01)
    recorder.flush()
    assert len(requests(sink)) == MOST_VERSIONS + 1
    assert sum(row.count for row in requests(sink)) == 5000
    assert sum(len(encode(event)) for event in sink) < 100_000
    assert recorder.folded == {"version": 5000 - MOST_VERSIONS}


def test_names_and_personas_of_other_users_are_told_apart_up_to_a_bound(recorder: Recorder, sink: list[Event]) -> None:
    """A locustfile that gives each request a name of its own gets rows that can still be read."""
    for number in range(MOST_NAMES + 500):
        recorder.on_request(name=f"/item/{number}", response_time=1, context={"persona": f"user {number}"})
    recorder.flush()
    assert len({row.endpoint for row in requests(sink)}) == len({row.persona for row in requests(sink)}) <= 1001
    assert recorder.folded == {"name": 500, "persona": 500}


def test_every_feature_has_a_row_of_its_own(recorder: Recorder, sink: list[Event]) -> None:
    """Intent, persona, endpoint, version, status and outcome are told apart."""
    for due_s, told, reply in ((1.0, GOOD, FINE), (1.0, FAULT, FINE), (1.0, GOOD, BROKEN), (2.0, GOOD, FINE)):
        recorder.answered(told, reply, due_s, 0.02, 0.01)
    recorder.flush()
    assert len(requests(sink)) == 4


@given(counted=st.lists(st.tuples(features, replies, st.floats(0, 20), st.floats(0, 9)), max_size=60))
def test_rows_add_up_to_all_requests(counted: list[tuple[Features, Reply, float, float]]) -> None:
    """However the requests are mixed and whenever rows are flushed, none is lost and none is counted twice."""
    sink: list[Event] = []
    recorder = Recorder(Timebase(0.0), sink.extend)
    for number, (told, reply, due_s, latency_s) in enumerate(counted):
        recorder.answered(told, reply, due_s, latency_s, latency_s)
        if number % 7 == 0:
            recorder.flush(due_s)
    recorder.flush()
    rows = Counter[Any]()
    for row in requests(sink):
        rows[row.intent, row.persona, row.endpoint, row.status, int(row.at_s)] += row.count
        assert sum(row.latency.values()) == sum(row.service_time.values()) == row.count
    assert rows == Counter((*astuple(told), reply.status, int(due_s)) for told, reply, due_s, _ in counted)


@given(latencies=st.lists(st.floats(1e-4, 60), min_size=1, max_size=100))
def test_latency_is_true_to_one_percent(latencies: list[float]) -> None:
    """The median of the rows is within one percent of the median of the requests."""
    sink: list[Event] = []
    recorder = Recorder(Timebase(0.0), sink.extend)
    for latency_s in latencies:
        recorder.answered(GOOD, FINE, 1.0, latency_s, latency_s / 2)
    recorder.flush()
    truth = sorted(latencies)[max(0, -(-len(latencies) // 2) - 1)]
    assert quantile_s(merge(row.latency for row in requests(sink)), 0.5) == pytest.approx(truth, rel=0.01, abs=2e-6)


def test_only_seconds_gone_by_are_passed_on(recorder: Recorder, sink: list[Event]) -> None:
    """A second that lasts may still get requests."""
    recorder.answered(GOOD, FINE, 1.5, 0.02, 0.01)
    recorder.answered(GOOD, FINE, 2.5, 0.02, 0.01)
    recorder.flush(before_s=2.9)
    assert [row.at_s for row in requests(sink)] == [1.0]


def test_a_late_answer_makes_another_row_of_its_due_second(recorder: Recorder, sink: list[Event]) -> None:
    """An answer long after its due time is not lost because its second was passed on."""
    for _ in range(2):
        recorder.answered(GOOD, FINE, 1.5, 0.02, 0.01)
        recorder.flush()
    assert [(row.at_s, row.count) for row in requests(sink)] == [(1.0, 1), (1.0, 1)]


def test_nothing_is_passed_on_twice(recorder: Recorder, sink: list[Event]) -> None:
    """After a flush there is nothing left."""
    recorder.answered(GOOD, BROKEN, 1.5, 0.02, 0.01)
    recorder.started(1.5, 0.001)
    recorder.flush()
    passed_on = len(sink)
    recorder.flush()
    assert len(sink) == passed_on == 3


def test_the_schedule_is_recorded(recorder: Recorder, sink: list[Event]) -> None:
    """Planned starts are those that took place, with their lag, and those that did not."""
    recorder.started(3.1, 0.004)
    recorder.started(3.2, 0.0)
    recorder.unstarted(3.3)
    recorder.flush()
    (row,) = sink
    assert isinstance(row, Arrivals)
    assert (row.at_s, row.planned, row.started, row.unstarted, sum(row.lag.values())) == (3.0, 3, 2, 1, 2)


def test_a_flush_pauses_between_rows_and_loses_nothing_meanwhile(recorder: Recorder, sink: list[Event]) -> None:
    """What is answered while it pauses is in a row of the next flush."""
    for second in range(5):
        recorder.answered(GOOD, FINE, float(second), 0.02, 0.01)
    recorder.flush(pause=lambda: recorder.answered(GOOD, FINE, 9.0, 0.02, 0.01))
    recorder.flush()
    assert sum(row.count for row in requests(sink)) == 10


def test_exemplars_are_bounded(recorder: Recorder, sink: list[Event]) -> None:
    """A few failures a second and some hundred in a run are kept as they were, however many there are."""
    for second in range(100):
        for _ in range(50):
            recorder.answered(FAULT, BROKEN, float(second), 0.02, 0.01)
    recorder.flush()
    exemplars = [event for event in sink if isinstance(event, Exemplar)]
    assert len(exemplars) == EXEMPLARS_PER_RUN
    assert max(Counter(int(exemplar.at_s) for exemplar in exemplars).values()) == EXEMPLARS_PER_SECOND
    assert (exemplars[0].reason, exemplars[0].status, exemplars[0].version) == ("HTTP 502", 502, "2")


def test_requests_of_other_users_are_recorded(recorder: Recorder, sink: list[Event]) -> None:
    """Locust's event says name, duration and response; the second is that of the start, in experiment time."""
    response = SimpleNamespace(status_code=200, headers={"X-Lambda-Version": "3"})
    recorder.on_request(name="/a", response_time=20.0, response=response, start_time=1000.5, request_type="GET")
    recorder.flush()
    (row,) = requests(sink)
    assert (row.at_s, row.intent, row.persona, row.endpoint) == (30.0, "good", "anyone", "/a")
    assert (row.version, row.status, row.outcome) == ("3", 200, "ok")


def test_other_users_may_say_what_a_request_is(recorder: Recorder, sink: list[Event]) -> None:
    """Its context carries intent and persona."""
    told = {"intent": "fault", "persona": "beta"}
    error = ConnectionRefusedError("refused")
    recorder.on_request(name="/a", response_time=1.0, context=told, exception=error, start_time=1000.0)
    recorder.flush()
    (row,) = requests(sink)
    assert (row.intent, row.persona, row.status, row.outcome) == ("fault", "beta", 0, "failed")


def test_a_closed_loop_plans_what_it_starts(recorder: Recorder, sink: list[Event]) -> None:
    """A request of another user is one planned and one started."""
    recorder.on_request(name="/a", response_time=None, start_time=1000.0)
    recorder.flush()
    assert [(row.planned, row.started) for row in sink if isinstance(row, Arrivals)] == [(1, 1)]


def test_what_a_lost_worker_did_not_start_is_counted_by_the_second() -> None:
    """Its share of the plan between two instants, no request of it twice."""
    plan = ArrivalPlan().changed(0.0, legs(10.0))
    rows = unstarted(plan, 0.5, 2.5, 5.0, "lost")
    assert [(row.at_s, row.planned, row.unstarted, row.started) for row in rows] == [
        (2.0, 3, 3, 0),
        (3.0, 5, 5, 0),
        (4.0, 5, 5, 0),
    ]


def test_a_worker_that_was_taken_over_at_once_missed_nothing() -> None:
    """Then there is no row."""
    assert unstarted(ArrivalPlan().changed(0.0, legs(10.0)), 0.5, 5.0, 4.0, "lost") == []
