"""When the deployment of a run is created: faults are planned from there on."""

import random

import gevent.event

from harness.core.experiment.types import Experiment
from harness.core.timeline.events import Event
from harness.core.timeline.rollout import Rollout
from harness.run.context import RunContext

PHASE_S = 60.0
PHASE_ROOM_S = 10.0


def steady_until_s(experiment: Experiment, epoch_s: float, from_s: float = 0.0, *, aligned: bool) -> float:
    """When we create the deployment, `from_s` at the earliest, in seconds since the run began at `epoch_s`.

    `aligned` puts it in the first ten seconds of a minute, as rehearsals want it. An alarm counts whole minutes. The
    place in the minute decides how many errors of the canary the first one holds, so it comes from the seed: then the
    same seed meets the same minutes at every speed.
    """
    steady_s = max(experiment.steady_s, from_s)
    if not aligned:
        return steady_s
    offset_s = random.Random(f"phase {experiment.seed}").uniform(0.0, PHASE_ROOM_S)
    return steady_s + (offset_s - (epoch_s + steady_s)) % PHASE_S


class Creation:
    """The instant of the deployment's creation.

    Before it, the one that is planned: None if a command or others create the deployment. A run that watches no
    deployment counts from its own beginning.
    """

    def __init__(self, context: RunContext, *, watched: bool, aligned: bool) -> None:
        self._context = context
        self._created = gevent.event.Event()
        self._planned_s: float | None = 0.0
        if watched:
            planned = context.experiment.deployment.target_version
            self._planned_s = steady_until_s(context.experiment, context.epoch_s, aligned=aligned) if planned else None
            context.recording.listeners.append(self._notice)

    def since_s(self) -> float | None:
        """Experiment seconds since the creation, negative before it; None while nobody knows when it will be."""
        at_s = self._at_s()
        return None if at_s is None else self._context.base.now_s() - at_s

    def sleep_until(self, after_s: float) -> None:
        """Waits for an instant that is counted from the creation."""
        if after_s >= 0:
            self._created.wait()
        self._context.sleep_until((self._at_s() or 0.0) + after_s)

    def _at_s(self) -> float | None:
        created_s = self._context.rollout.release.created_s
        return self._planned_s if created_s is None else created_s

    def _notice(self, _: Event, rollout: Rollout) -> None:
        if rollout.release.created_s is not None:
            self._created.set()
