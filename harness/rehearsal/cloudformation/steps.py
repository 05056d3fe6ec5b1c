"""Work that takes simulated time: a generator yields the seconds that it waits, and the schedule goes on with it."""

import heapq
import itertools
from collections.abc import Callable, Collection, Generator, Mapping
from typing import TypeVar

from harness.rehearsal.clock import Schedule
from harness.rehearsal.cloudformation.refusals import Cancelled, ResourceFailed

Result = TypeVar("Result")
Steps = Generator[float, None, Result]

PACE_S = 2.0
"""Seconds that one step of a resource takes. Assumption: on AWS it is between one and thirty, by type."""


class StackWorker:
    """Carries work on; `now_s` is the instant for which the step under way was due."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.now_s = 0.0

    def begin(self, steps: Steps[None]) -> None:
        """Takes the first step now, and each other when it is due."""
        self._go_on(steps, self._schedule.clock.now())

    def _go_on(self, steps: Steps[None], at_s: float) -> None:
        self.now_s = at_s
        try:
            again_s = at_s + next(steps)
        except StopIteration:
            return
        self._schedule.at(again_s, lambda due_s: self._go_on(steps, due_s))


def in_order(
    jobs: Mapping[str, Callable[[], Steps[None]]], needs: Callable[[str], Collection[str]]
) -> Steps[dict[str, str]]:
    """Does each job after those that it needs, the others side by side; the reasons of those that failed.

    After a failure nothing more begins, and what is under way gets Cancelled.
    """
    waiting, running, failed = dict(jobs), _Running(), dict[str, str]()
    while True:
        ready = [one for one in waiting if not failed and not {*waiting, *running.names} & {*needs(one)} - {one}]
        for name in ready:
            failed |= running.take(name, waiting.pop(name)(), None)
        if failed:
            failed |= running.cancel()
        if ready:
            continue  # what is done already may have freed others
        if not running.names:
            return failed
        yield running.wait_s()
        failed |= running.go_on()


class _Running:
    """The jobs under way, by when each goes on."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, str, Steps[None]]] = []
        self._count = itertools.count()
        self._now_s = 0.0
        self._is_cancelled = False

    @property
    def names(self) -> set[str]:
        """What is under way."""
        return {name for _, _, name, _ in self._due}

    def wait_s(self) -> float:
        """Seconds until the next of them goes on, which count as gone by."""
        wait_s = self._due[0][0] - self._now_s
        self._now_s = self._due[0][0]
        return wait_s

    def go_on(self) -> dict[str, str]:
        """Carries the next one on; why it failed, if it did."""
        _, _, name, steps = heapq.heappop(self._due)
        return self.take(name, steps, None)

    def cancel(self) -> dict[str, str]:
        """Tells all of them once that another failed."""
        due, self._due = ([], self._due) if self._is_cancelled else (self._due, [])
        self._is_cancelled = True
        return {name: why for _, _, one, steps in due for name, why in self.take(one, steps, Cancelled()).items()}

    def take(self, name: str, steps: Steps[None], thrown: Exception | None) -> dict[str, str]:
        """Takes one step of a job; why it failed, if it did."""
        try:
            wait_s = steps.throw(thrown) if thrown else next(steps)
        except StopIteration:
            return {}
        except ResourceFailed as error:
            return {name: str(error)}
        heapq.heappush(self._due, (self._now_s + wait_s, next(self._count), name, steps))
        return {}
