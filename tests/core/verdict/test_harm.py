"""Whether the release did harm, in three values."""

from typing import Any

import pytest
from msgspec.structs import replace

from harness.core.experiment.types import Call
from harness.core.timeline.events import AlarmDefined, AliasSeen, DeploymentSeen, Event, Requests, TargetSeen
from harness.core.timeline.rollout import replay
from harness.core.verdict.evidence import evidence_of, failed
from harness.core.verdict.harm import Harm, harm_of
from harness.core.verdict.measure import measure


@pytest.fixture
def harm(experiment: Any) -> Any:
    """Holds a timeline against the rules of harm."""

    def held(events: list[Event]) -> Harm:
        evidence = evidence_of(experiment(), events, replay(events))
        return harm_of(evidence, measure(evidence))

    return held


def test_failures_beyond_what_the_alarm_bears_are_harm(harm: Any, row: Any) -> None:
    """Sixty errors a minute against a threshold of three."""
    found = harm(row("wrong-dimension"))
    assert found.done is True
    assert "Errors Sum >= 3 in 60 s, 1 of 1" in found.because[0]


def test_harm_in_a_period_that_lasts_is_not_told_as_past(harm: Any, row: Any) -> None:
    """Failures only add up, so the harm is certain; the end of the period lies ahead until the timeline reached it."""
    events = row("erroruser")
    early, late = (harm([event for event in events if event.at_s <= upto_s]) for upto_s in (75.0, 121.0))
    assert "first in the period that ends 60 s after the creation" in early.because[0]
    assert "first in the period that ended 60 s after the creation" in late.because[0]


def test_average_of_a_period_that_lasts_proves_no_harm(harm: Any, row: Any) -> None:
    """Good answers may still bring it down; a run that has ended sends none."""
    rule = {"statistic": "Average", "threshold": 0.02}
    events = [replace(event, **rule) if isinstance(event, AlarmDefined) else event for event in row("erroruser")]
    cut = [event for event in events if event.at_s <= 95.0]
    assert harm(cut).done is not True
    assert harm([*cut, events[-1]]).done is True


def test_answers_of_an_unknown_canary_are_not_counted_as_none(harm: Any, row: Any) -> None:
    """Nothing told which version is on trial, so none is said to have answered."""
    events = [event for event in row("healthy") if not isinstance(event, AliasSeen | DeploymentSeen | TargetSeen)]
    assert harm(events).because == (
        "Whether harm was done is not known: nothing tells which version answered a request.",
    )


def test_failures_that_the_alarm_bears_are_none(harm: Any, row: Any) -> None:
    """Two errors a minute are what the threshold allows."""
    assert harm(row("below-threshold")).done is False


def test_canary_worse_than_its_baseline_is_harm_however_rare(harm: Any, build: Any) -> None:
    """Two failures a minute stay below the threshold, but the baseline has none at all."""
    found = harm(build(rate=2.0, canary_fails=0.15))
    assert found.done is True
    assert "Fisher" in found.because[-1]


def test_baseline_that_fails_alike_clears_the_canary(harm: Any, build: Any) -> None:
    """Both arms fail two percent, which no canary is to blame for: not even when it has all the traffic."""
    assert harm(build(rate=3.0, baseline_fails=0.02, canary_fails=0.02)).done is False


def test_failures_after_the_promotion_are_harm_if_the_baseline_had_none(harm: Any, build: Any) -> None:
    """The bake was too thin to tell the arms apart; what came after it tells."""
    found = harm(build(rate=0.2, canary_fails=0.5))
    assert found.done is True
    assert "meant to bear" in found.because[0]


def test_worse_but_not_over_the_same_time_is_unknown(harm: Any, row: Any) -> None:
    """Few failures, all after the promotion: too few for the alarm, too many for health."""
    assert harm(row("all-at-once", created_s=600.0, faults=(), alarms=(), canary_fails=0.03, rate=1.0)).done is None


def test_baseline_that_fails_alone_is_not_the_releases_harm(harm: Any, build: Any) -> None:
    """Good requests that the version in service fails would fail without the release too."""
    assert harm(build(baseline_fails=0.2)).done is False


def test_broken_version_without_any_canary_phase_is_harm(harm: Any, row: Any) -> None:
    """All at once leaves no baseline to compare with; the failures are there all the same."""
    assert harm(row("all-at-once", faults=(), canary_fails=0.5)).done is True


def test_late_harm_counts_until_the_end_of_the_run(harm: Any, row: Any) -> None:
    """The deployment was over, its users were not."""
    assert harm(row("all-at-once")).done is True


def test_returned_500_is_harm_though_the_alarm_cannot_see_it(harm: Any, build: Any) -> None:
    """What the metric counts decides about the alarm, not about the users."""
    assert harm(build(canary_fails=0.5, failed_status=500)).done is True


@pytest.mark.parametrize(("lost", "done"), [(0, False), (5, False), (50, None), (500, None)])
def test_requests_without_an_answer_are_neither_harm_nor_health(
    harm: Any, build: Any, sent: Any, lost: int, done: bool | None
) -> None:
    """No answer at all says as much about us as about the service, and a few are what any network loses."""
    silent = [sent(100.0, count=lost, ok=False, status=0, version=None)] if lost else []
    assert harm([*build(), *silent]).done is done


