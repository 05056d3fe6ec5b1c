"""What `canary-harness run` is told about the release: which one, what deploys it, and what Locust is told beside."""

import argparse
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from harness.cli.words import duration
from harness.core.experiment.qualified import with_a_bare_function
from harness.core.experiment.types import Experiment, Outcome
from harness.errors import UsageError
from harness.processes import locust_command

_NAMES = ("stack", "function", "application", "group", "alias")
_HELP = {
    "stack": "CloudFormation stack (Serverless Framework, SAM, CDK) to look in",
    "function": "Lambda function that is deployed: its name, name:alias or ARN",
    "application": "CodeDeploy application",
    "group": "CodeDeploy deployment group",
    "alias": "alias that is shifted; default: found, or the experiment's",
}
USAGE = "canary-harness run [-h] [--dry-run] [OPTIONS] [FILE|NAME] [-- COMMAND ...]"


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `run`; what stands after `--` is the command that deploys."""
    parser.usage = USAGE
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


def asked_of(options: argparse.Namespace, experiment: Experiment) -> Experiment:
    """The experiment with the options of the command line laid over it."""
    names = {**{name: name for name in _NAMES}, "deployment": "id", "target_version": "target_version"}
    given = {field: value for name, field in names.items() if (value := getattr(options, name, None)) is not None}
    if getattr(options, "redeploy", False):
        given["redeploy"] = True
    if getattr(options, "others", None):
        given["command"] = shlex.join(options.others)
    outcome = options.expect or experiment.expect.outcome
    host = getattr(options, "host", None) or experiment.target.host
    return replace(
        experiment,
        allow_writes=experiment.allow_writes or getattr(options, "allow_writes", False),
        deployment=replace(experiment.deployment, **with_a_bare_function(given)),
        expect=replace(experiment.expect, outcome=outcome and Outcome(outcome)),
        target=replace(experiment.target, host=host),
    )


def run_command(options: argparse.Namespace) -> list[str]:
    """The Locust process that plays what the options of `run` ask; raises UsageError."""
    names = [*_NAMES, "deployment", "target_version", "expect"]
    given = [(f"--canary-{name.replace('_', '-')}", getattr(options, name)) for name in names]
    given += [("--canary-command", shlex.join(options.others) if options.others else None), ("--host", options.host)]
    own = [word for flag, value in given if value is not None for word in (flag, str(value))]
    own += [f"--canary-{flag}" for flag in ("redeploy", "allow-writes") if getattr(options, flag.replace("-", "_"))]
    return locust_command(*own, *(word for text in options.locust for word in _words(text)))


def run_environment(experiment: str | None) -> dict[str, str]:
    """Ours, with the experiment that was named."""
    if experiment is None:
        return {**os.environ}
    path = Path(experiment)
    return {**os.environ, "LOCUST_CANARY_EXPERIMENT": str(path.absolute()) if path.exists() else experiment}


def _words(text: str) -> Sequence[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--locust: {error} in {text!r}") from error
