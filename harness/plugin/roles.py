"""What a Locust process is in a run: `Single` directs and sends, `Master` directs, `Worker` sends.

Master and workers talk in Locust's own messages:

    canary-begin      master → worker   a test begins
    canary-steering   master → worker   what to send from when on
    canary-end        master → worker   the test is over: send what you have
    canary-pacing     worker → master   whether there are users that send
    canary-rows       worker → master   lines of the timeline; `last` after a test
    canary-failure    worker → master   why it can send no traffic
"""

import logging
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import gevent
import gevent.event
from locust.runners import STATE_MISSING, STATE_RUNNING
from msgspec.structs import replace

from harness.aws.clients import Aws
from harness.aws.discovery import discover_for_a_plan
from harness.core.experiment.rails import host_refusal
from harness.core.experiment.rates import worded
from harness.core.experiment.types import Rails, Traffic
from harness.core.timeline.events import Arrivals, Event, Signal, decode, encode
from harness.errors import ExitCode, HarnessError, UsageError
from harness.plugin import options
from harness.plugin.crew import DRAIN_S, FLUSH_S, Crew
from harness.plugin.panel.chronicle import Chronicle
from harness.report.actions import announce_refusal
from harness.run.experiment import Settings, check_permission, lacks_permission
from harness.run.run import Run
from harness.traffic.client.address import service_url
from harness.traffic.client.proxies import proxy_for
from harness.traffic.recorder import unstarted
from harness.traffic.steering import Steering, unpacked

BEGIN, STEERING, END = "canary-begin", "canary-steering", "canary-end"
PACING, ROWS, FAILURE = "canary-pacing", "canary-rows", "canary-failure"
LAST_ROWS_S = 10.0
"""Wall time that workers get to send their last rows, once their users are stopped."""
ONE_SIGNAL_S = 0.5
"""Wall time in which a second signal is the same one."""
WEB_FORM = "the web form"
BEGUN_WITHIN_S = 5.0
"""Wall time in which Locust spawns a few users after it told us of a test."""
ROUND_S = 0.5
"""Wall time between two looks for changed options, lost workers, and a lost master."""
MASTER_SILENT_S = 10.0
"""Wall time without a word of the master, who answers each second, after which a worker sends no more."""

log = logging.getLogger(__name__)


class Role(ABC):
    """What the events of Locust mean to one process."""

    def __init__(self, environment: Any) -> None:
        self.environment = environment
        self.crew: Crew | None = None

    @abstractmethod
    def test_start(self) -> None:
        """A test begins."""

    @abstractmethod
    def test_stop(self) -> None:
        """A test ends."""

    @abstractmethod
    def quitting(self) -> None:
        """The process is about to end."""

    def stopping(self) -> None:
        """Users are about to be stopped."""
        if self.crew:
            self.crew.stop()

    @abstractmethod
    def signalled(self, code: ExitCode) -> None:
        """SIGINT or SIGTERM came."""


def _check_permission(settings: Settings) -> None:
    """Raises UsageError where the plan may not be played, with the names that AWS has for what it would change."""
    if lacks_permission(settings):
        found, _ = discover_for_a_plan(Aws(), settings.experiment)
        check_permission(replace(settings, experiment=found))


def _sends_canary_traffic(user: Any) -> bool:
    return getattr(user, "sends_canary_traffic", False)


