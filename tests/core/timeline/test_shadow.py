"""Alarms that do not exist are evaluated as CloudWatch would evaluate them, by its datapoints."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.experiment.types import ShadowAlarm
from harness.core.timeline.alarm_evaluation import states_of
from harness.core.timeline.alarm_rules import Rule, rule_of_metrics
from harness.core.timeline.events import AlarmMetricSeen
from harness.core.timeline.shadow import (
    MOST_EVALUATIONS,
    SETTLED_S,
    Evaluated,
    evaluated,
    reads_of,
    shadow_defined,
    stretches,
    unknown_words,
    why_unreadable,
)

EPOCH_S = 1_800_000_000.0
RATIO = {
    "expression": "100 * errors / invocations",
    "metrics": {"errors": {"metric": "Errors"}, "invocations": {"metric": "Invocations"}},
}


def shadow(**keys: Any) -> ShadowAlarm:
    """A shadow alarm as YAML gives it."""
    return msgspec.convert({"name": "strict", **keys}, ShadowAlarm)


def rule(**keys: Any) -> Rule:
    """Its rule for a function of a name."""
    defined = shadow_defined(shadow(**keys), {"function": "shop"}, 0.0)
    assert defined
    return rule_of_metrics(defined)


def read(values: list[float | None], *, query: str = "m1", period_s: int = 60, first_s: float = 0.0) -> AlarmMetricSeen:
    """One look at a metric, whose periods follow each other from `first_s` on; None is a period without a datapoint."""
    points = tuple((first_s + at * period_s, value) for at, value in enumerate(values) if value is not None)
    return AlarmMetricSeen(asked_s=0.0, at_s=0.1, alarm="strict", query=query, period_s=period_s, points=points)


def evaluations(one: Rule, *looks: AlarmMetricSeen, asked_s: float = 600.0) -> list[Evaluated]:
    """The evaluations of a rule until a look."""
    return evaluated(one, looks, epoch_s=EPOCH_S, began_s=0.0, asked_s=asked_s)


def first_alarm(found: list[Evaluated]) -> float | None:
    """The end of the period that led to the first ALARM."""
    return next((begin_s for begin_s, _ in stretches(found)), None)


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 4)), min_size=1, max_size=12),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from(["missing", "ignore", "breaching", "notBreaching"]),
)
def test_minutes_lead_to_the_states_of_the_evaluator(values: list[float | None], n: int, m: int, missing: str) -> None:
    """There is no second way to evaluate: what a real alarm would be in by these minutes is what it is in."""
    one = rule(evaluation_periods=max(n, m), datapoints=m, threshold=2, missing=missing)
    found = evaluations(one, read(values), asked_s=60.0 * len(values) + SETTLED_S)
    assert [each.state for each in found][1:] == list(states_of(one.condition, values))
    assert [each.end_s for each in found][1:] == [60.0 * (at + 1) for at in range(len(values))]


def test_a_long_period_is_evaluated_each_minute() -> None:
    """CloudWatch sees a burst that two whole periods would share, and so does the shadow alarm."""
    one = rule(period_s=300, threshold=6)
    assert [query.period_s for query in reads_of(one)] == [60]
    assert first_alarm(evaluations(one, read([0, 0, 0, 0, 3, 3, 0, 0, 0, 0]))) == 360.0


def test_a_percentile_is_evaluated_at_the_end_of_whole_periods() -> None:
    """Percentiles of minutes make none of five."""
    one = rule(metric="Duration", statistic="p99", period_s=300, threshold=800)
    assert [query.period_s for query in reads_of(one)] == [300]
    assert first_alarm(evaluations(one, read([100, 900], period_s=300))) == 600.0


def test_an_expression_is_computed_from_its_metrics() -> None:
    """A ratio needs both of them."""
    one = rule(**RATIO, threshold=50)
    looks = (read([1, 9, 9], query="errors"), read([10, 10, None], query="invocations"))
    found = evaluations(one, *looks, asked_s=180.0 + SETTLED_S)
    assert [each.value for each in found][1:] == [10.0, 90.0, None]
    assert first_alarm(found) == 120.0


def test_a_change_is_that_from_the_period_before_whatever_the_step() -> None:
    """Evaluations of a long period are a minute apart, and the periods of one expression are not."""
    one = rule(expression="DIFF(m)", metrics={"m": {"metric": "Errors"}}, period_s=120, threshold=1000)
    found = evaluations(one, read([1, 2, 3, 4, 5, 6], query="m"), asked_s=360.0)
    assert [each.value for each in found][3:] == [4.0, 4.0, 4.0, 4.0]


def test_what_may_still_come_is_not_taken_for_missing() -> None:
    """A minute that just ended has no datapoint yet, and that breaches nothing."""
    one = rule(missing="breaching")
    # An evaluation looks back on six minutes, and an older datapoint counts as long as it is among them.
    silent_s = 120.0 + one.condition.range * 60 + SETTLED_S
    assert evaluations(one, read([0, 0]), asked_s=silent_s - 1)[-1].state == "OK"
    assert evaluations(one, read([0, 0]), asked_s=silent_s)[-1].state == "ALARM"


def test_the_last_look_at_a_period_counts() -> None:
    """A sum grows until its minute is whole."""
    assert first_alarm(evaluations(rule(), read([2]), read([3]))) == 60.0


@pytest.mark.parametrize("at_s", [1e11, -1e11])
def test_a_stray_datapoint_costs_nothing(at_s: float) -> None:
    """A damaged timeline is judged as quickly as another one."""
    assert len(evaluations(rule(), read([1, 5]), read([9], first_s=at_s))) <= MOST_EVALUATIONS
    assert first_alarm(evaluations(rule(), read([1, 5]), read([9], first_s=at_s))) == 120.0


def test_an_alarm_waits_for_what_its_dimensions_stand_for() -> None:
    """The canary's version is known only once its deployment is seen."""
    one = shadow(dimensions="version")
    words = {"function": "shop", "alias": "Live"}
    assert unknown_words(one, words) == ["version"]
    assert shadow_defined(one, words, 0.0) is None
    known = shadow_defined(one, {**words, "version": "7"}, 0.0)
    assert known
    assert known.dimensions == {"FunctionName": "shop", "Resource": "shop:Live", "ExecutedVersion": "7"}


@pytest.mark.parametrize(
    ("expression", "why"),
    [("errors +", "no metric math"), ("ANOMALY_DETECTION_BAND(errors)", "ANOMALY"), ("errors / nothing", "nothing")],
)
def test_an_expression_that_cannot_be_evaluated_says_why(expression: str, why: str) -> None:
    """Before a run as in its report."""
    reason = why_unreadable(shadow(expression=expression, metrics={"errors": {"metric": "Errors"}}))
    assert reason
    assert why in reason
