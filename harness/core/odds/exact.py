"""The chances of one alarm by formula: counts by the minute, M of N by dynamic programming, delays by convolution.

It is exact for Poisson arrivals and for even ones, up to a grid of a second. What is left to `simulate.py` is named by
`why_not_exact`: several alarms that decide together, composites, and periods that slide over one another.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from harness.core.delays import ALARM_LOOK_S, ALIAS_LAG_S, ROLLBACK, ROLLBACK_DELAY_S, Range
from harness.core.odds.counts import Group, Tally, binomial_at_least, of_group, poisson, total_at_least
from harness.core.odds.outlook import LEVELS, Chance, Outlook, Quantiles
from harness.core.odds.setting import CREATION_S, FIRST_SHIFT_S, Delays, Setting, Watch, middle, only
from harness.core.odds.traffic import HALF_WAY, Segment, Stretch, segments, stretches
from harness.core.timeline.alarm_evaluation import MINUTE_S, Condition, state_of

MOST_POINTS = 12
"""Evaluation periods up to which all ways in which M of N can fall are followed."""
MOST_POINTS_WITH_GAPS = 5
FEWEST_CERTAIN = 1e-9
"""A minute without data that is less likely than this is taken for impossible."""
FAR = 12.0
"""So many standard deviations off, and so many requests, nothing is open."""
NOT_NEAR = 6.0
"""The same for one of many numbers of requests, whose chances are added up."""
PLENTY = 60.0
"""Where so many requests are to be expected, some come."""
STARTS = 60
"""In how many seconds of a minute the deployment may begin; fewer are enough while a search goes on."""
TURNS = 6
TYPICAL_S = 45.0
"""How long after its minute an alarm is evaluated, as far as that matters before the deployment."""
UNLIKELY = 1e-7
NEGLIGIBLE = 1e-12
"""A course of minutes that is less likely is not followed."""
SAMPLES = 80
"""How many numbers of requests an alarm on a rate is weighed at, where their number is not known."""
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

Outcome3 = tuple[float, float, float]
"""The chances that a minute breaches, does not, and has no data."""


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
    if watch.minutes > 1:
        return None if _only_fills_up(setting, watch) else "periods longer than a minute slide over one another"
    gaps = MOST_POINTS_WITH_GAPS if watch.counts != "all" else MOST_POINTS
    if watch.condition.evaluation_periods > gaps:
        return f"M of N is followed for up to {gaps} periods"
    return None


def _only_fills_up(setting: Setting, watch: Watch) -> bool:
    """Whether all that can still stop the deployment happens within the first period after the first failure."""
    quickest_s = alarm_delay(setting.delays).quickest_s + setting.delays.stop_s[0]
    begin_s = min(fault_begin_s(setting), FIRST_SHIFT_S)
    single = watch.condition.evaluation_periods == 1 and not watch.is_rate
    return single and not setting.failing_usually and setting.end_s - quickest_s - begin_s <= watch.minutes * MINUTE_S


# Delays


class AlarmDelay(Struct, frozen=True):
    """From the end of the deciding minute to ALARM, by whole seconds; `late` where the next minute had ended by then.

    `late` evaluations find the newest minute without data.
    """

    soon: Tally
    late: Tally
    quickest_s: float


@lru_cache(maxsize=64)
def alarm_delay(delays: Delays) -> AlarmDelay:
    """How long an alarm of some account takes: the second at which it is evaluated, and the metric's delay, decide."""
    soon: dict[int, float] = defaultdict(float)
    late: dict[int, float] = defaultdict(float)
    for delay_s, chance in _delays(delays):
        (late if delay_s >= MINUTE_S else soon)[int(delay_s)] += chance
    return AlarmDelay(_tally(soon), _tally(late), min([*soon, *late]))


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
def stop_delay(stop_s: Range) -> Tally:
    """From ALARM to the status Stopped, by whole seconds: the next look at the alarm, and the reaction to it."""
    every_s = min(max(stop_s[1] - stop_s[0], ALARM_LOOK_S[0]), ALARM_LOOK_S[1])
    reaction = _evenly((stop_s[0], max(stop_s[0], stop_s[1] - every_s)))
    found: dict[int, float] = defaultdict(float)
    for wait_s, share in _evenly((0.0, every_s)):
        for reaction_s, chance in reaction:
            found[int(wait_s + reaction_s)] += share * chance
    return _tally(found)


