"""A run without requests of its own: what CloudWatch counted of other people's is told all the same."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from harness.core.timeline.events import AlarmChanged, AlarmSeen, Arrivals, Event, Requests, RunStarted
from harness.core.verdict.judge import judge
from harness.core.verdict.types import Verdict
from harness.report import facts
from harness.report.judged_run import AFTERWARDS_S, JudgedRun
from harness.report.lanes import spans
from harness.report.markdown import markdown
from harness.report.page import page
from tests.core.verdict.test_over import BROKEN, CREATED_S, STOPPED_S, alias, over


@pytest.fixture(scope="module")
def watched(row: Callable[..., list[Event]], past: Callable[..., JudgedRun]) -> JudgedRun:
    """A broken canary that was only watched."""
    seen = [event for event in row("broken-canary") if not isinstance(event, Requests | Arrivals)]
    return past([replace(event, sends=False) if isinstance(event, RunStarted) else event for event in seen])


@pytest.fixture(scope="module")
def verdict(watched: JudgedRun) -> Verdict:
    """Its verdict."""
    return judge(watched.evidence.experiment, watched.events)


def test_every_report_shows_both_arms(watched: JudgedRun, verdict: Verdict, shown: Callable[[Verdict], str]) -> None:
    """They are what the verdict stands on."""
    failures = str(verdict.arms.canary.failures)
    for text in (markdown(verdict), page(watched, None), shown(verdict)):
        told = " ".join(text.split())
        assert "other people's" in told.replace("&#39;", "'")
        assert failures in told
        assert facts.NOTHING_SENT not in told


def test_run_that_knows_of_no_request_says_so(unmeasured: Verdict) -> None:
    """Neither its own nor other people's."""
    assert facts.NOTHING_SENT in markdown(unmeasured)


def test_verdict_of_others_traffic_is_told_by_cloudwatch(verdict: Verdict) -> None:
    """The fixture is what it says."""
    assert (verdict.call, verdict.arms.source) == ("caught", "cloudwatch")


def test_chart_of_a_release_long_over_ends_soon_after_it(past: Callable[..., JudgedRun]) -> None:
    """However late somebody looked, and with the alarm's states of its own time."""
    run = past(over(alias(), *BROKEN, *alarm_rang()))
    lanes = {span.lane: span for span in spans(run)}
    assert run.ends_s == run.rollout.release.restored[1] + AFTERWARDS_S  # type: ignore[index]
    assert (lanes["deployment"].from_s, lanes["alarm"].kind) == (CREATED_S, "alarm")
    assert all(span.from_s <= span.to_s <= run.ends_s for span in spans(run))


def alarm_rang() -> list[Event]:
    """The alarm rang when the deployment was stopped, and nobody took it back."""
    seen = {"asked_s": 2.0, "at_s": 2.1}
    return [
        AlarmChanged(name="errors", changed_s=STOPPED_S - 1, from_state="OK", to_state="ALARM", **seen),
        AlarmSeen(name="errors", state="ALARM", since_s=STOPPED_S - 1, **seen),
    ]
