"""Whole runs in Locust processes of their own, against a service that counts for itself, or a local cloud."""

import asyncio
import contextlib
import json
import os
import random
import resource
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import boto3
import msgspec
import psutil
import pytest

from harness.aws.deployer import app_spec
from harness.core.experiment.types import Alarm, Experiment, Fault, Rails, Traffic
from harness.core.timeline.events import (
    AliasSeen,
    Arrivals,
    Asked,
    Beside,
    CommandEnded,
    CommandStarted,
    Event,
    ExitAsked,
    FaultEnded,
    FaultStarted,
    GroupSeen,
    RailTripped,
    Requests,
    RunEnded,
    Totals,
    Trouble,
    Write,
)
from harness.core.timeline.histogram import merge, quantile_s
from harness.core.verdict.types import Verdict
from harness.errors import TimelineError
from harness.rehearsal.fixtures import aws_environment
from harness.rehearsal.play import Ready, resolve
from harness.report.folder import RunFolder
from harness.report.judging import read
from tests import pipeline

if TYPE_CHECKING:
    from harness.rehearsal.cloud import Cloud

pytestmark = pytest.mark.slow
IN_SOAK = pytest.mark.soak

ROOT = Path(__file__).parents[2]
CANARY = str(ROOT / "locustfiles" / "canary.py")
WATCH = str(ROOT / "locustfiles" / "watch.py")
FOREIGN = """
from locust import FastHttpUser, HttpUser, constant, task

class Slow(HttpUser):
    wait_time = constant(0.05)

    @task
    def ask(self):
        self.client.get("/slow")

class Fast(FastHttpUser):
    wait_time = constant(0.05)

    @task
    def ask(self):
        self.client.get("/erroruser", context={"intent": "fault", "persona": "beta"})
"""
PYTEST_STYLE = """
def test_slow(session):
    session.get("/slow").raise_for_status()


def test_fast(fastsession):
    with fastsession.get("/erroruser", name="fast", context={"intent": "fault"}, catch_response=True) as response:
        response.failure("mine")
"""
TWO_CLASSES = """
from locust import HttpUser, constant, tag, task

class Reader(HttpUser):
    wait_time = constant(0.05)

    @tag("read")
    @task
    def read(self):
        self.client.get("/read")

    @tag("write")
    @task
    def write(self):
        self.client.get("/write")

class Idler(HttpUser):
    wait_time = constant(0.05)

    @tag("idle")
    @task
    def idle(self):
        self.client.get("/idle")
"""
LISTENER = """
import os
from locust import events

@events.request.add_listener
def hear(name, **_):
    with open(os.environ["HEARD"], "a") as file:
        file.write(name + "\\n")
"""

OWN_CHECK = """
import os, sys
from locust import events

@events.quitting.add_listener
def check(environment, **_):
    environment.process_exit_code = int(os.environ["ASKED"])
    sys.exit(int(os.environ["ASKED"]))
"""

ODD = """
import os
from locust import User, constant, events, task
from locust.exception import RescheduleTask

@events.request.add_listener
def unruly(**_):
    raise RescheduleTask

class Rpc(User):
    wait_time = constant(0.05)

    @task(20)
    def call(self):
        told = {"request_type": "rpc", "name": None, "response_time": 3.2, "response_length": 0}
        events.request.fire(**told, exception=None, context={})

    @task(5)
    def odd(self):
        told = {"request_type": None, "name": "x" * 999, "response_time": -3, "response_length": 0}
        events.request.fire(**told, exception=ValueError("no"), context=None)

    @task(5)
    def untimed(self):
        events.request.fire(request_type="sql", name="select", response_time=None, response_length=None, exception=None)
"""
EXPECTS_502 = """
from pathlib import Path
from locust import FastHttpUser, constant, task

GOOD = {"Authorization": "standarduser@company.com", "X-Client-Version": "1"}
BAD = {**GOOD, "Authorization": "erroruser@company.com"}
ON_TRIAL = Path(__file__).with_name("on-trial")

class Visitor(FastHttpUser):
    weight = 9
    wait_time = constant(0.05)

    @task
    def good(self):
        self.client.get("/fakeUser", headers=GOOD)

class Expecting(FastHttpUser):
    weight = 1
    wait_time = constant(0.05)

    @task
    def bad(self):
        if not ON_TRIAL.exists():
            return
        told = {"intent": "fault", "persona": "error"}
        with self.client.get("/fakeUser", headers=BAD, catch_response=True, context=told) as response:
            if response.status_code == 502:
                response.success()
"""
ANYWHERE = """
import time
import gevent
from locust import User, constant, events, task
from locust.runners import MasterRunner

TOLD = {"request_type": "rpc", "response_time": 3, "response_length": 0, "exception": None}
began = 0.0

@events.test_start.add_listener
def own(environment, **_):
    def fire():
        for _ in range(20):
            events.request.fire(name="master", **TOLD)
            gevent.sleep(0.02)
    if isinstance(environment.runner, MasterRunner):
        gevent.spawn(fire)

class Rpc(User):
    wait_time = constant(0.05)

    @task
    def call(self):
        global began
        began = began or time.time()
        events.request.fire(name="worker", **TOLD)
        if time.time() - began > 1.5:
            self.environment.runner.quit()
"""
COUNTED_ALONE = """
from locust import User, constant, events, task

class Old(User):
    wait_time = constant(0.05)

    @task
    def fire(self):
        events.request.fire(request_type="rpc", name="call", response_time=3, response_length=0, exception=None)

    @task
    def count(self):
        self.environment.stats.log_request("rpc", "call", 3, 0)
"""


class Service:
    """Answers everything and counts it; who is the error user gets 502."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.port = 0
        self.pause_s = 0.0
        self._stalled_until = 0.0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._ready.wait()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def stall(self, seconds: float) -> None:
        """Answers nothing for a while."""
        self._stalled_until = time.monotonic() + seconds

    def close(self) -> None:
        """Stops."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._answer, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0
                )
                body = await reader.readexactly(length)
                fails = b"erroruser" in head + body
                await asyncio.sleep(max(self.pause_s, self._stalled_until - time.monotonic()))
                self.seen["fault" if fails else "good"] += 1
                status = b"502 Bad Gateway" if fails else b"200 OK"
                writer.write(b"HTTP/1.1 %s\r\nX-Lambda-Version: 1\r\nContent-Length: 2\r\n\r\n{}" % status)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def own_port() -> list[str]:
    """A port for master and workers that no other Locust of this machine uses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    return ["--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port]


class Play:
    """A Locust process, and the run folder that it leaves."""

    def __init__(self, folder: Path, words: list[str], variables: Mapping[str, str]) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
        self._reports = folder / "reports"
        self.log = folder / "log"
        command = [sys.executable, "-m", "locust", "--only-summary", "--logfile", str(self.log)]
        self.process = subprocess.Popen(
            [
                *command,
                "--canary-reports",
                str(self._reports),
                *([] if "--web-port" in words else ["--headless"]),
                *(own_port() if "--processes" in words else []),
                *words,
            ],
            env={**inherited, **variables},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    @property
    def folder(self) -> RunFolder:
        """The run folder."""
        return RunFolder.open((self._reports / "latest").resolve())

    def end(self, within_s: float = 60.0) -> int:
        """Waits for its end; the exit code."""
        return self.process.wait(within_s)

    def end_when(self, seen: Callable[[list[Event]], bool]) -> None:
        """Ends it by SIGTERM once the timeline shows something, however long a busy machine takes until then."""
        self.wait_for(seen, within_s=60.0)
        self.process.terminate()
        assert self.end() == 143

    def end_after(self, requests: int) -> None:
        """Ends it so once that many requests are recorded."""
        self.end_when(lambda events: sum(row.count for row in of(Requests, events)) >= requests)

    def events(self) -> list[Event]:
        """The timeline."""
        return self.folder.read_events()

    def requests(self) -> Counter[str]:
        """Requests by intent."""
        return sum(self.requests_by_worker().values(), Counter[str]())

    def requests_by_worker(self) -> dict[str, Counter[str]]:
        """Requests of each worker, by intent."""
        counts = defaultdict[str, Counter[str]](Counter)
        for row in self.events():
            if isinstance(row, Requests):
                counts[row.worker][row.intent] += row.count
        return counts

    def endpoints(self) -> Counter[str]:
        """Requests by what they ask for."""
        counts = Counter[str]()
        for row in of(Requests, self.events()):
            counts[row.endpoint] += row.count
        return counts

    def said(self) -> str:
        """What an ended process wrote to stderr and its log."""
        assert self.process.stderr
        return self.process.stderr.read().decode() + self.log.read_text(encoding="utf-8")

    def verdict(self) -> Verdict:
        """What the run came to."""
        verdict = self.folder.read_verdict()
        assert verdict
        return verdict

    def wait_for(self, seen: Callable[[list[Event]], bool], within_s: float = 30.0) -> None:
        """Waits until the timeline shows something."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            with contextlib.suppress(TimelineError):  # a folder that has been made and not been written to
                if (self._reports / "latest" / "timeline.jsonl").exists() and seen(self.events()):
                    return
            time.sleep(0.05)
        raise AssertionError(f"it was never seen: {self.log.read_text()}")


