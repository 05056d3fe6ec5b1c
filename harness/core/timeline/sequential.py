"""A comparison of canary and baseline that may be looked at as often as one likes: an e-process.

The alias draws by its weight which version answers a request ("a simple probabilistic model", as AWS documents it).
So if both versions fail alike, each bad answer came from the canary with the chance of that weight, whatever made it
bad: an outage of what both depend on tells nothing. After M. Lindon and A. Malek, "Anytime-valid inference for
multinomial count data" (2022).

A gambler bets on that at fair odds, a part of the wealth on each of several ratios by which the canary may be worse. As
long as the canary is no worse, the wealth ever grows to `1 / alpha` in a share of `alpha` of all releases at the most,
even if somebody looks after every request (Ville's inequality). It is no more if the chance is the share of the answers
that did come from the canary: those are drawn without replacement (W. Hoeffding, 1963). A chance that is taken too high
makes it rarer.
"""

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    import numpy.typing

Numbers: TypeAlias = "np.typing.NDArray[np.float64]"


class Bets(Struct, frozen=True):
    """How many times worse the canary may be, and the share of the wealth that is bet on each; they add up to 1."""

    ratios: tuple[float, ...]
    shares: tuple[float, ...]


BETS = Bets((1.5, 2.0, 4.0, 10.0, 30.0, 100.0), (1 / 6,) * 6)
"""From hardly worse to a canary that always fails beside a baseline that never does."""


def log_e_values(of_canary: Numbers, bad: Numbers, share: Numbers, bets: Bets = BETS) -> Numbers:
    """The logarithm of the wealth after each moment, from 1 at the beginning; moments are the last axis.

    At each moment `bad` answers came, `of_canary` of them from the canary, which answers a `share` of all requests.
    """
    wealth = np.stack([_log_wealth(of_canary, bad, share, ratio) for ratio in bets.ratios])
    weights = np.log(bets.shares).reshape(-1, *(1,) * np.ndim(bad))
    told: Numbers = np.logaddexp.reduce(wealth + weights, axis=0)
    return told


def _log_wealth(of_canary: Numbers, bad: Numbers, share: Numbers, ratio: float) -> Numbers:
    """Of a bet on one ratio: the chance of what came if it is the true one, by that if both versions are alike."""
    grown: Numbers = of_canary * np.log(ratio) - bad * np.log1p(share * (ratio - 1))
    return np.cumsum(grown, axis=-1)
