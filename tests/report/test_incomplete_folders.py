"""Run folders that lost files, and ones that nothing can be written into."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from harness.cli import main as cli
from harness.report import folder as folders
from tests.report.reading import Reading

Capture = pytest.CaptureFixture[str]
SAMPLE = Path(__file__).parents[2] / "reports" / "sample"


@pytest.fixture
def timeline_only(tmp_path: Path) -> Path:
    """A folder with the timeline of the sample and nothing else."""
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(SAMPLE / "timeline.jsonl", run)
    return run


@pytest.fixture
def read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sample on a disk that takes no writes; root would ignore mere permissions."""
    run = tmp_path / "run"
    shutil.copytree(SAMPLE, run)

    def refuse(path: Path, content: bytes) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(folders, "replace_file", refuse)
    return run


def test_timeline_alone_makes_reports(timeline_only: Path, capsys: Capture) -> None:
    """Named by its first line, with nothing expected; the page says what is missing."""
    assert cli.main(["report", str(timeline_only)]) == 0
    shown = Reading((timeline_only / "report.html").read_text())
    rows = dict(shown.table("manifest"))
    assert "experiment.yaml too" in rows["manifest.json"]
    assert rows["experiment"] == "erroruser"
    assert cli.main(["judge", str(timeline_only)]) == 0
    assert "ROLLED BACK · caught · nothing expected" in capsys.readouterr().out


def test_experiment_stands_in_for_the_manifest(timeline_only: Path, capsys: Capture) -> None:
    """It knows what was expected, and can be compared."""
    shutil.copy(SAMPLE / "experiment.yaml", timeline_only)
    assert cli.main(["judge", str(timeline_only)]) == 0
    assert "ROLLED BACK · caught · as expected" in capsys.readouterr().out
    rows = dict(Reading((timeline_only / "report.html").read_text()).table("manifest"))
    assert rows["manifest.json"] == "missing; what was asked is read from experiment.yaml"
    assert cli.main(["compare", str(SAMPLE), str(timeline_only)]) == 0


def test_folder_without_timeline_and_manifest_is_no_run(tmp_path: Path, capsys: Capture) -> None:
    """Usage, in one sentence."""
    assert cli.main(["report", str(tmp_path)]) == 2
    assert "neither manifest.json nor timeline.jsonl" in capsys.readouterr().err


def test_judge_tells_the_verdict_of_a_folder_that_takes_no_writes(read_only: Path, capsys: Capture) -> None:
    """With one sentence that nothing was saved, and the exit code of the verdict."""
    assert cli.main(["judge", str(read_only)]) == 0
    told = capsys.readouterr()
    assert "ROLLED BACK" in told.out
    assert told.err == f"canary-harness: no report is saved: {read_only}: Read-only file system\n"


def test_table_and_chart_can_be_saved_elsewhere(read_only: Path, tmp_path: Path, capsys: Capture) -> None:
    """What was asked for is done; without it nothing was."""
    table, picture = tmp_path / "t.csv", tmp_path / "c.svg"
    assert cli.main(["report", str(read_only), "--table", str(table), "--chart", str(picture)]) == 0
    assert capsys.readouterr().out.split() == [str(table), str(picture)]
    assert table.stat().st_size
    assert picture.stat().st_size
    assert cli.main(["report", str(read_only)]) == 1
