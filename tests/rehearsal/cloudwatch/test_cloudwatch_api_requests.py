"""What the API answers becomes metrics of AWS/ApiGateway, under the names of REST APIs and of HTTP APIs."""

from typing import Any

import pytest

from harness.rehearsal.cloudwatch.api_requests import ApiName

SHOP = ApiName("shop", "a1b2c3", "prod")
REST = {"ApiName": "shop"}
HTTP = {"ApiId": "a1b2c3"}


def points(aws: Any, metric: str, dimensions: dict[str, str], statistic: str = "Sum") -> list[float]:
    """A statistic of a metric, minute by minute."""
    percentile = statistic.startswith("p")
    answer = aws.client.get_metric_statistics(
        Namespace="AWS/ApiGateway",
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=aws.now - 3600,
        EndTime=aws.now + 3600,
        Period=60,
        **({"ExtendedStatistics": [statistic]} if percentile else {"Statistics": [statistic]}),
    )
    return [(point.get("ExtendedStatistics") or point)[statistic] for point in answer["Datapoints"]]


@pytest.fixture
def asked(aws: Any) -> Any:
    """A minute of ten requests, published: six that went well, one 403, three of 500 and 502."""
    for status in [200] * 6 + [500, 502, 502]:
        aws.cloudwatch.api_requests.record(SHOP, aws.now, status, 20.0, 12.0)
    aws.cloudwatch.api_requests.record(SHOP, aws.now, 403, 1.0, None)
    aws.advance(120)
    return aws


@pytest.mark.parametrize("stage", [{}, {"Stage": "prod"}])
@pytest.mark.parametrize(
    ("api", "client_errors", "server_errors"), [(REST, "4XXError", "5XXError"), (HTTP, "4xx", "5xx")]
)
def test_errors_go_by_the_names_of_the_kind_of_api(
    asked: Any, api: dict[str, str], client_errors: str, server_errors: str, stage: dict[str, str]
) -> None:
    """The API as a whole and its stage have the same; the average is the rate of errors."""
    dimensions = {**api, **stage}
    assert points(asked, "Count", dimensions) == points(asked, "Count", dimensions, "SampleCount") == [10.0]
    assert points(asked, client_errors, dimensions) == [1.0]
    assert points(asked, server_errors, dimensions) == [3.0]
    assert points(asked, server_errors, dimensions, "Average") == [0.3]


def test_names_of_one_kind_are_not_the_others(asked: Any) -> None:
    """5xx of a REST API and 5XXError of an HTTP API are blind, as on AWS; so is another stage."""
    assert points(asked, "5xx", REST) == points(asked, "5XXError", HTTP) == []
    assert points(asked, "5XXError", {**REST, "Stage": "dev"}) == []


def test_latencies_have_percentiles(asked: Any) -> None:
    """A request that the gateway answers by itself has a latency and none of the integration."""
    assert points(asked, "Latency", REST, "SampleCount") == [10.0]
    assert points(asked, "IntegrationLatency", REST, "SampleCount") == [9.0]
    assert points(asked, "IntegrationLatency", REST, "p99") == pytest.approx([12.0], rel=0.01)


def test_errors_are_zero_where_all_went_well(aws: Any) -> None:
    """A minute of good requests is a datapoint, so that an alarm is OK and not without data."""
    aws.cloudwatch.api_requests.record(SHOP, aws.now, 200, 20.0, 12.0)
    aws.advance(120)
    assert points(aws, "5XXError", REST) == [0.0]


def test_an_alarm_on_what_is_not_written_is_warned_of(aws: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is kept, as AWS keeps it, and never silently blind; so is one whose metric math reads such a metric."""
    every = {"EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold"}
    queue = {"Namespace": "AWS/SQS", "MetricName": "NumberOfMessagesSent"}
    stat = {"Id": "m", "MetricStat": {"Metric": queue, "Period": 60, "Stat": "Sum"}}
    aws.client.put_metric_alarm(AlarmName="plain", **queue, Period=60, Statistic="Sum", **every)
    aws.client.put_metric_alarm(AlarmName="math", Metrics=[stat], **every)
    said = "this local cloud writes nothing to AWS/SQS, only to AWS/Lambda and AWS/ApiGateway"
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"The alarm {name} will have no data: {said}." for name in ("plain", "math")
    ]
