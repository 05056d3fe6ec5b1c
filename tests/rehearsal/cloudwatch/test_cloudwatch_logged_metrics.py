"""Metrics that functions log in the Embedded Metric Format."""

import json
from typing import Any

import pytest

from harness.rehearsal.cloudwatch.logged_metrics import samples_in
from harness.rehearsal.cloudwatch.metric_filters import LoggedSample
from harness.rehearsal.cloudwatch.store import Metric

POWERTOOLS = {
    "_aws": {
        "Timestamp": 1764410356000,
        "CloudWatchMetrics": [
            {
                "Namespace": "Shop",
                "Dimensions": [["service"]],
                "Metrics": [{"Name": "OrderFailed", "Unit": "Count"}, {"Name": "Took", "Unit": "Milliseconds"}],
            }
        ],
    },
    "service": "orders",
    "OrderFailed": [1.0],
    "Took": [12.5, 80],
    "cold_start": True,
}
"""A line as Powertools for AWS Lambda writes it."""


def logged(**changes: Any) -> list[LoggedSample]:
    """The samples of that line with other members."""
    return list(samples_in(json.dumps({**POWERTOOLS, **changes})))


def directive(**members: Any) -> dict[str, Any]:
    """The member `_aws` with one directive."""
    known = {"Namespace": "Shop", "Dimensions": [["service"]], "Metrics": [{"Name": "OrderFailed"}]}
    return {"Timestamp": 1, "CloudWatchMetrics": [{**known, **members}]}


def test_a_line_of_powertools_is_its_metrics() -> None:
    """Each with its unit, its values and its dimensions."""
    orders = (("service", "orders"),)
    assert logged() == [
        LoggedSample(Metric("Shop", "OrderFailed", orders), "Count", (1.0,)),
        LoggedSample(Metric("Shop", "Took", orders), "Milliseconds", (12.5, 80.0)),
    ]


def test_each_set_of_dimensions_is_a_metric_of_its_own() -> None:
    """The empty one, too; a set whose members are not in the line is none."""
    found = logged(_aws=directive(Dimensions=[["stage", "service"], [], ["absent"]]), stage="prod")
    assert [sample.metric.dimensions for sample in found] == [(("service", "orders"), ("stage", "prod")), ()]


def test_a_resolution_of_a_second_is_kept() -> None:
    """An alarm of ten seconds reads such a metric."""
    (sample,) = logged(_aws=directive(Metrics=[{"Name": "OrderFailed", "StorageResolution": 1}]))
    assert (sample.high_resolution, sample.unit) == (True, "None")


@pytest.mark.parametrize(
    "changes",
    [
        {"_aws": "no"},
        {"_aws": {"CloudWatchMetrics": {}}},
        {"_aws": directive(Metrics=[{"Unit": "Count"}])},
        {"_aws": directive(Namespace="AWS/Lambda")},
        {"_aws": directive(), "OrderFailed": "many"},
        {"_aws": directive(), "OrderFailed": True},
        {"_aws": directive(), "OrderFailed": float("nan")},
    ],
)
def test_what_does_not_keep_to_the_format_is_no_metric(changes: dict[str, Any]) -> None:
    """Whatever a function logs, nothing breaks."""
    assert logged(**changes) == []


def test_other_lines_of_a_log_are_passed_over() -> None:
    """And what a logger writes before the JSON."""
    text = "\n".join(["START RequestId: 1", '{"_aws": ', "2026 INFO " + json.dumps(POWERTOOLS), '{"level": "error"}'])
    assert [sample.metric.name for sample in samples_in(text)] == ["OrderFailed", "Took"]


def test_an_alarm_rings_on_what_functions_log(aws: Any) -> None:
    """In the minute in which their runs began, as late as the metrics of Lambda come."""
    aws.put_alarm(Namespace="Shop", MetricName="OrderFailed", Dimensions=[{"Name": "service", "Value": "orders"}])
    began_s = aws.now
    for second in range(3):
        aws.cloudwatch.logged.record("/aws/lambda/fn", began_s + second, json.dumps(POWERTOOLS).encode())
    aws.advance(150)
    ((state, at_s),) = aws.changes()
    assert (state, aws.alarm()["StateReason"].split("[")[1].split(" ")[0]) == ("ALARM", "3.0")
    assert 60 < at_s < 140
