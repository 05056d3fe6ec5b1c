"""Composite alarms: what one bears is what its expression says, and the calls are written down by hand."""

from typing import Any

import pytest

from harness.core.timeline.events import AlarmDefined, AlarmGone, AlarmSeen, MetricQuery

ALARM = "errors"
LAMBDA = {"namespace": "AWS/Lambda", "dimensions": {"FunctionName": "fakeUser"}}


def alarm(name: str, **given: Any) -> AlarmDefined:
    """An alarm on one-minute periods that one of them puts in ALARM."""
    fields = {"period_s": 60, "evaluation_periods": 1, "datapoints": 1, "comparison": "GreaterThanOrEqualToThreshold"}
    return AlarmDefined(at_s=0.1, asked_s=0.0, name=name, **{**fields, "missing": "notBreaching", **given})


def of(id_: str, metric: str) -> MetricQuery:
    """A metric of Lambda that an expression is about."""
    return MetricQuery(id=id_, metric=metric, statistic="Sum", period_s=60, returned=False, **LAMBDA)


RATE = (of("errors", "Errors"), of("calls", "Invocations"), MetricQuery(id="e1", expression="100*errors/calls"))
CHILDREN = (
    alarm("sum", metric="Errors", statistic="Sum", threshold=3.0, **LAMBDA),
    alarm("rate", queries=RATE, threshold=10.0, period_s=None),
    alarm("throttled", metric="Throttles", statistic="Sum", threshold=1.0, **LAMBDA),
    alarm("slow", metric="Duration", statistic="p99", threshold=1000.0, **LAMBDA),
    alarm("quiet", metric="Invocations", statistic="Sum", threshold=100.0, comparison="LessThanThreshold", **LAMBDA),
    alarm("upkeep", metric="Upkeep", namespace="Team", statistic="Sum", threshold=1.0),
    AlarmDefined(at_s=0.1, asked_s=0.0, name="inner", kind="composite", rule="ALARM(sum) AND ALARM(rate)"),
)
# Five of a hundred requests fail: the sum breaches and the rate does not. Of a fifth of them both do.
RELEASES: dict[str, dict[str, Any]] = {
    "healthy": {},
    "one breaches": {"faults": ((0, 9e9, 0.05),)},
    "both breach": {"faults": ((0, 9e9, 0.2),)},
}
# A rule, and for each release whether AWS rolls it back, and the call.
CALLS = {
    "ALARM(sum) AND ALARM(rate)": ("cleared", "cleared", "caught"),
    "ALARM(sum) OR ALARM(rate)": ("cleared", "caught", "caught"),
    # The rate holds it back: nothing rings where both breach, and users were hurt all the same.
    "ALARM(sum) AND NOT ALARM(rate)": ("cleared", "caught", "missed"),
    "ALARM(sum) AND OK(rate)": ("cleared", "caught", "missed"),
    "AT_LEAST(2, ALARM, (sum, rate, throttled))": ("cleared", "cleared", "caught"),
    "AT_LEAST(1, ALARM, (sum, rate, throttled))": ("cleared", "caught", "caught"),
    "AT_LEAST(60%, NOT OK, (sum, rate, throttled))": ("cleared", "cleared", "caught"),
    "ALARM(inner)": ("cleared", "cleared", "caught"),
    "ALARM(sum) AND NOT ALARM(inner)": ("cleared", "caught", "missed"),
    # Traffic is not quiet, so that the alarm on errors may ring.
    "ALARM(sum) AND NOT ALARM(quiet)": ("cleared", "caught", "caught"),
    # Failures alone never take these there: what is borne is the objective's to say.
    "ALARM(sum) AND ALARM(throttled)": ("cleared", "missed", "missed"),
    "ALARM(sum) AND ALARM(quiet)": ("cleared", "missed", "missed"),
    "NOT ALARM(sum) AND ALARM(quiet)": ("cleared", "missed", "missed"),
}
CELLS = [(rule, release, call) for rule, calls in CALLS.items() for release, call in zip(RELEASES, calls, strict=True)]
ROLLED_BACK = {"end": "rolled_back", "end_s": 191.0, "alarms": ((180.5, 300.0),)}


def played(rule: str, release: str, build: Any, *, rolled_back: bool) -> Any:
    """The timeline of a release that this composite guards."""
    guard = AlarmDefined(at_s=0.1, asked_s=0.0, name=ALARM, kind="composite", rule=rule)
    return build(guards=(guard, *CHILDREN), **RELEASES[release], **(ROLLED_BACK if rolled_back else {}))


def shown(timeline: list[Any], name: str, state: str) -> list[Any]:
    """With a child that CloudWatch shows in this state at every look."""
    looks = [AlarmSeen(name=name, state=state, asked_s=at_s, at_s=at_s + 0.1) for at_s in (0.2, 100.2, 200.2, 300.2)]
    return [timeline[0], *sorted([*timeline[1:-1], *looks], key=lambda event: event.at_s), timeline[-1]]


@pytest.mark.parametrize(("rule", "release", "call"), CELLS)
def test_call_of_each_expression_and_release(rule: str, release: str, call: str, build: Any, judged: Any) -> None:
    """Both children are needed, one is enough, or one holds the other back."""
    verdict = judged(played(rule, release, build, rolled_back=call == "caught"))
    assert verdict.call == call, verdict.because


