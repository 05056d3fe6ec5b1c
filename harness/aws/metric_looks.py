"""The look at CloudWatch's metrics: what Lambda counted for the function, and what the alarms read."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from harness.aws.clients import action
from harness.aws.eyes import METRIC_PERIOD_S, Blind, Eyes
from harness.aws.metrics import COMPLETE, Stat, average_of, metric_results, stat_of, sum_of, whole_periods_s
from harness.aws.parsing import (
    NO_RESULT,
    Stamp,
    alarm_metric_seen,
    alias_metric_seen,
    metric_seen,
)
from harness.aws.shadow_looks import REFUSALS
from harness.aws.sight import Sight
from harness.core.foreign import text
from harness.core.timeline.alarm_rules import metrics_of
from harness.core.timeline.events import (
    AlarmMetricSeen,
    AliasMetricSeen,
    Event,
    LookFailed,
    MetricQuery,
    MetricSeen,
)
from harness.core.timeline.shadow import LOOK_BACK_S

Points = MetricSeen | AliasMetricSeen | AlarmMetricSeen
OVERLAP_S = 300.0
METRICS = ("Errors", "Invocations")
MOST_ALARM_METRICS = 50
"""Metrics of alarms that are read: GetMetricData costs by the metric."""
LONGEST_PERIOD_S = 3600
"""Alarms with a longer period are not read: their periods outlast a release."""


def metrics_seen(eyes: Eyes, sight: Sight) -> Iterator[Event]:
    """What CloudWatch counted since the last reading, in one request; raises Blind.

    What shadow alarms read comes in the same request. The others are then recorded as they are without them.
    """
    yield from sight.shadows.defined(sight.words, eyes.now())
    shadows = [*sight.shadows.wanted]
    try:
        yield from _read(eyes, sight, shadows)
    except Blind as blind:
        if not shadows or blind.failed.code not in REFUSALS:
            raise
        yield sight.shadows.refuse(blind.failed)
        yield from _read(eyes, sight, ())


class _Wanted(Struct, frozen=True):
    """A metric to ask for, and what its datapoints are recorded as."""

    stat: Stat
    seen: Callable[[object, Stamp], Points]


def _read(eyes: Eyes, sight: Sight, shadows: Sequence[tuple[str, MetricQuery]]) -> Iterator[Event]:
    own = [*_metrics_of_function(sight), *_metrics_of_alarms(sight)]
    wanted = [*own, *(_Wanted(stat_of(query), partial(alarm_metric_seen, name, query)) for name, query in shadows)]
    read_s = sight.began_s if sight.metrics_read_s is None else sight.metrics_read_s
    asked_s = eyes.now()
    end_s = eyes.minute(asked_s, after=True)
    own_s = eyes.start_of_period(read_s, whole_periods_s(one.stat for one in own))
    since_s = read_s - LOOK_BACK_S if shadows and sight.metrics_read_s is None else read_s
    statuses = dict.fromkeys(range(len(wanted)), NO_RESULT)
    read: list[tuple[int, AlarmMetricSeen]] = []
    for place, result, stamp in _results(eyes, wanted, since_s, end_s):
        statuses[place] = text(result.get("StatusCode")) or COMPLETE
        seen = wanted[place].seen(result, stamp)
        if place < len(own):
            yield _from(own_s, seen)
        elif isinstance(seen, AlarmMetricSeen):
            read.append((place, seen))
    yield from _incomplete([statuses[place] for place in range(len(own))], asked_s, eyes.now())
    whole = [seen for place, seen in read if statuses[place] == COMPLETE]
    yield from sight.shadows.learn(whole, epoch_s=eyes.began_s, began_s=sight.began_s, asked_s=asked_s)
    longest_s = max(one.stat["Period"] for one in own)
    sight.metrics_read_s = max(end_s - max(OVERLAP_S, longest_s), sight.began_s)


def _results(
    eyes: Eyes, wanted: Sequence[_Wanted], since_s: float, end_s: float
) -> Iterator[tuple[int, Mapping[str, Any], Stamp]]:
    """The results by place in `wanted`. What several want is asked for once: GetMetricData costs by the metric."""
    stats: list[Stat] = []
    for one in wanted:
        if one.stat not in stats:
            stats.append(one.stat)
    for number, result, stamp in metric_results(eyes, stats, since_s, end_s):
        for place, one in enumerate(wanted):
            if one.stat == stats[number]:
                yield place, result, stamp


def _from(since_s: float, seen: Points) -> Points:
    """The datapoints of periods from an instant on: shadow alarms may have others read that began earlier."""
    # A run's instants are a second off AWS's at most, where a date of AWS told meanwhile what its clock is.
    points = tuple(point for point in seen.points if point[0] > since_s - METRIC_PERIOD_S / 2)
    return seen if len(points) == len(seen.points) else replace(seen, points=points)


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
