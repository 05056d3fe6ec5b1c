"""The command line: `canary-harness`, also `python -m harness`."""

import argparse
import difflib
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from harness.cli.words import complain
from harness.core.version import __version__
from harness.errors import ExitCode, HarnessError, UsageError, exhausted
from harness.processes import (
    CLOUD_ADDRESSES,
    FILES,
    JUDGING_ADDRESSES,
    LOCUST_ADDRESSES,
    check_room,
    exit_without_collecting,
)
from harness.streams import bear_any_stream, flush

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
ROLES = {"--master", "--worker"}
"""Where these come first, all words are Locust's: its operator for Kubernetes starts any image with them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    exit_without_collecting()
    bear_any_stream()
    try:
        code = _run(words)
    except HarnessError as error:
        return _refused(exhausted(error) or error)
    except KeyboardInterrupt:
        complain("stopped by SIGINT")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return ExitCode.HARNESS_FAILED
    except Exception as error:  # noqa: BLE001 - outermost frame: a bug is told in one sentence, too
        return _failed(error, words)
    finally:
        flush()
    return code


def _run(words: list[str]) -> int:
    if words[:1] == ["locust"] or {*words[:1]} & ROLES:
        from harness.cli.locust import run_locust

        return run_locust(words[1:] if words[0] == "locust" else words)
    own, others = _split(words)
    if needs := _NEEDS.get("".join(own[:1])):
        check_room(*needs)
    options = _parser(own[:1]).parse_args(own, argparse.Namespace(words=words, others=others, takes_command=False))
    if others and not options.takes_command:
        raise UsageError("only `canary-harness run`, `plan` and `rehearse` take a command after --")
    command: Callable[[argparse.Namespace], int] = options.command
    return command(options)


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """What stands before and after the first `--`."""
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def _refused(error: HarnessError) -> int:
    complain(str(error))
    if os.environ.get("GITHUB_ACTIONS"):
        from harness.report.actions import announce_refusal

        announce_refusal(str(error), error.exit_code)
    return error.exit_code


def _failed(error: Exception, words: list[str]) -> int:
    if lack := exhausted(error):
        return _refused(lack)
    if isinstance(error, OSError):
        complain(f"{error.filename or 'the system'}: {error.strerror or error}")
    elif "--debug" in words:
        import traceback

        traceback.print_exception(error)
    else:
        complain(f"unexpected {type(error).__name__}: {error} (--debug shows where)")
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


def _parser(named: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of the command that is named, of all where none is: a command waits for no other one's modules."""
    parser = _Parser(
        prog="canary-harness",
        description="Proves that the alarm fires and CodeDeploy rolls a bad canary back.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"canary-harness {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in named if set(named) <= _COMMANDS.keys() and named else _COMMANDS:
        _COMMANDS[name](commands)
    return parser


def _add_locust(commands: Any) -> None:
    """Names the command for `--help`; all of its words are Locust's to read."""
    from harness.cli.locust import TEXT

    commands.add_parser("locust", help=TEXT)


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


def _add_init(commands: Any) -> None:
    from harness.cli import init

    text = "write an experiment about your own API: from OpenAPI, a recording, a collection, a log or a stack"
    init.add_init_arguments(_add_command(commands, "init", init.run_init, text))


def _add_rehearse(commands: Any) -> None:
    from harness.cli import rehearse as rehearsing

    parser = _add_command(
        commands, "rehearse", rehearsing.run_rehearse, "play experiments against a local cloud, and judge them"
    )
    rehearsing.add_rehearse_arguments(parser)


def _add_cloud(commands: Any) -> None:
    from harness.cli import cloud as clouds

    parser = _add_command(
        commands, "cloud", clouds.run_cloud, "serve the local cloud alone; one JSON line says when it is ready"
    )
    clouds.add_cloud_arguments(parser)


def _add_run(commands: Any) -> None:
    from harness.cli import run as release

    parser = _add_command(
        commands, "run", release.run_run, "play an experiment on AWS: locust --headless, with a verdict"
    )
    release.add_run_arguments(parser)
    release.add_play_arguments(parser)


def _add_watch(commands: Any) -> None:
    from harness.cli import run as release

    parser = _add_command(commands, "watch", _watch, "follow a deployment without traffic of its own, and judge it")
    release.add_watch_arguments(parser)


def _add_plan(commands: Any) -> None:
    from harness.cli import run as release

    text = "say what a run would do: every change on AWS, the guard rails, the experiment; nothing is done"
    parser = _add_command(commands, "plan", _plan, text)
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
    from harness.cli import judge as judging

    parser = _add_command(commands, "judge", judging.run_judge, "judge the timeline of a run again")
    judging.add_judge_arguments(parser)


def _add_report(commands: Any) -> None:
    from harness.cli import report as reporting

    text = "make the reports of a run again, from its timeline alone"
    parser = _add_command(commands, "report", reporting.run_report, text)
    parser.epilog = reporting.EXIT_CODES
    reporting.add_report_arguments(parser)


def _add_compare(commands: Any) -> None:
    from harness.cli import compare as comparing

    text = "put runs side by side, and tell whether something got worse"
    parser = _add_command(commands, "compare", comparing.run_compare, text)
    parser.epilog = comparing.EXIT_CODES
    comparing.add_compare_arguments(parser)


def _add_predict(commands: Any) -> None:
    from harness.cli import predict as predicting

    text = "say beforehand whether the alarm will see a fault in time, and what would do better"
    parser = _add_command(commands, "predict", predicting.run_predict, text)
    parser.epilog = predicting.EXIT_CODES
    predicting.add_predict_arguments(parser)


def _add_whatif(commands: Any) -> None:
    from harness.cli import whatif as replaying

    text = "replay a run under other settings: what they would have done, and when"
    parser = _add_command(commands, "whatif", replaying.run_whatif, text)
    parser.epilog = replaying.EXIT_CODES
    replaying.add_whatif_arguments(parser)


def _add_advise(commands: Any) -> None:
    from harness.cli import advise as advising

    text = "rank alarm and rollout settings by what they would do, each ready to paste into a template"
    parser = _add_command(commands, "advise", advising.run_advise, text)
    parser.epilog = advising.EXIT_CODES
    advising.add_advise_arguments(parser)


def _add_doctor(commands: Any) -> None:
    from harness.cli import doctor as checkup

    parser = _add_command(commands, "doctor", checkup.run_doctor, "tell beforehand whether the safety net is armed")
    parser.epilog = checkup.EXIT_CODES
    checkup.add_doctor_arguments(parser)


def _add_scale(commands: Any) -> None:
    from harness.cli import scale as scaling

    text = "print what runs a master and many workers: manifests for Kubernetes, a Compose file, a template for Fargate"
    scaling.add_scale_arguments(_add_command(commands, "scale", scaling.run_scale, text))


def _add_completion(commands: Any) -> None:
    from harness.cli import completion

    text = "print a script with which bash, zsh or tcsh completes these words"
    completion.add_completion_arguments(_add_command(commands, "completion", _complete, text))


def _complete(options: argparse.Namespace) -> int:
    from harness.cli.completion import print_completion

    return print_completion(_parser(()), options.shell)


_COMMANDS: Mapping[str, Callable[[Any], None]] = {
    "init": _add_init,
    "rehearse": _add_rehearse,
    "cloud": _add_cloud,
    "run": _add_run,
    "watch": _add_watch,
    "doctor": _add_doctor,
    "predict": _add_predict,
    "plan": _add_plan,
    "alarm": _add_alarm,
    "judge": _add_judge,
    "report": _add_report,
    "compare": _add_compare,
    "whatif": _add_whatif,
    "advise": _add_advise,
    "scale": _add_scale,
    "locust": _add_locust,
    "completion": _add_completion,
}
"""What adds each command to the parser."""
_NEEDS: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("judge", "report", "compare", "whatif", "watch", "plan"), (JUDGING_ADDRESSES,)),
    **dict.fromkeys(("run", "rehearse"), (LOCUST_ADDRESSES, FILES)),
    "cloud": (CLOUD_ADDRESSES, FILES),
}
"""Bytes of addresses, and descriptors, without which a command would hang or break off; what heals needs no more."""


def _plan(options: argparse.Namespace) -> int:
    from harness.cli import plan

    return plan.run_plan(options)


def _watch(options: argparse.Namespace) -> int:
    from harness.cli.shared_options import printing_of
    from harness.cli.watch import GIVE_UP_S, watch
    from harness.cli.words import given_of
    from harness.processes import Interrupts, ends_with
    from harness.report.printing import print_verdict
    from harness.run.experiment import asked, clock_of_environment

    given = {**given_of(options), "give_up": options.give_up or GIVE_UP_S}
    with Interrupts() as stop:
        folder, verdict = watch(
            asked(options.experiment, given),
            reports=options.reports,
            clock=clock_of_environment(),
            command=["canary-harness", *options.words],
            stop=stop,
        )
        # A signal that comes now comes too late: the exit code is the verdict's.
        print_verdict(printing_of(options), folder.path, verdict.exit_code, verdict)
        ends_with(verdict.exit_code)
    return verdict.exit_code
