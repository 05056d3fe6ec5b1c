"""The recommendation at the top of a report: only where the net failed, and only what truly does better."""

from dataclasses import replace

import msgspec
import pytest

from harness.core.experiment.types import Call
from harness.core.odds.setting import Setting
from harness.report import recommended
from harness.report.judged_run import JudgedRun
from harness.report.markdown import markdown
from harness.report.page import page
from harness.report.recommended import recommendation


def called(sample: JudgedRun, call: Call) -> JudgedRun:
    """The sample, as if it had come out so."""
    return replace(sample, verdict=msgspec.structs.replace(sample.verdict, call=call))


def test_a_net_that_held_gets_none(sample: JudgedRun) -> None:
    """Caught is caught."""
    assert recommendation(sample) is None


def test_a_net_that_held_by_luck_gets_one_that_says_for_what(
    sample: JudgedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one that would catch half of such releases; what did no harm need not be caught."""
    monkeypatch.setattr(recommended, "chance", lambda _: 0.5)
    advised = recommendation(sample)
    assert advised is not None
    assert advised.text.startswith("Recommended: ")
    assert "reckoned for releases of which" in advised.text
    assert recommendation(called(sample, Call.CLEARED)) is None


def test_a_net_that_failed_gets_one_sentence_and_a_snippet(sample: JudgedRun) -> None:
    """On the page and in Markdown, with the alarm to paste."""
    run = called(sample, Call.FALSE_ALARM)
    advised = recommendation(run)
    assert advised is not None
    assert advised.text.startswith("Recommended: Errors Sum")
    assert "AWS::CloudWatch::Alarm" in advised.snippet
    assert 'id="advised"' in page(run, None, advised)
    text = markdown(run.verdict, "", "", advised)
    assert advised.snippet in text
    assert text.index("Recommended") < text.index("| ")


def test_a_run_that_nothing_does_better_for_gets_none(sample: JudgedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """No word is said where the numbers hold none."""
    nothing = recommended.advise(sample_setting(sample), rollouts=False)
    monkeypatch.setattr(recommended, "advise", lambda *_, **__: msgspec.structs.replace(nothing, recommended=None))
    assert recommendation(called(sample, Call.MISSED)) is None


def sample_setting(sample: JudgedRun) -> Setting:
    """What the sample is reckoned as."""
    return recommended.reckoned_of([(sample.evidence, sample.events)]).setting
