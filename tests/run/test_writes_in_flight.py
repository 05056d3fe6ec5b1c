"""A run that ends at any moment of a write leaves nothing that its journal does not name, and is then undone.

Everything is real but AWS and Locust: the timeline on the disk, the journal, the faults, the deploying, the unwinding,
and the healing of `alarm reset`. Times are simulated seconds.
"""

import errno
import random
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import gevent.event
import pytest

from harness.aws.journal import Journal
from harness.cli.alarm import RunJournal
from harness.core.experiment.rails import limits_of
from harness.core.experiment.types import Alarm, Deployment, Experiment, Fault, Outcome
from harness.core.timeline.events import RunEnded, RunStarted
from harness.core.timeline.rollout import replay
from harness.core.verdict.judge import judge
from harness.errors import HarnessError
from harness.report.folder import RunFolder
from harness.run.context import RunContext
from harness.run.deploying import Deploying
from harness.run.ending import Ending
from harness.run.faults import Faults
from harness.run.recording import Recording
from harness.run.unwinding import Unwinding
from harness.traffic.steering import Timebase
from tests.run.late_aws import NAMES, LateAws, World

SPEED = 200.0
"""Simulated seconds in a second of the test."""
FAULTS = {
    "set_alarm_state": Fault(at_s=0, force_alarm="ALARM"),
    "put_function_concurrency": Fault(at_s=0, concurrency=0),
    "start_experiment": Fault(at_s=0, fis_template="EXT1"),
}
WRITES = (*FAULTS, "create_deployment", "update_function_configuration", "publish_version", "create_deployment again")
"""The call in which the run ends; `again` is that of a redeployment, after which the alias is given back."""
WAYS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGKILL", "settled")
LATENCIES_S = (0.0, 0.15, 1.0, 4.0)
STALE_S = (0.0, 3.0, 30.0)
MOMENTS = (0.5, 1.1)
"""In the middle of the call, and just after it, in parts of its latency."""
HEALED_WITHIN_S = 1200.0


def cases() -> Iterator[Any]:
    """Every write by every way to end, and so on; `make test` plays 18, some of each write's and each way's."""
    every = [
        (write, way, latency_s, stale_s, moment)
        for write in WRITES
        for way in WAYS
        for latency_s in LATENCIES_S
        for stale_s in STALE_S
        for moment in MOMENTS
    ]
    soon = set(_sampled(every))
    for case in every:
        write, way, latency_s, stale_s, moment = case
        name = f"{write}, {way} at {moment:g} of {latency_s:g} s, looks {stale_s:g} s old"
        yield pytest.param(*case, marks=() if case in soon else pytest.mark.soak, id=name)


def _sampled(every: list[Any]) -> Iterator[Any]:
    draws = random.Random(13)
    strata = [(write, way) for write in WRITES for way in WAYS]
    for write, way in strata[::2]:
        yield draws.choice([case for case in every if case[:2] == (write, way)])


class FullDisk:
    """The file of a timeline on a disk that has no room beyond some byte."""

    def __init__(self, path: Path, room: int) -> None:
        self._file = path.open("ab", buffering=0)
        self._room = room
        self.flush, self.fileno, self.close = self._file.flush, self._file.fileno, self._file.close

    def write(self, content: bytes) -> None:
        """Writes what there is room for."""
        part = content[: max(0, self._room - self._file.tell())]
        self._file.write(part)
        if len(part) < len(content):
            raise OSError(errno.ENOSPC, "No space left on device")


class Plan:
    """The creation of a deployment, from which everything is due at once and nothing ends."""

    def since_s(self) -> float:
        """Nothing was created."""
        return 0.0

    def sleep_until(self, after_s: float) -> None:
        """Waits for ever for what is not due at once."""
        if after_s > 0:
            gevent.sleep(1e6)


