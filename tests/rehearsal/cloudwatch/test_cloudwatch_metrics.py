"""Metrics over the wire: put, list, read."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from harness.rehearsal.cloudwatch.bucket import Bucket
from harness.rehearsal.cloudwatch.store import MINUTES_KEPT_S, SECONDS_KEPT_S, Metric, MetricStore

ALL = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"]
numbers = st.floats(min_value=-1e9, max_value=1e9)


def statistics(aws: Any, *names: str, period: int = 60, **more: Any) -> list[dict[str, Any]]:
    """The datapoints of the metric `Errors` from two hours ago until in an hour."""
    params = {"Namespace": "App", "MetricName": "Errors", "Statistics": list(names or ["Sum"]), "Period": period}
    bounds = {"StartTime": aws.now - 7200, "EndTime": aws.now + 3600}
    given = {name: value for name, value in {**params, **bounds, **more}.items() if value}
    return list(aws.client.get_metric_statistics(**given)["Datapoints"])


def query(name: str = "m1", stat: str = "Sum", period: int = 60, **more: Any) -> dict[str, Any]:
    """A MetricDataQuery for the metric `Errors`."""
    metric = {"Namespace": "App", "MetricName": "Errors"}
    return {"Id": name, "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}, **more}


def metric_data(aws: Any, *queries: dict[str, Any], **more: Any) -> dict[str, Any]:
    """GetMetricData's answer for the last hour and the next."""
    bounds = {"StartTime": aws.now - 3600, "EndTime": aws.now + 3600}
    return dict(aws.client.get_metric_data(MetricDataQueries=list(queries), **{**bounds, **more}))


def code_of(call: Callable[..., Any], **params: Any) -> str:
    """The code with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(caught.value.response["Error"]["Code"])


def test_custom_data_can_be_read_at_once(aws: Any, fits_model: Callable[..., None]) -> None:
    """What is put in this minute is in this minute's datapoint, with every statistic."""
    for value in (1.0, 2.0, 6.0):
        aws.put(value, Unit="Count")
    (point,) = statistics(aws, *ALL)
    fits_model(aws.client, "GetMetricStatistics", {"Label": "Errors", "Datapoints": [point]})
    assert [point[name] for name in ALL] == [3.0, 3.0, 9.0, 1.0, 6.0]
    assert (point["Unit"], point["Timestamp"].timestamp()) == ("Count", aws.now)


def test_values_count_as_often_as_their_counts(aws: Any) -> None:
    """Values with Counts are that many samples each."""
    datum = {"MetricName": "Errors", "Values": [1.0, 10.0, 2.0], "Counts": [2.0, 4.0, 1.0]}
    aws.client.put_metric_data(Namespace="App", MetricData=[datum])
    (point,) = statistics(aws, *ALL)
    assert [point[name] for name in ALL] == [7.0, 44 / 7, 44.0, 1.0, 10.0]


def test_statistic_values_are_taken_as_they_are(aws: Any) -> None:
    """A StatisticSet adds up with single values, but has no percentiles."""
    summary = {"SampleCount": 3.0, "Sum": 9.0, "Minimum": 1.0, "Maximum": 5.0}
    aws.client.put_metric_data(Namespace="App", MetricData=[{"MetricName": "Errors", "StatisticValues": summary}])
    aws.put(7.0)
    (point,) = statistics(aws, *ALL)
    assert [point[name] for name in ALL] == [4.0, 4.0, 16.0, 1.0, 7.0]
    (without,) = statistics(aws, Statistics=[], ExtendedStatistics=["p50"])
    assert "ExtendedStatistics" not in without


def test_percentiles_come_from_the_values(aws: Any) -> None:
    """Percentiles are those of the samples, to a few per mille."""
    for value in range(1, 101):
        aws.cloudwatch.put_metric_data(
            {"Namespace": "App", "MetricData": [{"MetricName": "Errors", "Value": float(value)}]}
        )
    (point,) = statistics(aws, Statistics=[], ExtendedStatistics=["p50", "p99", "p99.9"])
    assert point["ExtendedStatistics"] == {"p50": 50.0, "p99": 99.0, "p99.9": 100.0}


