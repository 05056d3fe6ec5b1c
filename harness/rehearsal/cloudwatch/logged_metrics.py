"""Metrics of what functions log: by metric filters, and by lines in CloudWatch's Embedded Metric Format.

Powertools and aws-embedded-metrics write such lines: JSON whose member `_aws` says which of the other members are
metrics, and which are dimensions (CloudWatch user guide, "Specification: Embedded metric format").
"""

import json
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from msgspec import Struct, ValidationError, convert

from harness.rehearsal.cloudwatch.bucket import Bucket
from harness.rehearsal.cloudwatch.fed import RESERVED
from harness.rehearsal.cloudwatch.metric_filters import Filter, LoggedSample, filtered
from harness.rehearsal.cloudwatch.store import MINUTE_S, Metric, MetricStore

_MARK = '"_aws"'


class _Named(Struct, frozen=True, rename="pascal"):
    """A metric, as a line names it."""

    name: str
    unit: str | None = None
    storage_resolution: int = MINUTE_S


class _Directive(Struct, frozen=True, rename="pascal"):
    """Which members of a line are metrics, in which sets of dimensions."""

    namespace: str
    dimensions: tuple[tuple[str, ...], ...] = ()
    metrics: tuple[_Named, ...] = ()


class _Head(Struct, frozen=True, rename="pascal"):
    """The member `_aws` of a line."""

    cloud_watch_metrics: tuple[_Directive, ...]


def samples_in(text: str) -> Iterator[LoggedSample]:
    """The metrics in a log; a line that does not keep to the format has none, as on AWS."""
    for line in text.splitlines():
        if _MARK in line:
            yield from _samples(line[line.find("{") :])


def _samples(line: str) -> Iterator[LoggedSample]:
    try:
        members = json.loads(line)
        head = convert(members["_aws"], _Head)
    except (ValueError, LookupError, TypeError, RecursionError, ValidationError):
        return
    for directive in head.cloud_watch_metrics:
        if not directive.namespace.startswith(RESERVED):
            yield from _of_directive(directive, members)


def _of_directive(directive: _Directive, members: Mapping[str, Any]) -> Iterator[LoggedSample]:
    """Assumption: without a set of dimensions a metric has none, and a set whose members are not all there is none."""
    for names in directive.dimensions or ((),):
        given = [(name, members.get(name)) for name in sorted(names)]
        dimensions = tuple((name, value) for name, value in given if isinstance(value, str))
        if len(dimensions) < len(names):
            continue
        for named in directive.metrics:
            if values := _numbers(members.get(named.name)):
                metric = Metric(directive.namespace, named.name, dimensions)
                yield LoggedSample(metric, named.unit or "None", values, named.storage_resolution < MINUTE_S)


def _numbers(given: object) -> tuple[float, ...]:
    values = given if isinstance(given, list) else [given]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return tuple(float(number) for number in numbers if math.isfinite(number))


class _Pending(NamedTuple):
    due_s: float
    at_s: float
    sample: LoggedSample


class LoggedMetrics:
    """Takes what runs log, and publishes the metrics in it: of a minute when `visible_at` says, finer ones at once.

    A sample counts when its run began: what a line says of its time is wall time, which is not that of the cloud.
    `filters` gives the metric filters of a log group. Assumption: metrics of logs come as late as those of Lambda.
    """

    filters: Callable[[str], Iterable[Filter]] = staticmethod(lambda _: ())

    def __init__(self, visible_at: Callable[[int], float]) -> None:
        self._visible_at = visible_at
        self._lock = threading.Lock()
        self._pending: list[_Pending] = []

    def record(self, group: str, at_s: float, text: bytes) -> None:
        """Takes what a run that began at `at_s` logged in a group; threads may call it at any rate."""
        filters, embeds = list(self.filters(group)), _MARK.encode() in text
        if not filters and not embeds:
            return
        log = text.decode(errors="replace")
        found = [*(samples_in(log) if embeds else ()), *filtered(filters, log)]
        due_s = self._visible_at(int(at_s // MINUTE_S))
        with self._lock:
            for sample in found:
                self._pending.append(_Pending(at_s if sample.high_resolution else due_s, at_s, sample))

    def publish(self, store: MetricStore, now_s: float) -> None:
        """Moves what is visible by `now_s` to the store."""
        seen: set[tuple[Metric, int]] = set()
        for _, at_s, sample in sorted(self._due(now_s), key=lambda pending: pending.sample.default):
            minute = (sample.metric, int(at_s // MINUTE_S))
            if sample.default and minute in seen:
                continue
            seen.add(minute)
            bucket = Bucket()
            for value in sample.values:
                bucket.add(value)
            store.add(sample.metric, sample.unit, at_s, bucket, high_resolution=sample.high_resolution)

    def _due(self, now_s: float) -> list[_Pending]:
        with self._lock:
            due = [pending for pending in self._pending if pending.due_s <= now_s]
            if due:
                self._pending = [pending for pending in self._pending if pending.due_s > now_s]
        return due
