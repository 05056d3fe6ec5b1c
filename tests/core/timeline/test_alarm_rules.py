"""The rule of an alarm: what its value is computed from, and what breaches it."""

from typing import Any

import pytest

from harness.core.timeline.alarm_rules import (
    Rule,
    chance,
    counted_by_period,
    error_rate_for,
    read_rule,
    rule_of,
    why_not_evaluated,
)
from harness.core.timeline.events import AlarmDefined, MetricQuery
from tests.core.alarms import defined

EPOCH_S = 1_800_000_000.0


def with_(**changes: Any) -> Rule:
    """The rule of such an alarm."""
    return read_rule(defined(**changes))


RULE = with_()


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "composite", "rule": 'ALARM("a")'},
        {"metric": "Duration"},
        {"metric": None},
        {"statistic": "p99"},
        {"comparison": "LessThanThreshold"},
        {"threshold": None},
        {"period_s": None},
    ],
)
def test_an_alarm_that_counts_no_failures_has_no_rule(changes: dict[str, Any]) -> None:
    """What cannot be computed from what clients saw is not guessed."""
    assert rule_of(defined(**changes)) is None


def test_rule_says_what_it_is() -> None:
    """A person reads the rule in a report."""
    assert str(rule_of(defined(evaluation_periods=3, datapoints=2))) == "Errors Sum >= 3 in 60 s, 2 of 3"


def test_alarm_without_datapoints_needs_all_periods() -> None:
    """CloudWatch leaves DatapointsToAlarm out where it equals EvaluationPeriods."""
    rule = rule_of(defined(evaluation_periods=3))
    assert rule
    assert rule.datapoints == 3


@pytest.mark.parametrize(("status", "counted"), [(502, True), (500, False), (504, False), (403, False), (0, False)])
def test_lambda_counts_unhandled_exceptions_only(status: int, counted: bool) -> None:
    """A returned 500, a gateway timeout and a refusal are no Errors of Lambda."""
    assert RULE.counts(status) is counted


def test_an_alarm_on_one_version_may_count_answers_that_name_none(sent: Any) -> None:
    """API Gateway's own 502 names no version; that of another version is not counted."""
    versions = ("2", None, "1")
    failures = [sent(61.0, ok=False, version=version) for version in versions]
    period = (int(EPOCH_S) + 61) // 60
    only_canary = with_(dimensions={"ExecutedVersion": "2"})
    assert counted_by_period(only_canary, failures, EPOCH_S) == {period: (2, 2)}
    assert counted_by_period(RULE, failures, EPOCH_S) == {period: (3, 3)}


def test_api_gateway_counts_every_5xx() -> None:
    """The alarm on 5XXError sees what a client sees."""
    rule = with_(metric="5XXError", namespace="AWS/ApiGateway")
    assert all(rule.counts(status) for status in (500, 502, 503, 504))
    assert not rule.counts(403)


@pytest.mark.parametrize(
    ("threshold", "comparison", "needed"),
    [
        (3.0, "GreaterThanOrEqualToThreshold", 3),
        (2.5, "GreaterThanOrEqualToThreshold", 3),
        (3.0, "GreaterThanThreshold", 4),
        (0.0, "GreaterThanThreshold", 1),
        (0.0, "GreaterThanOrEqualToThreshold", 1),
    ],
)
def test_errors_needed(threshold: float, comparison: str, needed: int) -> None:
    """The fewest failures that breach a period."""
    assert with_(threshold=threshold, comparison=comparison).errors_needed() == needed


@pytest.mark.parametrize(
    ("threshold", "p", "rate"), [(1, 0.5, 0.12), (1, 0.9, 0.39), (3, 0.9, 0.89), (5, 0.99, 1.94), (20, 0.9, 4.32)]
)
def test_rate_that_suffices(threshold: float, p: float, rate: float) -> None:
    """Requests a second, of which a tenth meets a canary that fails every one."""
    assert error_rate_for(with_(threshold=threshold), p) / 0.1 == pytest.approx(rate, abs=0.01)


def test_more_periods_need_more_luck() -> None:
    """Two periods in a row are less likely than one, and the rate that suffices takes that into account."""
    rule = with_(evaluation_periods=2, datapoints=2)
    assert chance(rule, 0.05) == pytest.approx(chance(RULE, 0.05) ** 2)
    assert chance(rule, error_rate_for(rule, 0.9)) == pytest.approx(0.9)


