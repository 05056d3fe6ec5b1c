"""Traffic: every due request is started in time or counted as unstarted, and every start comes to an account."""

import itertools
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import gevent
import pytest
from msgspec.structs import replace

from harness.core.experiment.feed import feed_of_rows
from harness.core.experiment.pacing import NOTHING, ArrivalPlan, WorkerPart
from harness.core.experiment.rates import legs
from harness.core.experiment.requests import Overlay, Request
from harness.core.experiment.types import Traffic
from harness.core.timeline.events import Arrivals, Event, Requests
from harness.traffic import engine
from harness.traffic.client.answer import HttpAnswer
from harness.traffic.client.client import Client
from harness.traffic.client.failures import NoAnswer
from harness.traffic.client.prepared import Prepared
from harness.traffic.engine import LoadEngine
from harness.traffic.kinds import Outgoing, Stock
from harness.traffic.recorder import Recorder
from harness.traffic.sender import MOST_REASONS
from harness.traffic.steering import Steering, Timebase

CUSTOMERS = tuple({"email": f"{number}@x"} for number in range(10))
SHOP: dict[str, Any] = {
    "requests": {
        "search": Request(get="/search", headers={"Authorization": "{{email}}"}, weight=4),
        "order": Request(post="/order", json={"who": "{{email}}"}, weight=1),
    },
    "fault": {"search": Overlay(headers={"Authorization": "nobody"})},
}


class FakeClient:
    """Answers at once, or as a test says; remembers what it sent."""

    prefix = ""
    fields: Mapping[str, str] = {}

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.payloads: list[bytes] = []
        self.answer: Callable[[Prepared], HttpAnswer] = lambda _: HttpAnswer(200, {b"X-Lambda-Version": b"1"}, [], 0)

    def send(self, prepared: Prepared) -> HttpAnswer:
        """Sends."""
        self.sent.append(prepared.name)
        self.payloads.append(prepared.payload)
        return self.answer(prepared)

    def close(self) -> None:
        """Nothing to end."""


class Rig:
    """Traffic on a fake client, and everything that came of it."""

    def __init__(self, **options: Any) -> None:
        self.client = FakeClient()
        self.events: list[Event] = []
        self.fired: list[dict[str, Any]] = []
        self.base = Timebase(time.time(), options.pop("speed", 1.0))
        self.recorder = Recorder(self.base, self.events.extend)
        plan = ArrivalPlan().changed(0.0, legs(options.pop("rate", 1000.0)))
        share, part = options.pop("share", 0.0), options.pop("part", WorkerPart())
        seed = options.pop("seed", 1)
        prepares = options.pop("prepares", {None: 1.0})
        rail = options.pop("rail", None)
        feed = feed_of_rows(options.pop("customers", CUSTOMERS))
        self.steering = Steering(
            timebase=self.base,
            traffic=Traffic(**{**SHOP, **options}),
            seed=seed,
            plan=plan,
            error_share=share,
            feed=feed,
            part=part,
            rail=rail,
        )
        fire = lambda **event: self.fired.append(event)  # noqa: E731 - one line is enough
        stock = Stock(self.steering.traffic, feed, seed, self.client, prepares)  # type: ignore[arg-type]
        self.engine = LoadEngine(self.client, stock, self.steering, self.recorder, fire)  # type: ignore[arg-type]

    def pace(self, seconds: float) -> None:
        """Paces for a while and comes to an end."""
        pacer = gevent.spawn(self.engine.pace)
        gevent.sleep(seconds)
        self.end()
        pacer.join()

    def end(self, within_s: float = 0.5) -> None:
        """Drains and flushes."""
        self.engine.drain(within_s)
        self.recorder.flush()

    def rows(self) -> list[Requests]:
        """The recorded requests."""
        return [event for event in self.events if isinstance(event, Requests)]

    def schedule(self) -> Counter[str]:
        """Planned, started and unstarted starts."""
        counts = Counter[str]()
        for event in self.events:
            if isinstance(event, Arrivals):
                counts.update(planned=event.planned, started=event.started, unstarted=event.unstarted)
        return counts


def test_every_due_request_is_sent_and_recorded() -> None:
    """What was sent, what the schedule says and what was recorded are the same number."""
    rig = Rig(rate=2000.0)
    rig.pace(0.3)
    sent = len(rig.client.sent)
    assert sent > 10
    assert sum(row.count for row in rig.rows()) == len(rig.fired) == sent
    assert rig.schedule() == Counter(planned=sent, started=sent)


