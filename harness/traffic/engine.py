"""The load engine of one process: starts requests when they are due, or one at a time for a closed loop."""

import math
import time
from collections import deque
from collections.abc import Callable
from typing import NoReturn

import gevent
import gevent.event

from harness.core.experiment.pacing import WHOLE, Pacer
from harness.traffic.choosing import Chooser, Prepares, Turns
from harness.traffic.client.client import Client
from harness.traffic.recorder import Recorder
from harness.traffic.sender import FireRequest, Sender
from harness.traffic.steering import Steering

MAX_IN_FLIGHT = 4000
"""Requests of one process under way at once, beyond which a due start is given up and counted as unstarted."""
BATCH = 16
"""Starts in a row before answers get their turn, so that a backlog does not open a connection for each of them."""
LOOK_UP_S = 0.1
"""Wall time after which a waiting pacer looks for new steering, at the latest."""
LATE_S = 1.0
"""Wall time that a start may be overdue when traffic ends and not be counted as unstarted."""


class LoadEngine:
    """Sends the requests of one process as steered, open arrivals by one pacer or one at a time for closed loops.

    `prepares` are the ways to prepare a request, each with its weight; `fire` tells Locust of each request.
    """

    def __init__(
        self,
        client: Client,
        prepares: Prepares,
        steering: Steering,
        recorder: Recorder,
        fire: FireRequest,
    ) -> None:
        self._recorder = recorder
        self._base = steering.timebase
        self._chooser = Chooser(steering, client, prepares)
        self._turns = Turns(steering.part or WHOLE)
        self._sender = Sender(client, steering.timebase, recorder, fire)
        self._pacer = Pacer(
            steering.plan,
            steering.part or WHOLE,
            arrivals=steering.traffic.arrivals,
            seed=steering.seed,
            since_s=steering.since_s,
        )
        self._pending: deque[Steering] = deque()
        self._stopped = self._paced = False
        self._stopped_s = math.inf
        self._changed = gevent.event.Event()

    @property
    def speed(self) -> float:
        """Experiment seconds in a second."""
        return self._base.speed

    @property
    def paces_on(self) -> bool:
        """Whether the plan so far has anything left to start, now or later."""
        return not self._stopped and self._pacer.due_s() < math.inf

    def steer(self, steering: Steering) -> None:
        """Takes new steering, which holds from its `since_s` on."""
        self._pending.append(steering)
        self._apply(self._base.now_s())
        self._changed.set()

    def pace(self) -> None:
        """Starts every due request of this process in time, until `stop`; the calling greenlet does nothing else."""
        self._paced = True
        while not self._stopped:
            now_s = self._base.now_s()
            self._apply(now_s)
            if self._start_due(now_s):
                gevent.sleep(0)
            else:
                self._wait(self._pacer.due_s())

    def send_one(self) -> None:
        """Sends one request now and waits for its answer, for a closed loop."""
        now_s = self._base.now_s()
        self._apply(now_s)
        if not self._sender.send(self._chooser.next(now_s, self._turns.next()), now_s):
            gevent.sleep(0)  # what fails at once would keep the others from their turn

    def send_in_turn(self, pause: Callable[[], None]) -> NoReturn:
        """Sends one request after the other with a pause in between, until the pause or somebody else ends it."""
        while True:
            self.send_one()
            pause()

    def stop(self) -> None:
        """Starts no more requests of open arrivals."""
        if not self._stopped:
            self._stopped = True
            self._stopped_s = self._base.now_s()
        self._changed.set()

    def drain(self, within_s: float) -> None:
        """Waits for the answers under way, up to `within_s` of wall time, then gives up the rest as failed."""
        self.stop()
        self._give_up_overdue()
        self._sender.drain(within_s)

    def _apply(self, now_s: float) -> None:
        while self._pending and self._pending[0].since_s <= now_s:
            steering = self._pending.popleft()
            self._pacer.change(steering.plan, steering.part or WHOLE, steering.since_s)
            self._chooser.steer(steering)
            self._turns.part = steering.part or WHOLE

    def _start_due(self, now_s: float) -> bool:
        """Starts what is due, a batch at most; whether there is more."""
        pacer = self._pacer
        for _ in range(BATCH):
            due_s = pacer.due_s()
            if due_s > now_s:
                return False
            if self._sender.in_flight < MAX_IN_FLIGHT:
                # Chosen only now, since shares are of the requests that are sent.
                self._sender.start(self._chooser.next(due_s, pacer.number), due_s)
            else:
                self._recorder.unstarted(due_s)
            pacer.advance()
        return True

    def _give_up_overdue(self) -> None:
        """Counts what should have started before the end, but the process or its machine was too slow."""
        pacer, until_s = self._pacer, self._stopped_s - LATE_S * self._base.speed
        while self._paced and pacer.due_s() < until_s:
            self._recorder.unstarted(pacer.due_s())
            pacer.advance()

    def _wait(self, due_s: float) -> None:
        wait_s = self._base.wall_s(due_s) - time.time()
        if wait_s <= LOOK_UP_S:
            gevent.sleep(max(0.0, wait_s))
        else:
            self._changed.clear()
            self._changed.wait(min(wait_s, LOOK_UP_S))
