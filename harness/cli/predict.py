"""The command `canary-harness predict`: the chances of a release, before it."""

import argparse
import math
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.words import duration, duration_or_zero, given_of, pair, whole
from harness.errors import ExitCode, UsageError
from harness.streams import say, say_json

if TYPE_CHECKING:
    from harness.core.arming import Snapshot
    from harness.core.arming.reckoned import Reckoned
    from harness.core.experiment.types import Experiment
    from harness.core.odds.prediction import Prediction
    from harness.core.odds.setting import FaultModel, Setting

EXIT_CODES = """\
exit codes:
  0    the prediction is printed, whatever it says
  1    the harness failed
  2    usage, or no such experiment, template or deployment group
"""
NO_RATE = "No chance is said without traffic: give --arrival-rate. What does not depend on it is above."
_OF_AWS = ("stack", "application", "group")


def add_predict_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument(
        "experiment", nargs="?", metavar="FILE|NAME", help="an experiment: its alarm, traffic and fault"
    )
    parser.add_argument(
        "--template", type=Path, metavar="FILE", help="what a template of SAM or CloudFormation releases"
    )
    text = "with --template: what the template cannot know, such as a parameter or an import; may be repeated"
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help=text)
    parser.add_argument(
        "--function", metavar="NAME", help="Lambda function that is deployed: its name, name:alias or ARN"
    )
    parser.add_argument("--stack", metavar="NAME", help="CloudFormation stack to look in; AWS is only read")
    parser.add_argument("--application", metavar="NAME", help="CodeDeploy application")
    parser.add_argument("--group", metavar="NAME", help="CodeDeploy deployment group")
    parser.add_argument("--alias", metavar="NAME", help="alias that is shifted")
    _add_traffic(parser)
    _add_fault(parser)
    printed = parser.add_mutually_exclusive_group()
    printed.add_argument("--json", action="store_true", help="print one JSON document")
    printed.add_argument(
        "-q", "--quiet", action="store_true", help="print only the question, the chance, and what binds"
    )


def _add_traffic(parser: argparse.ArgumentParser) -> None:
    text = "requests per second: 20, or '5 for 30s, to 50 in 1m'; from AWS, the function's own last week"
    parser.add_argument("--arrival-rate", metavar="RATE", help=text)
    text = "share of the requests that fails on every version; from AWS, that of the last week"
    parser.add_argument("--usual", type=share, metavar="SHARE", help=text)
    parser.add_argument("--population", type=whole, metavar="N", help="how many users send the requests")
    parser.add_argument(
        "--config", metavar="NAME", help="another deployment configuration, such as Canary10Percent10Minutes"
    )


def _add_fault(parser: argparse.ArgumentParser) -> None:
    fault = parser.add_argument_group("the fault, if it is not the experiment's")
    fault.add_argument(
        "--fail", type=share, metavar="SHARE", help="share of the canary's requests that fail; default: 1"
    )
    fault.add_argument(
        "--endpoint", type=share, metavar="SHARE", help="only those to an endpoint with this share of the traffic"
    )
    fault.add_argument("--slow", type=duration, metavar="TIME", help="they do not fail, but take so long")
    fault.add_argument(
        "--ramp", type=duration, metavar="TIME", help="the share is reached in a straight line within this time"
    )
    fault.add_argument("--on", type=duration, metavar="TIME", help="they fail for so long ...")
    fault.add_argument("--every", type=duration, metavar="TIME", help="... of every so long")
    fault.add_argument(
        "--begins", type=duration_or_zero, metavar="TIME", help="so long after the canary's first traffic"
    )
    fault.add_argument("--status", type=whole, metavar="N", help="what clients see of a failed request; default: 502")


def run_predict(options: argparse.Namespace) -> int:
    """Prints the prediction; the exit code. Raises HarnessError."""
    predictions = [*_predicted(options)]
    if options.json:
        say_json(predictions[0] if len(predictions) == 1 else {"schema": 1, "predictions": predictions})
    elif options.quiet:
        say("\n".join(line for one in predictions for line in _in_short(one)))
    else:
        say("\n\n".join("\n".join(_as_lines(one)) for one in predictions))
    return ExitCode.AS_EXPECTED


