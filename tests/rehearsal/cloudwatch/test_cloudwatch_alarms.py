"""Metric alarms over the wire: what is stored, what is found, what is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

TOPIC = "arn:aws:sns:eu-north-1:123456789012:oncall"
QUERY = {"Id": "m1", "MetricStat": {"Metric": {"Namespace": "App", "MetricName": "E"}, "Period": 60, "Stat": "Sum"}}


def refused(call: Callable[..., Any], **params: Any) -> tuple[str, int]:
    """The code and the HTTP status with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    assert caught.value.response["Error"].get("Message") or caught.value.response["Error"]["Code"] == "ResourceNotFound"
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def names(answer: dict[str, Any]) -> list[str]:
    """The names of the alarms in an answer, in its order."""
    return [alarm["AlarmName"] for alarm in answer["MetricAlarms"] + answer["CompositeAlarms"]]


def test_a_new_alarm_has_insufficient_data(aws: Any, fits_model: Callable[..., None]) -> None:
    """An alarm begins unchecked, as on AWS."""
    aws.put_alarm()
    fits_model(aws.client, "DescribeAlarms", aws.client.describe_alarms())
    alarm = aws.alarm()
    assert (alarm["StateValue"], alarm["StateReason"]) == ("INSUFFICIENT_DATA", "Unchecked: Initial alarm creation")
    assert "StateReasonData" not in alarm


def test_an_alarm_is_described_as_it_was_put(aws: Any) -> None:
    """What was put comes back, what was left out does not, but for the lists and the switch that AWS fills in."""
    aws.put_alarm(DatapointsToAlarm=1, TreatMissingData="notBreaching", AlarmActions=[TOPIC], Unit="Count")
    alarm = aws.alarm()
    assert alarm["AlarmArn"] == "arn:aws:cloudwatch:eu-north-1:123456789012:alarm:errors"
    assert (alarm["DatapointsToAlarm"], alarm["TreatMissingData"], alarm["Unit"]) == (1, "notBreaching", "Count")
    assert (alarm["AlarmActions"], alarm["OKActions"], alarm["ActionsEnabled"]) == ([TOPIC], [], True)
    assert "AlarmDescription" not in alarm


def test_an_update_keeps_the_state_and_replaces_the_rest(aws: Any) -> None:
    """A re-pointed alarm stays in its state until its next evaluation."""
    aws.put_alarm(AlarmDescription="old")
    aws.client.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="test")
    aws.put_alarm(MetricName="Other")
    alarm = aws.alarm()
    assert (alarm["StateValue"], alarm["StateReason"], alarm["MetricName"]) == ("ALARM", "test", "Other")
    assert "AlarmDescription" not in alarm


def test_an_alarm_put_again_after_deletion_is_evaluated_once_a_minute(aws: Any) -> None:
    """Ticks of a deleted alarm end with it."""
    for _ in range(3):
        aws.put_alarm()
        aws.client.delete_alarms(AlarmNames=["errors"])
    aws.put_alarm()
    aws.put(5.0)
    aws.advance(120)
    assert [state for state, _ in aws.changes()] == ["ALARM"]


def test_state_times_tell_update_from_transition(aws: Any) -> None:
    """Setting the state that an alarm is in already moves the update alone."""
    aws.put_alarm()
    aws.client.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="first")
    transition = aws.alarm()["StateTransitionedTimestamp"]
    aws.advance(5)
    aws.client.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="second")
    alarm = aws.alarm()
    assert alarm["StateTransitionedTimestamp"] == transition
    assert (alarm["StateUpdatedTimestamp"] - transition).total_seconds() == 5
    assert [state for state, _ in aws.changes()] == ["ALARM"]


