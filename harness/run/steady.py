"""Holds a deployment back until traffic is steady."""

import time

import gevent

from harness.core.timeline.events import Arrivals, Event, FaultEnded, FaultStarted, Requests, Write
from harness.core.timeline.rollout import Rollout
from harness.core.verdict.evidence import fault_times
from harness.core.verdict.steady import why_not_steady
from harness.run.context import RunContext

ROWS_WITHIN_WALL_S = 5.0
"""Wall time in which requests are answered and recorded that were sent in the steady time."""
ASK_EVERY_WALL_S = 0.05

_TELLING = (Requests, Arrivals, FaultStarted, FaultEnded, Write)
"""A fault hurts from its call on, which is a write, and is noted when that has returned."""


class SteadyCheck:
    """What is recorded of the traffic before a deployment, and whether that is steady."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._events: list[Event] = []
        self._closed = False
        context.recording.listeners.append(self._note)

    def why_not(self) -> str | None:
        """Why traffic is not steady by what is recorded now; None if it is."""
        requests = [event for event in self._events if isinstance(event, Requests)]
        arrivals = [event for event in self._events if isinstance(event, Arrivals)]
        return why_not_steady(self._context.experiment, requests, arrivals, [*fault_times(self._events)])

    def why_not_in_time(self) -> str | None:
        """The same, once what is under way has been recorded."""
        until = time.monotonic() + ROWS_WITHIN_WALL_S
        while (why := self.why_not()) and time.monotonic() < until:
            gevent.sleep(ASK_EVERY_WALL_S)
        return why

    def close(self) -> None:
        """Forgets everything: the deployment is made."""
        self._closed = True
        self._events.clear()

    def _note(self, event: Event, _: Rollout) -> None:
        if isinstance(event, _TELLING) and not self._closed:
            self._events.append(event)
