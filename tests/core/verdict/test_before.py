"""Failures of good requests that were not there before the deployment are no health, whichever version answered."""

import random
from typing import Any

import pytest
from msgspec.structs import replace

from harness.core.timeline.events import Event, MetricSeen, Requests
from harness.core.timeline.histogram import bin_of

UNDONE: dict[str, Any] = {"end": "rolled_back", "end_s": 191.0, "alarms": ((180.5, 300.0),)}
AT_ONCE: dict[str, Any] = {
    "config": ("CodeDeployDefault.LambdaAllAtOnce", "all_at_once", None, None),
    "shifts": ((2.0, 1.0),),
    "end_s": 3.0,
    "after_s": 240.0,
}
CREATED_S = 60.0


def nameless_failures(events: list[Event]) -> list[Event]:
    """The same where no failure carries the header, and good answers do."""
    return [
        replace(event, version=None) if isinstance(event, Requests) and event.outcome == "failed" else event
        for event in events
    ]


def failing(events: list[Event], share: float, since_s: float, until_s: float, **given: Any) -> list[Event]:
    """The same with that share of the good answers of a version, or of all, failed; times are since the creation."""
    drawn, told = random.Random(7), []
    version, status = given.get("version"), given.get("status", 500)
    for event in events:
        meant = isinstance(event, Requests) and event.outcome == "ok" and version in (None, event.version)
        if not (meant and isinstance(event, Requests) and since_s <= event.at_s - CREATED_S < until_s):
            told.append(event)
            continue
        hurt = sum(drawn.random() < share for _ in range(event.count))
        for count, changes in ((hurt, {"outcome": "failed", "status": status}), (event.count - hurt, {})):
            latency = {bin_of(0.02): count}
            told += [replace(event, count=count, latency=latency, service_time=latency, **changes)] if count else []
    return told


@pytest.mark.parametrize("status", [0, 200, 404, 429, 500])
@pytest.mark.parametrize("share", [1.0, 0.3, 0.05])
@pytest.mark.parametrize("ending", [{}, UNDONE, AT_ONCE], ids=["promoted", "rolled back", "all at once"])
def test_failures_of_any_status_that_no_header_names_are_in_doubt(
    build: Any, judged: Any, status: int, share: float, ending: dict[str, Any]
) -> None:
    """A refusal, a failed check of the body, and no answer at all may be the canary's as well as a 500."""
    release: dict[str, Any] = {"canary_fails": share, "failed_status": status, **ending}
    verdict = judged(build(headers=False, **release))
    assert verdict.call == "inconclusive", verdict.because
    assert judged(nameless_failures(build(**release))).call in ("inconclusive", "missed", "caught")


@pytest.mark.parametrize("headers", [True, False])
@pytest.mark.parametrize("status", [404, 500, 502])
@pytest.mark.parametrize("share", [0.01, 0.05])
def test_failures_at_the_rate_from_before_are_none_of_the_release(
    build: Any, judged: Any, headers: bool, status: int, share: float
) -> None:
    """A service that always fails as often is not made worse, and a rollback of it was a false alarm."""
    always: dict[str, Any] = {"headers": headers, "failed_status": status, "canary_fails": share}
    always |= {"baseline_fails": share}
    assert judged(build(**always)).call == "cleared"
    assert judged(build(**always, **UNDONE)).call == "false_alarm"


@pytest.mark.parametrize("status", [404, 500])
def test_canary_that_fails_more_than_was_usual_is_in_doubt(build: Any, judged: Any, status: int) -> None:
    """Its failures are few among those that the service always had."""
    usual: dict[str, Any] = {"headers": False, "failed_status": status, "baseline_fails": 0.01}
    assert judged(build(**usual, canary_fails=0.3)).call == "inconclusive"
    assert judged(build(**usual, canary_fails=0.3, **UNDONE)).call == "inconclusive"


@pytest.mark.parametrize("share", [0.3, 0.05])
def test_errors_of_others_explain_no_failure_of_ours(build: Any, judged: Any, share: float) -> None:
    """CloudWatch counts far more invocations than we sent, so its errors may be anybody's."""

    def beside(event: Event) -> Event:
        if not isinstance(event, MetricSeen) or event.version == "2":
            return event
        more = 120.0 if event.metric == "Errors" else 6000.0
        return replace(event, points=tuple((at_s, value + more) for at_s, value in event.points))

    events = build(headers=False, canary_fails=share, failed_status=500)
    assert judged([*map(beside, events)]).call == "inconclusive"


@pytest.mark.parametrize("headers", [True, False])
@pytest.mark.parametrize("guards", [None, ()], ids=["an alarm", "no alarm"])
@pytest.mark.parametrize(("since_s", "until_s"), [(10, 300), (5, 60), (250, 306), (10, 500)])
def test_failures_of_both_versions_that_begin_with_the_canary_are_in_doubt(
    build: Any, judged: Any, headers: bool, guards: Any, since_s: float, until_s: float
) -> None:
    """A release may hurt the baseline, too: its migration locks the database that both use."""
    calm = build(headers=headers, guards=guards)
    verdict = judged(failing(calm, 0.3, since_s, until_s))
    assert verdict.call in ("inconclusive", "missed"), verdict.because
    assert not any("No harm was found" in said for said in verdict.because)
    undone = judged(failing(build(headers=headers, guards=guards, **UNDONE), 0.3, since_s, until_s))
    assert undone.call in ("inconclusive", "caught") or since_s > UNDONE["end_s"]


def test_failures_of_the_baseline_do_not_excuse_the_canary(build: Any, judged: Any) -> None:
    """The canary alone is harm; with the baseline failing as much at the same time, it is not known."""
    alone = failing(build(), 0.3, 10, 300, version="2")
    assert judged(alone).call == "missed"
    both = judged(failing(alone, 0.3, 10, 300, version="1"))
    assert both.call == "inconclusive"
    assert any("before the deployment: the release may hurt both versions" in said for said in both.because)


def test_few_failures_more_than_before_are_borne(build: Any, judged: Any) -> None:
    """What the alarm of the group bears is no doubt, and one failure is no rise."""
    assert judged(failing(build(), 1 / 3000, 10, 300)).call == "cleared"


def test_too_few_requests_before_show_no_failures_as_usual(build: Any, judged: Any) -> None:
    """None of twenty had failed: that a third fails now may be new."""
    events = failing(build(rate=1.0, created_s=CREATED_S), 0.3, 5, 300)
    thin = [event for event in events if not isinstance(event, Requests) or not 10 <= event.at_s < CREATED_S]
    assert judged(thin).call in ("inconclusive", "missed")
    before = [event for event in events if not isinstance(event, Requests) or event.at_s >= CREATED_S]
    assert judged(before).call in ("inconclusive", "missed")
