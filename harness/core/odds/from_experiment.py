"""The setting that an experiment describes, as it would be rehearsed or played."""

import math
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from harness.core.delays import Range
from harness.core.experiment.alarm_metric import dimensions_of
from harness.core.experiment.faults import SHARE, share_at, spans_of
from harness.core.experiment.rates import cut, legs
from harness.core.experiment.types import REHEARSED_CONFIG, Alarm, Arm, CloudDelay, Experiment
from harness.core.odds.reckonable import why_not_reckoned
from harness.core.odds.setting import Counted, Delays, FaultModel, PlannedShare, Setting, Watch
from harness.core.timeline.alarm_rules import definition_of, read_rule
from harness.core.timeline.composites import ChildIs
from harness.core.timeline.metric_math import NotEvaluated
from harness.core.timeline.presets import config_named
from harness.errors import UsageError
from harness.experiments import FAILING, SLOWING, UPSTREAM

RAMP_STEP_S = 15.0
"""How finely a rate that changes in a straight line is followed."""
_DEFAULT_NAME = "alarm"
_PLACES: Mapping[frozenset[str], Counted] = {
    frozenset({"FunctionName"}): "all",
    frozenset({"FunctionName", "Resource"}): "all",
    frozenset({"FunctionName", "Resource", "ExecutedVersion"}): "canary",
    frozenset({"ApiName"}): "all",
    frozenset({"ApiId"}): "all",
    frozenset({"ApiName", "Stage"}): "all",
    frozenset({"ApiId", "Stage"}): "all",
}


def setting_of(experiment: Experiment, fault: FaultModel | None = None) -> Setting:
    """What an experiment says of its release; `fault` in the place of the canary's own.

    Raises UsageError where there is nothing to reckon with, and NotEvaluated for an alarm that cannot be evaluated.
    """
    if experiment.traffic.users is not None:
        raise UsageError("a closed loop sends as fast as it gets answers: give --arrival-rate for chances")
    further = {str(alarm.name): _unless_not_evaluated(alarm) for alarm in experiment.further_alarms}
    watches = (watch_of(experiment.alarm), *filter(None, further.values()))
    rolls_back = "DEPLOYMENT_STOP_ON_ALARM" in experiment.rollback
    times = experiment.cloud
    return Setting(
        config=config_named(experiment.deployment.config or REHEARSED_CONFIG),
        watches=watches,
        guards=tuple(ChildIs("ALARM", watch.name) for watch in watches if rolls_back),
        left_out=tuple(name for name, watch in further.items() if watch is None and rolls_back),
        rate=rates_of(experiment),
        arrivals=experiment.traffic.arrivals,
        fault=fault or fault_of(experiment.canary),
        planned=planned_of(experiment),
        pattern=experiment.traffic.pattern,
        usual=_ratio(experiment.baseline),
        delays=replace(
            Delays(), alarm_s=_span(times.alarm_delay_s), stop_s=_span(times.stop_delay_s) or Delays().stop_s
        ),
    )


def _unless_not_evaluated(alarm: Alarm) -> Watch | None:
    try:
        return watch_of(alarm)
    except NotEvaluated:
        return None


def watch_of(alarm: Alarm) -> Watch:
    """The experiment's alarm, and whose requests it counts; raises NotEvaluated."""
    name = alarm.name or _DEFAULT_NAME
    rule = read_rule(definition_of(alarm, name))
    if why := why_not_reckoned(rule):
        raise NotEvaluated(why)
    return Watch(name=name, rule=rule, counts=_counted(dimensions_of(alarm)))


def _counted(dimensions: Mapping[str, str]) -> Counted:
    """Whose requests the words of an experiment mean; an ARN as Resource is one that Lambda never writes."""
    if "{alias_arn}" in dimensions.values() or dimensions.get("Resource", "").startswith("arn:"):
        return "nothing"
    return _PLACES.get(frozenset(dimensions), "nothing")


def fault_of(canary: Arm) -> FaultModel:
    """How the canary of a rehearsal fails; none where it does not."""
    slow_s = float(canary.env.get(SLOWING) or 0) / 1000
    if slow_s:
        return FaultModel(kind="latency", latency_s=slow_s)
    failing = float(canary.env.get(FAILING) or 0)
    if canary.is_bundled and canary.env.get(UPSTREAM) and not failing:
        raise UsageError(
            f"{UPSTREAM} fails only some requests: say the share of the canary's by --fail, and --status 500"
        )
    return FaultModel(share=failing)


def _ratio(arm: Arm) -> float | None:
    """The share that a version fails usually; None of a service that is not ours to know."""
    return None if arm.handler or arm.url else float(arm.env.get(FAILING) or 0)


def planned_of(experiment: Experiment) -> tuple[PlannedShare, ...]:
    """The shares of all requests that an experiment means to fail, by when."""
    return tuple(_planned(experiment))


def _planned(experiment: Experiment) -> Iterator[PlannedShare]:
    for span in spans_of(experiment):
        if span.kind == SHARE:
            share = share_at(experiment, span.from_s)
            yield PlannedShare(span.from_s, span.until_s, share.share if share else 0.0)


def rates_of(experiment: Experiment) -> tuple[tuple[float, float], ...]:
    """The arrival rate from the deployment's creation on, which comes once traffic was steady."""
    asked = cut(legs(experiment.traffic.arrival_rate), experiment.steady_s)
    found: list[tuple[float, float]] = []
    for leg, after in zip(asked, [*asked[1:], None], strict=True):
        until_s = after.since_s if after else leg.since_s
        count = max(1, math.ceil((until_s - leg.since_s) / RAMP_STEP_S)) if leg.slope else 1
        for part in range(count):
            at_s = leg.since_s + (until_s - leg.since_s) * part / count
            middle_s = leg.since_s + (until_s - leg.since_s) * (part + 0.5) / count
            found.append((at_s - experiment.steady_s, leg.rate_at(middle_s) if leg.slope else leg.rate))
    return tuple(found)


def _span(given: CloudDelay | None) -> Range | None:
    if given is None:
        return None
    return (given[0], given[1]) if isinstance(given, tuple) else (given, given)
