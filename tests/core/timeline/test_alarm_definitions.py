"""Alarms in every form in which CloudWatch writes them become definitions that can be evaluated, or say why not."""

from typing import Any

import pytest

from harness.core.timeline.alarm_definitions import alarm_defined
from harness.core.timeline.alarm_rules import read_rule, rule_of, why_not_evaluated
from harness.core.timeline.events import AlarmDefined

ARN = "arn:aws:cloudwatch:eu-north-1:123456789012:alarm:errors"
FLAT = {
    "AlarmName": "errors",
    "AlarmArn": ARN,
    "EvaluationPeriods": 1,
    "Threshold": 3.0,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
}


def metric(id_: str, name: str, *, stat: str = "Sum", period: int = 60, **more: Any) -> dict[str, Any]:
    """An entry of `Metrics` on a metric of the function."""
    dimensions = [{"Name": "FunctionName", "Value": "fn"}]
    stat_of = {"Namespace": "AWS/Lambda", "MetricName": name, "Dimensions": dimensions}
    return {"Id": id_, "MetricStat": {"Metric": stat_of, "Period": period, "Stat": stat}, **more}


def defined(*metrics: Any, **more: Any) -> AlarmDefined:
    """The definition of an alarm on these entries."""
    alarm = alarm_defined({**FLAT, "Metrics": list(metrics), **more})
    assert alarm is not None
    return alarm


@pytest.mark.parametrize("more", [{}, {"AccountId": "123456789012"}, {"ReturnData": True, "Label": "Errors"}])
def test_a_single_metric_in_metrics_is_the_flat_form(more: dict[str, Any]) -> None:
    """CDK writes every alarm that has an account id in this way; its own account is no other one."""
    dimensions = [{"Name": "FunctionName", "Value": "fn"}]
    flat = {"MetricName": "Errors", "Namespace": "AWS/Lambda", "Dimensions": dimensions}
    assert defined(metric("m1", "Errors", **more)) == defined(**flat, Statistic="Sum", Period=60)


def test_a_metric_of_another_account_is_named_as_that() -> None:
    """Its failures are somebody else's."""
    alarm = defined(metric("m1", "Errors", AccountId="999999999999"))
    assert "another account (999999999999)" in str(why_not_evaluated(alarm))


def test_an_expression_comes_with_its_metrics() -> None:
    """The error rate of a function, as teams write it."""
    alarm = defined(
        metric("errors", "Errors", ReturnData=False),
        metric("invocations", "Invocations", ReturnData=False),
        {"Id": "rate", "Expression": "100 * errors / MAX([errors, invocations])", "Label": "rate"},
    )
    rule = read_rule(alarm)
    assert (rule.result, rule.period_s, rule.is_rate) == ("rate", 60, True)
    assert rule.computed({"errors": [5.0], "invocations": [100.0]}) == [5.0]
    assert rule_of(alarm) is not None


@pytest.mark.parametrize("statistic", ["p99", "tm(10%:90%)", "IQM"])
def test_a_percentile_is_a_statistic_like_another(statistic: str) -> None:
    """CloudWatch writes it in a field of its own in the flat form."""
    dimensions = [{"Name": "FunctionName", "Value": "fn"}]
    alarm = defined(MetricName="Duration", Dimensions=dimensions, Period=300, ExtendedStatistic=statistic)
    listed = defined(metric("m1", "Duration", stat=statistic, period=300))
    assert (alarm.statistic, alarm.period_s) == (listed.statistic, listed.period_s) == (statistic, 300)


@pytest.mark.parametrize(
    ("alarm", "why"),
    [
        (
            defined(
                metric("m1", "Errors"),
                {"Id": "ad1", "Expression": "ANOMALY_DETECTION_BAND(m1, 2)"},
                ThresholdMetricId="ad1",
                ComparisonOperator="LessThanLowerOrGreaterThanUpperThreshold",
            ),
            "an anomaly band",
        ),
        (defined({"Id": "q1", "Expression": "SELECT SUM(Errors) FROM Lambda", "Period": 60}), "Insights"),
        (defined(EvaluationCriteria={"PromQLCriteria": {"Query": "up == 0"}}), "PromQL"),
        (defined(QueryResultsToEvaluate=3), "query of logs"),
    ],
)
def test_what_cannot_be_evaluated_says_what_it_is(alarm: AlarmDefined, why: str) -> None:
    """A word that a person can look up."""
    assert why in str(why_not_evaluated(alarm))


@pytest.mark.parametrize(
    "metrics",
    [
        [None],
        ["m1"],
        [{"Id": "m1"}],
        [{"Expression": "m1"}],
        [{"Id": "m1", "MetricStat": {"Metric": {}, "Period": 60, "Stat": "Sum"}}],
        [metric("m1", "Errors", period=-60)],
        [metric("m1", "Errors"), metric("m2", "Errors")],
        [metric("m1", "Errors", ReturnData=False), {"Id": "e", "Expression": "m1", "ReturnData": False}],
    ],
)
def test_a_malformed_entry_makes_an_alarm_that_is_not_evaluated(metrics: list[Any]) -> None:
    """It is known, and named, and no rule is made up for it."""
    assert "cannot be read" in str(why_not_evaluated(defined(*metrics)))


def test_metrics_that_are_no_list_are_not_read() -> None:
    """Nor do they raise."""
    alarm = alarm_defined({**FLAT, "Metrics": {"Id": "m1"}})
    assert alarm is not None
    assert "cannot be read" in str(alarm.unlike)


def test_a_math_that_does_not_parse_is_named() -> None:
    """CloudWatch itself would refuse it, a newer one may not."""
    alarm = defined(metric("m1", "Errors", ReturnData=False), {"Id": "e1", "Expression": "m1 +* 2"})
    assert "no metric math" in str(why_not_evaluated(alarm))
