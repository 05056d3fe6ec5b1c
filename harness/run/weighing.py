"""Weighs the evidence against the canary while a run lasts, and stops the deployment on it where that is asked."""

import math
import time
from collections.abc import Callable

from harness.aws.failures import may_have_acted
from harness.aws.stopping import stop_deployment
from harness.core.timeline.condense import Condensed
from harness.core.timeline.events import Event
from harness.core.timeline.rollout import Rollout
from harness.core.verdict.evidence import evidence_of
from harness.core.verdict.second_opinion import Courses, courses_of, found_by, told_of
from harness.errors import HarnessError
from harness.report.second_opinion import live
from harness.run.context import RunContext

EVERY_S = 1.0
"""Experiment time between two looks at the evidence where the deployment is stopped on it."""
SHOWN_EVERY_WALL_S, SHORTEST_WALL_S = 1.0, 0.1
"""Wall time between two of them where they are only shown, and at the least."""
PART = 20
"""Weighing takes one part in so many of the time: it must not keep the traffic waiting."""
AGAIN_S = 5.0
"""Experiment time after which a stop without an answer is asked for again."""

Elsewhere = Callable[[Callable[[], Courses]], Courses]
"""Has something computed where it keeps nobody waiting."""


class Weighing:
    """Hears every event of a run; `round` weighs what came. It is the first group's evidence.

    `told` is the evidence in one line, empty before there is any.
    """

    def __init__(self, context: RunContext) -> None:
        self.told = ""
        self._context = context
        self._stops = context.experiment.stop_on is not None
        self._condensed = Condensed()
        self._found = False
        self._next_stop_s = -math.inf
        self._due_s = 0.0
        context.recording.listeners.append(self._hear)

    @property
    def rest_s(self) -> float:
        """Wall time until the next round is due."""
        return max(0.0, self._due_s - time.monotonic())

    def round(self, elsewhere: Elsewhere = lambda weigh: weigh()) -> None:
        """Weighs the evidence while both versions share the traffic, and stops the deployment if it suffices."""
        began_s = time.monotonic()
        if _is_on_trial(self._context.rollout):
            self._weigh(elsewhere)
        wanted_s = EVERY_S / self._context.base.speed if self._stops else SHOWN_EVERY_WALL_S
        took_s = time.monotonic() - began_s
        self._due_s = began_s + max(wanted_s, SHORTEST_WALL_S, PART * took_s)

    def _weigh(self, elsewhere: Elsewhere) -> None:
        experiment, events, rollout = self._context.experiment, self._condensed.events(), self._context.rollout
        courses = elsewhere(lambda: courses_of(evidence_of(experiment, events, rollout)))
        self.told = live(courses)
        # Time went by, and the release may be over.
        if self._stops and _is_on_trial(self._context.rollout):
            self._stop_on(courses)

    def _stop_on(self, courses: Courses) -> None:
        now_s = self._context.base.now_s()
        found, followed = found_by(courses, now_s), self._context.rollout.release.followed
        if found is None or followed is None or now_s < self._next_stop_s:
            return
        if not self._found:
            self._context.record(found)
            self._found = True
        self._next_stop_s = math.inf
        try:
            stop_deployment(self._context.aws, followed, why=told_of(found), journal=self._context.journal)
        except HarnessError as error:
            if may_have_acted(error):
                self._next_stop_s = self._context.base.now_s() + AGAIN_S

    def _hear(self, event: Event, _: Rollout) -> None:
        self._condensed.add(event)


def _is_on_trial(rollout: Rollout) -> bool:
    """Whether both versions share the traffic, and the deployment was not seen to end."""
    shared = rollout.release.shared
    return shared is not None and shared[1] is None and rollout.release.ended is None
