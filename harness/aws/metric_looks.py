"""The look at CloudWatch's metrics: what Lambda counted for the function, and what the alarms read."""

from collections.abc import Callable, Collection, Iterator
from functools import partial
from itertools import islice

from msgspec import Struct

from harness.aws.clients import action
from harness.aws.eyes import METRIC_PERIOD_S, Eyes
from harness.aws.metrics import COMPLETE, Stat, average_of, metric_results, stat_of, sum_of
from harness.aws.parsing import (
    NO_RESULT,
    Stamp,
    alarm_metric_seen,
    alias_metric_seen,
    metric_seen,
)
from harness.aws.sight import Sight
from harness.core.foreign import text
from harness.core.timeline.alarm_rules import metrics_of
from harness.core.timeline.events import Event, LookFailed, MetricQuery

OVERLAP_S = 300.0
METRICS = ("Errors", "Invocations")
MOST_ALARM_METRICS = 50
"""Metrics of alarms that are read: GetMetricData costs by the metric."""
LONGEST_PERIOD_S = 3600
"""Alarms with a longer period are not read: their periods outlast a release."""


def metrics_seen(eyes: Eyes, sight: Sight) -> Iterator[Event]:
    """What CloudWatch counted since the last reading, in one request; raises Blind."""
    wanted = [*_metrics_of_function(sight), *_metrics_of_alarms(sight)]
    read_s = sight.began_s if sight.metrics_read_s is None else sight.metrics_read_s
    asked_s = eyes.now()
    end_s = eyes.minute(asked_s, after=True)
    statuses = dict.fromkeys(range(len(wanted)), NO_RESULT)
    for place, result, stamp in metric_results(eyes, [one.stat for one in wanted], read_s, end_s):
        statuses[place] = text(result.get("StatusCode")) or COMPLETE
        yield wanted[place].seen(result, stamp)
    yield from _incomplete(statuses.values(), asked_s, eyes.now())
    longest_s = max(one.stat["Period"] for one in wanted)
    sight.metrics_read_s = max(end_s - max(OVERLAP_S, longest_s), sight.began_s)


class _Wanted(Struct, frozen=True):
    """A metric to ask for, and what its datapoints are recorded as."""

    stat: Stat
    seen: Callable[[object, Stamp], Event]


def _metrics_of_function(sight: Sight) -> Iterator[_Wanted]:
    """What Lambda counted for the function, for either version, and for the alias; and how long a version took."""
    told_apart = sight.versions if sight.alias else ()
    versions = (None, *told_apart)
    for metric in METRICS:
        for version in versions:
            seen = partial(metric_seen, metric, version, METRIC_PERIOD_S)
            yield _Wanted(sum_of(metric, _dimensions(sight, version)), seen)
    if sight.alias:
        by_alias = {"FunctionName": sight.function or "", "Resource": f"{sight.function}:{sight.alias}"}
        yield _Wanted(sum_of("Invocations", by_alias), partial(alias_metric_seen, "Invocations", sight.alias))
    for version in told_apart:
        seen = partial(metric_seen, "Duration", version, METRIC_PERIOD_S)
        yield _Wanted(average_of("Duration", _dimensions(sight, version)), seen)


def _metrics_of_alarms(sight: Sight) -> Iterator[_Wanted]:
    """What the alarms themselves read, as they read it."""
    known = sight.rollout.alarms.definitions
    read = ((name, query) for name in sight.alarms if name in known for query in metrics_of(known[name]))
    readable = ((name, query) for name, query in read if _is_readable(query))
    for name, query in islice(readable, MOST_ALARM_METRICS):
        yield _Wanted(stat_of(query), partial(alarm_metric_seen, name, query))


def _is_readable(query: MetricQuery) -> bool:
    """Whether GetMetricData can be asked for it here; one query that it refuses would cost all the others."""
    is_whole = query.namespace is not None and query.statistic is not None
    return is_whole and query.account is None and 0 < (query.period_s or METRIC_PERIOD_S) <= LONGEST_PERIOD_S


def _incomplete(statuses: Collection[str], asked_s: float, at_s: float) -> Iterator[Event]:
    """What CloudWatch did not answer in full: those periods are not known, and are not taken for zero."""
    bad = [status for status in statuses if status != COMPLETE]
    if bad:
        message = f"CloudWatch answered for {len(bad)} of {len(statuses)} metrics in part or not at all"
        call = action("cloudwatch", "get_metric_data")
        yield LookFailed(asked_s=asked_s, at_s=at_s, call=call, code=bad[0], message=message)


def _dimensions(sight: Sight, version: str | None) -> dict[str, str]:
    dimensions = {"FunctionName": sight.function or ""}
    if version is not None:
        dimensions |= {"Resource": f"{sight.function}:{sight.alias}", "ExecutedVersion": version}
    return dimensions
