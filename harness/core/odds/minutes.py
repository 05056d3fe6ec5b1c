"""How one minute comes out for an alarm: the chances that its datapoint breaches, does not, or is not there."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache

from harness.core.odds.counts import Distribution, RequestGroup, binomial_at_least, of_group, poisson, total_at_least
from harness.core.odds.m_of_n import Outcome3
from harness.core.odds.setting import Setting, Watch
from harness.core.odds.traffic import HALF_WAY, Stretch

FAR = 12.0
"""So many standard deviations off, and so many requests, nothing is open."""
NOT_NEAR = 6.0
"""The same for one of many numbers of requests, whose chances are added up."""
PLENTY = 60.0
"""Where so many requests are to be expected, some come."""
UNLIKELY = 1e-7
SAMPLES = 80
"""How many numbers of requests an alarm on a rate is weighed at, where their number is not known."""
MOST_GROUPS = 3
"""Into so many groups the requests of one minute are put whose chances differ little from one another."""


def outcome_of(setting: Setting, watch: Watch, found: Sequence[Stretch]) -> Outcome3:
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
    return math.prod(float((1 - min(1.0, one.seen / one.requests)) ** one.requests) for one in found if one.requests)


def _sum_breaches(setting: Setting, watch: Watch, found: Sequence[Stretch]) -> float:
    return _reached(setting, found, watch.needed(1, setting.fault.latency_s))


def _reached(setting: Setting, found: Sequence[Stretch], needed: int | None) -> float:
    """The chance of so many bad requests or more; of none where None."""
    if needed is None:
        return 0.0
    expected = sum(one.bad + one.planned.requests * one.planned.chance for one in found)
    reach = FAR * math.sqrt(expected) + FAR
    if abs(needed - expected) > reach:  # sure, and too large a distribution to write down
        return float(needed < expected)
    return total_at_least(_bad(setting, found), needed)


def _bad(setting: Setting, found: Sequence[Stretch]) -> list[Distribution]:
    planned = [of_group(one.planned) for one in found if one.planned.requests]
    if setting.arrivals == "poisson":
        return [poisson(round(sum(one.bad for one in found), 9)), *planned]
    groups = _merged(found)
    return [*(of_group(group) for group in groups), *planned]


def _merged(found: Sequence[Stretch]) -> list[RequestGroup]:
    """The requests that come by themselves, those of a like chance together: of many chances a few that are alike."""
    sizes: dict[float, float] = defaultdict(float)
    for one in found:
        others = one.requests - one.planned.requests
        if others > 0 and one.bad > 0:
            sizes[round(one.bad / others, 12)] += others
    ordered = sorted(sizes.items())
    each = max(1, -(-len(ordered) // MOST_GROUPS))
    return [_as_one(ordered[at : at + each]) for at in range(0, len(ordered), each)]


def _as_one(alike: Sequence[tuple[float, float]]) -> RequestGroup:
    requests = math.fsum(size for _, size in alike)
    return RequestGroup(round(requests, 6), math.fsum(chance * size for chance, size in alike) / requests)


def _rate_breaches(setting: Setting, watch: Watch, found: Sequence[Stretch], seen: float) -> float:
    if seen <= 0:
        return 0.0
    if setting.arrivals == "even" and watch.counts == "all":  # their number is known
        needed = watch.needed(round(seen), setting.fault.latency_s)
        return _reached(setting, found, needed)
    bad = sum(one.bad + one.planned.requests * one.planned.chance for one in found)
    chance, numbers = min(1.0, bad / seen), _sampled(_requests(setting, found, seen))

    def fewest(requests: int) -> int | None:
        return watch.needed(requests, setting.fault.latency_s) if requests else None

    def sure(requests: int) -> float | None:
        failures = fewest(requests)
        return 0.0 if failures is None else _if_sure(failures, requests, chance)

    ends = {sure(numbers[at][0]) for at in (0, -1)}
    if len(ends) == 1 and None not in ends:  # then so is all between them
        return math.fsum(share for _, share in numbers) * sum(end or 0.0 for end in ends)
    return math.fsum(
        share * binomial_at_least(failures, requests, chance)
        for requests, share in numbers
        if (failures := fewest(requests)) is not None
    )


def _if_sure(needed: int, requests: int, chance: float) -> float | None:
    """0 or 1 where so many bad ones are impossible or certain, as good as; None where it is open."""
    expected = requests * chance
    if abs(needed - expected) > NOT_NEAR * math.sqrt(expected * (1 - chance)) + NOT_NEAR:
        return float(needed < expected)
    return None


def _requests(setting: Setting, found: Sequence[Stretch], seen: float) -> Distribution:
    """How many requests count."""
    if setting.arrivals == "poisson":
        return poisson(round(seen, 6))
    return of_group(_as_one([(one.seen / one.requests, one.requests) for one in found if one.seen > 0]))


@lru_cache(maxsize=1024)
def _sampled(distribution: Distribution) -> Sequence[tuple[int, float]]:
    """So many values at the most, each standing for those around it, and none that is most unlikely.

    With few requests each number counts by itself: there one request more may need one failure more.
    """
    likely = [
        (count, chance) for count, chance in enumerate(distribution.chances, distribution.first) if chance > UNLIKELY
    ]
    whole = math.fsum(chance for _, chance in likely)
    stride = max(1, -(-len(likely) // SAMPLES))
    parts = [likely[at : at + stride] for at in range(0, len(likely), stride)]
    return [(part[len(part) // 2][0], math.fsum(chance for _, chance in part) / whole) for part in parts]


def whole_numbers(
    setting: Setting, minutes: Sequence[Sequence[Stretch]], place: float
) -> Iterator[tuple[Stretch, ...]]:
    """The minutes with as many requests as even arrivals bring to each stretch, and as many fault requests of them.

    `place`, 0 to 1, is how far the next arrival has come when the first minute begins.
    """
    if setting.arrivals != "even":
        yield from map(tuple, minutes)
        return
    requests, faults = _Whole(place), _Whole(HALF_WAY)
    for found in minutes:
        yield tuple(_whole(one, requests, faults) for one in found)


class _Whole:
    """Turns what is to be expected into whole numbers, as evenly as can be."""

    def __init__(self, place: float) -> None:
        self._total, self._told = place, math.floor(place)

    def next(self, expected: float) -> int:
        """How many come next."""
        self._total += expected
        number = math.floor(self._total) - self._told
        self._told += number
        return number


def _whole(one: Stretch, requests: _Whole, faults: _Whole) -> Stretch:
    number = requests.next(one.requests)
    meant = min(number, faults.next(number * one.planned.requests / one.requests)) if one.requests else 0
    others = one.requests - one.planned.requests
    return Stretch(
        float(number),
        number * one.seen / one.requests if one.requests else 0.0,
        (number - meant) * one.bad / others if others > 0 else 0.0,
        RequestGroup(float(meant), one.planned.chance),
    )
