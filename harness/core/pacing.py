"""When the next request is due, and which requests are meant to fail.

An arrival stands at a *level*: the number of arrivals that the plan has asked for by then. A `Pace` maps levels to
time, one straight line from each change of the rate on, so that a change neither loses an arrival nor repeats one. All
workers walk the same levels and each takes every `count`-th, so that a split over workers is exact and the same seed
gives the same arrivals however many workers there are.
"""

import itertools
import random
from bisect import bisect
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from harness.core.experiment import Arrivals, Pattern

Choice = TypeVar("Choice")

CLUMP = 10
"""Fault requests in one clump of the burst pattern."""


class Pace(Struct, frozen=True):
    """The plan from `since_s` on: `rate` arrivals per second, `level` of them asked for by then."""

    rate: float
    since_s: float = 0.0
    level: float = 0.0

    def level_at(self, at_s: float) -> float:
        """How many arrivals are asked for by `at_s`."""
        return self.level + max(0.0, at_s - self.since_s) * self.rate

    def due_s(self, level: float) -> float:
        """When the arrival at `level` is due; never at rate 0, at once if it is overdue."""
        if level <= self.level:
            return self.since_s
        return self.since_s + (level - self.level) / self.rate if self.rate else float("inf")

    def changed(self, at_s: float, rate: float) -> "Pace":
        """The same plan until `at_s`, another rate from then on."""
        return Pace(rate=rate, since_s=max(at_s, self.since_s), level=self.level_at(at_s))


class Part(Struct, frozen=True):
    """One worker's part of the arrivals: number `index` and every `count`-th after it."""

    index: int = 0
    count: int = 1


WHOLE = Part()


def levels(arrivals: Arrivals, seed: int) -> Iterator[float]:
    """The levels of all arrivals: evenly half-way between whole numbers, or a Poisson process of rate 1."""
    if arrivals == "even":
        return (number + 0.5 for number in itertools.count())
    draw = random.Random(f"arrivals {seed}").expovariate
    return itertools.accumulate(draw(1.0) for _ in itertools.repeat(None))


class Pacer:
    """The due times of one worker's arrivals, in order; pace and part may change on the way.

    With another part it takes over at the level where the pace begins: what was asked for before stays with whoever
    had it, and stays due.
    """

    def __init__(self, pace: Pace, part: Part = WHOLE, *, arrivals: Arrivals = "even", seed: int = 1) -> None:
        self._pace = pace
        self._part = part
        self._levels: Iterator[tuple[int, float]] = enumerate(levels(arrivals, seed))
        self._level = -1.0
        self._passed: list[tuple[int, float]] = []
        self._changes: deque[tuple[float, Part]] = deque()
        self._go_on(pace.level)

    def due_s(self) -> float:
        """When the next arrival of this worker is due."""
        return self._pace.due_s(self._level)

    def advance(self) -> None:
        """Goes on to the next arrival of this worker."""
        self._passed.clear()
        self._go_on()
        self._take_over()

    def change(self, pace: Pace, part: Part) -> None:
        """Goes on by another pace or as another part; call it when `pace.since_s` is reached."""
        self._pace = pace
        self._changes.append((pace.level, part))
        self._take_over()

    def _take_over(self) -> None:
        while self._changes and self._level >= self._changes[0][0]:
            level, part = self._changes.popleft()
            if part != self._part:
                self._part = part
                self._levels = itertools.chain(self._passed, self._levels)
                self._passed = []
                self._go_on(level)

    def _go_on(self, least: float = 0.0) -> None:
        """Finds the next arrival of the own part from the level `least` on, remembering those it passes."""
        index, count = self._part.index, self._part.count
        for number, level in self._levels:
            self._passed.append((number, level))
            if level >= least and number % count == index:
                self._level = level
                return


class ShareDraw(Protocol):
    """Decides of each request in turn whether it is a fault request."""

    def draw(self, share: float) -> bool:
        """Whether the next request is a fault request while the share is `share`."""
        ...


class EvenShare:
    """Fault requests as evenly as can be: never further than 1 from the sum of all shares so far.

    It starts half-way, so that with a share of 1/600 the first fault request is the 300th: evenly spaced fault
    requests then stay clear of the edges of an alarm's periods. Workers start at staggered places, so that all
    together are as exact as one.
    """

    def __init__(self, part: Part = WHOLE) -> None:
        self._owed = (part.index + 0.5) / part.count

    def draw(self, share: float) -> bool:
        """Whether the next request is a fault request while the share is `share`."""
        self._owed += share
        if self._owed < 1.0:
            return False
        self._owed -= 1.0
        return True


class BernoulliShare:
    """Each request is a fault request with the probability of the share, by itself."""

    def __init__(self, rng: random.Random) -> None:
        self._random = rng.random

    def draw(self, share: float) -> bool:
        """Whether the next request is a fault request while the share is `share`."""
        return self._random() < share


class BurstShare:
    """Fault requests in clumps of `CLUMP` at drawn places: never further than a clump from the sum of all shares."""

    def __init__(self, rng: random.Random) -> None:
        self._random = rng.random
        self._owed = 0.0
        self._left = 0
        self._start = self._random() * CLUMP

    def draw(self, share: float) -> bool:
        """Whether the next request is a fault request while the share is `share`; a share of 0 cuts a clump short."""
        self._owed += share
        if not self._left and self._owed > self._start * (1 - share):
            self._left = CLUMP
            self._start = self._random() * CLUMP
        if not self._left or not share:
            self._left = 0
            return False
        self._left -= 1
        self._owed -= 1.0
        return True


def share_draw(pattern: Pattern, seed: int, part: Part = WHOLE) -> ShareDraw:
    """The draw of a pattern; the same seed and part give the same requests again."""
    rng = random.Random(f"shares {seed} {part.index}")
    if pattern == "even":
        return EvenShare(part)
    return BernoulliShare(rng) if pattern == "bernoulli" else BurstShare(rng)


class Mix(Generic[Choice]):
    """Draws from weighted choices at random; the same seed gives the same draws again."""

    def __init__(self, weights: Mapping[Choice, float], seed: str) -> None:
        self._choices: Sequence[Choice] = [choice for choice, weight in weights.items() if weight > 0]
        if not self._choices:
            raise ValueError("a mix needs at least one choice with a weight above 0")
        self._bounds = list(itertools.accumulate(weights[choice] for choice in self._choices))
        self._total = self._bounds.pop()
        self._random = random.Random(seed).random

    def draw(self) -> Choice:
        """The next choice."""
        return self._choices[bisect(self._bounds, self._random() * self._total)]
