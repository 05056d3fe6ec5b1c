"""The command `canary-harness doctor`: finds the deployment, examines it, and says whether the net is armed."""

import argparse
import os
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from harness import experiments
from harness.cli.delays import print_delays
from harness.cli.spent import tell_cost
from harness.cli.words import duration_or_zero, given_of, pair
from harness.core.experiment.types import Also, Experiment
from harness.errors import AccessDenied, AwsError, ExitCode, HarnessError, TemplateError, Unreachable, UsageError
from harness.run.experiment import asked, clock_of_environment
from harness.run.sent import with_requests
from harness.streams import console, say, say_json, tell

if TYPE_CHECKING:
    from harness.aws.doctor import Waiting
    from harness.core.arming import Diagnosis
    from harness.core.arming.locustfile import Locustfile
    from harness.templates.examine import TemplateDiagnosis

AnyDiagnosis = TypeVar("AnyDiagnosis", bound="Diagnosis | TemplateDiagnosis")

EXIT_CODES = """\
exit codes:
  0    armed: nothing worse than notes and warnings
  1    the harness failed
  2    usage, no credentials, or no such deployment group
  3    not armed: at least one error
  4    not known whether armed: something could not be looked at
"""


_OF_AWS = ("stack", "application", "group", "alias", "host", "learn_delays", "print_policy")


