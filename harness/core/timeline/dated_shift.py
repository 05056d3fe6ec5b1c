"""What CodeDeploy's own dates say of a shift of traffic, whether a look at the alias showed it or not."""

from msgspec import Struct

from harness.core.timeline.bounds import Bounds, Shift, exactly
from harness.core.timeline.deployments import PLACE_BY_SHIFT
from harness.core.timeline.events import ConfigSeen, LifecycleEvent, Place, TargetSeen
from harness.core.timeline.steps import due_s, shifting_s, weight_after

_SHIFTED_STATUSES = frozenset({"InProgress", "Succeeded", "Failed"})


class DatedShift(Struct, frozen=True):
    """The lifecycle event AllowTraffic and the configuration by which it shifts, each None where it was not seen."""

    event: LifecycleEvent | None
    config: ConfigSeen | None

    @property
    def place(self) -> Place | None:
        """Where the event says that the alias sends traffic."""
        return PLACE_BY_SHIFT.get(self.event.status) if self.event else None

    @property
    def was_allowed(self) -> bool:
        """Whether CodeDeploy began to give the canary traffic."""
        return self.event is not None and self.event.status in _SHIFTED_STATUSES

    @property
    def began_s(self) -> float | None:
        """When AllowTraffic began."""
        return self.event.started_s if self.event else None

    @property
    def began(self) -> Bounds | None:
        """When the canary got a part of the traffic; None if all at once, or never."""
        return exactly(self.began_s) if self.was_allowed and self.config and self.config.step else None

    def weight_at(self, at_s: float) -> float | None:
        """The canary's share before the last step; None where it had no part of the traffic."""
        return weight_after(self.config, at_s - self.began[0]) if self.config and self.began else None

    def ends_s(self, seen_s: float | None) -> float | None:
        """When the last step is due, counted from `seen_s` where the begin has no date; None if all shifts at once."""
        began_s = self.began_s if self.began_s is not None else seen_s
        lasts_s = shifting_s(self.config) if self.config else None
        return None if began_s is None or lasts_s is None else began_s + lasts_s

    def narrowed(self, shift: Shift) -> Shift:
        """A shift that looks bracket, without the time before its step was due."""
        if self.began_s is None:
            return shift
        (low, high), earliest_s = shift.at_s, self.began_s + due_s(self.config, shift.weight)
        return Shift(shift.weight, (earliest_s, high)) if low <= earliest_s <= high else shift


def dated_shift(target: TargetSeen | None, config: ConfigSeen | None) -> DatedShift:
    """What the last look at a deployment's target says of its shift."""
    lifecycle = target.lifecycle if target else ()
    return DatedShift(next((event for event in lifecycle if event.name == "AllowTraffic"), None), config)
