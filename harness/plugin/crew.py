"""What one process adds to a run: its users, their traffic, and the rows that are recorded of it."""

import contextlib
import gc
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import gevent
import gevent.event
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopUser

from harness.core.experiment.feed import Feed
from harness.core.experiment.rails import host_refusal
from harness.core.timeline.events import Event
from harness.errors import UsageError, sentence_of
from harness.plugin.crew_record import CrewRecord
from harness.plugin.statistics import LocustsCount, others_listen
from harness.traffic.client.address import service_url
from harness.traffic.client.client import Client
from harness.traffic.client.proxies import proxy_for, shown
from harness.traffic.engine import LoadEngine
from harness.traffic.kinds import OWN, Prepares, Stock
from harness.traffic.steering import Steering

HAND_OVER_S = 5.0
"""Wall time that the others have to take over from a process that is about to leave."""
DRAIN_S = 5.0
"""Wall time that requests under way have for their answers when a test stops."""
STAND_BY_S = 0.1
"""Wall time after which a user that stands by checks whether it is its turn."""

PASSED_ON = (InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopUser)
"""What a listener may raise to end the task, or the user, that sent the request."""

SendRows = Callable[[Sequence[Event], bool], None]
TellPacing = Callable[[bool], None]
TellFailure = Callable[[str], None]

log = logging.getLogger(__name__)


