"""CloudWatch as one service object: an operation is a method, over the wire and in-process alike."""

import random

from harness.rehearsal.clock import Schedule
from harness.rehearsal.cloudwatch.alarm_operations import AlarmOperations
from harness.rehearsal.cloudwatch.alarms import AlarmStore
from harness.rehearsal.cloudwatch.api_requests import ApiMetrics
from harness.rehearsal.cloudwatch.invocations import InvocationMetrics
from harness.rehearsal.cloudwatch.logged_metrics import LoggedMetrics
from harness.rehearsal.cloudwatch.metric_operations import MetricOperations
from harness.rehearsal.cloudwatch.store import MINUTE_S, MetricStore

FORGET_EVERY_S = 3600.0
JUST_BEFORE_S = 0.5
"""How long before an alarm's evaluation the metrics arrive, where an experiment says when the alarm rings."""


class CloudWatch(MetricOperations, AlarmOperations):
    """Metrics and alarms of one account in one region.

    `invocations`, `api_requests` and `logged` may be used without the schedule's lock. `rng` decides once how late
    metrics arrive and at which second of a minute an alarm is evaluated; with `alarm_delay_s` (least, most) so that an
    alarm on what functions and API did rings that long after the period that decides.
    """

    def __init__(
        self,
        schedule: Schedule,
        *,
        rng: random.Random,
        account: str,
        region: str,
        alarm_delay_s: tuple[float, float] | None = None,
    ) -> None:
        super().__init__(schedule)
        seed = rng.getrandbits(64)
        delay_s = None if alarm_delay_s is None else random.Random(seed).uniform(*alarm_delay_s)
        self.invocations = InvocationMetrics(seed, None if delay_s is None else max(0.0, delay_s - JUST_BEFORE_S))
        self.api_requests = ApiMetrics(self.invocations.visible_at)
        self.logged = LoggedMetrics(self.invocations.visible_at)
        self._store = MetricStore(account)
        self._alarms = AlarmStore(
            schedule,
            self._store,
            self._publish,
            seed=rng.getrandbits(64),
            prefix=f"arn:aws:cloudwatch:{region}:{account}:alarm",
            phase_s=None if delay_s is None else delay_s % MINUTE_S,
        )
        now_s = schedule.clock.now()
        schedule.every(MINUTE_S, self._publish, first_s=now_s + MINUTE_S)
        schedule.every(FORGET_EVERY_S, self._forget, first_s=now_s + FORGET_EVERY_S)

    def _forget(self, now_s: float) -> None:
        self._store.forget(now_s)
        self._alarms.history.forget(now_s)
