"""Every packaged experiment plays as it states, for real: processes, HTTP, boto3, and the exit code."""

import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.core.timeline.events import AlarmMetricSeen, DeploymentSeen
from harness.report.folder import RunFolder

STORIES = {
    "healthy": ("promoted", {"cleared"}),
    "erroruser": ("rolled_back", {"caught"}),
    "broken-canary": ("rolled_back", {"caught"}),
    "forced-alarm": ("rolled_back", {"false_alarm"}),
    "below-threshold": ("promoted", {"cleared"}),
    "thin-traffic": ("promoted", {"missed", "inconclusive"}),
    "late-fault": ("promoted", {"missed"}),
    "all-at-once": ("promoted", {"missed"}),
    "alarm-already-on": ("rolled_back", {"false_alarm"}),
    "hook-failure": ("rolled_back", {"false_alarm"}),
    "no-rollback": ("stopped", {"missed"}),
    "linear": ("rolled_back", {"caught"}),
    "wrong-dimension": ("promoted", {"missed"}),
}
FINDINGS = {
    "thin-traffic": "thin-traffic",
    "late-fault": "late-fault",
    "all-at-once": "no-canary",
    "alarm-already-on": "alarm-already-on",
    "hook-failure": "hook-failed",
    "no-rollback": "alias-left-split",
    "wrong-dimension": "alarm-no-data",
}
SEEDS = range(1, 11)


Played = tuple[int, dict[str, Any]]


