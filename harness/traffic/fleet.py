"""All workers of a run: who sends which part, at what rate, with what share."""

import math
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from harness.core.experiment.feed import Feed
from harness.core.experiment.hosts import host_of
from harness.core.experiment.pacing import NOTHING, WorkerPart
from harness.core.experiment.rails import limits_of
from harness.core.experiment.rates import Leg, cut, legs, rate_at
from harness.core.experiment.types import ArrivalRate, Experiment, Pattern, Replay
from harness.traffic.steering import Steering, Timebase

LEAD_S = 0.75
"""Wall time that messages to workers may take: with several workers a change takes effect so much later, for all."""

Post = Callable[[str, Steering], None]


class Fleet:
    """Splits the arrivals exactly over the workers that pace; a change takes effect for all of them at one instant.

    `post` delivers steering to a worker. While nobody paces, no arrival is planned. `feed` is told once, with the
    `beginning`.
    """

    def __init__(self, experiment: Experiment, timebase: Timebase, post: Post, feed: Feed | None = None) -> None:
        self._post = post
        self._feed = feed
        self._timebase = timebase
        rate = experiment.traffic.arrival_rate
        self._asked = legs(rate)
        self._unbegun = rate if isinstance(rate, Replay) else None
        self._workers: list[str] = []
        self._steering = Steering(
            timebase=timebase,
            traffic=experiment.traffic,
            seed=experiment.seed,
            experiment=experiment.name,
            hosts=experiment.rails.hosts or tuple(filter(None, [host_of(experiment.target.host or "")])),
            rail=_rail(experiment, timebase.speed),
        )

    @property
    def steering(self) -> Steering:
        """The current steering, for a worker without a part."""
        return self._steering

    @property
    def beginning(self) -> Steering:
        """The same, with the feed, for a worker that begins a test."""
        return replace(self._steering, feed=self._feed)

    @property
    def workers(self) -> tuple[str, ...]:
        """The workers that pace."""
        return tuple(self._workers)

    @property
    def rate(self) -> float:
        """The planned rate now, in requests per second of experiment time; it may lie on a ramp or in a burst."""
        return rate_at(self._asked, self._timebase.now_s())

    @property
    def error_share(self) -> float:
        """The planned share of fault requests."""
        return self._steering.error_share

    @property
    def pattern(self) -> Pattern:
        """How fault requests are spread."""
        return self._steering.traffic.pattern

    def join(self, *workers: str) -> None:
        """Gives workers that are ready to send parts of their own; all others hear of it once, however many join."""
        known = set(self._workers)
        joining = [worker for worker in dict.fromkeys(workers) if worker not in known]
        if not joining:
            return
        self._workers += joining
        since_s = self._next_change_s()
        if self._unbegun:
            since_s = self._begin_replay(self._unbegun, since_s)
        self._change(since_s=since_s)

    def leave(self, worker: str) -> None:
        """Takes the part of a worker that stops sending or is lost; it keeps the part until the others take it over."""
        if worker not in self._workers:
            return
        since_s = self._next_change_s()
        self._workers.remove(worker)
        self._change(since_s=since_s)
        self._post(worker, replace(self._steering, part=NOTHING))

    def set_arrival_rate(self, arrival_rate: ArrivalRate) -> None:
        """Changes the arrival rate from now on; steps count `at_s` from now, and a ramp begins at the current rate."""
        self._unbegun = None
        now_s, since_s = self._timebase.now_s(), self._next_change_s()
        until_then = [leg for leg in cut(self._asked, now_s) if leg.since_s < since_s]
        self._asked = (*until_then, *legs(arrival_rate, since_s=since_s, before=rate_at(self._asked, since_s)))
        self._change(since_s=since_s)

    def set_error_share(self, share: float) -> None:
        """Changes the share of fault requests."""
        self._change(error_share=share)

    def set_pattern(self, pattern: Pattern) -> None:
        """Changes how fault requests are spread."""
        self._change(traffic=replace(self._steering.traffic, pattern=pattern))

    def _begin_replay(self, rate: Replay, since_s: float) -> float:
        """Has production's rate begin with the next whole second, since all is recorded by the second; that second."""
        self._unbegun = None
        begins_s = math.ceil(since_s)
        self._asked = legs(rate, since_s=begins_s)
        return begins_s

    def _change(self, *, since_s: float | None = None, **changes: Any) -> None:
        since_s = self._next_change_s() if since_s is None else since_s
        asked = self._asked if self._workers else (Leg(since_s, 0.0),)
        plan = self._steering.plan.changed(since_s, asked)
        self._steering = replace(self._steering, plan=plan, since_s=since_s, **changes)
        for index, worker in enumerate(self._workers):
            self._post(worker, replace(self._steering, part=WorkerPart(index, len(self._workers))))

    def _next_change_s(self) -> float:
        """When a change made now takes effect: once messages had time to arrive, and never before an earlier change."""
        lead_s = LEAD_S * self._timebase.speed if len(self._workers) > 1 else 0.0
        return max(self._timebase.now_s() + lead_s, self._steering.since_s)


def _rail(experiment: Experiment, speed: float) -> float | None:
    """How many requests may be sent in a second of wall time."""
    limit = limits_of(experiment.rails, experiment.target.host).arrival_rate
    return None if math.isinf(limit) else limit * speed