def test_the_rate_is_per_second_of_experiment_time() -> None:
    """At speed 60 a rate of 10 sends 600 a second."""
    rig = Rig(rate=10.0, speed=60.0)
    rig.pace(0.2)
    assert len(rig.client.sent) == pytest.approx(120, rel=0.3)


def test_starts_go_on_while_nothing_is_answered() -> None:
    """A service that stalls does not slow the schedule down."""
    rig = Rig(rate=500.0)
    rig.client.answer = lambda _: gevent.sleep(30)
    rig.pace(0.1)
    assert rig.schedule()["started"] > 30


def test_what_has_no_room_is_counted_as_unstarted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound no request is started, and none is dropped silently."""
    monkeypatch.setattr(engine, "MAX_IN_FLIGHT", 5)
    rig = Rig(rate=500.0)
    rig.client.answer = lambda _: gevent.sleep(30)
    rig.pace(0.1)
    schedule = rig.schedule()
    assert schedule["started"] == 5
    assert schedule["unstarted"] > 20
    assert schedule["planned"] == schedule["started"] + schedule["unstarted"]


def test_the_even_share_is_exact_over_what_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that had no room takes no fault with it."""
    monkeypatch.setattr(engine, "MAX_IN_FLIGHT", 2)
    rig = Rig(rate=1000.0, share=0.3)

    def slow(_: Prepared) -> HttpAnswer:
        gevent.sleep(0.005)
        return HttpAnswer(200, {}, [], 0)

    rig.client.answer = slow
    rig.pace(0.2)
    assert rig.schedule()["unstarted"] > 20
    faults = 0
    for count, name in enumerate(rig.client.sent, 1):
        faults += name.endswith("[fault]")
        assert abs(faults - 0.3 * count) < 1


def test_several_kinds_of_users_share_the_requests_by_weight() -> None:
    """Good ones and faults alike."""

    def other(_: Client, request: Outgoing) -> Prepared:
        return Prepared(request.method, request.name, b"other")

    sent = sent_with_bytes(prepares={None: 1.0, other: 3.0}, share=0.5)
    for label in ("search", "search [fault]"):
        others = [payload == b"other" for name, payload in sent if name == label]
        assert sum(others) / len(others) == pytest.approx(0.75, abs=0.1)


def test_python_code_gets_each_request_whole_and_may_change_it() -> None:
    """To sign it, for one."""
    seen: list[Outgoing] = []

    def signing(_: Client, request: Outgoing) -> Prepared:
        seen.append(request)
        return Prepared(request.method, request.name, b"signed")

    assert {payload for _, payload in sent_with_bytes(prepares={signing: 1.0})} == {b"signed"}
    order = next(request for request in seen if request.name == "order")
    who = order.row["email"]
    assert (order.method, order.path, order.body) == ("POST", "/order", f'{{"who":"{who}"}}'.encode())


def test_traffic_that_is_relieved_starts_what_was_due_by_then_and_no_more() -> None:
    """Whoever hands over paces on until the others have taken over."""
    rig = Rig(rate=500.0)
    pacer = gevent.spawn(rig.engine.pace)
    gevent.sleep(0.02)
    since_s = rig.base.now_s() + 0.1
    rig.engine.steer(replace(rig.steering, part=NOTHING, since_s=since_s))
    assert rig.engine.paces_on
    while rig.engine.paces_on:
        gevent.sleep(0.01)
    rig.end()
    pacer.join()
    assert len(rig.client.sent) == round(500 * since_s)


def test_what_is_not_answered_at_the_end_counts_as_failed() -> None:
    """Requests under way when the run ends are given their time, then given up with a reason."""
    rig = Rig(rate=500.0)
    rig.client.answer = lambda _: gevent.sleep(30)
    rig.pace(0.05)
    assert {(row.outcome, row.status) for row in rig.rows()} == {("failed", 0)}
    assert rig.fired[0]["exception"] == "no answer when the run ended"


def test_what_is_answered_while_draining_counts_as_answered() -> None:
    """A clean stop waits for answers."""
    rig = Rig(rate=500.0)

    def slow(_: Prepared) -> HttpAnswer:
        gevent.sleep(0.1)
        return HttpAnswer(200, {}, [], 0)

    rig.client.answer = slow
    rig.pace(0.05)
    assert {row.outcome for row in rig.rows()} == {"ok"}
    assert sum(row.count for row in rig.rows()) == len(rig.client.sent)


def test_latency_runs_from_the_due_time_and_service_time_from_the_start() -> None:
    """A start that comes late has a latency longer than its service time."""
    rig = Rig(rate=100.0)
    time.sleep(0.1)  # everything due by now starts late
    rig.pace(0.02)
    row = next(row for row in rig.rows() if row.at_s == 0.0)
    assert max(row.latency) > max(row.service_time)


