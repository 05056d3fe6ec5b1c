"""Experiment time and wall time, and the line between them."""

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
