"""Tells a webhook of a run: at its start, at ALARM, when something was undone, and at the verdict.

No run and no verdict waits for it: messages go out in a thread of their own, and one that cannot be delivered is a note
in the timeline.
"""

import http.client
import logging
import threading
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from harness.core.experiment.types import Experiment
from harness.core.timeline.events import AlarmSeen, Event, Note, RunStarted, Write
from harness.core.timeline.rollout import Rollout
from harness.core.verdict.types import Verdict
from harness.report.message import Moment, WebhookMessage, body, verdict_message
from harness.run.context import RunContext
from harness.run.experiment import webhook_of

log = logging.getLogger(__name__)

DELIVERED_IN_S = 5.0
"""Wall time that one message may take."""
AWAITED_S = 5.0
"""Wall time that the end of the process waits for messages under way."""
MOST_WAITING = 100

Failed = Callable[[str], None]


class Notifier:
    """Tells one webhook of one run; `failed` is called, from a thread, with why a message was not delivered."""

    def __init__(self, experiment: Experiment, run: str, failed: Failed) -> None:
        assert experiment.notify
        self._form = experiment.notify.form
        self._address = webhook_of(experiment.notify)
        self._experiment, self._run, self._failed = experiment.name, run, failed
        self._alarms: set[str] = set()
        self._waiting: deque[WebhookMessage] = deque()
        self._under_way: WebhookMessage | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def hear(self, event: Event, _: Rollout) -> None:
        """Takes notice of an event of the run."""
        if isinstance(event, RunStarted):
            self._tell("started", "the run begins")
        elif isinstance(event, AlarmSeen):
            self._alarm(event)
        elif isinstance(event, Write) and event.step == "undone":
            self._tell(
                "undone", f"{event.call} on {event.subject} was undone: {event.detail or event.before or 'gone'}"
            )
        elif isinstance(event, Write) and event.step == "failed":
            self._tell("undone", f"{event.call} on {event.subject} could not be undone: {event.detail}")

    def tell_verdict(self, verdict: Verdict) -> None:
        """Tells the verdict, again if it changed since."""
        self._put(verdict_message(verdict, at=_now(), experiment=self._experiment, run=self._run))

    def wait(self) -> None:
        """Gives what is under way a moment, before the process ends; what is not delivered by then is logged."""
        if thread := self._thread:
            thread.join(AWAITED_S)
        with self._lock:
            left = [one.moment for one in (self._under_way, *self._waiting) if one]
            self._waiting.clear()
        if left:
            log.warning("the webhook was not told of %s: it did not answer before the end", ", ".join(left))

    def _alarm(self, seen: AlarmSeen) -> None:
        if seen.state != "ALARM":
            self._alarms.discard(seen.name)
        elif seen.name not in self._alarms:
            self._alarms.add(seen.name)
            self._tell("alarm", f"{seen.name} is in ALARM: {seen.reason}")

    def _tell(self, moment: Moment, text: str) -> None:
        self._put(WebhookMessage(moment=moment, at=_now(), experiment=self._experiment, run=self._run, text=text))

    def _put(self, message: WebhookMessage) -> None:
        with self._lock:
            full = len(self._waiting) == MOST_WAITING
            if not full:
                self._waiting.append(message)
            if self._thread is None:
                self._thread = threading.Thread(target=self._deliver, name="webhook", daemon=True)
                self._thread.start()
        if full:
            log.warning("the webhook was not told of %s: %s messages wait for it", message.moment, MOST_WAITING)

    def _deliver(self) -> None:
        """Delivers what waits, in order; ends when nothing does."""
        opener = urllib.request.build_opener(_NoRedirect)
        while message := self._next():
            try:
                _post(opener, self._address, body(message, self._form))
            except (OSError, ValueError, http.client.HTTPException) as error:
                self._failed(f"the webhook was not told of {message.moment}: {_why(error)}")

    def _next(self) -> WebhookMessage | None:
        with self._lock:
            self._under_way = self._waiting.popleft() if self._waiting else None
            if self._under_way is None:
                self._thread = None
            return self._under_way


def notifier_of(context: RunContext) -> Notifier | None:
    """Who tells the webhook of a run that begins; None where none is wanted."""
    if not context.experiment.notify:
        return None
    run = "/".join(context.folder.path.parts[-2:])

    def note(why: str) -> None:
        log.warning("%s", why)
        context.record(Note(at_s=context.base.now_s(), text=why, by="notify"))

    notifier = Notifier(context.experiment, run, note)
    context.recording.listeners.append(notifier.hear)
    return notifier


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Whoever knows the address may not send messages elsewhere."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follows none."""


def _post(opener: urllib.request.OpenerDirector, address: str, text: bytes) -> None:
    headers = {"Content-Type": "application/json", "User-Agent": "canary-harness"}
    request = urllib.request.Request(address, text, headers)  # noqa: S310 - `webhook_of` lets only https pass
    opener.open(request, timeout=DELIVERED_IN_S).close()


def _why(error: Exception) -> str:
    """Never the address."""
    if isinstance(error, urllib.error.HTTPError):
        return f"it answered {error.code}"
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or type(reason).__name__)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
