"""A run without requests of its own: what CloudWatch counted of other people's is told all the same."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from harness.core.judge import judge
from harness.core.timeline import Arrivals, Event, Requests, RunStarted
from harness.core.verdict import Verdict
from harness.report import facts
from harness.report.history import History
from harness.report.markdown import markdown
from harness.report.page import page


@pytest.fixture(scope="module")
def watched(row: Callable[..., list[Event]], past: Callable[..., History]) -> History:
    """A broken canary that was only watched."""
    seen = [event for event in row("broken-canary") if not isinstance(event, Requests | Arrivals)]
    return past([replace(event, sends=False) if isinstance(event, RunStarted) else event for event in seen])


@pytest.fixture(scope="module")
def verdict(watched: History) -> Verdict:
    """Its verdict."""
    return judge(watched.found.experiment, watched.events)


def test_every_report_shows_both_arms(watched: History, verdict: Verdict, shown: Callable[[Verdict], str]) -> None:
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
