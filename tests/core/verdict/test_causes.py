"""The cause is told: what CloudWatch counted is held against what clients saw."""

import re
from typing import Any

import pytest
from msgspec.structs import replace

from harness.core.timeline.events import (
    AlarmDefined,
    AlarmMetricSeen,
    AliasMetricSeen,
    AliasSeen,
    Event,
    FaultStarted,
    MetricQuery,
    MetricSeen,
    Requests,
)
from harness.core.verdict.judge import judge
from harness.core.verdict.types import Finding

MINUTES = (60.0, 120.0, 180.0)


@pytest.fixture
def findings(experiment: Any) -> Any:
    """The findings of a timeline by their id."""

    def found(events: list[Event], **keys: Any) -> dict[str, Finding]:
        return {finding.id: finding for finding in judge(experiment(**keys), events).findings}

    return found


def metric(name: str, each: float, version: str | None = None, at_s: float = 400.0) -> MetricSeen:
    """A metric of three minutes of the bake, looked at when they were long over."""
    points = tuple((minute, each) for minute in MINUTES)
    return MetricSeen(at_s=at_s, asked_s=at_s - 1, metric=name, version=version, period_s=60, points=points)


def by_alias(each: float | None) -> AliasMetricSeen:
    """The invocations by the alias; None is a series without a datapoint."""
    points = () if each is None else tuple((minute, each) for minute in MINUTES)
    return AliasMetricSeen(at_s=400.0, asked_s=399.0, metric="Invocations", alias="Live", period_s=60, points=points)


def defined(events: list[Event], **changes: Any) -> list[Event]:
    """The timeline with another alarm."""
    return [replace(event, **changes) if isinstance(event, AlarmDefined) else event for event in events]


RATE = {
    "metric": None,
    "statistic": None,
    "period_s": None,
    "threshold": 1.0,
    "queries": (
        MetricQuery(id="bad", metric="Errors", statistic="Sum", period_s=60, returned=False),
        MetricQuery(id="all", metric="Invocations", statistic="Sum", period_s=60, returned=False),
        MetricQuery(id="rate", expression="100 * bad / all"),
    ),
}


@pytest.mark.parametrize("alias", [None, 0.0, 100.0])
def test_traffic_that_bypasses_the_alias_is_told_with_both_counts(alias: float | None, findings: Any, row: Any) -> None:
    """A target group that still names the function calls $LATEST."""
    events = [*row("healthy", metrics=False), metric("Invocations", 1200.0), by_alias(alias)]
    found = findings(events)["traffic-bypasses-alias"]
    assert found.severity == "error"
    assert f"3600 invocations of the function and {3 * (alias or 0):.0f} of its alias Live" in found.text


@pytest.mark.parametrize("alias", [1200.0, 900.0])
def test_traffic_by_the_alias_bypasses_nothing(alias: float, findings: Any, row: Any) -> None:
    """Some other callers are everyday."""
    events = [*row("healthy", metrics=False), metric("Invocations", 1200.0), by_alias(alias)]
    assert "traffic-bypasses-alias" not in findings(events)


def test_an_alias_that_was_never_asked_about_is_not_bypassed(findings: Any, row: Any) -> None:
    """No look is no zero."""
    assert "traffic-bypasses-alias" not in findings([*row("healthy", metrics=False), metric("Invocations", 1200.0)])


def test_502s_that_errors_never_counted_are_told(findings: Any, row: Any) -> None:
    """API Gateway answers 502 for what it cannot read, too, and Lambda counts no error for that."""
    events = [*row("broken-canary", metrics=False), metric("Invocations", 1200.0), metric("Errors", 0.0)]
    text = findings(events)["failures-not-counted"].text
    assert "x 502" in text
    assert "counted 0 Errors" in text
    assert "5XXError" in text


@pytest.mark.parametrize("at_s", [200.0, 400.0])
def test_502s_that_errors_counted_or_may_still_count_are_not(at_s: float, findings: Any, row: Any) -> None:
    """A minute that was looked at too early is not counted whole."""
    each = 0.0 if at_s < 300 else 1000.0
    series = [metric("Invocations", 1200.0, at_s=at_s), metric("Errors", each, at_s=at_s)]
    assert "failures-not-counted" not in findings([*row("broken-canary", metrics=False), *series])


def as_500(events: list[Event]) -> list[Event]:
    """The timeline behind an HTTP API, which says 500 where a function threw."""
    return [
        replace(event, status=500) if isinstance(event, Requests) and event.status == 502 else event for event in events
    ]


def test_exceptions_behind_an_http_api_are_counted_by_errors(findings: Any, row: Any) -> None:
    """CloudWatch counted the 500s as errors of the function, so nobody says that it did not."""
    events = as_500(row("broken-canary", metrics=False))
    failures = sum(seen.count for seen in events if isinstance(seen, Requests) and seen.status == 500)
    assert failures > 20
    series = [metric("Invocations", 1200.0), metric("Errors", failures / 3)]
    assert "failures-not-counted" not in findings([*events, *series])
    text = findings([*events, metric("Invocations", 1200.0), metric("Errors", 0.0)])["failures-not-counted"].text
    assert f"{failures} failures are none that Errors counts ({failures} x 500)" in text


