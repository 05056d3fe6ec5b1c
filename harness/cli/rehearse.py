"""The command `canary-harness rehearse`: plays experiments against a local cloud, and judges them."""

import argparse
import contextlib
import os
import re
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.shared_options import (
    add_result_options,
    add_run_options,
    add_shadow,
    add_traffic_options,
    add_version_header,
    printing_of,
)
from harness.cli.words import REHEARSAL_SPEED, complain, for_rehearsal, given_of, pair, speed, whole
from harness.errors import ExitCode, HarnessError, UsageError, worst
from harness.streams import console, say, say_json, tell

if TYPE_CHECKING:
    from harness.core.experiment.types import Experiment
    from harness.core.timeline.events import RunEnded
    from harness.core.verdict.types import Verdict
    from harness.processes import Interrupted, Interrupts
    from harness.rehearsal.play import Played
    from harness.report.folder import RunFolder
    from harness.templates import TemplateRelease
    from harness.templates.release import Problem, ReleasedFunction

OWN_SERVICE_SPEED = 10.0
"""A service of one's own meets `speed` times the planned rate in wall time, so it gets a gentler default."""


def add_rehearse_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command; what stands after `--` is a command that deploys."""
    parser.set_defaults(takes_command=True)
    parser.add_argument("experiments", nargs="*", metavar="NAME|FILE", help="default: healthy and erroruser")
    parser.add_argument("--all", action="store_true", help="play every experiment of the package")
    parser.add_argument("--list", action="store_true", help="list the experiments of the package")
    default = f"{REHEARSAL_SPEED:g}, with a service or locustfile of your own {OWN_SERVICE_SPEED:g}"
    text = f"experiment seconds in a second; default: {default}; 1 is as slow as AWS"
    parser.add_argument("--speed", type=speed, metavar="N", help=text)
    parser.add_argument("--seed", type=whole, help="instead of the seed of the experiment")
    text = (
        "play the release of this template (SAM, CloudFormation, serverless.yml, Terraform): preference, alarm, hooks"
    )
    parser.add_argument("--template", type=Path, metavar="FILE", help=text)
    text = "with --template: which of its functions; default: all that are released"
    parser.add_argument("--function", metavar="NAME", help=text)
    text = "with --template: what the template cannot know, such as a parameter or an import; may be repeated"
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help=text)
    text = "with --template: the bundled service answers in place of its code, and hooks report success"
    parser.add_argument("--stand-in", action="store_true", help=text)
    text = "with a command after --, which deploys twice: the folder to deploy the change from; default: this one"
    parser.add_argument("--change", type=Path, metavar="DIR", help=text)
    add_version_header(parser)
    add_traffic_options(parser)
    add_run_options(parser, lasts="experiment time that a run takes at most; a release still open by then is given up")
    add_shadow(parser)
    add_result_options(parser)


def run_rehearse(options: argparse.Namespace) -> int:
    """Runs the command; the exit code is the worst of all runs. Raises HarnessError."""
    if options.list:
        return _list(options)
    from harness.processes import Interrupts, check_locustfile, ends_with
    from harness.report.drawing import bundling

    check_locustfile(options.locustfile)
    if options.others:
        from harness.cli.tool_rehearsal import rehearse_by_tool

        return rehearse_by_tool(options, options.speed or OWN_SERVICE_SPEED)
    if options.change:
        raise UsageError("--change goes with a command after --: rehearse --change DIR -- sam deploy")
    experiments = [*experiments_of(options)]
    if options.speed is None:
        options.speed = OWN_SERVICE_SPEED if options.locustfile else _gentle_speed(experiments)
    with bundling(), Interrupts() as stop:
        code = _rehearsed(experiments, options, stop)
        ends_with(code)
    return code


def experiments_of(options: argparse.Namespace) -> "Iterator[Experiment]":
    """The experiments that were asked for, with what the template says of the release."""
    if (options.function or options.parameter or options.stand_in) and not options.template:
        raise UsageError("--function, --parameter and --stand-in go with --template")
    given = {**given_of(options), "function": None}
    if not options.template:
        yield from (for_rehearsal(word, given) for word in _chosen(options))
        return
    import msgspec

    from harness.templates import as_released, read_release

    release = read_release(options.template, dict(map(pair, options.parameter)), os.environ, with_code=True)

    every = [one.logical for one in release.released]
    functions: list[str | None] = [options.function] if options.function or not every else [*every]

    def released(function: str | None, experiment: "Experiment") -> "Experiment":
        played = as_released(release, function, experiment, stand_in=options.stand_in)
        return msgspec.structs.replace(played, name=_named(played.name, function)) if len(functions) > 1 else played

    for function in functions:
        _tell_what_disarms(release, function)
        for word in _chosen(options):
            played = for_rehearsal(word, given, partial(released, function))
            _tell_what_answers(played, options.template)
            yield played


def _named(experiment: str, function: str | None) -> str:
    """The experiment's name with that of one of several functions; a run folder is called so."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{experiment}-{function}")[:64]


