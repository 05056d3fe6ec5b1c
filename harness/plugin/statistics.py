"""Locust's statistics, updated with many requests at once.

Locust counts a request when its `request` event is fired, which takes longer than all the rest of our Python code for a
request. If nobody but Locust listens, no event is fired: requests are gathered and added to its statistics from time to
time, as Locust adds those of a worker.
"""

import time
from typing import Any

import locust.stats
from locust.stats import RequestStats, StatsEntry, StatsError

from harness.core.timeline.histogram import histogram, seconds_of


def others_listen(request_event: Any, own: object) -> bool:
    """Whether anybody but Locust's own statistics and `own` listens to each request."""
    listeners = [listener for listener in request_event._handlers if listener != own]
    return any(getattr(listener, "__module__", None) != "locust.runners" for listener in listeners)


class _Batch:
    __slots__ = ("length", "times_s")

    def __init__(self) -> None:
        self.times_s: list[float] = []
        self.length = 0


class Statistics:
    """Gathers requests for Locust's statistics, which include them after the next `flush`."""

    def __init__(self, statistics: RequestStats) -> None:
        self._statistics = statistics
        self._batches: dict[tuple[str, str, str | None], _Batch] = {}

    def log(
        self,
        *,
        request_type: str,
        name: str,
        response_time: float,
        response_length: int,
        exception: str | None,
        response: object = None,  # noqa: ARG002 - the event has it
        context: object = None,  # noqa: ARG002 - the event has it
    ) -> None:
        """Counts one request; the arguments are those of Locust's `request` event."""
        key = (request_type, name, exception)
        batch = self._batches.get(key)
        if batch is None:
            batch = self._batches[key] = _Batch()
        batch.times_s.append(response_time / 1000)
        batch.length += response_length

    def flush(self) -> None:
        """Adds what was gathered since the last flush."""
        batches, self._batches = self._batches, {}
        for (method, name, reason), batch in batches.items():
            entry = self._entry(method, name, batch)
            if reason:
                entry.num_failures, entry.num_fail_per_sec = entry.num_requests, entry.num_reqs_per_sec
                self._add_errors(method, name, reason, entry.num_requests)
            self._statistics.total.extend(entry)
            self._statistics.get(name, method).extend(entry)

    def _entry(self, method: str, name: str, batch: _Batch) -> StatsEntry:
        now, times_s = time.time(), batch.times_s
        entry = StatsEntry(self._statistics, name, method)
        entry.last_request_timestamp = now
        entry.num_requests = len(times_s)
        entry.num_reqs_per_sec = {int(now): len(times_s)}
        entry.total_content_length = batch.length
        entry.total_response_time = sum(times_s) * 1000
        entry.min_response_time, entry.max_response_time = min(times_s) * 1000, max(times_s) * 1000
        for bin_, count in histogram(times_s).items():
            rounded_ms = locust.stats.bucket_response_time(seconds_of(bin_) * 1000)
            entry.response_times[rounded_ms] = entry.response_times.get(rounded_ms, 0) + count
        return entry

    def _add_errors(self, method: str, name: str, reason: str, count: int) -> None:
        key = StatsError.create_key(method, name, reason)
        error = self._statistics.errors.setdefault(key, StatsError(method, name, reason))
        error.occurred()
        error.occurrences += count - 1
