"""What is read of AWS to say the chances of a release: its group, its alarms, and the function's own last week."""

import time
from collections.abc import Callable
from statistics import quantiles

from msgspec import Struct

from harness.aws.attempts import Attempts
from harness.aws.clients import Aws
from harness.aws.doctor import Examination
from harness.aws.eyes import Eyes
from harness.aws.metrics import datapoints, sum_of
from harness.core.arming import Snapshot
from harness.core.experiment.types import Experiment

HOUR_S = 3600
WEEK_S = 7 * 24 * HOUR_S


class Week(Struct, frozen=True):
    """Invocations of each hour since the first within the last week, and how many failed in all of them."""

    hours: tuple[float, ...]
    failed: float

    def rate_at(self, share: float) -> float:
        """Requests a second that this share of the hours stays below; 0 where there were none."""
        if len(self.hours) < 2:
            return sum(self.hours) / HOUR_S
        return quantiles(self.hours, n=100, method="inclusive")[round(share * 100) - 1] / HOUR_S

    @property
    def failing(self) -> float | None:
        """The share of the invocations that failed; None where there were none."""
        return self.failed / sum(self.hours) if sum(self.hours) else None


def look(aws: Aws, experiment: Experiment, *, now: Callable[[], float] = time.time) -> tuple[Snapshot, Week | None]:
    """The group that an experiment names, and its function's last week, None where that cannot be read."""
    examination = Examination(Attempts(aws, now), experiment)
    snapshot = examination.snapshot()
    function = experiment.deployment.function
    week = examination.attempt(lambda: _last_week(examination.eyes, function)) if function else None
    return snapshot, week


def _last_week(eyes: Eyes, function: str) -> Week | None:
    """Raises Blind; None where CloudWatch did not answer in full."""
    asked = {name: {**sum_of(name, {"FunctionName": function}), "Period": HOUR_S} for name in ("Invocations", "Errors")}
    points = datapoints(eyes, asked, -WEEK_S)
    if points.keys() != asked.keys():
        return None
    invoked = points["Invocations"]
    if not invoked:
        return Week((), 0.0)
    first_s = invoked[0][0]
    by_hour = {round((at_s - first_s) / HOUR_S): value for at_s, value in invoked}
    # Lambda writes no datapoint for an hour without invocation.
    hours = tuple(by_hour.get(hour, 0.0) for hour in range(max(by_hour) + 1))
    return Week(hours, sum(value for _, value in points["Errors"]))
