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

LASTS_S = 6.0
"""Wall time that the whole of it takes, about."""
VICTIMS: dict[str, tuple[Callable[[Stage], list[str]], str]] = {
    "locust": (Stage.alone, "process"),
    "all of locust": (Stage.with_workers, "group"),
    "master": (Stage.with_workers, "process"),
    "worker": (Stage.with_workers, "worker"),
    "run": (Stage.redeploys, "process"),
    "watcher": (Stage.watches, "process"),
    "rehearsal": (Stage.rehearses, "process"),
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
def test_a_kill_loses_nothing_and_is_healed(stage: Stage, victim: str, after_s: float) -> None:
    """The timeline reads, nothing is claimed that was not seen, nobody lives on, and the cloud gets well again."""
    command, killed = VICTIMS[victim]
    started = stage.start(command(stage))
    before = stage.placed
    started.wait_until_begun()
    time.sleep(after_s)
    started.send(signal.SIGKILL, killed)
    started.wait_until_gone()
    folder = started.folder
    events = folder.read_events()
    verdict = judge(EXPERIMENT, events)
    assert claims_only_what_was_seen(events, verdict.outcome)
    if victim != "rehearsal":  # its cloud is gone
        heal(folder)
        assert is_as_before(stage.cloud)
        assert victim != "run" or stage.placed == before
        assert cli.main(["alarm", "status", "--run", str(folder.path)]) == 0
    assert judge(EXPERIMENT, folder.read_events()) == verdict
