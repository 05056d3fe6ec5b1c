"""The process that directs: one run after the other, each from a test's start to its stop."""

import logging
import time
from collections.abc import Mapping
from typing import Any

import gevent
import gevent.event

from harness.core.experiment.types import Experiment
from harness.core.timeline.events import Event, ExitAsked, Signal
from harness.errors import ExitCode, HarnessError, exhausted
from harness.plugin.admission import Admission
from harness.plugin.leaving import Leaving
from harness.plugin.lifecycle import IN_A_TEST, NEXT, DirectorState, Happening
from harness.plugin.panel.chronicle import Chronicle
from harness.plugin.role import ROUND_S, AtOnce, Role
from harness.plugin.run_codes import RunCodes
from harness.plugin.senders import Senders
from harness.plugin.web_form import WebForm
from harness.processes import ONE_SIGNAL_S, ends_with
from harness.report.actions import announce_exit_code, announce_refusal
from harness.report.masking import masked_prose
from harness.run.run import Run
from harness.streams import tell

NOBODYS_SHARE = (
    "fault requests are planned, and only CanaryUsers send these; no user class of this locustfile is one, so its "
    "requests fail only where it makes them"
)

log = logging.getLogger(__name__)


class Director(Role, Senders):
    """Directs runs; how those that send are reached is for `Single` and `Master` to say.

    `last` is the latest run, whose events `chronicle` heard where there is a web page; `refused` is why the latest test
    could not be a run. `attempts` counts the tests that became runs or were refused.
    """

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.state = DirectorState.WAITING
        self.last: Run | None = None
        self.chronicle: Chronicle | None = None
        self.refused: str | None = None
        self.attempts = 0
        self._codes = RunCodes()
        self._ending: Run | None = None
        self._closed = gevent.event.Event()
        self._closed.set()
        self._leaving = Leaving(environment, self._codes, self._closed)
        self._signal_s: float | None = None
        self._quits = False
        self._setting_up: gevent.Greenlet | None = None
        self._round: gevent.Greenlet | None = None
        self._given = environment.parsed_options
        self.admission = Admission(environment, self.least_users())

    @property
    def run(self) -> Run | None:
        """The run that is under way."""
        return self.last if self.state is DirectorState.TESTING else None

    @property
    def is_closed(self) -> bool:
        """Whether no run is ending."""
        return bool(self._closed.is_set())

    def test_start(self) -> None:
        """Begins a run; a test that cannot be one is refused with its reason, before Locust spawns any user.

        Locust may ask again for the same test, and kill who asked before: a shape does so every second until the first
        users are spawned. That begins no second run.
        """
        if self.run is None and (self._setting_up is None or self._setting_up.ready()):
            self._happens("test_start")
            self._setting_up = gevent.spawn(self._set_up)
        if self._setting_up:
            self._setting_up.join()
        if self.run is None:
            raise gevent.GreenletExit  # ends the greenlet that would go on to spawn users, without a traceback

    def test_stop(self) -> None:
        """Ends the run with its verdict; waits for it where it is ending already."""
        if self._setting_up:
            self._setting_up.kill()
        run = self.run
        self._happens("test_stop")
        if run is None:
            self._closed.wait()
            return
        self._closed.clear()
        self._ending = run
        self._codes.latest = code = ExitCode.HARNESS_FAILED
        try:
            if self._round:
                self._round.kill()
            self.end()
            code = run.close()
        finally:
            self._ending = None
            self._codes.add(code)
            self._happens("run_closed")
            self._closed.set()

    def quitting(self) -> int | None:
        """Ends what is not over yet; the exit code is the verdict's, and of several runs the worst one's."""
        self._quits = True
        gevent.sleep(0)  # a signal's other listeners, which may have been called at the same time, go first
        if self.run:
            self.environment.runner.stop()
            self.test_stop()
        self._closed.wait()  # another greenlet, which stops the test by our own word, may have taken the run
        return self._codes.of_process(self._verdict_code(), headless=self._given.headless)

    def settled(self, code: int, worse: Mapping[str, int], said: str | None) -> None:
        """Tells people and GitHub Actions, and has the run note what was asked for."""
        if said:
            tell(f"canary-harness: {said}.")
        if self._verdict_code() is not None and self.last:
            self.last.settle([ExitAsked(at_s=0.0, exit_code=asked, by=who) for who, asked in worse.items()], code)
        elif self.refused and self.environment.web_ui is None:
            announce_refusal(self.refused, code)
        else:
            announce_exit_code(code, said)
        ends_with(code)
        if self.last and not self._refusal_counts():
            self.last.print_verdict(code)

    def signalled(self, code: ExitCode) -> None:
        """Has a signal end the run, which says so; a second one ends the process at once.

        A signal that comes when the run is over changes nothing but that Locust ends.
        """
        if self._signal_s is not None:
            self._signalled_again(code)
            return
        self._signal_s = time.monotonic()
        if self.state in IN_A_TEST:
            self._codes.signal = code
            if self.run:
                _end_by(code, self.run)
        elif self.state is DirectorState.ENDING or self._codes.latest is not None:
            if code is ExitCode.INTERRUPTED and not self._quits:
                gevent.spawn(self._leaving.leave)
        elif not self._quits:
            self._codes.signal = code if self._given.headless else None
            if code is ExitCode.INTERRUPTED:
                raise KeyboardInterrupt

    def _signalled_again(self, code: ExitCode) -> None:
        """A person needs longer to ask again than one signal that reaches us twice."""
        if self._signal_s is not None and time.monotonic() - self._signal_s > ONE_SIGNAL_S:
            verdict_code = self._verdict_code()
            raise AtOnce(code if verdict_code is None else verdict_code)

    def _verdict_code(self) -> int | None:
        """The exit code of the latest test's verdict, where that has one."""
        if self.state in IN_A_TEST or self._refusal_counts() or not self.last or not self.last.verdict:
            return None
        return self.last.verdict.exit_code

    def _refusal_counts(self) -> bool:
        """Whether the latest test was refused, and that was not just told on a page to who may go on there."""
        return self.refused is not None and not (self.environment.web_ui and self._codes.has_run)

    def take(self, *rows: Event) -> None:
        """Writes what was recorded, also while the run is ending."""
        run = self.run or self._ending
        if run:
            run.record(*rows)

    def failed(self, reason: str) -> None:
        """Ends the run, since no traffic can be sent."""
        if self.run:
            self.run.fail("traffic", reason)

    def _happens(self, what: Happening) -> None:
        self.state = NEXT[self.state][what]

    def _set_up(self) -> None:
        try:
            run = self._begin_run()
        except Exception as error:  # outermost frame of the run's beginning: a bug there refuses the run
            told = exhausted(error) or error
            if not isinstance(told, HarnessError):
                log.exception("the run could not begin")
            self._refuse(*_why(told))
        else:
            self._round = gevent.spawn(self._rounds, run)
            if self._codes.signal:  # it came while the run was being set up
                _end_by(self._codes.signal, run)
        finally:
            self.attempts += 1

    def _begin_run(self) -> Run:
        settings = self.admission.begin()
        chronicle = Chronicle(settings.experiment) if self.environment.web_ui else None
        run = Run(
            settings, post=self.post, on_over=self._leaving.stop_soon, listener=chronicle.hear if chronicle else None
        )
        self.last, self.chronicle, self.refused = run, chronicle, None
        self._happens("run_begun")
        run.start()
        if _plans_fault_requests(run.experiment) and not self.admission.sends_canary_traffic:
            run.trouble("error share", NOBODYS_SHARE)
        self.begin(run.fleet.beginning)
        return run

    def _rounds(self, run: Run) -> None:
        form = WebForm(self._given, run.by_hand, run.experiment.traffic)
        while True:
            gevent.sleep(ROUND_S)
            self.check_workers()
            form.check()

    def _refuse(self, reason: str, code: ExitCode) -> None:
        """Leaves a test without a run."""
        reason = masked_prose(reason)
        log.error("%s", reason)
        self._happens("refused")
        self.refused = reason
        if self._refusal_counts():
            self._codes.latest = code
        self._leaving.stop_soon()


def _plans_fault_requests(experiment: Experiment) -> bool:
    shares = [experiment.traffic.error_share]
    shares += [fault.error_share or 0.0 for fault in experiment.faults]
    return any(shares)


def _why(error: BaseException) -> tuple[str, ExitCode]:
    """Why a run could not begin, and the exit code of that."""
    if isinstance(error, HarnessError):
        return str(error), error.exit_code
    return f"the run could not begin: {error!r}", ExitCode.HARNESS_FAILED


def _end_by(signalled: ExitCode, run: Run) -> None:
    signal: Signal = "SIGINT" if signalled is ExitCode.INTERRUPTED else "SIGTERM"
    run.end("stopped", f"{signal} came", signal)
