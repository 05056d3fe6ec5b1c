"""The alarm as the harness understands it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.experiment.types import Alarm
from harness.core.timeline.alarm_rules import (
    Rule,
    breach_s,
    chance,
    counted_by_period,
    error_rate_for,
    rule_of,
    rule_of_experiment,
)
from harness.core.timeline.alarm_states import Episode, Turn, episodes, turns
from harness.core.timeline.events import AlarmChanged, AlarmDefined
from harness.core.verdict.evidence import server_failed

EPOCH_S = 1_800_000_000.0
RULE = rule_of_experiment(Alarm())
assert RULE


def defined(**given: Any) -> AlarmDefined:
    """An alarm as CloudWatch has it: three errors in a minute, unless said otherwise."""
    fields = {
        "name": "errors",
        "metric": "Errors",
        "statistic": "Sum",
        "period_s": 60,
        "evaluation_periods": 1,
        "threshold": 3.0,
        "comparison": "GreaterThanOrEqualToThreshold",
    }
    return AlarmDefined(at_s=0.1, asked_s=0.0, **{**fields, **given})


def changed(at_s: float, state: str) -> AlarmChanged:
    """A state change from the history."""
    return AlarmChanged(at_s=at_s + 5, asked_s=at_s + 4, name="errors", changed_s=at_s, from_state="?", to_state=state)


def with_(rule: Rule, **changes: Any) -> Rule:
    """A rule with changes."""
    return msgspec.structs.replace(rule, **changes)


def test_three_failures_in_a_minute_breach(sent: Any) -> None:
    """The breach is dated to the end of its period."""
    failures = [sent(at_s, ok=False) for at_s in (61.0, 80.0, 119.0)]
    assert breach_s(RULE, failures, EPOCH_S, server_failed) == 120.0


def test_two_failures_in_each_of_two_minutes_do_not_breach(sent: Any) -> None:
    """What lies in two periods is not added up."""
    failures = [sent(at_s, ok=False) for at_s in (100.0, 119.0, 120.0, 121.0)]
    assert breach_s(RULE, failures, EPOCH_S, server_failed) is None


def test_periods_are_aligned_to_the_full_minute_of_the_clock(sent: Any) -> None:
    """A run that begins 40 s into a minute has its first period end after 20 s."""
    failures = [sent(at_s, ok=False) for at_s in (1.0, 10.0, 19.0)]
    assert breach_s(RULE, failures, EPOCH_S + 40, server_failed) == 20.0
    assert breach_s(RULE, failures, EPOCH_S + 50, server_failed) is None


def test_greater_than_needs_one_more(sent: Any) -> None:
    """The comparison decides about the threshold itself."""
    rule = with_(RULE, comparison="GreaterThanThreshold")
    assert breach_s(rule, [sent(1.0, count=3, ok=False)], EPOCH_S, server_failed) is None
    assert breach_s(rule, [sent(1.0, count=4, ok=False)], EPOCH_S, server_failed) == 60.0


def test_two_of_three_periods_breach(sent: Any) -> None:
    """The second breaching period within three completes it, the gap between them does not matter."""
    rule = with_(RULE, evaluation_periods=3, datapoints=2)
    failures = [sent(at_s, count=3, ok=False) for at_s in (0.0, 130.0)]
    assert breach_s(rule, failures, EPOCH_S, server_failed) == 180.0


def test_two_of_two_periods_with_a_gap_do_not_breach(sent: Any) -> None:
    """A period without failures breaks the row."""
    rule = with_(RULE, evaluation_periods=2, datapoints=2)
    failures = [sent(at_s, count=3, ok=False) for at_s in (0.0, 130.0)]
    assert breach_s(rule, failures, EPOCH_S, server_failed) is None


def test_average_is_the_share_of_failures(sent: Any) -> None:
    """An error rate needs the good requests too."""
    rule = with_(RULE, statistic="Average", threshold=0.5)
    traffic = [sent(1.0, count=4, ok=False), sent(2.0, count=5)]
    assert breach_s(rule, traffic, EPOCH_S, server_failed) is None
    assert breach_s(rule, [*traffic, sent(3.0, ok=False)], EPOCH_S, server_failed) == 60.0


@given(seconds=st.lists(st.tuples(st.integers(0, 300), st.booleans()), max_size=40), extra=st.integers(0, 300))
def test_one_more_failure_never_delays_a_breach(seconds: list[tuple[int, bool]], extra: int, sent: Any) -> None:
    """Adding a failure breaches at the same time or earlier."""
    traffic = [sent(float(at_s), ok=ok) for at_s, ok in seconds]
    before = breach_s(RULE, traffic, EPOCH_S, server_failed)
    after = breach_s(RULE, [*traffic, sent(float(extra), ok=False)], EPOCH_S, server_failed)
    assert before is None or (after is not None and after <= before)


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
    assert counted_by_period(with_(RULE, version="2"), failures, EPOCH_S) == {period: (2, 2)}
    assert counted_by_period(RULE, failures, EPOCH_S) == {period: (3, 3)}


def test_api_gateway_counts_every_5xx() -> None:
    """The alarm on 5XXError sees what a client sees."""
    rule = with_(RULE, metric="5XXError")
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
    assert with_(RULE, threshold=threshold, comparison=comparison).errors_needed() == needed


@pytest.mark.parametrize(
    ("threshold", "p", "rate"), [(1, 0.5, 0.12), (1, 0.9, 0.39), (3, 0.9, 0.89), (5, 0.99, 1.94), (20, 0.9, 4.32)]
)
def test_rate_that_suffices(threshold: float, p: float, rate: float) -> None:
    """Requests a second, of which a tenth meets a canary that fails every one."""
    assert error_rate_for(with_(RULE, threshold=threshold), p) / 0.1 == pytest.approx(rate, abs=0.01)


def test_more_periods_need_more_luck() -> None:
    """Two periods in a row are less likely than one, and the rate that suffices takes that into account."""
    rule = with_(RULE, evaluation_periods=2, datapoints=2)
    assert chance(rule, 0.05) == pytest.approx(chance(RULE, 0.05) ** 2)
    assert chance(rule, error_rate_for(rule, 0.9)) == pytest.approx(0.9)


def test_history_dates_what_looks_only_bracket() -> None:
    """Where both saw a change, the exact date counts."""
    looks = [Turn("OK", (0.0, 0.1)), Turn("ALARM", (110.0, 120.1)), Turn("OK", (170.0, 180.1))]
    states = turns([changed(112.5, "ALARM"), changed(171.5, "OK")], looks)
    assert episodes(states) == (Episode((112.5, 112.5), (171.5, 171.5)),)


def test_history_shows_an_episode_between_two_looks() -> None:
    """A forced state may last seconds only."""
    states = turns([changed(112.5, "ALARM"), changed(114.0, "OK")], [Turn("OK", (0.0, 0.1))])
    assert episodes(states) == (Episode((112.5, 112.5), (114.0, 114.0)),)


def test_looks_show_an_episode_that_history_has_not_yet() -> None:
    """A history that could not be read does not hide what was seen."""
    states = turns([changed(20.0, "OK")], [Turn("OK", (0.0, 30.1)), Turn("ALARM", (110.0, 120.1))])
    assert episodes(states) == (Episode((110.0, 120.1), None),)


def test_an_alarm_nobody_saw_was_never_on() -> None:
    """No looks and no history give no episodes."""
    assert episodes(turns([], [])) == ()
