"""The page behind a login and below a base path, its controls, and who may use them. No cloud: nothing is written."""

import json
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.core.timeline.events import Asked, FaultEnded, Note, RunEnded
from harness.plugin.panel.controls import CONTROLS

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

NOWHERE = "http://127.0.0.1:9"
BASE = "/load"
LOGIN = """
import os
from flask import Blueprint, redirect, request
from flask_login import UserMixin, login_user
from locust import between, events
from harness.plugin.users import CanaryUser


class Customer(CanaryUser):
    wait_time = between(0.5, 1.5)


class Person(UserMixin):
    def __init__(self, name):
        self.id = name


@events.init.add_listener
def add_login(environment, web_ui, **_):
    web_ui.login_manager.user_loader(Person)
    web_ui.app.config["SECRET_KEY"] = os.urandom(16)
    web_ui.auth_args = {"username_password_callback": "/load/sign-in"}

    @web_ui.app.route("/load/sign-in", methods=["POST"])
    def sign_in():
        login_user(Person(request.form["username"]))
        return redirect("/load/")
"""
FORM = {"user_count": "1", "spawn_rate": "1", "host": NOWHERE, "canary_arrival_rate": "20"}


def form(**fields: str) -> bytes:
    """A start form, with changes."""
    return urllib.parse.urlencode({**FORM, **fields}).encode()


def test_a_person_signs_in_and_stops_all_faults(web: Callable[..., Any], page: "Page", tmp_path: Path) -> None:
    """Nothing is told to strangers; the timeline names who signed in, and the report follows at once."""
    from playwright.sync_api import expect

    (tmp_path / "mine.py").write_text(LOGIN)
    locust = web(
        "--web-login", "--web-base-path", BASE, "--host", NOWHERE, "--canary-error-share", "0.5",
        locustfile=tmp_path / "mine.py",
    )  # fmt: skip
    for path in (
        "/canary/",
        "/canary/api/v1/state",
        "/canary/api/v1/runs",
        "/canary/run/report.md",
        "/canary/assets/panel.js",
    ):
        assert locust.ask(path)[0] == 302, path
    assert locust.ask("/canary/api/v1/stop", {})[0] == 302

    page.goto(f"{locust.url}/")
    page.get_by_label("Username").fill("ana")
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Login").click()
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("tab", name="Canary").click()
    expect(page.get_by_text("50 % of the requests sent now are meant to fail")).to_be_visible()
    page.get_by_role("button", name="Stop all faults").first.click()
    expect(page.get_by_text("0 % of the requests sent now are meant to fail")).to_be_visible()
    expect(page.get_by_test_id("story")).to_contain_text("ana (127.0.0.1): asked for stop faults")

    # What ended stays ended, and the page says why.
    page.get_by_label("Error share").evaluate("(one) => { one.value = 0.3; one.dispatchEvent(new Event('change')); }")
    expect(page.get_by_text("Refused: the faults of this run were stopped")).to_be_visible()

    # A lost connection is told, and comes back by itself.
    page.route("**/api/v1/state", lambda route: route.abort())
    expect(page.get_by_role("alert")).to_contain_text("The connection to Locust is lost")
    page.unroute("**/api/v1/state")
    expect(page.get_by_role("alert")).to_be_hidden()

    page.get_by_role("button", name="End and judge").click()
    page.get_by_role("dialog").get_by_role("button", name="End and judge").click()
    expect(page.get_by_role("link", name="Open the report")).to_be_visible()
    expect(page.get_by_test_id("headline")).to_contain_text("inconclusive")
    events = locust.events()
    asked = [(one.what, one.by, bool(one.refused)) for one in events if isinstance(one, Asked)]
    assert asked == [
        ("stop_faults", "ana (127.0.0.1)", False),
        ("error_share", "ana (127.0.0.1)", True),
        ("end", "ana (127.0.0.1)", False),
    ]
    assert [one.by for one in events if isinstance(one, FaultEnded)] == ["ana (127.0.0.1)"]
    assert [one.detail for one in events if isinstance(one, RunEnded)] == ["ana (127.0.0.1) ended the run"]


def test_what_cannot_be_is_refused_with_its_reason(web: Callable[..., Any], page: "Page") -> None:
    """By the form, by the JSON endpoints, and to foreign pages; nothing of it reaches a run."""
    locust = web("--host", NOWHERE)
    _refused_by_the_form(locust, page)
    _refused_to_foreign_pages(locust, page)
    _refused_to_a_script(locust)

    # What was refused to who has the token is in the timeline; of foreign pages nothing is.
    events = locust.events()
    assert [(one.what, one.by) for one in events if isinstance(one, Asked) and one.refused] == [
        (what, "someone (127.0.0.1)") for what in ("traffic", "traffic", "traffic", "notes", "force_alarm")
    ]
    assert {one.by for one in events if isinstance(one, Asked) and not one.refused} == {"bot (127.0.0.1)"}
    assert [one.text for one in events if isinstance(one, Note)] == ["here"]
    assert not [one for one in events if isinstance(one, RunEnded)]


def _refused_by_the_form(locust: Any, page: "Page") -> None:
    """Locust's form shows the reason of a test that cannot be."""
    from playwright.sync_api import expect

    page.goto(f"{locust.url}/")
    page.get_by_text("Custom parameters").click()
    page.get_by_label("Canary Error Share").fill("2")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("--canary-error-share: must be between 0 and 1, not '2'")).to_be_visible()
    assert locust.state()["run"] is None
    _refused_by_our_form(locust, page)
    for fields in (
        {"canary_error_share": "2"},
        {"canary_reports": "/"},
        {"canary_experiment": "healthy"},
        {"host": "ftp://x"},
        {"host": "http://shop.example"},
    ):
        status, told = locust.ask("/swarm", form(**fields))
        assert (status, told["success"]) == (200, False), fields
    assert locust.steer("stop") == (409, {"schema": 1, "error": "no test is running"})


