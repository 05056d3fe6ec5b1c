"""All workers of a run: who sends which part, at what rate, with what share."""

from collections.abc import Callable

from msgspec.structs import replace

from harness.core.experiment import Experiment
from harness.core.pacing import Pace, Part
from harness.load.steering import Steering, Timebase

LEAD_S = 0.25
"""Wall time that messages to workers may take: a change with several workers holds from so much later on, for all."""

Post = Callable[[str, Steering], None]


class Fleet:
    """Splits the arrivals exactly over the workers that pace; a change of anything reaches all of them for one instant.

    `post` delivers steering to a worker. While nobody paces, no arrival is planned.
    """

    def __init__(self, experiment: Experiment, timebase: Timebase, post: Post) -> None:
        self._post = post
        self._timebase = timebase
        self._rate = experiment.traffic.arrival_rate
        self._workers: list[str] = []
        self._steering = Steering(
            timebase=timebase, traffic=experiment.traffic, seed=experiment.seed, pace=Pace(0.0), error_share=0.0
        )

    @property
    def steering(self) -> Steering:
        """What holds now, for a worker without a part."""
        return self._steering

    @property
    def workers(self) -> tuple[str, ...]:
        """Who paces."""
        return tuple(self._workers)

    def join(self, worker: str) -> None:
        """A worker that is ready to send; it gets a part of its own."""
        if worker not in self._workers:
            self._workers.append(worker)
            self._change()

    def leave(self, worker: str) -> None:
        """A worker that sends no more, or is lost; the others take its part over."""
        if worker in self._workers:
            self._workers.remove(worker)
            self._change()

    def set_rate(self, rate: float) -> None:
        """Another arrival rate, per second of experiment time."""
        self._rate = rate
        self._change()

    def set_error_share(self, share: float) -> None:
        """Another share of fault requests."""
        self._steering = replace(self._steering, error_share=share)
        self._change()

    def _change(self) -> None:
        several = len(self._workers) > 1
        at_s = self._timebase.now_s() + (LEAD_S * self._timebase.speed if several else 0.0)
        rate = self._rate if self._workers else 0.0
        self._steering = replace(self._steering, pace=self._steering.pace.changed(at_s, rate))
        for index, worker in enumerate(self._workers):
            self._post(worker, replace(self._steering, part=Part(index, len(self._workers))))