@pytest.fixture
def service() -> Iterator[Service]:
    """A service that counts."""
    running = Service()
    yield running
    running.close()


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[..., Play]]:
    """Starts Locust processes; none survives the test."""
    started: list[Play] = []

    def start(*words: str, **variables: str) -> Play:
        started.append(Play(tmp_path, [*words], variables))
        return started[-1]

    yield start
    for process in (one.process for one in started):
        if process.poll() is None:
            process.kill()
            process.wait()


def locusts_counts(file: Path) -> dict[str, tuple[int, int]]:
    """Requests and failures by name in Locust's own statistics."""
    entries = msgspec.json.decode(file.read_bytes())
    return {entry["name"]: (entry["num_requests"], entry["num_failures"]) for entry in entries}


def of(kind: type[Any], events: list[Event]) -> list[Any]:
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def cloud_variables(cloud: "Cloud") -> dict[str, str]:
    """What leads a Locust process to a cloud and its clock."""
    ready = cloud.ready
    return {
        "AWS_ENDPOINT_URL": ready["endpoint_url"],
        "AWS_REGION": ready["region"],
        "AWS_DEFAULT_REGION": ready["region"],
        "AWS_ACCESS_KEY_ID": "rehearsal",
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
        "LOCUST_CANARY_CLOCK": f"{ready['epoch']!r}:{ready['speed']!r}",
    }


@pytest.fixture
def rehearse(
    play: Callable[..., Play], canary_cloud_factory: Callable[..., "Cloud"], tmp_path: Path
) -> Callable[[Experiment], tuple[Play, "Cloud"]]:
    """Starts a Locust process that plays an experiment against a cloud of this process."""

    def start(experiment: Experiment) -> tuple[Play, "Cloud"]:
        cloud = canary_cloud_factory(experiment, speed=60.0)
        ready = msgspec.convert(cloud.ready, Ready)
        path = tmp_path / "experiment.yaml"
        path.write_bytes(msgspec.json.encode(resolve(experiment, ready)))
        return play("-f", CANARY, "--canary-experiment", str(path), **cloud_variables(cloud)), cloud

    return start


# Without a cloud


@pytest.mark.parametrize("processes", [[], ["--processes", "2"]], ids=["one process", "two workers"])
def test_totals_equal_the_services_own_count_and_locusts(
    play: Callable[..., Play], service: Service, tmp_path: Path, processes: list[str]
) -> None:
    """Every request is recorded once, by us and by Locust, the share is exact, and no start is missing."""
    words = ["--canary-arrival-rate", "400", "--canary-error-share", "0.1", *processes]
    run = play("-f", CANARY, "--host", service.url, "--json-file", str(tmp_path / "locust"), *words)
    run.end_after(600)
    assert run.requests() == service.seen
    total, fault = service.seen.total(), service.seen["fault"]
    for sent in run.requests_by_worker().values():
        assert abs(sent["fault"] - 0.1 * sent.total()) < 1
    arrivals = of(Arrivals, run.events())
    assert sum(row.planned for row in arrivals) == sum(row.started for row in arrivals) == total
    shown = locusts_counts(tmp_path / "locust.json")
    assert shown.pop("/fakeUser [fault]") == (fault, fault)
    assert sum(requests for requests, _ in shown.values()) == service.seen["good"]
    assert not any(failures for _, failures in shown.values())


PATIENT = """
from locust import runners

runners.HEARTBEAT_LIVENESS = 120
"""
"""A busy machine has no second for each of twenty processes in three, after which Locust gives them up."""


