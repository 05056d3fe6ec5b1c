"""Run folders that were damaged: judged, reported and listed all the same, or refused in a sentence."""

import shutil
from contextlib import suppress
from operator import attrgetter
from pathlib import Path

import pytest
from msgspec.structs import replace

from harness.cli import main as cli
from harness.core.timeline.condense import condensed
from harness.core.timeline.events import Arrivals, Event, Exemplar, Requests, encode
from harness.errors import ExitCode, HarnessError
from harness.report import frames
from harness.report.folder import RunFolder
from tests.garbage import garbage

SAMPLE = Path(__file__).parents[2] / "reports" / "sample"
FILES = ("manifest.json", "timeline.jsonl", "verdict.json", "experiment.yaml")
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
TOLD = {*ExitCode} - {ExitCode.INTERRUPTED, ExitCode.TERMINATED}
COARSE_S = 30.0


@pytest.fixture
def loud(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody foresaw fails the test, where a person would get a sentence about a bug."""

    def fail(error: Exception, words: list[str]) -> int:
        raise error

    monkeypatch.setattr(cli, "_failed", fail)


def of_coarse_time(event: Event) -> Event:
    """The same in a row of half a minute, where it is a row of a second."""
    return replace(event, at_s=event.at_s // COARSE_S * COARSE_S) if isinstance(event, Requests | Arrivals) else event


def written_out(event: Event) -> Event:
    """The same with histograms that can be written."""
    if isinstance(event, Requests):
        return replace(event, latency=dict(event.latency))
    return replace(event, lag=dict(event.lag)) if isinstance(event, Arrivals) else event


@pytest.fixture(scope="module")
def coarse_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample in a fifth of its lines, of which fewer are alike: it is judged sooner, and damage hits more kinds."""
    path = tmp_path_factory.mktemp("coarse") / "sample"
    path.mkdir()
    for name in FILES:
        shutil.copy(SAMPLE / name, path)
    events = RunFolder.open(path).read_events()
    rows = condensed(of_coarse_time(event) for event in events if not isinstance(event, Exemplar))
    lines = [encode(written_out(event)) for event in sorted(rows, key=attrgetter("at_s"))]
    (path / "timeline.jsonl").write_bytes(b"".join(lines))
    return path


def read_damaged(folder: Path, seed: int, sample: Path = SAMPLE) -> None:
    """One file of the sample gets damaged; then every command that reads a run reads it."""
    shutil.rmtree(folder, ignore_errors=True)
    run = folder / "erroruser" / "20260101T000000Z"
    run.mkdir(parents=True)
    for name in FILES:
        shutil.copy(sample / name, run)
    damaged = run / FILES[seed % len(FILES)]
    damaged.write_bytes(garbage(damaged.read_bytes(), seed))
    if seed % 3 == 0:
        (run / "manifest.json").unlink()
    words = (
        ["judge", str(run)],
        ["report", str(run)],
        ["compare", str(sample), str(run)],
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
def test_twenty_thousand_damaged_runs_are_judged_or_refused(
    part: int, tmp_path: Path, coarse_sample: Path, loud: None
) -> None:
    """Other seeds than those of every day; one in twenty is the sample as it was recorded."""
    for seed in range(1_000 + part * 2_000, 3_000 + part * 2_000):
        read_damaged(tmp_path / "reports", seed, coarse_sample if seed % 20 else SAMPLE)