def test_periods_begin_at_multiples_of_their_length(aws: Any) -> None:
    """Five-minute datapoints begin at full five minutes, wherever the query begins."""
    begin_s = aws.now - aws.now % 300
    for offset_s in (-1, 0, 299, 300):
        aws.put(1.0, at_s=begin_s + offset_s)
    found = statistics(aws, period=300, StartTime=begin_s - 17, EndTime=begin_s + 400)
    assert [(point["Timestamp"].timestamp() - begin_s, point["Sum"]) for point in found] == [
        (-300, 1.0),
        (0, 2.0),
        (300, 1.0),
    ]


def test_end_time_is_exclusive(aws: Any) -> None:
    """A period that begins at EndTime is not part of the answer."""
    aws.put(1.0)
    assert statistics(aws, EndTime=aws.now) == []


def test_fine_data_can_be_read_by_the_second(aws: Any) -> None:
    """StorageResolution 1 keeps seconds apart, data without it belong to their minute."""
    for offset_s in (0.0, 0.5, 7.0):
        aws.put(1.0, at_s=aws.now - 60 + offset_s, StorageResolution=1)
    aws.put(5.0, at_s=aws.now - 30)
    found = statistics(aws, period=1, StartTime=aws.now - 60, EndTime=aws.now)
    assert [(point["Timestamp"].timestamp() - aws.now, point["Sum"]) for point in found] == [(-60, 7.0), (-53, 1.0)]


def test_units_are_kept_apart(aws: Any) -> None:
    """Each unit has datapoints of its own, and Unit selects one."""
    aws.put(1.0, Unit="Seconds")
    aws.put(2.0, Unit="Milliseconds")
    assert {point["Unit"]: point["Sum"] for point in statistics(aws)} == {"Seconds": 1.0, "Milliseconds": 2.0}
    assert [point["Sum"] for point in statistics(aws, Unit="Seconds")] == [1.0]
    (result,) = metric_data(aws, query())["MetricDataResults"]
    assert result["Messages"][0]["Value"] == "Multiple units returned: '[Milliseconds, Seconds]'"


def test_another_set_of_dimensions_is_another_metric(aws: Any) -> None:
    """Data with dimensions do not show up without them; the order of dimensions does not matter."""
    pair = [{"Name": "B", "Value": "2"}, {"Name": "A", "Value": "1"}]
    aws.put(1.0, Dimensions=pair)
    assert statistics(aws) == []
    assert [point["Sum"] for point in statistics(aws, Dimensions=pair[::-1])] == [1.0]


def test_metrics_are_listed_by_what_is_asked(aws: Any, fits_model: Callable[..., None]) -> None:
    """ListMetrics filters by namespace, name, and dimensions by name or by name and value."""
    aws.put(1.0)
    for version in ("1", "2"):
        aws.put(1.0, Dimensions=[{"Name": "Version", "Value": version}])
    answer = aws.client.list_metrics(Namespace="App", MetricName="Errors")
    fits_model(aws.client, "ListMetrics", answer)
    assert len(answer["Metrics"]) == 3
    assert len(aws.client.list_metrics(Dimensions=[{"Name": "Version"}])["Metrics"]) == 2
    (found,) = aws.client.list_metrics(Dimensions=[{"Name": "Version", "Value": "2"}])["Metrics"]
    assert found["Dimensions"] == [{"Name": "Version", "Value": "2"}]
    assert aws.client.list_metrics(Namespace="Other")["Metrics"] == []


def test_recently_active_metrics_have_data_of_three_hours(aws: Any) -> None:
    """A metric without data for three hours is listed, but not as recently active."""
    aws.put(1.0)
    aws.advance(3 * 3600 + 1)
    assert aws.client.list_metrics(RecentlyActive="PT3H")["Metrics"] == []
    assert len(aws.client.list_metrics()["Metrics"]) == 1


def test_lists_of_metrics_come_in_pages(aws: Any) -> None:
    """Five hundred metrics are a page."""
    data = [{"MetricName": f"metric-{number}", "Value": 1.0} for number in range(501)]
    aws.client.put_metric_data(Namespace="App", MetricData=data)
    pages = list(aws.client.get_paginator("list_metrics").paginate())
    assert [len(page["Metrics"]) for page in pages] == [500, 1]


def test_metric_data_come_newest_first_unless_told_otherwise(aws: Any, fits_model: Callable[..., None]) -> None:
    """ScanBy orders the datapoints of each result."""
    for value in (1.0, 2.0, 3.0):
        aws.put(value)
        aws.advance(60)
    answer = metric_data(aws, query())
    fits_model(aws.client, "GetMetricData", answer)
    (result,) = answer["MetricDataResults"]
    assert (result["Values"], result["StatusCode"], result["Label"]) == ([3.0, 2.0, 1.0], "Complete", "Errors")
    (ascending,) = metric_data(aws, query(), ScanBy="TimestampAscending")["MetricDataResults"]
    assert ascending["Values"] == [1.0, 2.0, 3.0]
    assert ascending["Timestamps"] == result["Timestamps"][::-1]


