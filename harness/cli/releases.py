"""The release that a prediction or an advice is about: of an experiment, a template, or AWS, as one value."""

import argparse
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from harness.cli.spent import tell_cost
from harness.cli.words import duration, duration_or_zero, given_of, pair, whole
from harness.core.odds.setting import UNHANDLED_STATUS, FaultModel, Setting
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.core.arming import Snapshot
    from harness.core.experiment.types import Deployment, Experiment, Objective
    from harness.templates import TemplateRelease

_WITHOUT_CANARY = ("alias-traffic", "alias-weights", "target-version")
"""What is wrong with a template where no version on trial ever gets requests."""
_MATTERS = ("error", "unknown", "warning")
_OF_AWS = ("stack", "application", "group")


class AskedRelease(Struct, frozen=True, kw_only=True):
    """One release before it; without a `setting`, `unsaid` says why.

    `hours` are the arrival rates of other hours than the one that is reckoned with, by the words for them. `logical` is
    what a template calls the function. `is_rehearsed` says that it is an experiment's, as a rehearsal plays it.
    """

    subject: str
    deployment: "Deployment"
    objective: "Objective"
    setting: Setting | None = None
    assumed: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()
    knows_rate: bool = True
    hours: Mapping[str, float] = {}
    logical: str = ""
    is_rehearsed: bool = False


