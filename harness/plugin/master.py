"""The Locust process that directs workers."""

import logging
from collections.abc import Callable
from typing import Any

import gevent
from locust.runners import STATE_MISSING

from harness.core.experiment.hosts import is_loopback
from harness.plugin.crew import Crew
from harness.plugin.director import Director
from harness.plugin.role import BEGIN, CLOCK, END, FAILURE, PACING, ROWS, STEERING
from harness.plugin.worker_messages import (
    CLOCK_OFF_S,
    Failure,
    NotAWorkers,
    Pacing,
    Rows,
    WorkerClock,
    bear_any_message,
    read,
    rows_of,
)
from harness.plugin.worker_parts import WorkerParts
from harness.traffic.fired import bounded
from harness.traffic.steering import Steering
from harness.wallclock import wall_now

MASTER = "master"
"""What its own rows name in the place of a worker."""
LAST_ROWS_S = 10.0
"""Wall time that workers get to send their last rows, once their users are stopped."""

CLOCKS_DIFFER_S = 5.0
"""Wall time by which a worker's clock differs from this machine's so much that people are told of it."""
MOST_REASON = 1000
"""Characters of a worker's reason that the timeline keeps."""
OPEN_PORT = (
    "Locust's port has no authentication: whoever reaches %s:%s can take part in this run and tell it of requests that "
    "nobody sent. Keep it in a network of your own, or bind it to one address by --master-bind-host"
)

log = logging.getLogger(__name__)


class Master(Director):
    """Directs workers, and writes what they record."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._runner = environment.runner
        self._done: set[str] = set()
        self._parts = WorkerParts(lambda: self.run)
        self._own = Crew(
            environment,
            name=MASTER,
            send_rows=lambda rows, _: self.take(*rows),
            tell_pacing=lambda _: None,
            tell_failure=self.failed,
        )
        self._known: set[str] = set()
        self._distrusted: set[str] = set()
        for message, kind, listener in (
            (PACING, Pacing, self._on_pacing),
            (ROWS, Rows, self._on_rows),
            (FAILURE, Failure, self._on_failure),
            (CLOCK, WorkerClock, self._on_clock),
        ):
            self._runner.register_message(message, self._from_workers(kind, listener))
        bear_any_message(self._runner)
        if not is_loopback(f"tcp://{self._given.master_bind_host}"):
            log.warning(OPEN_PORT, self._given.master_bind_host, self._given.master_bind_port)
        environment.events.worker_connect.add_listener(self._on_worker)

    @property
    def records(self) -> Crew:
        """Has no users, but listeners of the locustfile may fire requests here, too."""
        return self._own

    def least_users(self) -> int:
        """One user for each worker that is expected."""
        return max(1, int(self._given.expect_workers or 1))

    def post(self, worker: str, steering: Steering) -> None:
        """Delivers steering to a worker."""
        self._runner.send_message(STEERING, steering.packed(), client_id=worker)

    def begin(self, steering: Steering) -> None:
        """Tells all workers."""
        self._done.clear()
        self._parts.begin()
        self._distrusted.clear()
        self._own.begin(steering)
        self._runner.send_message(BEGIN, steering.packed())

    def end(self) -> None:
        """Waits for the last rows of all workers that are still there."""
        self._runner.send_message(END)
        with gevent.Timeout(LAST_ROWS_S + (self.environment.stop_timeout or 0.0), False):
            while self._present() - self._done:
                gevent.sleep(0.02)
        self._own.end()
        for worker in self._present() - self._done:
            if self._ending:
                self._ending.trouble(
                    "worker", f"worker {worker} sent no last rows: some of what it recorded is missing"
                )

    def test_stop(self) -> None:
        """Ends the run; where Locust stopped because its last worker was lost, the timeline says so."""
        self._part_with_lost()
        super().test_stop()

    def check_workers(self) -> None:
        """Gives the part of a lost worker to the others, and a user to workers that came."""
        run, present = self.run, self._present()
        if run is None:
            return
        self._part_with_lost()
        paced = run.experiment.traffic.users is None and self.admission.sends_canary_traffic
        if paced and 0 < self._runner.target_user_count < len(present):
            self._runner.start(len(present), len(present))

    def _part_with_lost(self) -> None:
        if self.run:
            self._parts.part_with_lost(self.run, self._present(), sends=self.admission.sends_canary_traffic)

    def _present(self) -> set[str]:
        clients = self._runner.clients
        return {worker for worker, client in clients.items() if client.state != STATE_MISSING}

    def _on_worker(self, client_id: str, **_: Any) -> None:
        self._known.add(client_id)
        if self.run:
            self._runner.send_message(BEGIN, self.run.fleet.steering.packed(), client_id=client_id)

    def _from_workers(self, kind: type, listener: Callable[[str, Any], None]) -> Callable[..., None]:
        """Listens to messages of workers that are known and hold what they should."""

        def listen(msg: Any, **_: Any) -> None:
            worker = msg.node_id
            try:
                if worker not in self._known and worker not in self._runner.clients:
                    raise NotAWorkers("a message before it was ready")
                listener(worker, read(msg.data, kind))
            except NotAWorkers as reason:
                self._distrust(worker, str(reason))

        return listen

    def _distrust(self, worker: str, reason: str) -> None:
        """Tells once of a worker that what it sent was left out."""
        if worker in self._distrusted:
            return
        self._distrusted.add(worker)
        message = f"worker {bounded(worker)} sent what no worker sends, which was left out: {reason[:MOST_REASON]}"
        log.warning("%s", message)
        run = self.run or self._ending
        if run:
            run.trouble("worker", message)

    def _on_pacing(self, worker: str, told: Pacing) -> None:
        if told.pacing:
            self._parts.join_soon(worker)
        else:
            self._parts.leave(worker)

    def _on_clock(self, worker: str, told: WorkerClock) -> None:
        """Answers what this machine's clock shows, which the worker goes by; a message takes time, too."""
        now_s = wall_now()
        self._runner.send_message(CLOCK, {"asked_s": told.asked_s, "shown_s": now_s}, client_id=worker)
        ahead_s = told.asked_s - now_s
        if self.run and abs(ahead_s) > CLOCKS_DIFFER_S:
            way = "ahead of" if ahead_s > 0 else "behind"
            words = f"the clock of worker {worker} is {abs(ahead_s):.0f} s {way} this machine's, and was corrected"
            self.run.trouble("clock", words)

    def _on_failure(self, worker: str, told: Failure) -> None:
        self.failed(f"worker {worker}: {told.reason[:MOST_REASON]}")

    def _on_rows(self, worker: str, told: Rows) -> None:
        run = self.run or self._ending
        if run:
            rows = rows_of(told, worker, run.base.now_s(), CLOCK_OFF_S * run.base.speed)
            self.take(*self._parts.new(worker, rows))
            self._parts.recorded(worker, rows)
        if told.last:
            self._done.add(worker)
