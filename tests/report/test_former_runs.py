"""Runs from before requests were data, with personas, endpoints and client versions, are judged as they were then."""

import shutil
from pathlib import Path

import pytest

from harness.core.timeline.events import FaultStarted
from harness.core.verdict.judge import judge
from harness.report.folder import RunFolder

FORMER = Path(__file__).parent / "former_run"
KEPT = ("outcome", "call", "result", "exit_code", "detection", "traffic", "because")


@pytest.mark.parametrize("asked_in", ["manifest.json", "experiment.yaml"])
def test_a_former_run_is_judged_as_it_was(tmp_path: Path, asked_in: str) -> None:
    """By either file that tells what was asked; its group answered one endpoint alone."""
    for name in ("timeline.jsonl", asked_in):
        shutil.copy(FORMER / name, tmp_path)
    folder, then = RunFolder.open(tmp_path), RunFolder.open(FORMER).read_verdict()
    experiment = folder.read_experiment()
    verdict = judge(experiment, folder.read_condensed())
    assert then is not None
    assert experiment.deployment.requests == ("fakeUser",)
    for name in KEPT:
        assert getattr(verdict, name) == getattr(then, name), name
    assert verdict.exposure.users == then.exposure.users == 3
    kinds = {event.kind for event in folder.read_events() if isinstance(event, FaultStarted)}
    assert "client_version_share" in kinds
