"""Production's rate from CloudWatch: of a function, an alias or an API, by the period that it still has."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.aws.counted import counted
from harness.errors import Unreachable, UsageError
from tests.aws.scripted_aws import FakeAws

NOW_S = datetime(2026, 11, 20, 20, tzinfo=UTC).timestamp()
BEGAN_S = datetime(2026, 11, 20, 18, tzinfo=UTC).timestamp()


def cloudwatch(points: Mapping[tuple[str, str], Mapping[int, float]], status: str = "Complete") -> FakeAws:
    """CloudWatch with the datapoints of some metrics, by their name and the value of their last dimension."""

    def answer(**asked: Any) -> dict[str, Any]:
        results = []
        for query in asked["MetricDataQueries"]:
            metric = query["MetricStat"]["Metric"]
            found = points.get((metric["MetricName"], metric["Dimensions"][-1]["Value"]), {})
            times = [datetime.fromtimestamp(BEGAN_S + 60 * minute, UTC) for minute in found]
            results.append({"Id": query["Id"], "Timestamps": times, "Values": [*found.values()], "StatusCode": status})
        return {"MetricDataResults": results}

    aws = FakeAws()
    aws.script = {"get_metric_data": answer}
    return aws


def read(aws: FakeAws, name: str, began_s: float = BEGAN_S) -> Any:
    """What was counted in three minutes."""
    return counted(aws, name, began_s, began_s + 180, NOW_S)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "metric", "value"),
    [
        ("orders", "Invocations", "orders"),
        ("orders:Live", "Invocations", "orders:Live"),
        ("arn:aws:lambda:eu-north-1:123456789012:function:orders", "Invocations", "orders"),
        ("shop", "Count", "shop"),
        ("shop/prod", "Count", "prod"),
    ],
)
def test_a_name_is_a_functions_an_aliases_or_an_apis(name: str, metric: str, value: str) -> None:
    """Whichever CloudWatch has counts of; a minute without a datapoint had none."""
    aws = cloudwatch({(metric, value): {2: 7, 0: 5}})
    found = read(aws, name)
    assert (found.metric, [*found.counts.values()]) == (metric, [5, 0, 7])
    assert {operation for operation, _ in aws.calls} == {"get_metric_data"}


@pytest.mark.parametrize(("days", "period_s"), [(1, 60), (20, 300), (100, 3600)])
def test_older_counts_are_of_longer_periods(days: int, period_s: int) -> None:
    """As long as CloudWatch keeps them."""
    aws = cloudwatch({("Invocations", "orders"): {-1440 * days: 1}})
    found = read(aws, "orders", NOW_S - 86_400 * days)
    (asked,) = aws.called("get_metric_data")
    assert {query["MetricStat"]["Period"] for query in asked["MetricDataQueries"]} == {period_s}
    assert asked["StartTime"].timestamp() % period_s == asked["EndTime"].timestamp() % period_s == 0
    assert len(found.counts) == max(180 // period_s, 1)


def test_what_cannot_be_had_is_one_sentence() -> None:
    """No such name, too long ago, or an answer that is none."""
    with pytest.raises(UsageError, match="no Invocations of a function shop and no Count of an API shop between 2026"):
        read(cloudwatch({}), "shop")
    with pytest.raises(UsageError, match="no datapoints for longer than 455 days"):
        read(cloudwatch({}), "shop", NOW_S - 86_400 * 500)
    with pytest.raises(Unreachable, match="InternalError"):
        read(cloudwatch({}, "InternalError"), "shop")
