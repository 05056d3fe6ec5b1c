"""Weighing the evidence while a run lasts, and stopping the deployment on it."""

import json
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from harness.aws.journal import Journal
from harness.aws.stopping import STOPPING
from harness.core.experiment.parse import parse
from harness.core.experiment.types import Experiment
from harness.core.timeline.events import Event, EvidenceFound, Requests, Write
from harness.core.verdict.judge import judge
from harness.errors import AwsError, Unreachable
from harness.run.context import RunContext
from harness.run.ending import Ending
from harness.run.recording import Recording
from harness.run.weighing import Weighing
from harness.traffic.steering import Timebase
from tests.aws.scripted_aws import FakeAws
from tests.core.conftest import FORWARD, timeline

STOP = "stop_deployment"
BROKEN = {"canary_fails": 0.5, "guards": ()}


class Weighed:
    """A run up to an instant, weighed second by second."""

    def __init__(
        self, folder: Path, stop_on: Any, answer: Any = None, experiment: Experiment | None = None, **release: Any
    ) -> None:
        self.aws = FakeAws()
        self.aws.script[STOP] = answer or {"status": "Succeeded"}
        self.experiment = experiment or Experiment(name="x", stop_on=stop_on)
        self.recorded: list[Event] = []
        self._at_s = 0.0
        self._release = {**BROKEN, **release}
        base: Any = Timebase(0.0)
        self._recording = Recording(folder / "timeline.jsonl", lambda _: None)
        self.context = RunContext(
            experiment=self.experiment,
            aws=self.aws,  # type: ignore[arg-type]
            base=base,
            epoch_s=0.0,
            folder=None,  # type: ignore[arg-type]
            recording=self._recording,
            journal=Journal(self._recording.record, lambda: self._at_s, self._recording.keep),
            ending=Ending(base, lambda _: None),
        )
        self.weighing = Weighing(self.context)
        self._recording.listeners.append(lambda event, _: self.recorded.append(event))

    def until(self, at_s: float, monkeypatch: pytest.MonkeyPatch, beside: Sequence[Event] = ()) -> "Weighed":
        """Hears what comes until then, and weighs it after each second; `beside` comes from another group."""
        for event in sorted([*timeline(**self._release), *beside], key=lambda event: event.at_s):
            if event.at_s > at_s:
                break
            if int(event.at_s) > int(self._at_s):
                self._weigh(event.at_s, monkeypatch)
            self._recording.record(event)
        return self

    def _weigh(self, at_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self._at_s = at_s
        monkeypatch.setattr("harness.traffic.steering.wall_now", lambda: at_s)
        self.weighing.round()

    @property
    def stops(self) -> int:
        """How often CodeDeploy was asked to stop the deployment."""
        return sum(operation == STOP for operation, _ in self.aws.calls)

    def steps(self) -> list[str]:
        """What the journal says of that."""
        return [event.step for event in self.recorded if isinstance(event, Write) and _is_stop(event)]


def _is_stop(event: Event) -> bool:
    return isinstance(event, Write) and event.call == STOPPING


def test_a_broken_canary_is_stopped_once_with_its_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The evidence stands in the timeline before the write, which has its line before it is made."""
    run = Weighed(tmp_path, "evidence").until(120.0, monkeypatch)
    assert run.aws.calls == [(STOP, {"deploymentId": FORWARD, "autoRollbackEnabled": True})]
    assert run.steps() == ["intended", "done"]
    found = next(event for event in run.recorded if isinstance(event, EvidenceFound))
    assert found.of == "failures"
    assert found.e_value >= found.least
    assert found.canary[0] > 0 == found.baseline[0]
    assert run.recorded.index(found) < min(at for at, event in enumerate(run.recorded) if _is_stop(event))
    assert found.at_s < 90


@pytest.mark.parametrize(("fails", "stops"), [(0.0, 0), (0.5, 1)])
def test_a_neighbours_canary_of_the_same_version_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: float, stops: int
) -> None:
    """The first group's own requests are its evidence, whatever the answers to another group's come to."""
    requests = {"one": {"get": "/fakeUser", "name": "/fakeUser"}, "two": {"get": "/two"}}
    groups = {"deployment": {"requests": ["/fakeUser"]}, "also": [{"group": "second", "requests": ["two"]}]}
    asked = {"name": "x", "stop_on": "evidence", "traffic": {"requests": requests}, **groups}
    experiment = parse(json.dumps(asked), source="x.yaml")
    other = timeline(guards=(), canary_fails=0.5 - fails)
    beside = [replace(event, endpoint="two") for event in other if isinstance(event, Requests)]
    run = Weighed(tmp_path, None, experiment=experiment, canary_fails=fails).until(120.0, monkeypatch, beside)
    assert run.stops == stops


def test_the_stop_that_was_made_is_the_one_of_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever judges afterwards finds the same evidence, no later than the run did."""
    run = Weighed(tmp_path, "evidence").until(120.0, monkeypatch)
    found = next(event for event in run.recorded if isinstance(event, EvidenceFound))
    opinion = judge(run.experiment, run.recorded).second_opinion
    assert opinion
    assert opinion.failures
    assert opinion.failures.canary == found.canary
    assert opinion.stop_s is not None
    assert opinion.stop_s + 60 <= found.at_s


@pytest.mark.parametrize(("stop_on", "fails"), [(None, 0.5), ("evidence", 0.0)])
def test_nothing_is_stopped_unasked_or_without_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_on: Any, fails: float
) -> None:
    """The evidence is shown all the same."""
    run = Weighed(tmp_path, stop_on, canary_fails=fails).until(120.0, monkeypatch)
    assert (run.stops, run.steps()) == (0, [])
    assert run.weighing.told.startswith("evidence against the canary")
    assert run.weighing.told.endswith("of 40 needed")


def test_a_refused_stop_is_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as of a deployment that an alarm had stopped by then."""
    refusal = AwsError("codedeploy:StopDeployment", "DeploymentAlreadyCompletedException", "it has ended")
    run = Weighed(tmp_path, "evidence", refusal).until(200.0, monkeypatch)
    assert run.steps() == ["intended", "refused"]


def test_a_stop_without_an_answer_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may not have been heard, and a second one does no harm."""
    answers = deque([Unreachable("codedeploy:StopDeployment", "cut off"), {"status": "Pending"}])
    run = Weighed(tmp_path, "evidence", answers).until(200.0, monkeypatch)
    assert run.steps() == ["intended", "unanswered", "intended", "done"]


def test_a_run_that_is_ending_stops_no_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written any more."""
    run = Weighed(tmp_path, "evidence")
    run.context.journal.shut()
    assert run.until(200.0, monkeypatch).stops == 0


def test_a_deployment_that_ended_is_not_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its failures were: only what is weighed before the end counts."""
    run = Weighed(tmp_path, "evidence", end="rolled_back", end_s=5.5)
    assert run.until(200.0, monkeypatch).stops == 0
