"""Metric filters of CloudWatch Logs: the metrics that they make of what functions log."""

import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from harness.rehearsal.cloudwatch.filter_patterns import Event, UnknownPattern, members_of, read_pattern, selected
from harness.rehearsal.cloudwatch.store import Metric

Filter = Mapping[str, Any]
"""A MetricFilter, in AWS's own spelling."""

log = logging.getLogger(__name__)

_TRACE = "Traceback (most recent call last):"
_NAMED_ERROR = re.compile(r"[A-Za-z_][\w.]*: ")


class LoggedSample(NamedTuple):
    """What a log says of one metric; a `default` one counts where nothing else of its minute does."""

    metric: Metric
    unit: str
    values: tuple[float, ...]
    high_resolution: bool = False
    default: bool = False


def filtered(filters: Iterable[Filter], text: str) -> Iterator[LoggedSample]:
    """The metrics that filters make of a log; a filter that cannot be played is said once and makes none."""
    events: Sequence[Event] | None = None
    for one in filters:
        try:
            matches = read_pattern(one.get("filterPattern") or "")
        except UnknownPattern as error:
            _tell(one["filterName"], str(error))
            continue
        events = events_of(text) if events is None else events
        matched = [event for event in events if matches(event)]
        for transformation in one["metricTransformations"]:
            yield from _samples(transformation, matched)


def events_of(text: str) -> Sequence[Event]:
    """The events of a log: its lines, but an error of Python with its trace is one, as on AWS."""
    events: list[Event] = []
    for line in text.splitlines():
        if events and _goes_on(events[-1], line):
            events[-1] += f"\n{line}"
        else:
            events.append(line)
    return events


def _goes_on(event: Event, line: str) -> bool:
    if line == _TRACE:
        return event.startswith("[ERROR]")
    return _TRACE in event and bool(line.startswith(" ") or _NAMED_ERROR.match(line))


def _samples(transformation: Mapping[str, Any], matched: Iterable[Event]) -> Iterator[LoggedSample]:
    namespace, name, unit = (transformation.get(key) for key in ("metricNamespace", "metricName", "unit"))
    found = False
    for event in matched:
        value = _value(str(transformation.get("metricValue", "")), event)
        dimensions = _dimensions(transformation.get("dimensions") or {}, event)
        if value is not None and dimensions is not None:
            found = True
            yield LoggedSample(Metric(str(namespace), str(name), dimensions), unit or "None", (value,))
    if not found and (default := transformation.get("defaultValue")) is not None:
        yield LoggedSample(Metric(str(namespace), str(name)), unit or "None", (float(default),), default=True)


def _value(given: str, event: Event) -> float | None:
    text = selected(members_of(event), given) if given.startswith("$") else given
    try:
        number = float(text)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _dimensions(given: Mapping[str, str], event: Event) -> tuple[tuple[str, str], ...] | None:
    """Sorted by name; None where the event lacks one, as its metric is not published then."""
    members = members_of(event) if given else None
    found = [(name, selected(members, selector)) for name, selector in sorted(given.items())]
    if any(value is None for _, value in found):
        return None
    return tuple((name, str(value)) for name, value in found)


@cache
def _tell(name: str, why: str) -> None:
    log.warning("The metric filter %s makes no metrics in this local cloud: %s.", name, why)
