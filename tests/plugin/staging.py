"""Whole commands on a stage of their own, to be killed or stopped in the middle: each with every fault in effect."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import msgspec
import psutil
from msgspec.structs import replace

from harness.aws.clients import Aws
from harness.aws.deployer import create_deployment
from harness.aws.journal import Journal
from harness.core.experiment.types import Alarm, Deployment, Experiment, Fault, Traffic
from harness.core.timeline.events import Event, RunStarted
from harness.errors import HarnessError
from harness.rehearsal.play import Ready, resolve
from harness.report.folder import RunFolder
from tests.plugin.test_runs import CANARY, cloud_variables, of, own_port

if TYPE_CHECKING:
    from harness.rehearsal.cloud import Cloud

SPEED = 60.0
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
LOCUST = (sys.executable, "-m", "locust", "--only-summary", "-f", CANARY, "--headless")
HARNESS = (sys.executable, "-m", "harness")
WORKERS = ("--processes", "2")
DEPLOYS = """
import sys, time

from harness.aws.clients import Aws
from harness.aws.deployer import create_deployment
from harness.aws.journal import Journal

names = dict(zip(("application", "group", "function", "alias", "target_version", "config"), sys.argv[1:]))
create_deployment(Aws(), **names, experiment="theirs", journal=Journal(lambda _: None, lambda: 0.0))
time.sleep(2)
"""
"""A command that deploys, and stays a moment."""


class Started:
    """A command and all that it started, and the run folder that it leaves."""

    def __init__(self, folder: Path, words: Sequence[str], variables: dict[str, str]) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
        self._latest = folder / "reports" / "latest"
        self.log = folder / "log"
        with self.log.open("wb") as log:
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

    def wait_until(self, seen: Callable[[list[Event]], bool]) -> None:
        """Waits until the timeline shows something, and notes who is there then."""
        until_s = time.monotonic() + 60
        while not self._shows(seen):
            assert time.monotonic() < until_s, self.log.read_text()
            time.sleep(0.02)
        self._note()

    def _note(self) -> None:
        """Notes who is there now."""
        if self.process.poll() is None:
            self.all += [one for one in self.all[0].children(recursive=True) if one not in self.all]

    def wait_until_begun(self) -> None:
        """Waits for the first line of the timeline."""
        self.wait_until(lambda events: bool(of(RunStarted, events)))

    def send(self, signum: int, to: str) -> None:
        """Sends a signal to the process that was started, its group, a worker, or what was started by such a word."""
        if to == "group":
            os.killpg(self.process.pid, signum)
        elif to == "process":
            self.process.send_signal(signum)
        else:
            with suppress(psutil.NoSuchProcess):
                self._part(to).send_signal(signum)

    def _part(self, name: str) -> psutil.Process:
        self._note()
        if name == "worker":
            return self.all[-1]
        named = [one for one in self.all[1:] if one.is_running() and any(name in word for word in one.cmdline()[:5])]
        return named[0] if named else self.all[-1]

    def leave_room(self, room: int) -> None:
        """Lets no file of it grow beyond so many bytes more than its timeline has now, as on a disk that is full."""
        limit = self.folder.timeline.stat().st_size + room
        for process in self.all:
            with suppress(psutil.NoSuchProcess):
                process.rlimit(psutil.RLIMIT_FSIZE, (limit, limit))

    def wait_until_gone(self) -> None:
        """Waits until nothing of it is left that lives."""
        self.process.wait(60)
        _, alive = psutil.wait_procs(self.all, timeout=GONE_WITHIN_S)
        assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]

    def close(self) -> None:
        """Ends what a failed test left."""
        for process in self.all:
            if process.is_running():
                process.send_signal(signal.SIGKILL)
        self.process.wait()

    def _shows(self, seen: Callable[[list[Event]], bool]) -> bool:
        try:
            return seen(self.folder.read_events())
        except HarnessError:  # the folder is still being made
            return False


class Stage:
    """A cloud, a folder, and commands that play `experiment` against it, each given as the words to start it by."""

    def __init__(self, cloud: "Cloud", folder: Path, experiment: Experiment = EXPERIMENT) -> None:
        self.cloud = cloud
        self.experiment = experiment
        self.variables = cloud_variables(cloud)
        self._folder = folder
        self._started: list[Started] = []

    def start(self, words: Sequence[str]) -> Started:
        """Starts a command."""
        self._started.append(Started(self._folder, words, self.variables))
        return self._started[-1]

    def close(self) -> None:
        """Ends all that was started."""
        for started in self._started:
            started.close()

    def alone(self) -> list[str]:
        """One Locust process."""
        return [*LOCUST, *self._asks()]

    def with_workers(self) -> list[str]:
        """A master and two workers."""
        return [*LOCUST, *WORKERS, *own_port(), *self._asks()]

    def redeploys(self) -> list[str]:
        """`canary-harness run --redeploy`, of what is in service."""
        return [*HARNESS, "run", self._asks(redeploy=True)[-1]]

    def commands(self, text: str) -> list[str]:
        """`canary-harness run` with a command that deploys."""
        return [*HARNESS, "run", self._asks(command=text)[-1]]

    def deploys(self) -> list[str]:
        """The same with one that deploys, and is slow about it."""
        (self._folder / "deploys.py").write_text(DEPLOYS)
        names = [*self._names.values(), self.cloud.ready["canary"], "Canary10Percent2Minutes"]
        return self.commands(shlex.join([sys.executable, "deploys.py", *names]))

    def examines(self) -> list[str]:
        """`canary-harness doctor` of the group, with the fault request that it waits for."""
        names = ["--application", self._names["application"], "--group", self._names["group"]]
        return [*HARNESS, "doctor", *names, "--host", self.cloud.ready["service_url"]]

    def watches(self) -> list[str]:
        """`canary-harness watch` of a deployment that somebody else made."""
        self.deploy()
        return [*HARNESS, "watch", "--application", self._names["application"], "--group", self._names["group"]]

    def rehearses(self) -> list[str]:
        """`canary-harness rehearse`, which has a cloud of its own."""
        self._file.write_bytes(msgspec.json.encode(self.experiment))
        return [*HARNESS, "rehearse", self._file.name, "--speed", f"{self.cloud.ready['speed']:g}"]

    def deploy(self) -> None:
        """Deploys as somebody else, so slowly that whoever begins to watch now still sees it."""
        create_deployment(
            Aws(),
            **self._names,
            target_version=self.cloud.ready["canary"],
            experiment="theirs",
            config="Canary10Percent10Minutes",
            journal=Journal(lambda _: None, lambda: 0.0),
        )

    @property
    def placed(self) -> tuple[str, Any]:
        """The version that the alias is on, and its weights."""
        alias = boto3.client("lambda").get_alias(**self._alias)
        return alias["FunctionVersion"], alias.get("RoutingConfig")

    def _asks(self, **how: Any) -> list[str]:
        """The options that name the experiment, whose deployment is made in another way if `how` says so."""
        resolved = resolve(self.experiment, msgspec.convert(self.cloud.ready, Ready))
        if how:
            deployment = replace(self.experiment.deployment, **self._names, **how)
            resolved = replace(resolved, deployment=deployment, allow_writes=True)
        self._file.write_bytes(msgspec.json.encode(resolved))
        return ["--canary-experiment", self._file.name]

    @property
    def _file(self) -> Path:
        return self._folder / "experiment.yaml"

    @property
    def _names(self) -> dict[str, str]:
        return {name: self.cloud.ready[name] for name in ("application", "group", "function", "alias")}

    @property
    def _alias(self) -> dict[str, str]:
        return {"FunctionName": self._names["function"], "Name": self._names["alias"]}
