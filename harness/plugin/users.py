"""Locust users that send canary traffic; subclass `CanaryUser` in a locustfile."""

import gevent
from locust import User, constant, task
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

import harness.plugin.plugin  # noqa: F401 - importing it is what makes Locust play experiments
from harness.plugin.crew import Crew
from harness.traffic.kinds import Prepare


class CanaryUser(User):  # type: ignore[misc]
    """Sends the experiment's requests (`traffic.requests`).

    With open arrivals (the default) one user of each process is the pacer and sends for all; further ones stand by to
    take over. In a closed loop (`traffic.users`) each user sends one request after the other, and `wait_time` is the
    experiment time in between.
    """

    abstract = True
    wait_time = constant(1)
    sends_canary_traffic = True
    _state: str | None

    prepare: Prepare | None = None
    """To sign or change each request in Python: a method `prepare(self, client, request)` that returns the bytes of an
    `Outgoing` request, as `client.prepare` makes them. Without it, requests are made bytes once, which is faster."""

    def on_start(self) -> None:
        """Joins the crew of its process."""
        self._crew: Crew = self.environment.canary_crew
        self._engine = self._crew.join(self)
        think_s = self.wait_time
        self.wait_time = lambda: think_s() / self._engine.speed

    def wait(self) -> None:
        """Waits for the think time, as any user of Locust; without think time it does not give up its turn."""
        think_s = self.wait_time()
        if think_s > 0 and self._state != LOCUST_STATE_STOPPING:
            self._state = LOCUST_STATE_WAITING
            gevent.sleep(think_s)
        if self._state == LOCUST_STATE_STOPPING:
            raise StopUser
        self._state = LOCUST_STATE_RUNNING

    def on_stop(self) -> None:
        """Leaves the crew."""
        self._crew.leave(self)

    @task  # type: ignore[untyped-decorator]
    def play(self) -> None:
        """Paces open arrivals, sends one request of a closed loop, or stands by."""
        self._crew.play(self)
