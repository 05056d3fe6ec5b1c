"""One run from its first request to its verdict: directs the traffic, watches the deployment, writes the timeline.

    steady ──► deploy ──► follow until settled ──► steady again ──► over
                 │  faults by their own clock from the deployment's creation
    at any time: given up, stopped by a person, or failed ──► over

`Run.start` returns at once and everything happens in greenlets; whoever is told by `on_over` that the run is over stops
the traffic and then calls `close`, which heals, judges and reports.
"""

import contextlib
import logging
import sys
import time
from collections.abc import Callable
from signal import Signals

import gevent
import gevent.event
from msgspec.structs import replace

from harness.aws.clients import Aws, services_of
from harness.aws.discovery import discover_for_a_run
from harness.aws.forced_alarm import HOLD_EVERY_S
from harness.aws.watcher import Watcher
from harness.core.experiment.faults import ShareKind
from harness.core.experiment.rails import Trip, limits_of, refusal
from harness.core.experiment.rates import peak_rate
from harness.core.experiment.types import AlarmState, ArrivalRate, Experiment, Pattern
from harness.core.timeline.events import (
    Asked,
    Beside,
    Event,
    Note,
    RailTripped,
    Requests,
    RunEnded,
    RunStarted,
    Signal,
    Trouble,
    Why,
    encode,
)
from harness.core.timeline.rollout import Rollout
from harness.core.verdict.types import Verdict
from harness.core.version import __version__
from harness.errors import ExitCode, HarnessError, NotAllowed, UsageError
from harness.report.actions import announce
from harness.report.finish import finish
from harness.report.folder import RunFolder, hold
from harness.report.progress import Progress, Tally
from harness.run.contact import Contact
from harness.run.deploying import Deploying, check_making
from harness.run.experiment import Settings, check_permission, watched
from harness.run.faults import Faults
from harness.run.guard import Guard
from harness.run.neighbours import neighbours, rollouts
from harness.traffic.fleet import Fleet, Post
from harness.traffic.steering import Timebase

Follow = Callable[[Event, Rollout], None]


SHOW_EVERY_S = 0.25
"""Wall time between two frames of the progress."""
HEAL_AGAIN_S = 5.0
"""Wall time from the end of a run in which healing that failed is tried once more."""
GUARD_EVERY_S = 0.25
"""Wall time between two looks at the guard rails."""
SHORTEST_REST_S = 0.05
"""Wall time between two rounds of looks at the least, so that a fast clock leaves the processor to the traffic."""
A_PERSON = "a person"

log = logging.getLogger(__name__)


