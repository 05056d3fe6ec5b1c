"""`kill -9` of any process at any moment: what was seen stays readable, and what was changed is undone afterwards."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.cli import main as cli
from harness.core.experiment.types import Outcome
from harness.core.timeline.events import DeploymentSeen, Event
from harness.core.verdict.judge import judge
from harness.report.folder import RunFolder
from tests.plugin.staging import EXPERIMENT, Stage
from tests.plugin.test_runs import is_as_before, of

SPEED = 120.0
LASTS_S = 4.0
"""Wall time that the whole of it takes, about."""
VICTIMS: dict[str, tuple[Callable[[Stage], list[str]], str]] = {
    "locust": (Stage.alone, "process"),
    "all of locust": (Stage.with_workers, "group"),
    "master": (Stage.with_workers, "process"),
    "worker": (Stage.with_workers, "worker"),
    "run": (Stage.redeploys, "process"),
    "run with a command": (Stage.deploys, "process"),
    "command": (Stage.deploys, "deploys.py"),
    "watcher": (Stage.watches, "process"),
    "doctor": (Stage.examines, "process"),
    "rehearsal": (Stage.rehearses, "process"),
    "locust of a rehearsal": (Stage.rehearses, "harness.plugin"),
    "cloud of a rehearsal": (Stage.rehearses, "cloud"),
}
"""Who is killed: of which command, and what of it."""
KILLS = 300
PARTS = 4
"""`make soak PART=kills1` plays the first of them."""
SOON = (25, 40, 98)
"""Seeds that `make test` plays, too: all of Locust, a redeploying run whose disk fills up, and a master."""


def cases() -> Iterator[Any]:
    """Three hundred victims and moments; half of those who write get a disk that is full from some byte on."""
    for seed in range(KILLS):
        draws = random.Random(seed)
        victim = [*VICTIMS][seed % len(VICTIMS)]
        after_s = round(draws.uniform(0.0, LASTS_S), 1)
        room = draws.randrange(6_000) if seed // len(VICTIMS) % 2 and victim != "doctor" else None
        marks = pytest.mark.slow if seed in SOON else pytest.mark.soak
        part = 1 + seed * PARTS // KILLS
        disk = "" if room is None else f", room for {room} bytes"
        yield pytest.param(
            victim, after_s, room, marks=marks, id=f"kills{part}: {victim} after {after_s} s{disk} ({seed})"
        )


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


@pytest.mark.parametrize("stage", [SPEED], indirect=True, ids=[""])
@pytest.mark.parametrize(("victim", "after_s", "room"), [*cases()])
def test_a_kill_loses_nothing_and_is_healed(stage: Stage, victim: str, after_s: float, room: int | None) -> None:
    """The timeline reads, nothing is claimed that was not seen, nobody lives on, and the cloud gets well again."""
    command, killed = VICTIMS[victim]
    started = stage.start(command(stage))
    before = stage.placed
    if victim != "doctor":  # which keeps no timeline
        started.wait_until_begun()
    if room is not None:
        started.leave_room(room)
    time.sleep(after_s)
    started.send(signal.SIGKILL, killed)
    started.wait_until_gone()
    if victim == "doctor":
        assert is_as_before(stage.cloud)
        return
    folder = started.folder
    events = folder.read_events()
    verdict = judge(EXPERIMENT, events)
    assert claims_only_what_was_seen(events, verdict.outcome)
    if command is not Stage.rehearses:  # its cloud is gone
        heal(folder)
        assert is_as_before(stage.cloud)
        assert victim != "run" or stage.placed == before
        assert cli.main(["alarm", "status", "--run", str(folder.path)]) == 0
    assert judge(EXPERIMENT, folder.read_events()) == verdict
