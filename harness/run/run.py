"""One run from its first request to its verdict: directs the traffic, watches the deployment, writes the timeline.

    Recording   the timeline, and what is known by it      Plays    what happens while the run lasts
    Follower    the watchers of the groups                 ByHand   what a person may ask for
    Faults      what is broken, and healed                 Ending   why the run is over

`Run.start` returns at once. Whoever is told by `on_over` that the run is over stops the traffic and then calls `close`,
which heals, judges and reports.
"""

import logging
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from signal import Signals

import gevent.event
from msgspec.structs import replace

from harness.aws.clients import Aws, services_of
from harness.aws.discovery import discover_for_a_run
from harness.core.experiment.rails import Limits, limits_of
from harness.core.experiment.types import Experiment
from harness.core.timeline.clock import Clock
from harness.core.timeline.events import Event, ExitAsked, RunEnded, Signal, Why
from harness.core.verdict.types import Verdict
from harness.errors import ExitCode, HarnessError, UsageError, sentence_of
from harness.report.actions import announce
from harness.report.finish import finish, finish_with, load_ahead
from harness.report.folder import RunFolder
from harness.report.printing import print_verdict
from harness.report.progress import Progress
from harness.run.by_hand import ByHand
from harness.run.context import RunContext
from harness.run.creation import Creation, rehearsal_begins_s, steady_until_s
from harness.run.deploying import Deploying, check_making
from harness.run.ending import Ending
from harness.run.experiment import Settings, check_permission, watched
from harness.run.faults import Faults
from harness.run.follow import Follower, begin
from harness.run.guard import Guard
from harness.run.notifying import notifier_of
from harness.run.plays import Plays
from harness.run.recording import Listener
from harness.run.sent import with_requests
from harness.run.standing import begin_at
from harness.run.unwinding import Unwinding
from harness.traffic.feeds import read_feed
from harness.traffic.fleet import Fleet, Post
from harness.traffic.steering import Timebase
from harness.wallclock import wall_now

log = logging.getLogger(__name__)


class Run:
    """Plays one experiment and ends with its verdict.

    `post` delivers steering to workers; `on_over` is called once, from a greenlet of ours, when nothing is left to do.
    `listener` gets every event that is recorded, in order, with the rollout that it led to.
    """

    def __init__(
        self, settings: Settings, *, post: Post, on_over: Callable[[], None], listener: Listener | None = None
    ) -> None:
        aws = Aws()
        experiment = self.experiment = _discovered(aws, settings.experiment)
        limits = limits_of(experiment.rails, experiment.target.host)
        may_write = _may_write(aws, settings, experiment)
        clock, aligned = settings.clock, settings.rehearsal
        self.verdict: Verdict | None = None
        self.folder = _folder(settings, experiment)
        self.base = Timebase(_begin(experiment, clock, aligned=aligned), clock.speed)
        sends = with_requests(experiment)
        self.fleet = Fleet(sends, self.base, post, read_feed(sends.traffic))
        self._on_over = on_over
        self._ending = Ending(self.base, self._wind_down)
        context = self._context = RunContext.of(
            experiment, aws, base=self.base, clock=clock, folder=self.folder, ending=self._ending
        )
        guard = _guard(context, limits)
        self._printing = settings.printing
        self._progress = Progress(free=settings.free_terminal, quiet=settings.printing == "verdict")
        self._follower = Follower(context, self._progress)
        if listener:
            context.recording.listeners.append(listener)
        self._notifier = notifier_of(context)
        creation = Creation(context, watched=self.watching, aligned=aligned)
        self.faults = Faults(context, creation, limits, self.fleet.set_error_share, may_write=may_write)
        self.by_hand = ByHand(context, self.faults, self.fleet, limits)
        look_now = gevent.event.Event()
        self._deploying = _deploying(context, self._follower, self._progress, look_now, aligned=aligned)
        parts = (self._follower, self._deploying, self.faults, self.fleet, guard)
        self._plays = Plays(context, *parts, look_now=look_now)
        self._unwinding = Unwinding(context, self.faults, self._plays.stop)

    @property
    def watching(self) -> bool:
        """Whether there is a deployment to watch."""
        return self._follower.watching

    @property
    def closed(self) -> bool:
        """Whether nothing more is recorded."""
        return self._context.recording.closed

    @property
    def ended_s(self) -> float | None:
        """When the run was over; None while it lasts."""
        return self._ending.over.at_s if self._ending.over else None

    def start(self) -> None:
        """Begins the run; returns at once."""
        load_ahead()
        self._ending.reserve.hold()
        self._ending.reserve.guard(partial(self.fail, "the event loop"))
        begin(self._context, sends=True)
        if self.watching:
            self._deploying.disregard_others()
            for watcher in self._follower.watchers[1:]:
                watcher.disregard()
        self._plays.start()

    def record(self, *events: Event) -> None:
        """Writes events to the timeline, in this order, and takes notice of what they mean."""
        self._context.recording.record(*events)

    def trouble(self, what: str, message: str) -> None:
        """Notes that something of ours or around us went wrong."""
        self._context.trouble(what, message)

    def fail(self, what: str, message: str) -> None:
        """Ends the run because something of ours or around us went wrong."""
        self._context.fail(what, message)

    def end(self, why: Why, detail: str, signal: Signal | None = None) -> None:
        """Ends the run; the first reason counts. Faults end at once; a command that deploys gets the signal."""
        self._ending.end(why, detail, signal)

    def close(self) -> ExitCode:
        """Ends the run when its traffic has stopped: heals, looks a last time, judges, reports; the exit code."""
        over = self._ending.note("stopped", self._why_stopped())
        self._unwinding.finish(over)
        self._deploying.close()
        if self.watching and over.why in ("settled", "given_up"):
            self._follower.final_looks()
        self._deploying.give_back()
        detail = self._deploying.seen_late(over.detail)  # as it is true after the last look
        self.record(replace(over, at_s=self.base.now_s(), detail=detail))
        self._progress.close()
        self._context.recording.close()
        self.verdict = _conclude(self.folder, self.experiment)
        if self._notifier and self.verdict:
            self._notifier.tell_verdict(self.verdict)
        if over.why == "failed" or self.verdict is None:
            return ExitCode.HARNESS_FAILED
        return ExitCode(self.verdict.exit_code)

    def settle(self, asked: Sequence[ExitAsked], code: int) -> None:
        """Tells GitHub Actions of the verdict, since nobody has a word to say any more.

        What was `asked` for makes the exit code `code`; timeline, verdict and reports say so, too.
        """
        assert self.verdict
        if asked:
            verdict = _judged(lambda: finish_with(self.folder, self.experiment, *asked))
            self.verdict = verdict or replace(self.verdict, exit_code=code)
        try:
            announce(self.verdict, self.folder)
        except HarnessError as error:  # the verdict stands all the same
            log.error("%s", error)
        if self._notifier:
            if asked:
                self._notifier.tell_verdict(self.verdict)
            self._notifier.wait()

    def print_verdict(self, code: int) -> None:
        """Prints what was asked for of the verdict of a run whose process ends with `code`."""
        if self.verdict and self._printing:
            print_verdict(self._printing, self.folder.path, code, self.verdict)

    def _wind_down(self, over: RunEnded) -> None:
        self._unwinding.begin()
        self._deploying.stop(Signals[over.signal or "SIGTERM"])
        self._on_over()

    def _why_stopped(self) -> str:
        if self.watching:
            by = "a person, --run-time, a LoadTestShape or the locustfile itself"
            return f"its traffic was stopped before the outcome was there, by {by}"
        return "no deployment was watched; --canary-application and --canary-group name one"