def _tally(found: Mapping[int, float]) -> Tally:
    if not found:
        return Tally(0, ())
    first = min(found)
    return Tally(first, tuple(found.get(second, 0.0) for second in range(first, max(found) + 1)))


def convolved(one: Tally, other: Tally) -> Tally:
    """The distribution of the sum of two times."""
    chances = [0.0] * max(0, len(one.chances) + len(other.chances) - 1)
    for at, chance in enumerate(one.chances):
        if chance:
            for beside, more in enumerate(other.chances, at):
                chances[beside] += chance * more
    return Tally(one.first + other.first, tuple(chances))


def before(times: Tally, at_s: float, terms: int) -> float:
    """The chance of less than `at_s`, where each of so many `terms` lies anywhere in its second."""
    passed, place = _passed(times), at_s - times.first - (terms / 2 - 0.5)
    if place <= 0:
        return 0.0
    whole = int(place)
    if whole >= len(times.chances):
        return passed[-1]
    return passed[whole] + (place - whole) * times.chances[whole]


@lru_cache(maxsize=256)
def _passed(times: Tally) -> tuple[float, ...]:
    return (0.0, *itertools.accumulate(times.chances))


@lru_cache(maxsize=256)
def _until_stop(delays: Delays, *, late: bool) -> Tally:
    """From the end of the deciding minute to the status Stopped."""
    delay = alarm_delay(delays)
    return convolved(delay.late if late else delay.soon, stop_delay(delays.stop_s))


# Minutes


def _breaching(setting: Setting, watch: Watch, found: Sequence[Stretch]) -> Outcome3:
    """How one period comes out."""
    seen = sum(one.seen for one in found)
    empty = _empty(setting, found)
    breach = _rate_breaches(setting, watch, found, seen) if watch.is_rate else _sum_breaches(setting, watch, found)
    breach = min(breach, 1 - empty)
    return breach, 1 - empty - breach, empty


def _empty(setting: Setting, found: Sequence[Stretch]) -> float:
    """The chance that no request counts, so that there is no datapoint."""
    expected = sum(one.seen for one in found)
    if expected > PLENTY:
        return 0.0
    if setting.arrivals == "poisson":
        return math.exp(-expected)
    parts = (of_group(Group(one.requests, one.seen / one.requests)) for one in found if one.requests)
    return math.prod(part.chances[0] if part.first == 0 else 0.0 for part in parts)


def _sum_breaches(setting: Setting, watch: Watch, found: Sequence[Stretch]) -> float:
    needed = watch.needed(1, setting.fault.latency_s)
    if needed is None:
        return 0.0
    expected = sum(one.bad + one.planned.requests * one.planned.chance for one in found)
    reach = FAR * math.sqrt(expected) + FAR
    if abs(needed - expected) > reach:  # sure, and too large a distribution to write down
        return float(needed < expected)
    return total_at_least(_bad(setting, found), needed)


def _bad(setting: Setting, found: Sequence[Stretch]) -> list[Tally]:
    planned = [of_group(one.planned) for one in found if one.planned.requests]
    if setting.arrivals == "poisson":
        return [poisson(round(sum(one.bad for one in found), 9)), *planned]
    groups = _merged(found)
    return [*(of_group(group) for group in groups), *planned]


