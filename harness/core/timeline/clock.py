"""Experiment time and wall time, and the line between them."""

import math

from msgspec import Struct


class Clock(Struct, frozen=True):
    """Maps wall time to experiment time: both agree at `epoch_s`, then experiment time runs `speed` times as fast.

    On AWS speed is 1 and the two are the same. Both sides are seconds since 1970.
    """

    epoch_s: float = 0.0
    speed: float = 1.0

    def experiment_s(self, wall_s: float) -> float:
        """Experiment time at the wall time `wall_s`."""
        return self.epoch_s + (wall_s - self.epoch_s) * self.speed

    def wall_s(self, experiment_s: float) -> float:
        """Wall time at the experiment time `experiment_s`."""
        return self.epoch_s + (experiment_s - self.epoch_s) / self.speed


def read_clock(text: str) -> Clock:
    """The clock that EPOCH:SPEED says; raises ValueError."""
    epoch, _, speed = text.partition(":")
    try:
        clock = Clock(epoch_s=float(epoch), speed=float(speed))
    except ValueError as error:
        raise ValueError(f"must be EPOCH:SPEED, not {text!r}") from error
    if not (math.isfinite(clock.epoch_s) and math.isfinite(clock.speed) and clock.speed > 0):
        raise ValueError(f"must be EPOCH:SPEED with a speed above 0, not {text!r}")
    return clock
