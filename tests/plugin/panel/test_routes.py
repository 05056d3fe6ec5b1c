"""What the routes answer and what reaches the run, without a server."""

import io
import json
import logging
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from harness.core.experiment.types import ArrivalRate
from harness.errors import HarnessError
from harness.plugin.panel.routes import LARGEST_BODY, TOKEN_HEADER, Panel

TRAFFIC = "/canary/api/v1/traffic"
NOTES = "/canary/api/v1/notes"


class PlayedRun:
    """A run that notes what it is asked for; rates over 100 are refused."""

    def __init__(self, folder: Path) -> None:
        self.done: list[str] = []
        self.refused: list[tuple[str, str, str, str]] = []
        self.by_hand = self
        self.folder = SimpleNamespace(path=folder)

    def share_refusal(self, share: float) -> str | None:
        """A guard rail."""
        return "the share is too large" if share > 0.5 else None

    def rate_refusal(self, rate: ArrivalRate) -> str | None:
        """A guard rail."""
        return "the rate is too high" if isinstance(rate, float | int) and rate > 100 else None

    def ask(self, what: str, value: str, by: str, change: Callable[[], None]) -> None:
        """Does it."""
        assert by
        try:
            change()
        except HarnessError as error:
            self.refuse(what, value, by, str(error))
            raise

    def refuse(self, what: str, value: str, by: str, why: str) -> None:
        """Notes it."""
        self.refused.append((what, value, by, why))

    def note(self, text: str, by: str) -> None:
        """Marks it."""
        self.done.append(f"{by}: {text}")

    def set_error_share(self, share: float, by: str) -> None:
        """Begins it."""
        self.done.append(f"error share {share} by {by}")

    def set_arrival_rate(self, rate: ArrivalRate) -> None:
        """Begins it."""
        self.done.append(f"arrival rate {rate}")

    def set_pattern(self, pattern: str) -> None:
        """Begins it."""
        self.done.append(pattern)


@pytest.fixture
def run(tmp_path: Path) -> PlayedRun:
    """The run that is under way."""
    return PlayedRun(tmp_path)


@pytest.fixture
def client(run: PlayedRun) -> FlaskClient:
    """Asks the routes of a page without login."""
    app = Flask("page")
    web_ui = SimpleNamespace(app=app, auth_required_if_enabled=lambda view: view, template_args={}, web_login=False)
    web_ui.update_template_args = lambda: None
    given = Namespace(web_base_path="", canary_web_hosts="ops.example.com")
    environment: Any = SimpleNamespace(web_ui=web_ui, parsed_options=given, runner=SimpleNamespace(state="running"))
    show: Any = SimpleNamespace(run=run, last=run, chronicle=None, refused=None)
    Panel(environment, show)
    return app.test_client()


def post(client: FlaskClient, path: str, body: bytes, **options: Any) -> Any:
    """Posts as a script does, with the token."""
    headers = {TOKEN_HEADER: client.get("/canary/api/v1/token").get_data(as_text=True)}
    return client.post(path, data=body, headers=headers, **options)


def asked(client: FlaskClient, path: str, **body: object) -> Any:
    """Posts a body that can be read."""
    return post(client, path, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("refused", "status"), [({"arrival_rate": 500}, 409), ({"arrival_rate": "banana"}, 400), ({"pattern": "wild"}, 400)]
)
def test_traffic_that_is_refused_in_part_changes_nothing(
    client: FlaskClient, run: PlayedRun, refused: dict[str, object], status: int
) -> None:
    """By a rail or because it cannot be read: the error share beside it does not begin either."""
    assert asked(client, TRAFFIC, error_share=0.2, **refused).status_code == status
    assert run.done == []
    assert run.refused


def test_each_part_of_refused_traffic_is_noted(client: FlaskClient, run: PlayedRun) -> None:
    """With its own reason, or with the one of what was asked for beside it."""
    asked(client, TRAFFIC, error_share=0.2, arrival_rate=500, by="ana")
    assert run.refused == [
        ("error_share", "0.2", "ana (127.0.0.1)", "asked for with what is refused: the rate is too high"),
        ("arrival_rate", "500", "ana (127.0.0.1)", "the rate is too high"),
    ]


