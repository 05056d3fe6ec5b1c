"""Run folders that were damaged: judged, reported and listed all the same, or refused in a sentence."""

import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from harness.cli import main as cli
from harness.errors import ExitCode, HarnessError
from harness.report import frames
from tests.garbage import garbage

SAMPLE = Path(__file__).parents[2] / "reports" / "sample"
FILES = ("manifest.json", "timeline.jsonl", "verdict.json", "experiment.yaml")
TOLD = {*ExitCode} - {ExitCode.INTERRUPTED, ExitCode.TERMINATED}


@pytest.fixture
def loud(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody foresaw fails the test, where a person would get a sentence about a bug."""

    def fail(error: Exception, words: list[str]) -> int:
        raise error

    monkeypatch.setattr(cli, "_failed", fail)


def read_damaged(folder: Path, seed: int) -> None:
    """One file of the sample gets damaged; then every command that reads a run reads it."""
    shutil.rmtree(folder, ignore_errors=True)
    run = folder / "erroruser" / "20260101T000000Z"
    shutil.copytree(SAMPLE, run)
    damaged = run / FILES[seed % len(FILES)]
    damaged.write_bytes(garbage(damaged.read_bytes(), seed))
    if seed % 3 == 0:
        (run / "manifest.json").unlink()
    words = (
        ["judge", str(run)],
        ["report", str(run)],
        ["compare", str(SAMPLE), str(run)],
        ["alarm", "status", "--run", str(run)],
    )
    assert cli.main(words[seed // 4 % len(words)]) in TOLD
    with suppress(HarnessError):
        frames(run)


def test_damaged_run_is_judged_or_refused(tmp_path: Path, loud: None) -> None:
    """A few of each file, damage and command."""
    for seed in range(24):
        read_damaged(tmp_path / "reports", seed)


def test_run_whose_manifest_names_no_version_of_ours_is_reported(tmp_path: Path, loud: None) -> None:
    """The page has a place for it, which stays empty."""
    run = tmp_path / "run"
    shutil.copytree(SAMPLE, run)
    manifest = run / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"harness":', '"other":'))
    assert cli.main(["report", str(run)]) == 0


@pytest.mark.soak
@pytest.mark.parametrize("part", range(10))
def test_twenty_thousand_damaged_runs_are_judged_or_refused(part: int, tmp_path: Path, loud: None) -> None:
    """Other seeds than those of every day."""
    for seed in range(1_000 + part * 2_000, 3_000 + part * 2_000):
        read_damaged(tmp_path / "reports", seed)
