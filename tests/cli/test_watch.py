"""Watching a deployment without traffic of one's own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.cli import main as cli
from harness.core.experiment.types import Arm, Experiment
from harness.core.timeline.events import RunEnded, RunStarted, Write
from harness.report.folder import RunFolder

if TYPE_CHECKING:
    from harness.rehearsal.cloud import Cloud


class Watching:
    """A `canary-harness watch` process."""

    def __init__(self, cloud: "Cloud", folder: Path, *words: str) -> None:
        ready = cloud.ready
        variables = {
            "AWS_ENDPOINT_URL": ready["endpoint_url"],
            "AWS_REGION": ready["region"],
            "AWS_ACCESS_KEY_ID": "rehearsal",
            "AWS_SECRET_ACCESS_KEY": "rehearsal",
            "LOCUST_CANARY_CLOCK": f"{ready['epoch']!r}:{ready['speed']!r}",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harness", "watch", "--json", *words],
            env={**os.environ, **variables},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._latest = folder / "reports" / "latest"

    def end(self, within_s: float = 60.0) -> tuple[int, Any]:
        """Its exit code, and the verdict."""
        out, said = self.process.communicate(timeout=within_s)
        assert out, said.decode()
        return self.process.returncode, json.loads(out)["verdict"]

    @property
    def folder(self) -> RunFolder:
        """The run folder."""
        return RunFolder.open(self._latest.resolve())

    def wait_until_it_looks(self) -> None:
        """Waits for the first lines of its timeline."""
        until_s = time.monotonic() + 30
        while not ((self._latest / "timeline.jsonl").exists() and len(self.folder.read_events()) > 3):
            assert time.monotonic() < until_s, "it never looked"
            time.sleep(0.05)


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Watching]]:
    """Starts `canary-harness watch`; none survives the test."""
    started: list[Watching] = []

    def start(cloud: "Cloud", *words: str) -> Watching:
        started.append(Watching(cloud, tmp_path, *words))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


@pytest.fixture
def customers() -> Iterator[Callable[["Cloud"], None]]:
    """Lets somebody else's customers call the service, some hundred times a second, until the test ends."""
    over = threading.Event()
    threads: list[threading.Thread] = []

    def call(address: str) -> None:
        while not over.wait(0.05):
            asks = urllib.request.Request(
                f"{address}/fakeUser",
                headers={"Authorization": "standarduser@company.com", "X-Client-Version": "1"},
            )
            try:
                urllib.request.urlopen(asks, timeout=5).close()
            except urllib.error.HTTPError as answer:
                answer.close()

    def come(cloud: "Cloud") -> None:
        threads.extend(threading.Thread(target=call, args=(cloud.ready["service_url"],)) for _ in range(6))
        for thread in threads:
            thread.start()

    yield come
    over.set()
    for thread in threads:
        thread.join()


def test_stopping_on_evidence_needs_permission(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence before anything is asked of AWS."""
    monkeypatch.delenv("LOCUST_CANARY_CLOCK", raising=False)
    assert cli.main(["watch", "--function", "fn", "--stop-on", "evidence"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert (
        "this would change AWS (codedeploy:StopDeployment on the group of the function fn); give --allow-writes" in said
    )


@pytest.mark.slow
def test_a_deployment_under_others_traffic_is_judged_by_cloudwatch(
    canary_cloud_factory: Callable[..., "Cloud"],
    watch: Callable[..., Watching],
    customers: Callable[["Cloud"], None],
) -> None:
    """The canary fails all of its requests: it is followed to its rollback, and nothing is written or sent."""
    broken = Experiment(name="broken", canary=Arm(env={"FAIL_RATIO": 1}))
    cloud = canary_cloud_factory(broken, speed=60.0)
    customers(cloud)
    watching = watch(cloud, "--function", cloud.ready["function"], "--expect", "rolled_back")
    watching.wait_until_it_looks()
    deployment_id = cloud.deploy()
    code, verdict = watching.end()
    assert (code, verdict["outcome"], verdict["call"]) == (0, "rolled_back", "caught")
    assert verdict["deployment"]["id"] == deployment_id
    assert verdict["arms"]["source"] == "cloudwatch"
    assert verdict["traffic"]["sent"] == 0
    events = watching.folder.read_events()
    assert not [event for event in events if isinstance(event, Write)]


@pytest.mark.slow
def test_the_deployment_in_progress_is_followed_and_a_signal_ends_the_watch(
    canary_cloud_factory: Callable[..., "Cloud"], watch: Callable[..., Watching]
) -> None:
    """Who watches does so often because something goes on already; SIGINT leaves a verdict and exit code 130."""
    cloud = canary_cloud_factory(speed=5.0)
    deployment_id = cloud.deploy()
    watching = watch(cloud, "--application", cloud.ready["application"])
    watching.wait_until_it_looks()
    watching.process.send_signal(signal.SIGINT)
    code, verdict = watching.end(20)
    assert (code, verdict["outcome"], verdict["result"]) == (130, "unknown", "inconclusive")
    assert verdict["deployment"]["id"] == deployment_id
    assert [event.why for event in watching.folder.read_events() if isinstance(event, RunEnded)] == ["stopped"]


@pytest.mark.slow
def test_a_deployment_that_is_over_can_be_named(
    canary_cloud_factory: Callable[..., "Cloud"], watch: Callable[..., Watching]
) -> None:
    """What became of it is read from AWS; without any request nothing was proved."""
    cloud = canary_cloud_factory(speed=600.0)
    deployment_id = cloud.deploy()
    deployed = {"deploymentId": deployment_id}
    while cloud.codedeploy.get_deployment(deployed)["deploymentInfo"]["status"] != "Succeeded":
        time.sleep(0.05)
    watching = watch(cloud, "--deployment", deployment_id)
    code, verdict = watching.end()
    started = next(event for event in watching.folder.read_events() if isinstance(event, RunStarted))
    assert (started.deployment, started.sends) == (deployment_id, False)
    assert (code, verdict["outcome"]) == (4, "promoted")
    assert any("CloudWatch counted no request" in reason for reason in verdict["because"])
