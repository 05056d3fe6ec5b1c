"""The alarms that guard one function, as far as the template says what they are.

An alarm that the template does not define, and one whose dimensions may turn out as the right ones, is one that cannot
be judged here: it is never called good, and never wrong.
"""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from harness.core.timeline.alarm_rules import metrics_of
from harness.core.timeline.composites import children_of
from harness.core.timeline.events import AlarmDefined
from harness.templates.missing import how_to_give
from harness.templates.names import may_be_one, names_in
from harness.templates.release import ReleasedFunction, TemplateRelease

_NOT_HERE = "an alarm that the template does not define"


def guards_of(release: TemplateRelease, one: ReleasedFunction) -> tuple[AlarmDefined, ...]:
    """The alarms that the group names, and those that composites among them are made of."""
    known = {alarm.defined.name: alarm.defined for alarm in release.alarms}
    found: dict[str, AlarmDefined] = {}
    wanted = [fact.value for fact in one.alarms]
    while wanted:
        name = wanted.pop(0)
        if name in found:
            continue
        found[name] = _clear(release, one, known[name]) if name in known else _unknown(release, name)
        wanted += children_of(found[name].rule) if found[name].kind == "composite" else ()
    return tuple(found.values())


def _unknown(release: TemplateRelease, name: str) -> AlarmDefined:
    maybe = [alarm for alarm in release.alarms if may_be_one(name, alarm.defined.name, release.open_names)]
    open_here = [*_open_in(release, name, *(alarm.defined.name for alarm in maybe))]
    reason = _NOT_HERE
    if open_here:
        reason = f"an alarm whose name is not known here ({how_to_give(release.asked, open_here)})"
    return AlarmDefined(asked_s=0.0, at_s=0.0, name=name, unlike=reason)


def _clear(release: TemplateRelease, one: ReleasedFunction, alarm: AlarmDefined) -> AlarmDefined:
    """The alarm, as one that cannot be judged where a dimension may be the right one or not."""
    right = {
        "FunctionName": one.function,
        "Resource": f"{one.function}:{one.alias.value}",
        "ExecutedVersion": one.version,
    }
    for metric in metrics_of(alarm):
        for name, value in _unsure(release, metric.dimensions, right):
            give = how_to_give(release.asked, [*_open_in(release, value, right[name])])
            return not_judged(alarm, f"an alarm whose dimension {name}={value} is not known here ({give})")
    return alarm


def not_judged(alarm: AlarmDefined, reason: str) -> AlarmDefined:
    """An alarm whose metrics are not known, so that nobody calls them right or wrong."""
    return replace(alarm, metric=None, queries=(), unlike=reason)


def _unsure(
    release: TemplateRelease, dimensions: Mapping[str, str], right: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for name, value in dimensions.items():
        expected = right.get(name)
        if expected is not None and value != expected and may_be_one(value, expected, release.open_names):
            yield name, value


def _open_in(release: TemplateRelease, *texts: str) -> Iterator[str]:
    yield from (name for text in texts for name in names_in(text) if name in release.open_names)
