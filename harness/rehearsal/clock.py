"""The one clock of the local cloud: `now = t0 + (real - real0) * speed`, and what is due when."""

import heapq
import itertools
import threading
from collections.abc import Callable

from harness.core.timeline.clock import Clock
from harness.wallclock import wall_now

Action = Callable[[float], None]

MINUTE_S = 60
SHORTEST_WAIT_S = 0.0005
"""Wall time between two looks at a clock that may stand still."""
LEAST_LIMIT_S = 5.0
"""Wall seconds that user code has at any speed, so that a slow start of Python is not cut."""


class CloudClock:
    """Simulated time in seconds since 1970, running `speed` times as fast as wall time.

    Speed 0 stands still and moves only by `advance`, which tests use to play minutes at once. With `phase_s` it begins
    so many seconds into a minute, at most one ahead of wall time; speed 1 keeps to wall time.
    """

    def __init__(
        self, speed: float = 1.0, *, wall: Callable[[], float] = wall_now, phase_s: float | None = None
    ) -> None:
        self._wall = wall
        epoch_s = wall() if phase_s is None else _epoch_s(wall(), speed, phase_s)
        self.scale = Clock(epoch_s=epoch_s, speed=speed)
        self._advanced_s = 0.0

    @property
    def speed(self) -> float:
        """How many simulated seconds pass in a second."""
        return self.scale.speed

    def now(self) -> float:
        """Simulated time."""
        # As `Clock.experiment_s` has it, without the call: every request asks twice.
        scale = self.scale
        return scale.epoch_s + (self._wall() - scale.epoch_s) * scale.speed + self._advanced_s

    def ahead_s(self) -> float:
        """How far simulated time is ahead of wall time, which user code reads."""
        return self.now() - self._wall()

    def jump(self, seconds: float) -> None:
        """Moves simulated time forward by `seconds` without running what falls due: see `Schedule.advance`."""
        self._advanced_s += seconds

    def wall_seconds(self, simulated_s: float) -> float:
        """How long `simulated_s` take in wall time; endless on a clock that stands still."""
        return simulated_s / self.speed if self.speed else float("inf")


def _epoch_s(wall_s: float, speed: float, phase_s: float) -> float:
    """When both times agreed, so that simulated time at `wall_s` is `phase_s` into a minute."""
    ahead_s = (phase_s - wall_s) % MINUTE_S
    return wall_s if speed == 1 else wall_s - ahead_s / (speed - 1)


def wall_limit_s(limit_s: float, speed: float) -> float:
    """How much wall time user code gets for a limit of AWS: as long in simulated time, but never too short to start."""
    return max(limit_s / speed, min(limit_s, LEAST_LIMIT_S)) if speed > 1 else limit_s


class Schedule:
    """What falls due when, in simulated time; actions run in order of their due time, one at a time.

    An action gets its own due time, not the time at which its thread woke, so that what it stamps does not depend on
    the speed. `lock` guards the whole state of the cloud: control-plane calls hold it too, after `run_due`, so that no
    answer is older than the clock.
    """

    def __init__(self, clock: CloudClock) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self._due: list[tuple[float, int, Action]] = []
        self._count = itertools.count()
        self._wake = threading.Condition(self.lock)
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._running_s: float | None = None

    def instant(self) -> float:
        """When what runs now was due; simulated time where nothing that was scheduled runs."""
        return self.clock.now() if self._running_s is None else self._running_s

    def catch_up(self, until_s: float) -> None:
        """Runs what is due, if anything is by `until_s`: cheap where nothing is."""
        if self._due and self._due[0][0] <= until_s:
            self.run_due()

    def at(self, when_s: float, action: Action) -> None:
        """Runs `action(when_s)` once, when simulated time reaches `when_s`."""
        with self._wake:
            heapq.heappush(self._due, (when_s, next(self._count), action))
            self._wake.notify()

    def every(self, period_s: float, action: Action, *, first_s: float) -> None:
        """Runs `action` at `first_s` and each `period_s` after, for ever."""

        def tick(at_s: float) -> None:
            self.at(at_s + period_s, tick)
            action(at_s)

        self.at(first_s, tick)

    def run_due(self) -> None:
        """Runs all that is due by now."""
        with self.lock:
            while self._due and self._due[0][0] <= self.clock.now():
                when_s, _, action = heapq.heappop(self._due)
                before_s, self._running_s = self._running_s, when_s
                try:
                    action(when_s)
                finally:
                    self._running_s = before_s

    def advance(self, seconds: float) -> None:
        """Moves a clock forward by `seconds`, running what falls due on the way at its own time."""
        with self.lock:
            end_s = self.clock.now() + seconds
            while self._due and self._due[0][0] <= end_s:
                self.clock.jump(max(0.0, self._due[0][0] - self.clock.now()))
                self.run_due()
            self.clock.jump(max(0.0, end_s - self.clock.now()))

    def start(self) -> None:
        """Keeps running what falls due in a thread of its own."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="schedule", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; what was not due yet never runs."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        with self._wake:
            while not self._stopping:
                self.run_due()
                self._wake.wait(self._wall_until_next())

    def _wall_until_next(self) -> float | None:
        if not self._due:
            return None
        wait_s = self.clock.wall_seconds(max(0.0, self._due[0][0] - self.clock.now()))
        return min(max(wait_s, SHORTEST_WAIT_S), 60.0)
