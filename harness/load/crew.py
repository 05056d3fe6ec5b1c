"""What one process contributes to a run: its users, their traffic, and the rows that are recorded of it."""

from collections.abc import Callable, Sequence
from typing import Any

import gevent
import gevent.event

from harness.core.timeline import Event
from harness.errors import UsageError
from harness.load.client import Client
from harness.load.recorder import Recorder
from harness.load.steering import Steering
from harness.load.traffic import OWN, Traffic

FLUSH_S = 0.25
"""Wall time between two flushes of rows."""
DRAIN_S = 5.0
"""Wall time that requests under way get to be answered when a test stops."""

SendRows = Callable[[Sequence[Event], bool], None]
TellPacing = Callable[[bool], None]


class Crew:
    """The users of one process and all they share, test after test.

    `send_rows` takes events to the timeline, with True after the last of a test; `tell_pacing` says whether there is
    anybody here to send.
    """

    def __init__(self, environment: Any, *, name: str, send_rows: SendRows, tell_pacing: TellPacing) -> None:
        self._environment = environment
        self._name = name
        self._send_rows = send_rows
        self._tell_pacing = tell_pacing
        self._users: list[Any] = []
        self._steering: Steering | None = None
        self._recorder: Recorder | None = None
        self._traffic: Traffic | None = None
        self._flusher: gevent.Greenlet | None = None
        self._part_known = gevent.event.Event()

    @property
    def at_work(self) -> bool:
        """Whether a test is on."""
        return self._recorder is not None

    @property
    def open_arrivals(self) -> bool:
        """Whether one pacer sends for all users."""
        return self._steering is None or self._steering.traffic.users is None

    def begin(self, steering: Steering) -> None:
        """Starts recording for a new test."""
        self._steering = steering
        self._part_known.clear()
        self._recorder = Recorder(steering.timebase, lambda events: self._send_rows(events, False), worker=self._name)
        self._flusher = gevent.spawn(self._flush, self._recorder, steering)

    def steer(self, steering: Steering) -> None:
        """Takes new steering for the test that is on."""
        self._steering = steering
        if self._traffic:
            self._traffic.steer(steering)
        if steering.part:
            self._part_known.set()

    def join(self, user: Any) -> Traffic:
        """One more user, once it is known what part of the traffic is ours."""
        self._users.append(user)
        if len(self._users) == 1:
            self._tell_pacing(True)
        self._part_known.wait()
        if self._traffic is None:
            self._traffic = self._start_traffic(user)
        return self._traffic

    def leave(self, user: Any) -> None:
        """One user less."""
        if user in self._users:
            self._users.remove(user)
            if not self._users:
                self._tell_pacing(False)

    def stop(self) -> None:
        """Starts no more requests of open arrivals."""
        if self._traffic:
            self._traffic.stop()

    def is_pacer(self, user: Any) -> bool:
        """Whether it is this user that sends for all."""
        return self._users[:1] == [user]

    def on_request(self, *, context: Any = None, **request: Any) -> None:
        """Records a request of somebody else's user; ours are recorded already."""
        if self._recorder and not (context and OWN in context):
            self._recorder.on_request(context=context, **request)

    def end(self) -> None:
        """Lets requests under way come to their end and sends the last rows; nothing is recorded afterwards."""
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        if self._traffic:
            self._traffic.drain(DRAIN_S)
            self._traffic = None
        if self._flusher:
            self._flusher.kill()
        recorder.flush()
        self._send_rows((), True)

    def _flush(self, recorder: Recorder, steering: Steering) -> None:
        while True:
            gevent.sleep(FLUSH_S)
            recorder.flush(steering.timebase.now_s())

    def _start_traffic(self, user: Any) -> Traffic:
        assert self._steering is not None
        assert self._recorder is not None
        host = self._environment.host or user.host
        if not host:
            raise UsageError("no host to send traffic to: give --host, or target.host in the experiment")
        fire = self._environment.events.request.fire
        return Traffic(Client(host), user.prepare, self._steering, self._recorder, fire)
