"""The journal of our changes on AWS: each is noted before it is made, so that it can be undone after a crash."""

from collections.abc import Callable
from typing import Literal

from harness.core.timeline.events import Event, Write

Step = Literal["intended", "done", "failed", "undone"]
AS_BEFORE = "it never took effect, or was already taken back"
"""What is told of a change that is not there when it is to be undone."""


class Journal:
    """Notes what is written where; `now` gives seconds since the run began."""

    def __init__(self, record: Callable[[Event], None], now: Callable[[], float]) -> None:
        self._record = record
        self._now = now

    def entry(self, call: str, subject: str, *, before: str | None, after: str | None) -> "JournalEntry":
        """The entry of one change: `before` is what is put back by healing, `after` what is to be there till then."""
        return JournalEntry(self, call, subject, before, after)

    def write(self, event: Write) -> None:
        """Notes one step."""
        self._record(event)

    def now_s(self) -> float:
        """The instant now."""
        return self._now()


class JournalEntry:
    """One change and its steps."""

    def __init__(self, journal: Journal, call: str, subject: str, before: str | None, after: str | None) -> None:
        self._journal = journal
        self.call = call
        self.subject = subject
        self.before = before
        self.after = after

    def note(self, step: Step, detail: str = "") -> None:
        """Notes a step of it."""
        self._journal.write(
            Write(
                at_s=self._journal.now_s(),
                call=self.call,
                subject=self.subject,
                step=step,
                detail=detail,
                before=self.before,
                after=self.after,
            )
        )
