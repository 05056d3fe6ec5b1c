"""When the deployment of a run is created: faults are planned from there on."""

import random

import gevent.event

from harness.core.experiment.types import Experiment
from harness.core.rehearsed import CREATED_WITHIN_S
from harness.core.timeline.clock import Clock
from harness.core.timeline.events import Event
from harness.core.timeline.rollout import Rollout
from harness.run.context import RunContext
from harness.wallclock import wall_now

PHASE_S = 60.0
ROUNDING_S = 0.1


def rehearsal_begins_s(experiment: Experiment, clock: Clock, now_s: float) -> float:
    """The wall time, at most a minute of experiment time after `now_s`, at which a rehearsal begins.

    The creation then comes just after `steady_s`, so that the same seed meets the same minutes from the first request
    on, whenever it is started. Where others create the deployment, a rehearsal begins at once.
    """
    if experiment.deployment.target_version is None:
        return now_s
    phase_s = _offset_s(experiment) - experiment.steady_s - ROUNDING_S
    return now_s + (phase_s - clock.experiment_s(now_s)) % PHASE_S / clock.speed


def steady_until_s(experiment: Experiment, epoch_s: float, from_s: float = 0.0, *, aligned: bool) -> float:
    """When we create the deployment, `from_s` at the earliest, in seconds since the run began at `epoch_s`.

    `aligned` puts it in the first ten seconds of a minute, as rehearsals want it. An alarm counts whole minutes. The
    place in the minute decides how many errors of the canary the first one holds, so it comes from the seed: then the
    same seed meets the same minutes at every speed.
    """
    steady_s = max(experiment.steady_s, from_s)
    if not aligned:
        return steady_s
    return steady_s + (_offset_s(experiment) - (epoch_s + steady_s)) % PHASE_S


def _offset_s(experiment: Experiment) -> float:
    return random.Random(f"phase {experiment.seed}").uniform(*CREATED_WITHIN_S)


class Creation:
    """The instant of the deployment's creation.

    Before it, the one that is planned: None if a command or others create the deployment. A run that watches no
    deployment counts from its own beginning.
    """

    def __init__(self, context: RunContext, *, watched: bool, aligned: bool) -> None:
        self._context = context
        self._moved = gevent.event.Event()
        self._created_s: float | None = None
        self._planned_s: float | None = 0.0
        if watched:
            wanted = context.experiment.deployment
            planned = wanted.target_version or wanted.redeploy
            self._planned_s = steady_until_s(context.experiment, context.epoch_s, aligned=aligned) if planned else None
            context.recording.listeners.append(self._notice)

    def since_s(self) -> float | None:
        """Experiment seconds since the creation, negative before it; None while nobody knows when it will be."""
        at_s = self._at_s()
        return None if at_s is None else self._context.base.now_s() - at_s

    def sleep_until(self, after_s: float) -> None:
        """Waits for an instant that is counted from the creation, however often its date is corrected meanwhile."""
        while (rest_s := self._rest_s(after_s)) is None or rest_s > 0:
            self._moved.wait(rest_s)

    def _rest_s(self, after_s: float) -> float | None:
        """Wall time until such an instant, as far as is known now; None while only a creation can tell."""
        if after_s >= 0 and self._created_s is None:
            return None
        return self._context.base.wall_s((self._at_s() or 0.0) + after_s) - wall_now()

    def _at_s(self) -> float | None:
        return self._planned_s if self._created_s is None else self._created_s

    def _notice(self, _: Event, rollout: Rollout) -> None:
        created_s = rollout.release.created_s
        if created_s != self._created_s:
            self._created_s = created_s
            before, self._moved = self._moved, gevent.event.Event()
            before.set()
