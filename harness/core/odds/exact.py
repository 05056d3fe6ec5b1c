"""The chances of one alarm by formula: counts by the minute, M of N by dynamic programming, delays by convolution.

It is exact for Poisson arrivals and for even ones, up to a grid of a second. What is left to `simulate.py` is named by
`why_not_exact`: several alarms that decide together, composites, and periods that slide over one another.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache

from msgspec import Struct
from msgspec.structs import replace

from harness.core.delays import ALARM_LOOK_S, ALIAS_LAG_S, ROLLBACK, ROLLBACK_DELAY_S, Range
from harness.core.odds.counts import Distribution
from harness.core.odds.m_of_n import NEGLIGIBLE, ConditionKey, Outcome3, depth_of, first_alarms
from harness.core.odds.minutes import PLENTY, outcome_of, whole_numbers
from harness.core.odds.outlook import LEVELS, Chance, Outlook, Quantiles
from harness.core.odds.setting import CREATION_S, FIRST_LOOK_S, FIRST_SHIFT_S, Delays, Setting, Watch, middle, only
from harness.core.odds.traffic import Stretch, segments, stretches
from harness.core.timeline.alarm_evaluation import MINUTE_S

MOST_POINTS = 12
"""Evaluation periods up to which all ways in which M of N can fall are followed."""
MOST_POINTS_WITH_GAPS = 5
FEW = 30
"""So few requests a minute are played where they come evenly."""
STARTS = 60
"""In how many seconds of a minute the deployment may begin; fewer are enough while a search goes on."""
GOLDEN = (math.sqrt(5) - 1) / 2
"""Its multiples, as places of the next arrival, are as even as can be among those seconds."""
RESTORED_S = ROLLBACK_DELAY_S + sum(
    map(
        middle,
        (
            ROLLBACK.created_s,
            ROLLBACK.start_s,
            ROLLBACK.gap_s,
            ROLLBACK.event_s,
            ROLLBACK.gap_s,
            ROLLBACK.first_shift_s,
        ),
    )
)
"""From the status Stopped until the rollback deployment moves the alias, on average."""


def watch_of(setting: Setting) -> Watch | None:
    """The one alarm that decides alone; None where several, or a composite, do."""
    name = only(setting.guards)
    return next((watch for watch in setting.watches if watch.name == name), None)


def why_not_exact(setting: Setting) -> str | None:
    """What keeps us from a formula; None where nothing does."""
    watch = watch_of(setting)
    if watch is None:
        return "several alarms, or a composite, decide together"
    if setting.planned and setting.arrivals == "poisson" and setting.pattern != "bernoulli":
        return "a pattern of fault requests over arrivals by chance has no formula"
    if setting.planned and setting.pattern == "burst":
        return "bursts of fault requests have no formula"
    if setting.fault.kind == "intermittent" and setting.fault.every_s:
        return "a fault that comes and goes may be anywhere in its turn when it begins"
    if setting.arrivals == "even" and (why := _why_not_even(setting, watch)):
        return why
    if watch.minutes > 1:
        return None if _only_fills_up(setting, watch) else "periods longer than a minute slide over one another"
    gaps = MOST_POINTS_WITH_GAPS if watch.counts != "all" else MOST_POINTS
    if watch.condition.evaluation_periods > gaps:
        return f"M of N is followed for up to {gaps} periods"
    return None


def _why_not_even(setting: Setting, watch: Watch) -> str | None:
    """Even arrivals depend on one another, which only matters where there are few, or where their number decides."""
    if any(0 < rate * MINUTE_S < FEW for _, rate in setting.rate):
        return "of few even arrivals each depends on the one before it"
    changes = setting.fault.kind == "ramp" or setting.fault.at_s or setting.fault.for_s is not None
    if watch.is_rate and watch.counts != "all" and (changes or setting.planned):
        return "the share of even arrivals that fail changes within a minute"
    return None


def _only_fills_up(setting: Setting, watch: Watch) -> bool:
    """Whether all that can still stop the deployment happens within the first period after the first failure."""
    quickest_s = alarm_delay(setting.delays).quickest_s + setting.delays.stop_s[0]
    begin_s = min(fault_begin_s(setting), FIRST_SHIFT_S)
    single = watch.condition.evaluation_periods == 1 and watch.condition.missing != "breaching" and not watch.is_rate
    return single and not setting.failing_usually and setting.end_s - quickest_s - begin_s <= watch.minutes * MINUTE_S


# Delays


class AlarmDelay(Struct, frozen=True, dict=True):
    """From the end of the deciding minute to ALARM, by whole seconds; `late` where the next minute had ended by then.

    `late` evaluations find the newest minute without data.
    """

    soon: Distribution
    late: Distribution

    @cached_property
    def quickest_s(self) -> float:
        """The shortest one."""
        return min(distribution.first for distribution in (self.soon, self.late) if distribution.chances)

    @cached_property
    def slowest_s(self) -> float:
        """No one takes longer."""
        return max(distribution.first + len(distribution.chances) for distribution in (self.soon, self.late))


@lru_cache(maxsize=64)
def alarm_delay(delays: Delays) -> AlarmDelay:
    """How long an alarm of some account takes: the second at which it is evaluated, and the metric's delay, decide."""
    found = _delays(delays)
    soon = _distribution((delay_s, chance) for delay_s, chance in found if delay_s < MINUTE_S)
    return AlarmDelay(soon, _distribution((delay_s, chance) for delay_s, chance in found if delay_s >= MINUTE_S))