def add_release_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what says which release is meant, with which traffic and which fault."""
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


def asked_releases(options: argparse.Namespace) -> Iterable[AskedRelease]:
    """What the options of the command ask about. Raises HarnessError."""
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


def _of_experiment(options: argparse.Namespace) -> AskedRelease:
    from harness.core.odds.asked import EVERY_REQUEST, assumed_of_experiment
    from harness.core.odds.from_experiment import setting_of
    from harness.core.timeline.metric_math import NotEvaluated
    from harness.run.experiment import asked

    experiment = asked(options.experiment, given_of(options))
    found = AskedRelease(
        subject=experiment.name,
        deployment=experiment.deployment,
        objective=experiment.objective,
        is_rehearsed=True,
    )
    fault = fault_asked(options)
    try:
        setting = setting_of(experiment, fault)
    except NotEvaluated as reason:
        return replace(found, unsaid=(_nothing(f"its alarm cannot be evaluated: {reason}"),))
    own_fault = fault is None and not setting.fault.share and not setting.planned
    if own_fault:
        setting = replace(setting, fault=EVERY_REQUEST)
    assumed = tuple(assumed_of_experiment(experiment, own_fault=own_fault))
    return replace(found, setting=with_options(setting, options), assumed=assumed)


def _of_template(options: argparse.Namespace) -> Iterator[AskedRelease]:
    from harness.core.experiment.types import Traffic
    from harness.run.experiment import asked
    from harness.templates import read_release, snapshots_of

    experiment = asked(options.experiment, {**given_of(options), "function": None}, "predict")
    release = read_release(options.template, dict(map(pair, options.parameter)), os.environ)
    knows_rate = bool(options.arrival_rate) or experiment.traffic != Traffic()
    logical = {one.function: one.logical for one in release.released}
    if not (snapshots := snapshots_of(release, experiment, options.function)):
        what = f"{options.function} is not" if options.function else "no function of it is"
        raise UsageError(f"{options.template}: {what} released by CodeDeploy")
    for snapshot in snapshots:
        subject, name = f"{options.template}, {snapshot.function}", logical.get(snapshot.function, "")
        found = _of_snapshot(options, snapshot, experiment, subject, knows_rate=knows_rate)
        yield replace(_unless_disarmed(found, release, name), logical=name)


def _unless_disarmed(found: AskedRelease, release: "TemplateRelease", logical: str) -> AskedRelease:
    """The release with what the template says against it; without chances where no version on trial gets requests."""
    told = [one for one in release.problems if one.function == logical and one.severity in _MATTERS]
    sentences = tuple(f"{release.place(one.line)}: {one.text}" for one in told)
    if not any(one.disarms and one.id in _WITHOUT_CANARY for one in told):
        return replace(found, unsaid=(*found.unsaid, *sentences))
    return replace(found, setting=None, unsaid=(*found.unsaid, "No chance can be said.", *sentences))


def _of_aws(options: argparse.Namespace) -> AskedRelease:
    from harness.aws.beforehand import look
    from harness.aws.clients import Aws
    from harness.aws.discovery import discover
    from harness.core.experiment.types import Traffic
    from harness.run.experiment import asked, clock_of_environment

    wanted, clock = asked(options.experiment, given_of(options), "predict"), clock_of_environment()
    aws = Aws()
    aws.warm()
    experiment = discover(aws, wanted)
    snapshot, week = look(aws, experiment, now=lambda: clock.experiment_s(time.time()))
    tell_cost(aws)
    subject = f"{experiment.deployment.function}:{experiment.deployment.alias}"
    if options.arrival_rate or wanted.traffic != Traffic() or week is None:
        return _of_snapshot(options, snapshot, experiment, subject, knows_rate=wanted.traffic != Traffic())
    traffic = replace(experiment.traffic, arrival_rate=week.rate_at(0.5))
    measured = replace(experiment, traffic=traffic)
    options.usual = week.failing if options.usual is None else options.usual
    found = _of_snapshot(options, snapshot, measured, subject)
    if found.setting is None:
        return found
    hours = {"the quietest tenth of the hours": week.rate_at(0.1), "the busiest tenth of the hours": week.rate_at(0.9)}
    said = f"The traffic is that of the median hour of the last week: {week.rate_at(0.5):.3g} requests a second."
    return replace(found, hours=hours, assumed=(*found.assumed, said))


def _of_snapshot(
    options: argparse.Namespace,
    snapshot: "Snapshot",
    experiment: "Experiment",
    subject: str,
    *,
    knows_rate: bool = True,
) -> AskedRelease:
    from harness.core.arming.reckoned import reckoned
    from harness.core.arming.snapshot import Unseen
    from harness.core.odds.asked import EVERY_REQUEST, NO_FAULT
    from harness.core.odds.from_experiment import planned_of, rates_of

    deployment = snapshot.experiment.deployment
    found = AskedRelease(subject=subject, deployment=deployment, objective=experiment.objective, knows_rate=knows_rate)
    planned = planned_of(experiment)
    fault = fault_asked(options) or (NO_FAULT if planned else EVERY_REQUEST)
    try:
        known = reckoned(snapshot, rate=rates_of(experiment), fault=fault)
    except Unseen as reason:
        return replace(found, unsaid=(_nothing(str(reason)),))
    setting = replace(known.setting, planned=planned, pattern=experiment.traffic.pattern)
    setting = with_options(setting, options)
    return replace(found, setting=setting, assumed=known.assumed, unsaid=known.unsaid)


def fault_asked(options: argparse.Namespace) -> FaultModel | None:
    """The fault that the options describe; None where they describe none. Raises UsageError."""
    given = ("fail", "endpoint", "slow", "ramp", "on", "every", "begins", "status")
    if all(getattr(options, name) is None for name in given):
        return None
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


def with_options(setting: Setting, options: argparse.Namespace) -> Setting:
    """The setting with what the options say of usual failures, users and configuration laid over it."""
    from harness.core.timeline.presets import config_named

    if options.usual is not None:
        setting = replace(setting, usual=options.usual)
    if options.population:
        setting = replace(setting, population=options.population)
    if options.config:
        setting = replace(setting, config=config_named(options.config))
    return setting


def _nothing(why: str) -> str:
    return f"No chance can be said: {why}."


def share(word: str) -> float:
    """A share from 0 to 1."""
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a share from 0 to 1, got {word}")
    return value
