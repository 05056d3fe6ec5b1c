"""The traffic of one process: what is sent next, when, and what came of it."""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NoReturn

import gevent
import gevent.event
from gevent import get_hub, getcurrent

from harness.core.experiment.pacing import WHOLE, Mix, Pacer, share_draw
from harness.core.experiment.types import ERROR_PERSONA
from harness.core.experiment.types import Traffic as Wanted
from harness.traffic.client.client import Client
from harness.traffic.client.failures import NoAnswer
from harness.traffic.client.prepared import Prepared
from harness.traffic.recorder import VERSION_HEADER, Features, Recorder, Reply
from harness.traffic.steering import Steering

MAX_IN_FLIGHT = 4000
"""Requests of one process under way at once, beyond which a due start is given up and counted as unstarted."""
BATCH = 16
"""Starts in a row before answers get their turn, so that a backlog does not open a connection for each of them."""
LOOK_UP_S = 0.1
"""Wall time after which a waiting pacer looks for new steering, at the latest."""
LATE_S = 1.0
"""Wall time that a start may be overdue when traffic ends and not be counted as unstarted."""
FAILED_FROM = 400
WRONG_VERSIONS = ("", "0")
"""Client versions that make the service throw: none at all, and one that it does not know."""

OWN = "canary"
"""The key in a request event's context that says the recorder has it already."""

Prepare = Callable[[Client, str, str, str], Prepared]
FireRequest = Callable[..., None]


class Planned:
    """One kind of request: its bytes, what is recorded of it, what Locust's event says of it."""

    __slots__ = ("context", "features", "name", "prepared")

    def __init__(self, prepared: Prepared, features: Features) -> None:
        self.prepared = prepared
        self.features = features
        self.name = prepared.name if features.intent == "good" else f"{prepared.name} [fault]"
        self.context = {OWN: True, "intent": features.intent, "persona": features.persona}


def _planned(
    client: Client, prepare: Prepare, share: float, features: Features, version: str, weight: float
) -> dict[Planned, float]:
    prepared = prepare(client, features.persona, features.endpoint, version)
    return {Planned(prepared, features): share * weight}


class Requests:
    """Draws what to send next; the same seed draws the same again."""

    def __init__(self, wanted: Wanted, seed: int, client: Client, prepares: Mapping[Prepare, float], part: int) -> None:
        good: dict[Planned, float] = {}
        fault: dict[Planned, float] = {}
        refused: dict[Planned, float] = {}
        for prepare, share in prepares.items():
            planned = partial(_planned, client, prepare, share)
            for version, weight in wanted.client_versions.items():
                for endpoint, endpoint_weight in wanted.endpoints.items():
                    for persona, persona_weight in wanted.personas.items():
                        features = Features("good", persona, endpoint)
                        good |= planned(features, version, persona_weight * endpoint_weight * weight)
                # The error user fails where it is looked up; its feature toggles are like anyone's.
                fault |= planned(Features("fault", ERROR_PERSONA, "fakeUser"), version, weight)
            for wrong in WRONG_VERSIONS:
                for persona, weight in wanted.personas.items():
                    refused |= planned(Features("fault", persona, "fakeUser"), wrong, weight)
        self.refused = Mix(refused, f"refused {seed} {part}").draw
        self.good = Mix(good, f"good {seed} {part}").draw
        self.fault = Mix(fault, f"fault {seed} {part}").draw


