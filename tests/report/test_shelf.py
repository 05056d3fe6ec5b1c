"""The list of all runs."""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from msgspec.structs import replace

from harness.core.experiment.types import Experiment
from harness.core.verdict.types import Verdict
from harness.files import MOST_BYTES
from harness.report.finish import finish
from harness.report.folder import RunFolder
from harness.report.shelf import index, runs, trend, write_index
from tests.report.reading import Reading

Shelve = Callable[..., RunFolder]


@pytest.fixture
def shelve(tmp_path: Path) -> Shelve:
    """Puts a run with a verdict, or without one, on the shelf."""

    def put(name: str, started_s: float, verdict: Verdict | None) -> RunFolder:
        folder = RunFolder.create(tmp_path, name, started_s)
        folder.write_manifest(Experiment(name=name), ["canary-harness"])
        if verdict:
            folder.write_verdict(replace(verdict, experiment=name))
        return folder

    return put


def test_newest_run_is_first(shelve: Shelve, caught: Verdict, tmp_path: Path) -> None:
    """And `latest`, which points at one of them, is not another."""
    shelve("b", 0.0, caught)
    shelve("a", 86_400.0, caught)
    assert [(run.experiment, run.started) for run in runs(tmp_path)] == [
        ("a", "19700102T000000Z"),
        ("b", "19700101T000000Z"),
    ]


def test_run_without_a_readable_verdict_is_listed(shelve: Shelve, caught: Verdict, tmp_path: Path) -> None:
    """It happened, after all."""
    shelve("none", 0.0, None)
    shelve("broken", 0.0, caught).verdict.write_text("{")
    assert [run.verdict for run in runs(tmp_path)] == [None, None]
    assert "no verdict" in index(tmp_path)


def spoil_with_bytes(path: Path, content: bytes) -> None:
    """Other bytes in place of the file."""
    path.unlink()
    path.write_bytes(content)


def spoil_with_a_fifo(path: Path) -> None:
    """A FIFO that nobody writes to in place of the file."""
    path.unlink()
    os.mkfifo(path)


def spoil_with_a_folder(path: Path) -> None:
    """A folder in place of the file."""
    path.unlink()
    path.mkdir()