@pytest.mark.parametrize(
    ("answer", "status", "outcome"),
    [
        (HttpAnswer(200, {}, [], 0), 200, "ok"),
        (HttpAnswer(302, {}, [], 0), 302, "ok"),
        (HttpAnswer(403, {}, [], 0), 403, "failed"),
        (HttpAnswer(502, {}, [], 0), 502, "failed"),
    ],
)
def test_an_answer_of_400_or_more_is_a_failure(answer: HttpAnswer, status: int, outcome: str) -> None:
    """To the timeline and to Locust alike."""
    rig = Rig()
    rig.client.answer = lambda _: answer
    rig.engine.send_one()
    rig.end()
    (row,) = rig.rows()
    assert (row.status, row.outcome) == (status, outcome)
    assert (rig.fired[0]["exception"] is None) == (outcome == "ok")


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (NoAnswer("no connection: connection refused"), "no connection: connection refused"),
        (RuntimeError("a bug"), "the client failed: RuntimeError('a bug')"),
    ],
)
def test_a_request_without_an_answer_has_its_reason(problem: Exception, reason: str) -> None:
    """Even a mistake of ours is a failed request, not a lost one."""
    rig = Rig()

    def fail(_: Prepared) -> HttpAnswer:
        raise problem

    rig.client.answer = fail
    rig.engine.send_one()
    rig.end()
    (row,) = rig.rows()
    assert (row.status, row.version, row.outcome) == (0, None, "failed")
    assert rig.fired[0]["exception"] == reason


def test_reasons_that_quote_the_service_are_short_and_few() -> None:
    """Locust keeps every reason that it is told, so a service must not be able to make up any number of them."""
    rig, numbers = Rig(rate=2000.0), itertools.count()

    def refuse(_: Prepared) -> HttpAnswer:
        raise NoAnswer(f"{next(numbers)} " * 1000)

    rig.client.answer = refuse
    rig.pace(0.3)
    reasons = {event["exception"] for event in rig.fired}
    assert len(rig.fired) > MOST_REASONS + 1 >= len(reasons)
    assert max(map(len, reasons)) <= 200


def test_the_version_that_answered_is_recorded() -> None:
    """By its header."""
    rig = Rig()
    rig.engine.send_one()
    rig.end()
    assert rig.rows()[0].version == "1"


def test_fault_requests_are_as_their_fault_has_them_under_a_name_of_their_own() -> None:
    """They are one that can fail, and Locust shows them apart."""
    rig = Rig(share=1.0)
    rig.engine.send_one()
    rig.end()
    (row,) = rig.rows()
    assert (row.intent, row.endpoint) == ("fault", "search")
    assert b"Authorization: nobody" in rig.client.payloads[0]
    assert rig.fired[0]["name"].endswith("[fault]")


def test_a_new_share_holds_from_its_instant_on() -> None:
    """Until then the old one does."""
    rig = Rig()
    now_s = rig.base.now_s()
    later = Steering(
        timebase=rig.base,
        traffic=rig.steering.traffic,
        seed=1,
        since_s=now_s + 0.1,
        error_share=1.0,
        part=WorkerPart(),
    )
    rig.engine.steer(later)
    rig.engine.send_one()
    gevent.sleep(0.11)
    rig.engine.send_one()
    assert [name.endswith("[fault]") for name in rig.client.sent] == [False, True]


@pytest.mark.parametrize(("before", "after"), [(0.0, 1.0), (1.0, 0.0)])
def test_what_was_due_before_a_change_and_started_after_it_is_good(before: float, after: float) -> None:
    """A late request has no share that began since, so no fault comes before its fault; nor one that was taken back."""
    rig = Rig(rate=20.0, share=before, speed=20.0)
    time.sleep(0.25)  # nothing is started meanwhile: five seconds' requests are late
    changed_s = rig.base.now_s()
    rig.engine.steer(replace(rig.steering, error_share=after, since_s=changed_s))
    rig.pace(0.2)
    late = [row for row in rig.rows() if row.at_s + 1 <= changed_s]
    later = [row for row in rig.rows() if row.at_s > changed_s]
    assert sum(row.count for row in late) > 50
    assert {row.intent for row in late} == {"good"}
    assert {row.intent for row in later} == {"fault" if after else "good"}


def sent_in_order(**options: Any) -> list[str]:
    """What two hundred requests of a closed loop are."""
    return [name for name, _ in sent_with_bytes(**options)]