class Crew:
    """The users of one process and what they share: steering, client, load engine and recorder.

    `send_rows` takes events to the timeline, with True after the last of a test; `tell_pacing` says whether there is
    anybody here to send; `tell_failure` says why no traffic can be sent.
    """

    def __init__(
        self,
        environment: Any,
        *,
        name: str,
        send_rows: SendRows,
        tell_pacing: TellPacing,
        tell_failure: TellFailure,
    ) -> None:
        self._environment = environment
        self._name = name
        self._send_rows = send_rows
        self._tell_pacing = tell_pacing
        self._tell_failure = tell_failure
        self._users: list[Any] = []
        self._steering: Steering | None = None
        self._feed: Feed | None = None
        self._stock: Stock | None = None
        self._record: CrewRecord | None = None
        self._client: Client | None = None
        self._engine: LoadEngine | None = None
        self._locust = LocustsCount(environment.stats)
        self._hears: CrewRecord | None = None
        self._part_known = gevent.event.Event()
        self._ended = gevent.event.Event()  # a worker may be told twice that a test begins; it ends but once
        self._early: list[Steering] = []

    @property
    def open_arrivals(self) -> bool:
        """Whether one pacer sends for all users."""
        return self._steering is None or self._steering.traffic.users is None

    @property
    def steering(self) -> Steering | None:
        """What is played now; None between tests."""
        return self._steering

    @property
    def sends(self) -> bool:
        """Whether requests are being sent."""
        return self._engine is not None

    def begin(self, steering: Steering) -> None:
        """Starts recording for a new test."""
        self._steering = steering
        self._feed = steering.feed
        self._part_known.clear()
        self._early.clear()
        if self._hears:
            self._hears.count()
        self._hears = self._record = CrewRecord(
            steering,
            self._name,
            lambda events: self._send_rows(events, False),
            self._environment.stats,
            self._locust,
            self._ended,
        )

    def steer(self, steering: Steering) -> None:
        """Takes new steering. While no test runs it ignores it, because it belongs to a test that is over."""
        if self._record is None:
            return
        self._steering = steering
        if self._engine:
            self._engine.steer(steering)
        elif steering.part:
            self._early.append(steering)
            self._part_known.set()

    def join(self, user: Any) -> LoadEngine:
        """Adds a user, and waits until this process knows its part; raises StopUser if it cannot send traffic."""
        self._users.append(user)
        with _telling_failure(self._tell_failure):
            if len(self._users) == 1 and self._steering:  # without steering the run was refused, and ends
                self._client = self._client or self._warm_client(self._steering, user)
                self._tell_pacing(True)
            self._part_known.wait()
            if self._engine is None:
                self._engine = self._start_engine()
            return self._engine

    def play(self, user: Any) -> None:
        """One turn of a user: it sends for all users, sends requests of its own, or stands by."""
        engine = self._engine
        with _telling_failure(self._tell_failure):
            if engine is None or (self.open_arrivals and not self.is_pacer(user)):
                gevent.sleep(STAND_BY_S)
            elif self.open_arrivals:
                engine.pace()
            elif len(user.tasks) > 1:
                engine.send_one()  # the locustfile's own tasks take their turns
            else:
                engine.send_in_turn(user.wait)

    def leave(self, user: Any) -> None:
        """Removes a user."""
        if user in self._users:
            self._users.remove(user)
            if not self._users:
                self._tell_pacing(False)

    def hand_over(self) -> None:
        """Says that this process is about to leave, and goes on sending until the others have taken over."""
        if self._engine is None or not self.open_arrivals:
            return
        self._tell_pacing(False)
        until = time.monotonic() + HAND_OVER_S
        while self._engine and self._engine.paces_on and time.monotonic() < until:
            gevent.sleep(0.02)

    def stop(self) -> None:
        """Stops starting requests of open arrivals."""
        if self._engine:
            self._engine.stop()

    def is_pacer(self, user: Any) -> bool:
        """Whether this user sends for all."""
        return self._users[:1] == [user]

    def on_request(self, **request: Any) -> None:
        """Records a request of another kind of user; those of a CanaryUser are recorded already."""
        context = request.get("context")
        if self._hears and not (isinstance(context, Mapping) and OWN in context):
            self._hears.recorder.on_request(**request)

    def end(self) -> None:
        """Waits for requests under way, sends the last rows, and records nothing more."""
        record, self._record, self._ended = self._record, None, gevent.event.Event()
        engine, self._engine = self._engine, None
        self._client, self._steering, self._stock = None, None, None
        self._part_known.clear()
        if record is None:
            return
        if engine:
            engine.drain(DRAIN_S)
        record.stop()
        if self._hears is record:  # else the next test has begun while others were waited for
            self._hears = None
        self._send_rows((record.totals(),), True)
        gc.unfreeze()

    def _warm_client(self, steering: Steering, user: Any) -> Client:
        """A client that has its first connection before the first request is due."""
        host = self._environment.host or user.host or ""
        if refused := host_refusal(host, (), steering.hosts):
            raise UsageError(refused)
        client = _client_of(host)
        client.warm()
        self._stock = Stock(steering.traffic, self._feed, steering.seed, client, self._prepares(user))
        # A full collection looks at all that was imported, a tenth of a second in which no request is started.
        gc.collect()
        gc.freeze()
        return client

    def _start_engine(self) -> LoadEngine:
        assert self._record is not None
        assert self._client is not None
        assert self._stock is not None
        request_event = self._environment.events.request
        fire = self._tell_locust if others_listen(request_event, self.on_request) else self._record.statistics.log
        first, *later = self._early
        engine = LoadEngine(self._client, self._stock, first, self._record.recorder, fire)
        for steering in later:
            engine.steer(steering)
        return engine

    def _tell_locust(self, **request: Any) -> None:
        """Fires `request`; where one pacer sends for all, no listener may end somebody's task by what it raises."""
        with contextlib.suppress(*(PASSED_ON if self.open_arrivals else ())):
            self._environment.events.request.fire(**request)

    def _prepares(self, user: Any) -> Prepares:
        """How each class that sends canary traffic prepares requests, and its share of all users."""
        kinds = [kind for kind in self._environment.user_classes if getattr(kind, "sends_canary_traffic", False)]
        if kinds in ([], [type(user)]):
            return {user.prepare: 1.0}
        return {kind(self._environment).prepare: kind.fixed_count or kind.weight for kind in kinds}


@contextlib.contextmanager
def _telling_failure(tell: TellFailure) -> Iterator[None]:
    """If traffic fails, tells why and ends the run and the user."""
    try:
        yield
    except StopUser:
        raise
    except Exception as error:  # outermost frame of a user: whatever fails there ends the run, and is told
        sentence = sentence_of(error)
        if sentence is None:
            log.exception("traffic failed")
        tell(sentence or f"traffic failed: {error!r}")
    else:
        return
    raise StopUser


def _client_of(host: str) -> Client:
    proxy = proxy_for(service_url(host))
    if proxy:
        words = (
            "the environment names the proxy %s, so requests go through it; NO_PROXY may name hosts to send to directly"
        )
        log.info(words, shown(proxy))
    return Client(host, proxy=proxy)