def test_metric_data_without_data_are_an_empty_result(aws: Any) -> None:
    """An unknown metric is complete and empty, not an error."""
    (result,) = metric_data(aws, query())["MetricDataResults"]
    assert (result["Values"], result["Timestamps"], result["StatusCode"]) == ([], [], "Complete")


def test_labels_tell_queries_apart(aws: Any) -> None:
    """A label is the metric's name, with statistic and period where they differ, unless one is given."""
    results = metric_data(aws, query("a"), query("b", "Minimum", 300), query("c", Label="mine"))["MetricDataResults"]
    assert [result["Label"] for result in results] == ["Errors Sum 60", "Errors Minimum 300", "mine"]


def test_pages_of_metric_data_make_the_whole(aws: Any) -> None:
    """MaxDatapoints and NextToken lead through all datapoints, and say when they are partial."""
    for value in range(10):
        aws.put(float(value), at_s=aws.now - value * 60)
    pages = aws.client.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[query()],
        StartTime=aws.now - 540,
        EndTime=aws.now + 60,
        PaginationConfig={"PageSize": 4},
    )
    results = [page["MetricDataResults"][0] for page in pages]
    assert [value for result in results for value in result["Values"]] == [float(value) for value in range(10)]
    assert [result["StatusCode"] for result in results] == ["PartialData", "PartialData", "Complete"]


def test_pages_count_datapoints_and_not_periods(aws: Any) -> None:
    """Empty periods fill no page, and the queries of a page share it in the order of time."""
    for minutes_ago in (50, 30, 10):
        aws.put(float(minutes_ago), at_s=aws.now - minutes_ago * 60)
    queries = [query("a"), query("b", "Maximum"), {"Id": "c", "Expression": "RUNNING_SUM(a)"}]
    bounds = {"StartTime": aws.now - 3600, "EndTime": aws.now, "MaxDatapoints": 4, "ScanBy": "TimestampAscending"}
    first = metric_data(aws, *queries, **bounds)
    assert [result["Values"] for result in first["MetricDataResults"]] == [[50.0, 30.0], [50.0], [50.0]]
    assert [result["StatusCode"] for result in first["MetricDataResults"]] == ["PartialData"] * 3
    second = metric_data(aws, *queries, **bounds, NextToken=first["NextToken"])
    assert [result["Values"] for result in second["MetricDataResults"]] == [[10.0], [30.0, 10.0], [80.0]]
    last = metric_data(aws, *queries, **bounds, NextToken=second["NextToken"])
    assert [result["Values"] for result in last["MetricDataResults"]] == [[], [], [90.0]]
    assert [result["StatusCode"] for result in last["MetricDataResults"]] == ["Complete"] * 3
    assert "NextToken" not in last


def test_a_question_about_all_time_is_answered_at_once(aws: Any) -> None:
    """By the second since 1970: no further back than any data are kept."""
    aws.put(1.0, StorageResolution=1)
    (result,) = metric_data(aws, query(period=1), StartTime=1)["MetricDataResults"]
    assert result["Values"] == [1.0]


def test_values_and_statistic_values_add_up(aws: Any) -> None:
    """AWS takes both in one datum, as captured."""
    summary = {"SampleCount": 10.0, "Sum": 55.0, "Minimum": 1.0, "Maximum": 10.0}
    datum = {"MetricName": "Errors", "Values": [1.0, 12.0], "StatisticValues": summary}
    aws.client.put_metric_data(Namespace="App", MetricData=[datum])
    (point,) = statistics(aws, *ALL)
    assert [point[name] for name in ALL] == [12.0, 68 / 12, 68.0, 1.0, 12.0]


