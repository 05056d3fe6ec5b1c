"""Sends chosen requests, each in a greenlet that waits for its answer, and counts what came of them."""

import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent import get_hub, getcurrent

from harness.errors import Exhausted, exhausted
from harness.traffic.client.client import Client
from harness.traffic.client.failures import NoAnswer
from harness.traffic.fired import VERSION_HEADER, Reply
from harness.traffic.folding import Folded
from harness.traffic.kinds import Planned
from harness.traffic.lockstep import Lockstep
from harness.traffic.rate_rail import RateRail
from harness.traffic.recorder import Recorder
from harness.traffic.steering import Timebase
from harness.wallclock import wall_now

FireRequest = Callable[..., None]
"""Tells Locust of a request, in the words of Locust's `request` event."""


MOST_REASONS = 100
"""Reasons of failures that are told apart: Locust keeps each, and some quote what a service sent."""


class Sender:
    """Sends requests of one process; every one is counted by `recorder` and told to Locust by `fire`."""

    def __init__(
        self,
        client: Client,
        timebase: Timebase,
        recorder: Recorder,
        fire: FireRequest,
        rail: RateRail,
        lockstep: Lockstep | None = None,
    ) -> None:
        self._client = client
        self._rail = rail
        self._base = timebase
        self._recorder = recorder
        self._fire = fire
        self._reasons = Folded(MOST_REASONS)
        self._hub = get_hub()
        self._idle: list[Any] = []
        self._senders: list[Any] = []
        self.in_flight = 0
        self._lack: Exhausted | None = None
        self._lockstep = lockstep

    def check(self) -> None:
        """Raises Exhausted once this process could not send: what it sends from then on says nothing of the service."""
        if self._lack:
            raise self._lack

    def start(self, planned: Planned, due_s: float) -> None:
        """Has a greenlet send a request soon, one that rests if there is any."""
        self.in_flight += 1
        self._rail.promise()
        if self._idle:
            self._hub.loop.run_callback(self._idle.pop().switch, planned, due_s)
        else:
            self._senders.append(gevent.spawn_raw(self._send_for_ever, planned, due_s))

    def send(self, planned: Planned, due_s: float, held_s: float) -> bool:
        """Sends a request in this greenlet, which was held back for so long; whether there was an answer."""
        self._recorder.started(due_s, held_s)
        self.in_flight += 1
        self._rail.promise()
        self._rail.begun()
        try:
            return self._perform(planned, due_s)
        finally:
            self.in_flight -= 1

    def drain(self, within_s: float) -> None:
        """Waits for the answers under way, up to `within_s` of wall time; what is left then counts as failed."""
        until = time.monotonic() + within_s
        while self.in_flight and time.monotonic() < until:
            gevent.sleep(0.005)
        gevent.killall([*self._senders], block=True)
        self._senders.clear()
        self._client.close()

    def _send_for_ever(self, planned: Planned, due_s: float) -> None:
        """Sends one request after the other, and rests in between."""
        own = getcurrent()
        while True:
            self._rail.begun()
            self._recorder.started(due_s, wall_now() - self._base.wall_s(due_s))
            try:
                self._perform(planned, due_s)
            finally:
                self.in_flight -= 1
            self._idle.append(own)
            planned, due_s = self._hub.switch()

    def _perform(self, planned: Planned, due_s: float) -> bool:
        """Sends a request and counts what came of it; whether there was an answer."""
        began = wall_now()
        response, error = None, None
        try:
            request = self._lockstep.stamped(planned, due_s) if self._lockstep else planned
            response = self._client.send(request)
        except NoAnswer as no_answer:
            error = str(no_answer)
        except Exception as bug:  # noqa: BLE001 - a sender must go on, and its request count as what it is
            lack = exhausted(bug)
            self._lack = lack or self._lack
            error = str(lack) if lack else f"the client failed: {bug!r}"
        except gevent.GreenletExit:
            error = "no answer when the run ended"
            raise
        finally:
            self._account(planned, due_s, began, response, error)
        return response is not None

    def _account(self, planned: Planned, due_s: float, began: float, response: Any, error: str | None) -> None:
        ended = wall_now()
        kind = planned.kind
        status = length = 0
        version = None
        if response is not None:
            status, length = response.status, response.length
            version = response.header(VERSION_HEADER)
            error = kind.judge.failure(response, planned.row)
            if error is None and planned.visit is not None:
                error = planned.visit.answered(planned, response)
        error = error and self._reasons(error)
        reply = Reply(status, version, error)
        latency_s = ended - self._base.wall_s(due_s)
        self._recorder.answered(kind.features, reply, due_s, latency_s, ended - began, planned.row)
        self._fire(
            request_type=planned.method,
            name=kind.name,
            response_time=(ended - began) * 1000,
            response_length=length,
            response=response,
            context=kind.context,
            exception=error,
        )
