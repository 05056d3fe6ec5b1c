"""Has the time of a rehearsal wait for its traffic, so that what the machine is late by changes no datapoint."""

import time
from typing import TYPE_CHECKING

from harness.traffic.client.prepared import Prepared
from harness.wallclock import Standstill

if TYPE_CHECKING:
    from harness.traffic.steering import Timebase

HEADER = "X-Rehearsal-Due"
"""Tells the local cloud when a request was due: the wall time, and the second of the run, by which it is known."""
LEASE_S = 5.0
"""Experiment time for which the world goes on alone: a minute's metrics are read ten seconds after it, or later."""
LONGEST_LEASE_S = 0.1
"""The same in wall time, for slow rehearsals."""
MOST_ON_THE_WAY = 16
"""Requests that were sent and did not arrive yet, beyond which time waits for them."""
PATIENCE_S = 0.25
"""Wall time for which time waits; what did not arrive by then may be lost."""
MOST_IN_VAIN = 20
"""Such waits without one arrival, after which there is nobody at whom anything could arrive, and time waits no more."""


class Lockstep:
    """One process's part in it: it stamps what it sends, and renews the lease of time while it keeps up."""

    def __init__(self, world: Standstill, base: "Timebase") -> None:
        self._world = world
        self._base = base
        self._lease_s = min(LEASE_S / base.speed, LONGEST_LEASE_S)
        self._sent = self._lost = self._arrived = self._in_vain = 0
        self._waits_since: float | None = None

    @property
    def look_s(self) -> float:
        """Wall time after which to renew the lease again."""
        return self._lease_s / 4

    def stamped(self, request: Prepared, due_s: float) -> Prepared:
        """The request with its date."""
        self._sent += 1
        line = b"\r\n%b: %.7f %.6f\r\n" % (HEADER.encode(), self._base.wall_s(due_s), due_s)
        return Prepared(request.method, request.name, request.payload.replace(b"\r\n", line, 1), request.timeout_s)

    def keep(self) -> None:
        """Lets time go on, unless it has to wait for what is on the way."""
        if self._may_go_on():
            self._waits_since = None
            self._world.renew(self._lease_s)

    def end(self) -> None:
        """Has time wait for this process no more."""
        self._world.end_lease()

    def _may_go_on(self) -> bool:
        if (arrived := self._world.arrived) != self._arrived:
            self._arrived, self._in_vain = arrived, 0
        on_the_way = self._sent - arrived
        self._lost = min(self._lost, on_the_way)
        if on_the_way - self._lost <= MOST_ON_THE_WAY or self._in_vain >= MOST_IN_VAIN:
            return True
        now = time.monotonic()
        if self._waits_since is None:
            self._waits_since = now
        if now - self._waits_since < PATIENCE_S:
            return False
        self._lost = on_the_way
        self._in_vain += 1
        return True