def test_unknown_names_are_silently_absent(aws: Any) -> None:
    """A missing alarm is an empty list, not an error."""
    assert names(aws.client.describe_alarms(AlarmNames=["nope"])) == []


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"AlarmNames": ["b-2", "a-1"]}, ["a-1", "b-2"]),
        ({"AlarmNamePrefix": "a-"}, ["a-1", "a-2"]),
        ({"StateValue": "ALARM"}, ["a-2"]),
        ({"ActionPrefix": "arn:aws:sns:"}, ["b-1"]),
        ({"AlarmNamePrefix": "b-", "StateValue": "OK"}, []),
        ({"AlarmTypes": ["CompositeAlarm"]}, []),
        ({"AlarmTypes": ["LogAlarm"]}, []),
    ],
)
def test_selection(aws: Any, selection: dict[str, Any], expected: list[str]) -> None:
    """DescribeAlarms selects by names, prefix, state, action and type, all of them together."""
    for name in ("a-1", "a-2", "b-1", "b-2"):
        aws.put_alarm(AlarmName=name, OKActions=[TOPIC] if name == "b-1" else [])
    aws.client.set_alarm_state(AlarmName="a-2", StateValue="ALARM", StateReason="test")
    assert names(aws.client.describe_alarms(**selection)) == expected


def test_pages_cover_all_alarms_once(aws: Any) -> None:
    """MaxRecords and NextToken lead through all alarms in order."""
    expected = [f"alarm-{number}" for number in range(7)]
    for name in expected:
        aws.put_alarm(AlarmName=name)
    pages = aws.client.get_paginator("describe_alarms").paginate(PaginationConfig={"PageSize": 3})
    assert [names(page) for page in pages] == [expected[:3], expected[3:6], expected[6:]]


def test_alarms_for_a_metric_match_its_dimensions_exactly(aws: Any, fits_model: Callable[..., None]) -> None:
    """Another set of dimensions is another metric, whatever the order within one."""
    dimensions = [{"Name": "A", "Value": "1"}, {"Name": "B", "Value": "2"}]
    aws.put_alarm(AlarmName="plain")
    aws.put_alarm(AlarmName="with dimensions", Dimensions=dimensions)
    found = aws.client.describe_alarms_for_metric(Namespace="App", MetricName="Errors", Dimensions=dimensions[::-1])
    fits_model(aws.client, "DescribeAlarmsForMetric", found)
    assert [alarm["AlarmName"] for alarm in found["MetricAlarms"]] == ["with dimensions"]
    of_average = aws.client.describe_alarms_for_metric(Namespace="App", MetricName="Errors", Statistic="Average")
    assert of_average["MetricAlarms"] == []


def test_deleting_passes_over_names_that_do_not_exist(aws: Any) -> None:
    """Right names are deleted though others are wrong."""
    aws.put_alarm()
    aws.client.delete_alarms(AlarmNames=["nope", "errors"])
    assert names(aws.client.describe_alarms()) == []


def test_actions_are_switched_off_and_on(aws: Any) -> None:
    """Disabling and enabling actions changes nothing else, and names that do not exist are passed over."""
    aws.put_alarm()
    aws.client.disable_alarm_actions(AlarmNames=["errors", "nope"])
    assert aws.alarm()["ActionsEnabled"] is False
    aws.client.enable_alarm_actions(AlarmNames=["errors"])
    assert aws.alarm()["ActionsEnabled"] is True
    assert [item["HistorySummary"] for item in aws.history()][1:] == ['Alarm "errors" updated'] * 2


def test_tags_come_and_go(aws: Any) -> None:
    """Tags are kept by ARN, added, replaced and removed."""
    aws.put_alarm(Tags=[{"Key": "team", "Value": "a"}])
    arn = aws.alarm()["AlarmArn"]
    aws.client.tag_resource(ResourceARN=arn, Tags=[{"Key": "team", "Value": "b"}, {"Key": "stage", "Value": "x"}])
    aws.client.untag_resource(ResourceARN=arn, TagKeys=["stage", "nope"])
    aws.put_alarm(Tags=[{"Key": "ignored", "Value": "on update"}])
    assert aws.client.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "team", "Value": "b"}]