def _begin(experiment: Experiment, clock: Clock, *, aligned: bool) -> float:
    """The wall time at which the run begins; waits for the one that a rehearsal has."""
    if not aligned:
        return wall_now()
    began_s = rehearsal_begins_s(experiment, clock, wall_now())
    begin_at(began_s)
    return began_s


def _guard(context: RunContext, limits: Limits) -> Guard:
    """The guard of a run's rails, which takes notice of all that is recorded."""
    guard = Guard(limits, context.base, watched=watched(context.experiment))
    context.recording.listeners.append(lambda event, _: guard.note(event))
    return guard


def _deploying(
    context: RunContext, follower: Follower, progress: Progress, look_now: gevent.event.Event, *, aligned: bool
) -> Deploying:
    return Deploying(
        context,
        follower.first,
        create_from=partial(steady_until_s, context.experiment, context.epoch_s, aligned=aligned),
        say=progress.say,
        look_now=look_now.set,
    )


def _discovered(aws: Aws, experiment: Experiment) -> Experiment:
    """The experiment with the names that AWS has for what it watches."""
    if not watched(experiment):
        return experiment
    aws.warm(*services_of(experiment))
    found = discover_for_a_run(aws, experiment)
    check_making(aws, found.deployment)
    return found


def _may_write(aws: Aws, settings: Settings, experiment: Experiment) -> bool:
    """Whether anything may be changed on AWS; raises UsageError if the plan changes something without permission."""
    # A clock that was left over from a rehearsal is no permission on AWS itself.
    local = settings.rehearsal and aws.is_local(*services_of(experiment))
    check_permission(replace(settings, experiment=experiment, rehearsal=local))
    return experiment.allow_writes or local


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


def _conclude(folder: RunFolder, experiment: Experiment) -> Verdict | None:
    """Judges a complete timeline and writes the reports; None if it cannot be judged."""
    verdict = _judged(lambda: finish(folder, experiment))
    if verdict:
        log.info("%s, %s: %s", verdict.outcome, verdict.call, " ".join(verdict.because))
        log.info("Report: %s", folder.page)
    return verdict


def _judged(judge: Callable[[], Verdict]) -> Verdict | None:
    try:
        return judge()
    except (HarnessError, MemoryError) as error:
        log.error("no verdict: %s", sentence_of(error))
    except OSError as error:
        told = sentence_of(error) or f"{error.filename or 'the system'}: {error.strerror or error}"
        log.error("no verdict: %s", told)
    return None