def _merged(found: Sequence[Stretch]) -> list[Group]:
    """The requests that come by themselves, those of a like chance together; many stretches as one, by their mean."""
    groups: dict[float, float] = defaultdict(float)
    for one in found:
        others = one.requests - one.planned.requests
        if others > 0 and one.bad > 0:
            groups[round(one.bad / others, 12)] += others
    if len(groups) > 3:
        requests = sum(groups.values())
        return [Group(requests, sum(chance * size for chance, size in groups.items()) / requests)]
    return [Group(round(size, 6), chance) for chance, size in groups.items()]


def _rate_breaches(setting: Setting, watch: Watch, found: Sequence[Stretch], seen: float) -> float:
    bad = sum(one.bad + one.planned.requests * one.planned.chance for one in found)
    if seen <= 0:
        return 0.0
    chance, total = min(1.0, bad / seen), 0.0
    for requests, share in _sampled(_requests(setting, found, seen)):
        needed = watch.needed(requests, setting.fault.latency_s) if requests else None
        if needed is not None:
            total += share * _at_least(needed, requests, chance)
    return total


def _at_least(needed: int, requests: int, chance: float) -> float:
    """The chance of so many bad ones, without writing down what is sure."""
    expected = requests * chance
    if abs(needed - expected) > NOT_NEAR * math.sqrt(expected * (1 - chance)) + NOT_NEAR:
        return float(needed < expected)
    return binomial_at_least(needed, requests, chance)


def _requests(setting: Setting, found: Sequence[Stretch], seen: float) -> Tally:
    """How many requests count."""
    if setting.arrivals == "poisson":
        return poisson(round(seen, 6))
    whole = sum(one.requests for one in found)
    return of_group(Group(round(whole, 6), min(1.0, seen / whole)))


