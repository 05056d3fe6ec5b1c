"""The runs that were: what their folders say, and their files, none of what lies beside them."""

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from harness.core.experiment import Call, Outcome
from harness.core.verdict import Result
from harness.errors import HarnessError
from harness.report.folder import RunFolder

MOST = 50
"""Runs that are listed, the newest."""
SHOWN = frozenset(
    {".csv", ".html", ".json", ".jsonl", ".log", ".md", ".parquet", ".png", ".svg", ".txt", ".xml", ".yaml"}
)


class RunListed(Struct, frozen=True, kw_only=True):
    """One run of the past, or one that is under way; without a verdict it has not come to one."""

    experiment: str
    start: str
    outcome: Outcome | None = None
    call: Call | None = None
    result: Result | None = None
    exit_code: int | None = None
    files: tuple[str, ...] = ()


def listed(reports: Path) -> tuple[RunListed, ...]:
    """The newest runs below a folder of reports, the newest first."""
    folders = sorted(_folders(reports), key=lambda path: (path.name, path.parent.name), reverse=True)
    return tuple(_listed(RunFolder(path)) for path in folders[:MOST])


def file_of(folder: Path, name: str) -> Path | None:
    """A file that a run left in its folder; None for anything else, wherever a name or a link may lead."""
    path = folder / name
    if Path(name).name != name or name.startswith(".") or path.suffix not in SHOWN:
        return None
    whole = path.resolve()
    return whole if whole.is_file() and whole.parent == folder.resolve() else None


def folder_of(reports: Path, experiment: str, start: str) -> Path | None:
    """The folder of a run by the names that `listed` gave; None where there is none."""
    return next((path for path in _folders(reports) if (path.parent.name, path.name) == (experiment, start)), None)


def _folders(reports: Path) -> Iterator[Path]:
    for manifest in reports.glob("*/*/manifest.json"):
        folder = manifest.parent
        if not folder.is_symlink() and not folder.parent.is_symlink():
            yield folder


def _listed(folder: RunFolder) -> RunListed:
    try:
        verdict = folder.read_verdict()
    except HarnessError:
        verdict = None
    return RunListed(
        experiment=folder.path.parent.name,
        start=folder.path.name,
        outcome=verdict.outcome if verdict else None,
        call=verdict.call if verdict else None,
        result=verdict.result if verdict else None,
        exit_code=verdict.exit_code if verdict else None,
        files=folder.files(),
    )
