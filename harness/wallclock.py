"""Wall time that nobody sets: the system's clock once, and from there on one that only goes forward.

A run's times must not jump where somebody, or a time server, sets this machine's clock. The machine's sleep counts. The
processes of one rehearsal may share a `Standstill`: time that passes in it is none of theirs. A process that takes part
in a run of another machine goes by that one's clock.
"""

import functools
import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path

STANDSTILL = "CANARY_HARNESS_STANDSTILL"
"""Names the file of the standstill that the processes of a rehearsal share."""

_BOOT = getattr(time, "CLOCK_BOOTTIME", None)
"""Goes on while the machine sleeps; where there is none, such a sleep may be left out."""
_ticks: Callable[[], float] = time.monotonic if _BOOT is None else functools.partial(time.clock_gettime, _BOOT)
_NEVER = float("inf")
_STOOD, _LEASE, _STOP, _ARRIVED = range(4)
"""Where a standstill keeps the seconds that it took so far, both limits of time, and how many requests arrived."""


class Standstill:
    """Lets the time of several processes wait for one that is late, so that a slow machine changes no rehearsal.

    Time goes no further than the lease that whoever sends traffic renews, nor beyond an instant at which it was told to
    stop. Each value is written whole, and in an order in which whoever reads meanwhile sees no time go back.
    """

    LONGEST_S = 20.0
    """Wall time after which time goes on whatever was agreed: who should have renewed the lease may be gone."""

    def __init__(self, file: Path) -> None:
        with file.open("r+b") as opened:
            self._shared = memoryview(mmap.mmap(opened.fileno(), 0)).cast("d")

    @classmethod
    def create(cls, file: Path) -> "Standstill":
        """A new one, in which time goes on."""
        file.write_bytes(bytes(4 * 8))
        made = cls(file)
        made._shared[_LEASE] = made._shared[_STOP] = _NEVER
        return made

    def passed_s(self) -> float:
        """Seconds since this machine was started, without those of standstills."""
        shared, ticks = self._shared, _ticks()
        until = min(shared[_LEASE], shared[_STOP])
        passed = ticks - shared[_STOOD]
        return passed if passed <= until else max(until, passed - self.LONGEST_S)

    def renew(self, lease_s: float) -> None:
        """Lets time go on for `lease_s` from now at most; a stop that lasts for too long is not made longer by that."""
        now = self.passed_s()
        if now < self._shared[_STOP]:
            now = self._leave_out()
        self._shared[_LEASE] = now + lease_s

    def end_lease(self) -> None:
        """Lets time go on without anybody's renewing."""
        self.renew(_NEVER)

    def stop_at(self, wall_s: float) -> None:
        """Has time stop at an instant, in seconds since 1970 as `wall_now` counts them; now, if that has passed."""
        now = self._leave_out()
        self._shared[_STOP] = max(now, wall_s - _BEGAN_S - _ahead_s)

    def go_on(self) -> None:
        """Stops no more."""
        self.stop_at(_NEVER)

    def note_arrival(self) -> None:
        """Counts one more request that arrived; only one process may."""
        self._shared[_ARRIVED] += 1

    @property
    def arrived(self) -> int:
        """How many requests arrived so far."""
        return int(self._shared[_ARRIVED])

    def _leave_out(self) -> float:
        """Makes the time for which it stood still count as such; what has passed without it."""
        now = self.passed_s()
        self._shared[_STOOD] = max(self._shared[_STOOD], _ticks() - now)
        return now


_BEGAN_S = time.time() - _ticks()
_ahead_s = 0.0
"""How far the clock that this process goes by is ahead of this machine's."""


def _shared() -> Standstill | None:
    file = Path(os.environ.get(STANDSTILL, ""))
    return Standstill(file) if file.is_file() else None


standstill = _shared()
"""What this process shares with others; None on AWS, and wherever nobody waits for anybody."""


def own_now() -> float:
    """Seconds since 1970, as this machine counted them when this process began; standstills left out."""
    return _BEGAN_S + (standstill.passed_s() if standstill else _ticks())


def wall_now() -> float:
    """The same by the clock that this process goes by: this machine's, or the one that it was told to follow."""
    return own_now() + _ahead_s


def follow(asked_s: float, shown_s: float) -> None:
    """Goes by a clock that showed `shown_s` at some instant between `asked_s`, by `own_now`, and now.

    What was found once is kept as long as it fits, so that no message that took long moves the time of a run.
    """
    global _ahead_s
    least_s, most_s = shown_s - own_now(), shown_s - asked_s
    if not least_s <= _ahead_s <= most_s:
        _ahead_s = (least_s + most_s) / 2


def set_forward_s() -> float:
    """How far this machine's clock has been set forward since then; negative if it was set back."""
    return time.time() - _BEGAN_S - _ticks()


def behind_s() -> float:
    """How far `wall_now` is behind this machine's clock: that was set, time stood still, or another one is followed."""
    return time.time() - wall_now()