@lru_cache(maxsize=1024)
def _sampled(tally: Tally) -> Sequence[tuple[int, float]]:
    """So many values at the most, each standing for those around it, and none that is most unlikely.

    With few requests each number counts by itself: there one request more may need one failure more.
    """
    likely = [(count, chance) for count, chance in enumerate(tally.chances, tally.first) if chance > UNLIKELY]
    stride = max(1, -(-len(likely) // SAMPLES))
    parts = [likely[at : at + stride] for at in range(0, len(likely), stride)]
    return [(part[len(part) // 2][0], math.fsum(chance for _, chance in part)) for part in parts]


# M of N


class ConditionKey(Struct, frozen=True):
    """A condition on points that are 1 where they breach, and 0 where they do not."""

    period_s: int
    periods: int
    datapoints: int
    missing: str

    def of(self) -> Condition:
        """As the evaluator takes it."""
        return Condition(
            period_s=self.period_s,
            evaluation_periods=self.periods,
            datapoints=self.datapoints,
            threshold=0.5,
            comparison="GreaterThanThreshold",
            missing=self.missing,
        )


Window: TypeAlias = tuple[float | None, ...]


@lru_cache(maxsize=65536)
def _next(key: ConditionKey, window: Window, value: float | None, late: bool) -> tuple[bool, Window]:
    """Whether an alarm rings after one more minute, and the window that the next one finds."""
    points = (*window, value, None) if late else (*window, value)
    rings = state_of(key.of(), points, "OK") == "ALARM"
    return rings, _that_matters((*window, value)[1:], key.periods)


def _that_matters(window: Window, periods: int) -> Window:
    """A window without the points that are older than so many with data, which no evaluation asks for any more."""
    found = 0
    for age, value in enumerate(reversed(window), 1):
        found += value is not None
        if found == periods:
            return (*(None,) * (len(window) - age), *window[len(window) - age :])
    return window


def first_alarms(
    key: ConditionKey, minutes: Sequence[Outcome3], *, late: bool, warm: int = 0
) -> tuple[list[float], float]:
    """The chance that each minute is the first to lead to ALARM, and that the alarm is on after `warm` minutes.

    Before the first minute all was well. The first `warm` of them come before anything can be stopped: an alarm that
    is on after them is on at the start, whatever came before.
    """
    depth = _depth(key, minutes)
    depth -= late and depth >= key.periods
    states: dict[Window, float] = {_that_matters((0.0,) * depth, key.periods): 1.0}
    found, on = [0.0] * len(minutes), 0.0
    for at, minute in enumerate(minutes):
        following: dict[Window, float] = defaultdict(float)
        for window, chance in states.items():
            for value, part in zip((1.0, 0.0, None), minute, strict=True):
                if chance * part <= NEGLIGIBLE:
                    continue
                rings, then = _next(key, window, value, late)
                if not rings or at < warm - 1:
                    following[then] += chance * part
                elif at == warm - 1:
                    on += chance * part
                else:
                    found[at] += chance * part
        states = following
    return found, on


def _depth(key: ConditionKey, minutes: Sequence[Outcome3]) -> int:
    """How many minutes before the newest matter: those that are judged; with gaps all that are looked at."""
    gaps = any(empty > FEWEST_CERTAIN for _, _, empty in minutes)
    one_decides = key.periods == 1 and key.missing != "breaching"  # then the first ALARM comes with its own breach
    return key.of().range - 1 if gaps and not one_decides else key.periods - 1


# The whole


class _Falls(Struct, frozen=True):
    """When the deciding minute ends, by half seconds and chance, for soon and for late evaluations."""

    soon: dict[float, float]
    late: dict[float, float]
    at_start: float

    def ends(self, *, late: bool) -> Iterable[tuple[float, float]]:
        return (self.late if late else self.soon).items()

    def of(self, late: bool) -> Tally:
        seconds: dict[int, float] = defaultdict(float)
        for end_s, chance in self.ends(late=late):
            seconds[math.floor(end_s)] += chance
        return _tally(seconds)


def outlook(setting: Setting, *, starts: int = STARTS) -> Outlook:
    """The chances of a setting for which `why_not_exact` has nothing to say."""
    watch = watch_of(setting)
    assert watch is not None
    delay, stop = alarm_delay(setting.delays), stop_delay(setting.delays.stop_s)
    falls = _falls(setting, watch, starts)
    parts = _parts(falls, delay)
    stopped = [convolved(convolved(ends, delayed), stop) for ends, delayed in parts if delayed.chances]
    value = falls.at_start + sum(before(times, setting.last_shift_s, 3) for times in stopped)
    at_all = falls.at_start + sum(before(times, setting.end_s, 3) for times in stopped)
    low, high = (_chance_at(setting, falls, stop, at) for at in _slow_and_quick(delay))
    detected, restored, early = _times(setting, parts, stop)
    return Outlook(
        rolled_back=Chance(value=min(1.0, value), low=min(low, value), high=max(high, min(1.0, value)), by="exact"),
        at_all=min(1.0, at_all),
        at_start=falls.at_start,
        too_early=min(1.0, falls.at_start + early),
        detect_s=quantiles_of(detected),
        roll_back_s=quantiles_of(restored),
    )


def roll_back_times(setting: Setting) -> Mapping[float, float]:
    """How likely each time to roll back is, as `Outlook` counts them."""
    watch = watch_of(setting)
    assert watch is not None
    parts = _parts(_falls(setting, watch, STARTS), alarm_delay(setting.delays))
    _, restored, _ = _times(setting, parts, stop_delay(setting.delays.stop_s))
    return restored


def _parts(falls: _Falls, delay: AlarmDelay) -> Sequence[tuple[Tally, Tally]]:
    """When deciding minutes end, and how long after them the alarm rings: of soon evaluations, and of late ones."""
    return [(falls.of(late), delay.late if late else delay.soon) for late in (False, True)]


def chance_of(setting: Setting, *, starts: int = 12) -> float:
    """The chance of a rollback before the last shift alone, quickly."""
    watch = watch_of(setting)
    assert watch is not None
    falls, last_s = _falls(setting, watch, starts), setting.last_shift_s
    total = falls.at_start
    for late in (False, True):
        times = _until_stop(setting.delays, late=late)
        if times.chances:
            total += sum(chance * before(times, last_s - end_s, 2) for end_s, chance in falls.ends(late=late))
    return min(1.0, total)


def _slow_and_quick(delay: AlarmDelay) -> tuple[float, float]:
    """The delays that 5 % of the accounts exceed, and stay below."""
    seconds = sorted(
        (second, chance)
        for tally in (delay.soon, delay.late)
        for second, chance in enumerate(tally.chances, tally.first)
    )
    passed = list(itertools.accumulate(chance for _, chance in seconds))
    slow = next(second for (second, _), share in zip(seconds, passed, strict=True) if share >= 0.95 - 1e-9)
    quick = next(second for (second, _), share in zip(seconds, passed, strict=True) if share >= 0.05 - 1e-9)
    return slow + 0.5, quick + 0.5


def _chance_at(setting: Setting, falls: _Falls, stop: Tally, delay_s: float) -> float:
    """The chance in an account whose alarm takes so long."""
    late = delay_s >= MINUTE_S
    ends, share = falls.of(late), alarm_delay(setting.delays)
    whole = math.fsum((share.late if late else share.soon).chances)
    times = convolved(Tally(ends.first, ends.chances), stop)
    return min(1.0, falls.at_start + before(times, setting.last_shift_s - delay_s, 2)) if whole else 0.0


def _times(
    setting: Setting, parts: Sequence[tuple[Tally, Tally]], stop: Tally
) -> tuple[Mapping[float, float], Mapping[float, float], float]:
    """How likely each time of detection and of rollback is, of the rollbacks before the last shift.

    The last number is the chance of a rollback by an alarm that rang before the fault began: it detects nothing.
    """
    detected: dict[float, float] = defaultdict(float)
    stopped: dict[float, float] = defaultdict(float)
    began_s, early = fault_begin_s(setting), 0.0
    for ends, delayed in parts:
        alarms = convolved(ends, delayed) if delayed.chances else Tally(0, ())
        later = _not_before(alarms, began_s)
        for second, (chance, of_later) in enumerate(zip(alarms.chances, later.chances, strict=True), alarms.first):
            in_time = before(stop, setting.last_shift_s - max(CREATION_S, second + 1.0), 1)
            detected[max(0.0, second + 1.0 - began_s)] += of_later * in_time
            early += (chance - of_later) * in_time
        for second, chance in enumerate(convolved(later, stop).chances, later.first + stop.first):
            if second + 1.5 < setting.last_shift_s:
                stopped[second + 1.5 - began_s] += chance
    lag = _evenly(ALIAS_LAG_S)
    restored: dict[float, float] = defaultdict(float)
    for at_s, chance in stopped.items():
        for lag_s, share in lag:
            restored[at_s + RESTORED_S + lag_s] += chance * share
    return detected, restored, early


def _not_before(times: Tally, at_s: float) -> Tally:
    """The part of what happens from an instant on, where each time is that of a second that begins half a second on."""
    parts = (min(1.0, max(0.0, second + 1.5 - at_s)) for second in itertools.count(times.first))
    return Tally(times.first, tuple(chance * part for chance, part in zip(times.chances, parts, strict=False)))


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


def _falls(setting: Setting, watch: Watch, starts: int) -> _Falls:
    turns = TURNS if setting.fault.kind == "intermittent" else 1
    soon: dict[float, float] = defaultdict(float)
    late: dict[float, float] = defaultdict(float)
    at_start, part, known = 0.0, 1 / (starts * turns), dict[tuple[Stretch, ...], Outcome3]()
    delay = alarm_delay(setting.delays)
    for turn in range(turns):
        parts = segments(setting, watch, (turn + 0.5) / turns * setting.fault.every_s)
        for start in range(starts):
            second_s = (start + 0.5) * MINUTE_S / starts
            for into, weight, (found, on) in zip(
                (soon, late),
                (math.fsum(delay.soon.chances), math.fsum(delay.late.chances)),
                _deciding(setting, watch, second_s, parts, known),
                strict=True,
            ):
                at_start += on * part * weight
                for end_s, chance in found.items():
                    into[end_s] += chance * part
    return _Falls(soon, late, at_start)


Deciding = tuple[dict[float, float], float]
"""The chance that the deciding minute ends at each instant, and that the alarm is on at the start."""


def _deciding(
    setting: Setting,
    watch: Watch,
    second_s: float,
    parts: Sequence[Segment],
    known: dict[tuple[Stretch, ...], Outcome3],
) -> tuple[Deciding, Deciding]:
    """What decides soon and late evaluations, if AllowTraffic begins at this second of a minute."""
    if watch.minutes > 1:
        filling = _filling(setting, watch, second_s, parts), 0.0
        return filling, filling
    usual = setting.failing_usually > 0 or watch.counts == "canary"
    warm = watch.condition.range if usual else 0
    first = _first_minute(second_s) - warm
    last = math.floor((setting.end_s + second_s) / MINUTE_S)
    edges_s = [at * MINUTE_S - second_s for at in range(first, last + 2)]
    found = [tuple(stretches(setting, parts, *edges)) for edges in itertools.pairwise(edges_s)]
    minutes = [_known(setting, watch, one, known) for one in _with_whole_faults(setting, found)]
    condition = watch.condition
    key = ConditionKey(condition.period_s, condition.evaluation_periods, condition.datapoints, condition.missing)
    soon = _dated(first_alarms(key, minutes, late=False, warm=warm), edges_s)
    if _depth(key, minutes) < key.periods:  # no gap matters, so that evaluations differ in their time alone
        return soon, soon
    return soon, _dated(first_alarms(key, minutes, late=True, warm=warm), edges_s)


def _dated(rung: tuple[list[float], float], edges_s: Sequence[float]) -> Deciding:
    chances, on = rung
    return {end_s: chance for end_s, chance in zip(edges_s[1:], chances, strict=True) if chance > 1e-15}, on


def _known(
    setting: Setting, watch: Watch, found: tuple[Stretch, ...], known: dict[tuple[Stretch, ...], Outcome3]
) -> Outcome3:
    """How one minute comes out; most minutes are alike."""
    if found not in known:
        known[found] = _breaching(setting, watch, found)
    return known[found]


def _with_whole_faults(setting: Setting, minutes: list[tuple[Stretch, ...]]) -> list[tuple[Stretch, ...]]:
    """The minutes with as many fault requests as the even pattern gives each: whole numbers, as evenly as can be."""
    if not setting.planned:
        return minutes
    total, told = 0.0, list[tuple[Stretch, ...]]()
    for found in minutes:
        planned = [one.planned for one in found if one.planned.requests]
        size = math.fsum(group.requests for group in planned)
        whole = math.floor(total + size + HALF_WAY) - math.floor(total + HALF_WAY)
        total += size
        chance = math.fsum(group.requests * group.chance for group in planned) / size if size else 0.0
        at = next((at for at, one in enumerate(found) if one.planned.requests), None)
        told.append(tuple(replace(one, planned=Group(whole if at == n else 0, chance)) for n, one in enumerate(found)))
    return told


def _first_minute(second_s: float) -> int:
    """The first minute whose evaluation may come after the deployment's creation."""
    return math.floor((CREATION_S - TYPICAL_S + second_s) / MINUTE_S)


def _filling(setting: Setting, watch: Watch, second_s: float, parts: Sequence[Segment]) -> dict[float, float]:
    """The same where failures only add up in one long period."""
    first, last = math.floor((CREATION_S + second_s) / MINUTE_S), math.floor((setting.end_s + second_s) / MINUTE_S)
    begin_s, reached, found = first * MINUTE_S - second_s, 0.0, {}
    for at in range(first, last + 1):
        end_s = (at + 1) * MINUTE_S - second_s
        chance, _, _ = _breaching(setting, watch, tuple(stretches(setting, parts, begin_s, end_s)))
        found[end_s] = max(0.0, chance - reached)
        reached = max(reached, chance)
    return found