def test_traffic_that_is_allowed_changes_as_asked(client: FlaskClient, run: PlayedRun) -> None:
    """All of it, with who asked."""
    answer = asked(client, TRAFFIC, error_share=0.2, arrival_rate=30, pattern="burst", by="ana")
    assert answer.json["done"] == "error share 0.2, arrival rate 30, pattern burst"
    assert run.done == ["error share 0.2 by ana (127.0.0.1)", "arrival rate 30.0", "burst"]


@pytest.mark.parametrize(
    ("path", "body", "what"),
    [
        (TRAFFIC, b'{"error_share": 2, "by": "ana"}', "traffic"),
        (TRAFFIC, b'{"arrival_rate": "banana", "by": "ana"}', "traffic"),
        (NOTES, b'{"text": " \\n", "by": "ana"}', "notes"),
        ("/canary/api/v1/force-alarm", b'{"state": "LOUD", "by": "ana"}', "force_alarm"),
    ],
)
def test_what_cannot_be_read_is_noted_with_who_sent_it(
    client: FlaskClient, run: PlayedRun, path: str, body: bytes, what: str
) -> None:
    """A refusal is part of the story, too."""
    assert post(client, path, body).status_code == 400
    (noted,) = run.refused
    assert noted[:3] == (what, body.decode(), "ana (127.0.0.1)")
    assert run.done == []


DEEP = b'{"text": ' + b"[" * 4_900 + b"]" * 4_900 + b"}"


@pytest.mark.parametrize("body", [b'{"text": "\xff"}', b"\xff\xfe", b"[" * 5000, b'{"text": "x"', b"null", DEEP])
def test_garbage_is_the_senders_mistake(client: FlaskClient, run: PlayedRun, body: bytes) -> None:
    """No byte of it makes the page fail."""
    assert post(client, NOTES, body).status_code == 400
    assert [(what, by) for what, _, by, _ in run.refused] == [("notes", "someone (127.0.0.1)")]


def test_the_end_of_a_body_in_chunks_is_not_waited_for(client: FlaskClient, run: PlayedRun) -> None:
    """It says no length, and may have no end."""
    endless = Endless()
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": endless}
    headers = {TOKEN_HEADER: client.get("/canary/api/v1/token").get_data(as_text=True)}
    assert client.post(NOTES, headers=headers, environ_overrides=chunked).status_code == 413
    assert endless.read_bytes <= LARGEST_BODY + 1
    assert run.done == []


class Endless(io.RawIOBase):
    """A body that goes on as long as it is read."""

    read_bytes = 0

    def read(self, size: int = -1, /) -> bytes:
        """That many bytes more."""
        assert size > 0, "it would be read for ever"
        self.read_bytes += size
        return b" " * size


def test_a_token_of_other_letters_is_a_wrong_one(client: FlaskClient) -> None:
    """Headers may have any of 256 letters."""
    assert client.post(NOTES, data=b"{}", headers={TOKEN_HEADER: "\xe9"}).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://[::1"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "[::1"}, 403),
        ({"Host": "ops.example.com", "Origin": "https://ops.example.com"}, 200),
    ],
)
def test_the_gate_is_before_every_route(client: FlaskClient, headers: dict[str, str], status: int) -> None:
    """So the token is told to nobody else, wherever the page is bound to."""
    assert client.get("/canary/api/v1/token", headers=headers).status_code == status


@pytest.mark.parametrize("name", ["%00", "report%00.html", "x" * 5000, "x" * 5000 + ".html"])
@pytest.mark.parametrize("folder", ["run", "assets", "runs/healthy/20260101T000000Z"])
def test_a_name_that_no_file_can_have_is_not_found(
    client: FlaskClient, folder: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Quietly: it fills no log."""
    with caplog.at_level(logging.WARNING):
        assert client.get(f"/canary/{folder}/{name}").status_code == 404
    assert not caplog.records


@pytest.mark.parametrize(
    ("state", "told"),
    [("running", "running"), ("stopping", "running"), ("cleanup", "running"), ("stopped", "stopped")],
)
def test_a_test_that_is_ending_is_asked_after(client: FlaskClient, state: str, told: str) -> None:
    """Told that it is stopping, Locust's page would never ask whether it has stopped."""
    client.application.add_url_rule("/stats/requests", "locust.request_stats", lambda: {"state": state, "stats": []})
    assert client.get("/stats/requests").get_json() == {"state": told, "stats": []}
