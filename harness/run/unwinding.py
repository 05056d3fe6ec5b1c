"""How a run lets go of AWS: it begins no write, awaits those under way, and then undoes what it did.

A call that is abandoned acts all the same, after whatever undoes it. So it is awaited, for a bounded time: who does not
answer by then is left to the journal.
"""

from collections.abc import Callable

import gevent

from harness.core.timeline.events import RunEnded
from harness.run.context import RunContext
from harness.run.faults import Faults
from harness.wallclock import wall_now

WRITE_WITHIN_S = 10.0
"""Wall time for which the end of a run waits for calls that change something and are under way."""
HEAL_AGAIN_S = 5.0
"""Wall time from the end of a run in which healing that failed is tried once more."""
WHY = "the run ended"


class Unwinding:
    """Undoes what a run did; `end_plays` ends all that the run does, wherever it is."""

    def __init__(self, context: RunContext, faults: Faults, end_plays: Callable[[], None]) -> None:
        self._context = context
        self._faults = faults
        self._end_plays = end_plays
        self._healing: gevent.Greenlet | None = None

    def begin(self) -> None:
        """Lets no write begin any more, and has the faults end; returns at once."""
        self._context.journal.shut()
        self._healing = gevent.spawn(self._faults.stop, WHY)

    def finish(self, over: RunEnded) -> None:
        """Ends everything, and returns when it is undone, or when nobody should wait for that any longer."""
        self._context.journal.shut()
        if not self._context.journal.wait(WRITE_WITHIN_S):
            self._context.trouble("writes", f"AWS had not answered a call {WRITE_WITHIN_S:g} s after the run's end")
        self._end_plays()
        if self._healing:
            self._healing.join()
        if wall_now() - self._context.base.wall_s(over.at_s) < HEAL_AGAIN_S:
            self._faults.stop(WHY)
