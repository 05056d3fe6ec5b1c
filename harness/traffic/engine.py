"""The load engine of one process: starts requests when they are due, or one at a time for a closed loop."""

import math
import time
from collections import deque
from collections.abc import Callable
from typing import NoReturn

import gevent
import gevent.event

from harness.core.experiment.pacing import WHOLE, Pacer
from harness.traffic.choosing import Chooser, Turns
from harness.traffic.client.client import Client
from harness.traffic.kinds import Stock
from harness.traffic.lockstep import Lockstep
from harness.traffic.rate_rail import RateRail, bounds_of
from harness.traffic.recorder import Recorder
from harness.traffic.sender import FireRequest, Sender
from harness.traffic.steering import Steering
from harness.wallclock import standstill, wall_now

MAX_IN_FLIGHT = 4000
"""Requests of one process under way at once, beyond which a due start is given up and counted as unstarted."""
BATCH = 16
"""Starts in a row before answers get their turn, so that a backlog does not open a connection for each of them."""
LOOK_UP_S = 0.1
"""Wall time after which a waiting pacer looks for new steering, at the latest."""
LATE_S = 1.0
"""Wall time that a start may be overdue and still take place: later ones would be traffic that nobody planned then."""
HELD_S = 0.1
"""The same while the rail holds starts back: they would never catch up with a plan at the rail."""
PAUSED_S = 0.2
"""Wall time for messages that came while the process was stopped, before it sends again: others may have taken over."""


class LoadEngine:
    """Sends the requests of one process as steered, open arrivals by one pacer or one at a time for closed loops.

    `stock` are the requests that were made before; `fire` tells Locust of each request.
    """

    def __init__(
        self,
        client: Client,
        stock: Stock,
        steering: Steering,
        recorder: Recorder,
        fire: FireRequest,
    ) -> None:
        self._recorder = recorder
        self._base = steering.timebase
        self._chooser = Chooser(steering, stock)
        self._turns = Turns(steering.part or WHOLE)
        self._rail = RateRail()
        self._lockstep = Lockstep(standstill, self._base) if standstill else None
        self._sender = Sender(client, steering.timebase, recorder, fire, self._rail, self._lockstep)
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
        self._hold_rail(steering)

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
        self._keep_step()
        looked_s = self._base.now_s()
        while not self._stopped:
            self._sender.check()
            before_s, looked_s = looked_s, self._base.now_s()
            self._apply(looked_s)
            if looked_s - before_s > LATE_S * self.speed:
                self._go_on_after_a_pause()
            elif self._give_up_late(looked_s) or self._start_due(looked_s):
                gevent.sleep(0)
            else:
                self._keep_step()
                self._wait(self._pacer.due_s())

    def send_one(self) -> None:
        """Sends one request as soon as the rail has room, and waits for its answer, for a closed loop."""
        held_s = self._hold_back()
        now_s = self._base.now_s()
        self._apply(now_s)
        self._sender.check()
        if not self._sender.send(self._chooser.next(now_s, self._turns.next()), now_s, held_s):
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
            if self._lockstep:
                self._lockstep.end()
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
            self._hold_rail(steering)

    def _hold_rail(self, steering: Steering) -> None:
        part = steering.part or WHOLE
        if part.count:
            self._rail.hold(bounds_of(steering.rail, part))

    def _hold_back(self) -> float:
        """Waits until the rail has room; for how much wall time."""
        began = time.monotonic()
        while (wait_s := self._rail.wait_s()) > 0.0:
            gevent.sleep(min(wait_s, LOOK_UP_S))
        return time.monotonic() - began

    def _go_on_after_a_pause(self) -> None:
        """Catches up with nothing: the process was stopped, or its machine asleep."""
        gevent.sleep(PAUSED_S)
        while self._give_up(self._base.now_s() - HELD_S * self.speed, BATCH) and not self._stopped:
            gevent.sleep(0)

    def _give_up_late(self, now_s: float) -> bool:
        """Counts what is overdue by too much as unstarted, a batch at most; whether there was any."""
        bound_s = HELD_S if self._rail.wait_s() > 0.0 else LATE_S
        return self._give_up(now_s - bound_s * self.speed, BATCH)

    def _start_due(self, now_s: float) -> bool:
        """Starts what is due, a batch at most; whether there is more."""
        pacer = self._pacer
        for _ in range(BATCH):
            due_s = pacer.due_s()
            if due_s > now_s or self._rail.wait_s() > 0.0:
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
        while self._paced and self._give_up(self._stopped_s - LATE_S * self.speed, BATCH):
            pass

    def _give_up(self, until_s: float, most: int) -> bool:
        """Counts what was due by then as unstarted, each start once; whether there was any."""
        pacer = self._pacer
        for number in range(most):
            if pacer.due_s() >= until_s:
                return number > 0
            self._recorder.unstarted(pacer.due_s())
            pacer.advance()
        return True

    def _keep_step(self) -> None:
        """Lets the time of a rehearsal go on; of several processes none could answer for the others."""
        if self._lockstep and self._turns.part.count == 1:
            self._lockstep.keep()
        elif self._lockstep:
            self._lockstep.end()

    def _wait(self, due_s: float) -> None:
        wait_s = max(self._base.wall_s(due_s) - wall_now(), self._rail.wait_s())
        look_s = self._lockstep.look_s if self._lockstep else LOOK_UP_S
        if wait_s <= look_s:
            gevent.sleep(max(0.0, wait_s))
        else:
            self._changed.clear()
            self._changed.wait(min(wait_s, look_s))
