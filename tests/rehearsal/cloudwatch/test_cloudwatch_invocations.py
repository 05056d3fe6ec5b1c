"""What Lambda's invocations become: metrics in their dimension sets, at next to no cost."""

import threading
import time
from typing import Any

import pytest

from harness.rehearsal.cloudwatch.invocations import InvocationMetrics, Underway

FUNCTION = {"FunctionName": "fn"}
ALIAS = {"FunctionName": "fn", "Resource": "fn:Live"}


def total(aws: Any, metric: str, dimensions: dict[str, str], statistic: str = "Sum") -> list[float]:
    """A statistic of an AWS/Lambda metric, minute by minute."""
    answer = aws.client.get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=aws.now - 3600,
        EndTime=aws.now + 3600,
        Period=60,
        **({"ExtendedStatistics": [statistic]} if statistic.startswith("p") else {"Statistics": [statistic]}),
    )
    return [(point.get("ExtendedStatistics") or point)[statistic] for point in answer["Datapoints"]]


def invoke(aws: Any, *, alias: str | None = "Live", version: str = "1", failed: bool = False, times: int = 1) -> None:
    """Records invocations that start now."""
    for _ in range(times):
        aws.cloudwatch.invocations.record("fn", alias, version, aws.now, 20.0, failed=failed)


@pytest.mark.parametrize(
    ("dimensions", "invocations", "errors"),
    [
        ({}, 10.0, 4.0),
        (FUNCTION, 10.0, 4.0),
        (ALIAS, 7.0, 3.0),
        ({**ALIAS, "ExecutedVersion": "1"}, 4.0, 0.0),
        ({**ALIAS, "ExecutedVersion": "2"}, 3.0, 3.0),
        ({"FunctionName": "fn", "Resource": "fn:2"}, 3.0, 1.0),
    ],
)
def test_each_dimension_set_counts_what_it_covers(
    aws: Any, dimensions: dict[str, str], invocations: float, errors: float
) -> None:
    """The function counts all, the alias its own, each version behind it its share, a version by number its own."""
    invoke(aws, version="1", times=4)
    invoke(aws, version="2", failed=True, times=3)
    invoke(aws, alias=None, version="2", times=2)
    invoke(aws, alias=None, version="2", failed=True)
    aws.advance(120)
    assert total(aws, "Invocations", dimensions) == [invocations]
    assert total(aws, "Errors", dimensions) == [errors]


def test_errors_are_zero_for_successes_and_absent_for_silence(aws: Any) -> None:
    """A minute with invocations has Errors, 0 too; a minute without has none."""
    invoke(aws)
    aws.advance(120)
    invoke(aws)
    aws.advance(120)
    assert total(aws, "Errors", FUNCTION) == [0.0, 0.0]
    assert total(aws, "Errors", FUNCTION, "SampleCount") == [1.0, 1.0]


def test_nothing_is_emitted_without_invocations(aws: Any) -> None:
    """A function that nobody calls has no metrics."""
    aws.advance(600)
    assert aws.client.list_metrics(Namespace="AWS/Lambda")["Metrics"] == []


def test_durations_have_their_statistics(aws: Any) -> None:
    """Duration is in milliseconds, with average and maximum."""
    for duration_ms in (10.0, 20.0, 60.0):
        aws.cloudwatch.invocations.record("fn", "Live", "1", aws.now, duration_ms, failed=False)
    aws.advance(120)
    assert total(aws, "Duration", FUNCTION, "Average") == [30.0]
    assert total(aws, "Duration", FUNCTION, "Maximum") == [60.0]


def test_durations_have_percentiles_of_each_version(aws: Any) -> None:
    """A slow canary shows in the percentile of its version, and hides in that of the function."""
    for number in range(200):
        slow = number % 100 == 0
        version, duration_ms = ("2", 900.0) if slow else ("1", 20.0)
        aws.cloudwatch.invocations.record("fn", "Live", version, aws.now, duration_ms, failed=False)
    aws.advance(120)
    assert total(aws, "Duration", FUNCTION, "p95") == pytest.approx([20.0], rel=0.01)
    assert total(aws, "Duration", {**ALIAS, "ExecutedVersion": "2"}, "p95") == pytest.approx([900.0], rel=0.01)


@pytest.mark.parametrize(
    ("dimensions", "most"), [({}, 5.0), (FUNCTION, 5.0), (ALIAS, 3.0), ({**ALIAS, "ExecutedVersion": "2"}, 2.0)]
)
def test_concurrent_executions_are_those_of_the_dimension_set(
    aws: Any, dimensions: dict[str, str], most: float
) -> None:
    """The runs under way when one began: of the function, of the alias, of the version behind it."""
    for underway in (Underway(1, 1, 1), Underway(5, 3, 2)):
        aws.cloudwatch.invocations.record("fn", "Live", "2", aws.now, 20.0, failed=False, underway=underway)
    aws.advance(120)
    assert total(aws, "ConcurrentExecutions", dimensions, "Maximum") == [most]


def test_throttles_are_neither_invocations_nor_errors(aws: Any) -> None:
    """A refused invocation counts in Throttles alone, for the function and the alias."""
    aws.cloudwatch.invocations.record_throttle("fn", "Live", aws.now)
    aws.advance(120)
    assert total(aws, "Throttles", FUNCTION) == total(aws, "Throttles", ALIAS) == [1.0]
    assert total(aws, "Invocations", FUNCTION) == total(aws, "Errors", FUNCTION) == []


def test_the_minute_is_that_of_the_start(aws: Any) -> None:
    """A long invocation belongs to the minute in which it started, even if that was published before it ended."""
    begin_s = aws.now
    invoke(aws)
    aws.advance(180)
    aws.cloudwatch.invocations.record("fn", "Live", "1", begin_s + 59, 170_000.0, failed=True)
    assert total(aws, "Invocations", FUNCTION) == [2.0]
    assert total(aws, "Errors", FUNCTION) == [1.0]


def test_threads_lose_nothing(aws: Any) -> None:
    """All records of many threads are counted, also while minutes are published."""

    def work() -> None:
        for number in range(2000):
            aws.cloudwatch.invocations.record("fn", "Live", "1", aws.now + number / 20, 1.0, failed=number % 2 == 0)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        total(aws, "Invocations", FUNCTION)
    for thread in threads:
        thread.join()
    aws.advance(300)
    assert sum(total(aws, "Invocations", FUNCTION)) == 8000.0
    assert sum(total(aws, "Errors", FUNCTION)) == 4000.0


def test_recording_is_cheap() -> None:
    """Ten thousand records cost less than a twentieth of a second of one core."""
    invocations = InvocationMetrics(seed=1)
    costs = []
    for attempt in range(7):
        began = time.thread_time()
        for number in range(10_000):
            invocations.record("fn", "Live", "2", attempt * 60.0, number % 97 + 0.123, failed=False)
        costs.append(time.thread_time() - began)
    assert min(costs) < 0.05
