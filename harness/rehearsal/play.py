"""Plays experiments: for each a local cloud and a Locust process, and none is left running."""

import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import uuid4

import msgspec
from msgspec import Struct

from harness.core.experiment.types import Experiment
from harness.errors import CloudError, ExitCode, UsageError
from harness.files import NOT_JSON
from harness.processes import POLL_S, Interrupts, await_end, end, locust_command, python, start
from harness.rehearsal.apis.version_header import VersionHeader
from harness.streams import tell
from harness.wallclock import STANDSTILL, Standstill

READY_WITHIN_S = 60.0
"""Wall time that a cloud may take to start; a second or two is usual."""
ORPHAN_S = 15.0
"""Wall time that Locust has to notice by itself that its cloud is gone."""
SPARE_S = 120.0
"""Wall time beyond what the experiment asks for, after which Locust counts as hung."""

MOST_TOLD = 1 << 16
"""Bytes of a cloud's warnings that are passed on."""

_NOT_INHERITED = ("AWS_", "GITHUB_", "LOCUST_")


class Ready(Struct, frozen=True, kw_only=True):
    """The line a cloud prints when it serves; see the `cloud` command."""

    endpoint_url: str
    service_url: str
    region: str
    account: str
    function: str
    alias: str
    application: str
    group: str
    alarm: str
    speed: float
    now: float
    epoch: float
    baseline: str
    canary: str


@dataclass(frozen=True)
class Played:
    """One experiment that was played; `trouble` is a sentence where it did not end by itself."""

    experiment: Experiment
    folder: Path
    exit_code: int
    trouble: str | None = None


@dataclass(frozen=True)
class PlayedLocust:
    """Who sends: our users or those of one's `own` locustfile, and how much is to be seen of it."""

    own: str | None = None
    quiet: bool = False
    verbose: bool = False


OURS = PlayedLocust()


@dataclass(frozen=True)
class CloudOptions:
    """How fast a cloud's time runs, and which of its answers name the version that gave them."""

    speed: float
    version_header: VersionHeader = "all"


def play(
    experiments: Sequence[Experiment],
    asked: CloudOptions,
    *,
    open_folder: Callable[[Experiment], Path],
    stop: Interrupts,
    sender: PlayedLocust = OURS,
) -> Generator[Played, None, None]:
    """Plays one experiment after the other; the cloud of the next one starts while one plays.

    `open_folder` gets the resolved experiment and makes the run folder. Raises UsageError or CloudError if a cloud
    does not start, and Interrupted when `stop` noted a signal; no process outlives the iterator.
    """
    clouds: list[CloudProcess] = []
    with tempfile.TemporaryDirectory(prefix="canary-harness-") as scratch:
        try:
            clouds.append(CloudProcess(experiments[0], Path(scratch), asked))
            for index, experiment in enumerate(experiments):
                ready = clouds[index].ready(stop)
                warned = clouds[index].told()
                resolved = resolve(experiment, ready, warned)
                folder = open_folder(resolved)
                following = experiments[index + 1 : index + 2]
                file = _written(resolved, Path(scratch))
                locust = _Locust(folder, ready, file, sender, clouds[index].standstill)
                try:
                    clouds.extend(CloudProcess(one, Path(scratch), asked) for one in following)
                    played = locust.play(resolved, clouds[index], stop)
                finally:
                    locust.end(stop)
                for line in () if played.trouble else clouds[index].told():
                    tell(f"{experiment.name}: {line}")
                clouds[index].close(stop)
                yield played
        finally:
            for cloud in clouds:
                cloud.close(stop)


def resolve(experiment: Experiment, ready: Ready, warned: Sequence[str] = ()) -> Experiment:
    """The experiment with the names that the cloud gave to everything, and with what it warned of."""
    return msgspec.structs.replace(
        experiment,
        otherwise=tuple(dict.fromkeys((*experiment.otherwise, *warned))),
        target=msgspec.structs.replace(experiment.target, host=ready.service_url),
        deployment=msgspec.structs.replace(
            experiment.deployment,
            application=ready.application,
            group=ready.group,
            function=ready.function,
            alias=ready.alias,
            target_version=ready.canary,
        ),
        alarm=msgspec.structs.replace(experiment.alarm, name=ready.alarm),
    )


def cloud_command(file: Path, experiment: Experiment, asked: CloudOptions) -> list[str]:
    """The command of a local cloud for the experiment in `file`, which ends when we do."""
    options = ["--experiment", str(file), "--speed", f"{asked.speed:g}", "--seed", str(experiment.seed), "--port", "0"]
    options += ["--version-header", asked.version_header]
    return python("-m", "harness", "cloud", *options, "--with-parent")


def _written(experiment: Experiment, scratch: Path) -> Path:
    """The experiment in a file that nobody else can read: that of the run folder is without secrets."""
    file = scratch / f"{uuid4().hex}.yaml"
    file.write_bytes(msgspec.json.encode(experiment))
    return file


def _standstill(scratch: Path) -> Mapping[str, str]:
    """What has the processes of one rehearsal share a time that waits for them; as AWS, speed 1 waits for nobody."""
    file = scratch / f"{uuid4().hex}.standstill"
    Standstill.create(file)
    return {STANDSTILL: str(file)}


