"""What one process records of one test: rows for the timeline, and requests for Locust's statistics."""

from collections.abc import Callable, Sequence

import gevent
import gevent.event
from locust.stats import RequestStats

from harness.core.timeline.events import Event, Totals
from harness.plugin.statistics import LocustsCount, Statistics
from harness.traffic.recorder import Recorder
from harness.traffic.steering import Steering

FLUSH_S = 0.25
"""Wall time between two flushes of rows and statistics."""


class CrewRecord:
    """Flushes what `recorder` and `statistics` gather, from time to time until the test has `ended`."""

    def __init__(
        self,
        steering: Steering,
        worker: str,
        send_rows: Callable[[Sequence[Event]], None],
        stats: RequestStats,
        locust: LocustsCount,
        ended: gevent.event.Event,
    ) -> None:
        self.recorder = Recorder(steering.timebase, send_rows, worker=worker, fault_when=steering.traffic.fault_when)
        self.statistics = Statistics(stats)
        self._timebase = steering.timebase
        self._worker = worker
        self._locust = locust
        self._counted_before = locust.requests
        self._counted: int | None = None
        self._ended = ended
        self._flusher = gevent.spawn(self._flush)

    def count(self) -> None:
        """Settles how many requests Locust counted in this test: it is over, or the next one begins."""
        if self._counted is None:
            self._counted = self._locust.requests - self._counted_before

    def stop(self) -> None:
        """Flushes no more by itself."""
        self._ended.set()
        self._flusher.join()
        self.count()

    def totals(self) -> Totals:
        """The sums of the whole test, once the last rows were sent."""
        self.recorder.flush()
        self.statistics.flush()
        return Totals(
            at_s=self._timebase.now_s(),
            counted=(self._counted or 0) + self.statistics.logged,
            recorded=self.recorder.recorded,
            odd=self.recorder.odd,
            example=self.recorder.example,
            odd_values=dict(self.recorder.odd_values),
            folded=self.recorder.folded,
            worker=self._worker,
        )

    def _flush(self) -> None:
        while not self._ended.wait(FLUSH_S):
            self.recorder.flush(self._timebase.now_s(), pause=lambda: gevent.sleep(0))  # starts must not wait for it
            self.statistics.flush()
