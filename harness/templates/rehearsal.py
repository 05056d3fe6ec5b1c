"""An experiment with what a template says of one function, so that a rehearsal plays the release that the team has.

What a rehearsal cannot play as it is written is refused in one sentence: it would prove another release than theirs.
"""

from collections.abc import Mapping
from typing import Any, cast

from msgspec import to_builtins
from msgspec.structs import replace

from harness.core.experiment.types import AWS_PREFIX, Alarm, DimensionWord, Experiment, RollbackEvent
from harness.core.timeline.composites import ChildIs, StateRule, expanded
from harness.core.timeline.events import AlarmDefined
from harness.core.timeline.presets import preset
from harness.errors import UsageError
from harness.templates.guards import guards_of
from harness.templates.missing import how_to_give
from harness.templates.names import names_in
from harness.templates.release import Fact, ReleasedFunction, TemplateRelease
from harness.templates.running import api_of, arms_of, hooks_of, known_value, playable_name, wrong
from harness.templates.unlike_aws import dimensions_of_the_api, unlike_aws

_WORDS: Mapping[frozenset[str], DimensionWord] = {
    frozenset({"FunctionName"}): "function",
    frozenset({"FunctionName", "Resource"}): "alias",
    frozenset({"FunctionName", "Resource", "ExecutedVersion"}): "version",
}


_NOT_PLAYED = (
    "a rehearsal plays an alarm on one metric of the function or its API, and {} is none: {}. Rehearse with the tool "
    "that deploys it instead, such as -- sam deploy"
)


ALARMS_UNPLAYED = "how its alarms are rehearsed"
"""How the sentence begins that says so of a template: its release is rehearsed by the tool that deploys it."""


class NotPlayed(UsageError):
    """An alarm that an experiment has no words for."""


def as_released(
    release: TemplateRelease, function: str | None, experiment: Experiment, *, stand_in: bool = False
) -> Experiment:
    """The experiment with preference, alarms, rollback events, code and hooks of a function of the template.

    The function is named as `chosen` takes it; it need not be where only one is released. What the experiment says
    of its arms and hooks goes before the template; with `stand_in` the bundled service answers, and hooks report
    success. Raises UsageError for what cannot be played.
    """
    one = chosen(release, function)
    _refuse_the_unknown(release, one)
    alarm, *further = _alarms(release, one)
    deployment = replace(
        experiment.deployment,
        config=_config(release, one),
        function=experiment.deployment.function or playable_name(one.function),
        alias=one.alias.value,
        hooks={**hooks_of(release, one, experiment.deployment.hooks, stand_in=stand_in), **experiment.deployment.hooks},
    )
    arms = {} if stand_in else arms_of(release, one, experiment)
    told = unlike_aws(release, one, experiment, stand_in=stand_in)
    return replace(
        experiment,
        deployment=deployment,
        alarm=alarm,
        further_alarms=tuple(further),
        rollback=tuple(cast(RollbackEvent, event) for event in one.rollback_events),
        otherwise=(*experiment.otherwise, *told),
        api=api_of(release, one, experiment, arms),
        **arms,
    )


def released_keys(release: TemplateRelease, function: str | None) -> tuple[Mapping[str, Any], str]:
    """The keys of an experiment that say how a function is released, and what of it no experiment has words for.

    Raises UsageError for what is not known, and where no alarm guards the function.
    """
    one = chosen(release, function)
    _refuse_the_unknown(release, one)
    told = {"config": _config(release, one), "alias": one.alias.value}
    if not names_in(one.function):
        told["function"] = one.function
    keys = {"deployment": told, "rollback": [*one.rollback_events]}
    try:
        alarm, *further = _alarms(release, one)
    except NotPlayed as reason:
        return keys, f"{ALARMS_UNPLAYED}: {reason}"
    # On AWS the alarm may be called otherwise; those of the group are found there.
    told_alarms = {"alarm": _said(replace(alarm, name=None)), "further_alarms": [*map(_said, further)]}
    return {**keys, **{name: said for name, said in told_alarms.items() if said}}, ""


def routes_of(release: TemplateRelease, function: str | None) -> tuple[tuple[str, str], ...]:
    """The methods and paths that a released function answers. Raises UsageError where it is not there."""
    one = chosen(release, function)
    run = release.runs.get(one.function)
    return tuple(_route(release, one, said) for said in run.routes) if run else ()


def _route(release: TemplateRelease, one: ReleasedFunction, said: Fact[tuple[str, str]]) -> tuple[str, str]:
    method, path = said.value
    return method, known_value(release, one, Fact(path, said.line), f"{one.logical}: the path of a route")


def _said(alarm: Alarm) -> dict[str, Any]:
    return {name: value for name, value in to_builtins(alarm).items() if value is not None}


