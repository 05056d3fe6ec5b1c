"""The command `canary-harness advise`: alarm and rollout settings that would do better, ready to paste."""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.releases import AskedRelease, add_release_arguments, asked_releases, fault_asked, with_options
from harness.cli.words import whole
from harness.errors import ExitCode, UsageError
from harness.streams import say, say_json

if TYPE_CHECKING:
    from harness.core.odds.advised import Advice, AdvisedOption
    from harness.templates.snippets import Names, Tool

EXIT_CODES = """\
exit codes:
  0    the advice is printed, or why there is none
  1    the harness failed
  2    usage, or no such experiment, run, template or deployment group
"""
TOOLS = ("serverless", "sam", "cdk", "terraform", "cli")


def add_advise_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    text = "an experiment, or run folders such as reports/latest: their alarm, traffic and failures"
    parser.add_argument("sources", nargs="*", metavar="FILE|NAME|RUN", help=text)
    add_release_arguments(parser)
    text = "print the snippet for this tool alone; may be repeated. Default: all"
    parser.add_argument("--as", dest="tools", action="append", choices=TOOLS, metavar="TOOL", help=text)
    parser.add_argument(
        "--option", type=whole, metavar="N", help="print the snippets of this option; default: the first"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document, with the snippets of all options")


def run_advise(options: argparse.Namespace) -> int:
    """Prints the advice; the exit code. Raises HarnessError."""
    asked = [*_asked(options)]
    advices = [_advice(one) for one in asked]
    if options.json:
        documents = [_document(advice, _names(one)) for advice, one in zip(advices, asked, strict=True)]
        say_json(documents[0] if len(documents) == 1 else {"schema": 1, "advices": documents})
    else:
        told = (_as_lines(advice, _names(one), options) for advice, one in zip(advices, asked, strict=True))
        say("\n\n".join("\n".join(lines) for lines in told))
    return ExitCode.AS_EXPECTED


def _asked(options: argparse.Namespace) -> Iterable[AskedRelease]:
    runs = [Path(source) for source in options.sources if Path(source).is_dir()]
    if runs and len(runs) < len(options.sources):
        raise UsageError("name either runs or one experiment")
    if runs:
        if options.template or options.function or options.stack or options.group or options.application:
            raise UsageError("runs tell their own release: leave --template, --function, --stack and --group out")
        return [_of_runs(options, runs)]
    if len(options.sources) > 1:
        raise UsageError(f"{options.sources[1]}: only runs may be several, and this is no run folder")
    options.experiment = options.sources[0] if options.sources else None
    return asked_releases(options)


def _of_runs(options: argparse.Namespace, paths: list[Path]) -> AskedRelease:
    from msgspec.structs import replace

    from harness.core.arming.of_runs import reckoned_of
    from harness.core.arming.snapshot import Unseen
    from harness.report.folder import RunFolder
    from harness.report.judging import read

    runs = [read(RunFolder.open(path)) for path in paths]
    experiment = runs[-1].evidence.experiment
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    found = AskedRelease(subject=f"{paths[0]}{more}", deployment=experiment.deployment, objective=experiment.objective)
    try:
        known = reckoned_of([(run.evidence, run.events) for run in runs])
    except Unseen as reason:
        return replace(found, unsaid=(f"Nothing can be advised: {reason}.",))
    setting = replace(known.setting, fault=fault_asked(options) or known.setting.fault)
    setting = with_options(setting, options)
    return replace(found, setting=setting, assumed=known.assumed, unsaid=known.unsaid)


def _advice(asked: AskedRelease) -> "Advice":
    from msgspec.structs import replace

    from harness.core.odds.advise import advise, taken_for_granted, with_usual
    from harness.core.odds.advised import Advice
    from harness.core.odds.asked import assumed_of

    if asked.setting is None:
        return Advice(subject=asked.subject, unsaid=asked.unsaid)
    if not asked.knows_rate:
        return Advice(subject=asked.subject, unsaid=("Nothing is advised without traffic: give --arrival-rate.",))
    setting, said = with_usual(asked.setting, asked.objective)
    found = advise(setting, subject=asked.subject)
    return replace(
        found, assumed=(*assumed_of(setting), *asked.assumed, *said, *taken_for_granted(found)), unsaid=asked.unsaid
    )


def _names(asked: AskedRelease) -> "Names":
    from harness.templates.snippets import names_of

    return names_of(asked.deployment, asked.logical)


# Printing


def _document(advice: "Advice", names: "Names") -> dict[str, Any]:
    from msgspec import to_builtins

    from harness.templates.snippets import TOOLS as ALL

    snippets = [{tool: _snippet(tool, one, names) for tool in ALL} for one in advice.options]
    return {**to_builtins(advice), "snippets": snippets}


def _snippet(tool: "Tool", option: "AdvisedOption", names: "Names") -> str | None:
    from harness.templates.snippets import snippet

    return snippet(tool, option.alarm, option.config, names) if option.alarm else None


def _as_lines(advice: "Advice", names: "Names", options: argparse.Namespace) -> Iterator[str]:
    from harness.core.odds.advise import words

    yield f"{advice.subject}: {advice.question}." if advice.question else f"{advice.subject}."
    yield from ("", advice.text) if advice.text else ()
    if advice.options:
        yield from (
            "",
            "   rolled back  in half within  failed requests  false of 100  smallest fault  release takes  setting",
        )
        standing = [(" -", advice.now)] if advice.now else []
        numbered = [(f"{number:2d}", one) for number, one in enumerate(advice.options, 1)]
        yield from (f"{mark}{_row(one)}  {words(one)}" for mark, one in [*numbered, *standing])
        yield from _snippets(advice, names, options)
    yield from ("", *advice.unsaid) if advice.unsaid else ()
    yield from ("", "Assumed: " + " ".join(advice.assumed)) if advice.assumed else ()


def _row(one: "AdvisedOption") -> str:
    from harness.core.numbers import of_100

    time_s = "never" if one.roll_back_s is None else f"{one.roll_back_s:.0f} s"
    smallest = "none" if one.smallest_fault is None else f"{one.smallest_fault:.1%}"
    cells = (
        (f"{of_100(one.chance)}", 12),
        (time_s, 14),
        (f"{one.failed:,.0f}", 15),
        (of_100(one.false_rollbacks / 100), 12),
        (smallest if one.alarm else "", 14),
        (f"{one.lasts_s / 60:.0f} min", 13),
    )
    return "  ".join(f"{text:>{width}}" for text, width in cells)


def _snippets(advice: "Advice", names: "Names", options: argparse.Namespace) -> Iterator[str]:
    from harness.core.odds.advise import words
    from harness.templates.snippets import TITLES
    from harness.templates.snippets import TOOLS as ALL

    number = options.option or 1
    if not 1 <= number <= len(advice.options):
        raise UsageError(f"--option {number}: there are options 1 to {len(advice.options)}")
    chosen = advice.options[number - 1]
    yield from ("", f"Option {number}: {words(chosen)}.")
    for tool in options.tools or ALL:
        text = _snippet(tool, chosen, names)
        if text is None:
            text = "serverless.yml has no name for the version on trial, which this alarm counts alone."
        yield from ("", f"{TITLES[tool]}:", "", text.rstrip())