def _predicted(options: argparse.Namespace) -> Iterable["Prediction"]:
    if options.parameter and not options.template:
        raise UsageError("--parameter goes with --template")
    asks_aws = any(getattr(options, name) for name in _OF_AWS)
    if options.template and (asks_aws or options.alias):
        raise UsageError("--stack, --application, --group and --alias ask AWS, and --template does not: leave them out")
    if not options.template and not asks_aws and not options.function:
        if not options.experiment:
            raise UsageError(
                "name an experiment, or what is released: --template FILE, --stack NAME or --function NAME"
            )
        return [_of_experiment(options)]
    return _of_template(options) if options.template else [_of_aws(options)]


def _of_experiment(options: argparse.Namespace) -> "Prediction":
    from msgspec.structs import replace

    from harness.core.odds.asked import EVERY_REQUEST, assumed_of_experiment
    from harness.core.odds.from_experiment import setting_of
    from harness.core.timeline.metric_math import NotEvaluated
    from harness.run.experiment import asked

    experiment = asked(options.experiment, given_of(options))
    fault = fault_asked(options)
    try:
        setting = setting_of(experiment, fault)
    except NotEvaluated as reason:
        return _nothing(experiment.name, f"its alarm cannot be evaluated: {reason}")
    own_fault = fault is None and not setting.fault.share and not setting.planned
    if own_fault:
        setting = replace(setting, fault=EVERY_REQUEST)
    assumed = assumed_of_experiment(experiment, own_fault=own_fault)
    return told(options, setting, experiment.name, assumed)


def _of_template(options: argparse.Namespace) -> Iterable["Prediction"]:
    from harness.core.experiment.types import Traffic
    from harness.run.experiment import asked
    from harness.templates import read_release, snapshots_of

    experiment = asked(options.experiment, {**given_of(options), "function": None}, "predict")
    release = read_release(options.template, dict(map(pair, options.parameter)), os.environ)
    knows_rate = bool(options.arrival_rate) or experiment.traffic != Traffic()
    if not (snapshots := snapshots_of(release, experiment, options.function)):
        raise UsageError(f"{options.template}: no function of it is released by CodeDeploy")
    for snapshot in snapshots:
        subject = f"{options.template}, {snapshot.function}"
        yield _of_snapshot(options, snapshot, experiment, subject, knows_rate=knows_rate)


def _of_aws(options: argparse.Namespace) -> "Prediction":
    from msgspec.structs import replace

    from harness.aws.beforehand import look
    from harness.aws.clients import Aws
    from harness.aws.discovery import discover
    from harness.core.experiment.types import Traffic
    from harness.core.odds.predict import by_hours
    from harness.run.experiment import asked, clock_of_environment

    wanted, clock = asked(options.experiment, given_of(options), "predict"), clock_of_environment()
    aws = Aws()
    aws.warm()
    experiment = discover(aws, wanted)
    snapshot, week = look(aws, experiment, now=lambda: clock.experiment_s(time.time()))
    subject = f"{experiment.deployment.function}:{experiment.deployment.alias}"
    if options.arrival_rate or wanted.traffic != Traffic() or week is None:
        return _of_snapshot(options, snapshot, experiment, subject, knows_rate=wanted.traffic != Traffic())
    traffic = replace(experiment.traffic, arrival_rate=week.rate_at(0.5))
    measured = replace(experiment, traffic=traffic)
    options.usual = week.failing if options.usual is None else options.usual
    found = _of_snapshot(options, snapshot, measured, subject)
    if found.outlook is None:
        return found
    setting = _reckoned(options, snapshot, measured).setting
    hours = {"the quietest tenth of the hours": week.rate_at(0.1), "the busiest tenth of the hours": week.rate_at(0.9)}
    said = f"The traffic is that of the median hour of the last week: {week.rate_at(0.5):.3g} requests a second."
    return replace(found, lines=(*found.lines, *by_hours(setting, hours)), assumed=(*found.assumed, said))