class Run:
    """Plays one experiment and ends with its verdict.

    `post` delivers steering to workers; `on_over` is called once, from a greenlet of ours, when nothing is left to do.
    `follow` gets every event that is recorded, in order, with the rollout that it led to.
    """

    def __init__(
        self, settings: Settings, *, post: Post, on_over: Callable[[], None], follow: Follow | None = None
    ) -> None:
        self.experiment = settings.experiment
        self.rollout = Rollout()
        self.tally = Tally()
        self._aws = Aws()
        if watched(self.experiment):
            self._aws.warm(*services_of(self.experiment))
            self.experiment = discover_for_a_run(self._aws, self.experiment)
            check_making(self._aws, self.experiment.deployment)
        self.limits = limits_of(self.experiment.rails, self.experiment.target.host)
        self.may_write = self._may_write(settings)
        self.folder = _folder(settings, self.experiment)
        self._file = self.folder.timeline.open("ab")
        hold(self._file)
        self.base = Timebase(time.time(), settings.clock.speed)
        self.fleet = Fleet(self.experiment, self.base, post)
        self._epoch_s = self.base.epoch_s(settings.clock)
        self._on_over = on_over
        self._follow = follow
        self.verdict: Verdict | None = None
        self._over: RunEnded | None = None
        self._closed = False
        self._healing: gevent.Greenlet | None = None
        self._greenlets: list[gevent.Greenlet] = []
        self._settled = gevent.event.Event()
        self._created = gevent.event.Event()
        self._look_now = gevent.event.Event()
        self.faults = Faults(self, self._aws)
        self._guard = Guard(self.limits, self.base, watched=watched(self.experiment))
        self._contact = Contact(self.base)
        self._progress = Progress(free=settings.free_terminal)
        self._watcher = self._new_watcher() if watched(self.experiment) else None
        self._deploying = self._new_deploying(self._watcher, settings) if self._watcher else None
        self._neighbours = neighbours(self.experiment, self._aws, self.record, self.base.now_s, self._epoch_s)

    def start(self) -> None:
        """Begins the run; returns at once."""
        experiment = self.experiment
        self.record(
            RunStarted(
                at_s=0.0,
                experiment=experiment.name,
                epoch_s=self._epoch_s,
                deployment=experiment.deployment.id,
                speed=self.base.speed,
                harness=__version__,
            )
        )
        for play in (self._deploy, self._give_up, self._keep_to_rails, self._show):
            self._spawn(play)
        if self._deploying:
            self._deploying.disregard_others()
            for neighbour in self._neighbours:
                neighbour.watcher.disregard()
            self._spawn(self._watch)
            self._spawn(self._hold_faults)
        for play in self.faults.plays(watched=self._watcher is not None):
            self._spawn(play)

    def record(self, *events: Event) -> None:
        """Writes events to the timeline, in this order, and takes notice of what they mean."""
        if self._closed:
            return
        for event in events:
            self._notice(event)
        try:
            self._file.write(b"".join(map(encode, events)))
            self._file.flush()
        except OSError as error:
            log.error("the timeline cannot be written: %s", error)
            self._closed = True
            self.over("failed", f"the timeline cannot be written: {error}")

    def set_error_share(self, share: float, by: str = A_PERSON) -> None:
        """Changes the error share at once, whatever was planned; raises NotAllowed."""
        _allow(self.faults.share_refusal(share))
        self.faults.set_error_share(share, by)

    def force_alarm(self, state: AlarmState, by: str = A_PERSON) -> None:
        """Holds the alarm in a state until it is released; raises NotAllowed, or HarnessError where it fails."""
        _allow(self.faults.write_refusal())
        self.faults.force_alarm(state, by)

    def release_alarm(self, by: str = A_PERSON) -> None:
        """Takes every forced alarm back; raises HarnessError where something is left."""
        if not self.faults.release_alarm(by):
            raise HarnessError("the alarm could not be taken back, the timeline says why: set it to OK by hand")

    def stop_faults(self, by: str = A_PERSON) -> None:
        """Ends all faults at once and lets none begin any more; raises HarnessError where something is left."""
        if not self.faults.stop("somebody stopped all faults", by):
            raise HarnessError("not everything could be taken back; the timeline says what is left, and why")

    def set_arrival_rate(self, arrival_rate: ArrivalRate) -> None:
        """Changes the arrival rate that a person asked for; `at_s` of steps counts from now. Raises NotAllowed."""
        _allow(self.rate_refusal(arrival_rate))
        self.fleet.set_arrival_rate(arrival_rate)

    def rate_refusal(self, arrival_rate: ArrivalRate) -> str | None:
        """Why a person may not have this arrival rate; None where it may be."""
        if self.experiment.traffic.users:
            return "a closed loop has no arrival rate"
        return refusal(self.limits, "arrival_rate", peak_rate(arrival_rate))

    def set_pattern(self, pattern: Pattern) -> None:
        """Changes how fault requests are spread, which a person asked for."""
        self.fleet.set_pattern(pattern)

    @property
    def watching(self) -> bool:
        """Whether there is a deployment to watch."""
        return self._watcher is not None

    @property
    def closed(self) -> bool:
        """Whether nothing more is recorded."""
        return self._closed

    @property
    def ended_s(self) -> float | None:
        """When the run was over; None while it lasts."""
        return self._over.at_s if self._over else None

    def note(self, text: str, by: str) -> None:
        """Marks this moment with a person's words."""
        self.record(Note(at_s=self.base.now_s(), text=text, by=by))

    def ask(self, what: str, value: str, by: str, change: Callable[[], None]) -> None:
        """Does what a person asks for, and notes it; a HarnessError is noted as the reason of refusal, and raised."""
        at_s = self.base.now_s()
        try:
            change()
        except HarnessError as error:
            self.record(Asked(at_s=at_s, what=what, value=value, by=by, refused=str(error)))
            raise
        self.record(Asked(at_s=at_s, what=what, value=value, by=by))

    def refuse(self, what: str, value: str, by: str, why: str) -> None:
        """Notes that a person asked for what was not even tried."""
        self.record(Asked(at_s=self.base.now_s(), what=what, value=value, by=by, refused=why))

    def end(self, by: str) -> None:
        """Ends the run because a person wants its verdict now."""
        self.over("settled" if self.rollout.settled else "stopped", f"{by} ended the run")

    def trouble(self, what: str, message: str) -> None:
        """Notes that something of ours or around us went wrong."""
        self.record(Trouble(at_s=self.base.now_s(), what=what, message=message))

    def fail(self, what: str, message: str) -> None:
        """Ends the run because something of ours or around us went wrong."""
        self.trouble(what, message)
        self.over("failed", message)

    def settle(self, detail: str = "") -> None:
        """Ends the run because nothing more is to come."""
        self.over("settled", detail)

    def over(self, why: Why, detail: str = "", signal: Signal | None = None) -> None:
        """Nothing is left to do; the first reason counts. Faults end first, at once; a command gets the signal."""
        if self._over is None:
            self._over = RunEnded(at_s=self.base.now_s(), why=why, detail=detail, signal=signal)
            self._healing = gevent.spawn(self.faults.stop, "the run ended")
            if self._deploying:
                self._deploying.stop(Signals[signal or "SIGTERM"])
            self._on_over()

    def close(self) -> ExitCode:
        """Ends the run when its traffic has stopped: heals, looks a last time, judges, reports; the exit code."""
        if self._over is None:
            self._over = RunEnded(at_s=self.base.now_s(), why="stopped", detail=self._why_stopped())
        gevent.killall(self._greenlets, block=True, timeout=5.0)
        self._heal()
        if self._deploying:
            self._deploying.close()
        if self._watcher and self._over.why in ("settled", "given_up"):
            self._watcher.final_looks()
            for neighbour in self._neighbours:
                neighbour.watcher.final_looks()
        if self._deploying:
            self._deploying.give_back()
        self.record(replace(self._over, at_s=self.base.now_s(), detail=self._detail_of(self._over)))
        self._progress.close()
        self._closed = True
        with contextlib.suppress(OSError):  # a disk that is full has been told already, by `record`
            self._file.close()
        code = self._judge()
        return ExitCode.HARNESS_FAILED if self._over.why == "failed" else code

    def _heal(self) -> None:
        """Lets the healing come to its end, and tries once more what failed soon: a person waits for the report."""
        if self._healing:
            self._healing.join()
        if self._over is None or time.time() - self.base.wall_s(self._over.at_s) < HEAL_AGAIN_S:
            self.faults.stop("the run ended")

    def _may_write(self, settings: Settings) -> bool:
        """Whether anything may be changed on AWS; raises UsageError where the plan does and may not.

        A clock that was left over from a rehearsal gives no permission on AWS itself.
        """
        local = settings.rehearsal and self._aws.is_local(*services_of(self.experiment))
        check_permission(replace(settings, experiment=self.experiment, rehearsal=local))
        return self.experiment.allow_writes or local

    def _new_watcher(self) -> Watcher:
        return Watcher(
            self._aws,
            self.experiment.deployment,
            self.experiment.alarm.name,
            now=self.base.now_s,
            epoch_s=self._epoch_s,
            record=self.record,
        )

    def _new_deploying(self, watcher: Watcher, settings: Settings) -> Deploying:
        return Deploying(self, self._aws, watcher, aligned=settings.rehearsal, epoch_s=self._epoch_s)

    # What a run does, each in a greenlet of its own

    def _deploy(self) -> None:
        if not self._deploying:
            return
        self._deploying.play()
        self._settled.wait()
        while self._is_awaited():
            gevent.sleep(SHOW_EVERY_S)
        self.sleep_until(self.base.now_s() + self.experiment.steady_s)
        self.over("settled")

    def _is_awaited(self) -> bool:
        """Whether a further group is open: its deployment is on its way, or may still come."""
        assert self._deploying is not None
        open_ones = [neighbour.rollout for neighbour in self._neighbours if not neighbour.rollout.settled]
        return any(not self._deploying.made_none(rollout) for rollout in open_ones)

    def _give_up(self) -> None:
        if self._watcher:
            self.sleep_until(self.experiment.give_up_s)
            self.over("given_up", f"the outcome was open after {self.experiment.give_up_s:g} s")

    def _watch(self) -> None:
        assert self._watcher is not None
        while True:
            watchers = [self._watcher, *(neighbour.watcher for neighbour in self._neighbours)]
            rest_s = self.base.wall_s(min(watcher.next_look_s for watcher in watchers)) - time.time()
            self._look_now.wait(max(SHORTEST_REST_S, rest_s))
            self._look_now.clear()
            for watcher in watchers:
                watcher.look()

    def _hold_faults(self) -> None:
        """In a rhythm of its own: CodeDeploy must meet the fault between two looks that wait for AWS, too."""
        while True:
            gevent.sleep(max(SHORTEST_REST_S, HOLD_EVERY_S / self.base.speed))
            self.faults.hold()

    def _keep_to_rails(self) -> None:
        while True:
            gevent.sleep(GUARD_EVERY_S)
            planned = self.experiment.traffic.users is None and bool(self.fleet.workers)
            trip = self._guard.tripped(faults_active=self.faults.active, planned=planned)
            if trip:
                self._trip(trip)
            if self._over:
                return

    def _trip(self, trip: Trip) -> None:
        """Stops the faults, and the run as well unless it is only that nobody sees what the faults do."""
        self.record(
            RailTripped(at_s=self.base.now_s(), rail=trip.rail, limit=trip.limit, seen=trip.seen, message=trip.message)
        )
        if trip.rail == "blind_s":
            self.faults.stop(trip.message)
        else:
            self.over("guard_rail", trip.message)

    def _show(self) -> None:
        while True:
            if self._watcher:
                self._progress.show(self.rollout, self.tally, self.base.now_s(), rollouts(self._neighbours))
            if problem := self._contact.lost():
                self.fail("contact", f"neither AWS nor the service answers any more: {problem}")
                return
            if problem := self._contact.blind():
                self.over("given_up", f"no look at AWS succeeded since the beginning: {problem}")
                return
            gevent.sleep(SHOW_EVERY_S)

    # What faults and deploying need

    def say(self, line: str) -> None:
        """Shows a line of somebody else's."""
        self._progress.say(line)

    def look_now(self) -> None:
        """Has the watcher look at once."""
        self._look_now.set()

    def send_share(self, kind: ShareKind, share: float) -> None:
        """Has this share of fault requests sent from now on."""
        self.fleet.set_share(kind, share)

    def since_creation_s(self) -> float | None:
        """Experiment seconds since the deployment's creation, or until it; None while nobody knows when it will be.

        Without a deployment they count from the beginning of the run.
        """
        created_s = self._anchor_s() if self._watcher else 0.0
        return None if created_s is None else self.base.now_s() - created_s

    def sleep_until_after_creation(self, after_s: float) -> None:
        """Waits for an instant that is counted from the deployment's creation."""
        if after_s >= 0:
            self._created.wait()
        self.sleep_until((self._anchor_s() or 0.0) + after_s)

    def sleep_until(self, at_s: float) -> None:
        """Waits for an instant of the run."""
        gevent.sleep(max(0.0, self.base.wall_s(at_s) - time.time()))

    def _anchor_s(self) -> float | None:
        """The deployment's creation; before it, the planned one, None if others will create it."""
        if self.rollout.release.created_s is not None:
            return self.rollout.release.created_s
        return self._deploying.planned_s if self._deploying else None

    # The end

    def _detail_of(self, over: RunEnded) -> str:
        """Why the run ended, as it is true after the last look."""
        return self._deploying.seen_late(over.detail) if self._deploying else over.detail

    def _why_stopped(self) -> str:
        if self._watcher:
            return "a person or --run-time stopped the run before the outcome was there"
        return "no deployment was watched; --canary-application and --canary-group name one"

    def _judge(self) -> ExitCode:
        try:
            self.verdict = verdict = finish(self.folder, self.experiment)
        except HarnessError as error:
            log.error("no verdict: %s", error)
            return ExitCode.HARNESS_FAILED
        log.info("%s, %s: %s", verdict.outcome, verdict.call, " ".join(verdict.because))
        log.info("Report: %s", self.folder.page)
        self._announce(verdict)
        return ExitCode(verdict.exit_code)

    def _announce(self, verdict: Verdict) -> None:
        try:
            announce(verdict, self.folder)
        except HarnessError as error:  # the verdict stands all the same
            log.error("%s", error)

    # Underneath

    def _notice(self, event: Event) -> None:
        self._contact.note(event)
        self._guard.note(event)
        if isinstance(event, Requests):
            self.tally = _counted(self.tally, event)
        else:
            self.rollout = self.rollout.step(event)
            self._progress.tell(event, self.rollout)
        if isinstance(event, Beside):
            self._progress.tell(event.seen, rollouts(self._neighbours)[event.group], event.group)
        if self._follow:
            self._follow(event, self.rollout)
        if self.rollout.release.created_s is not None:
            self._created.set()
        if self.rollout.settled:
            self._settled.set()

    def _spawn(self, play: Callable[..., None], *arguments: object) -> None:
        name = getattr(play, "__name__", "a planned fault").strip("_")

        def guarded() -> None:
            try:
                play(*arguments)
            except HarnessError as error:
                self.fail(name, str(error))
            except Exception as error:
                log.exception("%s failed", name)
                self.fail(name, repr(error))

        self._greenlets.append(gevent.spawn(guarded))


def _allow(refused: str | None) -> None:
    if refused:
        raise NotAllowed(refused)


def _folder(settings: Settings, experiment: Experiment) -> RunFolder:
    """The folder that was given, or a new one: also for a second test of the same process."""
    folder = RunFolder.open(settings.run_dir) if settings.run_dir else None
    if folder is None or folder.timeline.exists():
        folder = RunFolder.create(settings.reports, experiment.name, time.time())
    try:
        if not folder.manifest.exists():
            folder.write_manifest(experiment, sys.argv)
        folder.timeline.touch()
    except OSError as error:
        raise UsageError(f"--canary-run-dir: cannot write to {folder.path}: {error.strerror}") from error
    return folder


def _counted(tally: Tally, row: Requests) -> Tally:
    field = f"{row.intent}_{row.outcome}"
    return replace(tally, **{field: getattr(tally, field) + row.count})
