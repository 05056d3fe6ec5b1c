"""The guard rail of the arrival rate where requests are sent: no second, wherever it begins, carries more than it."""

import time
from collections import deque

from harness.core.experiment.pacing import WorkerPart
from harness.core.experiment.rates import HIGHEST_RATE

SHORTEST_WAIT_S = 0.001
"""Wall time after which to look again, where what was promised has yet to be sent."""
_LEAST_RATE = 1e-9

Bounds = tuple[int, float]
"""So many requests at most, in so many seconds of wall time wherever they begin."""


class RateRail:
    """What one process may send; without bounds it may send anything.

    A start is promised when it is decided and sent a little later, and takes room from the promise on: a process may be
    stopped in between, and what counts is when requests really begin.
    """

    def __init__(self) -> None:
        self._bounds: Bounds | None = None
        self._sent: deque[float] | None = None
        self._promised = 0

    def hold(self, bounds: Bounds | None) -> None:
        """Holds to these bounds from now on.

        New ones begin as if what they allow had been sent evenly just before: whoever had this part until now did so.
        """
        if bounds == self._bounds:
            return
        self._bounds, self._sent = bounds, None
        if bounds:
            (most, window_s), now = bounds, time.monotonic()
            self._sent = deque((now - window_s * (1 - number / most) for number in range(most)), maxlen=most)

    def wait_s(self) -> float:
        """Wall time until there is room for one more; 0 where there is room now."""
        if self._sent is None or self._bounds is None:
            return 0.0
        most, window_s = self._bounds
        if self._promised >= most:
            return SHORTEST_WAIT_S
        return max(0.0, self._sent[self._promised] + window_s - time.monotonic())

    def promise(self) -> None:
        """Takes room for a request that begins soon."""
        self._promised += 1

    def begun(self) -> None:
        """Notes that a promised request begins now."""
        self._promised -= 1
        if self._sent is not None:
            self._sent.append(time.monotonic())


def bounds_of(rate: float | None, part: WorkerPart) -> Bounds | None:
    """What a part may send of a fleet's `rate` per second of wall time; None where that is no limit to any process.

    Parts add up to the rate, unless there are more of them than requests in a second.
    """
    if rate is None or rate > HIGHEST_RATE:
        return None
    most, over = divmod(int(rate), part.count)
    if not most:
        return 1, part.count / max(rate, _LEAST_RATE)
    return most + (part.index < over), int(rate) / rate