@pytest.mark.parametrize("rule", [rule for rule, calls in CALLS.items() if calls[2] == "caught"])
def test_a_promotion_where_the_expression_was_true_is_missed(rule: str, build: Any, judged: Any) -> None:
    """Failures that would take the composite to ALARM are more than it bears."""
    verdict = judged(played(rule, "both breach", build, rolled_back=False))
    assert verdict.call == "missed"
    assert any(f"the alarm ({ALARM}: {rule})" in said for said in verdict.because)


@pytest.mark.parametrize(("state", "call"), [("OK", "caught"), ("ALARM", "missed")])
def test_a_suppressor_is_in_the_state_that_was_seen(state: str, call: str, build: Any, judged: Any) -> None:
    """What it watches cannot be computed, and what it shows is enough."""
    timeline = played("ALARM(sum) AND NOT ALARM(upkeep)", "one breaches", build, rolled_back=call == "caught")
    verdict = judged(shown(timeline, "upkeep", state))
    held_back = [finding for finding in verdict.findings if finding.id == "composite-not-weighed"]
    assert verdict.call == call
    assert bool(held_back) == (state == "ALARM")
    assert all("upkeep kept it from going to ALARM" in finding.text for finding in held_back)


def test_a_state_that_nobody_knows_is_said_and_leaves_failures_unweighed(build: Any, judged: Any) -> None:
    """No word of health, and none that the alarm was breached."""
    verdict = judged(played("ALARM(sum) AND NOT ALARM(upkeep)", "one breaches", build, rolled_back=False))
    (finding,) = [finding for finding in verdict.findings if finding.id == "composite-not-weighed"]
    assert "upkeep may have kept it" in finding.text
    assert any("bears cannot be told" in said and "upkeep" in said for said in verdict.because)
    assert verdict.call == "inconclusive"


def test_a_few_failures_under_an_unknown_composite_are_no_health(build: Any, judged: Any) -> None:
    """They are below the objective, and may be more than the alarm bears."""
    guard = AlarmDefined(at_s=0.1, asked_s=0.0, name=ALARM, kind="composite", rule="ALARM(sum) AND ALARM(upkeep)")
    verdict = judged(build(guards=(guard, *CHILDREN), faults=((60, 62, 0.05),)))
    assert verdict.call == "inconclusive"


@pytest.mark.parametrize(
    ("faults", "call"), [((), "cleared"), (((60, 62, 0.05),), "inconclusive"), (((0, 9e9, 0.05),), "missed")]
)
def test_a_child_that_does_not_exist_leaves_failures_unweighed(
    faults: tuple[Any, ...], call: str, build: Any, judged: Any
) -> None:
    """What the composite was meant to bear by it cannot be told; what the other child does not bear is harm."""
    guard = AlarmDefined(at_s=0.1, asked_s=0.0, name=ALARM, kind="composite", rule="ALARM(sum) OR ALARM(gone)")
    timeline = build(guards=(guard, *CHILDREN), faults=faults)
    verdict = judged([timeline[0], AlarmGone(at_s=0.2, asked_s=0.1, name="gone"), *timeline[1:]])
    assert verdict.call == call, verdict.because


@pytest.mark.parametrize("state", ["OK", "ALARM"])
def test_a_child_on_latency_counts_as_it_was_seen(state: str, build: Any, judged: Any) -> None:
    """An alarm that needs errors and slowness bears neither alone by its word: the objective says what is borne."""
    timeline = shown(played("ALARM(sum) AND ALARM(slow)", "one breaches", build, rolled_back=False), "slow", state)
    verdict = judged(timeline)
    assert verdict.call == "missed"
    assert any("is meant to bear" in said for said in verdict.because) == (state == "ALARM")


def test_a_child_on_latency_whose_state_nobody_saw_leaves_failures_unweighed(build: Any, judged: Any) -> None:
    """Both words, that of the verdict and that of the finding, say that nobody knows."""
    verdict = judged(played("ALARM(sum) AND ALARM(slow)", "one breaches", build, rolled_back=False))
    (finding,) = [finding for finding in verdict.findings if finding.id == "composite-not-weighed"]
    assert "Nothing says whether they are borne" in finding.text
    assert any("the state of slow is not known" in said for said in verdict.because)
    assert verdict.call == "inconclusive"


def test_a_healthy_release_that_a_guard_rolled_back_is_a_false_alarm(build: Any, judged: Any) -> None:
    """A suppressor that nobody measured never rings alone."""
    verdict = judged(played("ALARM(sum) AND NOT ALARM(upkeep)", "healthy", build, rolled_back=True))
    assert verdict.call == "false_alarm"


@pytest.mark.parametrize("rule", ["ALARM(sum) OR NOT ALARM(upkeep)", "ALARM(sum) OR ALARM(upkeep)"])
def test_a_child_that_may_have_rung_alone_keeps_it_from_being_called_false(rule: str, build: Any, judged: Any) -> None:
    """What it watches was not measured."""
    assert judged(played(rule, "healthy", build, rolled_back=True)).call == "inconclusive"


def test_a_composite_that_cannot_be_read_is_named(build: Any, judged: Any) -> None:
    """And nothing is held against its children."""
    verdict = judged(played("SOME NEW THING", "one breaches", build, rolled_back=False))
    assert any("its rule cannot be read here" in finding.text for finding in verdict.findings)
    assert verdict.call == "inconclusive"