class Life:
    """One run and its world."""

    def __init__(self, folder: Path, write: str, latency_s: float, stale_s: float) -> None:
        self.began_s = time.time()
        base = Timebase(self.began_s, SPEED)
        self.world = World(base.now_s, lambda for_s: for_s / SPEED)
        self.world.latency_s, self.world.stale_s = latency_s, stale_s
        self.folder = RunFolder(folder)
        self._ended = gevent.event.Event()
        self.ending = Ending(base, lambda _: self._ended.set())
        fault = FAULTS.get(write)
        version = "2" if write == "create_deployment" else None
        deployment = Deployment(**NAMES, target_version=version, redeploy=write != "create_deployment")
        self.experiment = Experiment(
            name="test",
            alarm=Alarm(name="errors"),
            deployment=Deployment(**NAMES) if fault else deployment,
            faults=(fault,) if fault else (),
            steady_s=0,
        )
        recording = Recording(self.folder.timeline, lambda problem: self.ending.end("failed", problem))
        self.context = RunContext(
            experiment=self.experiment,
            aws=LateAws(self.world),  # type: ignore[arg-type]
            base=base,
            epoch_s=self.began_s,
            folder=self.folder,
            recording=recording,
            journal=Journal(recording.record, base.now_s, recording.keep, rest=self.world.pass_),
            ending=self.ending,
        )
        self.context.record(RunStarted(at_s=0.0, experiment="test", epoch_s=self.began_s, speed=SPEED))
        creation: Any = Plan()
        self.faults = Faults(
            self.context, creation, limits_of(self.experiment.rails, None), lambda *_: None, may_write=True
        )
        watcher: Any = SimpleNamespace(follow=lambda _: None)
        self.deploying = Deploying(
            self.context, watcher, create_from=lambda now_s: now_s, say=lambda _: None, look_now=lambda: None
        )
        self.deploying._steady.why_not = lambda: None  # type: ignore[method-assign]
        plays = [self.deploying.play] if fault is None else [*self.faults.plays(watched=True)]
        self._plays = [gevent.spawn(self._play, play) for play in plays]
        self.unwinding = Unwinding(self.context, self.faults, lambda: gevent.killall(self._plays, timeout=15.0))

    def _play(self, play: Any) -> None:
        try:
            play()
        except HarnessError as error:
            self.ending.end("failed", str(error))

    def fill_disk(self, after_bytes: int) -> None:
        """Leaves so much room for the timeline."""
        self.context.recording._file = FullDisk(self.folder.timeline, after_bytes)  # type: ignore[assignment]

    def await_write(self, write: str, moment: float) -> None:
        """Waits for a moment of a call; returns at once after the end."""
        operation, _, _ = write.partition(" ")
        begun = gevent.event.Event()
        self.world.on_write = lambda made: begun.set() if made == operation else None
        gevent.wait([begun, self._ended, *self._plays], count=1, timeout=5)
        gevent.sleep(moment * self.world.latency_s / SPEED)

    def end(self, way: str) -> None:
        """Ends as a run does, and writes its last line."""
        self.ending.end("settled" if way == "settled" else "stopped", way)
        assert self.ending.over
        self.unwinding.begin()
        self.unwinding.finish(self.ending.over)
        self.deploying.give_back()
        over = self.ending.over
        self.context.record(RunEnded(at_s=self.context.base.now_s(), why=over.why, detail=over.detail))
        self.context.recording.close()

    def kill(self) -> None:
        """Ends as a process that is killed: nothing more is written or asked."""
        timeline = self.folder.timeline.read_bytes()
        self.world.dead = True
        self.context.recording.close()
        gevent.killall(self._plays, timeout=15.0)
        self.folder.timeline.write_bytes(timeline)
        self.world.dead = False

    def left(self) -> set[str]:
        """What `alarm status` names."""
        return {_NAMES[left.write.call] for left in RunJournal(self.folder.path).unhealed()}

    def reset(self) -> None:
        """What `alarm reset` does, again and again until it says that nothing is left; then nothing is."""
        self.world.latency_s = min(self.world.latency_s, 0.15)
        while lefts := (journal := RunJournal(self.folder.path)).unhealed():
            aws: Any = LateAws(self.world)
            for left, one in zip(lefts, journal.heal(aws, lefts, self.world.pass_), strict=True):
                name = _NAMES[left.write.call]
                assert not (one.healed and name in self.world.changed), f"{name} is called undone: {one.told}"
            assert self.world.now() < HEALED_WITHIN_S, "it cannot be healed"
            self.world.pass_(5.0)


_NAMES = {
    "cloudwatch:SetAlarmState": "alarm",
    "lambda:PutFunctionConcurrency": "reserved",
    "fis:StartExperiment": "experiments",
    "lambda:UpdateFunctionConfiguration": "description",
    "lambda:UpdateAlias": "alias",
}
"""What of the world each call changes."""


@pytest.mark.parametrize(("write", "way", "latency_s", "stale_s", "moment"), [*cases()])
def test_a_write_in_flight_is_undone_or_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: str,
    way: str,
    latency_s: float,
    stale_s: float,
    moment: float,
) -> None:
    """By the run itself or by a reset after it, and no deployment is called not started that there is."""
    life = Life(tmp_path, write, latency_s, stale_s)
    monkeypatch.setattr(time, "sleep", life.world.pass_)
    monkeypatch.setenv("LOCUST_CANARY_CLOCK", f"{life.began_s}:{SPEED}")
    life.await_write(write, moment)
    if way == "SIGKILL":
        life.kill()
    else:
        life.end(way)
    owned = life.world.changed - ({"alias"} if write == "create_deployment" else set())
    left = life.left()
    assert owned <= left, f"{owned - left} is left, and nothing names it"
    events = life.folder.read_events()
    if life.world.at(float("inf"))["deployments"]:
        assert replay(events).outcome is not Outcome.NOT_STARTED
    if left and way != "SIGKILL":
        assert judge(life.experiment, events).exit_code != 0
    life.reset()
    assert life.world.changed <= ({"alias"} if write == "create_deployment" else set())
    assert not life.left()


DISKS = 200
LONGEST_TIMELINE = 2600
"""Bytes of a redeployment's timeline."""


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=() if seed < 6 else pytest.mark.soak) for seed in range(DISKS)]
)
def test_a_disk_that_fills_up_at_any_byte_lets_no_write_go_unnamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """What has no line on the disk is not done; every second process is killed in the middle of a call besides."""
    draws = random.Random(seed)
    write, killed = draws.choice(WRITES), draws.random() < 0.5
    life = Life(tmp_path, write, draws.choice(LATENCIES_S), draws.choice(STALE_S))
    life.fill_disk(draws.randrange(LONGEST_TIMELINE))
    monkeypatch.setenv("LOCUST_CANARY_CLOCK", f"{life.began_s}:{SPEED}")
    monkeypatch.setattr(time, "sleep", life.world.pass_)
    life.await_write(write, draws.random())
    if killed:
        life.kill()
    else:
        life.end("settled")
    owned = life.world.changed - ({"alias"} if write == "create_deployment" else set())
    assert owned <= life.left(), f"{owned - life.left()} is left, and nothing names it"
    life.reset()
    assert not life.left()
