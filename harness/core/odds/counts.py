"""How many of some requests are bad: exact distributions in plain Python, so that an answer waits for no numpy.

What is left out of a distribution is under 1e-12.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

from msgspec import Struct

SPREADS = 8.0
"""How many standard deviations from its mean a distribution is cut off."""
FEW_MORE = 12
NOTHING_MORE = 1e-12
"""The share of what is added up so far below which what is left is left out."""


class Distribution(Struct, frozen=True):
    """The chances of `first`, `first + 1` and so on."""

    first: int
    chances: tuple[float, ...]

    def at_least(self, count: int) -> float:
        """The chance of so many or more."""
        return min(1.0, math.fsum(self.chances[max(0, count - self.first) :])) if count > self.first else 1.0


class RequestGroup(Struct, frozen=True):
    """`requests` of which each is bad by itself with a chance; they come in clumps of `clump`."""

    requests: float
    chance: float
    clump: int = 1


NONE = Distribution(0, (1.0,))


@lru_cache(maxsize=65536)
def poisson_at_least(count: int, mean: float) -> float:
    """The chance of `count` or more events where `mean` are to be expected."""
    if count <= 0:
        return 1.0
    return poisson(mean).at_least(count) if mean > 0 else 0.0


@lru_cache(maxsize=4096)
def poisson(mean: float) -> Distribution:
    """The distribution of events that come by themselves."""
    if mean <= 0:
        return NONE
    low, high = _window(mean, math.sqrt(mean), math.inf)
    return _from(low, high, -mean + low * math.log(mean) - math.lgamma(low + 1), lambda k: mean / k)


@lru_cache(maxsize=4096)
def binomial(requests: int, chance: float) -> Distribution:
    """How many of so many requests are bad if each is so by itself."""
    if requests <= 0 or chance <= 0:
        return NONE
    if chance >= 1:
        return Distribution(requests, (1.0,))
    odds, mean = chance / (1 - chance), requests * chance
    low, high = _window(mean, math.sqrt(mean * (1 - chance)), requests)
    start = _log_choose(requests, low) + low * math.log(chance) + (requests - low) * math.log1p(-chance)
    return _from(low, high, start, lambda k: (requests - k + 1) / k * odds)


@lru_cache(maxsize=65536)
def binomial_at_least(count: int, requests: int, chance: float) -> float:
    """The chance that so many or more of the requests are bad, from the nearer end of the distribution alone."""
    if count <= 0 or chance >= 1:
        return float(count <= requests)
    if count > requests or chance <= 0:
        return 0.0
    odds = chance / (1 - chance)
    if count > requests * chance:
        return _added_up(_chance_of(count, requests, chance), count, requests, odds)
    # Fewer than so many are bad where more than all the others are good.
    good = requests - count + 1
    return 1 - _added_up(_chance_of(good, requests, 1 - chance), good, requests, 1 / odds)


def _chance_of(count: int, requests: int, chance: float) -> float:
    return math.exp(_log_choose(requests, count) + count * math.log(chance) + (requests - count) * math.log1p(-chance))


def _added_up(term: float, count: int, requests: int, odds: float) -> float:
    """The chances from `count` on, that of which is `term`, up to where nothing is left."""
    total, left = 0.0, requests - count
    while term > total * NOTHING_MORE:
        total += term
        count += 1
        term *= left / count * odds
        left -= 1
    return min(1.0, total)


def of_group(group: RequestGroup) -> Distribution:
    """How many of a group are bad; where its size is no whole number, it is the one below or the one above."""
    clumps = group.requests / group.clump
    below = math.floor(clumps + 1e-9)
    part = max(0.0, clumps - below)
    fewer, more = (binomial(size * group.clump, group.chance) for size in (below, below + 1))
    return mixed(((1 - part, fewer), (part, more))) if part > 1e-9 else fewer


def mixed(parts: Sequence[tuple[float, Distribution]]) -> Distribution:
    """One distribution or another, each with its chance."""
    first = min(distribution.first for _, distribution in parts)
    chances = [0.0] * max(distribution.first + len(distribution.chances) - first for _, distribution in parts)
    for share, distribution in parts:
        for at, chance in enumerate(distribution.chances, distribution.first - first):
            chances[at] += share * chance
    return Distribution(first, tuple(chances))


def total_at_least(distributions: Sequence[Distribution], count: int) -> float:
    """The chance that independent counts add up to so many or more."""
    rest = sorted(
        (distribution for distribution in distributions if distribution != NONE),
        key=lambda distribution: len(distribution.chances),
    ) or [NONE]
    while len(rest) > 2:
        rest[:2] = [_sum_of(rest[0], rest[1])]
    if len(rest) == 1:
        return rest[0].at_least(count)
    small, large = rest
    left = [math.fsum(large.chances)] * (len(large.chances) + 1)
    for at, chance in enumerate(large.chances):
        left[at + 1] = left[at] - chance
    return min(
        1.0, sum(chance * _left(large, left, count - have) for have, chance in enumerate(small.chances, small.first))
    )


def _left(distribution: Distribution, left: Sequence[float], count: int) -> float:
    return left[min(max(0, count - distribution.first), len(left) - 1)]


def _sum_of(one: Distribution, other: Distribution) -> Distribution:
    chances = [0.0] * (len(one.chances) + len(other.chances) - 1)
    for at, chance in enumerate(one.chances):
        for beside, more in enumerate(other.chances, at):
            chances[beside] += chance * more
    return Distribution(one.first + other.first, tuple(chances))


def _window(mean: float, spread: float, most: float) -> tuple[int, int]:
    reach = SPREADS * spread + FEW_MORE
    return max(0, math.floor(mean - reach)), int(min(most, math.ceil(mean + reach)))


def _from(low: int, high: int, log_first: float, ratio: Callable[[int], float]) -> Distribution:
    chance = math.exp(log_first)
    chances = [chance]
    for count in range(low + 1, high + 1):
        chance *= ratio(count)
        chances.append(chance)
    return Distribution(low, tuple(chances))


def _log_choose(of: int, picked: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(picked + 1) - math.lgamma(of - picked + 1)