def _delays(delays: Delays) -> list[tuple[float, float]]:
    if delays.alarm_s is not None:
        return _evenly(delays.alarm_s)
    parts = _evenly(delays.metric_s)
    phases = [(second + 0.5, 1 / MINUTE_S) for second in range(MINUTE_S)]
    return [
        (phase_s if phase_s >= metric_s else phase_s + MINUTE_S, share * chance)
        for metric_s, share in parts
        for phase_s, chance in phases
    ]


def _evenly(span: Range) -> list[tuple[float, float]]:
    """What is drawn evenly from a span, as points in the middle of its parts, each with its chance."""
    width_s = span[1] - span[0]
    count = max(1, math.ceil(2 * width_s))
    return [(span[0] + (part + 0.5) * width_s / count, 1 / count) for part in range(count)]


@lru_cache(maxsize=64)
def stop_delay(stop_s: Range) -> Distribution:
    """From ALARM to the status Stopped, by whole seconds: the next look at the alarm, and the reaction to it."""
    every_s = min(max(stop_s[1] - stop_s[0], ALARM_LOOK_S[0]), ALARM_LOOK_S[1])
    reaction = _evenly((stop_s[0], max(stop_s[0], stop_s[1] - every_s)))
    return _distribution(
        (wait_s + reaction_s, share * chance)
        for wait_s, share in _evenly((0.0, every_s))
        for reaction_s, chance in reaction
    )


def _distribution(times: Iterable[tuple[float, float]]) -> Distribution:
    """Times by whole seconds, each of which stands for the half second after it; their mean stays as it is."""
    found: dict[int, float] = defaultdict(float)
    for at_s, chance in times:
        second = math.floor(at_s - 0.5)
        after = at_s - 0.5 - second
        found[second] += chance * (1 - after)
        if after:
            found[second + 1] += chance * after
    if not found:
        return Distribution(0, ())
    first = min(found)
    return Distribution(first, tuple(found.get(second, 0.0) for second in range(first, max(found) + 1)))


def before(times: Distribution, at_s: float, terms: int) -> float:
    """The chance of less than `at_s`, where each of so many `terms` lies anywhere in its second."""
    passed, place = _passed(times), at_s - times.first - (terms / 2 - 0.5)
    if place <= 0:
        return 0.0
    whole = int(place)
    if whole >= len(times.chances):
        return passed[-1]
    return passed[whole] + (place - whole) * times.chances[whole]


@lru_cache(maxsize=256)
def _passed(times: Distribution) -> tuple[float, ...]:
    return (0.0, *itertools.accumulate(times.chances))


# The whole


Alarms = Mapping[float, float]
"""How likely the first ALARM comes in the second from each instant on; the instants are a second apart, or less."""


class _Rung(Struct, frozen=True):
    """When the alarm first rings after CodeDeploy's first look, and how likely it is on at that look."""

    alarms: Alarms
    at_start: float

    def stopped_by(self, setting: Setting, at_s: float) -> float:
        """The chance that the deployment has stopped by then."""
        stop = stop_delay(setting.delays.stop_s)
        return min(1.0, self.at_start + sum(chance * before(stop, at_s - at, 2) for at, chance in self.alarms.items()))


def outlook(setting: Setting, *, starts: int = STARTS) -> Outlook:
    """The chances of a setting for which `why_not_exact` has nothing to say."""
    course, delay = _Course(setting, starts), alarm_delay(setting.delays)
    rung = course.rung(delay)
    value, at_all = (rung.stopped_by(setting, at_s) for at_s in (setting.last_shift_s, setting.end_s))
    slow, quick = (course.rung(one).stopped_by(setting, setting.last_shift_s) for one in _slow_and_quick(delay))
    detected, restored, early = _times(setting, rung.alarms)
    return Outlook(
        rolled_back=Chance(value=value, low=min(slow, value), high=max(quick, value), by="exact"),
        at_all=at_all,
        at_start=rung.at_start,
        too_early=min(1.0, rung.at_start + early),
        detect_s=quantiles_of(detected),
        roll_back_s=quantiles_of(restored),
    )