class Traffic:
    """Sends requests of one process as steered, open arrivals by one pacer or one at a time for closed loops.

    `prepares` are the ways to prepare a request, each with its weight.
    Every request is counted by `recorder` and told to Locust by `fire`, in the words of Locust's `request` event.
    """

    def __init__(
        self,
        client: Client,
        prepares: Mapping[Prepare, float],
        steering: Steering,
        recorder: Recorder,
        fire: FireRequest,
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._fire = fire
        self._steering = steering
        self._pending: deque[Steering] = deque()
        self._holding = deque([steering])
        self._base = steering.timebase
        part = steering.part or WHOLE
        wanted, seed = steering.traffic, steering.seed
        self._pacer = Pacer(steering.plan, part, arrivals=wanted.arrivals, seed=seed, since_s=steering.since_s)
        self._is_fault = share_draw(wanted.pattern, seed, part).draw
        self._is_version_fault = share_draw("even", seed, WHOLE).draw
        self._requests = Requests(wanted, seed, client, prepares, part.index)
        self._idle: list[Any] = []
        self._senders: list[Any] = []
        self._in_flight = 0
        self._stopped = self._paced = False
        self._stopped_s = math.inf
        self._hub = get_hub()
        self._changed = gevent.event.Event()

    @property
    def speed(self) -> float:
        """Experiment seconds in a second."""
        return self._base.speed

    @property
    def paces_on(self) -> bool:
        """Whether there is, or will be, anything to start of what is planned by now."""
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
        self._recorder.started(now_s, 0.0)
        self._in_flight += 1
        try:
            answered = self._perform(self._next(now_s), now_s)
        finally:
            self._in_flight -= 1
        if not answered:
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
        until = time.monotonic() + within_s
        while self._in_flight and time.monotonic() < until:
            gevent.sleep(0.005)
        gevent.killall([*self._senders], block=True)
        self._senders.clear()
        self._client.close()

    def _apply(self, now_s: float) -> None:
        while self._pending and self._pending[0].since_s <= now_s:
            before, self._steering = self._steering, self._pending.popleft()
            steering, part = self._steering, self._steering.part or WHOLE
            self._holding.append(steering)
            self._pacer.change(steering.plan, part, steering.since_s)
            if steering.traffic.pattern != before.traffic.pattern:
                self._is_fault = share_draw(steering.traffic.pattern, steering.seed, part).draw

    def _start_due(self, now_s: float) -> bool:
        """Starts what is due, a batch at most; whether there is more."""
        pacer = self._pacer
        for _ in range(BATCH):
            due_s = pacer.due_s()
            if due_s > now_s:
                return False
            self._start(due_s)
            pacer.advance()
        return True

    def _give_up_overdue(self) -> None:
        """Counts what should have been started before the end, where the process or its machine was too slow."""
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

    def _next(self, due_s: float) -> Planned:
        requests = self._requests
        error_share, version_share = self._shares(due_s)
        if not self._is_fault(error_share + version_share):
            return requests.good()
        if version_share and self._is_version_fault(version_share / (error_share + version_share)):
            return requests.refused()
        return requests.fault()

    def _shares(self, due_s: float) -> tuple[float, float]:
        """The shares of fault requests for one due then, which the times of due requests never go back from.

        One that is late has no share that began after it was due, nor one that was taken back since.
        """
        holding = self._holding
        while len(holding) > 1 and holding[1].since_s <= due_s:
            holding.popleft()
        if len(holding) == 1:
            return holding[0].error_share, holding[0].client_version_share
        return min(each.error_share for each in holding), min(each.client_version_share for each in holding)

    def _start(self, due_s: float) -> None:
        if self._in_flight >= MAX_IN_FLIGHT:
            self._recorder.unstarted(due_s)
            return
        planned = self._next(due_s)  # only now, since shares are of the requests that are sent
        self._in_flight += 1
        if self._idle:
            self._hub.loop.run_callback(self._idle.pop().switch, planned, due_s)
        else:
            self._senders.append(gevent.spawn_raw(self._send_for_ever, planned, due_s))

    def _send_for_ever(self, planned: Planned, due_s: float) -> None:
        """A sender: performs one request after the other, and rests in between."""
        own = getcurrent()
        while True:
            self._recorder.started(due_s, time.time() - self._base.wall_s(due_s))
            try:
                self._perform(planned, due_s)
            finally:
                self._in_flight -= 1
            self._idle.append(own)
            planned, due_s = self._hub.switch()

    def _perform(self, planned: Planned, due_s: float) -> bool:
        """Sends a request and counts what came of it; whether there was an answer."""
        began = time.time()
        response, error = None, None
        try:
            response = self._client.send(planned.prepared)
        except NoAnswer as no_answer:
            error = str(no_answer)
        except Exception as bug:  # noqa: BLE001 - a sender must go on, and its request count as what it is
            error = f"the client failed: {bug!r}"
        except gevent.GreenletExit:
            error = "no answer when the run ended"
            raise
        finally:
            self._account(planned, due_s, began, response, error)
        return response is not None

    def _account(self, planned: Planned, due_s: float, began: float, response: Any, error: str | None) -> None:
        ended = time.time()
        status = length = 0
        version = None
        if response is not None:
            status, length = response.status, response.length
            version = response.header(VERSION_HEADER)
            error = None if status < FAILED_FROM else f"HTTP {status}"
        reply = Reply(status, version, error)
        self._recorder.answered(planned.features, reply, due_s, ended - self._base.wall_s(due_s), ended - began)
        self._fire(
            request_type=planned.prepared.method,
            name=planned.name,
            response_time=(ended - began) * 1000,
            response_length=length,
            response=response,
            context=planned.context,
            exception=error,
        )
