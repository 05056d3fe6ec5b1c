"""A webhook is told of a run, and no run waits for it."""

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness import experiments
from harness.core.experiment.types import Experiment, MessageForm, Notify
from harness.core.timeline.events import AlarmSeen, Event, RunStarted, Write
from harness.core.timeline.rollout import Rollout
from harness.errors import ExperimentError
from harness.report.message import WebhookMessage, body, verdict_message
from harness.run import notifying
from harness.run.experiment import webhook_of
from harness.run.notifying import Notifier
from tests.report.conftest import caught

VARIABLE = "CHAT_OF_THE_TEAM"
SOON_S = 5.0


class Hook:
    """A webhook on a port of this machine: what it was told, and what it answers."""

    def __init__(self) -> None:
        self.told: queue.Queue[Any] = queue.Queue()
        self.status = 200
        self.location: str | None = None
        self.go_on = threading.Event()
        self.go_on.set()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._answering())
        self.address = f"http://127.0.0.1:{self.server.server_port}/services/T0/B0/s3cret"

    def _answering(self) -> type[BaseHTTPRequestHandler]:
        hook = self

        class Answering(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Takes one message."""
                hook.told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                hook.go_on.wait(SOON_S)
                self.send_response(hook.status)
                if hook.location:
                    self.send_header("Location", hook.location)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        return Answering


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    """A webhook that answers, whose address is in the environment."""
    hook = Hook()
    threading.Thread(target=hook.server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv(VARIABLE, hook.address)
    yield hook
    hook.go_on.set()
    hook.server.shutdown()
    hook.server.server_close()


@pytest.fixture
def failed() -> "queue.Queue[str]":
    """Why messages were not delivered."""
    return queue.Queue()


@pytest.fixture
def hear(hook: Hook, failed: "queue.Queue[str]") -> Callable[..., Notifier]:
    """Who tells the webhook, after it heard these events."""

    def notifier(*events: Event) -> Notifier:
        experiment = Experiment(name="shop", notify=Notify(address_in=VARIABLE))
        heard = Notifier(experiment, "shop/1", failed.put)
        for event in events:
            heard.hear(event, Rollout())
        return heard

    return notifier


BEGUN = RunStarted(at_s=0.0, experiment="shop", epoch_s=0.0)


def alarm(state: Any, at_s: float = 1.0) -> AlarmSeen:
    """A look at the alarm."""
    return AlarmSeen(at_s=at_s, asked_s=at_s, name="shop-errors", state=state, reason="4 >= 3")


def test_it_is_told_of_the_start_the_alarm_and_the_verdict(hook: Hook, hear: Callable[..., Notifier]) -> None:
    """In order; an alarm that stays in ALARM is told once."""
    hear(BEGUN, alarm("OK"), alarm("ALARM"), alarm("ALARM", 2.0)).tell_verdict(caught())
    told = [hook.told.get(timeout=SOON_S) for _ in range(3)]
    assert [one["moment"] for one in told] == ["started", "alarm", "verdict"]
    assert "shop-errors is in ALARM: 4 >= 3" in told[1]["text"]
    assert (told[2]["call"], told[2]["exit_code"], told[2]["experiment"]) == ("caught", 0, "shop")
    assert told[2]["text"].startswith("ROLLED BACK · caught")
    assert hook.told.empty()


def test_it_is_told_of_what_was_undone_and_of_what_could_not_be(hook: Hook, hear: Callable[..., Notifier]) -> None:
    """So that somebody goes and looks."""
    call = {"call": "lambda:PutFunctionConcurrency", "subject": "shop"}
    hear(Write(at_s=1.0, step="undone", **call), Write(at_s=2.0, step="failed", detail="AccessDenied", **call))
    first, second = (hook.told.get(timeout=SOON_S)["text"] for _ in range(2))
    assert "was undone" in first
    assert "could not be undone: AccessDenied" in second


def test_nobody_waits_for_one_that_hangs(hook: Hook, hear: Callable[..., Notifier]) -> None:
    """Neither the run nor its verdict."""
    hook.go_on.clear()
    began = time.monotonic()
    hear(BEGUN, *[alarm(state, at) for at in range(200) for state in ("ALARM", "OK")]).tell_verdict(caught())
    assert time.monotonic() - began < 1.0


def test_what_is_not_delivered_by_the_end_is_logged(
    hook: Hook, hear: Callable[..., Notifier], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is under way and what waits behind it, the verdict above all."""
    monkeypatch.setattr(notifying, "AWAITED_S", 0.05)
    hook.go_on.clear()
    notifier = hear(BEGUN, alarm("ALARM"))
    notifier.tell_verdict(caught())
    notifier.wait()
    assert "the webhook was not told of started, alarm, verdict: it did not answer before the end" in caplog.text


@pytest.mark.parametrize("status", [500, 404, 302])
def test_one_that_refuses_is_told_of_without_its_address(
    status: int, hook: Hook, hear: Callable[..., Notifier], failed: "queue.Queue[str]"
) -> None:
    """And a redirect is not followed."""
    hook.status, hook.location = status, hook.address
    hear(BEGUN)
    assert failed.get(timeout=SOON_S) == f"the webhook was not told of started: it answered {status}"
    assert hook.told.qsize() == 1


def test_one_that_is_not_there_is_told_of(
    hook: Hook, failed: "queue.Queue[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its address is a secret, also then."""
    monkeypatch.setenv(VARIABLE, "http://127.0.0.1:9/services/s3cret")
    notifier = Notifier(Experiment(name="shop", notify=Notify(address_in=VARIABLE)), "shop/1", failed.put)
    notifier.hear(BEGUN, Rollout())
    assert failed.get(timeout=SOON_S) == "the webhook was not told of started: Connection refused"


@pytest.mark.parametrize("address", ["", "http://example.com/s3cret", "ftp://127.0.0.1/s3cret", "s3cret"])
def test_an_address_that_cannot_be_used_is_refused_and_not_shown(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is sent."""
    monkeypatch.setenv(VARIABLE, address)
    with pytest.raises(ExperimentError, match=VARIABLE) as refused:
        webhook_of(Notify(address_in=VARIABLE))
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("form", ["slack", "teams"])
def test_chats_get_their_own_form(form: MessageForm) -> None:
    """With the same text; Slack reads no link or mention into it."""
    message = WebhookMessage(moment="alarm", at="", experiment="shop", run="1", text="<!channel> & more")
    sent = json.loads(body(message, form))
    if form == "slack":
        assert sent == {"text": "canary-harness, shop: &lt;!channel&gt; &amp; more"}
    else:
        (card,) = sent["attachments"]
        assert card["content"]["body"][0]["text"] == "canary-harness, shop: <!channel> & more"


def test_the_verdict_says_who_was_hurt() -> None:
    """And why it is so."""
    text = verdict_message(caught(), at="", experiment="shop", run="1").text
    assert "failed requests" in text
    assert all(reason in text for reason in caught().because)


@pytest.mark.slow
def test_a_rehearsal_tells_its_webhook_and_keeps_its_address(hook: Hook, tmp_path: Path) -> None:
    """Start, ALARM and verdict, while the run goes on as ever."""
    experiment = tmp_path / "shop.yaml"
    experiment.write_text(f"{experiments.text('erroruser')}\nnotify: {{address_in: {VARIABLE}}}\n")
    command = [sys.executable, "-m", "harness", "rehearse", str(experiment), "--speed", "120", "-q"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    told = [hook.told.get_nowait() for _ in range(hook.told.qsize())]
    moments = [one["moment"] for one in told]
    assert (moments[0], moments[-1]) == ("started", "verdict")
    assert "alarm" in moments
    assert told[-1]["outcome"] == "rolled_back"
    kept = [file for file in tmp_path.rglob("*") if file.is_file() and b"s3cret" in file.read_bytes()]
    assert kept == []
