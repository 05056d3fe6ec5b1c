"""report.html in a browser: from the disk, without a network."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from harness.core.experiment.types import Call, Experiment
from harness.core.verdict.types import Verdict
from harness.report.chart import chart
from harness.report.compare import compare
from harness.report.compared_runs import ComparedRun
from harness.report.comparison import compared_page
from harness.report.folder import RunFolder
from harness.report.judged_run import JudgedRun
from harness.report.page import page as page_of
from harness.report.shelf import write_index

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Open = Callable[..., "Page"]
PHONE = {"width": 360, "height": 740}
DARK_SUM = 150


@pytest.fixture(scope="module")
def file(sample: JudgedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the sample on the disk."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page_of(sample, chart(sample)), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: "Browser", file: Path) -> Any:
    """Opens the page with the network cut: `opened(viewport=..., color_scheme="dark")`; no complaint is forgiven."""
    contexts, complaints = [], []

    def open_page(**options: Any) -> "Page":
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(file.as_uri())
        if options.get("java_script_enabled", True):
            page.wait_for_selector("#zoom:not([hidden])")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def until(page: "Page", holds: Callable[[], bool]) -> None:
    """Waits for something that the page does by itself; its policy lets nobody evaluate text in it."""
    for _ in range(200):
        if holds():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it never came")


def drawn_width(page: "Page") -> float:
    """How wide the chart is drawn."""
    return float(page.evaluate("document.querySelector('#chart svg').getBoundingClientRect().width"))


def laid_out_width(page: "Page") -> float:
    """How wide the chart was laid out; drawn narrower, its letters are smaller than they were meant to be."""
    return float(page.evaluate("document.querySelector('#chart svg').viewBox.baseVal.width"))


def ticks(page: "Page") -> list[str]:
    """The labels of all axes."""
    labels: Iterable[str] = page.evaluate(
        "[...document.querySelectorAll('#chart svg .role-axis-label text')].map(each => each.textContent)"
    )
    return sorted(labels)


def colour_sum(page: "Page", selector: str, name: str) -> int:
    """Red, green and blue of a colour added up, so dark is low."""
    colour: str = page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).{name}")
    return sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")[:3])


def test_chart_is_drawn_zooms_and_tells(opened: Open) -> None:
    """By buttons, back again, and with a tooltip for what is under the pointer."""
    page = opened(viewport={"width": 1280, "height": 900})
    whole = ticks(page)
    page.click("[data-zoom=in]")
    until(page, lambda: ticks(page) != whole)
    page.click("[data-zoom=all]")
    until(page, lambda: ticks(page) == whole)
    page.locator('#chart svg .mark-rect path[aria-label*="errors: ALARM"]').first.hover()
    tooltip = page.wait_for_selector("#vg-tooltip-element.visible")
    assert tooltip is not None
    assert "errors: ALARM" in tooltip.inner_text()


def lane_texts(page: "Page") -> list[str]:
    """Names of bars and numbers of steps."""
    texts: Iterable[str] = page.evaluate(
        "[...document.querySelectorAll('#chart svg .mark-text.role-mark text')].map(each => each.textContent)"
    )
    return [*texts]


def further_right(page: "Page") -> bool:
    """Moves what is shown by a quarter of it, as one looks for a place, and lets the names be set anew."""
    page.click("[data-zoom=right]")
    page.wait_for_timeout(200)
    return True


def test_zoom_reveals_names_and_steps(opened: Open) -> None:
    """Names stay where their bars are shown, steps that stand apart have a number each, and two seconds are enough."""
    page = opened(viewport={"width": 1280, "height": 900})
    assert "5 6" in lane_texts(page)
    for move in ("in", "in"):
        page.click(f"[data-zoom={move}]")
    until(page, lambda: further_right(page) and {"4", "5", "6"} <= set(lane_texts(page)))
    assert {"OK", "AllowTraffic", "error share 5 %"} <= set(lane_texts(page))
    for _ in range(20):
        page.click("[data-zoom=in]")
    assert all(len(label) <= len("1,000.5") for label in ticks(page) if label[-1].isdigit())
    page.click("[data-zoom=all]")
    until(page, lambda: "5 6" in lane_texts(page))


def test_latency_is_told_wherever_the_pointer_is_in_its_second(opened: Open) -> None:
    """A finger cannot hit a line."""
    page = opened(viewport=PHONE)
    second = page.locator("#chart svg .mark-rect path[aria-label*='p99 ms']").nth(50)
    second.scroll_into_view_if_needed()
    box = second.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    told = page.wait_for_selector("#vg-tooltip-element.visible")
    assert told is not None
    assert all(f"{name} ms" in told.inner_text() for name in ("p50", "p95", "p99"))


CUT_OFF = """
() => [...document.querySelectorAll("table")]
  .filter(table => !table.getClientRects().length || table.scrollWidth > table.parentElement.clientWidth)
  .map(table => table.id)
