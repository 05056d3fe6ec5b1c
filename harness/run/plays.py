"""What a run does while it lasts, each in a greenlet of its own.

steady ──► deploy ──► follow until settled ──► steady again ──► over
             │  faults by their own clock from the deployment's creation
at any time: given up, ended by a guard rail, or failed ──► over
"""

import logging
from collections.abc import Callable

import gevent
import gevent.event

from harness.aws.forced_alarm import HOLD_EVERY_S
from harness.core.experiment.rails import Trip
from harness.core.timeline.events import Event, RailTripped
from harness.core.timeline.rollout import Rollout
from harness.errors import RunEnding, sentence_of
from harness.run.context import RunContext
from harness.run.deploying import Deploying
from harness.run.faults import Faults
from harness.run.follow import Follower
from harness.run.guard import Guard
from harness.run.standing import go_on_when
from harness.traffic.fleet import Fleet
from harness.wallclock import set_forward_s

SHOW_EVERY_S = 0.25
"""Wall time between two frames of the progress."""
GUARD_EVERY_S = 0.25
"""Wall time between two looks at the guard rails."""
CLOCK_EVERY_S = 1.0
CLOCK_SET_S = 0.5
"""Wall time between two looks whether this machine's clock was set, and by how much to be told."""
HEAL_WITHIN_WALL_S = 15.0
"""Wall time for which what is ended in the middle may undo its own changes."""
SHORTEST_REST_S = 0.05
"""Least wall time between two rounds of looks, so that a fast clock leaves the processor to the traffic."""

log = logging.getLogger(__name__)


class Plays:
    """All that one run does at the same time; an error in any of it ends the run."""

    def __init__(
        self,
        context: RunContext,
        follower: Follower,
        deploying: Deploying,
        faults: Faults,
        fleet: Fleet,
        guard: Guard,
        *,
        look_now: gevent.event.Event,
    ) -> None:
        self._context = context
        self._follower = follower
        self._deploying = deploying
        self._faults = faults
        self._fleet = fleet
        self._guard = guard
        self._look_now = look_now
        self._settled = gevent.event.Event()
        self._greenlets: list[gevent.Greenlet] = []
        context.recording.listeners.append(self._notice)

    def start(self) -> None:
        """Starts all greenlets; returns at once."""
        watching = self._follower.watching
        watched = (
            [self._deploy, self._give_up, self._show, self._watch, self._weigh, self._hold_faults] if watching else []
        )
        always = (self._go_on, self._keep_to_rails, self._watch_clock)
        for play in (*always, *watched, *self._faults.plays(watched=watching)):
            self._greenlets.append(gevent.spawn(self._play, play))

    def stop(self) -> None:
        """Ends all greenlets, wherever they are."""
        gevent.killall(self._greenlets, block=True, timeout=HEAL_WITHIN_WALL_S)

    def _play(self, play: Callable[[], None]) -> None:
        name = getattr(play, "__name__", "a planned fault").strip("_")
        try:
            play()
        except RunEnding:
            return  # what was to be changed on AWS is not, as for anything else that was still planned
        except Exception as error:
            sentence = sentence_of(error)
            if sentence is None:
                log.exception("%s failed", name)
            self._context.fail(name, sentence or repr(error))

    def _go_on(self) -> None:
        paced = self._context.experiment.traffic.users is None
        go_on_when(lambda: bool(self._fleet.workers), paced=paced)

    def _deploy(self) -> None:
        self._deploying.play()
        self._settled.wait()
        while self._follower.awaits(lambda rollout: not self._deploying.made_none(rollout)):
            gevent.sleep(SHOW_EVERY_S)
        self._context.sleep_until(self._context.base.now_s() + self._context.experiment.steady_s)
        self._context.ending.end("settled")

    def _give_up(self) -> None:
        while (problem := self._follower.given_up()) is None:
            self._context.sleep_until(self._context.experiment.give_up_s)
        self._context.ending.end("given_up", problem)

    def _watch(self) -> None:
        while True:
            self._look_now.wait(max(SHORTEST_REST_S, self._follower.rest_s()))
            self._look_now.clear()
            self._follower.look()

    def _weigh(self) -> None:
        # In a thread, or the traffic would wait for it.
        while True:
            gevent.sleep(self._follower.weighing.rest_s)
            self._follower.weighing.round(gevent.get_hub().threadpool.apply)

    def _hold_faults(self) -> None:
        # In a rhythm of its own: CodeDeploy must meet the fault between two looks that wait for AWS, too.
        while True:
            gevent.sleep(max(SHORTEST_REST_S, HOLD_EVERY_S / self._context.base.speed))
            self._faults.hold()

    def _keep_to_rails(self) -> None:
        while self._context.ending.over is None:
            gevent.sleep(GUARD_EVERY_S)
            planned = self._context.experiment.traffic.users is None and bool(self._fleet.workers)
            trip = self._guard.tripped(faults_active=self._faults.active, planned=planned)
            if trip:
                self._trip(trip)

    def _trip(self, trip: Trip) -> None:
        """Stops the faults. Ends the run, too, unless the rail is only about nobody seeing what the faults do."""
        now_s = self._context.base.now_s()
        self._context.record(
            RailTripped(at_s=now_s, rail=trip.rail, limit=trip.limit, seen=trip.seen, message=trip.message)
        )
        if trip.rail == "blind_s":
            self._faults.stop(trip.message)
        else:
            self._context.ending.end("guard_rail", trip.message)

    def _watch_clock(self) -> None:
        """Tells where somebody set this machine's clock; the run's times go on as before."""
        told_s = set_forward_s()
        while True:
            gevent.sleep(CLOCK_EVERY_S)
            ahead_s = set_forward_s()
            if abs(ahead_s - told_s) > CLOCK_SET_S:
                way, by_s = "forward" if ahead_s > told_s else "back", abs(ahead_s - told_s)
                self._context.trouble("clock", f"it was set {way} by {by_s:.1f} s; the run's times go on as before")
                told_s = ahead_s

    def _show(self) -> None:
        contact = self._follower.contact
        while True:
            self._follower.show(self._context.recording.tally)
            if problem := contact.lost():
                self._context.fail("contact", f"neither AWS nor the service answers any more: {problem}")
                return
            if problem := contact.blind():
                self._context.ending.end("given_up", f"no look at AWS succeeded since the beginning: {problem}")
                return
            gevent.sleep(SHOW_EVERY_S)

    def _notice(self, _: Event, rollout: Rollout) -> None:
        if rollout.settled:
            self._settled.set()
