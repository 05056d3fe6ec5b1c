"""CloudWatch behind a real HTTP server, on a clock that stands still until a test moves it."""

import random
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from harness.rehearsal.clock import CloudClock, Schedule
from harness.rehearsal.cloudwatch.service import CloudWatch
from harness.rehearsal.servers import serve
from harness.rehearsal.wire import Wire

NOON_S = 1_787_400_000 - 1_787_400_000 % 60
"""The full minute at which every test begins."""

ALARM = {
    "AlarmName": "errors",
    "Namespace": "App",
    "MetricName": "Errors",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 3.0,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
}


class Account:
    """One account: the service, its client over HTTP, and its clock."""

    def __init__(self) -> None:
        self.clock = CloudClock(speed=0, wall=lambda: NOON_S)
        self.schedule = Schedule(self.clock)
        self.cloudwatch = CloudWatch(self.schedule, rng=random.Random(7), account="123456789012", region="eu-north-1")
        self.server = serve(Wire({"cloudwatch": self.cloudwatch}, self.schedule), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.port}"
        self.client: Any = boto3.client(
            "cloudwatch",
            endpoint_url=self.url,
            region_name="eu-north-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": 1}),
        )

    @property
    def now(self) -> float:
        """Simulated time."""
        return self.clock.now()

    def advance(self, seconds: float) -> None:
        """Lets simulated time pass, and runs what falls due."""
        self.schedule.advance(seconds)

    def put(self, value: float, *, at_s: float | None = None, name: str = "Errors", **more: Any) -> None:
        """Puts one value of a custom metric, now unless told otherwise."""
        datum = {"MetricName": name, "Value": value, "Timestamp": self.now if at_s is None else at_s, **more}
        self.client.put_metric_data(Namespace="App", MetricData=[datum])

    def put_values(self, values: list[float], *, at_s: float) -> None:
        """Puts several values of the metric `Errors` at one instant."""
        datum = {"MetricName": "Errors", "Values": values, "Timestamp": at_s}
        self.client.put_metric_data(Namespace="App", MetricData=[datum])

    def put_alarm(self, **changes: Any) -> None:
        """Puts the alarm of most tests with changes; a change to None leaves the parameter out."""
        params = {**ALARM, **changes}
        self.client.put_metric_alarm(**{name: value for name, value in params.items() if value is not None})

    def alarm(self, name: str = "errors") -> dict[str, Any]:
        """The alarm, metric or composite, as DescribeAlarms has it."""
        answer = self.client.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        (found,) = answer["MetricAlarms"] + answer["CompositeAlarms"]
        return dict(found)

    def state(self, name: str = "errors") -> str:
        """The alarm's StateValue."""
        return str(self.alarm(name)["StateValue"])

    def history(self, name: str = "errors", **more: Any) -> list[dict[str, Any]]:
        """The alarm's history, oldest first."""
        answer = self.client.describe_alarm_history(
            AlarmName=name, AlarmTypes=["MetricAlarm", "CompositeAlarm"], ScanBy="TimestampAscending", **more
        )
        return list(answer["AlarmHistoryItems"])

    def changes(self, name: str = "errors") -> list[tuple[str, float]]:
        """The states that an alarm went to, each with its time since the test began."""
        return [
            (item["HistorySummary"].rpartition(" ")[2], item["Timestamp"].timestamp() - NOON_S)
            for item in self.history(name, HistoryItemType="StateUpdate")
        ]

    def traffic(self, minutes: int, *, errors: int = 0, requests: int = 10, version: str = "1") -> None:
        """Lets whole minutes pass in which a function is invoked through its alias, and some invocations fail."""
        for _ in range(minutes):
            for index in range(requests):
                started_s = self.now + index * 60 / requests
                failed = index < errors
                self.cloudwatch.invocations.record("fn", "Live", version, started_s, 12.0, failed=failed)
            self.advance(60)


@pytest.fixture
def aws() -> Iterator[Account]:
    """An account that is empty."""
    account = Account()
    thread = threading.Thread(target=account.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield account
    account.client.close()
    account.server.shutdown()
    account.server.server_close()
    thread.join()
