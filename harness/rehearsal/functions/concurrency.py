"""How many runs of one function are under way, and how many may be: reserved concurrency."""

import threading

from harness.rehearsal.cloudwatch.invocations import ALONE, Underway
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
        self._routes: dict[tuple[str | None, str], int] = {}
        self._lock = threading.Lock()

    def take(self, alias: str | None, version: str) -> Underway:
        """Takes a slot for one run, which has to be freed; raises `TooManyRequests` when none is free."""
        with self._lock:
            if self.limit is not None and self._running >= self.limit:
                raise TooManyRequests
            self._running += 1
            self._routes[alias, version] = self._routes.get((alias, version), 0) + 1
            return ALONE if self._running == 1 else self._underway(alias, version)

    def free(self, alias: str | None, version: str) -> None:
        """Gives the slot of a run back; one that was taken of a function that is gone since counts nowhere."""
        with self._lock:
            if self._routes.get((alias, version)):
                self._running -= 1
                self._routes[alias, version] -= 1

    def _underway(self, alias: str | None, version: str) -> Underway:
        of_alias = sum(runs for (name, _), runs in self._routes.items() if name == alias)
        return Underway(self._running, of_alias, self._routes[alias, version])
