"""The second opinion, as reports tell it."""

from collections.abc import Callable
from typing import Any

import altair
import pytest
from msgspec.structs import replace

from harness.core.verdict.second_opinion import courses_of
from harness.core.verdict.types import EProcess, SecondOpinion, Verdict
from harness.report.chart import chart
from harness.report.judged_run import JudgedRun
from harness.report.markdown import markdown
from harness.report.page import page
from harness.report.second_opinion import UNKNOWN, live, second_opinion

Past = Callable[..., JudgedRun]
STOPPED = EProcess(e_value=1e9, least=40, stop_s=9.0, canary=(3, 6), baseline=(0, 174))
QUIET = EProcess(e_value=1.25, least=40, stop_s=None, canary=(0, 600), baseline=(0, 5400))


def told(run: JudgedRun, **opinion: Any) -> str:
    """The words for an opinion."""
    return second_opinion(replace(run.verdict, second_opinion=SecondOpinion(**opinion)))


def test_it_is_told_in_all_reports_as_a_measure(past: Past, row: Any) -> None:
    """When it would have stopped the release, how long before the alarm, and what that would have saved."""
    run = past(row("broken-canary"))
    words = second_opinion(run.verdict)
    assert words.startswith("Second opinion, a measure beside the verdict: ")
    assert "s before the alarm: 3 of 6 answers of the canary failed, and 0 of 174 of the baseline." in words
    assert "requests went to the canary, and" in words
    assert words in page(run, None)
    assert words in markdown(run.verdict).replace("\\", "")


@pytest.mark.parametrize(
    ("lead_s", "words"),
    [
        ((80.0, 85.0), "80.0–85.0 s before the alarm"),
        ((-12.0, -12.0), "12.0 s after the alarm"),
        ((-2.0, 3.0), "about when the alarm rang"),
        (None, "and no alarm was seen to ring"),
    ],
)
def test_the_lead_is_told_with_its_bounds(lead_s: Any, words: str, sample: JudgedRun) -> None:
    """An alarm that rang earlier is not told as a later one."""
    assert f"9.0 s after its creation, {words}: " in told(sample, failures=STOPPED, stop_s=9.0, lead_s=lead_s, spared=0)


def test_a_stop_that_was_made_is_told_as_made(sample: JudgedRun) -> None:
    """It is no "would have" then."""
    deployment = replace(sample.verdict.deployment, stopped_on="failures")
    opinion = SecondOpinion(failures=STOPPED, stop_s=9.0)
    words = second_opinion(replace(sample.verdict, second_opinion=opinion, deployment=deployment))
    assert "had enough to stop the release, and the harness did: 9.0 s after its creation" in words
    assert "would have" not in words


@pytest.mark.parametrize(("upto_s", "words"), [(60.0, ""), (75.0, "evidence against the canary: ")])
def test_the_live_evidence_is_one_line(past: Past, row: Any, upto_s: float, words: str) -> None:
    """Empty before both versions share the traffic; no smaller than what suffices once it sufficed."""
    run = past([event for event in row("broken-canary") if event.at_s < upto_s])
    assert live(courses_of(run.evidence)).startswith(words)
    assert bool(live(courses_of(run.evidence))) == bool(words)


def test_no_stop_is_told_with_the_evidence(sample: JudgedRun) -> None:
    """And claims no health."""
    words = told(sample, failures=QUIET, slowness=QUIET, slow_above_ms=70.0)
    assert words.endswith(
        "would not have stopped the release; the highest e-value of failures 1.25 and of slowness 1.25, "
        "where 40 stops it."
    )


def test_no_opinion_is_told_as_none(past: Past, row: Any) -> None:
    """Such as of a release without a canary."""
    verdict: Verdict = past(row("all-at-once")).verdict
    assert second_opinion(verdict) == UNKNOWN


def test_the_chart_shows_the_evidence_below_the_alarm(past: Past, row: Any) -> None:
    """On the same time axis, up to what stops the release."""
    spec: Any = chart(past(row("broken-canary")))
    altair.VConcatChart.from_dict(spec).to_dict(validate=True)
    assert spec["vconcat"][-1]["data"]["name"] == "evidence"
    first = next(point for point in spec["datasets"]["evidence"] if point["e"] >= point["least"])
    assert (first["of"], first["t"]) == ("failures", pytest.approx(9.02))


def test_without_a_bad_answer_there_is_no_evidence_to_draw(past: Past, row: Any) -> None:
    """The line would be flat."""
    spec: Any = chart(past(row("healthy")))
    assert spec["datasets"]["evidence"] == []
    assert spec["vconcat"][-1]["data"]["name"] != "evidence"
