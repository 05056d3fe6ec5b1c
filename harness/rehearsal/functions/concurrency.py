"""Reserved concurrency: how many runs of one function may be under way at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from harness.rehearsal.refusal import Refusal

ACCOUNT_LIMIT = 1000
"""Runs at once in a new account (Lambda quotas)."""
UNRESERVED_MINIMUM = 100
"""What reservations must leave to all other functions (Lambda developer guide, reserved concurrency)."""


class TooManyRequests(Refusal):
    """A run that reserved concurrency does not admit; `Reason` and `Type` go into the answer's body."""

    Reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
    Type = "User"

    def __init__(self) -> None:
        super().__init__("TooManyRequestsException", "Rate Exceeded.")


class Slots:
    """Counts the runs under way; `limit` None admits all, 0 none."""

    def __init__(self) -> None:
        self.limit: int | None = None
        self._running = 0
        self._lock = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Holds a slot for one run; raises `TooManyRequests` when none is free."""
        with self._lock:
            if self.limit is not None and self._running >= self.limit:
                raise TooManyRequests
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
