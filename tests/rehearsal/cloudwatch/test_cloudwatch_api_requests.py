"""What the API answers becomes metrics of AWS/ApiGateway, under the names of REST APIs and of HTTP APIs."""

from typing import Any

import pytest

from harness.rehearsal.cloudwatch.api_requests import ApiName

SHOP = ApiName("shop", "a1b2c3", "prod")
REST = {"ApiName": "shop"}
HTTP = {"ApiId": "a1b2c3"}
EVERY = {
    "Period": 60,
    "Statistic": "Sum",
    "EvaluationPeriods": 1,
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanThreshold",
}


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
    without = {name: value for name, value in EVERY.items() if name not in ("Period", "Statistic")}
    queue = {"Namespace": "AWS/SQS", "MetricName": "NumberOfMessagesSent"}
    stat = {"Id": "m", "MetricStat": {"Metric": queue, "Period": 60, "Stat": "Sum"}}
    aws.client.put_metric_alarm(AlarmName="plain", **queue, **EVERY)
    aws.client.put_metric_alarm(AlarmName="math", Metrics=[stat], **without)
    said = "this local cloud writes nothing to AWS/SQS, only to AWS/Lambda and AWS/ApiGateway"
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"The alarm {name} will have no data: {said}." for name in ("plain", "math")
    ]


@pytest.mark.parametrize(
    ("namespace", "metric", "dimensions", "said"),
    [
        ("CloudWatchSynthetics", "Failed", {"CanaryName": "shop"}, "writes nothing to CloudWatchSynthetics"),
        (
            "AWS/ApiGateway",
            "5XXError",
            {"ApiName": "other"},
            "with ApiName=shop or ApiId=a1b2c3, alone or with Stage=prod",
        ),
        (
            "AWS/ApiGateway",
            "5XXError",
            {**REST, "Stage": "prod", "Method": "GET", "Resource": "/"},
            "by Method and Resource",
        ),
        (
            "AWS/Lambda",
            "Errors",
            {"Resource": "fn:live"},
            "in other sets of dimensions than Resource=fn:live, here and on",
        ),
        ("AWS/ApiGateway", "5XXError", {"ApiName": "shop", "Stage": "prod"}, None),
        ("AWS/Lambda", "Errors", {"FunctionName": "fn"}, None),
        ("App", "Failures", {"Any": "thing"}, None),
    ],
)
def test_dimensions_that_are_never_written_are_warned_of(
    aws: Any,
    caplog: pytest.LogCaptureFixture,
    namespace: str,
    metric: str,
    dimensions: dict[str, str],
    said: str | None,
) -> None:
    """At once, with what is written instead; an alarm that will have data is put without a word."""
    aws.cloudwatch.apis = lambda: [SHOP]
    aws.client.put_metric_alarm(
        AlarmName="alarm",
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        **EVERY,
    )
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warned) == (said is not None)
    assert (said or "") in "".join(warned)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was warned of so far."""
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize("comes", [True, False])
def test_an_alarm_waits_for_the_api_of_its_stack(aws: Any, caplog: pytest.LogCaptureFixture, comes: bool) -> None:
    """Which may be made after it: a warning comes only where there is none once the stack is made."""
    other = ApiName("other", "d4e5f6", "prod")
    apis, underway = [SHOP], [True]
    aws.cloudwatch.apis, aws.cloudwatch.stack_is_made = lambda: apis, lambda: bool(underway)
    dimensions = [{"Name": "ApiName", "Value": "other"}]
    aws.client.put_metric_alarm(
        AlarmName="alarm", Namespace="AWS/ApiGateway", MetricName="5XXError", Dimensions=dimensions, **EVERY
    )
    aws.advance(60)
    assert warnings(caplog) == []
    underway.clear()
    apis += [other] * comes
    aws.advance(30)
    assert bool(warnings(caplog)) is not comes


@pytest.mark.parametrize(("namespace", "warned"), [("AWS/Lambda", True), ("App", False)])
def test_a_period_below_a_minute_is_warned_of(
    aws: Any, caplog: pytest.LogCaptureFixture, namespace: str, warned: bool
) -> None:
    """Where AWS writes by the minute; one's own metrics may be finer."""
    aws.client.put_metric_alarm(AlarmName="fine", Namespace=namespace, MetricName="Errors", **{**EVERY, "Period": 10})
    said = "AWS/Lambda is written by the minute, and its period is 10 s: often blind on AWS, too"
    assert warnings(caplog) == [f"The alarm fine will have no data: {said}."] * warned


@pytest.mark.parametrize(("account", "state"), [("123456789012", "ALARM"), ("210987654321", "INSUFFICIENT_DATA")])
def test_another_accounts_metric_has_no_data(
    aws: Any, caplog: pytest.LogCaptureFixture, account: str, state: str
) -> None:
    """An alarm on it is warned of and never judged by this account's data, nor does GetMetricData give any."""
    stat = {"Metric": {"Namespace": "App", "MetricName": "Errors"}, "Period": 60, "Stat": "Sum"}
    query = {"Id": "m", "MetricStat": stat, "AccountId": account}
    settings = {name: value for name, value in EVERY.items() if name not in ("Period", "Statistic")}
    aws.client.put_metric_alarm(AlarmName="theirs", Metrics=[query], **settings)
    aws.put(5.0)
    aws.advance(150)
    assert aws.client.describe_alarms(AlarmNames=["theirs"])["MetricAlarms"][0]["StateValue"] == state
    asked = {"StartTime": aws.now - 300, "EndTime": aws.now}
    (answer,) = aws.client.get_metric_data(MetricDataQueries=[query], **asked)["MetricDataResults"]
    assert answer["Values"] == ([5.0] if state == "ALARM" else [])
    assert ("has no data of 210987654321" in caplog.text) == (state != "ALARM")
