"""Past runs: what their folders say, and their files, but nothing that lies beside them."""

from pathlib import Path

from msgspec import Struct

from harness.core.experiment.types import Call, Outcome
from harness.core.verdict.types import Result, result_in_words
from harness.report.folder import RunFolder
from harness.report.shelf import Listed, run_folders, runs

MOST = 50
"""How many runs are listed, the newest."""
LONGEST_NAME = 200
"""Bytes of a file's name, below what file systems take."""
SHOWN = frozenset(
    {".csv", ".html", ".json", ".jsonl", ".log", ".md", ".parquet", ".png", ".svg", ".txt", ".xml", ".yaml"}
)


class RunListed(Struct, frozen=True, kw_only=True):
    """One run, past or under way; without a verdict it has not been judged. `told` is its result in words."""

    experiment: str
    start: str
    outcome: Outcome | None = None
    call: Call | None = None
    result: Result | None = None
    told: str | None = None
    exit_code: int | None = None
    files: tuple[str, ...] = ()


def listed(reports: Path) -> tuple[RunListed, ...]:
    """The newest runs below a folder of reports, the newest first."""
    return tuple(_listed(run) for run in runs(reports, MOST))


def file_of(folder: Path, name: str) -> Path | None:
    """A file that a run left in its folder; None for anything else, also where a name or a link leads out of it."""
    if len(name.encode(errors="replace")) > LONGEST_NAME or "\0" in name:
        return None
    path = folder / name
    if Path(name).name != name or name.startswith(".") or path.suffix not in SHOWN:
        return None
    whole = path.resolve()
    return whole if whole.is_file() and whole.parent == folder.resolve() else None


def folder_of(reports: Path, experiment: str, start: str) -> Path | None:
    """The folder of a run by the names that `listed` gave; None where there is none."""
    return next((path for path in run_folders(reports) if (path.parent.name, path.name) == (experiment, start)), None)


def _listed(run: Listed) -> RunListed:
    verdict = run.verdict
    return RunListed(
        experiment=run.experiment,
        start=run.started,
        outcome=verdict.outcome if verdict else None,
        call=verdict.call if verdict else None,
        result=verdict.result if verdict else None,
        told=result_in_words(verdict) if verdict else None,
        exit_code=verdict.exit_code if verdict else None,
        files=RunFolder(run.folder).files(),
    )
