"""A service of three endpoints, rehearsed by a file of its own requests: what breaks is told by name and row."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.timeline.events import Exemplar, Requests
from harness.report.folder import RunFolder

SHOP = """
import json

TOKEN = "token of "


def answer(status, document):
    return {"statusCode": status, "body": json.dumps(document)}


def good(event, context):
    headers = {name.lower(): value for name, value in event["headers"].items()}
    who = headers.get("authorization", "")
    if who == "nobody":
        raise RuntimeError("nobody is no customer")
    if event["path"].endswith("/login"):
        return answer(200, {"token": TOKEN + json.loads(event["body"])["email"]})
    if headers.get("x-api-key") != "s3cr3t-of-the-shop":
        return answer(403, {})
    if event["path"].endswith("/search"):
        return answer(200, {"items": [event["queryStringParameters"]["q"]]})
    if not who.startswith(TOKEN):
        return answer(401, {})
    return answer(200, {"orders": [], "customer": who.removeprefix(TOKEN)})


def broken(event, context):
    found = good(event, context)
    if "boots" in found["body"]:
        return answer(200, {"items": []})
    if "gold" in json.loads(found["body"]).get("customer", ""):
        raise RuntimeError("the discount of gold customers")
    return found
"""
FILE = """\
name: shop
traffic:
  arrival_rate: 6
  requests:
    login: {post: /login, json: {email: "{{email}}"}, take: {token: $.token}}
    orders:
      get: /orders
      headers: {Authorization: "{{token}}", X-Api-Key: "{{env.SHOP_KEY}}"}
      check: {$.customer: "{{email}}"}
    search: {get: /search, query: {q: "{{term}}"}, headers: {X-Api-Key: "{{env.SHOP_KEY}}"}, check: "$.items[0]"}
  flow: {visit: {steps: [login, orders]}}
  feed: customers.csv
  fault: {search: {headers: {Authorization: nobody}}}
baseline: {handler: "shop:good"}
canary: {handler: "shop:broken"}
alarm: {threshold: 1}
steady_s: 30
expect: {outcome: rolled_back, call: caught}
"""
GOLD = {4, 9}
BOOTS = {2, 4, 6, 8, 10}
KEY = "s3cr3t-of-the-shop"


def in_words(rows: list[int]) -> str:
    """Rows as reports name them."""
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows))}"


def rehearsed(folder: Path, text: str) -> tuple[int, RunFolder]:
    """The exit code of a rehearsal of the shop, and its run folder."""
    (folder / "shop.py").write_text(SHOP)
    customers = [
        f"customer{number}{'-gold' if number in GOLD else ''}@x,{'boots' if number in BOOTS else 'shoes'} {number}"
        for number in range(1, 11)
    ]
    (folder / "customers.csv").write_text("\n".join(["email,term", *customers, ""]))
    (folder / "shop.yaml").write_text(text)
    command = [sys.executable, "-m", "harness", "rehearse", "shop.yaml", "--speed", "120", "--arrival-rate", "8"]
    environment = {**os.environ, "SHOP_KEY": KEY}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    (folder / "out").write_text(done.stdout + done.stderr)
    return done.returncode, RunFolder.open((folder / "reports" / "latest").resolve())


@pytest.mark.slow
def test_what_breaks_for_one_kind_of_customer_is_caught_and_told_by_request_and_row(tmp_path: Path) -> None:
    """Gold customers' orders throw, and searches for boots answer 200 without items: all reports say so."""
    code, folder = rehearsed(tmp_path, FILE)
    said = (tmp_path / "out").read_text()
    assert code == 0, said
    verdict = json.loads(folder.verdict.read_text())
    assert (verdict["outcome"], verdict["call"]) == ("rolled_back", "caught")
    hurt, empty = sorted(verdict["exposure"]["requests"], key=lambda one: one["name"])
    assert (hurt["name"], empty["name"]) == ("orders", "search")
    assert set() < {*hurt["rows"]} <= GOLD
    assert set() < {*empty["rows"]} <= BOOTS
    assert verdict["exposure"]["users"] == len({*hurt["rows"], *empty["rows"]})
    told = [f"{one['name']} {one['failed']} ({in_words(one['rows'])} of the feed)" for one in (hurt, empty)]
    for shown in (" ".join(said.split()), folder.page.read_text(), folder.markdown.read_text()):
        assert all(each in shown for each in told)
    requests = [event for event in folder.read_events() if isinstance(event, Requests)]
    sent = {name: sum(row.count for row in requests if row.endpoint == name) for name in ("login", "orders", "search")}
    # Single searches weigh one, a visit's two steps one each; a failed order ends its visit.
    assert sent["search"] / sum(sent.values()) == pytest.approx(1 / 3, abs=0.02)
    until_s = max(row.at_s for row in requests) - 30  # an order is due soon after its login, unless the run ends
    early = sum(row.count for row in requests if row.endpoint == "login" and row.at_s < until_s)
    assert sent["login"] / 2 < early <= sent["orders"] <= sent["login"]
    assert {(row.endpoint, row.status) for row in requests if row.outcome == "failed"} == {
        ("orders", 502),
        ("search", 200),
    }
    exemplars = [event for event in folder.read_events() if isinstance(event, Exemplar)]
    assert {event.row for event in exemplars} <= GOLD | BOOTS
    assert {event.reason for event in exemplars if event.endpoint == "search"} == {"the body does not hold $.items[0]"}
    for artifact in folder.path.iterdir():
        assert KEY not in artifact.read_text(errors="replace"), artifact