"""


def test_phone_needs_no_sideways_scrolling(opened: Open) -> None:
    """At 360 pixels the chart is redrawn to fit, its letters as large as ever, and no table is cut off."""
    page = opened(viewport=PHONE)
    page.click("#numbers summary")
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert drawn_width(page) <= PHONE["width"]
    assert drawn_width(page) == laid_out_width(page)
    page.set_viewport_size({"width": 1000, "height": 740})
    until(page, lambda: drawn_width(page) > 700)
    assert drawn_width(page) == laid_out_width(page)


OVERPRINTED = """
() => {
  const boxes = [...document.querySelectorAll("#chart svg .mark-text.role-mark text")]
    .filter(text => /^[\\d ]+$/.test(text.textContent)).map(text => text.getBoundingClientRect());
  return [boxes.length, boxes.filter((box, at) => at && box.left < boxes[at - 1].right).length];
}
"""


def test_phone_tells_steps_and_faults_apart(opened: Open) -> None:
    """No number stands on another, and the fault is named where its bar is too short for words."""
    page = opened(viewport=PHONE)
    labels, overprinted = page.evaluate(OVERPRINTED)
    assert labels > 1
    assert overprinted == 0
    assert "Faults: error share 5 % from" in page.inner_text("figcaption")


def test_comparison_fits_a_phone(browser: "Browser", caught: Verdict) -> None:
    """What got worse is on the screen, with the name of its run."""
    worse = replace(caught, call=Call.MISSED)
    runs = [ComparedRun(f"erroruser/{number}", verdict) for number, verdict in enumerate((caught, caught, worse))]
    context = browser.new_context(offline=True, viewport=PHONE)
    page = context.new_page()
    page.set_content(compared_page(compare(runs), runs))
    box = page.locator("td.worse").first.bounding_box()
    cut_off = page.evaluate(CUT_OFF)
    context.close()
    assert box is not None
    assert box["x"] + box["width"] <= PHONE["width"]
    assert cut_off == []


def test_list_of_runs_fits_a_phone_and_is_filtered(browser: "Browser", caught: Verdict, tmp_path: Path) -> None:
    """By words and by result; what is left is counted."""
    for day, result in enumerate(("as_expected", "contrary", "as_expected")):
        folder = RunFolder.create(tmp_path, f"a-rather-long-name-of-an-experiment-{day % 2}", day * 86_400.0)
        folder.write_manifest(Experiment(name=folder.path.parent.name), [])
        folder.write_verdict(replace(caught, result=result))
    context = browser.new_context(offline=True, viewport=PHONE)
    page = context.new_page()
    page.goto(write_index(tmp_path).as_uri())
    cut_off = page.evaluate(CUT_OFF)
    page.fill("#words", "experiment-0 1970-01-03")
    by_words = page.locator("#shelves tbody tr:visible").count()
    page.fill("#words", "")
    page.select_option("#result", "contrary")
    by_result, told = page.locator("#overview tbody tr:visible").count(), page.inner_text("#shown")
    context.close()
    assert cut_off == []
    assert (by_words, by_result, told) == (1, 1, "1 of 3 runs")


def test_dark_mode_is_dark_and_its_chart_legible(opened: Open) -> None:
    """Paper dark, letters light, in the chart too; and the other way round."""
    dark, light = opened(color_scheme="dark"), opened(color_scheme="light")
    label = "#chart svg .role-axis-label text"
    assert colour_sum(dark, "body", "backgroundColor") < DARK_SUM < colour_sum(dark, label, "fill")
    assert colour_sum(light, label, "fill") < DARK_SUM < colour_sum(light, "body", "backgroundColor")


def test_print_is_black_on_white_without_buttons(opened: Open) -> None:
    """Even of a dark page, and as a file of some pages."""
    page = opened(color_scheme="dark")
    page.emulate_media(media="print")
    assert colour_sum(page, "body", "backgroundColor") == 3 * 255
    assert not page.is_visible("#zoom")
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_without_scripts_the_numbers_are_there(opened: Open) -> None:
    """A build server that forbids scripts shows the table that the chart stands for."""
    page = opened(java_script_enabled=False)
    assert page.is_visible("#minutes")
    assert page.is_visible("text=The chart needs scripts")


CONTRAST = """
() => {
  const channel = value => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const paper = element => {
    for (; element; element = element.parentElement) {
      const [r, g, b, a = 1] = parts(getComputedStyle(element).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll("main *, header *, footer *")) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || element.closest("svg, script, style") || !element.getClientRects().length) continue;
    const [one, other] = [light(parts(getComputedStyle(element).color)), light(paper(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) faint.push(`${element.tagName} ${element.textContent.slice(0, 40)} ${ratio.toFixed(2)}`);
  }
  return faint;
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(opened: Open, scheme: str) -> None:
    """4.5 to 1 or more, everywhere, as WCAG AA asks."""
    page = opened(color_scheme=scheme)
    page.click("#numbers summary")
    assert page.evaluate(CONTRAST) == []