SPOILT = {
    "a bad byte": partial(spoil_with_bytes, content=b'{"experiment": "\xff"}'),
    "a huge number": partial(spoil_with_bytes, content=b'{"schema": ' + b"9" * 5_000 + b"}"),
    "a number out of range": partial(spoil_with_bytes, content=b'{"schema": 1e999}'),
    "deep nesting": partial(spoil_with_bytes, content=b'{"x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
    "more than the bound": partial(spoil_with_bytes, content=b" " * (MOST_BYTES + 1)),
    "nothing": partial(spoil_with_bytes, content=b""),
    "a FIFO": spoil_with_a_fifo,
    "a folder": spoil_with_a_folder,
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_other_runs_file_is_a_row_and_changes_nothing(
    spoil: Callable[[Path], None], shelve: Shelve, caught: Verdict, tmp_path: Path
) -> None:
    """Whatever lies in an old folder, the list says that it is unreadable, and the run of today keeps its verdict."""
    spoil(shelve("old", 0.0, caught).verdict)
    ours = shelve("ours", 86_400.0, None)
    assert finish(ours, Experiment(name="ours")).call == "inconclusive"
    listed = (tmp_path / "index.html").read_text()
    assert "unreadable" in listed
    assert {run.experiment: run.unreadable is None for run in runs(tmp_path)} == {"ours": True, "old": False}


def test_folder_whose_name_is_no_text_is_listed(shelve: Shelve, caught: Verdict, tmp_path: Path) -> None:
    """Its link leads there all the same."""
    odd = tmp_path / os.fsdecode(b"odd\xff name?")
    shelve("odd", 0.0, caught).path.parent.rename(odd)
    shown = Reading(write_index(tmp_path).read_text())
    (link,) = [str(given["href"]) for tag, given in shown.elements if tag == "a" and "19700101" in str(given["href"])]
    assert (tmp_path / os.fsdecode(unquote_to_bytes(link))).is_dir()


def test_list_that_cannot_be_written_fails_no_run(
    shelve: Shelve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line says so."""
    os.mkfifo(tmp_path / "index.html")
    assert finish(shelve("ours", 0.0, None), Experiment(name="ours")).call == "inconclusive"
    assert "list of all runs" in capsys.readouterr().err


def test_page_links_each_run_and_draws_the_trend(shelve: Shelve, caught: Verdict, tmp_path: Path) -> None:
    """By experiment, with words for the line."""
    for day, seconds in enumerate((100.0, 120.0, 90.0)):
        detection = replace(caught.detection, time_to_detect_s=(seconds, seconds))
        folder = shelve("erroruser", day * 86_400.0, replace(caught, detection=detection))
        folder.write_text(folder.page, "<p>")
    shown = Reading(write_index(tmp_path).read_text())
    links = [given["href"] for tag, given in shown.elements if tag == "a" and "erroruser" in str(given["href"])]
    assert links[0] == "erroruser/19700103T000000Z/report.html"
    assert all((tmp_path / str(link)).is_file() for link in links)
    assert "time to detect over 3 runs: from 100 s to 90 s (lowest 90 s, highest 120 s)" in shown.text


def test_empty_shelf_says_how_to_fill_it(tmp_path: Path) -> None:
    """Rather than show an empty table."""
    assert "canary-harness rehearse" in index(tmp_path)


def test_hostile_folder_names_stay_text(shelve: Shelve, caught: Verdict, tmp_path: Path) -> None:
    """Somebody may make any folder."""
    folder = tmp_path / "<img src=x>" / '"><script>'
    folder.mkdir(parents=True)
    RunFolder(folder).write_manifest(Experiment(name="x"), [])
    RunFolder(folder).write_verdict(caught)
    shown = Reading(index(tmp_path))
    assert "img" not in {tag for tag, _ in shown.elements}
    assert [tag for tag, _ in shown.elements].count("script") == 1


def test_pass_rate_counts_what_expected_something(shelve: Shelve, caught: Verdict, tmp_path: Path) -> None:
    """Of an experiment, beside its service; a run without a verdict or an expectation neither passed nor failed."""
    passed = replace(caught, deployment=replace(caught.deployment, application="shop"))
    unsure = replace(passed, result="inconclusive", exit_code=4)
    for day, verdict in enumerate((passed, passed, unsure, replace(passed, has_expectation=False), None)):
        shelve("erroruser", day * 86_400.0, verdict)
    ((_, service, count, rate, newest, _),) = Reading(index(tmp_path)).table("overview")
    assert (service, count, rate, newest) == ("shop", "5", "66.7 % (2 of 3)", "no verdict")


def test_damaged_folders_are_named(shelve: Shelve, caught: Verdict, tmp_path: Path) -> None:
    """With what is wrong; one that lost its manifest is a run all the same."""
    shelve("broken", 0.0, caught).verdict.write_text("{")
    shelve("lost", 0.0, caught).manifest.unlink()
    text = Reading(index(tmp_path)).text
    assert "broken/19700101T000000Z" in text
    assert "verdict.json cannot be read" in text
    assert "lost/19700101T000000Z manifest.json is missing" in text
    assert {run.experiment: run.verdict is None for run in runs(tmp_path)} == {"broken": True, "lost": False}


def test_list_of_hundreds_of_runs_is_quick(shelve: Shelve, caught: Verdict, tmp_path: Path) -> None:
    """It is written at the end of each run, while somebody waits."""
    for day in range(500):
        shelve(f"experiment-{day % 20}", day * 86_400.0, caught)
    began_s = time.perf_counter()
    assert "500 runs" in index(tmp_path)
    assert time.perf_counter() - began_s < 2


def test_one_value_is_no_trend() -> None:
    """A line needs two."""
    assert trend("x", [("2026-01-31", (1.0, 1.0)), ("2026-02-01", None)]) is None


def test_end_of_a_run_brings_the_list_up_to_date(shelve: Shelve, tmp_path: Path) -> None:
    """All reports are written, and the list names the run."""
    folder = shelve("empty", 0.0, None)
    finish(folder, Experiment(name="empty"))
    assert {"verdict.json", "report.md", "report.html", "junit.xml"} <= {file.name for file in folder.path.iterdir()}
    assert "empty/19700101T000000Z/report.html" in (tmp_path / "index.html").read_text()


def test_folder_of_ones_own_gets_no_list_beside_it(tmp_path: Path) -> None:
    """Nobody asked for a file two folders up."""
    folder = RunFolder(tmp_path / "a" / "b" / "run")
    folder.path.mkdir(parents=True)
    folder.timeline.touch()
    finish(folder, Experiment(name="x"))
    assert [file.name for file in tmp_path.rglob("index.html")] == []


def test_copy_without_latest_gets_a_list_too(shelve: Shelve, tmp_path: Path) -> None:
    """What a CI system keeps of a reports folder has no symbolic links."""
    folder = shelve("copied", 0.0, None)
    (tmp_path / "latest").unlink()
    finish(folder, Experiment(name="copied"))
    assert "copied/19700101T000000Z/report.html" in (tmp_path / "index.html").read_text()


def test_folder_below_another_name_is_no_reports_folder(shelve: Shelve, tmp_path: Path) -> None:
    """A run copied by itself must not leave a list among strange files."""
    folder = shelve("alone", 0.0, None)
    moved = folder.path.parent.rename(tmp_path / "elsewhere") / folder.path.name
    finish(RunFolder(moved), Experiment(name="alone"))
    assert not (tmp_path / "index.html").exists()


def test_page_of_others_is_not_overwritten(shelve: Shelve, tmp_path: Path) -> None:
    """A site may hold runs below its own front page."""
    folder = shelve("x", 0.0, None)
    (tmp_path / "index.html").write_text("<h1>Ours</h1>")
    finish(folder, Experiment(name="x"))
    assert (tmp_path / "index.html").read_text() == "<h1>Ours</h1>"
