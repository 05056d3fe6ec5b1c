"""Watches the guard rails of a run: counts what they limit, and says when a limit was exceeded."""

from collections import deque

from harness.core.experiment.rails import RATE_WINDOW_S, Limits, Seen, Trip, blind_limit_s, tripped
from harness.core.timeline.events import Event, Look, Requests
from harness.traffic.steering import Timebase
from harness.wallclock import wall_now


class Guard:
    """The rails of one run; `watched` says whether there is a deployment that the watcher could lose sight of."""

    def __init__(self, limits: Limits, base: Timebase, *, watched: bool) -> None:
        self._limits = limits
        self._base = base
        self._watched = watched
        self._fault_requests = 0
        self._seen_s = base.now_s()
        self._seconds: deque[tuple[float, int]] = deque()

    def note(self, event: Event) -> None:
        """Counts an event that a rail limits."""
        if isinstance(event, Look):
            self._seen_s = self._base.now_s()
        elif isinstance(event, Requests):
            self._fault_requests += event.count if event.intent == "fault" else 0
            self._seconds.append((event.at_s, event.count))

    def tripped(self, *, faults_active: bool, planned: bool) -> Trip | None:
        """The rail that was exceeded. `planned`: the rate of the traffic is planned, and was checked before."""
        rate = self._rate()
        return tripped(
            self._limits,
            Seen(
                fault_requests=self._fault_requests,
                wall_s=wall_now() - self._base.began_wall_s,
                rate=None if planned else rate,
                blind_s=self._blind_s() if faults_active and self._watched else None,
            ),
        )

    def _rate(self) -> float:
        oldest_s = self._base.now_s() - RATE_WINDOW_S
        while self._seconds and self._seconds[0][0] < oldest_s:
            self._seconds.popleft()
        return sum(count for _, count in self._seconds) / RATE_WINDOW_S

    def _blind_s(self) -> float | None:
        """Seconds since the last look that succeeded, once that is longer than one call may take."""
        blind_s = self._base.now_s() - self._seen_s
        return blind_s if blind_s > blind_limit_s(self._limits, self._base.speed) else None
