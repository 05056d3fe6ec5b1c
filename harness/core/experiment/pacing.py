"""When the next request is due, and which requests are meant to fail.

An arrival stands at a *level*: the number of arrivals that the plan has asked for by then. An `ArrivalPlan` maps levels
to time, with one `Pace` from each change of the rate on, so that a change neither loses an arrival nor repeats one. All
workers walk the same levels and each takes every `count`-th, so that a split over workers is exact and the same seed
gives the same arrivals however many workers there are.
"""

import itertools
import math
import random
from bisect import bisect, bisect_left
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from harness.core.experiment.rates import Leg, cut
from harness.core.experiment.types import Arrivals, Pattern

Choice = TypeVar("Choice")

CLUMP = 10
"""Fault requests in one clump of the burst pattern."""
PACES_KEPT = 8
"""Paces of a plan that are gone by and kept, for arrivals that are overdue when the rate changes."""


class Pace(Struct, frozen=True):
    """From `since_s` on `rate` arrivals per second, `slope` more each second; `level` of them asked for by then."""

    rate: float
    since_s: float = 0.0
    level: float = 0.0
    slope: float = 0.0

    def level_at(self, at_s: float) -> float:
        """How many arrivals are asked for by `at_s`."""
        passed_s = max(0.0, at_s - self.since_s)
        return self.level + passed_s * (self.rate + self.slope * passed_s / 2)

    def due_s(self, level: float) -> float:
        """When the arrival at `level` is due; never if the rate does not get there, at once if it is overdue."""
        asked = level - self.level
        if asked <= 0:
            return self.since_s
        if not self.slope:
            return self.since_s + asked / self.rate if self.rate else math.inf
        twice_mean_rate = self.rate + math.sqrt(max(0.0, self.rate * self.rate + 2 * self.slope * asked))
        return self.since_s + 2 * asked / twice_mean_rate if twice_mean_rate else math.inf


class ArrivalPlan(Struct, frozen=True):
    """The paces one after the other, those to come included."""

    paces: tuple[Pace, ...] = (Pace(0.0),)

    def level_at(self, at_s: float) -> float:
        """How many arrivals are asked for by `at_s`."""
        return self.paces[max(0, bisect(self.paces, at_s, key=_since_s) - 1)].level_at(at_s)

    def due_s(self, level: float) -> float:
        """When the arrival at `level` is due: never if no rate gets there, at once if it is overdue."""
        pace = self.paces[-1]
        if level <= pace.level:  # seldom: most arrivals are of the newest pace
            pace = self.paces[max(0, bisect_left(self.paces, level, key=_level) - 1)]
        return pace.due_s(level)

    def changed(self, at_s: float, legs: Sequence[Leg]) -> "ArrivalPlan":
        """The same plan until `at_s`, the rate that `legs` ask for from then on."""
        paces = [pace for pace in self.paces if pace.since_s < at_s][-PACES_KEPT:]
        level = self.level_at(at_s)
        for leg in cut(legs, at_s):
            level = paces[-1].level_at(leg.since_s) if leg.since_s > at_s else level
            paces.append(Pace(rate=leg.rate, since_s=leg.since_s, level=level, slope=leg.slope))
        return ArrivalPlan(tuple(paces))


def _since_s(pace: Pace) -> float:
    return pace.since_s


def _level(pace: Pace) -> float:
    return pace.level


class WorkerPart(Struct, frozen=True):
    """One worker's part of the arrivals: number `index` and every `count`-th after it."""

    index: int = 0
    count: int = 1


WHOLE = WorkerPart()
NOTHING = WorkerPart(0, 0)
"""The part of a worker that is to send no more."""


def levels(arrivals: Arrivals, seed: int) -> Iterator[float]:
    """The levels of all arrivals: evenly half-way between whole numbers, or a Poisson process of rate 1."""
    if arrivals == "even":
        return (number + 0.5 for number in itertools.count())
    draw = random.Random(f"arrivals {seed}").expovariate
    return itertools.accumulate(draw(1.0) for _ in itertools.repeat(None))


class Pacer:
    """The due times of one worker's arrivals, in order; plan and part may change on the way.

    As a part it begins at the level that is reached at `since_s`: what was asked for before stays with whoever had it,
    and stays due.
    """

    def __init__(
        self,
        plan: ArrivalPlan,
        part: WorkerPart = WHOLE,
        *,
        arrivals: Arrivals = "even",
        seed: int = 1,
        since_s: float = 0.0,
    ) -> None:
        self._plan = plan
        self._part = part
        self._levels: Iterator[tuple[int, float]] = enumerate(levels(arrivals, seed))
        self._level = -1.0
        self._passed: list[tuple[int, float]] = []
        self._changes: deque[tuple[float, WorkerPart]] = deque()
        self._go_on(plan.level_at(since_s))
        self._due_s = plan.due_s(self._level)

    @property
    def number(self) -> int:
        """The number of the next arrival among those of all workers."""
        return self._passed[-1][0] if self._passed else 0

    def due_s(self) -> float:
        """When the next arrival of this worker is due."""
        return self._due_s

    def advance(self) -> None:
        """Goes on to the next arrival of this worker."""
        self._passed.clear()
        self._go_on()
        if self._changes:
            self._take_over()
        else:
            self._due_s = self._plan.due_s(self._level)

    def change(self, plan: ArrivalPlan, part: WorkerPart, since_s: float) -> None:
        """Goes on by another plan or as another part from `since_s` on; call it when that is reached."""
        self._plan = plan
        self._changes.append((plan.level_at(since_s), part))
        self._take_over()

    def _take_over(self) -> None:
        while self._changes and self._level >= self._changes[0][0]:
            level, part = self._changes.popleft()
            if part != self._part:
                self._part = part
                self._levels = itertools.chain(self._passed, self._levels)
                self._passed = []
                self._go_on(level)
        self._due_s = math.inf if self._part == NOTHING else self._plan.due_s(self._level)

    def _go_on(self, least: float = 0.0) -> None:
        """Finds the next arrival of the own part from the level `least` on, remembering those it passes."""
        if self._part == NOTHING:
            self._level = math.inf
            return
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

    def __init__(self, part: WorkerPart = WHOLE) -> None:
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


def share_draw(pattern: Pattern, seed: int, part: WorkerPart = WHOLE) -> ShareDraw:
    """The draw of a pattern; the same seed and part give the same requests again."""
    rng = random.Random(f"shares {seed} {part.index}")
    if pattern == "even":
        return EvenShare(part)
    return BernoulliShare(rng) if pattern == "bernoulli" else BurstShare(rng)


_GOLDEN = (math.sqrt(5) - 1) / 2
"""The most irrational number: its multiples fill 0..1 most evenly, and stay even if every n-th is left out."""


class EvenMix(Generic[Choice]):
    """Draws from weighted choices so evenly that any stretch of turns has each as often as it is weighed, or nearly so.

    A turn draws the same in every process, so that a split over workers is as exact as one process.
    """

    def __init__(self, weights: Mapping[Choice, float], seed: str) -> None:
        self._choices: Sequence[Choice] = [choice for choice, weight in weights.items() if weight > 0]
        if not self._choices:
            raise ValueError("a mix needs at least one choice with a weight above 0")
        self._bounds = list(itertools.accumulate(weights[choice] for choice in self._choices))
        self._total = self._bounds.pop()
        self._start = random.Random(seed).random()

    def at(self, turn: int) -> Choice:
        """The choice of a turn."""
        return self._choices[bisect(self._bounds, (self._start + turn * _GOLDEN) % 1.0 * self._total)]