def _tell_what_disarms(release: "TemplateRelease", function: str | None) -> None:
    """What no rehearsal shows, since it sends all requests by the alias."""
    from harness.templates.examine import hooks_can_be_invoked
    from harness.templates.rehearsal import chosen

    one = chosen(release, function)
    told = [(release.place(said.line), said.text) for said in release.problems if _disarms(said, one)]
    if (answer := hooks_can_be_invoked(release, one)).severity == "error":
        told.append((release.place(one.line), answer.seen))
    for place, text in told:
        tell(f"{place}: {text} The rehearsal is played as if that were mended.")


def _disarms(problem: "Problem", one: "ReleasedFunction") -> bool:
    return problem.severity == "error" and problem.function == one.logical


def _tell_what_answers(played: "Experiment", template: Path) -> None:
    if played.baseline.is_bundled or played.canary.is_bundled:
        tell(f"{played.name}: the release is that of {template}, but the bundled service answers, as you asked")
    elif not played.traffic.requests:
        tell(f"{played.name}: the requests are those of the bundled service; say yours in traffic.requests")


def _rehearsed(experiments: "Sequence[Experiment]", options: argparse.Namespace, stop: "Interrupts") -> int:
    from harness.processes import Interrupted

    runs: list[_Run] = []
    folders: list[RunFolder] = []
    try:
        with contextlib.closing(_played(experiments, options, folders, stop)) as played:
            for run in played:
                runs.append(run)
                _show(run, options)
    except Interrupted as error:
        complain(f"{error}{_left_by(folders[-1], error) if folders else ''}")
        return error.exit_code
    finally:
        _show_all(runs, options)
    return worst(run.exit_code for run in runs)


def _left_by(folder: "RunFolder", error: "Interrupted") -> str:
    """Where to read of a run that a signal stopped; where its own process was ended before it could, we write it."""
    from harness.core.timeline.events import RunEnded

    if folder.read_verdict() is None:
        detail = f"{error.signal} came before the run could begin or end by itself"
        _judged_for(folder, RunEnded(at_s=0.0, why="stopped", detail=detail, signal=error.signal))
    return f"; what happened until then is in {folder.path}"


@dataclass(frozen=True)
class _Run:
    """One experiment that was played."""

    folder: Path
    exit_code: int
    verdict: "Verdict | None"


def _gentle_speed(experiments: "Sequence[Experiment]") -> float:
    arms = [arm for experiment in experiments for arm in (experiment.baseline, experiment.canary)]
    return OWN_SERVICE_SPEED if not all(arm.is_bundled for arm in arms) else REHEARSAL_SPEED