def chosen(release: TemplateRelease, function: str | None) -> ReleasedFunction:
    """The function of a logical id, a name, or what its tool calls it; the only one that is released without a word.

    Raises UsageError.
    """
    meant = release.meant(function)
    named = [one for one in release.released if meant in (None, one.logical, one.function)]
    if len(named) == 1:
        return named[0]
    known = ", ".join(one.logical for one in release.released)
    if not named:
        whose = f"has no function {function} that" if function else "has no function that"
        raise UsageError(f"{release.file} {whose} is released by CodeDeploy{f'; it has {known}' if known else ''}")
    raise UsageError(f"{release.file} releases {known}: choose one by --function")


def _refuse_the_unknown(release: TemplateRelease, one: ReleasedFunction) -> None:
    """Raises UsageError where something that a rehearsal needs is not known here."""
    if one.unclear:
        raise wrong(release, one.unclear[0].line, f"{one.logical}: {one.unclear[0].value}")
    for fact in (one.config, one.alias):
        open_here = [name for name in names_in(fact.value) if name in release.open_names]
        if open_here:
            raise wrong(release, fact.line, f"{fact.value} is not known here ({how_to_give(release.asked, open_here)})")
    if not one.alarms_enabled or not one.alarms:
        raise wrong(release, one.alarms_line, f"no alarm guards {one.logical}, so there is nothing to prove")


def _config(release: TemplateRelease, one: ReleasedFunction) -> str:
    """How traffic shifts, by the name that says so. Raises UsageError for what no such name says."""
    known = preset(one.config.value)
    if known:
        return one.config.value.removeprefix(AWS_PREFIX)
    own = release.configs.get(one.config.value)
    percent = round((own.step or 0.0) * 100, 6) if own else 0.0
    minutes = (own.interval_s or 0.0) / 60 if own else 0.0
    if own and own.kind == "all_at_once":
        return "AllAtOnce"
    if own and percent.is_integer() and minutes.is_integer() and minutes:
        unit = "Minute" if minutes == 1 else "Minutes"
        words = "Canary{:g}Percent{:g}{}" if own.kind == "canary" else "Linear{:g}PercentEvery{:g}{}"
        return words.format(percent, minutes, unit)
    raise wrong(release, one.config.line, f"the configuration {one.config.value} is not known here")


def _alarms(release: TemplateRelease, one: ReleasedFunction) -> list[Alarm]:
    """The alarms of the group, each by the name that its group has."""
    guards = guards_of(release, one)
    definitions = {guard.name: guard for guard in guards}
    played = [guard for guard in guards if not (guard.kind == "composite" and _is_any_of(guard.name, definitions))]
    return [replace(_played(release, one, guard), name=playable_name(guard.name)) for guard in played]


def _is_any_of(composite: str, definitions: Mapping[str, AlarmDefined]) -> bool:
    """Whether a composite is in ALARM where any of its children is: then they guard the group as well as it does."""

    def is_any(rule: StateRule) -> bool:
        if isinstance(rule, ChildIs):
            return rule == ChildIs("ALARM", rule.name) and rule.name != composite
        return rule.needed == 1 and bool(rule.of) and all(map(is_any, rule.of))

    return is_any(expanded(composite, definitions))


def _why_none(guard: AlarmDefined) -> str:
    if guard.kind == "composite":
        return f"it is a composite alarm of the rule {guard.rule}"
    if guard.queries:
        return "it computes its value"
    if guard.unit:
        return f"it reads {guard.metric} in {guard.unit} alone"
    watched = ", ".join(f"{name}={value}" for name, value in guard.dimensions.items()) or "no dimension"
    return f"it watches {guard.namespace} {guard.metric} of {watched}"


def _played(release: TemplateRelease, one: ReleasedFunction, guard: AlarmDefined) -> Alarm:
    """The alarm as an experiment has it. Raises UsageError for one that an experiment has no words for."""
    line = next((alarm.line for alarm in release.alarms if alarm.defined.name == guard.name), one.alarms_line)
    if guard.unlike:
        raise NotPlayed(f"{release.place(line)}: {guard.name} is {guard.unlike}")
    needed = (guard.metric, guard.statistic, guard.period_s, guard.evaluation_periods, guard.comparison)
    word = _WORDS.get(frozenset(guard.dimensions))
    right = {
        "FunctionName": one.function,
        "Resource": f"{one.function}:{one.alias.value}",
        "ExecutedVersion": one.version,
    }
    is_own = word is not None and all(right[name] == value for name, value in guard.dimensions.items())
    dimensions = word if is_own else dimensions_of_the_api(release, one, guard)
    if guard.queries or guard.unit or guard.threshold is None or None in needed or dimensions is None:
        raise NotPlayed(f"{release.place(line)}: {_NOT_PLAYED.format(guard.name, _why_none(guard))}")
    read = {
        "metric": guard.metric,
        "namespace": guard.namespace,
        "statistic": guard.statistic,
        "period_s": guard.period_s,
        "evaluation_periods": guard.evaluation_periods,
        "datapoints": guard.datapoints,
        "comparison": guard.comparison,
        "missing": guard.missing or "missing",
    }
    return replace(Alarm(threshold=guard.threshold, dimensions=dimensions), **read)
