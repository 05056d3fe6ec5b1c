"""The run folder: everything that one run leaves behind."""

import contextlib
import fcntl
import getpass
import os
import platform
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import IO, Any, TypeVar
from uuid import uuid4

import msgspec
from msgspec import Struct

from harness.core.experiment.former import upgraded
from harness.core.experiment.group_names import inner_name
from harness.core.experiment.parse import parse_former
from harness.core.experiment.types import Experiment
from harness.core.timeline.condense import condensed
from harness.core.timeline.events import Event, RunStarted, Write, encode, of_writes, skim
from harness.core.verdict.types import Verdict
from harness.core.version import __version__
from harness.errors import HarnessError, TimelineError, UsageError
from harness.files import NOT_JSON, open_plain, read_plain
from harness.report.masked_experiment import without_secrets
from harness.report.masking import masked, masked_event
from harness.streams import pretty_json

LATEST = "latest"
UNNAMED = "unnamed"

_T = TypeVar("_T", bound=Struct)
_START = re.compile(r"\d{8}T\d{6}Z(-\d+)?")


class Manifest(Struct, frozen=True, kw_only=True):
    """manifest.json: what was run, with what, by whom, by which command; `started` is wall time in UTC.

    `by` is empty where the system tells no name, and in the manifests of earlier versions.
    """

    schema: int = 1
    experiment: Experiment
    seed: int
    started: str
    versions: dict[str, str]
    git_commit: str | None
    command: tuple[str, ...]
    by: str = ""


class _AnyManifest(Manifest, frozen=True, kw_only=True):
    """The same from a run of any time, whose experiment may have keys that are gone."""

    experiment: Any


