"""When a rehearsal deploys, what that does to alarms that count by the minute, and the deployment of a command."""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from msgspec.structs import replace

from harness import experiments
from harness.aws.clients import Aws
from harness.aws.journal import Journal
from harness.core.experiment.pacing import ArrivalPlan, Pacer, share_draw
from harness.core.experiment.parse import parse
from harness.core.experiment.rates import legs
from harness.core.experiment.types import Deployment, Experiment
from harness.core.rehearsed import CREATED_WITHIN_S
from harness.core.timeline.events import DeploymentSeen, FaultStarted, LookFailed, NoDeployment, Write
from harness.core.timeline.rollout import Rollout
from harness.core.timeline.run_state import RunState
from harness.run.context import RunContext
from harness.run.deploying import LISTED_WITHIN_S, Deploying
from harness.run.ending import Ending
from harness.run.recording import Recording
from harness.run.steady import SteadyCheck
from tests.core.conftest import requests

MINUTE_S = 60.0


@pytest.mark.parametrize("created_s", [0.0, CREATED_WITHIN_S[1] / 2, CREATED_WITHIN_S[1]])
def test_errors_below_the_threshold_stay_clear_of_the_end_of_each_minute(created_s: float) -> None:
    """Two a minute at whatever second it deploys, and a quarter of a minute for a machine that stalls."""
    experiment = parse(experiments.text("below-threshold"), source="below-threshold")
    (fault,) = experiment.faults
    since_s, rate = created_s + fault.at_s, experiment.traffic.arrival_rate
    assert isinstance(rate, float)
    assert fault.error_share
    pacer, shares = Pacer(ArrivalPlan().changed(0.0, legs(rate))), share_draw(experiment.traffic.pattern, seed=1)
    errors_s = []
    while (due_s := pacer.due_s()) < 10 * MINUTE_S:
        if shares.draw(fault.error_share):
            errors_s.append(since_s + due_s)
        pacer.advance()
    assert all(at_s % MINUTE_S <= 0.75 * MINUTE_S for at_s in errors_s)
    assert set(Counter(at_s // MINUTE_S for at_s in errors_s).values()) == {2}


ENDED_S = 88.0
"""When the command of the tests below has ended."""


class Scene:
    """A run whose command ends at once, on a clock that stands still."""

    def __init__(self, folder: Path, exit_code: int) -> None:
        command = f"{sys.executable} -c 'raise SystemExit({exit_code})'"
        base: Any = SimpleNamespace(now_s=lambda: ENDED_S, wall_s=lambda _: 0.0)
        files: Any = SimpleNamespace(command_log=folder / "command.log", path=folder)
        self.ended: list[str] = []
        recording = Recording(folder / "timeline.jsonl", self.ended.append)
        self.context = RunContext(
            experiment=Experiment(name="test", deployment=Deployment(command=command), steady_s=0),
            aws=Aws(),
            base=base,
            epoch_s=0.0,
            folder=files,
            recording=recording,
            journal=Journal(recording.record, base.now_s, recording.keep),
            ending=Ending(base, lambda over: self.ended.append(f"{over.why}: {over.detail}")),
        )
        self.record = self.context.record
        watcher: Any = None
        self.deploying = Deploying(
            self.context, watcher, create_from=lambda now_s: now_s, say=lambda _: None, look_now=lambda: None
        )


@pytest.fixture
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Any, gevent.Greenlet]]:
    """A run after the end of its command, with the greenlet that waits for what it deployed."""
    made = Scene(tmp_path, getattr(request, "param", 0))
    playing = gevent.spawn(made.deploying.play)
    while not made.deploying.made_none(Rollout(run=RunState(missed_s=1e9))):
        gevent.sleep(0.01)
    yield made, playing
    playing.kill()


def blind(at_s: float) -> LookFailed:
    """A search that failed."""
    return LookFailed(
        at_s=at_s, asked_s=at_s, call="codedeploy:ListDeployments", code="Throttling", message="slow down"
    )


def deployed(at_s: float) -> DeploymentSeen:
    """A search that found the deployment."""
    return DeploymentSeen(at_s=at_s, asked_s=at_s, deployment_id="d-1", status="InProgress", created_s=80.0)


@pytest.mark.parametrize("scene", [0, 1], indirect=True)
def test_a_deployment_that_aws_hid_for_minutes_is_followed(scene: tuple[Scene, gevent.Greenlet]) -> None:
    """However long nobody can look after the command's end, that is no sign that it made none."""
    run, playing = scene
    run.record(NoDeployment(at_s=ENDED_S, asked_s=ENDED_S - 1), *map(blind, range(90, 400, 5)))
    playing.join(0.3)
    assert not playing.ready()
    run.record(deployed(400.0))
    playing.join(5)
    assert playing.ready()
    assert not run.ended


@pytest.mark.parametrize(
    ("scene", "told"),
    [
        (0, "settled: the command ended with exit code 0 and no deployment was seen"),
        (3, "failed: the command ended with exit code 3 and no deployment was seen"),
    ],
    indirect=["scene"],
)
def test_a_search_after_the_commands_end_proves_that_it_made_none(
    scene: tuple[Scene, gevent.Greenlet], told: str
) -> None:
    """One that is asked when AWS must list the deployment, and no sooner."""
    run, playing = scene
    run.record(NoDeployment(at_s=ENDED_S + 50, asked_s=ENDED_S + LISTED_WITHIN_S - 1))
    playing.join(0.3)
    assert not playing.ready()
    run.record(NoDeployment(at_s=ENDED_S + 70, asked_s=ENDED_S + LISTED_WITHIN_S))
    playing.join(5)
    assert run.ended == [told]


def test_a_deployment_that_appears_while_the_run_ends_is_told(scene: tuple[Scene, gevent.Greenlet]) -> None:
    """The last looks may see it: that none was seen would be false then."""
    run, playing = scene
    run.record(NoDeployment(at_s=200.0, asked_s=199.0))
    playing.join(5)
    assert run.context.ending.over
    detail = run.context.ending.over.detail
    assert run.deploying.seen_late(detail) == detail
    run.record(deployed(210.0))
    assert run.deploying.seen_late(detail) == f"{detail} until the run was ending: d-1 came too late to be followed"
    assert run.deploying.seen_late("a person ended the run") == "a person ended the run"


def test_failures_while_a_fault_of_ours_is_being_made_hold_no_deployment_back(tmp_path: Path) -> None:
    """The call that makes it may take seconds to return; what fails before that call counts."""
    made = Scene(tmp_path, 0)
    context = replace(made.context, experiment=Experiment(name="test", steady_s=60))
    check = SteadyCheck(context)
    call = {"call": "lambda:PutFunctionConcurrency", "subject": "fakeUser"}
    context.record(
        requests(1.0, count=10), Write(at_s=20.0, step="intended", **call), requests(21.0, count=10, ok=False)
    )
    assert check.why_not()
    context.record(FaultStarted(at_s=30.0, fault="faults[0]", kind="concurrency", value="0"))
    assert check.why_not() is None
    context.record(requests(10.0, count=10, ok=False))
    assert check.why_not()
