"""CloudWatch as one service object: an operation is a method, over the wire and in-process alike."""

import random

from harness.rehearsal.clock import Schedule
from harness.rehearsal.cloudwatch.alarm_operations import AlarmOperations
from harness.rehearsal.cloudwatch.alarms import AlarmStore
from harness.rehearsal.cloudwatch.invocations import InvocationMetrics
from harness.rehearsal.cloudwatch.metric_operations import MetricOperations
from harness.rehearsal.cloudwatch.store import MINUTE_S, MetricStore

FORGET_EVERY_S = 3600.0


class CloudWatch(MetricOperations, AlarmOperations):
    """Metrics and alarms of one account in one region.

    Methods take and return AWS's own names. They raise `Refusal`, and expect to be called with the schedule's lock
    held after `run_due`, as `Wire` does; `invocations` alone may be used without. `rng` decides once how late metrics
    arrive and at which second of a minute an alarm is evaluated.
    """

    def __init__(self, schedule: Schedule, *, rng: random.Random, account: str, region: str) -> None:
        store = MetricStore()
        invocations = InvocationMetrics(rng.getrandbits(64))
        prefix = f"arn:aws:cloudwatch:{region}:{account}:alarm"
        alarms = AlarmStore(
            schedule,
            store,
            lambda at_s: invocations.publish(store, at_s),
            seed=rng.getrandbits(64),
            prefix=prefix,
        )
        MetricOperations.__init__(self, schedule, store, invocations)
        AlarmOperations.__init__(self, schedule, alarms)
        now_s = schedule.clock.now()
        schedule.every(MINUTE_S, lambda at_s: invocations.publish(store, at_s), first_s=now_s + MINUTE_S)
        schedule.every(FORGET_EVERY_S, self._forget, first_s=now_s + FORGET_EVERY_S)

    def _forget(self, now_s: float) -> None:
        self._store.forget(now_s)
        self._alarms.history.forget(now_s)
