"""The watch that CodeDeploy keeps on the alarms of its running deployments."""

import random
from typing import Protocol

from harness.core.delays import ALARM_LOOK_S, FIRST_ALARM_LOOK_S, Range
from harness.rehearsal.clock import Schedule
from harness.rehearsal.cloudwatch.service import CloudWatch
from harness.rehearsal.codedeploy.failures import alarm_problem
from harness.rehearsal.codedeploy.records import ErrorInformation, RollbackTrigger
from harness.rehearsal.codedeploy.store import Store
from harness.rehearsal.codedeploy.timing import drawn


class StopDeployment(Protocol):
    """Ends a running deployment."""

    def __call__(self, deployment_id: str, at_s: float, failure: ErrorInformation, *, roll_back: bool) -> None:
        """Stops it at `at_s`, for this reason."""


class AlarmWatch:
    """Looks at a deployment's alarms again and again until it is over, and stops it when one is in ALARM.

    The first look stops it at once; later ones so that Stopped comes `stop_delay_s` after ALARM, also if the alarm is
    quiet again by then. An alarm that rang and fell silent between two looks stops nothing.
    """

    def __init__(
        self, schedule: Schedule, store: Store, alarms: CloudWatch, stop: StopDeployment, stop_delay_s: Range
    ) -> None:
        shortest_s, longest_s = stop_delay_s
        self._every_s = min(max(longest_s - shortest_s, ALARM_LOOK_S[0]), ALARM_LOOK_S[1])
        self._reaction_s = (shortest_s, max(shortest_s, longest_s - self._every_s))
        self._schedule = schedule
        self._store = store
        self._alarms = alarms
        self._stop = stop

    def begin(self, deployment_id: str, at_s: float, dice: random.Random) -> None:
        """Starts to watch a deployment that has alarms; `dice` decides when it first looks, and how late it stops."""
        if self._store.deployments[deployment_id].alarms.watched:
            reaction_s = drawn(self._reaction_s, dice)
            self._look_at(deployment_id, at_s + drawn(FIRST_ALARM_LOOK_S, dice), 0.0, reaction_s)

    def _look_at(self, deployment_id: str, at_s: float, reaction_s: float, later_s: float) -> None:
        """Looks at `at_s`, and stops the deployment `reaction_s` after that; further looks do so `later_s` after."""

        def look(now_s: float) -> None:
            deployment = self._store.deployments[deployment_id]
            if not deployment.running:
                return
            failure = alarm_problem(deployment.alarms, self._alarms.states(deployment.alarms.watched))
            if failure:
                self._schedule.at(now_s + reaction_s, lambda end_s: self._end(deployment_id, end_s, failure))
            else:
                self._look_at(deployment_id, now_s + self._every_s, later_s, later_s)

        self._schedule.at(at_s, look)

    def _end(self, deployment_id: str, at_s: float, failure: ErrorInformation) -> None:
        deployment = self._store.deployments[deployment_id]
        if deployment.running:
            self._stop(deployment_id, at_s, failure, roll_back=deployment.rollback.answers(RollbackTrigger.ALARM))
