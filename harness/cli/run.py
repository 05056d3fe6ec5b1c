"""The command `canary-harness run`: Locust plays an experiment on AWS."""

import argparse
import os

from harness.cli.shared_options import (
    add_result_options,
    add_run_options,
    add_shadow,
    add_traffic_options,
    printing_of,
)
from harness.cli.wanted import wanted_of
from harness.core.experiment.types import Outcome
from harness.errors import ExitCode
from harness.run.experiment import handed_on

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
    parser.set_defaults(takes_command=True)
    parser.add_argument("experiment", nargs="?", metavar="FILE|NAME", help="an experiment; default: one of defaults")
    add_deployment_arguments(parser)
    add_traffic_options(parser)
    text = "how long traffic goes at most, such as 10m; a deployment still open by then is judged as it stands"
    add_run_options(parser, lasts=text)
    add_shadow(parser)
    parser.add_argument(
        "--target-version", metavar="VERSION", help="published version to deploy once traffic is steady"
    )
    text = "publish the code in service once more, and deploy that: proves the net and ships nothing"
    parser.add_argument("--redeploy", action="store_true", help=text)
    parser.add_argument("--host", metavar="URL", help="where the service is")
    parser.add_argument("--allow-writes", action="store_true", help="let the run change things on AWS; see `plan`")
    text = 'options for Locust, as one word: --locust "--canary-error-share 0.1 --csv stats"'
    parser.add_argument("--locust", action="append", default=[], metavar="OPTIONS", help=text)


def add_play_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `run` that `plan` has no use for."""
    parser.add_argument("--dry-run", action="store_true", help="print the resolved plan and do nothing")
    add_result_options(parser)
    parser.set_defaults(reports=None)  # for Locust to say, which may have it from its environment


def add_watch_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `watch`, which sends no traffic and so has none for it."""
    parser.add_argument("experiment", nargs="?", metavar="FILE|NAME", help="an experiment, for what it expects")
    add_deployment_arguments(parser)
    add_run_options(parser, lasts="how long to wait for the end, such as 90s, 45m or 3h; default: 3h")
    text = "let it stop the deployment where --stop-on asks for that; else nothing is changed"
    parser.add_argument("--allow-writes", action="store_true", help=text)
    add_shadow(parser)
    add_result_options(parser)


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
    if options.dry_run:
        from harness.cli.plan import print_plan  # loads NumPy, which no other command waits for

        print_plan(wanted_of(options), as_json=False)
    else:
        wanted = wanted_of(options, *_printing(options))
        with handed_on(wanted.experiment) as environment:
            # Locust takes our place, so that signals, terminal and exit code are its own.
            os.execve(wanted.command[0], wanted.command, environment)  # noqa: S606
    return ExitCode.AS_EXPECTED


def _printing(options: argparse.Namespace) -> list[str]:
    """What Locust is told of what it prints, and of where run folders go."""
    shown = [] if options.verbose else ["--only-summary", "--loglevel", "WARNING"]
    where = ["--canary-reports", str(options.reports)] if options.reports else []
    return [*shown, "--canary-print", printing_of(options), *where]