class Director(Role):
    """Directs one run after the other, each from a test's start to its stop."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.run: Run | None = None
        self.last: Run | None = None
        self.chronicle: Chronicle | None = None
        self.refused: str | None = None
        self._testing = False
        self._ending: Run | None = None
        self._closing = gevent.event.Event()
        self._closing.set()
        self._code: ExitCode | None = None
        self._signal: ExitCode | None = None
        self._signal_s = -ONE_SIGNAL_S
        self._round: gevent.Greenlet | None = None
        self._given = environment.parsed_options
        self._fixed = options.fixed(self._given)
        settings = options.settings_of(self._given)
        _check_permission(settings)
        experiment = settings.experiment
        self._named = tuple(filter(None, (environment.host, experiment.target.host)))
        self._apply_defaults(experiment)

    def test_start(self) -> None:
        """Begins a run; a test that cannot be one is refused with its reason."""
        self._testing = True
        options.restore(self._given, self._fixed)
        try:
            settings = self.settings(self._given, self.environment.host)
            chronicle = Chronicle(settings.experiment) if self.environment.web_ui else None
            follow = chronicle.hear if chronicle else None
            run = Run(settings, post=self.post, on_over=self._on_over, follow=follow)
            self.run, self.last, self.chronicle, self.refused = run, run, chronicle, None
            self.run.start()
            self.begin(self.run.fleet.steering)
        except HarnessError as error:
            self._refuse(str(error), error.exit_code)
        except Exception as error:
            log.exception("the run could not begin")
            self._refuse(f"the run could not begin: {error!r}", ExitCode.HARNESS_FAILED)
        else:
            self._round = gevent.spawn(self._rounds, self.run)
            if self._signal:  # it came while the run was being set up
                self._end_by(self._signal, self.run)

    def settings(self, asked: Any, host: str | None) -> Settings:
        """What a test with these options and this host would be; raises UsageError where it cannot be one."""
        settings = options.settings_of(asked)
        self._check_host(host, settings.experiment.rails)
        return settings

    def test_stop(self) -> None:
        """Ends the run with its verdict; waits for it where it is ending already."""
        run, self.run = self.run, None
        self._testing = False
        if run is None:
            self._closing.wait()
            return
        self._closing.clear()
        self._ending, self._code = run, ExitCode.HARNESS_FAILED
        try:
            if self._round:
                self._round.kill()
            self.end()
            self._code = run.close()
        finally:
            self._ending = None
            self._closing.set()

    def quitting(self) -> None:
        """Ends what is not over yet, and makes the verdict the exit code."""
        gevent.sleep(0)  # a signal's other listeners, which may have been called at the same time, go first
        if self.run:
            self.environment.runner.stop()
            self.test_stop()
        self._closing.wait()  # another greenlet, which stops the test by our own word, may have taken the run
        code = self._signal or self._code
        if code is None and self._given.headless:
            code = ExitCode.INCONCLUSIVE  # Locust ended before the test began, and nothing was seen of anything
        if code is not None:
            self.environment.process_exit_code = int(code)

    def signalled(self, code: ExitCode) -> None:
        """Notes the signal, so that the run says why it ended; a second one ends the process at once."""
        if self._signal:
            # One Ctrl-C or `timeout` may reach us twice at once; a person needs longer to ask again.
            if time.monotonic() - self._signal_s > ONE_SIGNAL_S:
                sys.exit(code)
            return
        self._signal_s = time.monotonic()
        if self._testing or (self._given.headless and self._code is None):
            self._signal = code
        if self.run:
            self._end_by(code, self.run)
        elif code is ExitCode.INTERRUPTED and not self._testing:
            raise KeyboardInterrupt

    @abstractmethod
    def post(self, worker: str, steering: Steering) -> None:
        """Delivers steering to a worker."""

    @abstractmethod
    def begin(self, steering: Steering) -> None:
        """Tells who sends that a test begins."""

    @abstractmethod
    def end(self) -> None:
        """Gets the last rows of who sends."""

    def take(self, *rows: Event) -> None:
        """Writes what was recorded, also while the run is ending."""
        run = self.run or self._ending
        if run:
            run.record(*rows)

    def failed(self, reason: str) -> None:
        """Ends the run, since no traffic can be sent."""
        if self.run:
            self.run.fail("traffic", reason)

    def pacing(self, worker: str, *, pacing: bool) -> None:
        """Takes notice of a worker that has users to send, or has none any more."""
        if self.run:
            (self.run.fleet.join if pacing else self.run.fleet.leave)(worker)

    @abstractmethod
    def check_workers(self) -> None:
        """Takes notice of workers that came or went."""

    def least_users(self) -> int:
        """How many users open arrivals need, so that every sending process has one."""
        return 1

    @property
    def sends_canary_traffic(self) -> bool:
        """Whether any class of the locustfiles sends what the experiment asks for."""
        return any(map(_sends_canary_traffic, self.environment.user_classes))

    def _apply_defaults(self, experiment: Any) -> None:
        """Fills in what a person need not say: the host of the experiment, and how many users its traffic takes."""
        self.environment.host = self.environment.host or experiment.target.host
        closed = experiment.traffic.users or not all(map(_sends_canary_traffic, self.environment.user_classes))
        if closed and not self.environment.stop_timeout:
            # Locust would kill users in the middle of their last request: sent, and counted as failed or not at all.
            self.environment.stop_timeout = DRAIN_S
        if not self.sends_canary_traffic:
            return
        if self._given.headless:
            self._check_host(self.environment.host, experiment.rails)
        users = experiment.traffic.users or self.least_users()
        self._given.num_users = self._given.num_users or users
        self._given.spawn_rate = self._given.spawn_rate or min(users, 100)

    def _check_host(self, asked: str | None, rails: Rails) -> None:
        """Refuses traffic to nowhere, and to a host that nobody named when Locust was started."""
        for user in self.environment.user_classes:
            host = asked or user.host
            if _sends_canary_traffic(user):
                if not host:
                    raise UsageError("no host to send traffic to: give --host, or target.host in the experiment")
                proxy_for(service_url(host))
            named = self._named or tuple(filter(None, (user.host,)))
            if host and (refused := host_refusal(host, named, rails.hosts)):
                raise UsageError(refused)

    def _refuse(self, reason: str, code: ExitCode) -> None:
        """Leaves a test without a run: Locust goes on to spawn users, which the stop then ends."""
        log.error("%s", reason)
        if self.environment.web_ui is None:
            announce_refusal(reason, code)
        self.run, self._code, self.refused = None, code, reason
        gevent.spawn(self._stop_refused)

    def _stop_refused(self) -> None:
        """Stops a test that was refused, once Locust has spawned its users: before that it would go on all the same."""
        with gevent.Timeout(BEGUN_WITHIN_S, False):
            while self.environment.runner.state != STATE_RUNNING:
                gevent.sleep(0.02)
        self._stop_locust()

    @staticmethod
    def _end_by(signalled: ExitCode, run: Run) -> None:
        signal: Signal = "SIGINT" if signalled is ExitCode.INTERRUPTED else "SIGTERM"
        run.over("stopped", f"{signal} came", signal)

    def _on_over(self) -> None:
        gevent.spawn(self._stop_locust)

    def _stop_locust(self) -> None:
        """Stops the test, and where nobody sits at a web page Locust too."""
        runner, web_ui = self.environment.runner, self.environment.web_ui
        if web_ui is None:
            runner.quit()
            return
        runner.stop()
        autoquit = self._given.autoquit if self._given.autostart else -1
        if autoquit != -1 and not self._signal:
            gevent.sleep(autoquit)
        if autoquit != -1 or self._signal:
            runner.quit()
            web_ui.stop()

    def _rounds(self, run: Run) -> None:
        asked, traffic = self._asked(), run.experiment.traffic
        while True:
            gevent.sleep(ROUND_S)
            self.check_workers()
            if self._asked() != asked:
                asked = self._asked()
                traffic = self._change_traffic(run, traffic)

    def _asked(self) -> tuple[object, ...]:
        """What may change in the web form while a test lasts."""
        names = ("canary_error_share", "canary_arrival_rate", "canary_pattern")
        return tuple(getattr(self._given, name, None) for name in names)

    def _change_traffic(self, run: Run, before: Traffic) -> Traffic:
        """Does what the web form asks for now, beside what it asked for before."""
        try:
            traffic = options.settings_of(self._given).experiment.traffic
        except HarnessError as error:
            log.error("%s", error)
            return before
        share, rate, pattern = traffic.error_share, traffic.arrival_rate, traffic.pattern
        if share != before.error_share:
            self._ask(run, "error_share", f"{share:g}", lambda: run.set_error_share(share, WEB_FORM))
        if rate != before.arrival_rate:
            self._ask(run, "arrival_rate", worded(rate), lambda: run.set_arrival_rate(rate))
        if pattern != before.pattern:
            self._ask(run, "pattern", pattern, lambda: run.set_pattern(pattern))
        return traffic

    @staticmethod
    def _ask(run: Run, what: str, value: str, change: Callable[[], None]) -> None:
        try:
            run.ask(what, value, WEB_FORM, change)
        except HarnessError as error:
            log.error("%s", error)


class Single(Director):
    """One process that does it all."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.crew: Crew = Crew(
            environment,
            name="",
            send_rows=lambda rows, _: self.take(*rows),
            tell_pacing=lambda pacing: self.pacing("", pacing=pacing),
            tell_failure=self.failed,
        )

    def post(self, _: str, steering: Steering) -> None:
        """Delivers steering to the own crew."""
        self.crew.steer(steering)

    def begin(self, steering: Steering) -> None:
        """Begins with the own crew."""
        self.crew.begin(steering)

    def end(self) -> None:
        """Ends with the own crew."""
        self.crew.end()

    def check_workers(self) -> None:
        """Has none."""