def roll_back_times(setting: Setting) -> Mapping[float, float]:
    """How likely each time to roll back is, as `Outlook` counts them."""
    _, restored, _ = _times(setting, _Course(setting, STARTS).rung(alarm_delay(setting.delays)).alarms)
    return restored


def chance_of(setting: Setting, *, starts: int = STARTS) -> float:
    """The chance of a rollback before the last shift alone, quickly."""
    rung = _Course(setting, starts).rung(alarm_delay(setting.delays))
    return rung.stopped_by(setting, setting.last_shift_s)


def _slow_and_quick(delay: AlarmDelay) -> tuple[AlarmDelay, AlarmDelay]:
    """Accounts with the delays that 5 % exceed, and stay below."""
    seconds = sorted(
        (second, chance)
        for distribution in (delay.soon, delay.late)
        for second, chance in enumerate(distribution.chances, distribution.first)
    )
    passed = list(itertools.accumulate(chance for _, chance in seconds))
    slow = next(second for (second, _), share in zip(seconds, passed, strict=True) if share >= 0.95 - 1e-9)
    quick = next(second for (second, _), share in zip(seconds, passed, strict=True) if share >= 0.05 - 1e-9)
    return _always(slow), _always(quick)


def _always(delay_s: int) -> AlarmDelay:
    """The account whose alarm always takes so long."""
    one, none = Distribution(delay_s, (1.0,)), Distribution(0, ())
    return AlarmDelay(none, one) if delay_s >= MINUTE_S else AlarmDelay(one, none)


def _times(setting: Setting, alarms: Alarms) -> tuple[Mapping[float, float], Mapping[float, float], float]:
    """How likely each time of detection and of rollback is, of the rollbacks before the last shift.

    The last number is the chance of a rollback by an alarm that rang before the fault began: it detects nothing.
    """
    detected: dict[float, float] = defaultdict(float)
    stopped: dict[float, float] = defaultdict(float)
    began_s, last_s, early = fault_begin_s(setting), setting.last_shift_s, 0.0
    stop = stop_delay(setting.delays.stop_s)
    for at_s, chance in alarms.items():
        later = chance * min(1.0, max(0.0, at_s + 1.0 - began_s))
        in_time = before(stop, last_s - at_s, 2)
        detected[max(0.0, math.floor(at_s + 1.0 - began_s))] += later * in_time
        early += (chance - later) * in_time
        for wait_s, share in enumerate(stop.chances, stop.first) if later else ():
            if at_s + wait_s + 1.0 < last_s:
                stopped[math.floor(at_s + wait_s + 1.0 - began_s)] += later * share
    lag = _evenly(ALIAS_LAG_S)
    restored: dict[float, float] = defaultdict(float)
    for at_s, chance in stopped.items():
        for lag_s, share in lag:
            restored[at_s + 0.5 + RESTORED_S + lag_s] += chance * share
    return detected, restored, early


def quantiles_of(times: Mapping[float, float]) -> Quantiles | None:
    """The quantiles of times with their chances; None where nothing is likely at all."""
    ordered = sorted(times.items())
    passed = list(itertools.accumulate(chance for _, chance in ordered))
    if not passed or passed[-1] < 1e-9:
        return None
    told = [
        next(at_s for (at_s, _), share in zip(ordered, passed, strict=True) if share >= level * passed[-1])
        for level in LEVELS
    ]
    return Quantiles(p05=told[0], p50=told[1], p95=told[2])


def fault_begin_s(setting: Setting) -> float:
    """When users first meet the fault."""
    begins = [one.from_s + CREATION_S for one in setting.planned if one.share > 0]
    if setting.fault.share > 0:
        begins.append(FIRST_SHIFT_S + setting.fault.at_s)
    return min(begins, default=FIRST_SHIFT_S)


# How a release goes


class _Start(Struct, frozen=True):
    """Releases whose AllowTraffic begins at one second of a minute: their minutes, from long before their creation on.

    `calm` says that no alarm can ring before CodeDeploy's first look.
    """

    minutes: Sequence[Outcome3]
    ends_s: Sequence[float]
    calm: bool = False

    def judged(self, delay_s: float) -> int:
        """How many minutes an alarm has judged by CodeDeploy's first look, if it takes so long after each."""
        found = math.floor((FIRST_LOOK_S - delay_s - self.ends_s[0]) / MINUTE_S) + 1
        return min(len(self.ends_s), max(0, found))


Dated = tuple[Mapping[float, float], float]
"""The chance that the deciding minute ends at each instant, and that the alarm is on at the first look."""


