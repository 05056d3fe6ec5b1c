"""Which request is sent next: exactly as the experiment weighs them, with the share of fault requests that holds."""

from collections import deque

from harness.core.experiment.feed import row_of
from harness.core.experiment.pacing import WHOLE, EvenMix, WorkerPart, share_draw
from harness.traffic.kinds import Planned, RequestKind, Stock
from harness.traffic.steering import Steering
from harness.traffic.visits import Line


class Turns:
    """Counts turns so that all workers together take each once: one of `count` takes every `count`-th."""

    def __init__(self, part: WorkerPart) -> None:
        self.part = part
        self._taken = 0

    def next(self) -> int:
        """The next turn of this worker."""
        turn = self._taken * self.part.count + self.part.index
        self._taken += 1
        return turn


class Chooser:
    """Chooses the next request of one process; the same seed chooses the same again."""

    def __init__(self, steering: Steering, stock: Stock) -> None:
        traffic, seed, part = steering.traffic, steering.seed, steering.part or WHOLE
        stock.values.seed(f"values {seed} {part.index}")
        self._rows = stock.rows
        self._visits, self._faults = Turns(part), Turns(part)
        good: dict[RequestKind | Line, float] = {}
        fault: dict[RequestKind | Line, float] = {}
        for usual, faulty, weight in stock.singles:
            good[usual] = weight
            if faulty:
                fault[faulty] = weight
        for steps, faults, weight in stock.flows:
            line = Line(steps, faults, lambda: row_of(self._visits.next(), self._rows))
            good[line], fault[line] = weight * len(steps), weight * line.fault_steps
        self._good = EvenMix(good, f"good {seed}")
        self._fault = EvenMix(fault, f"fault {seed}") if any(fault.values()) else None
        self._pattern = traffic.pattern
        self._is_fault = share_draw(self._pattern, seed, part).draw
        self._owed = 0
        # The steering that holds for the request due next, and any that began since.
        self._holding = deque([steering])

    def steer(self, steering: Steering) -> None:
        """Takes steering that holds by now."""
        self._holding.append(steering)
        self._visits.part = self._faults.part = steering.part or WHOLE
        if steering.traffic.pattern != self._pattern:
            self._pattern = steering.traffic.pattern
            self._is_fault = share_draw(self._pattern, steering.seed, steering.part or WHOLE).draw

    def next(self, due_s: float, turn: int) -> Planned:
        """The request that is due then, the `turn`-th of all; the times of due requests never go back."""
        share = self._share(due_s)
        if self._is_fault(share):
            self._owed += 1
        if not share:
            self._owed = 0
        if self._owed and (fault := self._next_fault(turn)):
            self._owed -= 1
            return fault
        chosen = self._good.at(turn)
        return chosen.good() if isinstance(chosen, Line) else chosen.planned(row_of(turn, self._rows))

    def _next_fault(self, turn: int) -> Planned | None:
        """A fault request; None while no visit is at a step that can fail, so that it is owed."""
        if self._fault is None:
            return None
        chosen = self._fault.at(self._faults.next())
        return chosen.fault() if isinstance(chosen, Line) else chosen.planned(row_of(turn, self._rows))

    def _share(self, due_s: float) -> float:
        """The share of fault requests for one due then.

        A late request takes part in no share that began after it was due, nor in one that was taken back since.
        """
        holding = self._holding
        while len(holding) > 1 and holding[1].since_s <= due_s:
            holding.popleft()
        if len(holding) == 1:
            return holding[0].error_share
        return min(each.error_share for each in holding)
