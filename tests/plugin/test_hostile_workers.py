"""Whoever speaks Locust's protocol to a master: it takes traffic and state from workers, and nothing else."""

import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgpack
import psutil
import pytest
import zmq

with pytest.MonkeyPatch.context() as environment_variables:
    environment_variables.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")  # other tests need sockets as they are
    from locust.stats import StatsEntryDict

    from harness.plugin.locust_messages import KINDS
    from harness.plugin.worker_messages import Failure, NotAWorkers, Pacing, Rows, read, rows_of

from harness.core.timeline.events import (
    AliasSeen,
    Arrivals,
    Event,
    Exemplar,
    FaultEnded,
    Note,
    Requests,
    RunEnded,
    Totals,
    Trouble,
    Write,
    encode,
)
from tests.plugin.test_runs import CANARY, Play, Service, of, own_port, play, service

__all__ = ["play", "service"]

REQUESTS = Requests(
    at_s=1.0,
    intent="good",
    persona="beta",
    endpoint="search",
    version="1",
    outcome="ok",
    status=200,
    count=2,
    latency={7: 2},
    service_time={7: 2},
    worker="w",
)
ARRIVALS = Arrivals(at_s=1.0, planned=3, started=2, unstarted=1, lag={0: 2}, worker="w")
EXEMPLAR = Exemplar(
    at_s=1.0, intent="good", persona="x", endpoint="y", version=None, status=0, reason="closed", latency_s=0.1
)
OWN: Sequence[Event] = (REQUESTS, ARRIVALS, EXEMPLAR, Totals(at_s=2.0, counted=2, recorded=2, worker="w"))
NO_WORKERS: Sequence[Event] = (
    Write(at_s=1.0, call="SetAlarmState", subject="a", step="undone"),
    AliasSeen(at_s=1.0, asked_s=0.9, function="f", alias="Live", version="2"),
    RunEnded(at_s=1.0, why="settled"),
    FaultEnded(at_s=1.0, fault="f"),
    Note(at_s=1.0, text="all is well", by="the boss"),
)


def rows(*events: Event, worker: str = "w") -> list[Event]:
    """What a master takes of these at the second 10."""
    return rows_of(Rows(b"".join(map(encode, events)), False), worker, 10.0, 300.0)


def test_what_a_worker_records_is_taken_under_its_own_name() -> None:
    """Whatever name its rows give."""
    assert rows(*OWN) == [*OWN]
    assert {row.worker for row in rows(*OWN, worker="v") if not isinstance(row, Exemplar)} == {"v"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("event", NO_WORKERS, ids=lambda event: type(event).__name__)
def test_an_event_of_another_type_is_refused(event: Event) -> None:
    """A worker neither writes nor looks, and never says how a run ended."""
    with pytest.raises(NotAWorkers, match=type(event).__name__):
        rows(*OWN, event)


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 0},
        {"count": -5},
        {"count": 10**12},
        {"status": 20_000},
        {"at_s": 1e12},
        {"at_s": -1e12},
        {"persona": "x" * 1000},
        {"latency": {7: 900}},
        {"latency": {1 << 40: 2}},
        {"service_time": {-7: 2}},
        {"rows": (1, 2, 3)},
        {"rows": (-1,)},
    ],
    ids=str,
)
def test_requests_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    """Counts, times and texts have the bounds that a worker's have."""
    with pytest.raises(NotAWorkers):
        rows(Requests(**{**{name: getattr(REQUESTS, name) for name in REQUESTS.__struct_fields__}, **changes}))


@pytest.mark.parametrize("changes", [{"planned": 9}, {"started": -2, "planned": -1}, {"lag": {0: 9}}], ids=str)
def test_arrivals_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    """What was planned was started or was not."""
    with pytest.raises(NotAWorkers):
        rows(Arrivals(**{**{name: getattr(ARRIVALS, name) for name in ARRIVALS.__struct_fields__}, **changes}))