def test_errors_of_502s_make_no_exceptions_of_500s(findings: Any, row: Any) -> None:
    """Where both are seen, what CloudWatch counted is held against the 502s first."""
    events = row("broken-canary", metrics=False)
    failures = sum(seen.count for seen in events if isinstance(seen, Requests) and seen.status == 502)
    handled = [
        replace(seen, status=500) for seen in events if isinstance(seen, Requests) and seen.status == 502 and seen.count
    ]
    series = [metric("Invocations", 1200.0), metric("Errors", failures / 3)]
    assert f"{failures} x 500" in findings([*events, *handled, *series])["failures-not-counted"].text


def test_canary_of_which_every_invocation_fails_is_told_where_to_look(findings: Any, row: Any) -> None:
    """A module that was left out of the package fails at import."""
    series = [metric("Invocations", 40.0, "2"), metric("Errors", 40.0, "2")]
    text = findings([*row("broken-canary", metrics=False), *series])["canary-always-fails"].text
    assert text.startswith("Every invocation of version 2 failed (120 of 120")


def test_canary_of_which_some_invocations_succeed_can_be_imported(findings: Any, row: Any) -> None:
    """That is another fault."""
    series = [metric("Invocations", 40.0, "2"), metric("Errors", 39.0, "2")]
    assert "canary-always-fails" not in findings([*row("broken-canary", metrics=False), *series])


def test_rate_alarm_that_one_failure_moves_is_a_warning(findings: Any, row: Any) -> None:
    """At 60 requests in a minute one of them is 1.7 %."""
    thin = findings(defined(row("healthy", rate=1, metrics=False), **RATE))["rate-alarm-moved-by-few"]
    assert thin.severity == "warning"
    assert "One failed request puts the alarm errors" in thin.text
    assert "rate-alarm-moved-by-few" not in findings(defined(row("healthy", rate=20, metrics=False), **RATE))


def test_alarm_that_cannot_be_evaluated_is_named(findings: Any, row: Any) -> None:
    """What it is, and that it is watched all the same."""
    odd = {"metric": None, "queries": (), "unlike": "an alarm on a PromQL query"}
    text = findings(defined(row("healthy"), **odd))["alarm-not-evaluated"].text
    assert "errors: it is an alarm on a PromQL query" in text


@pytest.mark.parametrize(("points", "is_told"), [((), True), (((60.0, 0.0),), False)])
def test_alarm_without_a_datapoint_that_stays_ok_is_told(
    points: tuple[tuple[float, float], ...], is_told: bool, findings: Any, row: Any
) -> None:
    """With missing data as not breaching, a wrong dimension looks like health."""
    read = AlarmMetricSeen(at_s=400.0, asked_s=399.0, alarm="errors", query="m1", period_s=60, points=points)
    assert ("alarm-metric-empty" in findings([*row("healthy"), read])) is is_told


def test_alarm_that_its_missing_data_put_in_alarm_is_not_called_unable(findings: Any, row: Any) -> None:
    """Silence is what it rings at."""
    read = AlarmMetricSeen(at_s=400.0, asked_s=399.0, alarm="errors", query="m1", period_s=60, points=())
    text = findings([*defined(row("healthy"), missing="breaching"), read])["alarm-metric-empty"].text
    assert ("that alone puts it in ALARM" in text, "nothing could" in text) == (True, False)


@pytest.mark.parametrize(("each", "advice"), [(0.0, "stood at 0 when the run ended"), (9.0, "add an alarm on Lambda")])
def test_errors_that_counted_nothing_are_no_advice(each: float, advice: str, findings: Any, row: Any) -> None:
    """A malformed answer is a 502 as well, and Lambda's Errors never count it."""
    api = {"metric": "5XXError", "namespace": "AWS/ApiGateway", "dimensions": {"ApiName": "shop"}}
    series = [metric("Errors", each), metric("Errors", each, "2")]
    found = findings([*defined(row("broken-canary", metrics=False), **api), *series])
    assert advice in found["alarm-covers-all-versions"].text


def test_fault_that_nobody_felt_is_an_error(findings: Any, row: Any) -> None:
    """It proves nothing of the net."""
    began = FaultStarted(at_s=100.0, fault="faults[0]", kind="fis_template", value="EXT1")
    found = findings([*row("healthy"), began])["fault-without-effect"]
    assert found.severity == "error"
    assert "fis_template (EXT1)" in found.text


def test_weights_that_somebody_took_off_the_alias_are_told_with_the_time(findings: Any, row: Any) -> None:
    """CodeDeploy goes on as if nothing were, and the canary is not on trial."""
    events = [
        replace(event, weights={}) if isinstance(event, AliasSeen) and 150.0 < event.at_s < 330.0 else event
        for event in row("healthy")
    ]
    found = findings(events)["alias-lost-weights"]
    assert found.severity == "error"
    assert re.search(r"lost the canary's weight \d+ to \d+ s after the creation", found.text)


