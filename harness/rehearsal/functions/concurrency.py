"""How many runs of one function are under way, and how many may be: reserved concurrency."""

import threading
from collections import defaultdict

from harness.rehearsal.cloudwatch.invocations import Underway
from harness.rehearsal.refusal import Refusal

ACCOUNT_LIMIT = 1000
"""Runs at once in a new account (Lambda quotas)."""
UNRESERVED_MINIMUM = 100
"""What reservations must leave to all other functions (Lambda developer guide, reserved concurrency)."""


class TooManyRequests(Refusal):
    """A run that reserved concurrency does not admit; `Reason` goes into the answer's body."""

    Reason = "ReservedFunctionConcurrentInvocationLimitExceeded"

    def __init__(self) -> None:
        super().__init__("TooManyRequestsException", "Rate Exceeded.")


class Slots:
    """Counts the runs under way; `limit` None admits all, 0 none."""

    def __init__(self) -> None:
        self.limit: int | None = None
        self._running = 0
        self._by_alias: defaultdict[str | None, int] = defaultdict(int)
        self._by_version: defaultdict[tuple[str | None, str], int] = defaultdict(int)
        self._lock = threading.Lock()

    def take(self, alias: str | None, version: str) -> Underway:
        """Takes a slot for one run, which has to be freed; raises `TooManyRequests` when none is free."""
        with self._lock:
            if self.limit is not None and self._running >= self.limit:
                raise TooManyRequests
            self._add(alias, version, 1)
            return Underway(self._running, self._by_alias[alias], self._by_version[alias, version])

    def free(self, alias: str | None, version: str) -> None:
        """Gives the slot of a run back."""
        with self._lock:
            self._add(alias, version, -1)

    def _add(self, alias: str | None, version: str, runs: int) -> None:
        self._running += runs
        self._by_alias[alias] += runs
        self._by_version[alias, version] += runs