def test_states_are_those_of_existing_alarms(aws: Any) -> None:
    """In-process, states are asked by name, and what does not exist is not there."""
    aws.put_alarm()
    aws.client.put_composite_alarm(AlarmName="both", AlarmRule="TRUE")
    aws.advance(1)
    assert aws.cloudwatch.states(["errors", "both", "nope"]) == {"errors": "INSUFFICIENT_DATA", "both": "ALARM"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"AlarmName": "x" * 256}, "ValidationError"),
        ({"ComparisonOperator": "Bigger"}, "ValidationError"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "ValidationError"),
        ({"ComparisonOperator": None}, "ValidationError"),
        ({"Statistic": "Median"}, "ValidationError"),
        ({"Statistic": None}, "ValidationError"),
        ({"ExtendedStatistic": "p99"}, "InvalidParameterCombination"),
        ({"Statistic": None, "ExtendedStatistic": "p101"}, "ValidationError"),
        ({"MetricName": None}, "ValidationError"),
        ({"Namespace": None}, "ValidationError"),
        ({"Namespace": ":x"}, "ValidationError"),
        ({"Period": None}, "ValidationError"),
        ({"Period": 45}, "ValidationError"),
        ({"Period": 5}, "ValidationError"),
        ({"EvaluationPeriods": None}, "ValidationError"),
        ({"EvaluationPeriods": 1441}, "ValidationError"),
        ({"Period": 3600, "EvaluationPeriods": 169}, "ValidationError"),
        ({"DatapointsToAlarm": 2}, "ValidationError"),
        ({"Threshold": None}, "ValidationError"),
        ({"TreatMissingData": "hopeful"}, "ValidationError"),
        ({"Unit": "Bananas"}, "ValidationError"),
        ({"AlarmActions": ["call me"]}, "ValidationError"),
        ({"ThresholdMetricId": "m1"}, "ValidationError"),
        ({"EvaluateLowSampleCountPercentile": "maybe"}, "ValidationError"),
        ({"WarmUpConfiguration": {"WarmUpPeriodDurationInMinutes": 5}}, "ValidationError"),
        ({"EvaluationWindow": {"WallClockWindow": {}}}, "ValidationError"),
        ({"Metrics": [QUERY]}, "InvalidParameterCombination"),
    ],
)
def test_refused_alarms(aws: Any, changes: dict[str, Any], code: str) -> None:
    """An alarm that AWS would refuse is refused with AWS's code, and nothing is stored."""
    assert refused(aws.put_alarm, **changes) == (code, 400)
    assert names(aws.client.describe_alarms()) == []


@pytest.mark.parametrize(
    "metrics",
    [
        [QUERY, {**QUERY, "Id": "m2"}],
        [{**QUERY, "ReturnData": False}],
        [{"Id": "e", "Expression": "1 + 1"}],
        [{"Id": "e", "Expression": "m1 * nope"}, {**QUERY, "ReturnData": False}],
        [{"Id": "e", "Expression": "SORT(m1)"}, {**QUERY, "ReturnData": False}],
        [{"Id": "e", "Expression": "m1 ** 2"}, {**QUERY, "ReturnData": False}],
        [{"Id": "e", "Expression": "m1 and m1"}, {**QUERY, "ReturnData": False}],
        [{"Id": "e", "Expression": "m1 # a note"}, {**QUERY, "ReturnData": False}],
        [{"Id": "e", "Expression": "ANOMALY_DETECTION_BAND(m1)"}, {**QUERY, "ReturnData": False}],
        [{"Id": "Big", "MetricStat": QUERY["MetricStat"]}],
        [{"Id": "e", "Expression": "m1", "MetricStat": QUERY["MetricStat"]}],
        [{**QUERY, "Id": f"m{number}", "ReturnData": not number} for number in range(11)],
        [QUERY, *({"Id": f"e{number}", "Expression": "m1", "ReturnData": False} for number in range(11))],
    ],
)
def test_refused_metric_math_alarms(aws: Any, metrics: list[dict[str, Any]]) -> None:
    """Queries that leave no single answer, or that cannot be computed here, are refused."""
    params = {"AlarmName": "math", "EvaluationPeriods": 1, "Threshold": 1.0, "Metrics": metrics}
    call = aws.client.put_metric_alarm
    assert refused(call, ComparisonOperator="GreaterThanThreshold", **params) == ("ValidationError", 400)