def never_split(events: list[Any], until_s: float) -> list[Any]:
    """A release whose alias no look showed split, and whose canary answered nothing until it had all traffic."""
    whole = [
        replace(event, weights={}) if isinstance(event, AliasSeen) and event.at_s < until_s else event
        for event in events
    ]
    return [
        replace(event, version="1") if isinstance(event, Requests) and event.at_s < until_s else event
        for event in whole
    ]


@pytest.mark.parametrize("until_s", [330.0, 366.0])
def test_weights_that_no_look_ever_showed_are_lost_where_the_target_told_them(
    until_s: float, findings: Any, row: Any, judged: Any
) -> None:
    """They were taken off before anybody looked, so the canary was not on trial."""
    events = never_split(row("healthy", metrics=False), until_s)
    found = findings(events)["alias-lost-weights"]
    assert found.severity == "error"
    assert re.search(r"lost the canary's weight \d+ to \d+ s after the creation", found.text)
    assert judged(events).call == "inconclusive"


def test_looks_at_the_alias_that_come_late_are_no_lost_weights(findings: Any, row: Any) -> None:
    """The target told the weight a look earlier, and then the alias was split."""
    assert "alias-lost-weights" not in findings(never_split(row("healthy", metrics=False), until_s=75.0))


def test_a_canary_that_answered_has_not_lost_its_weight(findings: Any, row: Any) -> None:
    """Whatever the looks at the alias showed: they were at another one."""
    events = [replace(event, weights={}) if isinstance(event, AliasSeen) else event for event in row("healthy")]
    assert "alias-lost-weights" not in findings(events)


@pytest.mark.parametrize(
    ("name", "alias", "told"),
    [
        ("healthy", {"version": "2", "weights": {}}, "100% of the traffic"),
        ("healthy", {"weights": {"2": 0.5}}, "50% of the traffic"),
        ("linear", {"weights": {"2": 0.9}}, "90% of the traffic"),
    ],
)
def test_weight_that_codedeploy_did_not_give_clears_nobody(
    name: str, alias: dict[str, Any], told: str, findings: Any, row: Any, judged: Any
) -> None:
    """Somebody hastened the release by hand, and the two versions hardly shared the traffic."""
    events = [
        replace(event, **alias) if isinstance(event, AliasSeen) and 160.0 < event.at_s < 330.0 else event
        for event in row(name)
    ]
    found = findings(events)["alias-weight-forced"]
    assert (found.severity, told in found.text) == ("error", True)
    assert judged(events).call != "cleared"


def moved(events: list[Any], since_s: float) -> list[Any]:
    """A release whose alias somebody puts on a third version, which answers from then on."""
    answering = [
        replace(event, version="3") if isinstance(event, Requests) and event.at_s >= since_s else event
        for event in events
    ]
    return [
        replace(event, version="3", weights={}) if isinstance(event, AliasSeen) and event.at_s >= since_s else event
        for event in answering
    ]


@pytest.mark.parametrize("release", [{}, {"end": "rolled_back", "end_s": 191.0, "alarms": ((180.5, 300.0),)}])
def test_alias_that_somebody_moved_to_a_third_version_clears_nobody(
    release: dict[str, Any], findings: Any, build: Any, judged: Any
) -> None:
    """That version is not the canary, which was not on trial any more."""
    events = moved(build(**release), since_s=160.0)
    found = findings(events)
    assert found["alias-moved"].severity == "error"
    assert re.search(r"version 3 \d+ to \d+ s after the creation", found["alias-moved"].text)
    assert "alias-contradicts-codedeploy" in found
    assert judged(events).call == "inconclusive"


def test_alias_that_moved_on_after_the_end_was_not_taken_from_the_canary(findings: Any, row: Any) -> None:
    """The trial was over."""
    found = findings(moved(row("healthy"), since_s=380.0))
    assert "alias-moved" not in found


@pytest.mark.parametrize("name", ["healthy", "erroruser", "linear", "no-rollback", "hook-failure", "all-at-once"])
def test_no_weight_is_lost_where_the_alias_followed(name: str, findings: Any, row: Any) -> None:
    """Looks at alias and target differ by a moment."""
    assert not {"alias-lost-weights", "alias-weight-forced"} & findings(row(name)).keys()


@pytest.mark.parametrize(("canary_s", "severity"), [(2.0, "warning"), (0.03, "note")])
def test_slower_canary_is_told_with_the_numbers(canary_s: float, severity: str, findings: Any, row: Any) -> None:
    """Whether it is harm or not."""
    found = findings(row("healthy", latency_s=(0.02, canary_s)))["canary-slower"]
    assert found.severity == severity
    assert "times as much" in found.text


def test_canary_as_quick_as_the_baseline_is_not_slower(findings: Any, row: Any) -> None:
    """Nobody is told of nothing."""
    assert "canary-slower" not in findings(row("healthy", latency_s=(0.02, 0.02)))
