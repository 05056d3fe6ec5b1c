"""The command `canary-harness whatif`: what other settings would have done with a run that was."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.words import picture
from harness.errors import ExitCode, UsageError
from harness.streams import say, say_json

if TYPE_CHECKING:
    from harness.core.odds.sweep import Sweep
    from harness.core.odds.whatif import Other, Recorded, Replayed

EXIT_CODES = """\
exit codes:
  0    the answer is printed, whatever it says
  1    the harness failed
  2    usage, no such run, or a run that cannot be replayed
"""
MOST_DRAWN = 1000
_TEXTS = {
    "threshold": ("N", "another threshold"),
    "period": ("TIME", "another period, in whole minutes"),
    "evaluation-periods": ("N", "so many periods are evaluated"),
    "datapoints": ("M", "so many of them make ALARM"),
    "missing": ("HOW", "missing, ignore, breaching or notBreaching"),
    "dimension": ("WHOSE", "function counts all versions, version the canary's requests alone"),
    "metric": ("NAME", "another metric, such as 5XXError"),
    "config": ("NAME", "another deployment configuration, such as Linear10PercentEvery1Minute"),
    "alarm-delay": ("TIME", "from the end of the deciding minute to ALARM; default: the run's own"),
    "stop-delay": ("TIME", "from ALARM to the stop; default: the run's own"),
}


def add_whatif_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder, such as reports/latest")
    parser.add_argument("--alarm", metavar="NAME", help="the alarm to replay; default: the group's first metric alarm")
    for name, (value, text) in _TEXTS.items():
        parser.add_argument(f"--{name}", metavar=value, help=text)
    text = "several values at once, as a table: threshold=1..10 period=60,300"
    parser.add_argument("--sweep", nargs="+", default=[], metavar="NAME=VALUES", help=text)
    text = "with --sweep: save the table as a picture, too: .svg, .png or .html"
    parser.add_argument("--chart", type=picture, metavar="FILE", help=text)
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run_whatif(options: argparse.Namespace) -> int:
    """Replays the run; the exit code. Raises HarnessError."""
    from harness.core.odds.sweep import axes, swept
    from harness.core.odds.whatif import recorded, replayed
    from harness.core.timeline.metric_math import NotEvaluated
    from harness.report.folder import RunFolder
    from harness.report.judging import read

    wanted, other = axes(options.sweep), _other(options)
    if options.chart and not wanted:
        raise UsageError("--chart draws a --sweep")
    evidence = read(RunFolder.open(options.run)).evidence
    try:
        run = recorded(evidence, options.alarm)
        as_it_was = replayed(run, type(other)())
        if wanted:
            found = swept(run, other, wanted)
            if options.chart:
                _draw(options.chart, run, found)
            _print_sweep(run, as_it_was, found, as_json=options.json)
        else:
            _print(run, as_it_was, replayed(run, other), as_json=options.json)
    except NotEvaluated as reason:
        raise UsageError(f"the alarm cannot be evaluated, so nothing can be replayed: {reason}") from reason
    return ExitCode.AS_EXPECTED


def _other(options: argparse.Namespace) -> "Other":
    from harness.core.odds.sweep import with_value
    from harness.core.odds.whatif import Other

    other = Other()
    for name in _TEXTS:
        given = getattr(options, name.replace("-", "_"))
        if given is not None:
            other = with_value(other, name, given)
    return other


def _print(run: "Recorded", as_it_was: "Replayed", found: "Replayed", *, as_json: bool) -> None:
    if as_json:
        say_json({"schema": 1, "alarm": run.alarm.name, "as_it_was": as_it_was, "otherwise": found})
        return
    say(f"As it was:  {sentence(as_it_was)}")
    say(f"Otherwise:  {sentence(found)}")
    if found.extrapolated:
        say(EXTRAPOLATED)


EXTRAPOLATED = (
    "* Extrapolated: what decided was not recorded so, as after the real rollback or at another share of the traffic. "
    "It comes from the recorded rate, and from the recorded failure ratio of each version."
)


def sentence(found: "Replayed") -> str:
    """What would have happened, in one sentence."""
    if found.came == "unknown":
        return f"Not known: {found.why}."
    mark = " *" if found.extrapolated else ""
    hurt = f"{found.failed:.0f} requests failed by then"
    if found.came == "rolled_back" and not found.stopped_s:
        return f"Stopped as it was created, since the alarm was in ALARM by then.{mark}"
    if found.came == "rolled_back":
        return f"Rolled back {found.stopped_s:.0f} s after the creation (ALARM at {found.alarm_s:.0f} s); {hurt}.{mark}"
    late = f"ALARM came at {found.alarm_s:.0f} s, too late" if found.alarm_s is not None else "no ALARM"
    return f"Promoted {found.last_shift_s:.0f} s after the creation ({late}); {hurt}.{mark}"


# The table of a sweep


def _draw(path: Path, run: "Recorded", found: "Sweep") -> None:
    """Raises UsageError where a picture would be too large to read."""
    from harness.report.heat_chart import heat_chart
    from harness.report.picture_page import save_picture

    if len(found.cells) > MOST_DRAWN:
        raise UsageError(f"--chart: {len(found.cells):,} cells are too many to draw; give at most {MOST_DRAWN:,}")
    title = f"{run.alarm.name}: seconds from the creation to the stop; - is a promotion, * is extrapolated"
    save_picture(heat_chart(found, title), path, "What other settings would have done")


def _print_sweep(run: "Recorded", as_it_was: "Replayed", found: "Sweep", *, as_json: bool) -> None:
    if as_json:
        say_json({"schema": 1, "alarm": run.alarm.name, "as_it_was": as_it_was, "sweep": found})
        return
    from harness.report.heat import heat_table
    from harness.streams import console

    say(f"As it was:  {sentence(as_it_was)}")
    console().print(heat_table(found))
    say("Seconds from the creation to the stop; - is a promotion, ? is not known.")
    if any(cell.replayed.extrapolated for cell in found.cells):
        say(EXTRAPOLATED)
