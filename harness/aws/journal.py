"""The journal of our changes on AWS: each is noted before it is made, so that it can be undone after a crash."""

from collections.abc import Callable
from typing import Literal, TypeVar

from harness.core.timeline.events import Event, Write
from harness.errors import HarnessError, NotFound

Step = Literal["intended", "done", "failed", "undone"]
Result = TypeVar("Result")

AS_BEFORE = "it never took effect, or was already taken back"
"""What the journal says of a change that is not there when it is to be undone."""


class Journal:
    """Records what is written where; `now` gives seconds since the run began."""

    def __init__(self, record: Callable[[Event], None], now: Callable[[], float]) -> None:
        self.record = record
        self.now = now

    def entry(self, call: str, subject: str, *, before: str | None = None, after: str | None = None) -> "JournalEntry":
        """The entry of one change: healing restores `before`; `after` is what the change sets until then."""
        return JournalEntry(self, call, subject, before, after)


class JournalEntry:
    """One change and its steps; every write to AWS goes through `make` or `undo`."""

    def __init__(self, journal: Journal, call: str, subject: str, before: str | None, after: str | None) -> None:
        self._journal = journal
        self.call = call
        self.subject = subject
        self.before = before
        self.after = after

    def make(self, intended: str, write: Callable[[], Result], told: Callable[[Result], str] = str) -> Result:
        """Notes the intention, writes, and notes what was done, as `told` words it.

        If the intention cannot be noted, nothing is written. Raises what `write` raises; a HarnessError is noted as
        failed.
        """
        self.note("intended", intended)
        try:
            done = write()
        except HarnessError as error:
            self.note("failed", str(error))
            raise
        self.note("done", told(done))
        return done

    def undo(self, write: Callable[[], str], gone: str = "") -> bool:
        """Undoes the change by `write`, which says what it did; returns whether nothing is left.

        `gone` is noted if what was changed does not exist any more; if empty, that is a failure as any other.
        """
        try:
            told = write()
        except HarnessError as error:
            if not (gone and isinstance(error, NotFound)):
                self.note("failed", str(error))
                return False
            told = gone
        self.note("undone", told)
        return True

    def note(self, step: Step, detail: str = "") -> None:
        """Records one step."""
        self._journal.record(
            Write(
                at_s=self._journal.now(),
                call=self.call,
                subject=self.subject,
                step=step,
                detail=detail,
                before=self.before,
                after=self.after,
            )
        )