class CloudProcess:
    """A local cloud in a process of its own, started for one experiment."""

    def __init__(self, experiment: Experiment, scratch: Path, asked: CloudOptions) -> None:
        file = _written(experiment, scratch)
        self.standstill = _standstill(scratch) if asked.speed > 1 else {}
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - read when the process has ended
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": self._log}
        self._process = start(cloud_command(file, experiment, asked), {**os.environ, **self.standstill}, **pipes)
        self._said: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def died(self) -> bool:
        """Whether the process ended without being asked to."""
        return self._process.poll() is not None

    def ready(self, stop: Interrupts) -> Ready:
        """Waits for the ready line."""
        until_s = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < until_s:
            stop.check()
            try:
                return self._understood(self._said.get(timeout=POLL_S))
            except queue.Empty:
                continue
        raise CloudError(f"the local cloud was not ready within {READY_WITHIN_S:g} s: {self.last_words()}")

    def last_words(self) -> str:
        """The last line it wrote to stderr; where there is none, how it ended."""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        if lines:
            return lines[-1].removeprefix("canary-harness: ")
        code = self._process.poll()
        return f"ended by {signal.Signals(-code).name}" if code and code < 0 else "it wrote nothing"

    def told(self) -> Sequence[str]:
        """What it warned of, line by line: an alarm that it feeds no data, for example."""
        # Read where it stands: the process writes on at the same offset.
        return os.pread(self._log.fileno(), MOST_TOLD, 0).decode(errors="replace").splitlines()

    def close(self, stop: Interrupts) -> None:
        """Ends it; a second time does nothing."""
        end(self._process, stop)
        self._log.close()

    def _listen(self) -> None:
        """Puts each line on the queue; an empty one is the end."""
        with self._process.stdout as lines:  # type: ignore[union-attr]
            for line in lines:
                self._said.put(line)
        self._said.put(b"")

    def _understood(self, line: bytes) -> Ready:
        if not line:
            code = self._process.wait()
            if code == ExitCode.USAGE:
                raise UsageError(self.last_words())
            raise CloudError(f"the local cloud did not start: {self.last_words()}")
        try:
            return msgspec.json.decode(line, type=Ready)
        except NOT_JSON as error:
            raise CloudError(f"the local cloud said {line!r} instead of its ready line") from error


class _Locust:
    """The Locust process that plays one experiment against one cloud."""

    def __init__(
        self, folder: Path, ready: Ready, experiment: Path, sender: PlayedLocust, standstill: Mapping[str, str]
    ) -> None:
        self._folder = folder
        self._speed = ready.speed
        here = folder.absolute()
        command = locust_command(*_options(here, ready, sender), own=sender.own)
        with (here / "locust.log").open("ab") as log:
            # The run folder as working directory keeps a locust.conf or pyproject.toml of the caller out. A locustfile
            # of one's own finds its files and its locust.conf, which cannot change the host that we name.
            pipes = {"stdin": subprocess.DEVNULL, "stdout": log, "cwd": None if sender.own else here}
            if sender.verbose:
                pipes["stdout"] = 2  # where our own words for people go
            self._process = start(command, {**_environment(here, ready, experiment), **standstill}, **pipes)

    def play(self, experiment: Experiment, cloud: CloudProcess, stop: Interrupts) -> Played:
        """Waits for its end, and returns what went wrong if it hangs, or if its cloud died."""
        until_s = time.monotonic() + _longest_s(experiment) / self._speed + SPARE_S
        while (code := await_end(self._process, POLL_S)) is None:
            if stop.count:
                return Played(experiment, self._folder, *_ending(self._stopped(stop), cloud))
            if cloud.died:
                until_s = min(until_s, time.monotonic() + ORPHAN_S)
            if time.monotonic() > until_s:
                break
        return Played(experiment, self._folder, *_ending(code, cloud))

    def _stopped(self, stop: Interrupts) -> int:
        """Hands a signal on; its exit code if the run was over already, otherwise raises Interrupted."""
        end(self._process, stop)
        code = self._process.wait()
        judged = (self._folder / "verdict.json").exists()
        if not judged or code < 0 or code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
            stop.check()
        return code

    def end(self, stop: Interrupts) -> None:
        """Ends it if it still runs; on SIGTERM it undoes its writes, judges and reports."""
        end(self._process, stop)


def _options(folder: Path, ready: Ready, sender: PlayedLocust) -> Sequence[str]:
    """Locust's options: what it shows goes to its log, unless a person wants to see it."""
    kept = ("--host", ready.service_url, "--json-file", str(folder / "locust"))
    if sender.verbose:
        return kept
    quiet = ("--canary-print", "verdict") if sender.quiet else ()
    return (*kept, "--only-summary", "--logfile", str(folder / "locust.log"), *quiet)


def _ending(code: int | None, cloud: CloudProcess) -> tuple[int, str | None]:
    if cloud.died:
        return ExitCode.HARNESS_FAILED, f"the local cloud died in the middle: {cloud.last_words()}"
    if code is None:
        return ExitCode.HARNESS_FAILED, "Locust did not end in time and was stopped"
    if code < 0:
        return ExitCode.HARNESS_FAILED, f"Locust was ended by {signal.Signals(-code).name}"
    return code, None


def _longest_s(experiment: Experiment) -> float:
    """Experiment time after which a run must be over: it gives up by itself before."""
    return experiment.give_up_s + 2 * experiment.steady_s + 120


def _environment(folder: Path, ready: Ready, experiment: Path) -> dict[str, str]:
    """Our environment, without the variables that would point boto3 or Locust elsewhere."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
    return {
        **inherited,
        "PYTHONUTF8": "1",  # for the log, whatever the terminal can show
        "AWS_ENDPOINT_URL": ready.endpoint_url,
        "AWS_REGION": ready.region,
        "AWS_DEFAULT_REGION": ready.region,
        "AWS_ACCESS_KEY_ID": "rehearsal",
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "LOCUST_CANARY_EXPERIMENT": str(experiment),
        "LOCUST_CANARY_CLOCK": f"{ready.epoch!r}:{ready.speed!r}",
        "LOCUST_CANARY_RUN_DIR": str(folder),
    }
