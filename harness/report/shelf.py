"""All runs below a folder such as reports/: what each came to, and the page that lists them."""

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from harness.core.timeline.bounds import Bounds
from harness.core.verdict.types import RESULTS, Verdict, result_in_words
from harness.errors import HarnessError
from harness.files import read_plain
from harness.report import facts
from harness.report.folder import RunFolder, replace_file
from harness.report.templating import render

INDEX = "index.html"
OURS = b'<meta name="generator" content="canary-harness">'
SIGNS = ("manifest.json", "timeline.jsonl", "verdict.json")
"""A folder with any of these holds a run."""
MOST_IN_TREND = 60
OVERVIEW_HEAD: facts.Row = ("experiment", "service", "runs", "pass rate", "newest result", "newest run")
HEAD: facts.Row = ("started", "outcome", "call", "result", "detect", "roll back", "failed", "exit")


class Listed(Struct, frozen=True, kw_only=True):
    """One run: its folder, when it started (UTC, as in the folder's name), and its verdict; None if it has none yet.

    `unreadable` says why its verdict cannot be read; None where it can, or where there is none.
    """

    folder: Path
    experiment: str
    started: str
    verdict: Verdict | None
    unreadable: str | None = None


def runs(root: Path, most: int | None = None) -> list[Listed]:
    """The runs below a folder, the newest first; what cannot be read of them is told as that."""
    newest_first = sorted(run_folders(root), key=lambda folder: (folder.name, folder.parent.name), reverse=True)
    return [_listed(folder) for folder in newest_first[:most]]


def run_folders(root: Path) -> Iterator[Path]:
    """The folders of runs below a folder, each once, whatever else there is; also those that lost a file."""
    for folder in {file.parent: None for name in SIGNS for file in root.glob(f"*/*/{name}")}:
        if not folder.is_symlink() and not folder.parent.is_symlink():
            yield folder


def write_index(root: Path) -> Path:
    """Writes index.html, the list of all runs below a folder, and returns its path; a page of others stays as it is.

    Raises OSError where that cannot be.
    """
    path = root / INDEX
    if path.exists() and OURS not in read_plain(path):
        return path
    replace_file(path, index(root).encode(errors="replace"))
    return path


def index(root: Path) -> str:
    """The page that lists all runs below a folder, by experiment: pass rates, trends, and which folders are damaged."""
    listed = runs(root)
    by_name = groupby(sorted(listed, key=lambda run: run.experiment), key=lambda run: run.experiment)
    shelves = [_shelf(name, sorted(group, key=lambda run: run.started, reverse=True), root) for name, group in by_name]
    shelves.sort(key=lambda shelf: str(shelf["newest"]), reverse=True)
    damaged = [(_below(run.folder, root), damage) for run in listed if (damage := _damage(run))]
    return render(
        "index.html",
        title="Runs of canary-harness",
        head=HEAD,
        overview=OVERVIEW_HEAD,
        results=RESULTS,
        facts=facts,
        shelves=shelves,
        damaged=damaged,
        count=len(listed),
    )


def _below(folder: Path, root: Path) -> str:
    return os.fsencode(folder.relative_to(root)).decode(errors="replace")


def _damage(run: Listed) -> str | None:
    """What is wrong with the folder of a run; None where nothing is."""
    return run.unreadable or (None if (run.folder / SIGNS[0]).is_file() else f"{SIGNS[0]} is missing")


def _listed(folder: Path) -> Listed:
    listed = Listed(folder=folder, experiment=folder.parent.name, started=folder.name, verdict=None)
    try:
        return replace(listed, verdict=RunFolder(folder).read_verdict())
    except HarnessError as error:
        return replace(listed, unreadable=str(error))


def _shelf(name: str, listed: Sequence[Listed], root: Path) -> dict[str, Any]:
    told = [(when(run.started), run.verdict.detection) for run in reversed(listed) if run.verdict][-MOST_IN_TREND:]
    return {
        "name": name,
        "newest": listed[0].started,
        "cells": (_service(listed), str(len(listed)), pass_rate(listed), _newest(listed), when(listed[0].started)),
        "rows": [_row(run, root) for run in listed],
        "trends": [
            trend("time to detect", [(started, seen.time_to_detect_s) for started, seen in told]),
            trend("time to roll back", [(started, seen.time_to_roll_back_s) for started, seen in told]),
        ],
    }


def _service(listed: Iterable[Listed]) -> str:
    """The CodeDeploy application of the newest run that saw one."""
    seen = (run.verdict.deployment.application for run in listed if run.verdict)
    return next(filter(None, seen), facts.NOT_MEASURED)


def pass_rate(listed: Iterable[Listed]) -> str:
    """How many runs were as expected, of those that have a verdict and expected something."""
    asked = [run.verdict for run in listed if run.verdict and run.verdict.has_expectation]
    passed = sum(verdict.result == "as_expected" for verdict in asked)
    return f"{facts.percent(passed / len(asked))} ({passed} of {len(asked)})" if asked else facts.NOT_MEASURED


def _newest(listed: Sequence[Listed]) -> str:
    verdict = listed[0].verdict
    return result_in_words(verdict) if verdict else _why_none(listed[0])


def _row(run: Listed, root: Path) -> dict[str, Any]:
    verdict = run.verdict
    page = RunFolder(run.folder).page
    return {
        "link": quote(os.fsencode((page if page.exists() else run.folder).relative_to(root))),
        "started": when(run.started),
        "result": verdict.result if verdict else "none",
        "cells": _cells(verdict) if verdict else (_why_none(run), *[facts.NOT_MEASURED] * (len(HEAD) - 2)),
    }


def _why_none(run: Listed) -> str:
    return "unreadable" if run.unreadable else "no verdict"


def _cells(verdict: Verdict) -> facts.Row:
    told = facts.run(verdict)
    return (*told[1:6], facts.count(verdict.exposure.failed_requests), told[6])


def when(stamp: str) -> str:
    """The start as a person writes it; the folder's name where that is no instant."""
    try:
        started = datetime.strptime(stamp[:16], "%Y%m%dT%H%M%SZ")
    except ValueError:
        return stamp
    return f"{started:%Y-%m-%d %H:%M:%S} UTC"


def trend(name: str, values: Iterable[tuple[str, Bounds | None]]) -> dict[str, Any] | None:
    """A line of the middles of bounds by when runs started, oldest first and from zero up; None of fewer than two.

    Its box is 100 by 30.
    """
    middles = [(started, sum(bounds) / 2) for started, bounds in values if bounds]
    if len(middles) < 2:
        return None
    numbers = [value for _, value in middles]
    low, high = min(numbers), max(numbers)
    return {
        "name": name,
        "high": f"{high:.0f} s",
        "from": middles[0][0][:10],
        "to": middles[-1][0][:10],
        "marks": [
            {
                "x": round(100 * at / (len(middles) - 1), 1),
                "y": round(29 - 28 * value / (high or 1.0), 1),
                "told": f"{value:.0f} s, {started}",
            }
            for at, (started, value) in enumerate(middles)
        ],
        "told": f"{name} over {len(middles)} runs: from {numbers[0]:.0f} s to {numbers[-1]:.0f} s "
        f"(lowest {low:.0f} s, highest {high:.0f} s)",
    }
