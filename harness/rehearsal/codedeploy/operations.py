"""What all operations share: the state they work on, and the lock under which they do."""

import functools
import random
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from harness.rehearsal.clock import Schedule
from harness.rehearsal.cloudwatch import CloudWatch
from harness.rehearsal.codedeploy.ids import new_uuid
from harness.rehearsal.codedeploy.lifecycle import Lifecycle
from harness.rehearsal.codedeploy.store import Store
from harness.rehearsal.functions import Functions

Params = Mapping[str, Any]
Answer = dict[str, Any]


class Operations:
    """The common state of the operations of one account in one region."""

    def __init__(
        self,
        schedule: Schedule,
        functions: Functions,
        alarms: CloudWatch,
        *,
        rng: random.Random,
        account: str,
        region: str,
    ) -> None:
        self._schedule = schedule
        self._rng = rng
        self._account = account
        self._region = region
        self._store = Store(created_s=schedule.clock.now())
        self._lifecycle = Lifecycle(schedule, self._store, functions, alarms, rng)

    def _now(self) -> float:
        return self._schedule.clock.now()

    def _new_id(self) -> str:
        return new_uuid(self._rng)


SomeOperations = TypeVar("SomeOperations", bound=Operations)


def operation(
    method: Callable[[SomeOperations, Params], Answer],
) -> Callable[[SomeOperations, Params], Answer]:
    """Makes a method an operation: in-process as over the wire it sees a cloud that is up to date and stands still."""

    @functools.wraps(method)
    def called(self: SomeOperations, params: Params) -> Answer:
        with self._schedule.lock:
            self._schedule.run_due()
            return method(self, params)

    return called