# Alarms that compute their value


def math(*queries: MetricQuery, **changes: Any) -> AlarmDefined:
    """An alarm with `Metrics`."""
    none = {"metric": None, "statistic": None, "period_s": None}
    return defined(**{**none, "queries": queries, **changes})


def metric(id_: str, name: str, **given: Any) -> MetricQuery:
    """One of Lambda's metrics, summed over a minute, that is not compared itself."""
    fields = {"namespace": "AWS/Lambda", "statistic": "Sum", "period_s": 60, "returned": False, **given}
    return MetricQuery(id=id_, metric=name, **fields)


def rate(expression: str, **changes: Any) -> AlarmDefined:
    """An alarm on an expression over errors and invocations."""
    of = (metric("errors", "Errors"), metric("invocations", "Invocations"))
    return math(*of, MetricQuery(id="rate", expression=expression), **changes)


def test_error_rate_breaches_by_share() -> None:
    """Two per cent of errors: 3 of 100 breach, 3 of 1,000 do not."""
    rule = read_rule(rate("100*errors/MAX([errors,invocations])", threshold=2.0))
    assert rule.breaches(3, 100)
    assert not rule.breaches(3, 1000)
    assert rule.counts_failures
    assert rule.is_rate


def test_success_rate_that_falls_breaches() -> None:
    """A rate of success is an alarm that failures put in ALARM, too."""
    rule = read_rule(rate("100 - 100 * errors / invocations", threshold=98.0, comparison="LessThanThreshold"))
    assert rule.breaches(3, 100)
    assert not rule.breaches(1, 100)
    assert rule.failures_needed(100) == 3


def test_single_metric_in_metrics_is_the_flat_alarm() -> None:
    """CDK writes every alarm that has an account id in this form."""
    rule = read_rule(math(metric("m1", "Errors", returned=True)))
    assert str(rule) == "Errors Sum >= 3 in 60 s, 1 of 1"
    assert rule.errors_needed() == 3


def test_sum_of_two_metrics_is_no_rate() -> None:
    """Errors of the alias and of the function together only grow within a period."""
    both = (metric("a", "Errors"), metric("b", "Errors"))
    rule = read_rule(math(*both, MetricQuery(id="e", expression="a+b"), threshold=6.0))
    assert not rule.is_rate
    assert rule.errors_needed() == 3


def test_expressions_may_build_on_each_other() -> None:
    """Each is computed after what it refers to, in whatever order they are listed."""
    of = (metric("errors", "Errors"), metric("calls", "Invocations"))
    steps = (MetricQuery(id="percent", expression="share*100"), MetricQuery(id="share", expression="errors/calls"))
    hidden = MetricQuery(id="share", expression="errors/calls", returned=False)
    rule = read_rule(math(*of, steps[0], hidden, threshold=5.0))
    assert rule.breaches(5, 100)
    assert not rule.breaches(4, 100)


@pytest.mark.parametrize(
    ("alarm", "reason"),
    [
        (defined(kind="composite", rule='ALARM("a")', metric=None), "composed of other alarms"),
        (defined(comparison="GreaterThanUpperThreshold", band="ad1", threshold=None), "anomaly band"),
        (rate("ANOMALY_DETECTION_BAND(errors, 2)"), "ANOMALY_DETECTION_BAND"),
        (rate('SELECT SUM(Errors) FROM SCHEMA("AWS/Lambda", FunctionName)'), "no metric math"),
        (rate("errors / nothing"), "nothing"),
        (rate("errors / rate"), "rate"),
        (math(metric("m1", "Errors", account="210987654321", returned=True)), "another account"),
        (defined(threshold=None), "no threshold"),
        (defined(metric="OrdersPlaced", namespace="Shop"), "OrdersPlaced"),
        (
            math(metric("e", "Errors"), metric("c", "ConcurrentExecutions"), MetricQuery(id="x", expression="e / c")),
            "ConcurrentExecutions",
        ),
        (defined(unlike="a PromQL alarm"), "PromQL"),
    ],
)
def test_what_cannot_be_evaluated_is_named(alarm: AlarmDefined, reason: str) -> None:
    """No alarm is taken for one that counts nothing because it is not understood."""
    assert rule_of(alarm) is None
    assert reason in str(why_not_evaluated(alarm))
