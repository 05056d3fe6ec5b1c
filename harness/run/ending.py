"""Why a run is over."""

from collections.abc import Callable

from harness.core.timeline.events import RunEnded, Signal, Why
from harness.run.reserve import Reserve
from harness.traffic.steering import Timebase


class Ending:
    """Why a run is over; the first reason counts. `on_over` is called once, when somebody ends the run.

    The `reserve` is held from a run's start, and freed at the first reason.
    """

    def __init__(self, base: Timebase, on_over: Callable[[RunEnded], None]) -> None:
        self.over: RunEnded | None = None
        self._base = base
        self._on_over = on_over
        self.reserve = Reserve()

    def end(self, why: Why, detail: str = "", signal: Signal | None = None) -> None:
        """Ends the run."""
        if self.over is None:
            self._on_over(self.note(why, detail, signal))

    def note(self, why: Why, detail: str = "", signal: Signal | None = None) -> RunEnded:
        """Notes that the run is over already, and calls nobody; the reason that counts."""
        self.reserve.free()
        if self.over is None:
            self.over = RunEnded(at_s=self._base.now_s(), why=why, detail=detail, signal=signal)
        return self.over