@pytest.mark.parametrize(
    ("kind", "data"),
    [(Pacing, None), (Pacing, {}), (Pacing, {"pacing": "yes"}), (Rows, {"lines": 7, "last": 1}), (Failure, [1])],
)
def test_a_message_of_another_shape_is_refused(kind: Any, data: Any) -> None:
    """A master reads nothing that it does not know."""
    with pytest.raises(NotAWorkers):
        read(data, kind)


TOTAL = dict.fromkeys(StatsEntryDict.__annotations__, 0) | {
    "name": "Aggregated",
    "method": "",
    "response_times": {},
    "num_reqs_per_sec": {},
    "num_fail_per_sec": {},
}
STATS: dict[str, Any] = {"stats": [], "stats_total": TOTAL, "errors": {}, "user_classes_count": {}, "user_count": 0}
"""What Locust sends of a worker that sent nothing."""


@pytest.mark.parametrize(
    "changes",
    [
        {"stats": 7},
        {"errors": {"a": 7}},
        {"user_count": -1},
        {"user_classes_count": {"Customer": "many"}},
        *({"stats_total": TOTAL | changed} for changed in (
            {"name": []},
            {"num_requests": 10**30},
            {"total_response_time": float("inf")},
            {"total_response_time": float("nan")},
            {"response_times": {"soon": 1}},
            {"num_reqs_per_sec": {1: None}},
        )),
    ],
    ids=str,
)  # fmt: skip
def test_statistics_that_locust_could_not_add_up_are_left_out(changes: dict[str, Any]) -> None:
    """Before Locust hears of them: it would stop in the middle, with a traceback."""
    assert read(STATS, KINDS["stats"])
    with pytest.raises(NotAWorkers):
        read(STATS | changes, KINDS["stats"])


def messages(me: str, somebody: str) -> list[bytes]:
    """What a hostile peer sends; `somebody` is a worker that is there."""
    lines = b"".join(map(encode, NO_WORKERS))
    told = [
        ("canary-rows", {"lines": lines, "last": True}, me),
        ("client_ready", -1, me),
        ("canary-rows", {"lines": lines, "last": False}, me),
        ("canary-rows", {"lines": b"\xff{[", "last": True}, me),
        ("canary-rows", {"lines": lines, "last": True}, somebody),
        ("canary-rows", None, me),
        ("canary-pacing", {"pacing": False}, somebody),
        ("canary-failure", {"reason": 7}, me),
        ("canary-failure", {"reason": "it is over"}, somebody),
        ("quit", None, somebody),
        ("client_stopped", None, somebody),
        ("heartbeat", None, me),
        ("spawning_complete", None, me),
        ("stats", {"errors": 7}, me),
        ("stats", STATS, me),
        ("heartbeat", {"state": "running", "current_cpu_usage": "much"}, me),
        (["x"], {}, {}),
        ("logs", 7, me),
        ("exception", None, me),
    ]
    return [b"", b"\xc1", msgpack.dumps([1]), msgpack.dumps("x" * 9), *map(msgpack.dumps, told)]