@pytest.mark.parametrize(
    ("expression", "is_series"),
    [
        ("SUM(m1)", False),
        ("100 * AVG(m1)", False),
        ("PERIOD(m1)", False),
        ("IF(MAX(m1) > 3, 1, 0)", False),
        ("MAX([SUM(m1), 1])", False),
        ("FILL(SUM(m1), REPEAT)", False),
        ("m1 - AVG(m1)", True),
        ("m1 / PERIOD(m1)", True),
        ("MAX([m1, 1])", True),
        ("SUM(METRICS())", True),
        ("IF(SUM(m1) > 3 AND m1 > 1, 1)", True),
        ("-RATE(FILL(m1, 0))", True),
    ],
)
def test_an_alarm_needs_a_number_for_each_period(aws: Any, expression: str, is_series: bool) -> None:
    """One number for all of them, as the sum of a metric over time, is refused; so is one by way of another."""
    params = {"AlarmName": "math", "EvaluationPeriods": 1, "Threshold": 1.0}
    metrics = [{**QUERY, "ReturnData": False}, {"Id": "e", "Expression": expression, "ReturnData": False}]
    put = aws.client.put_metric_alarm
    watched = {**params, "Metrics": [*metrics, {"Id": "f", "Expression": "e * 1"}]}
    if is_series:
        put(ComparisonOperator="GreaterThanThreshold", **watched)
    else:
        assert refused(put, ComparisonOperator="GreaterThanThreshold", **watched) == ("ValidationError", 400)


def test_bands_are_refused_as_on_aws_or_as_what_is_not_here(aws: Any) -> None:
    """A range without its band is AWS's own refusal; one with it says that this cloud learns none."""
    band = {"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(m1, 2)"}
    params = {"AlarmName": "odd", "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanUpperThreshold"}
    with pytest.raises(ClientError, match="ComparisonOperators for ranges require ThresholdMetricId to be set"):
        aws.client.put_metric_alarm(**params, Metrics=[QUERY, band])
    with pytest.raises(ClientError, match=r"anomaly detection band .* not part of this local cloud"):
        aws.client.put_metric_alarm(**params, Metrics=[QUERY, band], ThresholdMetricId="band")


def test_an_alarm_on_an_extended_statistic_follows_it(aws: Any) -> None:
    """A trimmed mean leaves the one slow request out, a percentile rank counts the quick ones."""
    for minutes_ago in (1, 2):
        values = [100.0] * 19 + [9000.0]
        aws.put_values(values, at_s=aws.now - minutes_ago * 60)
    for name, threshold in (("tm95", 200.0), ("IQM", 200.0), ("p99", 200.0), ("PR(200:)", 4.0)):
        aws.put_alarm(AlarmName=name, Statistic=None, ExtendedStatistic=name, Threshold=threshold)
    aws.advance(60)
    found = {name: aws.state(name) for name in ("tm95", "IQM", "p99", "PR(200:)")}
    assert found == {"tm95": "OK", "IQM": "OK", "p99": "ALARM", "PR(200:)": "ALARM"}


