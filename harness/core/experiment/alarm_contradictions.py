"""What contradicts itself in the alarms of an experiment, the shadow alarms among them, or what AWS allows."""

import re
import string
from collections.abc import Iterable, Iterator
from typing import get_args

from harness.core.experiment.alarm_metric import Measured, dimensions_of, namespace_of, words_for
from harness.core.experiment.shape import Problems, shown
from harness.core.experiment.statistic_names import read_bounds
from harness.core.experiment.types import Alarm, Experiment, ShadowAlarm, Statistic
from harness.errors import ExperimentError

DAY_S = 86_400
MOST_SHADOWS, MOST_METRICS = 20, 10
"""Shadow alarms of a run, and metrics of one expression: all are asked for in one GetMetricData, which takes 500."""
LONGEST_SHADOW_PERIOD_S = 3600
"""A longer period outlasts a release."""
RESULT = "expression"
"""The id of a shadow alarm's expression beside those of its metrics."""

_PLACEHOLDERS = frozenset({"function", "alias", "alias_arn", "version", "api", "api_id", "stage"})
_SHORT_PERIODS_S = (10, 20, 30)
_ID = re.compile(r"[a-z][A-Za-z0-9_]*")


def about_alarms(experiment: Experiment) -> Problems:
    """Everything that is wrong in the alarms of an experiment although every value has the right type."""
    yield from _about_alarm(experiment.alarm, "alarm")
    yield from _about_further_alarms(experiment)
    yield from about_shadows(experiment.shadow, [experiment.alarm, *experiment.further_alarms])


def _about_further_alarms(experiment: Experiment) -> Problems:
    names = [experiment.alarm.name]
    for index, alarm in enumerate(experiment.further_alarms):
        path = f"further_alarms[{index}]"
        if alarm.name is None or alarm.name in names:
            yield ExperimentError(f"{path}.name", "needs a name of its own")
        names.append(alarm.name)
        yield from _about_alarm(alarm, path)


def about_shadows(shadows: tuple[ShadowAlarm, ...], real: Iterable[Alarm] = ()) -> Problems:
    """Everything that is wrong in shadow alarms beside the real ones."""
    names = {alarm.name for alarm in real}
    if len(shadows) > MOST_SHADOWS:
        yield ExperimentError("shadow", f"can have at most {MOST_SHADOWS} alarms, got {len(shadows)}")
    for index, alarm in enumerate(shadows):
        path = f"shadow[{index}]"
        if not alarm.name or alarm.name in names:
            yield ExperimentError(f"{path}.name", "needs a name of its own")
        names.add(alarm.name)
        yield from _about_alarm(alarm, path)
        yield from _about_shadow(alarm, path)


def _about_shadow(alarm: ShadowAlarm, path: str) -> Problems:
    if alarm.period_s > LONGEST_SHADOW_PERIOD_S:
        problem = f"must be at most {LONGEST_SHADOW_PERIOD_S} for a shadow alarm, got {alarm.period_s}"
        yield ExperimentError(f"{path}.period_s", problem)
    if bool(alarm.metrics) != (alarm.expression is not None):
        yield ExperimentError(path, "needs expression and metrics together, or neither")
    if len(alarm.metrics) > MOST_METRICS:
        yield ExperimentError(f"{path}.metrics", f"can have at most {MOST_METRICS} metrics, got {len(alarm.metrics)}")
    for name, metric in measured_by(alarm):
        at = f"{path}.metrics.{name}" if alarm.metrics else path
        if alarm.metrics and (not _ID.fullmatch(name) or name == RESULT):
            yield ExperimentError(
                at, f"an id begins with a small letter, has letters, digits and _, and is not {RESULT}"
            )
        if alarm.metrics:
            yield from _about_metric(metric, at)
        if "{alias_arn}" in "".join(dimensions_of(metric).values()):
            yield ExperimentError(f"{at}.dimensions", "of a shadow alarm cannot hold {alias_arn}; write the ARN itself")


def measured_by(alarm: ShadowAlarm) -> Iterator[tuple[str, Measured]]:
    """What a shadow alarm reads, by id."""
    yield from alarm.metrics.items() if alarm.metrics else [("m1", alarm)]


def _about_alarm(alarm: Alarm, path: str) -> Problems:
    if alarm.period_s not in _SHORT_PERIODS_S and alarm.period_s % 60:
        yield ExperimentError(f"{path}.period_s", f"must be 10, 20, 30 or a multiple of 60, got {alarm.period_s}")
    if alarm.datapoints is not None and alarm.datapoints > alarm.evaluation_periods:
        problem = f"must be at most evaluation_periods ({alarm.evaluation_periods}), got {alarm.datapoints}"
        yield ExperimentError(f"{path}.datapoints", problem)
    if alarm.period_s * alarm.evaluation_periods > DAY_S:
        yield ExperimentError(f"{path}.evaluation_periods", "must cover at most one day together with period_s")
    yield from _about_metric(alarm, path)


def _about_metric(alarm: Measured, path: str) -> Problems:
    if alarm.statistic not in get_args(Statistic) and read_bounds(alarm.statistic) is None:
        words = ", ".join(sorted(get_args(Statistic)))
        problem = f"must be one of {words}, or one such as p99, tm90, IQM or PR(:300), got {shown(alarm.statistic)}"
        yield ExperimentError(f"{path}.statistic", problem)
    yield from _about_dimensions(alarm, path)


def _about_dimensions(alarm: Measured, path: str) -> Problems:
    if isinstance(alarm.dimensions, dict):
        for name, template in alarm.dimensions.items():
            yield from _about_dimension(template, f"{path}.dimensions.{name}")
    elif alarm.dimensions and alarm.dimensions not in words_for(alarm):
        words = ", ".join([*words_for(alarm), "a map"])
        problem = f"must be one of {words} for a metric of {namespace_of(alarm)}, got {alarm.dimensions}"
        yield ExperimentError(f"{path}.dimensions", problem)


def _about_dimension(template: str, path: str) -> Problems:
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as error:
        yield ExperimentError(path, f"has a brace without its partner: {error}")
        return
    for name in names:
        if name not in _PLACEHOLDERS:
            known = ", ".join(f"{{{word}}}" for word in sorted(_PLACEHOLDERS))
            yield ExperimentError(path, f"unknown placeholder {{{name}}}; known are {known}")