@pytest.mark.soak
def test_twenty_workers_send_exact_shares(play: Callable[..., Play], service: Service, tmp_path: Path) -> None:
    """Of all starts, once all are there, and of fault requests; however late each of them is."""
    (tmp_path / "patient.py").write_text(PATIENT)
    words = ["--canary-arrival-rate", "40", "--canary-error-share", "0.1", "--processes", "20"]
    run = play("-f", f"{CANARY},patient.py", "--host", service.url, *words)
    run.wait_for(lambda events: len(seconds_of_all(events, 20)) >= 8, within_s=240.0)
    run.process.terminate()
    assert run.end(120.0) == 143
    assert run.requests() == service.seen
    shares = sum(seconds_of_all(run.events(), 20)[1:-2], Counter[str]())
    assert set(shares.values()) == {shares.total() // 20}
    unstarted = Counter[str]()
    for row in of(Arrivals, run.events()):
        unstarted[row.worker] += row.unstarted
    for worker, sent in run.requests_by_worker().items():
        assert abs(sent["fault"] - 0.1 * sent.total()) < 1 + unstarted[worker]


def seconds_of_all(events: list[Event], workers: int) -> list[Counter[str]]:
    """What each worker was to start, of the seconds in which so many of them had something to start."""
    planned: dict[float, Counter[str]] = defaultdict(Counter)
    for row in of(Arrivals, events):
        planned[row.at_s][row.worker] += row.planned
    return [counts for _, counts in sorted(planned.items()) if len(counts) == workers]


@pytest.mark.parametrize(
    "processes", [pytest.param([], marks=IN_SOAK), ["--processes", "2"]], ids=["one process", "two workers"]
)
def test_a_replayed_hour_has_the_requests_of_its_source_in_each_minute(
    play: Callable[..., Play], service: Service, tmp_path: Path, processes: list[str]
) -> None:
    """From the first minute on, since the source begins when somebody is there to send it."""
    hour = [90, 0, 0, *random.Random(7).choices(range(60), k=57)]
    (tmp_path / "counts.csv").write_text("".join(f"2026-11-20T18:{n:02},{count}\n" for n, count in enumerate(hour)))
    mine = tmp_path / "mine.yaml"
    mine.write_text("name: mine\ntraffic: {arrival_rate: {from: counts.csv}}\n")
    clock = {"LOCUST_CANARY_CLOCK": f"{time.time()!r}:720", "AWS_REGION": "eu-north-1"}
    run = play("-f", CANARY, "--host", service.url, "--canary-experiment", str(mine), *processes, **clock)

    def minutes(events: list[Event]) -> list[int]:
        arrivals = of(Arrivals, events)
        began_s = min((row.at_s for row in arrivals if row.planned), default=0.0)
        seen = Counter[int]()
        for row in arrivals:
            seen[int(row.at_s - began_s) // 60] += row.started
        return [seen[minute] for minute in range(max(seen, default=0) + 1)]

    run.wait_for(lambda events: len(minutes(events)) > len(hour))
    run.process.send_signal(signal.SIGINT)
    assert run.end() == 130
    assert minutes(run.events())[: len(hour)] == hour
    assert run.requests() == service.seen


def test_a_closed_loop_is_recorded_as_exactly(play: Callable[..., Play], service: Service) -> None:
    """Users that wait for their answers send what they send; the end says that no deployment was watched meanwhile."""
    run = play("-f", CANARY, "--host", service.url, "--canary-users", "5", "--run-time", "3")
    assert run.end() == 4
    assert run.requests() == service.seen
    assert service.seen["good"] >= 5
    (ended,) = of(RunEnded, run.events())
    assert "no deployment was watched" in ended.detail
    assert any("no deployment was watched" in reason for reason in run.verdict().because)


def test_a_locustfile_may_listen_to_each_request(play: Callable[..., Play], service: Service, tmp_path: Path) -> None:
    """A listener of its own hears of every request, and neither we nor Locust count any of them twice."""
    mine = tmp_path / "mine.py"
    mine.write_text(LISTENER)
    words = ["--canary-arrival-rate", "300", "--json-file", str(tmp_path / "locust")]
    run = play("-f", f"{CANARY},{mine}", "--host", service.url, *words, HEARD=str(tmp_path / "heard"))
    run.end_after(200)
    shown = sum(requests for requests, _ in locusts_counts(tmp_path / "locust.json").values())
    heard = len((tmp_path / "heard").read_text().splitlines())
    assert heard == shown == run.requests().total() == service.seen.total()


@pytest.mark.parametrize(
    ("how", "asked", "code"),
    [
        pytest.param("one process", "0", 4, id="one process-a better"),
        pytest.param("two processes", "7", 7, id="two processes-a worse"),
        pytest.param("a master", "0", 4, id="a master-a better"),
        pytest.param("one process", "7", 7, id="one process-a worse", marks=IN_SOAK),
        pytest.param("two processes", "0", 4, id="two processes-a better", marks=IN_SOAK),
        pytest.param("a master", "7", 7, id="a master-a worse", marks=IN_SOAK),
    ],
)
def test_a_check_of_the_locustfile_makes_the_exit_code_worse_and_never_better(
    play: Callable[..., Play], service: Service, tmp_path: Path, how: str, asked: str, code: int
) -> None:
    """Process, GITHUB_OUTPUT, verdict.json and whoever judges later agree, and a line says what was asked for."""
    (tmp_path / "mine.py").write_text(OWN_CHECK, encoding="utf-8")
    variables = {"ASKED": asked, "GITHUB_OUTPUT": str(tmp_path / "output")}
    words = ["-f", f"{CANARY},{tmp_path / 'mine.py'}", "--host", service.url]
    if how == "a master":
        port = own_port()
        play("--worker", *words, *port, **variables)
        words += ["--master", "--expect-workers", "1", *port]
    elif how == "two processes":
        words += ["--processes", "2"]
    run = play(*words, "--canary-arrival-rate", "50", "--run-time", "1", **variables)
    assert run.end() == code
    assert run.verdict().exit_code == code
    assert read(run.folder).verdict == run.verdict()
    assert len(of(ExitAsked, run.events())) == (2 if code == 7 else 0)
    lines = (tmp_path / "output").read_text().splitlines()
    assert [line for line in lines if line.startswith("exit_code=")] == [f"exit_code={code}"]
    assert run.process.stderr
    said = f"exit code {asked} by sys.exit and {asked} by environment.process_exit_code was asked for"
    assert said in run.process.stderr.read().decode()


@pytest.mark.parametrize("processes", [[], ["--processes", "2"]], ids=["one process", "two workers"])
def test_odd_requests_are_recorded_whatever_listeners_do(
    play: Callable[..., Play], tmp_path: Path, processes: list[str]
) -> None:
    """Requests without HTTP, name or time, of which a listener keeps others from hearing, leave one warning."""
    (tmp_path / "mine.py").write_text(ODD, encoding="utf-8")
    words = ["--users", "4", "--spawn-rate", "4", *processes]
    run = play("-f", f"{tmp_path / 'mine.py'},{WATCH}", *words)
    run.end_when(lambda events: {"none", "x" * 200} <= {row.endpoint for row in of(Requests, events)})
    rows = of(Requests, run.events())
    assert not any(row.http for row in rows)
    assert {row.endpoint for row in rows if not row.answered} == {"x" * 200}
    found = {finding.id: finding for finding in run.verdict().findings}
    assert found["requests-odd"].severity == "warning"
    assert not found.keys() & {"requests-not-recorded", "trouble", "unanswered"}
    assert sum(total.recorded for total in of(Totals, run.events())) == run.requests().total()


def test_requests_of_a_master_and_of_workers_that_quit_are_recorded_and_counted(
    play: Callable[..., Play], tmp_path: Path
) -> None:
    """A listener fires some in the master, and a user has its worker quit: Locust's tables and the timeline agree."""
    (tmp_path / "mine.py").write_text(ANYWHERE, encoding="utf-8")
    words = ["--users", "4", "--spawn-rate", "4", "--json-file", str(tmp_path / "locust"), "--processes", "2"]
    run = play("-f", f"{tmp_path / 'mine.py'},{WATCH}", *words)
    assert run.end() == 4
    assert run.endpoints()["master"] == 20
    assert run.endpoints()["worker"] > 0
    shown = sum(requests for requests, _ in locusts_counts(tmp_path / "locust.json").values())
    assert shown == run.requests().total()
    assert "requests-not-recorded" not in {finding.id for finding in run.verdict().findings}


@pytest.mark.parametrize("processes", [[], ["--processes", "2"]], ids=["one process", "two workers"])
def test_requests_that_locust_alone_counts_are_an_error(
    play: Callable[..., Play], tmp_path: Path, processes: list[str]
) -> None:
    """Also where its statistics are reset while the test runs."""
    (tmp_path / "mine.py").write_text(COUNTED_ALONE, encoding="utf-8")
    words = ["--users", "4", "--spawn-rate", "2", "--reset-stats", *processes]
    run = play("-f", f"{tmp_path / 'mine.py'},{WATCH}", *words)
    run.end_after(100)  # Locust resets its statistics after the first second of them
    (found,) = (finding for finding in run.verdict().findings if finding.id == "requests-not-recorded")
    assert found.severity == "error"
    totals = of(Totals, run.events())
    recorded, counted = sum(total.recorded for total in totals), sum(total.counted for total in totals)
    assert recorded == run.requests().total()
    assert found.text.startswith(f"{counted - recorded} of {counted} requests")
    assert 0.3 < recorded / counted < 0.7


@pytest.mark.parametrize("processes", [[], ["--processes", "3"]], ids=["one process", "three workers"])
def test_requests_of_any_locustfile_are_recorded(
    play: Callable[..., Play], service: Service, tmp_path: Path, processes: list[str]
) -> None:
    """HttpUser and FastHttpUser of a person's own file, with the intent that their context tells, to the last one."""
    service.pause_s = 0.1  # some are under way when the run ends
    (tmp_path / "mine.py").write_text(FOREIGN, encoding="utf-8")
    run = play("-f", f"mine.py,{WATCH}", "--host", service.url, "-u", "2", "-r", "2", *processes)
    run.end_when(lambda events: {row.intent for row in of(Requests, events)} == {"good", "fault"})
    assert run.requests() == service.seen
    assert "of 3 users" not in run.log.read_text()  # more than a person asked for, one for each worker
    personas = {(row.endpoint, row.persona, row.version) for row in of(Requests, run.events())}
    assert personas == {("/slow", "anyone", "1"), ("/erroruser", "beta", "1")}


def test_requests_of_a_locustfile_in_pytests_style_are_recorded(
    play: Callable[..., Play], service: Service, tmp_path: Path
) -> None:
    """All but what was under way when Locust ended its users: these go on until they are killed."""
    (tmp_path / "test_mine.py").write_text(PYTEST_STYLE, encoding="utf-8")
    words = ["--host", service.url, "-u", "2", "-r", "2", "--stop-timeout", "1"]
    run = play("-f", f"test_mine.py,{WATCH}", *words)
    run.end_when(lambda events: {row.intent for row in of(Requests, events)} == {"good", "fault"})
    assert 0 <= (service.seen - run.requests()).total() <= 2
    assert {(row.endpoint, row.outcome) for row in of(Requests, run.events())} == {("/slow", "ok"), ("fast", "failed")}


def test_tags_and_users_of_a_configuration_say_who_sends(
    play: Callable[..., Play], service: Service, tmp_path: Path
) -> None:
    """What Locust's own options leave out is not sent, and the rest is recorded to the last request."""
    (tmp_path / "mine.py").write_text(TWO_CLASSES, encoding="utf-8")
    fixed = '{"user_class_name": "Reader", "fixed_count": 2}'
    words = ["--host", service.url, "--config-users", fixed, "--exclude-tags", "write"]
    run = play("-f", f"mine.py,{WATCH}", *words, "-u", "2", "-r", "2")
    run.end_after(20)
    assert [*run.endpoints()] == ["/read"]
    assert run.requests() == service.seen


def test_a_proxy_of_the_environment_is_used_and_said(play: Callable[..., Play], service: Service) -> None:
    """The service that only the proxy knows gets every request, and the log says by whom they are sent."""
    words = ["--host", "http://service.invalid/stage", "--canary-arrival-rate", "20"]
    run = play("-f", CANARY, *words, http_proxy=service.url)
    run.end_after(20)
    assert run.requests() == service.seen
    assert f"the environment names the proxy {service.url}" in run.log.read_text(encoding="utf-8")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_with_what_was_seen(
    play: Callable[..., Play], service: Service, signum: int, code: int
) -> None:
    """The timeline is whole, the verdict is there, the exit code says which signal."""
    run = play("-f", CANARY, "--host", service.url)
    run.wait_for(lambda events: bool(of(Requests, events)))
    run.process.send_signal(signum)
    assert run.end(20) == code
    assert run.requests() == service.seen
    (ended,) = of(RunEnded, run.events())
    assert (ended.why, ended.detail) == ("stopped", f"{signal.Signals(signum).name} came")
    assert run.verdict().result == "inconclusive"


def endings() -> Iterator[Any]:
    """Signals at the very end of a run: once it shows this sign, and so much later."""
    for signum, sign in ((signal.SIGINT, "run_ended"), (signal.SIGTERM, "verdict.json"), (signal.SIGINT, "output")):
        yield pytest.param(signum, sign, 0.0, False, id=f"{signum.name} at {sign}")
    drawn = random.Random(1)
    for number in range(200):
        signum, sign = drawn.choice([signal.SIGINT, signal.SIGTERM]), drawn.choice(["requests", "run_ended", "output"])
        wait_s = drawn.uniform(1.0, 4.0) if sign == "requests" else drawn.uniform(0.0, 0.6)
        yield pytest.param(signum, sign, wait_s, number % 3 == 0, marks=pytest.mark.soak, id=f"{number}")


@pytest.mark.parametrize(("signum", "sign", "wait_s", "workers"), [*endings()])
def test_a_signal_at_the_end_never_parts_exit_code_and_verdict(
    play: Callable[..., Play],
    service: Service,
    tmp_path: Path,
    signum: signal.Signals,
    sign: str,
    wait_s: float,
    workers: bool,
) -> None:
    """It stops the run, and the verdict says so, or it comes too late and changes nothing; no traceback either way."""
    output, words = tmp_path / "output", ["--processes", "2", *own_port()] if workers else []
    run = play("-f", CANARY, "--host", service.url, "--run-time", "2", *words, GITHUB_OUTPUT=str(output))
    run.wait_for(lambda events: bool(of(Requests, events)))
    while run.process.poll() is None and not _shows(run, sign, output):
        time.sleep(0.01)
    time.sleep(wait_s)
    run.process.send_signal(signum)
    code = run.end()
    assert code == run.verdict().exit_code
    assert code in (4, 128 + signum)
    assert f"exit_code={code}\n" in output.read_text()
    assert "Traceback" not in run.said()


def _shows(run: Play, sign: str, output: Path) -> bool:
    if sign == "output":
        return output.exists() and "exit_code=" in output.read_text()
    if sign == "verdict.json":
        return run.folder.verdict.exists()
    return sign == "requests" or bool(of(RunEnded, run.events()))


def test_a_stall_of_the_service_shows_in_the_latency_and_not_in_the_schedule(
    play: Callable[..., Play], service: Service
) -> None:
    """Starts go on while nothing is answered, and their latency runs from the due time."""
    run = play("-f", CANARY, "--host", service.url, "--canary-arrival-rate", "100", "--run-time", "5")
    run.wait_for(lambda events: bool(of(Requests, events)))
    service.stall(2.0)
    assert run.end() == 4
    arrivals = of(Arrivals, run.events())
    late = quantile_s(merge(row.lag for row in arrivals), 1.0)
    waited = quantile_s(merge(row.latency for row in of(Requests, run.events())), 1.0)
    assert late is not None
    assert waited is not None
    assert late < 1.0
    assert 1.5 < waited < 3.5
    assert sum(row.unstarted for row in arrivals) == 0
    assert sum(row.started for row in arrivals) > 300


def test_lost_workers_are_told_and_taken_over_until_none_is_left(play: Callable[..., Play], service: Service) -> None:
    """After a worker died the timeline says so, and the other one starts all arrivals; without that one it is over."""
    words = ["--canary-arrival-rate", "100", "--processes", "2"]
    run = play("-f", CANARY, "--host", service.url, *words)
    run.wait_for(lambda events: len({row.worker for row in of(Requests, events)}) == 2)
    first, second = psutil.Process(run.process.pid).children()
    first.kill()
    run.wait_for(lambda events: bool(of(Trouble, events)))
    (trouble,) = of(Trouble, run.events())
    assert "was lost" in trouble.message
    missed = sum(row.unstarted for row in of(Arrivals, run.events()))
    assert f"and {missed} requests were not started" in trouble.message
    assert missed > 10
    run.wait_for(lambda events: len(started_after(trouble.at_s, events)) >= 3)
    assert all(abs(count - 100) <= 10 for count in started_after(trouble.at_s, run.events()))
    second.kill()
    assert run.end() == 1
    (ended,) = of(RunEnded, run.events())
    assert (ended.why, ended.detail) == ("failed", "the last worker was lost, so nobody sends any more")


def test_a_worker_that_is_told_to_leave_hands_its_part_over(play: Callable[..., Play], service: Service) -> None:
    """Every arrival is started by somebody, and every request is recorded; the timeline says once who left."""
    words = ["--canary-arrival-rate", "100", "--processes", "2"]
    run = play("-f", CANARY, "--host", service.url, *words)
    run.wait_for(lambda events: len({row.worker for row in of(Requests, events)}) == 2)
    psutil.Process(run.process.pid).children()[0].terminate()
    run.wait_for(lambda events: any(started_after(trouble.at_s, events) for trouble in of(Trouble, events)))
    run.process.terminate()
    assert run.end() == 143
    (trouble,) = of(Trouble, run.events())
    assert "left, and handed its part over" in trouble.message
    assert run.requests() == service.seen
    planned = Counter[float]()
    for row in of(Arrivals, run.events()):
        planned[row.at_s] += row.planned
    assert {planned[second] for second in sorted(planned)[1:-1]} == {100}


def started_after(at_s: float, events: list[Event]) -> list[int]:
    """Starts of each whole second after the one of `at_s`."""
    started = Counter[float]()
    for row in of(Arrivals, events):
        started[row.at_s] += row.started  # a second may come in several rows
    return [started[second] for second in sorted(started) if second > at_s + 1][:-1]


REFUSED = ("--canary-group", "none")
"""No group has this name: a run that watches it cannot be."""


@pytest.mark.parametrize("how", [(), ("--processes", "2")], ids=["alone", "with-workers"])
def test_a_refused_run_sends_nothing(
    play: Callable[..., Play],
    service: Service,
    canary_cloud_factory: Callable[..., "Cloud"],
    tmp_path: Path,
    how: tuple[str, ...],
) -> None:
    """Not by users, not by a shape, not by a locustfile's own start of the test: what cannot be is said before."""
    cloud = canary_cloud_factory(speed=60.0)
    (tmp_path / "mine.py").write_text(SHAPED)
    words = ["--canary-application", cloud.ready["application"], *REFUSED, *how]
    run = play("-f", f"mine.py,{WATCH}", "--host", service.url, *words, **cloud_variables(cloud))
    assert run.end(30) == 2
    assert not service.seen
    assert "Traceback" not in run.said()


TAGGED = """
from locust import HttpUser, tag, task

class Mine(HttpUser):
    @tag("one")
    @task
    def ask(self):
        self.client.get("/ask")
"""


def test_tags_that_leave_no_task_are_one_sentence(play: Callable[..., Play], service: Service, tmp_path: Path) -> None:
    """Each user would fail by itself, over and over; so none is spawned."""
    (tmp_path / "mine.py").write_text(TAGGED)
    run = play("-f", f"mine.py,{WATCH}", "--host", service.url, "--tags", "other")
    assert run.end(30) == 2
    assert not service.seen
    assert "leave no task for Mine" in run.said()
    assert "Traceback" not in run.said()


@pytest.mark.parametrize(("words", "told"), [((), "OUTCOME UNKNOWN"), (("-q",), "OUTCOME UNKNOWN"), (("--json",), "{")])
def test_a_run_prints_its_verdict_once_and_no_table(
    words: tuple[str, ...], told: str, service: Service, tmp_path: Path
) -> None:
    """The verdict goes to stdout, and on stderr there is neither the log nor a table of Locust's."""
    command = [sys.executable, "-m", "harness", "run", "--host", service.url, "--duration", "1s", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 4, done.stderr
    assert done.stdout.strip().startswith(told)
    assert (done.stdout + done.stderr).count("OUTCOME UNKNOWN") == (told != "{")
    assert not [word for word in ("INFO", "# reqs", "percentiles") if word in done.stdout + done.stderr]
    if told == "{":
        assert json.loads(done.stdout)["exit_code"] == 4


SHAPED = """
import urllib.request
from locust import HttpUser, LoadTestShape, constant, events, task

@events.test_start.add_listener
def set_up(environment, **_):
    urllib.request.urlopen(environment.host)

class Polite(HttpUser):
    wait_time = constant(0.05)
    most = 0

    @task
    def ask(self):
        count = self.environment.runner.user_count
        Polite.most = max(Polite.most, count)
        if count < Polite.most:  # the shape is on its way down
            self.client.get("/ask")

    def on_stop(self):
        self.client.get("/goodbye")

class UpAndDown(LoadTestShape):
    was_up = False

    def tick(self):
        self.was_up = self.was_up or self.get_current_user_count() == 20
        return (10 if self.was_up else 20), 20
"""


SHARE = ("--canary-error-share", "0.1")
"""What no user of the locustfile above sends."""
RATE = ("--canary-arrival-rate", "1", "--canary-max-arrival-rate", "1")
"""The guard rail that its first requests exceed."""


@pytest.mark.parametrize("how", [(), ("--processes", "2")], ids=["alone", "with-workers"])
def test_a_shape_is_stopped_once_and_its_users_last_requests_are_recorded(
    play: Callable[..., Play], service: Service, tmp_path: Path, how: tuple[str, ...]
) -> None:
    """A rail ends the run while the shape takes users away: each is stopped once, and sends its goodbye."""
    (tmp_path / "mine.py").write_text(SHAPED)
    run = play("-f", f"mine.py,{WATCH}", "--host", service.url, *RATE, *how, *SHARE)
    assert run.end(60) == 5
    assert "only CanaryUsers send these" in of(Trouble, run.events())[0].message
    assert run.endpoints()["/goodbye"] == 20
    assert "Traceback" not in run.said()


SLOW_TO_BEGIN = """
import time
import harness.run.run
from locust import HttpUser, LoadTestShape, constant, task

harness.run.run.load_ahead = lambda: time.sleep(2.5)

class Mine(HttpUser):
    wait_time = constant(0.05)

    @task
    def ask(self):
        self.client.get("/ask")

class Grows(LoadTestShape):
    def tick(self):
        passed_s = self.get_run_time()
        return (1 if passed_s < 1 else 2, 20) if passed_s < 4 else None
"""


def test_a_shape_that_asks_again_while_a_run_begins_makes_no_second_run(
    play: Callable[..., Play], service: Service, tmp_path: Path
) -> None:
    """A busy machine takes seconds to begin; the shape's next step then meets a run that has just begun."""
    (tmp_path / "mine.py").write_text(SLOW_TO_BEGIN)
    run = play("-f", f"mine.py,{WATCH}", "--host", service.url)
    assert run.end(60) == 4
    assert [kept.name for kept in (tmp_path / "reports" / "adhoc").iterdir()] == [run.folder.path.name]
    assert of(RunEnded, run.events())
    assert run.endpoints()["/ask"] == service.seen.total() > 0


QUITS = """
from locust import HttpUser, constant, task

class Quitter(HttpUser):
    wait_time = constant(0.1)

    @task
    def ask(self):
        self.client.get("/ask")
        if self.environment.runner.user_count == 3:
            self.environment.runner.quit()

    def on_stop(self):
        self.client.get("/goodbye")
"""


def test_a_locustfile_that_quits_by_itself_is_judged(
    play: Callable[..., Play], service: Service, tmp_path: Path
) -> None:
    """A user may end all; whoever asks is stopped like the others, and nothing was seen of any deployment."""
    (tmp_path / "mine.py").write_text(QUITS)
    run = play("-f", f"mine.py,{WATCH}", "--host", service.url, "--users", "3", "--spawn-rate", "3")
    assert run.end(30) == 4
    assert run.verdict().call == "inconclusive"
    assert run.endpoints()["/goodbye"] == 3
    assert "Traceback" not in run.said()


def test_a_start_that_is_refused_stops_whoever_waits_for_it(
    play: Callable[..., Play], service: Service, tmp_path: Path
) -> None:
    """With workers, too, Locust does not go on to spawn users; the next start is refused again."""
    (tmp_path / "mine.py").write_text(QUITS)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    page = f"http://127.0.0.1:{port}"
    words = ["--web-host", "127.0.0.1", "--web-port", str(port), "--processes", "2"]
    run = play("-f", f"mine.py,{WATCH}", "--host", service.url, *words)
    (run.log.parent / "reports").write_text("a file where a folder must be")
    for times in (1, 2):
        until = time.monotonic() + 30
        until_answered(lambda: state_of(page))
        while run.log.read_text().count("cannot write to") < times:  # the first workers may not be there yet
            assert time.monotonic() < until
            submit(f"{page}/swarm", {"user_count": "2", "spawn_rate": "2", "host": service.url})
            time.sleep(0.5)
        assert state_of(page) == "ready"
    assert not service.seen


def state_of(page: str) -> str:
    """What Locust says of its test."""
    with urllib.request.urlopen(f"{page}/stats/requests", timeout=5) as answer:
        state: str = msgspec.json.decode(answer.read())["state"]
    return state


def test_the_web_form_starts_changes_and_ends_runs(play: Callable[..., Play], service: Service) -> None:
    """A start makes a run folder, a new share takes effect while it runs, another start makes another folder."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    page = f"http://127.0.0.1:{port}"
    words = ["--web-host", "127.0.0.1", "--web-port", str(port)]
    run = play("-f", CANARY, "--host", service.url, *words)
    form = {"user_count": "1", "spawn_rate": "1", "host": service.url, "canary_arrival_rate": "100"}
    until_answered(lambda: submit(f"{page}/swarm", form))
    run.wait_for(lambda events: bool(of(Requests, events)))
    submit(f"{page}/swarm", {**form, "canary_error_share": "0.5"})
    run.wait_for(lambda events: any(row.intent == "fault" for row in of(Requests, events)))
    submit(f"{page}/swarm", {**form, "canary_arrival_rate": "to 300 in 1s", "canary_pattern": "burst"})
    run.wait_for(lambda events: any(row.started > 250 for row in of(Arrivals, events)))
    first = run.folder.path
    submit(f"{page}/stop", {})
    run.wait_for(lambda events: bool(of(RunEnded, events)))
    submit(f"{page}/swarm", form)
    run.wait_for(lambda _: run.folder.path != first)
    run.process.send_signal(signal.SIGINT)  # perhaps while the run is still being set up
    assert run.end(20) == 130
    events = RunFolder.open(first).read_events()
    assert [fault.value for fault in of(FaultStarted, events)] == ["0.5"]
    asked = [(one.what, one.value) for one in of(Asked, events)]
    assert asked == [("error_share", "0.5"), ("arrival_rate", "to 300 in 1s"), ("pattern", "burst")]
    assert RunFolder.open(first).read_verdict()
    assert run.verdict()


def test_a_timeline_that_cannot_be_written_ends_the_run(play: Callable[..., Play], service: Service) -> None:
    """A disk that is full is a failure of ours: exit code 1, and what was written stays readable."""
    run = play("-f", CANARY, "--host", service.url, "--canary-arrival-rate", "200")
    run.wait_for(lambda events: bool(of(Requests, events)))
    written = run.folder.timeline.stat().st_size
    resource.prlimit(run.process.pid, resource.RLIMIT_FSIZE, (written + 1000, written + 1000))
    assert run.end(20) == 1
    assert of(Requests, run.events())
    assert "the timeline cannot be written" in run.log.read_text(encoding="utf-8")


def test_without_a_run_a_signal_ends_the_web_page_without_complaint(play: Callable[..., Play]) -> None:
    """Nothing was asked, so nothing failed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    run = play("-f", CANARY, "--web-host", "127.0.0.1", "--web-port", str(port))
    until_answered(lambda: submit(f"http://127.0.0.1:{port}/stats/requests"))
    run.process.send_signal(signal.SIGINT)
    assert run.end(20) == 0


# With a cloud

TRAFFIC = Traffic(arrival_rate=5.0)
CALM = ("--canary-arrival-rate", "5")
"""Three hundred a second at speed 60: the cloud shares a process with the test, and perhaps the machine with others."""
SHORT = {"deployment": {"config": "Canary10Percent3Minutes"}}
"""A trial in which an alarm on a minute rings in time, on a busy machine, too."""


def test_the_next_deployment_of_the_group_is_followed(
    play: Callable[..., Play], canary_cloud_factory: Callable[..., "Cloud"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else deploys: a run that knows the function alone finds it, waits, sends error users, and judges."""
    cloud = canary_cloud_factory(speed=60.0)
    aws_environment(cloud, monkeypatch)
    ready = cloud.ready
    words = ["--canary-function", ready["function"], "--host", ready["service_url"], *CALM]
    words += ["--canary-error-share", "0.2", "--canary-expect", "rolled_back"]
    run = play("-f", CANARY, *words, **cloud_variables(cloud))
    run.wait_for(lambda events: bool(of(Requests, events)) and bool(of(GroupSeen, events)))
    pipeline.deploy(ready)
    assert run.end(60) == 0
    assert (run.verdict().outcome, run.verdict().call) == ("rolled_back", "caught")
    resolved = run.folder.read_experiment()
    assert (resolved.deployment.group, resolved.alarm.name) == (ready["group"], ready["alarm"])


def test_two_groups_are_watched_in_one_run_and_judged_each(
    play: Callable[..., Play],
    canary_cloud_factory: Callable[..., "Cloud"],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Both deploy at the same time, one with failing users and one with a failing canary of the same version number."""
    cloud = canary_cloud_factory(SHORT, speed=60.0)
    aws_environment(cloud, monkeypatch)
    ready = cloud.ready
    second = second_group(ready)
    experiment = tmp_path / "two.yaml"
    also = f"also: [{{group: {second['group']}, requests: [/featureToggles], expect: {{call: missed}}}}]"
    first = f"deployment: {{function: {ready['function']}, requests: [/fakeUser]}}\nexpect: {{call: caught}}"
    experiment.write_text(f"name: two\nsteady_s: 10\ntraffic: {{arrival_rate: 5, error_share: 0.2}}\n{first}\n{also}\n")
    words = ["--host", one_api_of(ready, second), "--canary-experiment", str(experiment)]
    run = play("-f", CANARY, *words, **cloud_variables(cloud))
    run.wait_for(lambda events: bool(of(Beside, events)) and bool(of(GroupSeen, events)))
    pipeline.deploy(ready)
    pipeline.deploy({**ready, **second})
    run.end(60)
    verdict = run.verdict()
    assert {name: group.outcome for name, group in verdict.groups.items()} == {
        ready["group"]: "rolled_back",
        second["group"]: "promoted",
    }
    for name, group in verdict.groups.items():
        own = run.folder.within(name).read_verdict()
        assert own
        assert (own.outcome, own.exit_code) == (group.outcome, group.exit_code)
        assert group.exit_code == 0
    assert verdict.arms.canary.version == ready["canary"] == "2"
    assert verdict.exposure.failed_good_requests == 0


def one_api_of(ready: Mapping[str, Any], second: Mapping[str, str]) -> str:
    """The address of an API that leads to the aliases of both functions."""
    gateway = boto3.client("apigatewayv2")
    api = {"ApiId": gateway.create_api(Name="both", ProtocolType="HTTP")["ApiId"]}
    gateway.create_stage(**api, StageName="$default", AutoDeploy=True)
    for route, function in (("GET /fakeUser", ready["function"]), ("POST /featureToggles", second["function"])):
        arn = f"arn:aws:lambda:{ready['region']}:{ready['account']}:function:{function}:{ready['alias']}"
        leads = {"IntegrationType": "AWS_PROXY", "IntegrationUri": arn, "PayloadFormatVersion": "1.0"}
        made = gateway.create_integration(**api, **leads)
        gateway.create_route(**api, RouteKey=route, Target=f"integrations/{made['IntegrationId']}")
    base = ready["service_url"].removesuffix("/shared")
    return f"{base}/restapis/{api['ApiId']}/$default/_user_request_"


def second_group(ready: Mapping[str, Any]) -> dict[str, str]:
    """Another function of the cloud, two versions of it, its alias and its deployment group without alarms."""
    lambdas, deployer = boto3.client("lambda"), boto3.client("codedeploy")
    named = {"FunctionName": "second"}
    role = "arn:aws:iam::123456789012:role/second"
    lambdas.create_function(
        **named, Role=role, PackageType="Image", Code={"ImageUri": "canary-harness:bundled"}, Publish=True
    )
    lambdas.get_waiter("function_active_v2").wait(**named)
    lambdas.update_function_configuration(**named, Environment={"Variables": {"FAIL_RATIO": "1"}})
    lambdas.get_waiter("function_updated_v2").wait(**named)
    lambdas.publish_version(**named)
    lambdas.create_alias(**named, Name=ready["alias"], FunctionVersion="1")
    first = deployer.get_deployment_group(applicationName=ready["application"], deploymentGroupName=ready["group"])
    deployer.create_deployment_group(
        applicationName=ready["application"],
        deploymentGroupName="secondDeploymentGroup",
        deploymentConfigName=first["deploymentGroupInfo"]["deploymentConfigName"],
        serviceRoleArn=role,
        deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
    )
    return {"group": "secondDeploymentGroup", "function": "second"}


DEPLOYS = """
import boto3, os, sys, time

print("deploying", flush=True)
spec = sys.argv[3]
deployer = boto3.client("codedeploy")
made = deployer.create_deployment(
    applicationName=sys.argv[1],
    deploymentGroupName=sys.argv[2],
    revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": spec}},
)
while True:
    info = deployer.get_deployment(deploymentId=made["deploymentId"])["deploymentInfo"]
    if info["status"] in ("Succeeded", "Failed", "Stopped"):
        break
    time.sleep(0.1)
print(info["status"], file=sys.stderr, flush=True)
sys.exit(info["status"] != "Succeeded")
"""


def test_a_command_deploys_under_traffic_and_is_judged_with_its_deployment(
    play: Callable[..., Play], canary_cloud_factory: Callable[..., "Cloud"], tmp_path: Path
) -> None:
    """Traffic flows before, during and after it; its output is shown and kept; its failure is told, no more."""
    cloud = canary_cloud_factory(speed=60.0)
    ready = cloud.ready
    (tmp_path / "deploys.py").write_text(DEPLOYS)
    spec = app_spec(ready["function"], ready["alias"], ready["baseline"], ready["canary"])
    command = [sys.executable, "deploys.py", ready["application"], ready["group"], spec]
    words = ["--canary-function", ready["function"], "--canary-command", shlex.join(command), *CALM]
    words += ["--canary-error-share", "0.2", "--canary-expect", "rolled_back"]
    run = play("-f", CANARY, "--host", ready["service_url"], *words, **cloud_variables(cloud))
    said = run.process.stderr.read().decode()  # type: ignore[union-attr]
    assert run.end(60) == 0, said
    verdict, events = run.verdict(), run.events()
    assert (verdict.outcome, verdict.call) == ("rolled_back", "caught")
    assert verdict.command
    assert verdict.command.exit_code == 1
    assert "The command that deploys ended with exit code 1." in verdict.because
    assert "deploying" in said
    assert run.folder.command_log.read_text() == "deploying\nStopped\n"
    ((started,), (ended,)) = of(CommandStarted, events), of(CommandEnded, events)
    instants = [row.at_s for row in of(Requests, events)]
    assert min(instants) < started.at_s < ended.at_s < max(instants)


def test_a_failure_that_the_locustfile_calls_a_success_is_caught(
    play: Callable[..., Play], canary_cloud_factory: Callable[..., "Cloud"], tmp_path: Path
) -> None:
    """The alarm counts the status, whatever the test thinks of it, and so does the verdict."""
    cloud = canary_cloud_factory(speed=60.0)
    ready = cloud.ready
    (tmp_path / "mine.py").write_text(EXPECTS_502, encoding="utf-8")
    words = ["--canary-application", ready["application"], "--canary-group", ready["group"], "-u", "10", "-r", "10"]
    words += ["--canary-target-version", ready["canary"], "--host", ready["service_url"]]
    run = play("-f", f"{tmp_path / 'mine.py'},{WATCH}", *words, **cloud_variables(cloud))
    run.wait_for(lambda events: any(seen.weights for seen in of(AliasSeen, events)))
    (tmp_path / "on-trial").touch()
    assert run.end() == 0
    verdict = run.verdict()
    assert (verdict.outcome, verdict.call) == ("rolled_back", "caught")
    assert verdict.traffic.fault.failed > 0
    assert verdict.traffic.fault.ok == 0
    assert "fault-succeeded" not in {finding.id for finding in verdict.findings}


def test_a_command_that_fails_before_any_deployment_ends_the_run(
    play: Callable[..., Play], canary_cloud_factory: Callable[..., "Cloud"]
) -> None:
    """Nothing is waited for that cannot come: exit code 1, and the sentence says which command failed how."""
    cloud = canary_cloud_factory(speed=60.0)
    command = shlex.join([sys.executable, "-c", "import sys; sys.exit('no such template')"])
    names = ["--canary-function", cloud.ready["function"], "--canary-command", command, *CALM]
    run = play("-f", CANARY, "--host", cloud.ready["service_url"], *names, **cloud_variables(cloud))
    assert run.end(60) == 1
    (ended,) = of(RunEnded, run.events())
    assert ended.detail == "the command ended with exit code 1 and no deployment was seen"
    assert run.folder.command_log.read_text() == "no such template\n"


IDLE = """
from locust import User, constant, task

class Idle(User):
    wait_time = constant(0.1)

    @task
    def rest(self):
        pass
"""
WRONG_STAGE = ("/wrong", CANARY, "good requests was answered well")
IDLING = ("/shared", f"idle.py,{WATCH}", "Before the deployment, no request was sent")


@pytest.mark.parametrize(
    ("stage", "users", "says", "by_command"),
    [
        pytest.param(*WRONG_STAGE, False, id="a host that refuses all-ours"),
        pytest.param(*IDLING, True, id="users that send nothing-command"),
        pytest.param(*WRONG_STAGE, True, id="a host that refuses all-command", marks=IN_SOAK),
        pytest.param(*IDLING, False, id="users that send nothing-ours", marks=IN_SOAK),
    ],
)
def test_nothing_is_deployed_under_traffic_that_is_not_steady(
    play: Callable[..., Play],
    canary_cloud_factory: Callable[..., "Cloud"],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    stage: str,
    users: str,
    says: str,
    by_command: bool,
) -> None:
    """Nobody would notice what the canary does: the run ends with the reason, and blames no alarm."""
    (tmp_path / "idle.py").write_text(IDLE)
    cloud = canary_cloud_factory(speed=60.0)
    aws_environment(cloud, monkeypatch)
    ready = cloud.ready
    command = shlex.join([sys.executable, "-c", "open('deployed', 'w')"])
    how = ("--canary-command", command) if by_command else ("--canary-target-version", ready["canary"])
    words = ["--host", ready["service_url"].replace("/shared", stage), "--canary-function", ready["function"], *how]
    run = play("-f", users, *words, *CALM, **cloud_variables(cloud))
    assert run.end(60) == 4
    verdict = run.verdict()
    assert verdict.outcome == "not_started"
    assert any(says in reason for reason in verdict.because), verdict.because
    assert not [finding.id for finding in verdict.findings if finding.id.startswith("alarm")]
    assert not boto3.client("codedeploy").list_deployments()["deployments"]
    assert not (run.log.parent / "deployed").exists()


def test_a_redeployment_proves_the_net_and_leaves_no_trace(
    play: Callable[..., Play],
    canary_cloud_factory: Callable[..., "Cloud"],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The same code is published and promoted; then the alias and the description are as they were."""
    cloud = canary_cloud_factory(SHORT, speed=60.0)
    aws_environment(cloud, monkeypatch)
    ready = cloud.ready
    function, alias = {"FunctionName": ready["function"]}, {"FunctionName": ready["function"], "Name": ready["alias"]}
    lambdas = boto3.client("lambda")
    before = lambdas.get_function_configuration(**function)["Description"]
    mine = tmp_path / "mine.yaml"
    mine.write_text("name: mine\nobjective: {latency: {p99_s: 5}}\n")  # a busy machine may be slow
    words = ["--canary-function", ready["function"], "--canary-redeploy", "--canary-allow-writes", *CALM]
    words += ["--canary-experiment", str(mine), "--canary-expect", "promoted"]
    run = play("-f", CANARY, "--host", ready["service_url"], *words, **cloud_variables(cloud))
    assert run.end(60) == 0
    assert (run.verdict().outcome, run.verdict().call) == ("promoted", "cleared")
    written = [(event.call.partition(":")[2], event.step) for event in of(Write, run.events())]
    assert written.index(("PublishVersion", "intended")) < written.index(("CreateDeployment", "intended"))
    assert written[-1] == ("UpdateAlias", "undone")
    assert lambdas.get_alias(**alias)["FunctionVersion"] == ready["baseline"]
    assert lambdas.get_function_configuration(**function)["Description"] == before


DEAF = Alarm(threshold=1e9)
"""An alarm that rings only if it is forced."""
EVERYTHING = (
    Fault(at_s=-230, error_share=0.1),
    Fault(at_s=-150, fis_template="EXT1"),
    Fault(at_s=-100, concurrency=0),
    Fault(at_s=20, force_alarm="ALARM"),
)
"""A fault of every kind, each to the end of the run: four seconds before the deployment, and four after its end."""


def is_as_before(cloud: "Cloud") -> bool:
    """Whether nothing of our faults is left in a cloud."""
    ready = cloud.ready
    experiments = cloud.fis.list_experiments({})["experiments"]
    return (
        cloud.cloudwatch.states([ready["alarm"]])[ready["alarm"]] != "ALARM"
        and cloud.functions.get_function_concurrency({"FunctionName": ready["function"]}) == {}
        and all(experiment["state"]["status"] == "stopped" for experiment in experiments)
    )


def test_every_fault_is_healed_when_a_signal_ends_the_run(rehearse: Callable[..., tuple[Play, "Cloud"]]) -> None:
    """Faults stop first, then the report is written; each kind is in the timeline with its beginning and its end."""
    run, cloud = rehearse(Experiment(name="test", traffic=TRAFFIC, alarm=DEAF, steady_s=240, faults=EVERYTHING))
    run.wait_for(lambda events: len(of(FaultStarted, events)) == len(EVERYTHING))
    assert not is_as_before(cloud)
    run.process.send_signal(signal.SIGINT)
    assert run.end(30) == 130
    assert is_as_before(cloud)
    events = run.events()
    names = {f"faults[{index}]" for index in range(len(EVERYTHING))}
    assert {ended.fault for ended in of(FaultEnded, events)} == names
    kinds = {"error_share", "fis_template", "concurrency", "force_alarm"}
    assert {started.kind for started in of(FaultStarted, events)} == kinds
    (over,) = of(RunEnded, events)
    assert max(write.at_s for write in of(Write, events)) <= over.at_s
    assert run.verdict().result == "inconclusive"


def test_a_guard_rail_stops_faults_and_run(rehearse: Callable[..., tuple[Play, "Cloud"]]) -> None:
    """The trip is an event, a reason in the verdict, and exit code 5."""
    traffic, rails = Traffic(arrival_rate=5.0, error_share=0.2), Rails(fault_requests=35)
    run, cloud = rehearse(Experiment(name="test", traffic=traffic, alarm=DEAF, rails=rails, steady_s=30))
    assert run.end(60) == 5
    (trip,) = of(RailTripped, run.events())
    assert (trip.rail, trip.limit) == ("fault_requests", 35)
    assert run.verdict().result == "aborted"
    assert any("fault_requests tripped" in reason for reason in run.verdict().because)
    assert is_as_before(cloud)


def test_a_cloud_that_dies_ends_the_run_soon(rehearse: Callable[..., tuple[Play, "Cloud"]]) -> None:
    """Neither AWS nor the service answers: the harness gives up within seconds, exit code 1, reason in the timeline."""
    run, cloud = rehearse(Experiment(name="test", traffic=TRAFFIC, steady_s=600))
    run.wait_for(lambda events: bool(of(Requests, events)))
    cloud.stop()
    assert run.end(25) == 1
    (ended,) = of(RunEnded, run.events())
    assert ended.why == "failed"
    assert "answers any more" in ended.detail
    assert of(Trouble, run.events())


def test_a_deployment_that_cannot_be_made_ends_the_run(rehearse: Callable[..., tuple[Play, "Cloud"]]) -> None:
    """AWS's refusal is the reason, and nothing waits for an outcome that cannot come."""
    run, cloud = rehearse(Experiment(name="test", traffic=TRAFFIC, steady_s=60))
    run.wait_for(lambda events: bool(of(Requests, events)))
    cloud.codedeploy.delete_deployment_group(
        {"applicationName": cloud.ready["application"], "deploymentGroupName": cloud.ready["group"]}
    )
    assert run.end(30) == 1
    (ended,) = of(RunEnded, run.events())
    assert "CreateDeployment" in ended.detail


def test_a_fault_that_cannot_be_made_ends_the_run(rehearse: Callable[..., tuple[Play, "Cloud"]]) -> None:
    """Without the fault that was planned the run would prove something else, and look as if it had proved this."""
    fault = Fault(at_s=1, fis_template="EXT1a2b3c4d5e6f7")
    run, cloud = rehearse(Experiment(name="test", traffic=TRAFFIC, steady_s=60, faults=(fault,)))
    cloud.fis._templates.clear()  # somebody deleted it
    assert run.end(30) == 1
    (ended,) = of(RunEnded, run.events())
    assert ended.why == "failed"
    assert "fis:StartExperiment" in ended.detail


def test_an_outcome_that_does_not_come_is_given_up(rehearse: Callable[..., tuple[Play, "Cloud"]]) -> None:
    """After `give_up_s` the run ends inconclusive."""
    run, _ = rehearse(Experiment(name="test", traffic=TRAFFIC, steady_s=30, give_up_s=150))
    assert run.end(30) == 4
    (ended,) = of(RunEnded, run.events())
    assert ended.why == "given_up"


def submit(address: str, form: Mapping[str, str] | None = None) -> None:
    """Sends a form to the web page, or asks for a page without one."""
    body = None if form is None else urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(address, data=body, timeout=10) as answer:
        assert answer.status == 200


def until_answered(ask: Callable[[], object], within_s: float = 30.0) -> None:
    """Asks again until somebody listens."""
    until = time.monotonic() + within_s
    while True:
        try:
            return ask()
        except URLError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