def _reckoned(options: argparse.Namespace, snapshot: "Snapshot", experiment: "Experiment") -> "Reckoned":
    from msgspec.structs import replace

    from harness.core.arming.reckoned import reckoned
    from harness.core.odds.asked import EVERY_REQUEST, NO_FAULT
    from harness.core.odds.from_experiment import planned_of, rates_of

    planned = planned_of(experiment)
    usual = NO_FAULT if planned else EVERY_REQUEST
    found = reckoned(snapshot, rate=rates_of(experiment), fault=fault_asked(options) or usual)
    setting = replace(found.setting, planned=planned, pattern=experiment.traffic.pattern)
    return replace(found, setting=setting)


def _of_snapshot(
    options: argparse.Namespace,
    snapshot: "Snapshot",
    experiment: "Experiment",
    subject: str,
    *,
    knows_rate: bool = True,
) -> "Prediction":
    from harness.core.arming.snapshot import Unseen

    try:
        found = _reckoned(options, snapshot, experiment)
    except Unseen as reason:
        return _nothing(subject, str(reason))
    return told(options, found.setting, subject, found.assumed, found.unsaid, knows_rate=knows_rate)


def fault_asked(options: argparse.Namespace) -> "FaultModel | None":
    """The fault that the options describe; None where they describe none. Raises UsageError."""
    given = ("fail", "endpoint", "slow", "ramp", "on", "every", "begins", "status")
    if all(getattr(options, name) is None for name in given):
        return None
    from harness.core.odds.setting import UNHANDLED_STATUS, FaultModel

    if (options.on is None) != (options.every is None):
        raise UsageError("--on and --every go together: the fault lasts --on of every --every")
    kinds = {"latency": options.slow, "ramp": options.ramp, "intermittent": options.on}
    named = [kind for kind, value in kinds.items() if value is not None]
    if len(named) > 1:
        raise UsageError("--slow, --ramp and --on are different faults: give one of them")
    kind = named[0] if named else "share" if options.endpoint is None else "endpoint"
    return FaultModel(
        kind=kind,  # type: ignore[arg-type]
        share=1.0 if options.fail is None else options.fail,
        of_traffic=1.0 if options.endpoint is None else options.endpoint,
        latency_s=options.slow or 0.0,
        ramp_s=options.ramp or 0.0,
        on_s=options.on or 0.0,
        every_s=options.every or 0.0,
        at_s=options.begins or 0.0,
        status=UNHANDLED_STATUS if options.status is None else options.status,
    )


def told(
    options: argparse.Namespace,
    setting: "Setting",
    subject: str,
    assumed: Iterable[str],
    unsaid: Iterable[str] = (),
    *,
    knows_rate: bool = True,
) -> "Prediction":
    """The prediction of a setting, with the traffic and the configuration that the options say laid over it."""
    from msgspec.structs import replace

    from harness.core.odds.asked import assumed_of, question_of
    from harness.core.odds.predict import predict
    from harness.core.timeline.presets import config_named

    if options.usual is not None:
        setting = replace(setting, usual=options.usual)
    if options.population:
        setting = replace(setting, population=options.population)
    if options.config:
        setting = replace(setting, config=config_named(options.config))
    found = predict(setting, subject=subject, question=question_of(setting), knows_rate=knows_rate)
    lacking = () if knows_rate else (NO_RATE,)
    return replace(found, assumed=(*assumed_of(setting), *assumed), unsaid=(*lacking, *unsaid))


def _nothing(subject: str, why: str) -> "Prediction":
    from harness.core.odds.prediction import Prediction

    return Prediction(subject=subject, unsaid=(f"No chance can be said: {why}.",))


def share(word: str) -> float:
    """A share from 0 to 1."""
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a share from 0 to 1, got {word}")
    return value


# Printing


def _in_short(found: "Prediction") -> Iterable[str]:
    yield f"{found.subject}: {found.question}." if found.question else f"{found.subject}."
    yield from (line.text for line in found.lines if line.id == "rolled_back")
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
