"""Flows: the steps of one user in turn, as fast as answers come, with the arrival rate kept."""

from collections import Counter
from typing import Any

from harness.core.experiment.requests import Flow, Overlay, Request
from harness.traffic.client.answer import HttpAnswer
from harness.traffic.engine import BATCH
from tests.traffic.test_engine import Rig, email_in

LOGIN = Request(post="/login", json={"user": "{{email}}"}, take={"token": "$.token"})
MINE = Request(get="/mine", headers={"Authorization": "Bearer {{token}}"})
VISIT: dict[str, Any] = {
    "requests": {"login": LOGIN, "mine": MINE},
    "flow": {"visit": Flow(steps=("login", "mine"))},
    "fault": {},
}


def answer(prepared: Any) -> HttpAnswer:
    """The shop's: a token of whom it was asked for."""
    who = email_in(prepared.payload) if b"/login" in prepared.payload else ""
    body = b'{"token": "of %s"}' % who.encode()
    return HttpAnswer(200, {}, [body], len(body))


def rig(**options: Any) -> Rig:
    """Traffic of visits to a shop that answers well."""
    made = Rig(**{**VISIT, **options})
    made.client.answer = answer
    return made


def test_a_step_uses_what_the_step_before_it_took() -> None:
    """Each visit is one user's: its token comes from its own login."""
    shop = rig()
    for _ in range(10):
        shop.engine.send_one()
    assert shop.client.sent == ["login", "mine"] * 5
    for login, mine in zip(shop.client.payloads[::2], shop.client.payloads[1::2], strict=True):
        assert f"Bearer of {email_in(login)}".encode() in mine


def test_each_user_visits_as_often_as_any_other() -> None:
    """Rows of the feed are used by visits, not by requests."""
    shop = rig()
    for _ in range(40):
        shop.engine.send_one()
    logins = Counter(email_in(payload) for payload in shop.client.payloads if b"/login" in payload)
    assert set(logins.values()) == {2}


def test_open_arrivals_keep_their_rate_and_overtake_no_answer() -> None:
    """Every due request is started, as a next step or as the beginning of another visit."""
    shop = rig(rate=1000.0)
    shop.pace(0.3)
    schedule, sent = shop.schedule(), Counter(shop.client.sent)
    assert schedule["planned"] == schedule["started"] == sent.total()
    assert 0 <= sent["login"] - sent["mine"] <= BATCH


def test_a_failed_step_ends_its_visit() -> None:
    """Nobody goes on who could not log in."""
    shop = rig()
    shop.client.answer = lambda _: HttpAnswer(500, {}, [], 0)
    for _ in range(5):
        shop.engine.send_one()
    assert shop.client.sent == ["login"] * 5


def test_an_answer_without_what_later_steps_need_is_a_failure() -> None:
    """With its reason, and the row of whom it was for."""
    shop = rig()
    shop.client.answer = lambda _: HttpAnswer(200, {}, [b"{}"], 2)
    shop.engine.send_one()
    shop.end()
    assert shop.fired[0]["exception"] == "the answer does not hold token, which later steps need"
    (row,) = shop.rows()
    assert (row.outcome, len(row.rows)) == ("failed", 1)


def test_weights_count_beginnings() -> None:
    """A flow of weight 1 with two steps sends two requests beside each single one of weight 1."""
    shop = rig(requests={**VISIT["requests"], "home": Request(get="/")})
    for _ in range(300):
        shop.engine.send_one()
    assert abs(Counter(shop.client.sent)["home"] - 100) <= 3


def test_the_error_share_is_exact_where_a_later_step_alone_can_fail() -> None:
    """A fault request that must wait for a visit at its step is owed, not lost."""
    shop = rig(fault={"mine": Overlay(headers={"Authorization": "nobody"})}, share=0.1)
    for _ in range(200):
        shop.engine.send_one()
    faults = [payload for payload in shop.client.payloads if b"Authorization: nobody" in payload]
    assert abs(len(faults) - 20) <= 1