def test_a_day_at_a_minute_is_answered_though_it_begins_within_a_minute(aws: Any) -> None:
    """1,440 datapoints are the most, however the period lies in the minute; one more is refused."""
    for minute in range(1442):
        aws.cloudwatch.put_metric_data(
            {
                "Namespace": "App",
                "MetricData": [{"MetricName": "Errors", "Value": 1.0, "Timestamp": aws.now - minute * 60}],
            }
        )
    bounds = {"StartTime": aws.now - 86400 + 30, "EndTime": aws.now + 30}
    assert len(statistics(aws, **bounds)) == 1440
    with pytest.raises(ClientError, match="up to 1441 datapoints, which exceeds the limit of 1440"):
        statistics(aws, **{**bounds, "StartTime": aws.now - 86400 - 30})


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("m1 * 2", [2.0, 8.0]),
        ("100 * m1 / (m1 + m2)", [100 / 3, 80.0]),
        ("-m1 + 1", [0.0, -3.0]),
        ("m2 / (m1 - 1)", [1 / 3]),
        ("m1 ^ 2", [1.0, 16.0]),
        ("IF(m1 > 2, m1, 0)", [0.0, 4.0]),
        ("SUM([m1, m2])", [3.0, 5.0]),
        ("MAX(METRICS())", [2.0, 4.0]),
        ("m1 / SUM(m1)", [0.2, 0.8]),
        ("ABS(m1 - 2)", [1.0, 2.0]),
        ("AVG([m1, m2])", [1.5, 2.5]),
        ("m1 / SUM(m1 * 2)", [0.1, 0.4]),
        ('SUM(METRICS("m"))', [3.0, 5.0]),
        ('SUM(METRICS("2"))', [2.0, 1.0]),
        ("m1 > 2 AND m2 < 2", [0.0, 1.0]),
        ("m1 > 2 || m2 > 1", [1.0, 1.0]),
        ("(m1 > 5 OR m2 > 1) && m1 == 1", [1.0, 0.0]),
        ("IF(m1 > 2 AND m2 < 2, m1, 0)", [0.0, 4.0]),
        ("IF(m1 > 2, m1)", [4.0]),
        ("DIFF(m1)", [3.0]),
        ("RATE(m1)", [0.05]),
        ("m1 / PERIOD(m1)", [1 / 60, 4 / 60]),
        ("RUNNING_SUM(m1)", [1.0, 5.0]),
    ],
)
def test_metric_math(aws: Any, expression: str, values: list[float]) -> None:
    """Expressions are computed period by period, where all that they use have data."""
    for offset_s, first, second in ((-120, 1.0, 2.0), (-60, 4.0, 1.0)):
        aws.put(first, at_s=aws.now + offset_s)
        aws.put(second, at_s=aws.now + offset_s, name="Other")
    other = query("m2", ReturnData=False)
    other["MetricStat"]["Metric"] = {"Namespace": "App", "MetricName": "Other"}
    answer = metric_data(
        aws, query(ReturnData=False), other, {"Id": "e", "Expression": expression}, ScanBy="TimestampAscending"
    )
    (result,) = answer["MetricDataResults"]
    assert result["Values"] == pytest.approx(values)
    assert result["Label"] == "e"


def test_gaps_are_filled_by_fill(aws: Any) -> None:
    """FILL gives the periods without data a number, REPEAT the one before."""
    aws.put(5.0, at_s=aws.now - 180)
    bounds = {"StartTime": aws.now - 180, "EndTime": aws.now, "ScanBy": "TimestampAscending"}
    queries = [{"Id": "zero", "Expression": "FILL(m1, 0)"}, {"Id": "same", "Expression": "FILL(m1, REPEAT)"}]
    results = metric_data(aws, query(ReturnData=False), *queries, **bounds)["MetricDataResults"]
    assert [result["Values"] for result in results] == [[5.0, 0.0, 0.0], [5.0, 5.0, 5.0]]


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("DIFF(m1)", [6.0]),
        ("RATE(m1)", [0.05]),
        ("RUNNING_SUM(m1)", [3.0, 12.0]),
        ("FILL(m1, LINEAR)", [3.0, 6.0, 9.0]),
    ],
)
def test_gaps_in_functions_over_time(aws: Any, expression: str, values: list[float]) -> None:
    """Changes run from datapoint to datapoint, whatever lies between, and a line leads over it."""
    aws.put(3.0, at_s=aws.now - 180)
    aws.put(9.0, at_s=aws.now - 60)
    bounds = {"StartTime": aws.now - 180, "EndTime": aws.now, "ScanBy": "TimestampAscending"}
    (result,) = metric_data(aws, query(ReturnData=False), {"Id": "e", "Expression": expression}, **bounds)[
        "MetricDataResults"
    ]
    assert result["Values"] == pytest.approx(values)