@pytest.mark.slow
def test_a_hostile_worker_changes_nothing_but_that_it_is_told(
    play: Callable[..., Play],
    service: Service,
) -> None:
    """None of its events is in the timeline, the workers go on, and the log says what was left out."""
    words = ["--canary-arrival-rate", "50", "--processes", "2", *(port := own_port())]
    users = ["--users", "6", "--spawn-rate", "6"]  # Locust gives the third worker some, and leaves none without
    run = play("-f", CANARY, "--host", service.url, *words, *users)
    run.wait_for(lambda events: len({row.worker for row in of(Requests, events)}) == 2)
    (worker, _) = {row.worker for row in of(Requests, run.events())}
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.setsockopt(zmq.IDENTITY, b"hostile")
        peer.setsockopt(zmq.LINGER, 0)
        peer.connect(f"tcp://127.0.0.1:{port[-1]}")
        for message in messages("hostile", worker):
            peer.send(message)
            time.sleep(0.02)
        peer.send(msgpack.dumps(("quit", None, "hostile")))
        told_s = max(row.at_s for row in of(Requests, run.events()))
        run.wait_for(lambda events: any(row.worker == worker and row.at_s > told_s + 1 for row in of(Requests, events)))
        run.process.terminate()
        assert run.end() == 143
    events = run.events()
    assert not [event for event in events if isinstance(event, (Write, AliasSeen, FaultEnded, Note))]
    assert sum(row.count for row in of(Requests, events)) == service.seen.total()
    assert "Traceback" not in run.log.read_text()
    assert any("hostile sent what no worker sends" in trouble.message for trouble in of(Trouble, events))
    assert [(ended.why, ended.detail) for ended in of(RunEnded, events)] == [("stopped", "SIGTERM came")]


@pytest.mark.slow
def test_the_workers_of_processes_are_met_on_loopback_alone(
    play: Callable[..., Play],
    service: Service,
) -> None:
    """No other machine can say that it is one of them."""
    words = ["--canary-arrival-rate", "10", "--processes", "1", "--master-bind-host", "*"]
    run = play("-f", CANARY, "--host", service.url, *words)
    run.wait_for(lambda events: bool(of(Requests, events)))
    listening = [one.laddr for one in psutil.Process(run.process.pid).net_connections() if one.status == "LISTEN"]
    assert {address.ip for address in listening} == {"127.0.0.1"}
    run.process.terminate()
    assert run.end() == 143


@pytest.mark.slow
def test_the_clock_of_a_worker_is_corrected_and_the_difference_told(
    play: Callable[..., Play], service: Service, tmp_path: Path
) -> None:
    """A worker half a day behind its master sends what is due now, and its rows lie where the master's time is."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, time\nsystem = time.time\n"
        "if '--worker' in sys.orig_argv:\n    time.time = lambda: system() - 43_200\n"
    )
    port, variables = own_port(), {"PYTHONPATH": str(tmp_path)}
    play("--worker", "-f", CANARY, *port, **variables)
    words = ["-f", CANARY, "--host", service.url, "--master", "--expect-workers", "1", *port]
    run = play(*words, "--canary-arrival-rate", "50", "--run-time", "60", **variables)
    run.wait_for(lambda events: bool(of(Requests, events)))
    run.process.terminate()
    assert run.end() == 143
    rows = of(Requests, run.events())
    assert sum(row.count for row in rows) == service.seen.total() > 0
    assert all(0 <= row.at_s < 60 for row in rows)
    (told,) = (event.message for event in of(Trouble, run.events()))
    assert re.search(r"clock of worker \S+ is 43[12]\d\d s behind this machine's, and was corrected", told)


@pytest.mark.soak
def test_what_a_stopped_worker_did_not_start_is_counted_once(play: Callable[..., Play], service: Service) -> None:
    """The master counts it while the worker is lost, and the worker itself when it comes back."""
    words = ["--canary-arrival-rate", "100", "--canary-max-arrival-rate", "125", "--run-time", "14", "--processes", "2"]
    run = play("-f", CANARY, "--host", service.url, *words)
    run.wait_for(lambda events: len({row.worker for row in of(Requests, events)}) == 2)
    stopped = psutil.Process(run.process.pid).children()[0]
    stopped.suspend()
    run.wait_for(lambda events: bool(of(Trouble, events)))
    stopped.resume()
    run.end()
    seconds = Counter[float]()
    for row in of(Arrivals, run.events()):
        seconds[row.at_s] += row.planned
    whole = sorted(seconds)[1:-1]  # the first and the last second are parts of one
    assert 0.9 < sum(seconds[at_s] for at_s in whole) / (100 * len(whole)) < 1.05
    assert max(seconds.values()) <= 125