def add_doctor_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("experiment", nargs="?", metavar="FILE|NAME", help="an experiment, for traffic and expectation")
    _add_release(parser)
    _add_template(parser)
    _add_group(parser)
    _add_requests(parser)
    parser.add_argument("--json", action="store_true", help="print the diagnosis as JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="name the checks that are in order, too")
    text = "print how long alarms and stops took in this account, as lines for an experiment, and end; changes nothing"
    parser.add_argument("--learn-delays", action="store_true", help=text)
    parser.add_argument(
        "--print-policy", action="store_true", help="print the IAM policy that the harness needs, and end"
    )


def _add_release(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stack", metavar="NAME", help="CloudFormation stack (Serverless Framework, SAM, CDK) to look in"
    )
    parser.add_argument(
        "--function", metavar="NAME", help="Lambda function that is deployed: its name, name:alias or ARN"
    )


def _add_template(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--template",
        type=Path,
        metavar="FILE",
        help="ask this template (SAM, CloudFormation, cdk synth, serverless.yml, Terraform) and not AWS",
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="with --template: what the template cannot know, such as a parameter or an import; may be repeated",
    )
    parser.add_argument(
        "--annotations",
        choices=("github", "gitlab", "sarif"),
        help="with --template: print what is wrong as GitHub's commands, GitLab's code quality report, or SARIF 2.1.0",
    )


def _add_group(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--application", metavar="NAME", help="CodeDeploy application")
    parser.add_argument("--group", metavar="NAME", help="CodeDeploy deployment group")
    parser.add_argument("--alias", metavar="NAME", help="alias that is shifted; default: found, or the experiment's")


def _add_requests(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host",
        metavar="URL",
        help="where the service is; requests that change nothing go there, and one fault request if that does no harm",
    )
    text = "your own locustfile: whether its users can be started, too; what it sends is left to a run"
    parser.add_argument("-f", "--locustfile", metavar="FILE", help=text)
    text = "wait so long until CloudWatch counted the fault request; such as 90s or 5m; default: 3m, 0 does not wait"
    parser.add_argument("--wait", type=duration_or_zero, default=180.0, metavar="TIME", help=text)


def run_doctor(options: argparse.Namespace) -> int:
    """Runs the command, result on stdout and progress on stderr; the exit code. Raises HarnessError."""
    return examine_net(asked(options.experiment, given_of(options), "doctor"), options)


def examine_net(wanted: Experiment, options: argparse.Namespace) -> int:
    """The same for an experiment that has the options laid over it."""
    if options.template:
        return examine_file(wanted, options)
    for name in ("parameter", "annotations"):
        if getattr(options, name):
            raise UsageError(f"--{name} goes with --template")
    if options.print_policy:
        _print_policy(wanted)
        return ExitCode.AS_EXPECTED
    if options.learn_delays:
        print_delays(wanted, as_json=options.json)
        return ExitCode.AS_EXPECTED
    for also in wanted.also:
        tell(f"only the first group is examined; for the other one: canary-harness doctor {_flags(also)}")
    own = _own_users(options)
    diagnosis = _with_users(_diagnosed(wanted, options, own), own, wanted)
    _print(diagnosis, options)
    return diagnosis.exit_code


def examine_file(wanted: Experiment, options: argparse.Namespace) -> int:
    """The same for a template: nothing is asked of AWS."""
    for name in _OF_AWS:
        if getattr(options, name):
            raise UsageError(f"--{name.replace('_', '-')} asks AWS, and --template does not: leave one of them out")
    if options.annotations and options.json:
        raise UsageError("--annotations and --json are two documents: leave one of them out")
    from harness.report.annotations import refused
    from harness.templates import examine_template, read_release

    try:
        release = read_release(options.template, dict(map(pair, options.parameter)), os.environ)
    except TemplateError as error:
        if options.annotations:
            _print_template(refused(error), options)
        raise
    diagnosis = _with_users(examine_template(release, wanted, options.function), _own_users(options), wanted)
    _print_template(diagnosis, options)
    return diagnosis.exit_code


def _print_template(diagnosis: "TemplateDiagnosis", options: argparse.Namespace) -> None:
    from harness.report.annotations import FORMATS
    from harness.report.diagnosis import show_template

    if options.annotations:
        say(FORMATS[options.annotations](diagnosis))
    elif options.json:
        say_json(diagnosis)
    else:
        show_template(diagnosis, console(), verbose=options.verbose)


def _own_users(options: argparse.Namespace) -> "Locustfile | None":
    """One's own locustfile as Locust loads it."""
    from harness.processes import check_locustfile
    from harness.run.locustfile import read_locustfile

    check_locustfile(options.locustfile)
    return read_locustfile(options.locustfile) if options.locustfile else None


def _with_users(diagnosis: AnyDiagnosis, own: "Locustfile | None", wanted: Experiment) -> AnyDiagnosis:
    """The same with what is to be said of the locustfile."""
    from harness.core.arming.locustfile import about_locustfile

    if own is None:
        return diagnosis
    check = about_locustfile(own, wanted)
    code = ExitCode.CONTRARY if check.severity == "error" else diagnosis.exit_code
    return replace(diagnosis, checks=(*diagnosis.checks, check), exit_code=code)


def _flags(named: Also) -> str:
    """The options that lead to a further group."""
    given = {name: getattr(named, name) for name in ("stack", "application", "group", "function")}
    return " ".join(f"--{name} {shlex.quote(value)}" for name, value in given.items() if value)


def _print_policy(experiment: Experiment) -> None:
    from harness.aws.policy import narrowed

    say_json(narrowed(experiment))


def _diagnosed(wanted: Experiment, options: argparse.Namespace, own: "Locustfile | None") -> "Diagnosis":
    from harness.aws.clients import Aws
    from harness.aws.discovery import discover
    from harness.aws.doctor import examine
    from harness.core.arming import why_no_request
    from harness.core.arming.locustfile import why_not_probed
    from harness.traffic.probe import Prober

    probe = Prober(with_requests(wanted)) if wanted.target.host else None
    why_not = why_not_probed(own, wanted) if own else None
    why_not = why_not or why_no_request(wanted, packaged=options.experiment in experiments.NAMES)
    aws = Aws()
    aws.warm()
    try:
        experiment = discover(aws, wanted)
    except (AwsError, Unreachable) as error:
        return _nothing_found(wanted, error)
    waiting = _waiting(options.wait)
    if why_not:
        diagnosis = examine(aws, experiment, why_no_request=why_not, waiting=waiting)
    else:
        diagnosis = examine(aws, experiment, probe=probe, unsent=probe.unsent if probe else (), waiting=waiting)
    tell_cost(aws)
    return diagnosis


def _nothing_found(wanted: Experiment, error: HarnessError) -> "Diagnosis":
    """The diagnosis where not even the names could be found."""
    from harness.core.arming import Check, Diagnosis
    from harness.core.arming.diagnosis import exit_code

    denied = isinstance(error, AccessDenied)
    check = Check(
        id="permissions" if denied else "found",
        severity="error" if denied else "unknown",
        seen=str(error),
        matters="What cannot be found cannot be examined.",
        advice="Or name application, group, function and alias." if denied else "Try again.",
    )
    names = wanted.deployment
    return Diagnosis(
        experiment=wanted.name,
        application=names.application,
        group=names.group,
        function=names.function,
        alias=names.alias,
        exit_code=exit_code([check]),
        checks=(check,),
    )


def _waiting(wait_s: float) -> "Waiting":
    from harness.aws.doctor import Waiting

    clock = clock_of_environment()
    return Waiting(
        now=lambda: clock.experiment_s(time.time()),
        pause=lambda seconds: time.sleep(seconds / clock.speed),
        wait_s=wait_s,
        say=tell,
    )


def _print(diagnosis: "Diagnosis", options: argparse.Namespace) -> None:
    if options.json:
        say_json(diagnosis)
        return
    from harness.report.diagnosis import show

    show(diagnosis, console(), verbose=options.verbose)
