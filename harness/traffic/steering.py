"""What the process that directs a run tells those that send its traffic."""

from typing import Any

import msgspec
from msgspec import Struct

from harness.core.experiment.feed import Feed
from harness.core.experiment.pacing import ArrivalPlan, WorkerPart
from harness.core.experiment.types import Traffic
from harness.core.timeline.clock import Clock
from harness.wallclock import wall_now


class Timebase(Struct, frozen=True):
    """The run's own time: seconds of experiment time since it began at the wall time `began_wall_s`."""

    began_wall_s: float
    speed: float = 1.0

    def now_s(self) -> float:
        """The instant now."""
        return self.at_s(wall_now())

    def at_s(self, wall_s: float) -> float:
        """The instant of a wall time, in seconds since 1970."""
        return (wall_s - self.began_wall_s) * self.speed

    def wall_s(self, at_s: float) -> float:
        """The wall time of an instant, in seconds since 1970."""
        return self.began_wall_s + at_s / self.speed

    def epoch_s(self, clock: Clock) -> float:
        """The experiment time at which the run began, in seconds since 1970."""
        return clock.experiment_s(self.began_wall_s)


class Steering(Struct, frozen=True, kw_only=True):
    """What one worker is to send from `since_s` on; without a `part` it is to send nothing yet.

    `experiment` is its name. `hosts` are the only ones that it may send to besides this machine; empty if the
    experiment names none. The first one of a test has the `feed`, and later ones need not have it again. `rail` is
    how many requests all workers together may send in a second of wall time; None if there is no limit.
    """

    timebase: Timebase
    traffic: Traffic
    seed: int
    experiment: str = ""
    plan: ArrivalPlan = ArrivalPlan()
    since_s: float = 0.0
    error_share: float = 0.0
    hosts: tuple[str, ...] = ()
    feed: Feed | None = None
    rail: float | None = None
    part: WorkerPart | None = None

    def packed(self) -> dict[str, Any]:
        """As plain values, for a message."""
        return msgspec.to_builtins(self)  # type: ignore[no-any-return]


def unpacked(message: dict[str, Any]) -> Steering:
    """The steering in a message."""
    return msgspec.convert(message, Steering)
