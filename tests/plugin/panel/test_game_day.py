"""A game day in the browser, against a rehearsal cloud."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from harness.core.timeline.events import Asked, FaultStarted, Note, Write
from harness.rehearsal.fixtures import aws_environment
from tests import pipeline

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from harness.rehearsal.cloud import Cloud

pytestmark = pytest.mark.slow

SPEED = 30.0
CALM = ("--canary-arrival-rate", "5")
SOON_MS = 60_000
"""Far longer than anything takes, on a machine that others burden, too."""
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 360, "height": 740}


def seen_by_the_watcher(state: dict[str, Any]) -> bool:
    """Whether the run has begun to watch, so that the next deployment is the one it waits for."""
    run = state["run"]
    return run["stage"] == "running" and run["phase"] == "waiting" and bool(run["alarms"])


def headline(page: "Page") -> Any:
    """The headline of the panel."""
    return page.get_by_test_id("headline")


def slide(page: "Page", label: str, value: str) -> None:
    """Moves a slider, as a person who lets go of it."""
    page.get_by_label(label).evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('change', { bubbles: true })) }",
        value,
    )


def test_a_game_day_from_the_first_start_to_the_second_report(
    web: Callable[..., Any],
    browser: "Browser",
    canary_cloud_factory: Callable[..., "Cloud"],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two people watch a promotion; then one raises the error share, and both see the alarm and the rollback."""
    cloud = canary_cloud_factory(speed=SPEED)
    variables = dict(aws_environment(cloud, monkeypatch))
    ready = cloud.ready
    variables["LOCUST_CANARY_CLOCK"] = ready["clock"]
    named = ("--canary-application", ready["application"], "--canary-group", ready["group"], *CALM)
    locust = web("--processes", "2", "--host", ready["service_url"], *named, **variables)
    ana = browser.new_context(viewport=WIDE).new_page()
    bea = browser.new_context(viewport=NARROW, color_scheme="dark").new_page()
    broken: list[str] = []
    for page in (ana, bea):
        page.set_default_timeout(SOON_MS)
        page.on("pageerror", lambda error: broken.append(str(error)))

    _one_starts_a_test(ana, locust, ready)
    _another_reads_the_same(ana, bea, locust)
    _the_alarm_rolls_the_next_one_back(ana, bea, locust, ready)
    _both_runs_are_there(ana, bea)
    assert not broken

    first, second = locust.events(0), locust.events(1)
    assert [(one.by, one.text) for one in first if isinstance(one, Note)] == [
        ("Bea (127.0.0.1)", "<b>here it comes</b>")
    ]
    assert [(one.what, one.value, one.by) for one in second if isinstance(one, Asked)] == [
        ("start", "", "someone (127.0.0.1)"),
        ("error_share", "0.2", "someone (127.0.0.1)"),
    ]
    assert "0.2" in [one.value for one in second if isinstance(one, FaultStarted)]


def _one_starts_a_test(ana: "Page", locust: Any, ready: Any) -> None:
    """The tab is in Locust's own page, from its start on."""
    from playwright.sync_api import expect

    ana.goto(f"{locust.url}/")
    ana.get_by_role("link", name="Canary").click()
    expect(ana.get_by_role("heading", name="No release yet")).to_be_visible()
    ana.get_by_role("link", name="Canary").click()
    ana.get_by_role("button", name="Start", exact=True).click()
    ana.get_by_role("tab", name="Canary").click()
    expect(headline(ana)).to_have_text("waiting for the deployment", timeout=SOON_MS)
    locust.wait_for(seen_by_the_watcher)
    pipeline.deploy(ready)
    expect(headline(ana)).to_have_text("the canary takes its share of the traffic", timeout=SOON_MS)


def _another_reads_the_same(ana: "Page", bea: "Page", locust: Any) -> None:
    """A second person sees the same, on a phone, and both read who marked what."""
    from playwright.sync_api import expect

    bea.goto(f"{locust.url}/?tab=canary")
    expect(headline(bea)).to_have_text("the canary takes its share of the traffic")
    assert bea.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    expect(bea.locator("#canary-panel")).to_have_attribute("data-theme", "dark")
    bea.get_by_label("Your name").fill("Bea")
    bea.get_by_label("Note").fill("<b>here it comes</b>")
    bea.get_by_role("button", name="Mark").click()
    for page in (ana, bea):
        expect(page.get_by_test_id("story")).to_contain_text("Bea (127.0.0.1): <b>here it comes</b>")
        expect(page.get_by_role("meter")).to_have_attribute("aria-valuenow", "10")
    expect(headline(ana)).to_have_text(re.compile("PROMOTED · cleared"), timeout=SOON_MS)
    expect(headline(bea)).to_have_text(re.compile("PROMOTED · cleared"))