def test_bands_are_refused_as_what_they_are(aws: Any) -> None:
    """An anomaly band is named in the refusal, so that nobody takes it for a misspelled function."""
    band = {"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(m1, 2)"}
    with pytest.raises(ClientError, match=r"ANOMALY_DETECTION_BAND .* learns no bands"):
        metric_data(aws, query(), band)


EXTENDED = {
    "p90": 90.0,
    "tm90": 45.5,
    "TM(10%:90%)": 50.5,
    "IQM": 50.5,
    "TM(:90)": 45.5,
    "TM(10:90)": 50.5,
    "TM(90%:)": 95.5,
    "tc90": 90.0,
    "TC(10:20)": 10.0,
    "ts90": 4095.0,
    "TS(90:)": 955.0,
    "wm90": (4095 + 10 * 90) / 100,
    "WM(10%:90%)": (10 * 11 + 4040 + 10 * 90) / 100,
    "PR(:90)": 90.0,
    "PR(10:20)": 10.0,
    "PR(90:)": 10.0,
}


@pytest.mark.parametrize("name", EXTENDED)
def test_extended_statistics(aws: Any, name: str) -> None:
    """Of the numbers from 1 to 100: lower bounds are exclusive and upper ones inclusive, as the user guide says."""
    datum = {"MetricName": "Errors", "Values": [float(value) for value in range(1, 101)]}
    aws.client.put_metric_data(Namespace="App", MetricData=[datum])
    (point,) = statistics(aws, Statistics=[], ExtendedStatistics=[name])
    assert point["ExtendedStatistics"] == {name: pytest.approx(EXTENDED[name])}
    (result,) = metric_data(aws, query(stat=name))["MetricDataResults"]
    assert result["Values"] == [pytest.approx(EXTENDED[name])]


@pytest.mark.parametrize("name", ["tm101", "PR(10%:90%)", "TM(10%:90)", "TM(90%:10%)", "TM(:)", "IQM(1:2)", "p-1", "x"])
def test_statistics_that_do_not_exist_are_refused(aws: Any, name: str) -> None:
    """Bounds must be of one kind and in order, and PR takes values alone."""
    params = {"Namespace": "App", "MetricName": "Errors", "Period": 60, "StartTime": aws.now - 60, "EndTime": aws.now}
    assert code_of(aws.client.get_metric_statistics, ExtendedStatistics=[name], **params) == "InvalidParameterValue"


def test_an_extended_statistic_without_samples_between_its_bounds_has_no_datapoint(aws: Any) -> None:
    """A mean of nothing is no number; a count of nothing is 0."""
    aws.put(5.0)
    (point,) = statistics(aws, Statistics=[], ExtendedStatistics=["TM(10:20)", "TC(10:20)"])
    assert point["ExtendedStatistics"] == {"TC(10:20)": 0.0}


@pytest.mark.parametrize(
    "queries",
    [
        [{"Id": "e", "Expression": "m1 +"}],
        [{"Id": "e", "Expression": "RATE(m1, 2)"}, query()],
        [{"Id": "e", "Expression": "SEARCH('x', 'Sum')"}, query()],
        [{"Id": "e", "Expression": "__import__('os')"}],
        [{"Id": "e", "Expression": "m1.real"}, query()],
        [{"Id": "e", "Expression": "'text'"}],
        [{"Id": "e", "Expression": "9" * 400}],
        [{"Id": "e", "Expression": "-" * 2000 + "1"}],
        [{"Id": "e", "Expression": "1" + "+1" * 800}],
        [{"Id": "e", "Expression": "nope"}],
        [{"Id": "e", "Expression": "f"}, {"Id": "f", "Expression": "e"}],
        [{"Id": "e"}],
        [query("Upper")],
        [query(), query()],
        [query(stat="Median")],
        [query(period=45)],
        [],
    ],
)
def test_bad_queries_are_refused(aws: Any, queries: list[dict[str, Any]]) -> None:
    """Queries that mean nothing, or nothing here, are validation errors and never run."""
    bounds = {"StartTime": aws.now - 60, "EndTime": aws.now}
    assert code_of(aws.client.get_metric_data, MetricDataQueries=queries, **bounds) == "ValidationError"


