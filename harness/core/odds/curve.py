"""What a picture of a prediction shows: chances over rates and over shares that fail, and the times to roll back."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping

from msgspec import Struct

from harness.core.odds import exact
from harness.core.odds.chances import chance, effective
from harness.core.odds.changed import with_rate, with_share
from harness.core.odds.setting import Setting

SHARES = (1.0, 0.5, 0.2, 0.1, 0.05)
FACTORS = (10.0, 3.0, 1.0, 0.3, 0.1)
"""So many times the rate are curves over the share that fails."""
REACH = 30.0
"""The picture goes from so many times less traffic to so many times more."""
LEAST_SHARE = 0.003
STEPS = 24
BIN_S = 10.0


class CurvePoint(Struct, frozen=True):
    """At `rate` requests a second a canary that fails `share` of its own is rolled back in time with this chance."""

    rate: float
    share: float
    chance: float


class TimeBin(Struct, frozen=True):
    """In so many of all releases all traffic is back this long after the fault's begin."""

    from_s: float
    until_s: float
    chance: float


def detection_curve(setting: Setting) -> Iterator[CurvePoint]:
    """A curve for each share, over rates around the setting's own; nothing without traffic."""
    now = max(rate for _, rate in setting.rate)
    factors = [REACH ** (2 * step / STEPS - 1) for step in range(STEPS + 1)] if now else []
    return (_point(setting, now, factor, share) for share in SHARES for factor in factors)


def share_curve(setting: Setting) -> Iterator[CurvePoint]:
    """A curve for each of some rates around the setting's own, over the share that fails; nothing without traffic."""
    now = max(rate for _, rate in setting.rate)
    shares = [LEAST_SHARE ** (1 - step / STEPS) for step in range(STEPS + 1)] if now else []
    return (_point(setting, now, factor, share) for factor in FACTORS for share in shares)


def _point(setting: Setting, now: float, factor: float, share: float) -> CurvePoint:
    made = effective(with_share(with_rate(setting, factor), share))
    seen = bool(made.watches and made.guards)
    return CurvePoint(now * factor, share, chance(made) if seen else 0.0)


def roll_back_bins(setting: Setting) -> list[TimeBin]:
    """How long rollbacks before the last shift take, in steps of ten seconds; empty where there are none."""
    able = effective(setting)
    if not (able.watches and able.guards):
        return []
    bins: dict[int, float] = defaultdict(float)
    for at_s, share in _times(able).items():
        bins[math.floor(at_s / BIN_S)] += share
    return [TimeBin(at * BIN_S, (at + 1) * BIN_S, bins[at]) for at in sorted(bins) if bins[at] > 1e-6]


def _times(setting: Setting) -> Mapping[float, float]:
    if exact.why_not_exact(setting) is None:
        return exact.roll_back_times(setting)
    from harness.core.odds.simulate import roll_back_times  # only here: a formula waits for no numpy

    return roll_back_times(setting)