def test_requests_that_got_no_answer_before_either_say_nothing(harm: Any, build: Any, sent: Any) -> None:
    """What the network lost before the deployment is not the canary's."""
    silent = [sent(at_s, count=2, ok=False, status=0, version=None) for at_s in range(400)]
    assert harm(sorted([*build(), *silent], key=lambda event: event.at_s)).done is False


def test_no_traffic_is_not_health(harm: Any, build: Any) -> None:
    """Zero requests never count as health."""
    assert harm(build(rate=0, metrics=False)).done is None
    assert harm([]).done is None


def test_a_handful_of_good_answers_is_not_health(harm: Any, build: Any) -> None:
    """A healthy canary that hardly anybody asked is not known to be healthy."""
    found = harm(build(rate=0.02))
    assert found.done is None
    assert "fewer than 20" in found.because[0]


def test_unknown_versions_with_failures_are_unknown(harm: Any, build: Any) -> None:
    """Somebody failed now and then, and nothing tells who."""
    assert harm(build(rate=2.0, baseline_fails=0.01, headers=False, metrics=False)).done is None


def test_unknown_versions_without_any_failure_are_healthy(harm: Any, build: Any) -> None:
    """If nobody's requests failed, the canary's did not."""
    assert harm(build(headers=False, metrics=False)).done is False


def test_cloudwatch_is_evidence_of_health_too(harm: Any, build: Any) -> None:
    """Six hundred invocations of the canary without an error."""
    assert harm(build(headers=False)).done is False


def test_canary_that_never_had_traffic_did_no_harm(harm: Any, row: Any) -> None:
    """The alarm was on already; all requests were answered well by the baseline."""
    found = harm(row("alarm-already-on"))
    assert found.done is False
    assert "never had traffic" in found.because[0]


def test_failures_after_the_rollback_are_not_this_releases_harm(harm: Any, row: Any) -> None:
    """CodeDeploy took a canary back that never had traffic: what fails afterwards did not bring that about."""
    always = ((-180, -30, 0.05), (0, 9e9, 0.05))
    assert harm(row("alarm-already-on", faults=always)).done is False


def test_several_harms_read_one_after_the_other(harm: Any, row: Any) -> None:
    """Only the first sentence says plainly that harm was done; no chance is printed as zero."""
    first, *others = harm(row("broken-canary", canary_fails=0.9)).because
    assert first.startswith("Harm was done: ")
    assert others
    assert all(said.startswith("Harm was also done: ") for said in others)
    assert "p = 0" not in " ".join((first, *others))


PLANS = (
    {"traffic": {"error_share": 0.05}},
    {"faults": [{"at_s": 60, "for_s": 60, "error_share": 0.2}]},
    {"faults": [{"at_s": 900, "for_s": 60, "error_share": 0.2}]},
    {"faults": [{"at_s": 60, "force_alarm": "ALARM"}]},
    {"faults": [{"at_s": 60, "for_s": 30, "concurrency": 0}]},
)


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_no_canary_is_cleared_by_a_fault_that_never_began(judged: Any, build: Any, plan: dict[str, Any]) -> None:
    """The experiment was about that fault; a canary without one, or with faults that switch off, is cleared."""
    verdict = judged(build(), **plan)
    assert verdict.call == "inconclusive"
    assert any("was planned and never began" in said for said in verdict.because)
    assert "fault-without-effect" in {finding.id for finding in verdict.findings}
    assert judged(build(), faults=[{"at_s": 60, "error_share": 0}]).call == "cleared"


def test_fault_that_was_due_after_the_rollback_could_not_begin(judged: Any, build: Any) -> None:
    """The rollback came first, so its absence says nothing."""
    undone = {"end": "rolled_back", "end_s": 131.0, "alarms": ((120.5, 240.0),)}
    late, due = ([{"at_s": at_s, "for_s": 60, "error_share": 0.2}] for at_s in (200, 60))
    assert judged(build(**undone), faults=late).call == "false_alarm"
    assert judged(build(**undone), faults=due).call == "inconclusive"


def test_share_that_sent_no_fault_request_proves_nothing(judged: Any, build: Any) -> None:
    """It began, and was too small for the traffic."""
    verdict = judged(build(faults=((60, 120, 0.00001),)))
    assert verdict.call == "inconclusive"
    assert "fault requests were planned and none was sent" in verdict.because[1]


def test_forced_alarm_that_nobody_saw_in_alarm_proves_nothing(judged: Any, build: Any) -> None:
    """It was forced, and no look and no history shows it."""
    assert judged(build(forced=(60.0, 61.0))).call == "inconclusive"
    assert judged(build(forced=(60.0, 61.0), alarms=((60.2, 100.0),))).call == "cleared"


def test_outage_that_begins_after_the_promotion_is_missed(build: Any, judged: Any) -> None:
    """Users met it on the version that was released, and the net had ended with the bake time."""
    late = [
        replace(event, outcome="failed", status=502)
        if isinstance(event, Requests) and event.version == "2" and event.at_s >= 390
        else event
        for event in build(metrics=False)
    ]
    assert judged(late).call is Call.MISSED


@pytest.mark.parametrize(
    ("status", "outcome", "is_failure"), [(302, "ok", False), (200, "ok", False), (200, "failed", True)]
)
def test_answer_is_good_unless_its_status_or_the_locustfile_says_otherwise(
    sent: Any, status: int, outcome: str, is_failure: bool
) -> None:
    """A redirect is good, and so is a 200 with nothing in it, which only a check of the locustfile can tell."""
    assert failed(sent(1.0, status=status, outcome=outcome)) is is_failure
