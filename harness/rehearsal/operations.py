"""How each service declares an AWS operation: one marked method, the same in-process and over the wire."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from harness.rehearsal.clock import Schedule

Params = dict[str, Any]
"""A request, in AWS's own spelling."""
Answer = dict[str, Any]
"""A response, in AWS's own spelling."""


class AwsService:
    """A service of the cloud; `schedule` gives it the time, and the lock that guards the state of all services."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule

    def _now(self) -> float:
        return self._schedule.clock.now()

    def _check(self, operation: str, params: Params) -> None:
        """Raises a Refusal for a request that AWS's model of the service does not allow."""


SomeService = TypeVar("SomeService", bound=AwsService)
Operation = Callable[[SomeService, Params], Answer]


def operation(method: Operation[SomeService]) -> Operation[SomeService]:
    """Makes `put_metric_alarm` the operation PutMetricAlarm, which sees a cloud that is up to date and stands still."""
    return _declared(method, locked=True)


def unlocked_operation(method: Operation[SomeService]) -> Operation[SomeService]:
    """The same for an operation that waits for user code: while it runs, the cloud goes on."""
    return _declared(method, locked=False)


def operations(service: type[AwsService]) -> Mapping[str, Callable[..., Answer]]:
    """The operations of a service by AWS's names for them, sorted."""
    methods = (getattr(service, name) for name in dir(service))
    declared = {method.operation: method for method in methods if hasattr(method, "operation")}
    return dict(sorted(declared.items()))


def _declared(method: Operation[SomeService], *, locked: bool) -> Operation[SomeService]:
    name = "".join(word.capitalize() for word in method.__name__.split("_"))

    @functools.wraps(method)
    def called(self: SomeService, params: Params) -> Answer:
        if not locked:
            self._schedule.run_due()
            return method(self, params)
        with self._schedule.lock:
            self._schedule.run_due()
            self._check(name, params)
            return method(self, params)

    called.operation = name  # type: ignore[attr-defined]
    return called