@pytest.mark.parametrize(
    ("datum", "code"),
    [
        ({}, "MissingParameter"),
        ({"Value": 1.0, "Values": [1.0]}, "InvalidParameterCombination"),
        ({"Values": [1.0], "Counts": [1.0, 2.0]}, "InvalidParameterValue"),
        ({"Values": [1.0] * 151}, "InvalidParameterValue"),
        ({"Value": math.nan}, "InvalidParameterValue"),
        ({"Value": 1.0, "Unit": "Bananas"}, "InvalidParameterValue"),
        ({"Value": 1.0, "StorageResolution": 5}, "InvalidParameterValue"),
        ({"Value": 1.0, "Timestamp": 1}, "InvalidParameterValue"),
        ({"Value": 1.0, "Timestamp": 1_787_400_000 + 86400}, "InvalidParameterValue"),
        ({"Value": 1.0, "Dimensions": [{"Name": "A", "Value": "x"}] * 31}, "InvalidParameterValue"),
    ],
)
def test_bad_data_are_refused_and_none_of_the_request_is_kept(aws: Any, datum: dict[str, Any], code: str) -> None:
    """One bad datum refuses the request as a whole."""
    data = [{"MetricName": "Errors", "Value": 1.0}, {"MetricName": "Errors", **datum}]
    assert code_of(aws.client.put_metric_data, Namespace="App", MetricData=data) == code
    assert statistics(aws) == []


def test_namespaces_of_aws_are_reserved(aws: Any) -> None:
    """Nobody but AWS publishes to AWS/."""
    data = [{"MetricName": "Errors", "Value": 1.0}]
    assert code_of(aws.client.put_metric_data, Namespace="AWS/Lambda", MetricData=data) == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Statistics": ["Median"]}, "InvalidParameterValue"),
        ({"ExtendedStatistics": ["p50"]}, "InvalidParameterCombination"),
        ({"Period": 45}, "InvalidParameterValue"),
        ({"EndTime": 1}, "InvalidParameterValue"),
        ({"StartTime": 1_787_300_000}, "InvalidParameterCombination"),
    ],
)
def test_bad_statistics_requests_are_refused(aws: Any, changes: dict[str, Any], code: str) -> None:
    """Each is refused with the code of CloudWatch's model."""
    params = {"Namespace": "App", "MetricName": "Errors", "Statistics": ["Sum"], "Period": 60}
    bounds = {"StartTime": aws.now - 60, "EndTime": aws.now}
    assert code_of(aws.client.get_metric_statistics, **{**params, **bounds, **changes}) == code


def test_statistics_need_a_statistic(aws: Any) -> None:
    """Neither Statistics nor ExtendedStatistics is a missing parameter."""
    params = {"Namespace": "App", "MetricName": "Errors", "Period": 60, "StartTime": aws.now - 60, "EndTime": aws.now}
    assert code_of(aws.client.get_metric_statistics, **params) == "MissingParameter"


def test_old_data_are_dropped() -> None:
    """Seconds are kept for three hours and minutes for fifteen days, then their memory is free."""
    store, metric = MetricStore(), Metric("App", "Errors")
    bucket = Bucket()
    bucket.add(1.0)
    store.add(metric, "None", 60.0, bucket, high_resolution=True)
    store.forget(60.0 + SECONDS_KEPT_S + 1)
    assert store.between(metric, None, 60, 61) is None
    assert store.between(metric, None, 60, 120) is not None
    store.forget(60.0 + MINUTES_KEPT_S + 1)
    assert list(store.metrics()) == []


@given(st.lists(numbers, min_size=1), st.lists(numbers, min_size=1))
def test_merging_buckets_is_counting_all_at_once(left: list[float], right: list[float]) -> None:
    """Two buckets together have the statistics of all their samples."""
    apart, together, merged = Bucket(), Bucket(), Bucket()
    for value in right:
        apart.add(value)
    for value in left:
        merged.add(value)
    for value in left + right:
        together.add(value)
    merged.merge(apart)
    for name in [*ALL, "p50", "p99"]:
        assert merged.statistic(name) == pytest.approx(together.statistic(name), abs=1e-3)


@given(st.lists(numbers, min_size=1), st.floats(0, 100))
def test_percentiles_are_near_a_sample(values: list[float], percent: float) -> None:
    """A percentile is one of the samples, to two per mille, and within their range."""
    bucket = Bucket()
    for value in values:
        bucket.add(value)
    percentile = bucket.statistic(f"p{percent:.10f}")
    assert percentile is not None
    assert min(values) <= percentile <= max(values)
    assert any(percentile == pytest.approx(value, rel=2e-3) for value in values)
