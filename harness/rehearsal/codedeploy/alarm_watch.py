"""The watch that CodeDeploy keeps on the alarms of its running deployments."""

import random
from typing import Protocol

from harness.rehearsal.clock import Schedule
from harness.rehearsal.cloudwatch.service import CloudWatch
from harness.rehearsal.codedeploy.failures import alarm_problem
from harness.rehearsal.codedeploy.records import ErrorInformation, RollbackTrigger
from harness.rehearsal.codedeploy.store import Store
from harness.rehearsal.codedeploy.timing import ALARM_LOOK_S, FIRST_ALARM_LOOK_S, Range, drawn


class StopDeployment(Protocol):
    """Ends a running deployment."""

    def __call__(self, deployment_id: str, at_s: float, failure: ErrorInformation, *, roll_back: bool) -> None:
        """Stops it at `at_s`, for this reason."""


class AlarmWatch:
    """Looks at a deployment's alarms again and again until it is over, and stops it when one is in ALARM."""

    def __init__(self, schedule: Schedule, store: Store, alarms: CloudWatch, stop: StopDeployment) -> None:
        self._schedule = schedule
        self._store = store
        self._alarms = alarms
        self._stop = stop

    def begin(self, deployment_id: str, at_s: float, dice: random.Random) -> None:
        """Starts to watch a deployment that has alarms; `dice` decides when each look comes."""
        if self._store.deployments[deployment_id].alarms.watched:
            self._look_after(deployment_id, at_s, FIRST_ALARM_LOOK_S, dice)

    def _look_after(self, deployment_id: str, at_s: float, wait: Range, dice: random.Random) -> None:
        self._schedule.at(at_s + drawn(wait, dice), lambda now_s: self._look(deployment_id, now_s, dice))

    def _look(self, deployment_id: str, at_s: float, dice: random.Random) -> None:
        deployment = self._store.deployments[deployment_id]
        if not deployment.running:
            return
        failure = alarm_problem(deployment.alarms, self._alarms.states(deployment.alarms.watched))
        if failure:
            self._stop(deployment_id, at_s, failure, roll_back=deployment.rollback.answers(RollbackTrigger.ALARM))
        else:
            self._look_after(deployment_id, at_s, ALARM_LOOK_S, dice)
