"""Metrics that filters make of what functions log."""

import json
from typing import Any

import pytest

from harness.rehearsal.cloudwatch.filter_patterns import UnknownPattern, read_pattern
from harness.rehearsal.cloudwatch.metric_filters import events_of, filtered

EVENT = json.dumps({"level": "error", "took": 120, "order": {"lines": [{"sku": "a b"}]}, "ok": True, "note": None})
TRACED = """START RequestId: 1
[ERROR] KeyError: 'toggle'
Traceback (most recent call last):
  File "/var/task/index.py", line 2, in handler
    raise KeyError('toggle')
END RequestId: 1
"""


@pytest.mark.parametrize(
    ("pattern", "event", "matches"),
    [
        ("", "anything", True),
        ("ERROR", "Exiting with ERRORCODE: -1", True),
        ("ERROR", "an error", False),
        ("ERROR ARGUMENTS", "ERROR of INPUT", False),
        ("?ERROR ?Error", "an Error", True),
        ("?ERROR ?Error", "fine", False),
        ("ERROR -retry", "ERROR, a retry", False),
        ('"INTERNAL SERVER" ERROR', "ERROR: INTERNAL SERVER", True),
        ("%timed out after [0-9.]+%", "Task timed out after 3.00 seconds", True),
        ('{ $.level = "error" }', EVENT, True),
        ('{ $.level = "error" }', "no JSON", False),
        ('{ ($.level = "err*") && ($.took >= 120) }', EVENT, True),
        ("{ $.took < 120 || $.ok IS FALSE }", EVENT, False),
        ('{ $.order.lines[0].sku = "a b" }', EVENT, True),
        ("{ $.note IS NULL && $.absent NOT EXISTS && $.level EXISTS }", EVENT, True),
        ('{ $.level != "info" }', EVENT, True),
        ('{ $.absent != "info" }', EVENT, False),
        ("{ $.level = %^err% }", EVENT, True),
    ],
)
def test_a_pattern_matches_as_the_guide_says(pattern: str, event: str, matches: bool) -> None:
    """Terms in any event, conditions in events of JSON."""
    assert read_pattern(pattern)(event) is matches


@pytest.mark.parametrize("pattern", ["[ip, code=5*]", "{ $.level", "{ $.took > many }", "{ $.a.* = 1 }", "%[%"])
def test_a_pattern_that_is_not_played_is_refused(pattern: str) -> None:
    """So that its filter is named and never silently blind."""
    with pytest.raises(UnknownPattern):
        read_pattern(pattern)


def test_an_error_with_its_trace_is_one_event() -> None:
    """As on AWS, where it counts once."""
    assert [event.split()[0] for event in events_of(TRACED)] == ["START", "[ERROR]", "END"]


def metric_filter(pattern: str, **transformation: Any) -> dict[str, Any]:
    """A filter on the metric Failures."""
    made = {"metricNamespace": "Shop", "metricName": "Failures", "metricValue": "1", **transformation}
    return {"filterName": pattern, "filterPattern": pattern, "metricTransformations": [made]}


def test_a_filter_counts_each_event_that_matches() -> None:
    """By its value, by a member of the event, and with dimensions that the event must have."""
    assert [sample.values for sample in filtered([metric_filter("KeyError")], TRACED)] == [(1.0,)]
    took = metric_filter("{ $.took > 1 }", metricValue="$.took", dimensions={"Level": "$.level"})
    (sample,) = filtered([took], EVENT)
    assert (sample.values, sample.metric.dimensions) == ((120.0,), (("Level", "error"),))
    assert not [*filtered([metric_filter("{ $.took > 1 }", dimensions={"Level": "$.absent"})], EVENT)]


def test_a_filter_that_is_not_played_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """Once, whatever is logged."""
    for _ in range(2):
        assert not [*filtered([metric_filter("[a, b]")], TRACED)]
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "The metric filter [a, b] makes no metrics in this local cloud"
    ]


@pytest.mark.parametrize(("matching", "points"), [(0, [(0.0, 1.0)]), (2, [(2.0, 2.0)])])
def test_the_default_counts_where_nothing_matched(aws: Any, matching: int, points: list[tuple[float, float]]) -> None:
    """Once a minute, so that an average is that of what matched."""
    aws.cloudwatch.logged.filters = lambda group: [metric_filter("boom", defaultValue=0)] * (group == "orders")
    began_s = aws.now
    for number in range(5):
        aws.cloudwatch.logged.record("orders", began_s + number, b"boom" if number < matching else b"fine")
    aws.cloudwatch.logged.record("other", began_s, b"boom")
    aws.advance(120)
    found = aws.client.get_metric_statistics(
        Namespace="Shop",
        MetricName="Failures",
        StartTime=began_s,
        EndTime=aws.now,
        Period=60,
        Statistics=["Sum", "SampleCount"],
    )["Datapoints"]
    assert [(point["Sum"], point["SampleCount"]) for point in found] == points
