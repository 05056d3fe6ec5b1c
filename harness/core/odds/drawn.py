"""The requests of many releases that are played at once: what each minute brings to an alarm, and what of it is bad."""

import itertools
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from harness.core.odds.bulk import Floats
from harness.core.odds.minutes import PLENTY
from harness.core.odds.setting import FIRST_SHIFT_S, Setting, Watch
from harness.core.odds.traffic import CLUMPS, HALF_WAY, edges_of
from harness.core.timeline.alarm_evaluation import MINUTE_S

Whole: TypeAlias = NDArray[np.int64]


class _Arm(Struct, frozen=True):
    """What one version gets in each minute: requests, and those that fail usually, by the fault, or on purpose.

    `requests` is None where their number decides nothing.
    """

    requests: Floats | None
    usual: Floats
    fault: Floats
    meant: Floats


class _Instant(Struct, frozen=True):
    """What a request is between two cuts: on the canary, meant to fail, and failing or slow there by the fault."""

    rate: float
    weight: float
    planned: float
    fault: float


class Counts:
    """The requests of each minute, and the bad ones that an alarm counts among them: all alarms get the same ones."""

    def __init__(self, setting: Setting, ends_s: Floats, dice: np.random.Generator, turned_s: float) -> None:
        self._setting, self._dice = setting, dice
        self._edges_s = np.concatenate([ends_s[:, :1] - MINUTE_S, ends_s], axis=1)
        inside = edges_of(setting, turned_s)
        low, high = float(self._edges_s.min()) - 1, max(float(self._edges_s.max()), inside[-1]) + 1
        self._cuts_s = np.array([low, *(at_s for at_s in inside if low < at_s), high])
        middles_s = [float(at_s) for at_s in (self._cuts_s[:-1] + self._cuts_s[1:]) / 2]
        self._instants = [_instant(setting, at_s, turned_s) for at_s in middles_s]
        apart = bool(setting.planned) and setting.pattern != "bernoulli"
        one_by_one = apart or setting.arrivals == "even"
        self._canary, self._baseline = self._one_by_one(apart=apart) if one_by_one else self._by_chance()
        self._known: dict[tuple[str, bool, bool], tuple[Floats | None, Floats]] = {}

    def of(self, watch: Watch) -> tuple[Floats | None, Floats]:
        """Requests and bad ones, by release and minute; None for the requests where their number decides nothing."""
        key = (watch.counts, watch.latency, watch.feels(self._setting.fault))
        if key not in self._known:
            self._known[key] = self._counted(watch)
        return self._known[key]

    def _counted(self, watch: Watch) -> tuple[Floats | None, Floats]:
        arms = {"all": (self._canary, self._baseline), "canary": (self._canary,), "baseline": (self._baseline,)}
        counted = arms.get(watch.counts, ())
        nothing: Floats = np.zeros((self._edges_s.shape[0], self._edges_s.shape[1] - 1))
        usual = nothing if watch.latency else sum((arm.usual + arm.meant for arm in counted), nothing)
        bad = usual + sum((arm.fault for arm in counted if watch.feels(self._setting.fault)), nothing)
        if any(arm.requests is None for arm in counted):
            return None, bad
        return sum((arm.requests for arm in counted if arm.requests is not None), nothing), bad

    def _by_chance(self) -> tuple[_Arm, _Arm]:
        """Poisson arrivals, of which each kind is one by itself."""
        usual, counting = self._setting.failing_usually, self._numbers_matter()

        def arm(shares: Sequence[float], faults: Sequence[float]) -> _Arm:
            parts = [
                (share * one.planned, share * (1 - one.planned))
                for share, one in zip(shares, self._instants, strict=True)
            ]
            meant = self._poisson([planned for planned, _ in parts])
            failing = self._poisson([other * usual for _, other in parts])
            broken = [other * (1 - usual) * fault for (_, other), fault in zip(parts, faults, strict=True)]
            bad = self._poisson(broken)
            if not counting:
                return _Arm(None, failing, bad, meant)
            good = [other * (1 - usual) * (1 - fault) for (_, other), fault in zip(parts, faults, strict=True)]
            return _Arm(meant + failing + bad + self._poisson(good), failing, bad, meant)

        weights = [one.weight for one in self._instants]
        canary = arm(weights, [one.fault for one in self._instants])
        return canary, arm([1 - weight for weight in weights], [0.0] * len(weights))

    def _numbers_matter(self) -> bool:
        """Whether an alarm asks for the number of requests, or may find none."""
        watches = self._setting.watches
        if any(watch.is_rate or watch.counts != "all" for watch in watches):
            return True
        return bool(self._sum([1.0] * len(self._instants)).min() <= PLENTY)

    def _poisson(self, shares: Sequence[float]) -> Floats:
        """How many requests of a kind come in each minute, by its share of all between two cuts."""
        expected = np.maximum(0.0, self._sum(shares))
        drawn = np.zeros_like(expected)
        some = expected.max(axis=0) > 0
        drawn[:, some] = self._dice.poisson(expected[:, some])
        return drawn

    def _sum(self, shares: Sequence[float]) -> Floats:
        return np.diff(self._total(shares, self._edges_s), axis=1)

    def _total(self, shares: Sequence[float], at_s: Floats) -> Floats:
        """What is to be expected until then of what has these shares of the requests between two cuts."""
        rates = np.array([one.rate for one in self._instants]) * np.array(shares)
        total = np.concatenate([[0.0], np.cumsum(rates * np.diff(self._cuts_s))])
        found: Floats = np.interp(at_s, self._cuts_s, total)
        return found

    def _one_by_one(self, *, apart: bool) -> tuple[_Arm, _Arm]:
        """Requests in the order in which they come, between the cuts within each minute."""
        minutes, instants, from_s, until_s = self._pieces()
        weight, planned, broken = (
            np.array([getattr(one, name) for one in instants]) for name in ("weight", "planned", "fault")
        )
        dice, usual = self._dice, self._setting.failing_usually
        requests = self._arrivals(from_s, until_s)
        meant = self._faults(requests, planned) if apart else dice.binomial(requests, planned)
        meant_canary = dice.binomial(meant, weight)
        canary = dice.binomial(requests - meant, weight)
        baseline = requests - meant - canary
        failing = dice.binomial(canary, usual)
        fault = dice.binomial(canary - failing, broken)
        nothing = np.zeros_like(canary)
        return (
            _Arm(*(_by_minute(one, minutes) for one in (canary + meant_canary, failing, fault, meant_canary))),
            _Arm(
                *(
                    _by_minute(one, minutes)
                    for one in (
                        requests - canary - meant_canary,
                        dice.binomial(baseline, usual),
                        nothing,
                        meant - meant_canary,
                    )
                )
            ),
        )

    def _pieces(self) -> tuple[NDArray[np.int64], Sequence[_Instant], Floats, Floats]:
        """Each minute cut where something changes: the minute's number, what holds there, its begin and its end."""
        found = []
        left, right = self._edges_s[:, :-1], self._edges_s[:, 1:]
        for one, (low_s, high_s) in zip(self._instants, itertools.pairwise(self._cuts_s), strict=True):
            touched = np.flatnonzero((right.max(axis=0) > low_s) & (left.min(axis=0) < high_s))
            found += [
                (int(at), one, np.clip(left[:, at], low_s, high_s), np.clip(right[:, at], low_s, high_s))
                for at in touched
            ]
        found.sort(key=lambda piece: piece[0])  # stable: within a minute in the order of the cuts
        minutes, instants, begins, ends = zip(*found, strict=True)
        return np.array(minutes), instants, np.stack(begins, axis=1), np.stack(ends, axis=1)

    def _arrivals(self, from_s: Floats, until_s: Floats) -> Whole:
        begins, ends = (self._total([1.0] * len(self._instants), at_s) for at_s in (from_s, until_s))
        if self._setting.arrivals == "poisson":
            return self._dice.poisson(ends - begins)
        place = self._dice.uniform(0, 1, (begins.shape[0], 1))  # as evenly as can be, beginning anywhere
        whole: Whole = (np.floor(ends + place) - np.floor(begins + place)).astype(np.int64)
        return whole

    def _faults(self, requests: Whole, planned: Floats) -> Whole:
        """How many fault requests are among them, by the pattern (`experiment/pacing.py`)."""
        totals = np.cumsum(requests * planned, axis=1)
        if self._setting.pattern == "even":
            return np.minimum(requests, _steps(totals + HALF_WAY))
        clump = CLUMPS[self._setting.pattern]
        begun = np.zeros(totals.shape)
        for number in range(int(totals.max() / clump) + 1):
            begun += totals > clump * (number + self._dice.uniform(0, 1, (totals.shape[0], 1)))
        return np.minimum(requests, _steps(begun) * clump)


def _instant(setting: Setting, at_s: float, turned_s: float) -> _Instant:
    fault = setting.fault.share_at(at_s - FIRST_SHIFT_S - setting.fault.at_s, turned_s)
    return _Instant(setting.rate_at(at_s), setting.weight_at(at_s), setting.planned_at(at_s), fault)


def _by_minute(pieces: Whole, minutes: NDArray[np.int64]) -> Floats:
    """The pieces of each minute together."""
    first = np.searchsorted(minutes, np.arange(minutes[-1] + 1))
    found: Floats = np.add.reduceat(pieces, first, axis=1).astype(float)
    return found


def _steps(totals: Floats) -> Whole:
    counts: Whole = np.diff(np.floor(totals), axis=1, prepend=0.0).astype(np.int64)
    return counts