class Master(Director):
    """Directs workers, and writes what they record."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._runner = environment.runner
        self._done: set[str] = set()
        self._recorded_s: dict[str, float] = {}
        self._leaving: set[str] = set()
        self._runner.register_message(PACING, self._on_pacing)
        self._runner.register_message(ROWS, self._on_rows)
        self._runner.register_message(FAILURE, self._on_failure)
        environment.events.worker_connect.add_listener(self._on_worker)

    def least_users(self) -> int:
        """One for each worker that is expected."""
        return max(1, int(self._given.expect_workers or 1))

    def post(self, worker: str, steering: Steering) -> None:
        """Delivers steering to a worker."""
        self._runner.send_message(STEERING, steering.packed(), client_id=worker)

    def begin(self, steering: Steering) -> None:
        """Tells all workers."""
        self._done.clear()
        self._recorded_s.clear()
        self._leaving.clear()
        self._runner.send_message(BEGIN, steering.packed())

    def end(self) -> None:
        """Waits for the last rows of all workers that are still there."""
        self._runner.send_message(END)
        with gevent.Timeout(LAST_ROWS_S + (self.environment.stop_timeout or 0.0), False):
            while self._present() - self._done:
                gevent.sleep(0.02)
        for worker in self._present() - self._done:
            if self._ending:
                self._ending.trouble(
                    "worker", f"worker {worker} sent no last rows: some of what it recorded is missing"
                )

    def test_stop(self) -> None:
        """As ever; where Locust stopped because its last worker was lost, the timeline says so."""
        if self.run:
            self._part_with_lost(self.run)
        super().test_stop()

    def check_workers(self) -> None:
        """Takes the part of a lost worker from it, and gives a user to workers that came."""
        run, present = self.run, self._present()
        if run is None:
            return
        self._part_with_lost(run)
        paced = run.experiment.traffic.users is None and self.sends_canary_traffic
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
        """Has the others take over from a worker, and counts what surely nobody started meanwhile."""
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
            self._runner.send_message(BEGIN, self.run.fleet.steering.packed(), client_id=client_id)

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


class Worker(Role):
    """Sends what a master asks for."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._runner = environment.runner
        self.crew: Crew = Crew(
            environment,
            name=self._runner.client_id,
            send_rows=self._send_rows,
            tell_pacing=lambda pacing: self._runner.send_message(PACING, {"pacing": pacing}),
            tell_failure=lambda reason: self._runner.send_message(FAILURE, {"reason": reason}),
        )
        for message, listener in ((BEGIN, self._on_begin), (STEERING, self._on_steering), (END, self._on_end)):
            self._runner.register_message(message, listener)
        gevent.spawn(self._mind_master, os.getppid() if environment.parsed_options.processes else None)

    def test_start(self) -> None:
        """Waits for the master's word, which comes before the first user."""

    def test_stop(self) -> None:
        """Sends the last rows."""
        self.crew.end()

    def quitting(self) -> None:
        """Hands over, and sends the last rows; failed requests are the master's to judge."""
        self.crew.hand_over()
        self.crew.end()
        if self.environment.process_exit_code is None:
            self.environment.process_exit_code = 0

    def signalled(self, code: ExitCode) -> None:
        """Ends as Locust does."""
        if code is ExitCode.INTERRUPTED:
            raise KeyboardInterrupt

    def _mind_master(self, parent: int | None) -> None:
        """Ends this process once its master is gone: nobody could stop what it sends (Locust itself waits a minute)."""
        while parent is None or os.getppid() == parent:
            if self.crew.sends and self._silent_s() > MASTER_SILENT_S:
                break
            gevent.sleep(ROUND_S)
        log.error("the master is gone, so this worker ends")
        self.crew.stop()
        self._runner.quit()

    def _silent_s(self) -> float:
        """Wall time since the master's last word."""
        return time.time() - (self._runner.last_heartbeat_timestamp or time.time())

    def _send_rows(self, rows: Sequence[Event], last: bool) -> None:
        self._runner.send_message(ROWS, {"lines": b"".join(map(encode, rows)), "last": last})

    def _on_begin(self, msg: Any, **_: Any) -> None:
        self.crew.begin(unpacked(msg.data))

    def _on_steering(self, msg: Any, **_: Any) -> None:
        self.crew.steer(unpacked(msg.data))

    def _on_end(self, **_: Any) -> None:
        gevent.spawn(self._end)

    def _end(self) -> None:
        """Stops the users as Locust does, which comes later by itself: what they still sent would not be recorded."""
        self._runner.stop()
        self.crew.end()
