"""The command `canary-harness report`: the reports of a run again, and its chart and table in other forms."""

import argparse
import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ExitCode, UsageError
from harness.streams import say, tell

if TYPE_CHECKING:
    from harness.report.folder import RunFolder
    from harness.report.judged_run import JudgedRun

EXIT_CODES = """\
exit codes:
  0    the reports were written, whatever they say
  1    the harness failed, the timeline cannot be read, or nothing could be written
  2    usage, or no such run
"""
PICTURES = (".svg", ".png")
TABLES = (".csv", ".parquet")


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `report`."""
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder, such as reports/latest")
    text = "save the main chart, too, as FILE.svg or FILE.png, without a browser; may be given for both"
    parser.add_argument("--chart", type=_ending(PICTURES), action="append", default=[], metavar="FILE", help=text)
    text = "show on the page what a release like this one would come to: chances, and times to roll back"
    parser.add_argument("--odds", action="store_true", help=text)
    text = (
        "save the per-second table, too, as FILE.csv or FILE.parquet (which needs the extra canary-harness[parquet]); "
        "may be given for both"
    )
    parser.add_argument("--table", type=_ending(TABLES), action="append", default=[], metavar="FILE", help=text)


def run_report(options: argparse.Namespace) -> int:
    """Makes all reports of a run again from its timeline alone, and prints where they are."""
    from harness.report.folder import RunFolder
    from harness.report.judging import read
    from harness.report.saving import save_table

    folder = RunFolder.open(options.run)
    run = read(folder)
    with _drawing(run, options.chart):
        written = (
            [folder.verdict, folder.markdown, folder.junit, folder.page]
            if saved(folder, run, odds=options.odds)
            else []
        )
        for path in options.table:
            save_table(run, path)
            written.append(path)
    written.extend(options.chart)
    for path in written:
        say(str(path))
    return ExitCode.AS_EXPECTED if written else ExitCode.HARNESS_FAILED


def saved(folder: "RunFolder", run: "JudgedRun", *, odds: bool = False) -> bool:
    """Whether the reports could be written into the folder of the run; says in a sentence why not."""
    from harness.report.finish import write

    try:
        write(folder, run, odds=odds)
    except OSError as error:
        tell(f"canary-harness: no report is saved: {folder.path}: {error.strerror or error}")
        return False
    return True


@contextlib.contextmanager
def _drawing(run: "JudgedRun", paths: Sequence[Path]) -> Iterator[None]:
    """Saves the main chart meanwhile, on another core where there is one: to draw it is a third of all the work."""
    from concurrent.futures import ThreadPoolExecutor

    from harness.report.chart import chart
    from harness.report.drawing import save_pictures

    spec = chart(run) if paths else None
    with ThreadPoolExecutor(1) as beside:
        drawn = beside.submit(save_pictures, spec, paths) if spec else None
        yield
        if drawn:
            drawn.result()
    if paths and not spec:
        raise UsageError(f"--chart {paths[0]}: nothing was seen and nothing was sent, so there is no chart")


def _ending(endings: Sequence[str]) -> Callable[[str], Path]:
    def path(word: str) -> Path:
        if Path(word).suffix not in endings:
            raise argparse.ArgumentTypeError(f"must end in {' or '.join(endings)}, got {word}")
        return Path(word)

    return path
