"""The chance of detection over arrival rates and shares of failing requests, for a picture."""

from collections.abc import Iterator

from msgspec import Struct

from harness.core.odds.chances import chance, effective
from harness.core.odds.changed import with_rate, with_share
from harness.core.odds.setting import Setting

SHARES = (1.0, 0.5, 0.2, 0.1, 0.05)
REACH = 30.0
"""The picture goes from so many times less traffic to so many times more."""
STEPS = 24


class CurvePoint(Struct, frozen=True):
    """At `rate` requests a second a canary that fails `share` of its own is rolled back in time with this chance."""

    rate: float
    share: float
    chance: float


def detection_curve(setting: Setting) -> Iterator[CurvePoint]:
    """A curve for each share, over rates around the setting's own; nothing without traffic."""
    now = max(rate for _, rate in setting.rate)
    factors = [REACH ** (2 * step / STEPS - 1) for step in range(STEPS + 1)] if now else []
    for share in SHARES:
        for factor in factors:
            made = effective(with_share(with_rate(setting, factor), share))
            seen = bool(made.watches and made.guards)
            yield CurvePoint(now * factor, share, chance(made) if seen else 0.0)
