"""The command `canary-harness compare`: runs side by side, and whether something got worse."""

import argparse
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from harness.errors import UsageError
from harness.streams import console, say_json

if TYPE_CHECKING:
    from harness.report.compared_runs import ComparedRun

EXIT_CODES = """\
exit codes:
  0    nothing is worse than before
  1    the harness failed
  2    usage, or no such run
  3    regression: something is worse than before, beyond the tolerance
  4    not comparable: a number was not measured in a later run, or a latency at another speed
"""


def add_compare_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `compare`."""
    parser.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="run folders; the first is the measure, or the first N"
    )
    text = (
        "so many runs, from the first on, are the measure, and their spread is what repeated runs scatter; default: 1"
    )
    parser.add_argument("--before", type=int, default=1, metavar="N", help=text)
    text = "by how much more than before a number may be, as a share; default: 0.2"
    parser.add_argument("--tolerance", type=_share, default=0.2, metavar="SHARE", help=text)
    parser.add_argument("--html", type=Path, metavar="FILE", help="save the comparison as a page, too")
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON instead of a table")


def run_compare(options: argparse.Namespace) -> int:
    """Compares runs, judged again from their timelines; the exit code says whether something got worse."""
    from harness.report.compare import compare
    from harness.report.comparison import compared_page

    if len(options.runs) < 2:
        raise UsageError("compare needs two runs or more, such as reports/erroruser/*")
    if not 1 <= options.before < len(options.runs):
        raise UsageError(f"--before must leave a run to compare: give 1 to {len(options.runs) - 1}")
    runs = _judged(options.runs)
    comparison = compare(runs, options.tolerance, options.before)
    if options.html:
        links = [_link(path, options.html.parent) for path in options.runs]
        options.html.write_text(compared_page(comparison, runs, links), encoding="utf-8")
    if options.json:
        import msgspec

        say_json({"exit_code": int(comparison.exit_code), **msgspec.to_builtins(comparison)})
    else:
        from harness.report.comparison import show

        show(comparison, console())
    return comparison.exit_code


def _judged(paths: Sequence[Path]) -> list["ComparedRun"]:
    from harness.report.compared_runs import compared_run
    from harness.report.folder import RunFolder
    from harness.report.judging import read

    return [compared_run(path, read(RunFolder.open(path))) for path in paths]


def _link(run: Path, beside: Path) -> str:
    """Where the report of a run is, seen from a folder; empty where there is none."""
    page = run.resolve() / "report.html"
    return quote(os.fsencode(os.path.relpath(page, beside.resolve()))) if page.is_file() else ""


def _share(word: str) -> float:
    try:
        share = float(word)
    except ValueError:
        share = math.nan
    if not 0 <= share < math.inf:
        raise argparse.ArgumentTypeError(f"must be a share, 0 or more, such as 0.2 for 20 %, got {word}")
    return share
