"""The journal of our changes on AWS: each is noted before it is made, so that it can be undone after a crash.

    make    intended ──► done, or refused (AWS surely did nothing), or unanswered (it may have acted, or may still)
    undo    undone, or failed: then it stays in the journal, and may be tried again

A call without an answer may act some time after we gave up on it, and a look may show what was so before a call. Both
are over after `SETTLED_S`. Until then a change is written back whatever a look shows, and one whose call had no answer
is never called undone.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeVar

from harness.aws.failures import may_have_acted
from harness.core.timeline.events import Event, Write
from harness.errors import HarnessError, NotFound, RunEnding

Step = Literal["intended", "done", "refused", "unanswered", "failed", "undone"]
Result = TypeVar("Result")

AS_BEFORE = "it never took effect, or was already taken back"
"""What the journal says of a change that is not there when it is to be undone."""
ENDING = "the run is ending, and nothing more is changed on AWS"
SETTLED_S = 60.0
"""Experiment time after which every look shows a write, and no call without an answer acts any more (assumption)."""
HEAL_WITHIN_S = 5.0
"""Wall time for which undoing waits until that is so: a person waits for the run to end, and can heal again."""
LOOK_EVERY_S = 1.0
SHORT_REST_S = 0.05


class Journal:
    """Records what is written where; `now` gives seconds since the run began.

    `keep` records what must be on the disk before anything is written, and raises HarnessError if it is not; left out,
    it is `record`. Undoing a call without an answer waits `patience_s` of wall time at most, by `rest`.
    """

    def __init__(
        self,
        record: Callable[[Event], None],
        now: Callable[[], float],
        keep: Callable[[Event], None] | None = None,
        *,
        patience_s: float = HEAL_WITHIN_S,
        rest: Callable[[float], None] | None = None,
    ) -> None:
        self.record = record
        self.keep = keep or record
        self.now = now
        self.patience_s = patience_s
        self._rest = rest
        self._under_way = 0
        self._is_shut = False
        self._lock = threading.Lock()
        self._put_back: dict[tuple[str, str], tuple[str | None, float]] = {}

    def entry(self, call: str, subject: str, *, before: str | None = None, after: str | None = None) -> "JournalEntry":
        """The entry of one change: healing restores `before`; `after` is what the change sets until then."""
        return JournalEntry(self, call, subject, before, after)

    def shut(self) -> None:
        """Lets nothing begin any more but what undoes a change."""
        with self._lock:
            self._is_shut = True

    @property
    def is_shut(self) -> bool:
        """Whether nothing begins any more."""
        return self._is_shut

    def wait(self, within_s: float) -> bool:
        """Waits for the calls that are under way, for so much wall time; whether all have ended."""
        waited_s = 0.0
        while self._under_way and waited_s < within_s:
            self.rest(SHORT_REST_S)
            waited_s += SHORT_REST_S
        return not self._under_way

    def rest(self, for_s: float = LOOK_EVERY_S) -> None:
        """Lets wall time pass between two looks."""
        (self._rest or time.sleep)(for_s)

    def note_put_back(self, entry: "JournalEntry") -> None:
        """Notes what was put back: for a while a look may still show what was there before that."""
        self._put_back[entry.call, entry.subject] = entry.before, self.now()

    def before_of(self, entry: "JournalEntry", seen: str | None) -> str | None:
        """What is there before a change: what a look shows, unless it may be older than what we put back."""
        before, at_s = self._put_back.get((entry.call, entry.subject), (seen, self.now() - SETTLED_S))
        return before if self.now() < at_s + SETTLED_S else seen

    @contextmanager
    def writing(self, *, undoing: bool) -> Iterator[None]:
        """While a call is under way; raises RunEnding where none may begin."""
        with self._lock:
            if self._is_shut and not undoing:
                raise RunEnding(ENDING)
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1


class JournalEntry:
    """One change and its steps; every write to AWS goes through `make` or `undo`.

    `held` says that the change may be there. `unanswered` says that AWS did not answer the last call that made it,
    which ended at `at_s`.
    """

    def __init__(self, journal: Journal, call: str, subject: str, before: str | None, after: str | None) -> None:
        self.journal = journal
        self.call = call
        self.subject = subject
        self.before = before
        self.after = after
        self.held = False
        self.unanswered = False
        self.at_s = 0.0

    @property
    def is_fresh(self) -> bool:
        """Whether a look may still show what was before the change."""
        return self.journal.now() < self.at_s + SETTLED_S

    @property
    def is_in_doubt(self) -> bool:
        """Whether a call without an answer may still act."""
        return self.unanswered and self.is_fresh

    def announce(self, intended: str) -> None:
        """Notes on the disk what somebody else's write is going to change; raises HarnessError if that fails."""
        with self.journal.writing(undoing=False):
            self._write(self.journal.keep, "intended", intended)

    def make(self, intended: str, write: Callable[[], Result], told: Callable[[Result], str] = str) -> Result:
        """Notes the intention on the disk, writes, and notes what was done, as `told` words it.

        If the intention cannot be kept, or the run is ending, nothing is written. Raises what `write` raises; a
        HarnessError is noted as refused, or as unanswered where AWS may have acted all the same.
        """
        with self.journal.writing(undoing=False):
            self._write(self.journal.keep, "intended", intended)
            before = self.held, self.unanswered
            self.held = self.unanswered = True  # until AWS says otherwise, also if we are killed meanwhile
            try:
                done = write()
            except HarnessError as error:
                if not may_have_acted(error):
                    self.held, self.unanswered = before
                    self.note("refused", str(error))
                else:
                    self.note("unanswered", str(error))
                raise
            finally:
                self.at_s = self.journal.now()
            self.unanswered = False
            self.note("done", told(done))
        return done

    def undo(self, write: Callable[[], str], gone: str = "") -> bool:
        """Undoes the change by `write`, which says what it did; returns whether nothing is left.

        It is repeated while a call without an answer may still act. `gone` is noted if what was changed does not exist
        any more; if empty, that is a failure as any other.
        """
        with self.journal.writing(undoing=True):
            try:
                told = self._undone(write)
            except HarnessError as error:
                if not (gone and isinstance(error, NotFound)):
                    self.note("failed", str(error))
                    return False
                told = gone
            if self.is_in_doubt:
                self.note("failed", f"{told}; but AWS did not answer the call that made it, which may still act")
                return False
            self.held = False
            self.note("undone", told)
        return True

    def note(self, step: Step, detail: str = "") -> None:
        """Records one step."""
        self._write(self.journal.record, step, detail)

    def _undone(self, write: Callable[[], str]) -> str:
        told, rested_s = write(), 0.0
        while self.is_in_doubt and rested_s < self.journal.patience_s:
            self.journal.rest()
            rested_s += LOOK_EVERY_S
            told = write()
        return told

    def _write(self, record: Callable[[Event], None], step: Step, detail: str) -> None:
        record(
            Write(
                at_s=self.journal.now(),
                call=self.call,
                subject=self.subject,
                step=step,
                detail=detail,
                before=self.before,
                after=self.after,
            )
        )