class _Course:
    """What one alarm makes of the minutes of a release, wherever in a minute the release begins."""

    def __init__(self, setting: Setting, starts: int) -> None:
        watch = watch_of(setting)
        assert watch is not None
        self._setting, self._watch, self._starts = setting, watch, starts
        self._key = ConditionKey.by(watch.condition)
        self._parts = segments(setting, watch)
        self._known: dict[tuple[Stretch, ...], Outcome3] = {}
        self._begun = [self._start(at) for at in range(starts)]
        self._rung: dict[tuple[int, int, bool], Dated] = {}

    def rung(self, delay: AlarmDelay) -> _Rung:
        """When the alarm rings, if it takes so long after each minute."""
        alarms: dict[float, float] = defaultdict(float)
        at_start = 0.0
        for late, times in ((False, delay.soon), (True, delay.late)):
            ends: dict[tuple[int, int], dict[float, float]] = defaultdict(lambda: defaultdict(float))
            for start in self._begun:
                for judged, low, high in _alike(start, times):
                    found, on = self._deciding(start, judged, late=late)
                    at_start += on * math.fsum(times.chances[low:high]) / self._starts
                    for end_s, chance in found.items():
                        ends[low, high][end_s] += chance / self._starts
            for (low, high), found in ends.items():
                _add_delay(alarms, found, times, range(low, high))
        return _Rung(alarms, at_start)

    def _start(self, at: int) -> _Start:
        setting, watch = self._setting, self._watch
        second_s, delay = setting.second_s((at + 0.5) / self._starts), alarm_delay(setting.delays)
        earliest_s = FIRST_LOOK_S - delay.slowest_s - _looks_back(setting, watch) * MINUTE_S
        first, last = (math.floor((at_s + second_s) / MINUTE_S) for at_s in (earliest_s, setting.end_s))
        edges_s = [number * MINUTE_S - second_s for number in range(first, last + 2)]
        found = [tuple(stretches(setting, self._parts, *edges)) for edges in itertools.pairwise(edges_s)]
        whole = whole_numbers(setting, found, (at + 0.5) * GOLDEN % 1.0)
        if watch.minutes > 1:  # failures only add up
            whole = itertools.accumulate(whole)
        start = _Start([self._outcome(one) for one in whole], edges_s[1:])
        return replace(start, calm=all(map(self._is_calm, start.minutes[: start.judged(delay.quickest_s)])))

    def _outcome(self, found: tuple[Stretch, ...]) -> Outcome3:
        """How one minute comes out; most minutes are alike."""
        if found not in self._known:
            self._known[found] = outcome_of(self._setting, self._watch, found)
        return self._known[found]

    def _is_calm(self, minute: Outcome3) -> bool:
        breach, _, empty = minute
        return breach + (empty if self._key.missing == "breaching" else 0.0) <= NEGLIGIBLE

    def _deciding(self, start: _Start, judged: int, *, late: bool) -> Dated:
        if self._watch.minutes > 1:
            return _filling(start), 0.0
        late = late and depth_of(self._key, start.minutes) >= self._key.periods  # else no gap matters
        asked = (id(start), judged, late)
        if asked not in self._rung:
            chances, on = first_alarms(self._key, start.minutes, late=late, warm=judged)
            dated = zip(start.ends_s, chances, strict=True)
            self._rung[asked] = {end_s: chance for end_s, chance in dated if chance > NEGLIGIBLE}, on
        return self._rung[asked]


def _looks_back(setting: Setting, watch: Watch) -> int:
    """How many minutes an alarm looks back on: fewer where none of them is missing, and nothing fails in them."""
    plenty = watch.counts == "all" and min(rate for _, rate in setting.rate) * MINUTE_S > PLENTY
    return watch.condition.evaluation_periods if plenty and not setting.usual else watch.condition.range


def _alike(start: _Start, times: Distribution) -> Iterator[tuple[int, int, int]]:
    """Delays between which the first look finds as many minutes judged: how many, and the delays' places in `times`."""
    if start.calm:
        judged = start.judged(times.first + len(times.chances))
        yield from [(judged, 0, len(times.chances))] if times.chances else []
        return
    low = 0
    found = (start.judged(times.first + second + 0.5) for second in range(len(times.chances)))
    for judged, group in itertools.groupby(found):
        high = low + len(list(group))
        yield judged, low, high
        low = high


def _add_delay(alarms: dict[float, float], ends: Mapping[float, float], times: Distribution, places: range) -> None:
    for end_s, chance in ends.items():
        for place in places:
            alarms[end_s + times.first + place] += chance * times.chances[place]


def _filling(start: _Start) -> Mapping[float, float]:
    """When one long period first breaches, where failures only add up in it."""
    found, reached = {}, 0.0
    for end_s, (chance, _, _) in zip(start.ends_s, start.minutes, strict=True):
        found[end_s] = max(0.0, chance - reached)
        reached = max(reached, chance)
    return found
