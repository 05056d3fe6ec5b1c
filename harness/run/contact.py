"""Whether anybody outside still answers."""

from harness.core.timeline.events import Event, Look, LookFailed, Requests
from harness.traffic.steering import Timebase

BLIND_S = 180.0
BLIND_WALL_S = 5.0
"""Experiment and wall seconds without a look that succeeds and without an answer of the service: both are gone.

A run survives a minute without network or name resolution.
"""


class Contact:
    """Whether AWS still answers our looks, or the service our requests."""

    def __init__(self, base: Timebase) -> None:
        self._base = base
        self._began_s = self._heard_s = base.now_s()
        self._problem = self._unseen = ""
        self._sighted = False

    def note(self, event: Event) -> None:
        """Notes an event that shows whether somebody answered."""
        self._sighted = self._sighted or isinstance(event, Look)
        if isinstance(event, Look) or (isinstance(event, Requests) and event.answered):
            self._heard_s, self._problem = self._base.now_s(), ""
        elif isinstance(event, LookFailed):
            self._problem = self._unseen = event.message

    def lost(self) -> str | None:
        """The problem, once nobody has answered for too long; None until then."""
        return self._problem if self._problem and self._too_long_since(self._heard_s) else None

    def blind(self) -> str | None:
        """The problem, if no look has ever succeeded, long after the beginning; None otherwise."""
        return self._unseen if not self._sighted and self._too_long_since(self._began_s) else None

    def _too_long_since(self, at_s: float) -> bool:
        return self._base.now_s() - at_s > max(BLIND_S, BLIND_WALL_S * self._base.speed)
