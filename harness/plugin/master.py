"""The Locust process that directs workers."""

from typing import Any

import gevent
from locust.runners import STATE_MISSING

from harness.core.timeline.events import Arrivals, decode
from harness.plugin.crew import FLUSH_S, Crew
from harness.plugin.director import Director
from harness.plugin.role import BEGIN, END, FAILURE, PACING, ROWS, STEERING
from harness.run.run import Run
from harness.traffic.recorder import unstarted
from harness.traffic.steering import Steering

MASTER = "master"
"""What its own rows name in the place of a worker."""
LAST_ROWS_S = 10.0
"""Wall time that workers get to send their last rows, once their users are stopped."""


class Master(Director):
    """Directs workers, and writes what they record."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._runner = environment.runner
        self._done: set[str] = set()
        self._recorded_s: dict[str, float] = {}
        self._leaving: set[str] = set()
        self._own = Crew(
            environment,
            name=MASTER,
            send_rows=lambda rows, _: self.take(*rows),
            tell_pacing=lambda _: None,
            tell_failure=self.failed,
        )
        self._runner.register_message(PACING, self._on_pacing)
        self._runner.register_message(ROWS, self._on_rows)
        self._runner.register_message(FAILURE, self._on_failure)
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
        self._recorded_s.clear()
        self._leaving.clear()
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
        if self.run:
            self._part_with_lost(self.run)
        super().test_stop()

    def check_workers(self) -> None:
        """Gives the part of a lost worker to the others, and a user to workers that came."""
        run, present = self.run, self._present()
        if run is None:
            return
        self._part_with_lost(run)
        paced = run.experiment.traffic.users is None and self.admission.sends_canary_traffic
        if paced and 0 < self._runner.target_user_count < len(present):
            self._runner.start(len(present), len(present))

    def _part_with_lost(self, run: Run) -> None:
        lost, left = set(run.fleet.workers) - self._present(), self._leaving - self._present()
        for worker in sorted(lost):
            self._lose(run, worker)
        for worker in sorted(left):
            run.trouble("worker", f"worker {worker} left, and handed its part over")
        self._leaving -= left
        if (lost or left) and not run.fleet.workers:
            run.fail("worker", "the last worker was lost, so nobody sends any more")

    def _lose(self, run: Run, worker: str) -> None:
        """Has the others take over from a worker, and counts the requests that nobody started in the meantime."""
        share = 1 / len(run.fleet.workers)
        run.fleet.leave(worker)
        steering = run.fleet.steering
        missed = 0
        if run.experiment.traffic.users is None and worker in self._recorded_s:
            # It kept the rows of the second that it was in, and those of seconds that went by since its last flush.
            silent_s = self._recorded_s[worker] + 1.0 + FLUSH_S * steering.timebase.speed
            rows = unstarted(steering.plan, share, silent_s, steering.since_s, worker)
            missed = sum(row.unstarted for row in rows)
            run.record(*rows)
        run.trouble(
            "worker",
            f"worker {worker} was lost: what it recorded in its last second is missing, "
            f"and {missed} requests were not started until others took over",
        )

    def _present(self) -> set[str]:
        clients = self._runner.clients
        return {worker for worker, client in clients.items() if client.state != STATE_MISSING}

    def _on_worker(self, client_id: str, **_: Any) -> None:
        if self.run:
            self._runner.send_message(BEGIN, self.run.fleet.beginning.packed(), client_id=client_id)

    def _on_pacing(self, msg: Any, **_: Any) -> None:
        if msg.data["pacing"]:
            self._leaving.discard(msg.node_id)
        elif self.run and msg.node_id in self.run.fleet.workers:
            self._leaving.add(msg.node_id)
        self.pacing(msg.node_id, pacing=msg.data["pacing"])

    def _on_failure(self, msg: Any, **_: Any) -> None:
        self.failed(f"worker {msg.node_id}: {msg.data['reason']}")

    def _on_rows(self, msg: Any, **_: Any) -> None:
        rows = [*decode(msg.data["lines"].splitlines())]
        self.take(*rows)
        ends_s = [row.at_s + 1 for row in rows if isinstance(row, Arrivals)]
        self._recorded_s[msg.node_id] = max([self._recorded_s.get(msg.node_id, 0.0), *ends_s])
        if msg.data["last"]:
            self._done.add(msg.node_id)
