"""Runs that cannot begin: one sentence that names the fix, exit code 2, and no run folder."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.core.experiment.types import Deployment, Experiment
from harness.core.timeline.clock import Clock
from harness.errors import UsageError
from harness.plugin.options import Settings
from harness.processes import locust_command
from harness.rehearsal.cloud import Cloud
from harness.rehearsal.fixtures import aws_environment
from harness.run.run import Run

CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
REGION = ("AWS_REGION", "AWS_DEFAULT_REGION")


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """One cloud for all tests, which only read."""
    with Cloud() as started:
        yield started


@pytest.fixture(autouse=True)
def ready(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Any]:
    """Leads boto3 to the cloud, and to no configuration of this machine's."""
    aws_environment(cloud, monkeypatch)
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(variable, os.devnull)
    return cloud.ready


def begin(folder: Path, wanted: Mapping[str, str]) -> None:
    """Makes a run that is to watch what is named."""
    experiment = Experiment(name="test", deployment=Deployment(**wanted))
    settings = Settings(experiment=experiment, clock=Clock(), reports=folder, run_dir=None, rehearsal=False)
    Run(settings, post=lambda *_: None, on_over=lambda: None)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"application": "nope"}, "no application nope; there are {application}"),
        ({"application": "{application}", "group": "nope"}, "no deployment group nope; there are {group}"),
        ({"function": "nope"}, "no deployment group deploys the function nope"),
        ({"id": "d-NOSUCH123"}, "deployment.id: CodeDeploy knows no d-NOSUCH123 in this region and account"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_not_there_is_told_with_what_is(
    wanted: dict[str, str], told: str, ready: Mapping[str, Any], tmp_path: Path
) -> None:
    """A wrong region looks like this, too: everything in it is missing."""
    with pytest.raises(UsageError) as caught:
        begin(tmp_path, {name: value.format(**ready) for name, value in wanted.items()})
    assert told.format(**ready) in str(caught.value)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("missing", "told"),
    [(CREDENTIALS, "no AWS credentials: set AWS_PROFILE"), (REGION, "set AWS_REGION")],
    ids=["credentials", "region"],
)
def test_who_and_where_must_be_known(
    missing: tuple[str, ...], told: str, ready: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first call, and before any traffic."""
    for variable in missing:
        monkeypatch.delenv(variable)
    with pytest.raises(UsageError, match=told):
        begin(tmp_path, {"application": ready["application"]})
    assert [*tmp_path.iterdir()] == []


@pytest.mark.slow
def test_a_run_that_cannot_begin_ends_with_2_and_its_sentence(ready: Mapping[str, Any], tmp_path: Path) -> None:
    """As a pipeline sees it: no traceback, no verdict."""
    options = ["--host", ready["service_url"], "--canary-reports", str(tmp_path), "--canary-application", "nope"]
    done = subprocess.run(locust_command(*options), cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "CodeDeploy knows no application nope" in done.stderr
    assert "Traceback" not in done.stderr
    assert [*tmp_path.glob("**/timeline.jsonl")] == []
