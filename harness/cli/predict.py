"""The command `canary-harness predict`: the chances of a release, before it."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.releases import AskedRelease, add_release_arguments, asked_releases
from harness.cli.words import picture
from harness.errors import ExitCode, UsageError
from harness.streams import say, say_json

if TYPE_CHECKING:
    from harness.core.odds.prediction import Prediction

EXIT_CODES = """\
exit codes:
  0    the prediction is printed, whatever it says
  1    the harness failed
  2    usage, or no such experiment, template or deployment group
"""
NO_RATE = "No chance is said without traffic: give --arrival-rate."
ABOVE = " What does not depend on it is above."


def add_predict_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument(
        "experiment", nargs="?", metavar="FILE|NAME", help="an experiment: its alarm, traffic and fault"
    )
    add_release_arguments(parser)
    text = "save the chance over rates and over shares that fail, and the times to roll back: .svg, .png or .html"
    parser.add_argument("--chart", type=picture, metavar="FILE", help=text)
    printed = parser.add_mutually_exclusive_group()
    printed.add_argument("--json", action="store_true", help="print one JSON document")
    printed.add_argument(
        "-q", "--quiet", action="store_true", help="print only the question, the chance, and what binds"
    )


def run_predict(options: argparse.Namespace) -> int:
    """Prints the prediction; the exit code. Raises HarnessError."""
    asked = [*asked_releases(options)]
    predictions = [*map(_predicted, asked)]
    if options.chart:
        _draw(options.chart, asked)
    if options.json:
        say_json(predictions[0] if len(predictions) == 1 else {"schema": 1, "predictions": predictions})
    elif options.quiet:
        say("\n".join(line for one in predictions for line in _in_short(one)))
    else:
        say("\n\n".join("\n".join(_as_lines(one)) for one in predictions))
    return ExitCode.AS_EXPECTED


def _draw(path: Path, asked: list[AskedRelease]) -> None:
    """Raises UsageError where there is not one release to draw."""
    from harness.core.odds.curve import detection_curve, roll_back_bins, share_curve
    from harness.report.odds_chart import odds_chart
    from harness.report.picture_page import save_picture

    if len(asked) != 1:
        raise UsageError("--chart draws one release: choose it by --function")
    setting = asked[0].setting
    points = [*detection_curve(setting)] if setting and asked[0].knows_rate else []
    if setting is None or not points:
        raise UsageError("--chart: nothing can be drawn of a release without chances or traffic")
    now, title = max(rate for _, rate in setting.rate), asked[0].subject
    spec = odds_chart(points, share_curve(setting), roll_back_bins(setting), now=now, title=title)
    save_picture(spec, path, title)


def _predicted(asked: AskedRelease) -> "Prediction":
    from msgspec.structs import replace

    from harness.core.odds.asked import assumed_of, question_of
    from harness.core.odds.predict import by_hours, of_rehearsals, predict
    from harness.core.odds.prediction import Prediction

    setting = asked.setting
    if setting is None:
        return Prediction(subject=asked.subject, unsaid=asked.unsaid)
    found = predict(setting, subject=asked.subject, question=question_of(setting), knows_rate=asked.knows_rate)
    hours = by_hours(setting, asked.hours) if found.outlook else ()
    if asked.is_rehearsed:
        first, *rest = found.lines
        found = replace(found, lines=(first, *of_rehearsals(setting, found), *rest))
    lacking = () if asked.knows_rate else (NO_RATE + (ABOVE if found.lines else ""),)
    return replace(
        found,
        lines=(*found.lines, *hours),
        assumed=(*assumed_of(setting), *asked.assumed),
        unsaid=(*lacking, *asked.unsaid),
    )


# Printing


def _in_short(found: "Prediction") -> Iterable[str]:
    yield f"{found.subject}: {found.question}." if found.question else f"{found.subject}."
    yield from (line.text for line in found.lines if line.id in ("rolled_back", "rehearsed"))
    yield from filter(None, (found.binding, *found.unsaid))


def _as_lines(found: "Prediction") -> Iterable[str]:
    yield f"{found.subject}: {found.question}." if found.question else f"{found.subject}."
    yield ""
    yield from (f"  {line.by:<9}  {line.text}" for line in found.lines)
    if found.presets:
        yield ""
        width = max(len(one.name) for one in found.presets)
        yield "  Chance to catch it before the last shift, by preset:"
        yield from (f"  {one.by:<9}  {one.name:<{width}}  {one.chance:.1%}" for one in found.presets)
    yield from ("", found.binding) if found.binding else ()
    yield from ("", *found.unsaid) if found.unsaid else ()
    yield from ("", "Assumed: " + " ".join(found.assumed)) if found.assumed else ()
