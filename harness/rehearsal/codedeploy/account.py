"""The state that all operations of CodeDeploy share."""

import random

from harness.core.delays import STOP_DELAY_S, Range
from harness.rehearsal.clock import Schedule
from harness.rehearsal.cloudwatch.service import CloudWatch
from harness.rehearsal.codedeploy.ids import new_uuid
from harness.rehearsal.codedeploy.lifecycle import Lifecycle
from harness.rehearsal.codedeploy.store import Store
from harness.rehearsal.functions.functions import Functions
from harness.rehearsal.operations import AwsService


class Account(AwsService):
    """One account in one region; `stop_delay_s` is the time from an alarm's ALARM to the status Stopped."""

    def __init__(
        self,
        schedule: Schedule,
        functions: Functions,
        alarms: CloudWatch,
        *,
        rng: random.Random,
        account: str,
        region: str,
        stop_delay_s: Range = STOP_DELAY_S,
    ) -> None:
        super().__init__(schedule)
        self._rng = rng
        self._account = account
        self._region = region
        self._store = Store(created_s=schedule.clock.now())
        self._lifecycle = Lifecycle(schedule, self._store, functions, alarms, rng, stop_delay_s)

    def _new_id(self) -> str:
        return new_uuid(self._rng)
