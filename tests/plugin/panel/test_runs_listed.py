"""Past runs and their files."""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from harness.core.experiment.types import Experiment
from harness.core.verdict.judge import judge
from harness.plugin.panel.runs import file_of, folder_of, listed


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """A folder of reports with two runs, a link to the newer one, and what does not belong there."""
    for experiment, start in (("healthy", "20260101T000000Z"), ("erroruser", "20260102T000000Z")):
        folder = tmp_path / "reports" / experiment / start
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
        (folder / "report.html").write_text("<p>")
    (tmp_path / "reports" / "latest").symlink_to("erroruser/20260102T000000Z")
    (tmp_path / "reports" / "notes").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    return tmp_path / "reports"


def test_the_newest_run_is_listed_first(reports: Path) -> None:
    """Each run once, also where `latest` points at it."""
    runs = listed(reports)
    assert [(run.experiment, run.start) for run in runs] == [
        ("erroruser", "20260102T000000Z"),
        ("healthy", "20260101T000000Z"),
    ]
    assert runs[0].files == ("manifest.json", "report.html")
    assert runs[0].outcome is None


def test_nothing_expected_is_not_told_as_expected(reports: Path) -> None:
    """The result is told as in reports."""
    verdict = replace(judge(Experiment(name="healthy"), []), result="as_expected", has_expectation=False)
    path = reports / "healthy" / "20260101T000000Z" / "verdict.json"
    path.write_bytes(msgspec.json.encode(verdict))
    assert listed(reports)[1].told == "nothing expected"


def test_no_folder_is_no_runs(tmp_path: Path) -> None:
    """Before the first run."""
    assert listed(tmp_path / "reports") == ()


def test_a_verdict_that_cannot_be_read_is_none(reports: Path) -> None:
    """One broken folder does not hide the others."""
    (reports / "healthy" / "20260101T000000Z" / "verdict.json").write_text("{half")
    assert [run.outcome for run in listed(reports)] == [None, None]


def test_a_file_of_a_run_is_found(reports: Path) -> None:
    """By the names that the list gave."""
    folder = folder_of(reports, "erroruser", "20260102T000000Z")
    assert folder
    assert file_of(folder, "report.html") == (folder / "report.html").resolve()


@pytest.mark.parametrize(
    "name",
    [
        "../../../secret.txt",
        "/etc/passwd",
        "..",
        "",
        ".hidden.json",
        "secret.txt",
        "script.py",
        "nothing.json",
        "sub/a.json",
    ],
)
def test_nothing_else_is_served(reports: Path, name: str) -> None:
    """Neither by a path, nor by a link, nor what is no report."""
    folder = reports / "erroruser" / "20260102T000000Z"
    (folder / "secret.txt").symlink_to(reports.parent / "secret.txt")
    (folder / ".hidden.json").write_text("{}")
    (folder / "script.py").write_text("")
    (folder / "sub").mkdir()
    (folder / "sub" / "a.json").write_text("{}")
    assert file_of(folder, name) is None


@pytest.mark.parametrize(
    ("experiment", "start"), [("..", "reports"), ("latest", ""), ("notes", "x"), ("healthy", "..")]
)
def test_no_other_folder_is_a_run(reports: Path, experiment: str, start: str) -> None:
    """Only what the list shows."""
    assert folder_of(reports, experiment, start) is None


@pytest.mark.parametrize("name", ["\0", "report\0.html", "x" * 5000 + ".html", "\N{SNOWMAN}" * 150 + ".html"])
def test_a_name_that_no_file_can_have_is_none(reports: Path, name: str) -> None:
    """Whatever a link says, it is not found."""
    assert file_of(reports / "erroruser" / "20260102T000000Z", name) is None