def _chosen(options: argparse.Namespace) -> Sequence[str]:
    from harness import experiments

    if options.all and options.experiments:
        raise UsageError("give names or --all, not both")
    words: Sequence[str] = options.experiments
    if options.name and (options.all or len(words) != 1):
        raise UsageError("--name is for one experiment; name the one that is to be called so")
    return experiments.NAMES if options.all else words or experiments.PAIR


def _played(
    experiments: "Sequence[Experiment]", options: argparse.Namespace, folders: "list[RunFolder]", stop: "Interrupts"
) -> Generator[_Run, None, None]:
    from harness.rehearsal.cloudwatch.fed import concurrency_at
    from harness.rehearsal.play import CloudOptions, PlayedLocust, play
    from harness.rehearsal.stack import counts_concurrency
    from harness.report.folder import RunFolder

    def open_folder(experiment: "Experiment") -> Path:
        folder = RunFolder.create(options.reports, experiment.name, time.time())
        folder.write_manifest(experiment, ["canary-harness", *options.words])
        folders.append(folder)
        told = " ".join(filter(None, (f"{experiment.name}:", experiment.description)))
        if not options.quiet:
            tell(f"{told} (speed {options.speed:g}, seed {experiment.seed})")
        if counts_concurrency(experiment) and (reason := concurrency_at(options.speed)):
            tell(f"{experiment.name}: {reason}")
        return folder.path

    sender = PlayedLocust(options.locustfile, quiet=options.quiet, verbose=options.verbose)
    asked = CloudOptions(options.speed, options.version_header)
    plays = play(experiments, asked, open_folder=open_folder, stop=stop, sender=sender)
    with contextlib.closing(plays):
        for played in plays:
            yield _run_of(played)


def _run_of(played: "Played") -> _Run:
    from harness.core.timeline.events import RunEnded
    from harness.report.folder import RunFolder

    folder = RunFolder.open(played.folder)
    verdict, trouble = folder.read_verdict(), played.trouble
    if verdict is None and not trouble:
        trouble = f"Locust ended with exit code {played.exit_code} and no verdict"
    if trouble:
        complain(f"{played.experiment.name}: {trouble}; see {played.folder}")
        verdict = _judged_for(folder, RunEnded(at_s=0.0, why="failed", detail=trouble))
    code = ExitCode.HARNESS_FAILED if verdict is None else verdict.exit_code
    return _Run(played.folder, worst((played.exit_code, code)), verdict)


def _judged_for(folder: "RunFolder", ended: "RunEnded") -> "Verdict | None":
    """Ends and judges a run in the place of a Locust process that died; None where not even that can be done."""
    from harness.report.finish import finish_with

    try:
        return finish_with(folder, folder.read_experiment(), ended)
    except HarnessError:
        return None


def _show(run: _Run, options: argparse.Namespace) -> None:
    if run.verdict:
        from harness.report.actions import announce
        from harness.report.folder import RunFolder

        announce(run.verdict, RunFolder(run.folder))
    if run.verdict and not options.json:
        from harness.report.printing import print_verdict

        print_verdict(printing_of(options), run.folder, run.exit_code, run.verdict)


def _show_all(runs: Sequence[_Run], options: argparse.Namespace) -> None:
    from harness.report.printing import verdict_document

    if options.json:
        say_json({"runs": [verdict_document(run.folder, run.exit_code, run.verdict) for run in runs]})
    elif len(runs) > 1 and not options.quiet:
        from harness.report.terminal import overview

        overview([run.verdict for run in runs if run.verdict], console())


def _list(options: argparse.Namespace) -> int:
    from harness import experiments
    from harness.run.experiment import read_experiment

    if options.experiments:
        raise UsageError("--list lists what comes with the package; leave the names out")

    told = {name: read_experiment(name).description for name in experiments.NAMES}
    if options.json:
        say_json([{"name": name, "description": description} for name, description in told.items()])
        return ExitCode.AS_EXPECTED
    width = max(map(len, told))
    for name, description in told.items():
        say(f"{name:{width}}  {description}")
    return ExitCode.AS_EXPECTED
