"""What is known of a request that a rehearsal planned: it comes when the machine lets it, and counts as it was due.

The harness says in a header when a request was due and which one of the run it is. What is drawn for it then follows
from the seed and that number alone: neither the order in which requests arrive nor their delay changes a datapoint.
"""

import struct
from collections.abc import Callable, Iterator, MutableMapping
from hashlib import blake2b
from itertools import count
from typing import Any

from harness.rehearsal.clock import Schedule
from harness.wallclock import Standstill

HEADER = b"x-rehearsal-due"
"""Its value is the wall time in seconds since 1970, and what names the request: the same for each run of a seed."""
LONGEST_S = 5.0
"""Wall time that a request may take to arrive; what takes longer counts from when it came."""
_DRAWS = struct.Struct("<4Q")


class Plan:
    """Reads the header of each request, counts the arrival, and has everything take place that was due before it."""

    def __init__(self, schedule: Schedule, world: Standstill, seed: int) -> None:
        self._schedule = schedule
        self._world = world
        self._key = f"{seed}".encode()[:64]

    def of(self, scope: MutableMapping[str, Any], now_s: float) -> tuple[float, Callable[[], float]] | None:
        """When a request was due, and its draws; None where it was not planned, or long ago. Takes the header away."""
        value = next((value for name, value in scope["headers"] if name == HEADER), None)
        if value is None:
            return None
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != HEADER]
        self._world.note_arrival()
        due, _, number = value.partition(b" ")
        try:
            due_s = min(self._schedule.clock.scale.experiment_s(float(due)), now_s)
        except ValueError:
            return None
        if now_s - due_s > LONGEST_S * self._schedule.clock.speed:
            return None
        self._schedule.catch_up(due_s)
        return due_s, _draws(self._key, number).__next__


def _draws(key: bytes, number: bytes) -> Iterator[float]:
    """Numbers from 0 to 1, the same for the same request of the same seed."""
    for block in count():
        for bits in _DRAWS.unpack(blake2b(b"%b %d" % (number, block), key=key, digest_size=_DRAWS.size).digest()):
            yield (bits >> 11) / (1 << 53)