class _File:
    """A file of the folder: read on a folder, it is the path of that file there."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, folder: "RunFolder", owner: type) -> Path:
        return folder.path / self._name


@dataclass(frozen=True)
class RunFolder:
    """One run on disk; make one with `create` or `open`."""

    path: Path

    manifest = _File("manifest.json")
    experiment = _File("experiment.yaml")
    """The resolved experiment, without secrets."""
    timeline = _File("timeline.jsonl")
    """Every event, appended while the run lasts."""
    command_log = _File("command.log")
    """What the command that deployed wrote."""
    log = _File("locust.log")
    """What Locust logged and printed."""
    healing = _File("healed.jsonl")
    """What was undone on AWS after the run had crashed."""
    verdict = _File("verdict.json")
    page = _File("report.html")
    markdown = _File("report.md")
    junit = _File("junit.xml")

    @classmethod
    def create(cls, root: Path, name: str, started_wall_s: float) -> "RunFolder":
        """A new folder `<root>/<name>/<UTC start>`, which `<root>/latest` points at from now on.

        Two runs that start in the same second get a suffix. Raises UsageError where nothing can be written.
        """
        stamp = datetime.fromtimestamp(started_wall_s, UTC).strftime("%Y%m%dT%H%M%SZ")
        try:
            path = _fresh(root / name, stamp)
        except OSError as error:
            raise UsageError(f"--reports: cannot write to {root}: {error.strerror}; name another folder") from error
        _point_latest(root, path)
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """The folder of a run that was; raises UsageError where there is none."""
        if not path.is_dir():
            raise UsageError(f"{path} is not a run folder; give one such as reports/latest")
        return cls(path)

    @property
    def is_held(self) -> bool:
        """Whether a process that lives writes the timeline."""
        try:
            with open_plain(self.timeline) as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def within(self, group: str) -> "RunFolder":
        """The folder of one of several deployment groups, made where it is missing."""
        inner = RunFolder(self.path / inner_name(group))
        inner.path.mkdir(exist_ok=True)
        return inner

    @property
    def root(self) -> Path | None:
        """Where this run stands among others, as `<root>/<experiment>/<start>`; None of a folder kept elsewhere."""
        path = self.path.resolve()
        if not _START.fullmatch(path.name) or not self.manifest.exists():
            return None
        try:
            name = self.read_manifest().experiment.name
        except HarnessError:
            return None
        return path.parent.parent if path.parent.name == name else None

    def files(self) -> tuple[str, ...]:
        """The names of the files that there are, hidden ones left out."""
        return tuple(sorted(path.name for path in self.path.iterdir() if path.is_file() and path.name[0] != "."))

    def write_manifest(self, experiment: Experiment, command: Sequence[str]) -> None:
        """Writes manifest.json and the resolved experiment, both without secrets."""
        safe = without_secrets(experiment)
        manifest = Manifest(
            experiment=safe,
            seed=experiment.seed,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            versions=_versions(),
            git_commit=_git_commit(),
            command=tuple(masked(command)),
            by=_who(),
        )
        _write(self.manifest, manifest)
        _write(self.experiment, safe)

    @property
    def asked_in(self) -> Path:
        """Where it says what was asked: manifest.json, or without one experiment.yaml, or no more than the timeline."""
        return next((path for path in (self.manifest, self.experiment) if path.exists()), self.timeline)

    def read_experiment(self) -> Experiment:
        """The experiment as it was resolved for the run; without manifest and experiment.yaml one of defaults.

        Raises UsageError where there is no run.
        """
        if self.asked_in == self.timeline:
            return Experiment(name=self._name_in_timeline())
        if self.asked_in == self.manifest or not self.timeline.exists():
            return self.read_manifest().experiment
        return parse_former(_text(self.experiment), source=str(self.experiment))

    def _name_in_timeline(self) -> str:
        if not self.timeline.exists():
            raise UsageError(f"{self.path} is not a run folder: it has neither manifest.json nor timeline.jsonl")
        names = (event.experiment for event in self.read_events() if isinstance(event, RunStarted))
        return next(names, UNNAMED)

    def read_manifest(self) -> Manifest:
        """What was run, with what; raises UsageError where there is none."""
        try:
            told = _document(self.manifest, _AnyManifest)
            experiment = msgspec.convert(upgraded(told.experiment), Experiment)
            return Manifest(**{**msgspec.structs.asdict(told), "experiment": experiment})
        except FileNotFoundError as error:
            raise UsageError(f"{self.path} is not a run folder: it has no manifest.json") from error
        except msgspec.ValidationError as error:
            raise HarnessError(f"{self.manifest} cannot be read: {error}") from error

    def read_events(self) -> list[Event]:
        """The whole timeline, skimmed; none of a run that ended before its first event. Raises TimelineError."""
        return self._read(list)

    def read_condensed(self) -> list[Event]:
        """The whole timeline, added up to what judging and reporting tell apart. Raises TimelineError."""
        return self._read(condensed)

    def _read(self, kept: Callable[[Iterator[Event]], list[Event]]) -> list[Event]:
        if self.manifest.exists() and not self.timeline.exists():
            return []
        try:
            with open_plain(self.timeline) as lines:
                return kept(skim(lines))
        except OSError as error:
            raise TimelineError(f"{self.timeline} cannot be read: {error.strerror}") from error
        except TimelineError as error:
            raise TimelineError(f"{self.timeline}: {error}") from error

    def read_writes(self) -> tuple[list[RunStarted | Write], int | None]:
        """What the run changed on AWS and undid, also by later healing, and how many lines may tell of more.

        These lines cannot be read; None where no line tells of the run at all. Nothing else of the folder is needed.
        Raises HarnessError if the timeline cannot be opened, and UsageError where there is no run.
        """
        if not any(path.exists() for path in (self.timeline, self.manifest, self.experiment)):
            raise UsageError(f"{self.path} is not a run folder: it has neither manifest.json nor timeline.jsonl")
        ours, healed = _writes_in(self.timeline), list[RunStarted | Write | None]()
        # What cannot be read of a healing can only have said that something is undone.
        with contextlib.suppress(HarnessError):
            healed = _writes_in(self.healing)
        unread = sum(event is None for event in ours) if ours else None
        return [event for event in (*ours, *healed) if event], unread

    def append(self, event: Event) -> None:
        """Adds an event to the timeline of a run whose process is gone; a last line that was cut off makes room."""
        with self.timeline.open("ab+") as file:
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
            file.write(encode(masked_event(event)))

    def write_verdict(self, verdict: Verdict) -> None:
        """Writes verdict.json."""
        _write(self.verdict, verdict)

    def read_verdict(self) -> Verdict | None:
        """The verdict that the run came to; None where it ended without one. Raises HarnessError."""
        try:
            return _document(self.verdict, Verdict)
        except FileNotFoundError:
            return None

    def write_text(self, path: Path, text: str) -> None:
        """Writes one of the reports."""
        replace_file(path, text.encode())


def hold(file: IO[bytes]) -> None:
    """Says that this process writes the file, as long as it lives and has it open."""
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _document(path: Path, kind: type[_T]) -> _T:
    """What a JSON file holds. Raises FileNotFoundError where there is none, and HarnessError where it is unreadable."""
    try:
        return msgspec.json.decode(read_plain(path), type=kind)
    except FileNotFoundError:
        raise
    except (*NOT_JSON, OSError) as error:
        raise HarnessError(f"{path} cannot be read: {error}") from error


def _writes_in(path: Path) -> list[RunStarted | Write | None]:
    if not path.exists():
        return []
    try:
        with open_plain(path) as lines:
            return [*of_writes(lines)]
    except OSError as error:
        raise HarnessError(f"{path} cannot be read: {error.strerror}") from error


def _text(path: Path) -> str:
    try:
        return read_plain(path).decode()
    except (OSError, ValueError) as error:
        raise HarnessError(f"{path} cannot be read: {error}") from error


def sync_folder(path: Path) -> None:
    """Has the disk know the files of a folder, where the system can."""
    with contextlib.suppress(OSError):
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _fresh(parent: Path, stamp: str) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = parent / (stamp if number == 1 else f"{stamp}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path


def _point_latest(root: Path, path: Path) -> None:
    fresh = root / f".latest-{uuid4().hex}"
    # A file system without symbolic links still has the run; `latest` is a comfort.
    with contextlib.suppress(OSError):
        fresh.symlink_to(path.relative_to(root), target_is_directory=True)
        fresh.replace(root / LATEST)


def _write(path: Path, content: Struct) -> None:
    replace_file(path, f"{pretty_json(content)}\n".encode())


def replace_file(path: Path, content: bytes) -> None:
    """Writes a file so that a reader sees the old one or the new one, never half of it."""
    fresh = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        fresh.write_bytes(content)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def _versions() -> dict[str, str]:
    others = {name: metadata.version(name) for name in ("locust", "boto3")}
    return {"harness": __version__, "python": platform.python_version(), **others}


_ACTORS = {"GITHUB_ACTOR": "GitHub Actions", "GITLAB_USER_LOGIN": "GitLab CI", "BUILD_USER_ID": "Jenkins"}


def _who() -> str:
    """Who runs this: in CI whom it names, elsewhere the user of the system."""
    for variable, where in _ACTORS.items():
        if actor := os.environ.get(variable):
            return f"{actor} ({where})"
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an image whose user has no name; KeyError until Python 3.13
        return ""


def _git_commit() -> str | None:
    try:
        command = ["git", "rev-parse", "HEAD"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
