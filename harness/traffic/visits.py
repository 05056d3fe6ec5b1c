"""Visits: one user's way through the steps of a flow, one request at a time.

A request that is due is the next step of a visit whose last answer is there, or else begins another visit. So a flow
keeps the arrival rate, whatever the answers, and its steps never overtake their own answers.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from harness.core.experiment.feed import Value
from harness.traffic.client.answer import HttpAnswer
from harness.traffic.judging import Missing
from harness.traffic.kinds import Planned, RequestKind


class Visit:
    """One user's way through a flow: the next step, the user's row of the feed, and what was taken from answers."""

    __slots__ = ("_line", "row", "step", "taken")

    def __init__(self, line: "Line", row: int) -> None:
        self._line = line
        self.row = row
        self.step = 0
        self.taken: dict[str, Value] = {}

    def answered(self, planned: Planned, answer: HttpAnswer) -> str | None:
        """Goes on after a good answer; why that cannot be, None where it can."""
        try:
            self.taken |= planned.kind.judge.taken(answer)
        except Missing as reason:
            return str(reason)
        self.step += 1
        self._line.goes_on(self)
        return None


class Line:
    """All visits of one flow that are ready for their next step, and the way to begin another.

    `steps` are the kinds of request by step, `faults` those of their faults; `next_row` draws a user.
    """

    def __init__(
        self, steps: Sequence[RequestKind], faults: Sequence[RequestKind | None], next_row: Callable[[], int]
    ) -> None:
        self._steps = steps
        self._faults = faults
        self._next_row = next_row
        self._ready: deque[Visit] = deque()

    @property
    def fault_steps(self) -> int:
        """How many steps can be made to fail."""
        return sum(fault is not None for fault in self._faults)

    def good(self) -> Planned:
        """The next step of the visit that waits longest, or the first one of another visit."""
        visit = self._ready.popleft() if self._ready else Visit(self, self._next_row())
        return self._steps[visit.step].planned(visit.row, visit)

    def fault(self) -> Planned | None:
        """A step that is made to fail, which ends its visit; None where no visit is at such a step."""
        visit = next(self._at_a_fault(), None)
        if visit is not None:
            self._ready.remove(visit)
        elif self._faults[0] is not None:
            visit = Visit(self, self._next_row())
        else:
            return None
        kind = self._faults[visit.step]
        if kind is None:
            return None
        planned = kind.planned(visit.row, visit)
        planned.visit = None
        return planned

    def goes_on(self, visit: Visit) -> None:
        """Takes a visit back that was answered, unless it is over."""
        if visit.step < len(self._steps):
            self._ready.append(visit)

    def _at_a_fault(self) -> Iterator[Visit]:
        return (visit for visit in self._ready if self._faults[visit.step] is not None)
