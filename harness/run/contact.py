"""Whether anybody outside still answers."""

from harness.core.timeline.events import Event, Look, LookFailed, Requests
from harness.traffic.steering import Timebase

BLIND_S = 180.0
BLIND_WALL_S = 5.0
"""Experiment and wall seconds without any sight of the control plane and any answer of the service: both are gone.

A minute without network or name resolution is survived.
"""


class Contact:
    """Whether the world outside still answers: the control plane our looks, the service our requests."""

    def __init__(self, base: Timebase) -> None:
        self._base = base
        self._began_s = self._heard_s = base.now_s()
        self._problem = self._unseen = ""
        self._sighted = False

    def note(self, event: Event) -> None:
        """Takes notice of an event that shows whether somebody answered."""
        self._sighted = self._sighted or isinstance(event, Look)
        if isinstance(event, Look) or (isinstance(event, Requests) and event.status):
            self._heard_s, self._problem = self._base.now_s(), ""
        elif isinstance(event, LookFailed):
            self._problem = self._unseen = event.message

    def lost(self) -> str | None:
        """Why nobody can be expected to answer any more; None while there is hope."""
        return self._problem if self._problem and self._too_long_since(self._heard_s) else None

    def blind(self) -> str | None:
        """Why no look ever succeeded, long after the beginning: then none will, whatever the service answers."""
        return self._unseen if not self._sighted and self._too_long_since(self._began_s) else None

    def _too_long_since(self, at_s: float) -> bool:
        return self._base.now_s() - at_s > max(BLIND_S, BLIND_WALL_S * self._base.speed)
