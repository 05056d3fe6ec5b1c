"""`kill -9` of any process at any moment: what was seen stays readable, and what was changed is undone afterwards."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import msgspec
import psutil
import pytest
from msgspec.structs import replace

from harness import cli
from harness.aws.clients import Aws
from harness.aws.deployer import create_deployment
from harness.core.experiment import Alarm, Deployment, Experiment, Fault, Outcome, Traffic
from harness.core.judge import judge
from harness.core.timeline import DeploymentSeen, Event, RunStarted
from harness.errors import HarnessError
from harness.rehearsal.fixtures import aws_environment
from harness.rehearsal.play import Ready, resolve
from harness.report.folder import RunFolder
from tests.load.test_runs import CANARY, cloud_variables, is_as_before, of, own_port

if TYPE_CHECKING:
    from harness.rehearsal.cloud import Cloud

SPEED = 60.0
LASTS_S = 6.0
"""Wall time that the whole of it takes, about."""
GONE_WITHIN_S = 20.0
"""Wall time in which processes notice that they are alone."""
EXPERIMENT = Experiment(
    name="test",
    traffic=Traffic(arrival_rate=5.0),
    deployment=Deployment(config="Canary10Percent2Minutes"),
    alarm=Alarm(threshold=1e9),  # rings only if it is forced
    steady_s=60,
    faults=(
        Fault(at_s=-55, error_share=0.1),
        Fault(at_s=-50, fis_template="EXT1"),
        Fault(at_s=-45, concurrency=0),
        Fault(at_s=60, force_alarm="ALARM"),
    ),
)
LOCUST = (sys.executable, "-m", "locust", "--only-summary")
HARNESS = (sys.executable, "-m", "harness")


class Started:
    """A command and all that it started, and the run folder that it leaves."""

    def __init__(self, folder: Path, words: list[str], variables: dict[str, str]) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
        self._latest = folder / "reports" / "latest"
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                words,
                env={**inherited, **variables},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.all = [psutil.Process(self.process.pid)]

    @property
    def folder(self) -> RunFolder:
        """The run folder."""
        return RunFolder.open(self._latest.resolve())

    def wait_until_begun(self) -> None:
        """Waits for the first line of the timeline, and notes who is there then."""
        until_s = time.monotonic() + 60
        while not self._begun():
            assert time.monotonic() < until_s, "it never began"
            time.sleep(0.02)
        self.all += self.all[0].children(recursive=True)

    def kill(self, victim: str) -> None:
        """Kills a worker, the process that was started, or its whole group."""
        if victim == "worker":
            self.all[-1].kill()
        elif victim == "group":
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()

    def wait_until_gone(self) -> None:
        """Waits until nothing of it is left that lives."""
        if self.process.poll() is None:
            self.process.wait(60)
        _, alive = psutil.wait_procs(self.all, timeout=GONE_WITHIN_S)
        assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]

    def _begun(self) -> bool:
        try:
            return bool(of(RunStarted, self.folder.read_events()))
        except HarnessError:  # the folder is still being made
            return False


Stage = tuple["Cloud", dict[str, str], Path]


def plays(stage: Stage, *words: str, deployment: Deployment | None = None) -> list[str]:
    """Locust that plays all faults round a deployment."""
    cloud, _, folder = stage
    resolved = resolve(EXPERIMENT, msgspec.convert(cloud.ready, Ready))
    if deployment:
        resolved = replace(resolved, deployment=deployment, allow_writes=True)
    (folder / "experiment.yaml").write_bytes(msgspec.json.encode(resolved))
    return [*words, "--canary-experiment", "experiment.yaml"]


def alone(stage: Stage) -> list[str]:
    """One Locust process."""
    return plays(stage, *LOCUST, "-f", CANARY, "--headless")


def with_workers(stage: Stage) -> list[str]:
    """A master and two workers."""
    return plays(stage, *LOCUST, "-f", CANARY, "--headless", "--processes", "2", *own_port())


def redeploys(stage: Stage) -> list[str]:
    """`canary-harness run --redeploy`, of what is in service."""
    cloud, _, _ = stage
    ready = cloud.ready
    place(cloud, ready["canary"])
    names = {name: ready[name] for name in ("application", "group", "function", "alias")}
    words = plays(stage, deployment=replace(EXPERIMENT.deployment, **names, redeploy=True))
    return [*HARNESS, "run", words[-1]]


def watches(stage: Stage) -> list[str]:
    """`canary-harness watch` of a deployment that somebody else made."""
    cloud, _, _ = stage
    ready = cloud.ready
    named = {name: ready[name] for name in ("application", "group", "function", "alias")}
    create_deployment(
        Aws(),
        **named,
        target_version=ready["canary"],
        experiment="by somebody else",
        record=lambda _: None,
        now=lambda: 0.0,
    )
    return [*HARNESS, "watch", "--application", ready["application"], "--group", ready["group"]]


def rehearses(stage: Stage) -> list[str]:
    """`canary-harness rehearse`, which has a cloud of its own."""
    _, _, folder = stage
    (folder / "experiment.yaml").write_bytes(msgspec.json.encode(EXPERIMENT))
    return [*HARNESS, "rehearse", "experiment.yaml", "--speed", f"{SPEED:g}"]


VICTIMS: dict[str, tuple[Callable[[Stage], list[str]], str]] = {
    "locust": (alone, "process"),
    "all of locust": (with_workers, "group"),
    "master": (with_workers, "process"),
    "worker": (with_workers, "worker"),
    "run": (redeploys, "process"),
    "watcher": (watches, "process"),
    "rehearsal": (rehearses, "process"),
}
"""Who is killed: of which command, and what of it."""


SOON = (1, 4, 9)
"""Seeds that `make test` plays, too: all of Locust, a redeploying run, and a master, each in the middle of it."""


def cases() -> Iterator[Any]:
    """Fifty victims and moments."""
    for seed in range(50):
        victim = [*VICTIMS][seed % len(VICTIMS)]
        after_s = round(random.Random(seed).uniform(0.0, LASTS_S), 1)
        marks = pytest.mark.slow if seed in SOON else pytest.mark.soak
        yield pytest.param(victim, after_s, marks=marks, id=f"{victim} after {after_s} s ({seed})")


def place(cloud: "Cloud", version: str) -> None:
    """Puts the alias on a version."""
    boto3.client("lambda").update_alias(
        FunctionName=cloud.ready["function"], Name=cloud.ready["alias"], FunctionVersion=version
    )


def placed(cloud: "Cloud") -> Any:
    """The version that the alias is on, and its weights."""
    alias = boto3.client("lambda").get_alias(FunctionName=cloud.ready["function"], Name=cloud.ready["alias"])
    return alias["FunctionVersion"], alias.get("RoutingConfig")


@pytest.fixture
def stage(canary_cloud_factory: Callable[..., "Cloud"], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stage:
    """A cloud, what leads a process to it, and a folder."""
    cloud = canary_cloud_factory(EXPERIMENT, speed=SPEED)
    aws_environment(cloud, monkeypatch)
    return cloud, cloud_variables(cloud), tmp_path


@pytest.fixture
def start(stage: Stage) -> Iterator[Callable[[list[str]], Started]]:
    """Starts a command; nothing of it survives the test."""
    started: list[Started] = []

    def begin(words: list[str]) -> Started:
        _, variables, folder = stage
        started.append(Started(folder, words, variables))
        return started[-1]

    yield begin
    for one in started:
        for process in one.all:
            if process.is_running():
                process.kill()
        one.process.wait()


def heal(folder: RunFolder) -> None:
    """What a person does after a crash: once more while a deployment is still under way."""
    until_s = time.monotonic() + 30
    while cli.main(["alarm", "reset", "--run", str(folder.path)]) != 0:
        assert time.monotonic() < until_s, "it cannot be healed"
        time.sleep(0.5)


def claims_only_what_was_seen(events: list[Event], outcome: str) -> bool:
    """Whether promoted or rolled back is said of a deployment whose end was seen."""
    ended = any(seen.status in ("Succeeded", "Stopped", "Failed") for seen in of(DeploymentSeen, events))
    return ended or outcome not in (Outcome.PROMOTED, Outcome.ROLLED_BACK)


@pytest.mark.parametrize(("victim", "after_s"), [*cases()])
def test_a_kill_loses_nothing_and_is_healed(
    stage: Stage, start: Callable[[list[str]], Started], victim: str, after_s: float
) -> None:
    """The timeline reads, nothing is claimed that was not seen, nobody lives on, and the cloud gets well again."""
    cloud, _, _ = stage
    command, killed = VICTIMS[victim]
    started = start(command(stage))
    before = placed(cloud)
    started.wait_until_begun()
    time.sleep(after_s)
    started.kill(killed)
    started.wait_until_gone()
    folder = started.folder
    events = folder.read_events()
    verdict = judge(EXPERIMENT, events)
    assert claims_only_what_was_seen(events, verdict.outcome)
    if victim != "rehearsal":  # its cloud is gone
        heal(folder)
        assert is_as_before(cloud)
        assert victim != "run" or placed(cloud) == before
        assert cli.main(["alarm", "status", "--run", str(folder.path)]) == 0
    assert judge(EXPERIMENT, folder.read_events()) == verdict
