"""The share of traffic on the canary: what one look at the alias says, and the history of what looks showed."""

import math

from msgspec import Struct
from msgspec.structs import replace

from harness.core.timeline.bounds import Bounds, Shift
from harness.core.timeline.events import AliasSeen, Place, TargetSeen


def shares_of(alias: AliasSeen) -> dict[str, float]:
    """The versions that share the traffic with the alias's own one, and their shares."""
    return {version: share for version, share in alias.weights.items() if share > 0 and version != alias.version}


def place_of(alias: AliasSeen, baseline: str | None) -> Place:
    """Where the alias sends traffic."""
    if shares_of(alias):
        return "split"
    return "baseline" if baseline is None or alias.version == baseline else "canary"


def versions_of(alias: AliasSeen) -> set[str]:
    """All versions that the alias sends traffic to."""
    return {alias.version, *shares_of(alias)}


def canary_of(alias: AliasSeen, baseline: str | None) -> str | None:
    """The version that is not the baseline."""
    away = [version for version in (*shares_of(alias), alias.version) if version != baseline]
    return away[0] if away else None


def weight_of(alias: AliasSeen, baseline: str | None) -> float:
    """The share (0..1) of the canary."""
    shares = shares_of(alias)
    if shares:
        return min(1.0, sum(shares.values()))
    return 0.0 if place_of(alias, baseline) == "baseline" else 1.0


class Stay(Struct, frozen=True):
    """The alias was seen at a place, where it came at some instant within `since`."""

    place: Place
    since: Bounds


class Weights(Struct, frozen=True, kw_only=True):
    """The history of one release's weights.

    `stays` are the alias's places, one after the other. `splits` are the canary's weights while the versions shared the
    traffic, as looks at alias and target bracket them; `held_s` is when the last look was asked for that still showed
    the last of them. `before_end` is the last weight above 0 that was seen before the deployment ended. `denied` are
    the first and the last look that showed all traffic on the baseline although the target had told a weight,
    before any look showed it split. `strayed` is when the alias went, while the deployment lasted, to a version that is
    neither the baseline nor the canary, and which.
    """

    stays: tuple[Stay, ...] = ()
    splits: tuple[Shift, ...] = ()
    held_s: float = 0.0
    before_end: float | None = None
    denied: tuple[AliasSeen, AliasSeen] | None = None
    strayed: tuple[str, Bounds] | None = None

    @property
    def split(self) -> Bounds | None:
        """When the alias was first split."""
        return self._first("split")

    @property
    def whole(self) -> Bounds | None:
        """When all traffic first went to the canary."""
        return self._first("canary")

    @property
    def returned(self) -> Bounds | None:
        """When the alias went back to the baseline; None while it is away, and if it never was."""
        *before, last = self.stays or (None,)
        return last.since if last and last.place == "baseline" and before else None

    @property
    def bake_weight(self) -> float | None:
        """The canary's last share while both versions had traffic, so below 1; None if they never shared it."""
        return self.splits[-1].weight if self.splits else None

    def at(self, place: Place, since: Bounds) -> "Weights":
        """With the alias at a place, where it came within `since` if it was elsewhere before."""
        if self.stays and self.stays[-1].place == place:
            return self
        return replace(self, stays=(*self.stays, Stay(place, since)))

    def showing(self, weight: float, seen: AliasSeen | TargetSeen, created_s: float | None) -> "Weights":
        """With a weight that a look showed; one below that of an earlier look is an answer from before, and no shift.

        `created_s` is the deployment's creation, before which no weight is its doing.
        """
        held = self.bake_weight or 0.0
        if weight >= 1 or weight < held or created_s is None:
            return self
        if math.isclose(weight, held):
            return replace(self, held_s=max(self.held_s, seen.asked_s))
        since = (min(max(self.held_s, created_s), seen.at_s), seen.at_s)
        return replace(self, splits=(*self.splits, Shift(weight, since)), held_s=seen.asked_s)

    def denied_by(self, seen: AliasSeen, told: TargetSeen | None) -> "Weights":
        """With a look at an alias that is whole, after the first that told a weight and while the target tells one."""
        if told is None or not told.weight or not self.splits or self.splits[0].at_s[1] > seen.asked_s or self.split:
            return self
        return replace(self, denied=(self.denied[0] if self.denied else seen, seen))

    def _first(self, place: Place) -> Bounds | None:
        return next((stay.since for stay in self.stays if stay.place == place), None)
