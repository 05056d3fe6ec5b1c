"""Pictures that stand alone: of a prediction, and of a sweep."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import altair
import pytest

from harness.cli.main import main
from harness.core.odds.curve import detection_curve, roll_back_bins, share_curve
from harness.core.odds.exact import outlook
from harness.report.judged_run import JudgedRun
from harness.report.odds_chart import odds_chart
from harness.report.odds_of_run import odds_of
from harness.report.page import page
from harness.report.picture_page import save_picture
from tests.core.odds.releases import setting, watch


def spec_of(**given: Any) -> Any:
    """The chart of a prediction."""
    made = setting(2.0, **given)
    return odds_chart(detection_curve(made), share_curve(made), roll_back_bins(made), now=2.0, title="<b>mine</b>")


def test_a_prediction_is_drawn_over_rate_over_share_and_in_time() -> None:
    """Three panels that Vega-Lite takes; a curve never falls where more of it fails."""
    spec = spec_of()
    altair.VConcatChart.from_dict(spec).to_dict(validate=True)
    assert [panel["data"]["name"] for panel in spec["vconcat"]] == ["by_share", "by_rate", "times"]
    curve = [row["chance"] for row in spec["datasets"]["by_rate"] if row["of"] == "2/s"]
    assert curve == sorted(curve)
    assert curve[0] < 0.01 < 0.99 < curve[-1]


def test_the_times_drawn_are_those_that_are_told() -> None:
    """Half of them lie below the median, and together they are the chance of a rollback in time."""
    made = setting(2.0, arrivals="even")
    bins, told = roll_back_bins(made), outlook(made)
    assert told.roll_back_s
    assert sum(one.chance for one in bins) == pytest.approx(told.rolled_back.value, abs=0.01)
    below = sum(one.chance for one in bins if one.until_s <= told.roll_back_s.p50 + 10)
    assert 0.5 <= below / told.rolled_back.value < 0.75


def test_played_times_are_drawn_as_those_by_formula() -> None:
    """Of two alarms, the second of which never rings, as of one."""
    played = roll_back_bins(setting(2.0, watch(), watch("never", threshold=1e6)))
    told = {one.from_s: one.chance for one in roll_back_bins(setting(2.0))}
    assert max(abs(one.chance - told.get(one.from_s, 0.0)) for one in played) < 0.02


def test_where_nothing_is_rolled_back_no_times_are_drawn() -> None:
    """The curves are all the same."""
    assert [panel["data"]["name"] for panel in spec_of(guards=())["vconcat"]] == ["by_share", "by_rate"]


def test_a_page_holds_its_picture_and_escapes_its_title(tmp_path: Path) -> None:
    """It loads nothing and runs nothing."""
    save_picture(spec_of(), tmp_path / "odds.html", "<b>mine</b>")
    text = (tmp_path / "odds.html").read_text()
    assert "&lt;b&gt;mine&lt;/b&gt;" in text
    assert "<b>mine" not in text
    assert "<script" not in text
    ET.fromstring(text[text.index("<svg") : text.index("</svg>") + 6])


def test_predict_and_whatif_save_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the end of the name."""
    sample = Path(__file__).parents[2] / "reports" / "sample"
    assert main(["predict", "broken-canary", "-q", "--chart", str(tmp_path / "odds.html")]) == 0
    assert main(["whatif", str(sample), "--sweep", "threshold=1..3", "--chart", str(tmp_path / "heat.html")]) == 0
    assert all("</svg>" in (tmp_path / name).read_text() for name in ("odds.html", "heat.html"))
    assert main(["predict", "broken-canary", "--chart", "odds.pdf"]) == 2
    assert "must end in .svg, .png or .html" in capsys.readouterr().err


def test_the_page_of_a_run_shows_the_odds_where_they_are_asked_for(sample: JudgedRun) -> None:
    """With what they take for granted; without being asked it waits for none."""
    drawn = odds_of(sample)
    assert drawn.picture
    assert drawn.assumed
    assert not re.search(r'id="clip|url\(#clip', drawn.picture), "the chart's own would clip it"
    shown = page(sample, None, None, drawn)
    assert 'id="odds"' in shown
    assert "Reckoned from this run: " in shown
    assert 'id="odds"' not in page(sample, None)


def test_a_run_without_a_deployment_gets_a_sentence_in_place_of_its_odds(past: Any) -> None:
    """And no picture."""
    drawn = odds_of(past([]))
    assert drawn.picture is None
    assert drawn.of.startswith("Nothing can be reckoned: ")
    assert drawn.of in page(past([]), None, None, drawn)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_of_a_page_stand_out(scheme: Any, browser: Any, tmp_path: Path) -> None:
    """Whether the reader's screen is light or dark."""
    save_picture(spec_of(), tmp_path / "odds.html", "mine")
    opened = browser.new_context(color_scheme=scheme).new_page()
    opened.goto((tmp_path / "odds.html").as_uri())
    fill = opened.evaluate("getComputedStyle(document.querySelector('#chart svg text')).fill")
    assert fill == {"light": "rgb(27, 31, 36)", "dark": "rgb(232, 235, 239)"}[scheme]
    opened.context.close()