def sent_with_bytes(count: int = 200, **options: Any) -> list[tuple[str, bytes]]:
    """Names and bytes of the requests of a closed loop."""
    rig = Rig(**options)
    for _ in range(count):
        rig.engine.send_one()
    return list(zip(rig.client.sent, rig.client.payloads, strict=True))


def test_a_closed_loop_whose_requests_fail_at_once_lets_others_go_on() -> None:
    """A refused connection takes no time, and the greenlet that met it has not waited for anything."""
    rig = Rig()
    rig.client.answer = lambda _: (_ for _ in ()).throw(NoAnswer("no connection: connection refused"))
    loop = gevent.spawn(rig.engine.send_in_turn, lambda: None)
    gevent.sleep(0.05)
    loop.kill()
    assert rig.client.sent


def test_the_same_seed_sends_the_same_requests() -> None:
    """Request, row and intent are all drawn by seed."""
    assert sent_with_bytes(seed=4, share=0.2) == sent_with_bytes(seed=4, share=0.2)


def test_another_seed_or_part_sends_other_requests() -> None:
    """Workers do not send the same in step."""
    assert sent_with_bytes(seed=4) != sent_with_bytes(seed=5)
    assert sent_with_bytes(seed=4, part=WorkerPart(0, 2)) != sent_with_bytes(seed=4, part=WorkerPart(1, 2))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_mix_and_rows_are_exact_however_many_workers_send(workers: int) -> None:
    """A row is used as often as any other, a request as often as it weighs."""
    sent = [one for index in range(workers) for one in sent_with_bytes(600 // workers, part=WorkerPart(index, workers))]
    names, emails = Counter(name for name, _ in sent), Counter(email_in(payload) for _, payload in sent)
    assert names["search"] == pytest.approx(480, abs=3)
    assert emails == {customer["email"]: 60 for customer in CUSTOMERS}


def email_in(payload: bytes) -> str:
    """Whom a request is for."""
    found = re.search(rb"\d+@x", payload)
    assert found
    return found[0].decode()


def test_open_arrivals_use_each_row_as_often_as_any_other() -> None:
    """The number of an arrival says which."""
    rig = Rig(rate=1000.0)
    rig.pace(0.3)
    counts = Counter(map(email_in, rig.client.payloads))
    assert max(counts.values()) - min(counts.values()) <= 1


def test_rows_of_failed_requests_are_recorded() -> None:
    """Whom a failure hit; equal rows are one customer."""
    rig = Rig(customers=({"email": "1@x"}, {"email": "2@x"}, {"email": "1@x"}))
    bad = HttpAnswer(500, {}, [], 0)
    rig.client.answer = lambda prepared: bad if b"1@x" in prepared.payload else HttpAnswer(200, {}, [], 0)
    for _ in range(30):
        rig.engine.send_one()
    rig.end()
    assert {(row.outcome, row.rows) for row in rig.rows()} == {("ok", ()), ("failed", (1,))}


def test_the_mix_is_as_weighted() -> None:
    """Choices without weight are never sent."""
    requests = {"a": Request(get="/a", weight=3), "b": Request(get="/b", weight=0), "c": Request(get="/c", name="d")}
    assert Counter(sent_in_order(requests=requests, fault={})) == {"a": 150, "d": 50}


def test_a_request_event_tells_what_locust_wants_to_know() -> None:
    """Method, name, duration in milliseconds, response, and a context that marks it as ours."""
    rig = Rig()
    rig.engine.send_one()
    (event,) = rig.fired
    assert (event["request_type"], event["name"], event["exception"]) == ("GET", rig.client.sent[0], None)
    assert 0 <= event["response_time"] < 100
    assert event["context"]["canary"]
    assert event["response"].status == 200


def test_what_was_due_and_never_started_is_counted_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was too slow to start everything says how much it left out."""
    monkeypatch.setattr(engine, "LATE_S", 0.1)
    rig = Rig(rate=1000.0)
    pacer = gevent.spawn(rig.engine.pace)
    gevent.sleep(0.01)
    time.sleep(0.5)  # nothing of this process runs meanwhile
    rig.end()
    pacer.join()
    schedule = rig.schedule()
    assert schedule["unstarted"] >= 300
    assert schedule["planned"] == schedule["started"] + schedule["unstarted"]
    assert schedule["started"] == len(rig.client.sent)


def test_nothing_starts_after_the_end() -> None:
    """A pacer that is called again after a stop returns at once."""
    rig = Rig(rate=1000.0)
    rig.engine.stop()
    rig.engine.pace()
    assert rig.client.sent == []