def play(folder: Path, *words: str) -> list[Played]:
    """Exit code and verdict of every experiment that a rehearsal plays."""
    command = [sys.executable, "-m", "harness", "rehearse", *words, "--json", "--reports", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.stdout, done.stderr
    return [(run["exit_code"], run["verdict"]) for run in json.loads(done.stdout)["runs"]]


def rehearse(folder: Path, name: str, *, seed: int = 1, speed: float = 60) -> Played:
    """Plays one packaged experiment."""
    return play(folder, name, "--seed", str(seed), "--speed", str(speed))[0]


@pytest.mark.slow
def test_a_canary_that_no_alarm_catches_is_stopped_on_the_evidence(tmp_path: Path) -> None:
    """By the harness, which says so; the local cloud rolls back."""
    (tmp_path / "stop.yaml").write_text(
        "name: stop\ncanary: {env: {FAIL_RATIO: 0.5}}\nalarm: {threshold: 5000}\n"
        "steady_s: 20\nexpect: {outcome: rolled_back}\n"
    )
    code, verdict = play(tmp_path, str(tmp_path / "stop.yaml"), "--stop-on", "evidence", "--speed", "100")[0]
    assert (code, verdict["outcome"]) == (0, "rolled_back"), verdict["because"]
    assert verdict["deployment"]["stopped_on"] == "failures"
    assert any(said.startswith("The harness stopped the deployment, on this evidence: ") for said in verdict["because"])


def check_story(name: str, code: int, verdict: dict[str, Any]) -> None:
    """Holds a verdict against what the experiment states."""
    outcome, calls = STORIES[name]
    context = json.dumps({"because": verdict["because"], "findings": verdict["findings"]}, indent=1)
    assert verdict["outcome"] == outcome, context
    assert verdict["call"] in calls, context
    assert code == 0, context
    if name in FINDINGS:
        assert FINDINGS[name] in {finding["id"] for finding in verdict["findings"]}, context
    if name == "erroruser":
        assert verdict["traffic"]["fault"]["failed"]
    if name == "broken-canary":
        assert verdict["attribution"]["canary_share"] >= 0.95
    if name == "hook-failure":
        assert verdict["deployment"]["error_code"] == "HOOK_EXECUTION_FAILURE"
    if name == "alarm-already-on":
        assert not verdict["arms"]["canary"]["requests"]
    if name == "linear":
        assert verdict["deployment"]["weight_at_end"] >= 0.4


@pytest.mark.slow
def test_every_experiment_plays_as_stated(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """Each packaged experiment ends in the outcome, the call and the finding it is there to show."""
    runs = {verdict["experiment"]: (code, verdict) for code, verdict in play(tmp_path, "--all", "--speed", "200")}
    assert set(runs) == set(STORIES)
    for name, (code, verdict) in runs.items():
        with subtests.test(name):
            check_story(name, code, verdict)


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", STORIES)
def test_experiment_plays_as_stated_for_every_seed(name: str, seed: int, tmp_path: Path) -> None:
    """Ten seeds, ten times the same story."""
    check_story(name, *rehearse(tmp_path, name, seed=seed))


@pytest.mark.soak
@pytest.mark.parametrize("name", ["healthy", "erroruser"])
def test_experiment_plays_as_stated_in_real_time(name: str, tmp_path: Path) -> None:
    """At speed 1 the cloud behaves as AWS does, minute by minute."""
    check_story(name, *rehearse(tmp_path, name, speed=1))


OWN_USERS = """
from locust import HttpUser, constant, task

class Mine(HttpUser):
    wait_time = constant(0.1)

    @task(9)
    def ask(self):
        headers = {"Authorization": "beta@company.com", "X-Client-Version": "2"}
        self.client.get("/fakeUser", headers=headers, context={"persona": "mine"})

    @task
    def fail(self):
        self.client.get("/fakeUser", headers={"Authorization": "erroruser@company.com", "X-Client-Version": "2"})
"""


@pytest.mark.slow
def test_own_locustfile_is_rehearsed(tmp_path: Path) -> None:
    """Its users go to the service of the rehearsal, and the release is judged by what they met.

    Their fault requests are known by a header, as `fault_when` says.
    """
    (tmp_path / "mine.py").write_text(OWN_USERS)
    experiment = "name: mine\ntraffic: {fault_when: {header: {authorization: erroruser@company.com}}}\n"
    (tmp_path / "mine.yaml").write_text(f"{experiment}expect: {{outcome: rolled_back, call: caught}}\n")
    words = [str(tmp_path / "mine.yaml"), "-f", str(tmp_path / "mine.py"), "--users", "20", "--speed", "120"]
    ((code, verdict),) = play(tmp_path, *words)
    assert (code, verdict["call"]) == (0, "caught"), verdict["because"]
    assert verdict["traffic"]["good"]["failed"] == 0 < verdict["traffic"]["good"]["ok"]
    assert verdict["traffic"]["fault"]["ok"] == 0 < verdict["traffic"]["fault"]["failed"]


def minutes_of(folder: Path) -> list[float]:
    """The datapoints of the alarm's metric, from the minute of the creation to the last whole one before the stop."""
    (run,) = (path for path in (folder / "erroruser").iterdir() if path.name != "latest")
    opened = RunFolder.open(run)
    events, verdict = opened.read_events(), opened.read_verdict()
    assert verdict
    assert verdict.detection.stopped_s
    created_s = next(event.created_s for event in events if isinstance(event, DeploymentSeen) and event.created_s)
    points = {at_s: value for event in events if isinstance(event, AlarmMetricSeen) for at_s, value in event.points}
    until_s = created_s + verdict.detection.stopped_s[0] - 60
    return [points[at_s] for at_s in sorted(points) if created_s - 60 < at_s < until_s]


def replayed(folder: Path, speed: float) -> tuple[tuple[str, str], list[float], float]:
    """What a seed decides: the outcome and call, the datapoints by the minute, and the time to detect."""
    _, verdict = rehearse(folder, "erroruser", seed=7, speed=speed)
    detect_s = verdict["detection"]["time_to_detect_s"][1]
    return (verdict["outcome"], verdict["call"]), minutes_of(folder), round(detect_s)


@pytest.mark.slow
def test_same_seed_gives_the_same_minutes_at_every_speed(tmp_path: Path) -> None:
    """The same verdict, the same datapoints and the same time to detect, whatever the machine is late by."""
    played = [replayed(tmp_path / str(speed), speed) for speed in (120, 300)]
    assert played[0] == played[1]
    assert played[0][0] == ("rolled_back", "caught")


@pytest.mark.soak
def test_same_seed_gives_the_same_minutes_at_every_start_and_speed(tmp_path: Path) -> None:
    """Five starts a multiple of 13 s apart, at speeds 10, 60 and 300: no two differ."""
    first_s = time.time()
    played = []
    for start, speed in itertools.product(range(5), (10, 60, 300)):
        time.sleep((first_s - time.time()) % 13)
        played.append(replayed(tmp_path / f"{start}-{speed}", speed))
    assert played == [played[0]] * len(played)
    assert played[0][0] == ("rolled_back", "caught")


class Shop(BaseHTTPRequestHandler):
    """A service of one's own; where it is `broken`, POST /orders fails, and no other request."""

    protocol_version = "HTTP/1.1"
    broken = False

    def answer(self) -> None:
        """Any method, any path."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(502 if self.broken and self.command == "POST" else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the names of the standard library

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


class BrokenShop(Shop):
    """Its canary."""

    broken = True


@contextmanager
def served(*kinds: type[BaseHTTPRequestHandler]) -> Iterator[list[str]]:
    """The URLs of services that run."""
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), kind) for kind in kinds]
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield [f"http://127.0.0.1:{server.server_port}" for server in servers]
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


SHOP = """
name: {name}
baseline: {{url: "{baseline}"}}
canary: {{url: "{canary}"}}
steady_s: 10
objective: {{latency: {{p99_s: 5}}}}
traffic:
  arrival_rate: 8
  requests: {{look: {{get: "/orders/{{{{random.int(1,9)}}}}"}}, drop: {{delete: /orders/1}}, order: {{post: /orders}}}}
deployment: {{config: Canary10Percent3Minutes, requests: [{requests}]}}
expect: {{outcome: {outcome}, call: {call}}}
"""


@pytest.mark.slow
def test_each_route_reaches_its_own_function(tmp_path: Path) -> None:
    """All paths reach a service at a URL; what another function answers neither counts for the canary nor breaks it."""
    plays = [("routes", "look, drop, order", "rolled_back", "caught"), ("second", "look, drop", "promoted", "cleared")]
    with served(Shop, BrokenShop) as (baseline, canary):
        for name, requests, outcome, call in plays:
            words = {"name": name, "requests": requests, "outcome": outcome, "call": call}
            (tmp_path / f"{name}.yaml").write_text(SHOP.format(baseline=baseline, canary=canary, **words))
        runs = play(tmp_path / "reports", *(str(tmp_path / f"{name}.yaml") for name, *_ in plays), "--speed", "60")
    assert [code for code, _ in runs] == [0, 0], json.dumps([verdict["because"] for _, verdict in runs], indent=1)
    assert all(not verdict["arms"]["baseline"]["failures"] for _, verdict in runs)