def test_every_flaw_of_a_request_is_named(aws: Any) -> None:
    """The message is AWS's: how many flaws, the value, the member, the constraint."""
    with pytest.raises(ClientError) as caught:
        aws.put_alarm(Statistic="Median", Unit="Bananas")
    message = caught.value.response["Error"]["Message"]
    assert message.startswith("2 validation errors detected: Value 'Median' at 'statistic' failed to satisfy")
    assert "Value 'Bananas' at 'unit'" in message


@pytest.mark.parametrize(
    ("call", "params", "code", "status"),
    [
        ("set_alarm_state", {"AlarmName": "nope", "StateValue": "OK", "StateReason": ""}, "ResourceNotFound", 404),
        ("set_alarm_state", {"AlarmName": "errors", "StateValue": "FINE", "StateReason": ""}, "ValidationError", 400),
        (
            "set_alarm_state",
            {"AlarmName": "errors", "StateValue": "OK", "StateReason": "", "StateReasonData": "no json"},
            "InvalidFormat",
            400,
        ),
        ("describe_alarms", {"AlarmNames": ["a"], "AlarmNamePrefix": "a"}, "InvalidParameterCombination", 400),
        ("describe_alarms", {"NextToken": "rubbish"}, "InvalidNextToken", 400),
        ("describe_alarms", {"MaxRecords": 101}, "ValidationError", 400),
        ("describe_alarms", {"ChildrenOfAlarmName": "errors", "StateValue": "OK"}, "ValidationError", 400),
        ("describe_alarms", {"ChildrenOfAlarmName": "nope"}, "ResourceNotFound", 404),
        ("describe_alarm_history", {"NextToken": "rubbish"}, "InvalidNextToken", 400),
        ("describe_alarm_history", {"ScanBy": "Random"}, "ValidationError", 400),
        ("list_tags_for_resource", {"ResourceARN": "arn:aws:x"}, "ResourceNotFoundException", 404),
        ("describe_anomaly_detectors", {}, "UnknownOperationException", 400),
    ],
)
def test_refused_calls(aws: Any, call: str, params: dict[str, Any], code: str, status: int) -> None:
    """Each call is refused with AWS's code and HTTP status."""
    aws.put_alarm()
    assert refused(getattr(aws.client, call), **params) == (code, status)


def test_low_samples_are_ignored_where_asked(aws: Any) -> None:
    """A percentile alarm told to ignore low samples keeps its state until a point has enough of them."""
    aws.put_alarm(Statistic=None, ExtendedStatistic="p90", Threshold=50.0, EvaluateLowSampleCountPercentile="ignore")
    aws.put(100.0)
    aws.advance(120)
    assert aws.state() == "INSUFFICIENT_DATA"
    for _ in range(3):
        for _ in range(101):
            aws.cloudwatch.put_metric_data(
                {"Namespace": "App", "MetricData": [{"MetricName": "Errors", "Value": 100.0}]}
            )
        aws.advance(60)
    assert aws.state() == "ALARM"


def test_an_alarm_on_metric_math_follows_the_expression(aws: Any) -> None:
    """An error rate, as plugins define it, trips on the share and not on the count."""
    stat = {"Period": 60, "Stat": "Sum"}
    metrics = [
        {"Id": "e", "Expression": "100 * errors / calls", "Label": "Error rate"},
        *(
            {
                "Id": name,
                "ReturnData": False,
                "MetricStat": {"Metric": {"Namespace": "App", "MetricName": name}, **stat},
            }
            for name in ("errors", "calls")
        ),
    ]
    aws.client.put_metric_alarm(
        AlarmName="rate",
        Metrics=metrics,
        EvaluationPeriods=1,
        Threshold=10.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    for errors in (10.0, 11.0):
        aws.put(errors, name="errors")
        aws.put(100.0, name="calls")
        aws.advance(60)
    aws.advance(60)
    assert [state for state, _ in aws.changes("rate")] == ["OK", "ALARM"]
    assert aws.alarm("rate")["Metrics"] == metrics
    assert "[11.0 " in aws.alarm("rate")["StateReason"]
