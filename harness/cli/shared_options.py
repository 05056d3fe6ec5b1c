"""The options that several commands have in common."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.words import duration

if TYPE_CHECKING:
    from harness.report.printing import Print


def add_traffic_options(parser: argparse.ArgumentParser) -> None:
    """Adds what changes the traffic of an experiment."""
    loop = parser.add_mutually_exclusive_group()
    text = "requests per second, whatever the answers: 20, or '5 for 30s, to 50 in 1m'"
    loop.add_argument("--arrival-rate", type=_text_of("arrival_rate"), metavar="RATE", help=text)
    text = "this many users that each wait for the answer, instead of a rate"
    loop.add_argument("--users", type=_text_of("users"), metavar="N", help=text)
    text = "share of requests that are meant to fail, 0 to 1"
    parser.add_argument("--error-share", type=_text_of("error_share"), metavar="SHARE", help=text)
    text = "your own locustfile instead of ours; --users says how many"
    parser.add_argument("-f", "--locustfile", metavar="FILE", help=text)


def add_run_options(parser: argparse.ArgumentParser, *, lasts: str) -> None:
    """Adds how long a run may take, what it is called, and on what it stops the deployment."""
    text = "stop the deployment, with a rollback, once there is enough of it against the canary: evidence"
    parser.add_argument("--stop-on", type=_text_of("stop_on"), metavar="WHAT", help=text)
    parser.add_argument("--give-up", "--duration", dest="give_up", type=duration, metavar="TIME", help=lasts)
    text = "what the run is called: its folder, and in reports"
    parser.add_argument("--name", type=_text_of("name"), metavar="NAME", help=text)


def add_shadow(parser: argparse.ArgumentParser) -> None:
    """Adds the file of alarms that do not exist."""
    text = "alarms that do not exist, evaluated beside the real ones; see harness/run/README.md"
    parser.add_argument("--shadow", metavar="FILE", help=text)


def add_version_header(parser: argparse.ArgumentParser) -> None:
    """Adds which answers of the local cloud name the version that gave them."""
    text = "answers that name their version: all, as on AWS only those that the function gave, or none; default: all"
    parser.add_argument("--version-header", choices=("all", "answers", "none"), default="all", help=text)


def add_result_options(parser: argparse.ArgumentParser) -> None:
    """Adds where the reports of a run are kept, and what is printed of it."""
    parser.add_argument("--reports", type=Path, default=Path("reports"), metavar="DIR", help="where run folders go")
    printed = parser.add_mutually_exclusive_group()
    printed.add_argument("--json", action="store_true", help="print one JSON document instead of the summary")
    printed.add_argument("-q", "--quiet", action="store_true", help="print only the verdict, and what is wrong")
    printed.add_argument(
        "-v", "--verbose", action="store_true", help="print all tables, the log, and what Locust prints"
    )


def printing_of(options: argparse.Namespace) -> "Print":
    """What is to be printed at the end."""
    if options.json:
        return "json"
    return "verdict" if options.quiet else "all" if options.verbose else "summary"


def _text_of(name: str) -> Callable[[str], str]:
    """Gives the text of an option back as it came if the overlay can read it."""

    def check(text: str) -> str:
        from harness.core.experiment.overlay import OPTIONS

        try:
            OPTIONS[name].read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
        return text

    return check
