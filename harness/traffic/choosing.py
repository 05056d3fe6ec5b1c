"""Which request is sent next: exactly as the experiment weighs them, with the share of fault requests that holds."""

from collections import deque
from collections.abc import Callable, Mapping

from harness.core.experiment.feed import order_of
from harness.core.experiment.pacing import WHOLE, EvenMix, WorkerPart, share_draw
from harness.core.experiment.sendable import sent_of, weight_of
from harness.traffic.client.client import Client
from harness.traffic.kinds import Kind, Planned, Prepare, Workshop
from harness.traffic.rendering import Values
from harness.traffic.steering import Steering
from harness.traffic.visits import Line

Prepares = Mapping[Prepare | None, float]
"""The ways to prepare a request, each with its weight; None is by the bytes that were made before."""


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

    def __init__(self, steering: Steering, client: Client, prepares: Prepares) -> None:
        traffic, seed, part = steering.traffic, steering.seed, steering.part or WHOLE
        feed = steering.feed
        self._workshop = Workshop(traffic, client, Values(feed, f"values {seed} {part.index}"))
        self._row: Callable[[int], int] = order_of(len(feed.rows), seed) if feed else lambda _: 0
        self._visits, self._faults = Turns(part), Turns(part)
        good: dict[Kind | Line, float] = {}
        fault: dict[Kind | Line, float] = {}
        for prepare, share in prepares.items():
            for key in sent_of(traffic):
                weight = share * weight_of(traffic, key)
                good[self._workshop.good(key, prepare)] = weight
                if faulty := self._workshop.fault(key, prepare):
                    fault[faulty] = weight
            for flow in traffic.flow.values():
                line = self._line(flow.steps, prepare)
                good[line] = share * flow.weight * len(flow.steps)
                fault[line] = share * flow.weight * line.fault_steps
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
        return chosen.good() if isinstance(chosen, Line) else chosen.planned(self._row(turn))

    def _next_fault(self, turn: int) -> Planned | None:
        """A fault request; None while no visit is at a step that can fail, so that it is owed."""
        if self._fault is None:
            return None
        chosen = self._fault.at(self._faults.next())
        return chosen.fault() if isinstance(chosen, Line) else chosen.planned(self._row(turn))

    def _line(self, steps: tuple[str, ...], prepare: Prepare | None) -> Line:
        return Line(
            [self._workshop.good(step, prepare) for step in steps],
            [self._workshop.fault(step, prepare) for step in steps],
            lambda: self._row(self._visits.next()),
        )

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
