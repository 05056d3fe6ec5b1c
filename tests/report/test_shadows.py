"""Alarms that do not exist, as reports tell of them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from harness.core.verdict.types import ShadowFacts, Verdict
from harness.report.chart import chart
from harness.report.judged_run import JudgedRun
from harness.report.lanes import spans
from harness.report.markdown import markdown
from harness.report.page import page
from harness.report.shadows import ABOUT, HEAD, notes, rows, sentences
from tests.core.verdict.test_shadows import NEVER, STRICT, watched

Past = Callable[..., JudgedRun]


def with_facts(run: JudgedRun, *seen: ShadowFacts) -> Verdict:
    """The run's verdict with these shadow alarms."""
    return replace(run.verdict, shadow=seen)


def test_all_reports_tell_of_them_beside_the_real_alarm(past: Past, row: Any, shown: Any) -> None:
    """As a measure, in the words of one sentence each; the page has a table whose first row is the real alarm's."""
    run = past(watched(row("erroruser"), STRICT, NEVER))
    table = rows(run.verdict, ["Errors Sum >= 3"])
    assert table[0] == ("(the real alarm)", "Errors Sum >= 3", "120 s", "", "rolled back", "caught", "")
    assert table[1][2:] == (
        "77–131 s",
        "between 10 s later and 44 s earlier",
        "stopped the release",
        "caught",
        "0 of 1",
    )
    assert table[2][2:] == ("not by then", "–", "–", "inconclusive", "none")
    assert {len(one) for one in table} == {len(HEAD)}
    html, text = page(run, None), re.sub(r"\\", "", markdown(run.verdict))
    assert ABOUT in html
    for said in sentences(run.verdict):
        assert said in text
        assert said in re.sub(r"\s+", " ", shown(run.verdict))
    for note in notes(run.verdict):
        assert note in html


def test_a_run_without_them_says_nothing_of_them(sample: JudgedRun) -> None:
    """Nor does its page have an empty table."""
    assert rows(sample.verdict) == []
    assert ABOUT not in page(sample, None)
    assert "hadow" not in markdown(sample.verdict)


def test_their_lanes_begin_when_cloudwatch_would_have_shown_them(past: Past, row: Any) -> None:
    """As those of the real alarm, at the latest instant that is possible, so that neither looks earlier than it is."""
    run = past(watched(row("erroruser"), STRICT))
    drawn = [span for span in spans(run) if span.lane == "shadow strict"]
    assert [span.kind for span in drawn] == ["blind", "ok", "alarm"]
    assert drawn[-1].from_s == 120.0 + 71.0
    spec = chart(run)
    assert spec
    assert any(one["lane"] == "shadow strict" for one in spec["datasets"]["spans"])


@pytest.mark.parametrize(
    ("lead_s", "words"),
    [((20.0, 80.0), "20–80 s earlier"), ((-80.0, -20.0), "20–80 s later"), ((-5.0, 9.0), "between 5 s later and 9")],
)
def test_the_lead_has_bounds(lead_s: Any, words: str, sample: JudgedRun) -> None:
    """What may be later is not told as earlier."""
    seen = ShadowFacts(name="s", rule="r", alarm_s=(10.0, 60.0), lead_s=lead_s, stops=True, alarms=1, false_alarms=0)
    assert words in rows(with_facts(sample, seen))[1][3]
    assert f"{words}" in sentences(with_facts(sample, seen))[0]


def test_reasons_that_are_the_same_stand_once(sample: JudgedRun) -> None:
    """With the names of all that they are true of."""
    seen = [ShadowFacts(name=name, why="nobody knows") for name in ("a", "b")]
    assert notes(with_facts(sample, *seen)) == ["a, b: nobody knows."]


def test_foreign_names_are_no_markup(past: Past, row: Any) -> None:
    """A name is a person's own text."""
    run = past(watched(row("erroruser"), {**STRICT, "name": "<b>x</b>"}))
    assert "<b>x" not in page(run, None)
    assert "<b>x" not in markdown(run.verdict)
