"""Verdicts and run folders for the reports to show."""

from collections.abc import Callable, Iterable
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from harness.core.experiment.types import Call, Experiment, Outcome
from harness.core.timeline.events import Event
from harness.core.verdict.types import (
    Answers,
    ArmFacts,
    Arms,
    Attribution,
    Criterion,
    DeploymentFacts,
    Detection,
    Exposure,
    Finding,
    TrafficFacts,
    Verdict,
)
from harness.report.folder import RunFolder
from harness.report.judged_run import JudgedRun
from harness.report.judging import judged, read
from harness.report.terminal import overview, summary
from tests.core.conftest import build, row, rows, sent

__all__ = ["build", "row", "rows", "sent"]


DEPLOYED = DeploymentFacts(
    id="d-ABCDEFGHI",
    config="CodeDeployDefault.LambdaCanary10Percent5Minutes",
    status="Stopped",
    rollback_id="d-JKLMNOPQR",
    error_code="ALARM_ACTIVE",
    weight_at_end=0.1,
)
DETECTED = Detection(
    first_fault_s=0.5,
    first_fault_requested=True,
    first_error_s=0.75,
    breach_s=3.25,
    alarm_s=(118.0, 118.0),
    stopped_s=(124.0, 129.0),
    restored_s=(126.0, 131.0),
    time_to_detect_s=(117.5, 117.5),
    time_to_roll_back_s=(125.5, 130.5),
)
SENT = TrafficFacts(
    planned=12_345,
    sent=12_345,
    unstarted=0,
    good=Answers(ok=12_200, failed=0),
    fault=Answers(ok=2, failed=143),
    error_share=0.05,
    schedule_lag_p99_s=0.0021,
)
ARMS = Arms(
    baseline=ArmFacts(
        version="1",
        requests=2300,
        failures=115,
        failure_interval=(0.0414, 0.0597),
        p50_ms=2.1,
        p95_ms=4.9,
        p99_ms=8.02,
    ),
    canary=ArmFacts(version="2", requests=251, failures=14, failure_interval=(0.0308, 0.0919), p50_ms=2.2),
    source="response header",
    p_value=0.6512,
)
WARNING = Finding(
    id="alarm-covers-all-versions",
    severity="warning",
    text="The alarm counts errors of all versions; point it at the canary alone.",
)


def caught() -> Verdict:
    """A rollback with everything measured."""
    return Verdict(
        experiment="erroruser",
        outcome=Outcome.ROLLED_BACK,
        expected=Outcome.ROLLED_BACK,
        expected_call=Call.CAUGHT,
        result="as_expected",
        call=Call.CAUGHT,
        exit_code=0,
        because=(
            "CodeDeploy stopped d-ABCDEFGHI because the alarm Errors was in ALARM.",
            "All traffic was back on version 1 after 129 s.",
        ),
        deployment=DEPLOYED,
        detection=DETECTED,
        traffic=SENT,
        arms=ARMS,
        exposure=Exposure(failed_requests=143, failed_good_requests=0, users=1, blast_radius=0.0116),
        attribution=Attribution(counted_errors=130, from_canary=13, canary_share=0.1, source="response header"),
        criteria=(Criterion(name="schedule_lag_p99_s", limit=0.05, value=0.0021, met=True),),
        findings=(WARNING,),
    )


def unmeasured() -> Verdict:
    """A run of which next to nothing is known."""
    return Verdict(
        experiment="blind",
        outcome=Outcome.UNKNOWN,
        expected=Outcome.PROMOTED,
        result="inconclusive",
        call=Call.INCONCLUSIVE,
        exit_code=4,
        because=("No look at the deployment succeeded.",),
        deployment=DeploymentFacts(),
        detection=Detection(),
        traffic=TrafficFacts(),
        arms=Arms(),
        exposure=Exposure(),
        attribution=Attribution(),
    )


class Screen:
    """What a console printed, on so many columns and without colour."""

    def __init__(self, width: int = 80, *, colour: bool = False) -> None:
        self.file = StringIO()
        self.console = Console(file=self.file, width=width, force_terminal=colour, highlight=False)

    @property
    def text(self) -> str:
        """Everything printed so far."""
        return self.file.getvalue()


@pytest.fixture
def shown() -> Callable[..., str]:
    """Prints the summary of a verdict on 80 columns."""

    def show(verdict: Verdict, *, verbose: bool = False) -> str:
        screen = Screen()
        summary(verdict, Path("reports/erroruser/20260131T235959Z"), screen.console, verbose=verbose)
        return screen.text

    return show


@pytest.fixture
def overviewed() -> Callable[[list[Verdict]], str]:
    """Prints the table of several verdicts on 80 columns."""

    def show(verdicts: list[Verdict]) -> str:
        screen = Screen()
        overview(verdicts, screen.console)
        return screen.text

    return show


@pytest.fixture
def screen() -> Callable[..., Screen]:
    """Makes a console that remembers what it printed."""
    return Screen


@pytest.fixture(name="caught")
def caught_fixture() -> Verdict:
    """A rollback with everything measured."""
    return caught()


@pytest.fixture(name="unmeasured")
def unmeasured_fixture() -> Verdict:
    """A run of which next to nothing is known."""
    return unmeasured()


SAMPLE = Path(__file__).parents[2] / "reports" / "sample"


@pytest.fixture(scope="session")
def sample() -> JudgedRun:
    """The committed sample, a real rehearsal."""
    return read(RunFolder(SAMPLE))


@pytest.fixture(scope="session")
def past() -> Callable[..., JudgedRun]:
    """Makes a run of events: `past(events, traffic={...})`."""

    def make(events: Iterable[Event], **keys: Any) -> JudgedRun:
        return judged(msgspec.convert({"name": "built", **keys}, Experiment), list(events))

    return make
