"""Which workers have a part of a run's traffic, and who takes over from one that leaves or is lost."""

from collections.abc import Callable, Collection, Iterable

import gevent
from msgspec.structs import replace

from harness.core.timeline.events import Arrivals, Event
from harness.plugin.crew_record import FLUSH_S
from harness.run.run import Run
from harness.traffic.recorder import unstarted

GATHER_S = 0.2
"""Wall time in which workers that are ready are gathered: each change of the parts is a message to every worker."""


class WorkerParts:
    """Gives workers their parts of the traffic of `run`, which is None between tests."""

    def __init__(self, run: Callable[[], Run | None]) -> None:
        self._run = run
        self._recorded_s: dict[str, float] = {}
        self._leaving: set[str] = set()
        self._joining: dict[str, None] = {}
        self._given_up: dict[str, float] = {}

    def begin(self) -> None:
        """Forgets the workers of the test before."""
        self._recorded_s.clear()
        self._leaving.clear()
        self._joining.clear()
        self._given_up.clear()

    def join_soon(self, worker: str) -> None:
        """Has a worker join with all that are ready about now; the first one, for whom nobody has to wait, at once."""
        self._leaving.discard(worker)
        run = self._run()
        if run and not run.fleet.workers:
            run.fleet.join(worker)
            return
        if not self._joining:
            gevent.spawn_later(GATHER_S, self._join)
        self._joining[worker] = None

    def _join(self) -> None:
        joining, run = tuple(self._joining), self._run()
        self._joining.clear()
        if run:
            run.fleet.join(*joining)

    def leave(self, worker: str) -> None:
        """Takes its part from a worker that has no users any more."""
        self._joining.pop(worker, None)
        run = self._run()
        if run:
            if worker in run.fleet.workers:
                self._leaving.add(worker)
            run.fleet.leave(worker)

    def part_with_lost(self, run: Run, present: Collection[str], *, sends: bool) -> None:
        """Has the others take over from workers that are not `present`; fails a run that `sends` with nobody left."""
        lost, left = set(run.fleet.workers) - {*present}, self._leaving - {*present}
        for worker in sorted(lost):
            self._lose(run, worker)
        for worker in sorted(left):
            run.trouble("worker", f"worker {worker} left, and handed its part over")
        self._leaving -= left
        nobody = sends and not present
        if not run.fleet.workers and not self._joining and (lost or left or nobody):
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
            self._given_up[worker] = steering.since_s
        run.trouble(
            "worker",
            f"worker {worker} was lost: what it recorded in its last second is missing, "
            f"and {missed} requests were not started until others took over",
        )

    def new(self, worker: str, rows: Iterable[Event]) -> list[Event]:
        """The rows without what a worker that was lost, and came back, did not start: its loss has counted that."""
        until_s = self._given_up.get(worker, 0.0)
        return [
            replace(row, planned=row.started, unstarted=0) if isinstance(row, Arrivals) and row.at_s < until_s else row
            for row in rows
        ]

    def recorded(self, worker: str, rows: Iterable[Event]) -> None:
        """Keeps until when a worker has told of its requests."""
        ends_s = [row.at_s + 1 for row in rows if isinstance(row, Arrivals)]
        self._recorded_s[worker] = max([self._recorded_s.get(worker, 0.0), *ends_s])