def _refused_by_our_form(locust: Any, page: "Page") -> None:
    """Ours tells it beside its button, and keeps what was filled in, also once Locust's state is another."""
    from playwright.sync_api import expect

    page.goto(f"{locust.url}/canary/")
    page.get_by_label("Requests per second").fill("soon")
    page.get_by_role("button", name="Start", exact=True).click()
    beside = page.locator("[data-part=start] .said")
    expect(beside).to_contain_text("Refused: ")
    changed = {**locust.state(), "test": "running"}
    page.route("**/api/v1/state", lambda route: route.fulfill(json=changed))
    expect(page.get_by_text("Locust runs a test there")).to_be_visible()
    expect(beside).to_contain_text("Refused: ")
    expect(page.get_by_label("Requests per second")).to_have_value("soon")
    page.unroute("**/api/v1/state")


def _refused_to_foreign_pages(locust: Any, page: "Page") -> None:
    """Neither a foreign page nor a foreign name gets anything, not from Locust itself either."""
    foreign = {"Origin": "https://evil.example"}
    assert locust.ask("/swarm", form(), **foreign)[0] == 403
    assert locust.ask("/canary/api/v1/state", **foreign)[0] == 403
    assert locust.ask("/canary/api/v1/state", Host="evil.example")[0] == 403
    assert locust.ask("/canary/api/v1/stop", {}, method="OPTIONS", **foreign)[0] in (403, 405)
    assert locust.ask("/swarm", form())[1]["success"]
    locust.wait_for(lambda state: state["run"]["stage"] == "running")
    assert locust.ask("/canary/api/v1/force-alarm", {}, **foreign)[0] == 403
    assert locust.ask("/canary/api/v1/stop", {}, Sec_Fetch_Site="cross-site")[0] == 403
    assert locust.ask("/canary/api/v1/stop", {})[0] == 403, "the token is missing"
    for control in (*CONTROLS, "start"):
        assert locust.ask(f"/canary/api/v1/{control}", {}, **foreign)[0] == 403, control
        cross_site_post(page, f"{locust.url}/canary/api/v1/{control}")


def _refused_to_a_script(locust: Any) -> None:
    """A script does what the page does, and is told what it did wrong."""
    assert locust.steer("traffic", error_share=0.2, arrival_rate="to 40 in 5s", pattern="burst", by="bot")[0] == 200
    state = locust.wait_for(lambda state: state["run"]["traffic"]["error_share"] == 0.2)
    assert state["run"]["traffic"]["pattern"] == "burst"
    assert locust.steer("notes", text="here", by="bot") == (200, {"schema": 1, "done": "noted"})
    for control, body in (
        ("traffic", {"error_share": 2}),
        ("traffic", {"arrival_rate": "fast"}),
        ("traffic", {"shares": 0.2}),
        ("notes", {"text": ""}),
        ("force-alarm", {"state": "LOUD"}),
    ):
        status, told = locust.steer(control, **body)
        assert (status, bool(told["error"])) == (400, True), body
    assert locust.ask("/canary/api/v1/notes", {}, method="GET")[0] == 405
    assert locust.steer("notes", text="x" * 20_000)[0] == 413
    for path in ("..%2f..%2fpyproject.toml", "%2e%2e/manifest.json", "secret.json"):
        assert locust.ask(f"/canary/run/{path}")[0] == 404
    assert locust.ask("/canary/run/timeline.jsonl")[0] == 200
    assert locust.ask("/canary/api/v1/schema")[1]["$defs"]["RunNow"]


def test_a_master_without_workers_says_why_nothing_begins(web: Callable[..., Any], page: "Page") -> None:
    """By Locust's form and on the page, which promises the form only where its link shows it."""
    from playwright.sync_api import expect

    locust = web("--master", "--host", NOWHERE)
    status, told = locust.ask("/swarm", form())
    assert (status, told["success"]) == (200, False)
    assert "no worker is connected" in told["message"]
    page.goto(f"{locust.url}/canary/")
    expect(page.get_by_text("No test can begin: no worker is connected")).to_be_visible()
    stopped = {**locust.state(), "test": "stopped"}
    page.route("**/api/v1/state", lambda route: route.fulfill(json=stopped))
    expect(page.get_by_text("New opens the start form")).to_be_visible()
    page.unroute("**/api/v1/state")
    page.get_by_role("link", name="To Locust's start form").click()
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()


def cross_site_post(page: "Page", url: str) -> None:
    """What a foreign page can send from a browser: a form, and a request without preflight."""
    page.route("http://evil.example/**", lambda route: route.fulfill(content_type="text/html", body=EVIL))
    page.goto("http://evil.example/")
    page.evaluate("(url) => fetch(url, { method: 'POST', mode: 'no-cors', body: '{}' }).catch(() => null)", url)
    with page.expect_response(url) as answered:
        page.evaluate("(url) => { const form = document.forms[0]; form.action = url; form.submit(); }", url)
    assert answered.value.status == 403
    assert json.loads(answered.value.text())["error"] == "requests of other pages are refused"


EVIL = "<form method=post><input name=x></form>"
