"""The command line: `canary-harness`, also `python -m harness`."""

import argparse
import contextlib
import difflib
import math
import os
import sys
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from harness.core.version import __version__
from harness.errors import ExitCode, HarnessError, UsageError, worst
from harness.streams import bear_any_stream, console, flush, say, say_json, tell

if TYPE_CHECKING:
    from harness.core.experiment.types import Experiment
    from harness.core.timeline.events import RunEnded
    from harness.core.verdict.types import Verdict
    from harness.processes import Interrupted
    from harness.rehearsal.play import Played
    from harness.report.folder import RunFolder

EXIT_CODES = """\
exit codes:
  0    the outcome is as expected
  1    the harness or its surroundings failed
  2    usage or configuration
  3    the outcome is contrary to the expectation, or a criterion is not met
  4    inconclusive
  5    stopped by a guard rail
  130  interrupted (SIGINT); 143 terminated (SIGTERM)
"""
ADHOC = "adhoc"
REHEARSAL_SPEED = 60.0
HIGHEST_SPEED = 1000.0
OWN_SERVICE_SPEED = 10.0
"""A service of one's own meets `speed` times the planned rate in wall time, so it gets a gentler default."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    bear_any_stream()
    try:
        code = _run(words)
    except HarnessError as error:
        _complain(str(error))
        if os.environ.get("GITHUB_ACTIONS"):
            from harness.report.actions import announce_refusal

            announce_refusal(str(error), error.exit_code)
        return error.exit_code
    except KeyboardInterrupt:
        _complain("stopped by SIGINT")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return ExitCode.HARNESS_FAILED
    except OSError as error:
        _complain(f"{error.filename or 'the system'}: {error.strerror or error}")
        return ExitCode.HARNESS_FAILED
    except Exception as error:  # noqa: BLE001 - outermost frame: a bug is told in one sentence, too
        return _bug(error, words)
    finally:
        flush()
    return code


def _run(words: list[str]) -> int:
    own, others = _split(words)
    options = _parser().parse_args(own, argparse.Namespace(words=words, others=others, takes_command=False))
    if others and not options.takes_command:
        raise UsageError("only `canary-harness run` and `plan` take a command after --")
    command: Callable[[argparse.Namespace], int] = options.command
    return command(options)


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """What stands before and after the first `--`."""
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def _complain(sentence: str) -> None:
    tell(f"canary-harness: {sentence}")


def _bug(error: Exception, words: list[str]) -> int:
    if "--debug" in words:
        import traceback

        traceback.print_exception(error)
    else:
        _complain(f"unexpected {type(error).__name__}: {error} (--debug shows where)")
    return ExitCode.HARNESS_FAILED


# The words on the command line


class _Parser(argparse.ArgumentParser):
    """An argument parser that complains in one sentence."""

    def error(self, message: str) -> NoReturn:
        """Raises UsageError."""
        raise UsageError(f"{message} (see {self.prog} --help)")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Like argparse's, but each command itself refuses what it does not know, and says what may be meant."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{_meant(unknown[0], self._option_string_actions)}")
        return known, unknown


def _meant(word: str, known: Iterable[str]) -> str:
    name, _, _ = word.partition("=")
    close = difflib.get_close_matches(name, [option for option in known if option.startswith("--")], n=1)
    return f"; did you mean {close[0]}?" if close and name.startswith("-") else ""


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="canary-harness",
        description="Proves that the alarm fires and CodeDeploy rolls a bad canary back.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"canary-harness {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_rehearse(commands)
    _add_cloud(commands)
    _add_run(commands)
    _add_watch(commands)
    _add_doctor(commands)
    _add_plan(commands)
    _add_alarm(commands)
    _add_judge(commands)
    _add_report(commands)
    _add_compare(commands)
    return parser


def _add_command(commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str) -> _Parser:
    parser: _Parser = commands.add_parser(
        name,
        help=text,
        description=text,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=run)
    parser.add_argument("--debug", action="store_true", help="show a traceback when something unexpected happens")
    return parser


def _add_rehearse(commands: Any) -> None:
    parser = _add_command(commands, "rehearse", _rehearse, "play experiments against a local cloud, and judge them")
    parser.add_argument("experiments", nargs="*", metavar="NAME|FILE", help="default: healthy and erroruser")
    parser.add_argument("--all", action="store_true", help="play every experiment of the package")
    parser.add_argument("--list", action="store_true", help="list the experiments of the package")
    default = f"{REHEARSAL_SPEED:g}, with a service of your own {OWN_SERVICE_SPEED:g}"
    text = f"experiment seconds in a second; default: {default}; 1 is as slow as AWS"
    parser.add_argument("--speed", type=_speed, metavar="N", help=text)
    parser.add_argument("--seed", type=_whole, help="instead of the seed of the experiment")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of the summary")
    parser.add_argument("--reports", type=Path, default=Path("reports"), metavar="DIR", help="where run folders go")


def _add_cloud(commands: Any) -> None:
    parser = _add_command(commands, "cloud", _cloud, "serve the local cloud alone; one JSON line says when it is ready")
    parser.add_argument("--experiment", metavar="NAME|FILE", help="what to set up; default: the bundled service")
    text = f"experiment seconds in a second; default: {REHEARSAL_SPEED:g}, 1 is as slow as AWS"
    parser.add_argument("--speed", type=_speed, default=REHEARSAL_SPEED, metavar="N", help=text)
    parser.add_argument("--seed", type=_whole, help="instead of the seed of the experiment")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind; default: loopback only")
    parser.add_argument("--port", type=_port, default=0, help="port of the AWS endpoint; default: any free one")
    text = "port of the service behind the gateway; default: any free one"
    parser.add_argument("--service-port", type=_port, default=0, metavar="PORT", help=text)
    text = "answers that name their version: all, or as on AWS only those that the function gave; default: all"
    parser.add_argument("--version-header", choices=("all", "answers"), default="all", help=text)
    parser.add_argument("--with-parent", action="store_true", help="end when the process that started it is gone")


def _add_run(commands: Any) -> None:
    from harness.cli import run as release

    parser = _add_command(
        commands, "run", release.run_run, "play an experiment on AWS: locust --headless, with a verdict"
    )
    release.add_run_arguments(parser)


def _add_watch(commands: Any) -> None:
    from harness.cli import run as release

    parser = _add_command(commands, "watch", _watch, "follow a deployment without traffic of its own, and judge it")
    release.add_watch_arguments(parser)


def _add_plan(commands: Any) -> None:
    from harness.cli import plan as planning
    from harness.cli import run as release

    text = "say what a run would do: every change on AWS, the guard rails, the experiment; nothing is done"
    parser = _add_command(commands, "plan", planning.run_plan, text)
    release.add_run_arguments(parser)
    parser.usage = release.USAGE.replace("run [-h] [--dry-run]", "plan [-h] [--json]")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of YAML")


def _add_alarm(commands: Any) -> None:
    from harness.cli import alarm as alarms

    text = "look at alarms, force them by hand, and undo what a crashed run left changed on AWS"
    parser = _add_command(commands, "alarm", alarms.run_alarm, text)
    parser.epilog = alarms.EXIT_CODES
    alarms.add_alarm_arguments(parser)


def _add_judge(commands: Any) -> None:
    parser = _add_command(commands, "judge", _judge, "judge the timeline of a run again")
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder, such as reports/latest")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON instead of the summary")
    parser.add_argument("--picture", type=Path, metavar="FILE.svg", help="save the summary as an SVG picture, too")


def _add_report(commands: Any) -> None:
    from harness.cli import report as reporting

    text = "make the reports of a run again, from its timeline alone"
    parser = _add_command(commands, "report", reporting.run_report, text)
    parser.epilog = reporting.REPORT_EXIT_CODES
    reporting.add_report_arguments(parser)


def _add_compare(commands: Any) -> None:
    from harness.cli import report as reporting

    text = "put runs side by side, and tell whether something got worse"
    parser = _add_command(commands, "compare", reporting.run_compare, text)
    parser.epilog = reporting.COMPARE_EXIT_CODES
    reporting.add_compare_arguments(parser)


def _add_doctor(commands: Any) -> None:
    from harness.cli import doctor as checkup

    parser = _add_command(commands, "doctor", checkup.run_doctor, "tell beforehand whether the safety net is armed")
    parser.epilog = checkup.EXIT_CODES
    checkup.add_doctor_arguments(parser)


def _speed(word: str) -> float:
    try:
        speed = float(word)
    except ValueError:
        speed = math.nan
    if not 0 < speed <= HIGHEST_SPEED:
        raise argparse.ArgumentTypeError(f"must be a number above 0 and at most {HIGHEST_SPEED:g}, got {word}")
    return speed


def _port(word: str) -> int:
    port = _whole(word)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"must be between 0 and 65535, got {word}")
    return port


def _whole(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, got {word}") from None


# rehearse


def _rehearse(options: argparse.Namespace) -> int:
    if options.list:
        return _list(options)
    from harness.processes import Interrupted

    experiments = [_for_rehearsal(word, options.seed) for word in _chosen(options)]
    if options.speed is None:
        options.speed = _gentle_speed(experiments)
    runs: list[_Run] = []
    folders: list[RunFolder] = []
    try:
        with contextlib.closing(_played(experiments, options, folders)) as played:
            for run in played:
                runs.append(run)
                _show(run, options)
    except Interrupted as error:
        _complain(f"{error}{_left_by(folders[-1], error) if folders else ''}")
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
    return OWN_SERVICE_SPEED if any(arm.handler or arm.url for arm in arms) else REHEARSAL_SPEED


def _chosen(options: argparse.Namespace) -> Sequence[str]:
    from harness import experiments

    if options.all and options.experiments:
        raise UsageError("give names or --all, not both")
    words: Sequence[str] = options.experiments
    return experiments.NAMES if options.all else words or experiments.PAIR


def _played(
    experiments: "Sequence[Experiment]", options: argparse.Namespace, folders: "list[RunFolder]"
) -> Generator[_Run, None, None]:
    from harness.processes import Interrupts
    from harness.rehearsal.play import play
    from harness.report.drawing import bundling
    from harness.report.folder import RunFolder

    def open_folder(experiment: "Experiment") -> Path:
        folder = RunFolder.create(options.reports, experiment.name, time.time())
        folder.write_manifest(experiment, ["canary-harness", *options.words])
        folders.append(folder)
        told = " ".join(filter(None, (f"{experiment.name}:", experiment.description)))
        tell(f"{told} (speed {options.speed:g}, seed {experiment.seed})")
        return folder.path

    with bundling(), Interrupts() as stop:
        plays = play(experiments, speed=options.speed, open_folder=open_folder, stop=stop)
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
        _complain(f"{played.experiment.name}: {trouble}; see {played.folder}")
        verdict = _judged_for(folder, RunEnded(at_s=0.0, why="failed", detail=trouble))
    code = ExitCode.HARNESS_FAILED if verdict is None else verdict.exit_code
    return _Run(played.folder, worst((played.exit_code, code)), verdict)


def _judged_for(folder: "RunFolder", ended: "RunEnded") -> "Verdict | None":
    """Ends and judges a run in the place of a Locust process that died; None where not even that can be done."""
    from harness.report.finish import finish_for

    try:
        return finish_for(folder, folder.read_experiment(), ended)
    except HarnessError:
        return None


def _show(run: _Run, options: argparse.Namespace) -> None:
    if run.verdict:
        from harness.report.actions import announce
        from harness.report.folder import RunFolder

        announce(run.verdict, RunFolder(run.folder))
    if run.verdict and not options.json:
        from harness.report.terminal import summary

        summary(run.verdict, run.folder, console())


def _show_all(runs: Sequence[_Run], options: argparse.Namespace) -> None:
    if options.json:
        say_json({"runs": [_as_json(run.folder, run.exit_code, run.verdict) for run in runs]})
    elif len(runs) > 1:
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


# cloud, run, judge


def _cloud(options: argparse.Namespace) -> int:
    experiment = _for_rehearsal(options.experiment, options.seed) if options.experiment else None
    from harness.rehearsal.cloud import serve

    return serve(
        experiment,
        speed=options.speed,
        seed=experiment.seed if experiment else options.seed or 1,
        host=options.host,
        port=options.port,
        service_port=options.service_port,
        version_header=options.version_header,
        with_parent=options.with_parent,
    )


def _watch(options: argparse.Namespace) -> int:

    from harness.cli.watch import GIVE_UP_S, watch
    from harness.cli.words import given_of
    from harness.processes import Interrupts
    from harness.report.terminal import summary
    from harness.run.experiment import asked, clock_of_environment

    given = {**given_of(options), "give_up": options.give_up or GIVE_UP_S}
    with Interrupts() as stop:
        folder, verdict, code = watch(
            asked(options.experiment, given),
            reports=options.reports,
            clock=clock_of_environment(),
            command=["canary-harness", *options.words],
            stop=stop,
        )
    if options.json:
        say_json(_as_json(folder.path, code, verdict))
    else:
        summary(verdict, folder.path, console())
    return code


def _judge(options: argparse.Namespace) -> int:
    from harness.cli.report import saved
    from harness.report.folder import RunFolder
    from harness.report.judged_run import read
    from harness.report.terminal import summary

    folder = RunFolder.open(options.run)
    run = read(folder)
    verdict = run.verdict
    saved(folder, run)
    if options.picture:
        from harness.report.picture import picture

        options.picture.write_text(picture(verdict, folder.path), encoding="utf-8")
    if options.json:
        say_json(_as_json(folder.path, verdict.exit_code, verdict))
    else:
        summary(verdict, folder.path, console())
    return verdict.exit_code


# What commands share


def _for_rehearsal(word: str, seed: int | None) -> "Experiment":
    import msgspec

    from harness.core.experiment.parse import rehearsable
    from harness.run.experiment import naming, read_experiment

    experiment = read_experiment(word)
    with naming(word):
        rehearsable(experiment)
    return experiment if seed is None else msgspec.structs.replace(experiment, seed=seed)


def _as_json(folder: Path, exit_code: int, verdict: "Verdict | None") -> dict[str, Any]:
    return {"folder": str(folder), "exit_code": exit_code, "verdict": verdict}
