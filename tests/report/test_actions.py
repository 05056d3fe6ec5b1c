"""GitHub Actions is told what came out, in its own words."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from harness.core.verdict.types import Detection, Finding, Verdict
from harness.errors import HarnessError
from harness.report.actions import annotations, announce, announce_refusal, outputs
from harness.report.folder import RunFolder
from tests.report.conftest import caught


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run folder."""
    return RunFolder.create(tmp_path / "reports", "erroruser", 0.0)


def lines(verdict: Verdict) -> list[str]:
    """The annotations."""
    return [*annotations(verdict)]


def test_outside_of_actions_nothing_is_told(folder: RunFolder, capsys: Any) -> None:
    """No file, no line."""
    announce(caught(), folder, {})
    assert capsys.readouterr() == ("", "")


def test_summary_outputs_and_annotations_are_written(folder: RunFolder, tmp_path: Path, capsys: Any) -> None:
    """Beside what earlier steps wrote; stdout stays for results."""
    summary, output = tmp_path / "summary", tmp_path / "output"
    summary.write_text("before\n")
    told = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)}
    announce(caught(), folder, told)
    assert summary.read_text().startswith("before\n# ROLLED BACK")
    written = dict(line.split("=", 1) for line in output.read_text().splitlines())
    assert written == outputs(caught(), folder)
    said = capsys.readouterr()
    assert said.err.startswith("::notice title=canary-harness::ROLLED BACK")
    assert said.out == ""


def test_times_are_upper_bounds_and_empty_where_nothing_was_measured(folder: RunFolder) -> None:
    """A number that nobody measured is never 0."""
    measured = replace(caught(), detection=Detection(time_to_detect_s=(61.0, 66.04)))
    told = outputs(measured, folder)
    assert (told["detect_s"], told["rollback_s"]) == ("66.0", "")
    assert (told["verdict"], told["outcome"], told["call"]) == ("as_expected", "rolled_back", "caught")


@pytest.mark.parametrize(
    ("result", "exit_code", "level"),
    [
        ("as_expected", 0, "notice"),
        ("contrary", 3, "error"),
        ("inconclusive", 4, "warning"),
        ("aborted", 5, "error"),
        ("inconclusive", 1, "error"),
    ],
)
def test_the_level_says_how_bad_it_is(result: Any, exit_code: int, level: str) -> None:
    """Injected failures that were caught are no error; a failure of the harness is."""
    said = lines(replace(caught(), result=result, exit_code=exit_code, findings=()))
    assert [line.partition(" ")[0] for line in said] == [f"::{level}"]


def test_findings_are_annotated_but_for_notes_and_never_too_many() -> None:
    """GitHub shows ten a kind; foreign text cannot make commands of its own."""
    evil = Finding(id="odd", severity="error", text="100 %\n::error::injected")
    note = Finding(id="by-the-way", severity="note", text="nothing")
    said = lines(replace(caught(), result="contrary", exit_code=3, findings=(note, *[evil] * 20)))
    assert len(said) == 9
    assert said[1] == "::error title=canary-harness odd::100 %25 ::error::injected"
    assert not any("\n" in line for line in said)


def test_a_file_that_cannot_be_written_is_one_sentence(folder: RunFolder, tmp_path: Path) -> None:
    """It names the file."""
    with pytest.raises(HarnessError, match="nowhere/summary of GitHub Actions cannot be written"):
        announce(caught(), folder, {"GITHUB_STEP_SUMMARY": str(tmp_path / "nowhere" / "summary")})


def test_a_command_without_a_verdict_is_told_too(tmp_path: Path, capsys: Any) -> None:
    """A usage error on Actions is an annotation, a line of the summary and an output, not only a line of the log."""
    summary, output = tmp_path / "summary", tmp_path / "output"
    told = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)}
    announce_refusal("no function nope is there", 2, told)
    assert capsys.readouterr().err == "::error title=canary-harness::no function nope is there\n"
    assert "exit code 2: no function nope is there" in summary.read_text()
    assert output.read_text() == "exit_code=2\n"
