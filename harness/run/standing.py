"""Has the time of a rehearsal stand still until it sends, and while its deployment is created.

So neither depends on the machine: each happens at the instant for which it was planned.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent

from harness.run.context import ROUNDING_S, SHORTEST_S, RunContext
from harness.wallclock import standstill, wall_now

SENDS_WITHIN_WALL_S = 2.0
"""Wall time in which the first user comes that sends; a locustfile of one's own may have none of ours."""
SEEN_WITHIN_WALL_S = 5.0
"""Wall time in which a deployment that was created is looked at."""
LOOK_EVERY_WALL_S = 0.01
NOTICED_S = 0.05
"""Experiment time after the creation at which time stands once more, so that what begins with it has begun."""
NOTICED_WALL_S = 0.05


def begin_at(wall_s: float) -> None:
    """Waits for the instant at which a run begins, where the time of a rehearsal stands still."""
    if standstill:
        standstill.stop_at(wall_s)
    while (rest_s := wall_s - wall_now()) > ROUNDING_S:
        gevent.sleep(max(rest_s, SHORTEST_S))
    if standstill:
        standstill.renew(0.0)
        standstill.go_on()


def go_on_when(sends: Callable[[], bool], *, paced: bool) -> None:
    """Lets time go on from there once something is sent; whoever sends at a pace of its own does so itself."""
    if standstill is None:
        return
    for _ in range(int(SENDS_WITHIN_WALL_S / LOOK_EVERY_WALL_S)):
        if sends():
            break
        gevent.sleep(LOOK_EVERY_WALL_S)
    if not (paced and sends()):
        standstill.end_lease()


@contextmanager
def standing_still(context: RunContext, at_s: float) -> Iterator[None]:
    """Stops the time of a rehearsal at an instant of the run, until the deployment that is created there was seen.

    On AWS, where time waits for nobody, it does nothing.
    """
    if standstill is None:
        yield
        return
    standstill.stop_at(context.base.wall_s(at_s))
    try:
        yield
        if (created_s := _seen_s(context)) is not None:
            standstill.stop_at(context.base.wall_s(max(at_s, created_s) + NOTICED_S))
            gevent.sleep(NOTICED_WALL_S)
    finally:
        standstill.go_on()


def _seen_s(context: RunContext) -> float | None:
    """When the deployment was created; None where none was seen in time."""
    for _ in range(int(SEEN_WITHIN_WALL_S / LOOK_EVERY_WALL_S)):
        if context.rollout.release.created_s is not None or context.ending.over:
            break
        gevent.sleep(LOOK_EVERY_WALL_S)
    return context.rollout.release.created_s
