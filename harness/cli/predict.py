"""The command `canary-harness predict`: the chances of a release, before it."""

import argparse
import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.words import duration, duration_or_zero, given_of, whole
from harness.errors import ExitCode, UsageError
from harness.streams import say, say_json

if TYPE_CHECKING:
    from harness.core.odds.prediction import Prediction
    from harness.core.odds.setting import FaultModel, Setting

EXIT_CODES = """\
exit codes:
  0    the prediction is printed, whatever it says
  1    the harness failed
  2    usage, or no such experiment, template or deployment group
"""
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
    printed.add_argument("-q", "--quiet", action="store_true", help="print only the chance, and what binds")


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
    raise UsageError("not here yet")


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
    options: argparse.Namespace, setting: "Setting", subject: str, assumed: Iterable[str], unsaid: Iterable[str] = ()
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
    found = predict(setting, subject=subject, question=question_of(setting))
    return replace(found, assumed=(*assumed_of(setting), *assumed), unsaid=(*found.unsaid, *unsaid))


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