def _the_alarm_rolls_the_next_one_back(ana: "Page", bea: "Page", locust: Any, ready: Any) -> None:
    """The next test is another run."""
    from playwright.sync_api import expect

    ana.get_by_role("button", name="Run again").click()
    expect(headline(ana)).to_have_text("waiting for the deployment", timeout=SOON_MS)
    locust.wait_for(seen_by_the_watcher)
    pipeline.deploy(ready, ready["baseline"])
    expect(headline(ana)).to_have_text("the canary takes its share of the traffic", timeout=SOON_MS)
    slide(ana, "Error share", "0.2")
    expect(bea.get_by_label("Error share")).to_have_value("0.2")
    expect(ana.get_by_test_id("story")).to_contain_text("asked for error share 0.2")
    expect(bea.locator(".alarm .pill").first).to_have_text("ALARM", timeout=SOON_MS)
    expect(headline(ana)).to_have_text(re.compile("ROLLED BACK · caught"), timeout=SOON_MS)
    for step in ("first fault request", "alarm in ALARM", "deployment stopped", "all traffic on the baseline"):
        expect(ana.get_by_test_id("ledger").locator("tr.done", has_text=step)).to_have_count(1)


def _both_runs_are_there(ana: "Page", bea: "Page") -> None:
    """The report is one click away, and the run before it is listed."""
    from playwright.sync_api import expect

    with ana.context.expect_page() as opened:
        ana.get_by_role("link", name="Open the report").click()
    expect(opened.value.locator("body")).to_contain_text(re.compile("rolled back", re.IGNORECASE))
    expect(ana.get_by_test_id("runs").locator("tbody tr")).to_have_count(2)
    expect(ana.get_by_test_id("runs")).to_contain_text("promoted")
    for table in ("table.runs", "table.arms"):
        assert bea.locator(table).evaluate("(one) => one.scrollWidth <= one.parentElement.clientWidth"), table


def test_a_person_forces_the_alarm_where_that_is_allowed(
    web: Callable[..., Any],
    page: "Page",
    canary_cloud_factory: Callable[..., "Cloud"],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rehearsal allows it after a question, and takes it back; on AWS it takes leave to write, and says so."""
    from playwright.sync_api import expect

    cloud = canary_cloud_factory(speed=SPEED)
    variables = dict(aws_environment(cloud, monkeypatch))
    ready = cloud.ready
    named = ("--canary-application", ready["application"], "--canary-group", ready["group"], *CALM)
    rehearsal = web("--host", ready["service_url"], *named, LOCUST_CANARY_CLOCK=ready["clock"], **variables)
    form = f"user_count=1&spawn_rate=1&host={ready['service_url']}".encode()
    rehearsal.ask("/swarm", form)
    rehearsal.wait_for(seen_by_the_watcher)
    page.goto(f"{rehearsal.url}/canary/")
    page.get_by_label("Your name").fill("Ana")
    page.get_by_role("button", name="Force ALARM").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Force ALARM").click()
    page.get_by_role("dialog").get_by_role("button", name="Force ALARM").click()
    expect(page.locator(".alarm .pill").first).to_have_text("ALARM", timeout=SOON_MS)
    expect(page.get_by_text("force alarm ALARM Ana (127.0.0.1)")).to_be_visible()
    page.get_by_role("button", name="Release").click()
    page.get_by_role("dialog").get_by_role("button", name="Release").click()
    expect(page.get_by_text("No fault is in effect.")).to_be_visible()
    events = rehearsal.events()
    assert [(one.what, one.by) for one in events if isinstance(one, Asked)] == [
        ("force_alarm", "Ana (127.0.0.1)"),
        ("release_alarm", "Ana (127.0.0.1)"),
    ]
    _an_operator_rolls_it_back(page, rehearsal, ready)
    writes = [one.step for one in events if isinstance(one, Write)]
    assert writes[0] == "intended"
    assert "done" in writes  # a look that began before may have it set twice, which does no harm
    assert writes[-1] == "undone"
    production = web("--host", ready["service_url"], *named, **variables)
    production.ask("/swarm", form)
    state = production.wait_for(seen_by_the_watcher)
    assert "--canary-allow-writes" in state["controls"]["force_alarm"]["why"]
    assert state["controls"]["stop_faults"]["allowed"]
    assert production.steer("force-alarm", by="bot")[0] == 409
    assert production.steer("roll-back", by="bot")[0] == 409
    asked = [(one.what, one.by, one.refused) for one in production.events() if isinstance(one, Asked)]
    assert asked == [(what, "bot (127.0.0.1)", state["controls"][what]["why"]) for what in ("force_alarm", "roll_back")]


def _an_operator_rolls_it_back(page: "Page", rehearsal: Any, ready: Any) -> None:
    """After a question; the verdict tells it as theirs, and afterwards there is nothing to stop."""
    from playwright.sync_api import expect

    pipeline.deploy(ready)
    expect(headline(page)).to_have_text("the canary takes its share of the traffic", timeout=SOON_MS)
    page.get_by_role("button", name="Roll back now").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back now").click()
    expect(headline(page)).to_have_text(re.compile("ROLLED BACK · inconclusive"), timeout=SOON_MS)
    expect(page.get_by_text("Ana (127.0.0.1), as operator, stopped the deployment")).to_be_visible()
    assert rehearsal.steer("roll-back")[0] == 409
