"""The command `canary-harness run`: Locust plays an experiment on AWS."""

import argparse
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from harness.cli.words import duration, given_of
from harness.core.experiment.overlay import OPTIONS
from harness.core.experiment.types import Experiment, Outcome
from harness.errors import ExitCode, UsageError
from harness.processes import locust_command
from harness.run.experiment import CLOCK, check_host, clock_of, handed_on, playable

_NAMES = ("stack", "function", "application", "group", "alias")
_HELP = {
    "stack": "CloudFormation stack (Serverless Framework, SAM, CDK) to look in",
    "function": "Lambda function that is deployed: its name, name:alias or ARN",
    "application": "CodeDeploy application",
    "group": "CodeDeploy deployment group",
    "alias": "alias that is shifted; default: found, or the experiment's",
}
_OF_LOCUST = tuple(name for name in OPTIONS if name not in ("host", "give_up"))
"""Options that Locust has, too, with the prefix `--canary-`."""
USAGE = "canary-harness run [-h] [--dry-run] [OPTIONS] [FILE|NAME] [-- COMMAND ...]"


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `run`; what stands after `--` is the command that deploys."""
    parser.usage = USAGE
    parser.set_defaults(takes_command=True)
    parser.add_argument("experiment", nargs="?", metavar="FILE|NAME", help="an experiment; default: one of defaults")
    parser.add_argument("--dry-run", action="store_true", help="print the resolved plan and do nothing")
    add_deployment_arguments(parser)
    parser.add_argument(
        "--target-version", metavar="VERSION", help="published version to deploy once traffic is steady"
    )
    text = "publish the code in service once more, and deploy that: proves the net and ships nothing"
    parser.add_argument("--redeploy", action="store_true", help=text)
    parser.add_argument("--host", metavar="URL", help="where the service is")
    parser.add_argument("--allow-writes", action="store_true", help="let the run change things on AWS; see `plan`")
    text = 'options for Locust, as one word: --locust "--canary-error-share 0.1 --csv stats"'
    parser.add_argument("--locust", action="append", default=[], metavar="OPTIONS", help=text)


def add_watch_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `watch`."""
    parser.add_argument("experiment", nargs="?", metavar="FILE|NAME", help="an experiment, for what it expects")
    add_deployment_arguments(parser)
    text = "how long to wait for the end, such as 90s, 45m or 3h; default: 3h"
    parser.add_argument("--give-up", type=duration, metavar="TIME", help=text)
    parser.add_argument("--reports", type=Path, default=Path("reports"), metavar="DIR", help="where run folders go")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON instead of the summary")


def add_deployment_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what says which deployment is meant, and what must come out."""
    for name in _NAMES:
        parser.add_argument(f"--{name}", metavar="NAME", help=_HELP[name])
    parser.add_argument("--deployment", metavar="ID", help="the deployment to watch, instead of the group's next one")
    outcomes = ", ".join(Outcome)
    parser.add_argument(
        "--expect",
        metavar="OUTCOME",
        choices=[outcome.value for outcome in Outcome],
        help=f"what must come out: {outcomes}",
    )


def run_run(options: argparse.Namespace) -> int:
    """Has Locust play the experiment in our place; with `--dry-run` prints the plan. Raises HarnessError."""
    wanted = wanted_of(options)
    if options.dry_run:
        from harness.cli.plan import print_plan

        print_plan(wanted, as_json=False)
    else:
        with handed_on(wanted.experiment) as environment:
            # Locust takes our place, so that signals, terminal and exit code are its own.
            os.execve(wanted.command[0], wanted.command, environment)  # noqa: S606
    return ExitCode.AS_EXPECTED


@dataclass(frozen=True)
class Wanted:
    """What `run` is to play, and the Locust process that plays it; `rehearsal` says that a clock was given."""

    experiment: Experiment
    rehearsal: bool
    command: list[str]


def wanted_of(options: argparse.Namespace) -> Wanted:
    """What the options of `run` and `plan` ask; raises UsageError where it cannot be played."""
    words = [word for text in options.locust for word in _split(text)]
    flags = {name: value for name, value in given_of(options).items() if value not in (None, False)}
    told = {**_told_by_environment(), **flags, **_told_to_locust(words)}
    named = told.get("experiment") or options.experiment or os.environ.get("LOCUST_CANARY_EXPERIMENT")
    clock = told.get("clock") or os.environ.get(CLOCK)
    experiment = playable(named, told, clock_of(clock))
    host = experiment.target.host
    if not told.get("locustfile"):  # one of one's own may have a host for its users
        check_host(host, tuple(filter(None, (host,))), experiment.rails.hosts)
    return Wanted(experiment, bool(clock), locust_command(*words, *(("--host", host) if host else ())))


def _told_by_environment() -> dict[str, Any]:
    """What Locust's variables say about the experiment."""
    variables = {"host": "LOCUST_HOST", **{name: f"LOCUST_CANARY_{name.upper()}" for name in _OF_LOCUST}}
    told = {name: os.environ[variable] for name, variable in variables.items() if os.environ.get(variable)}
    return {name: _is_on(value) if OPTIONS[name].is_switch else value for name, value in told.items()}


def _is_on(value: str) -> bool:
    return value.lower() in ("1", "true", "yes")


def _told_to_locust(words: Sequence[str]) -> dict[str, Any]:
    """What options for Locust say about the experiment; all others are Locust's own to read."""
    parser = _Reader(add_help=False, argument_default=argparse.SUPPRESS)
    parser.add_argument("--host", "-H")
    parser.add_argument("--locustfile", "-f")
    for name in (*_OF_LOCUST, "experiment", "clock"):
        is_switch = name in OPTIONS and OPTIONS[name].is_switch
        flag = f"--canary-{name.replace('_', '-')}"
        parser.add_argument(flag, dest=name, action="store_true" if is_switch else "store")
    known, _ = parser.parse_known_args(words)
    return vars(known)


class _Reader(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Raises UsageError."""
        raise UsageError(f"--locust: {message}")


def _split(text: str) -> Sequence[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--locust: {error} in {text!r}") from error
