"""A Locust process that sends what its master asks for."""

import logging
import math
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import gevent
from locust import runners

from harness.core.timeline.events import Event, encode
from harness.errors import ExitCode
from harness.plugin.crew import Crew
from harness.plugin.role import BEGIN, CLOCK, END, FAILURE, PACING, ROUND_S, ROWS, STEERING, Role
from harness.traffic.steering import unpacked
from harness.wallclock import follow, own_now

MASTER_SILENT_S = 10.0
"""Wall time without a message of the master, who sends one each second, after which a worker that sends stops."""
MASTER_GONE_S = 60.0
"""The same for a worker that sends nothing: a master may be busy with a report."""

log = logging.getLogger(__name__)


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
        for message, listener in (
            (BEGIN, self._on_begin),
            (STEERING, self._on_steering),
            (END, self._on_end),
            (CLOCK, self._on_clock),
        ):
            self._runner.register_message(message, listener)
        runners.MASTER_HEARTBEAT_TIMEOUT = math.inf  # Locust's own patience ends where somebody sets the clock
        self._beat: float | None = None
        self._beat_s = time.monotonic()
        self._ask_clock()
        gevent.spawn(self._mind_master, os.getppid() if environment.parsed_options.processes else None)

    def test_start(self) -> None:
        """Does nothing: the master's `canary-begin` comes before the first user."""

    def test_stop(self) -> None:
        """Sends the last rows."""
        self.crew.end()

    def quitting(self) -> int:
        """Hands over and sends the last rows. Failed requests do not change the exit code: the master judges them."""
        self.crew.hand_over()
        self.crew.end()
        # Where one of its own users has it quit, Locust would leave its last requests out of the master's tables.
        self._runner._send_stats()
        return ExitCode.AS_EXPECTED

    def settled(self, code: int, worse: Mapping[str, int], said: str | None) -> None:
        """Tells nobody: the master has the verdict."""

    def signalled(self, code: ExitCode) -> None:
        """Ends as Locust does."""
        if code is ExitCode.INTERRUPTED:
            raise KeyboardInterrupt

    def _mind_master(self, parent: int | None) -> None:
        """Ends this process once its master is gone: nobody could stop what it sends."""
        while parent is None or os.getppid() == parent:
            if self._silent_s() > (MASTER_SILENT_S if self.crew.sends else MASTER_GONE_S):
                break
            gevent.sleep(ROUND_S)
        log.error("the master is gone, so this worker ends")
        self.crew.stop()
        self._runner.quit()

    def _silent_s(self) -> float:
        """Wall time since the master's last message was noticed, whatever the clock was set to in between."""
        now_s, beat = time.monotonic(), self._runner.last_heartbeat_timestamp
        if beat != self._beat:
            self._beat, self._beat_s = beat, now_s
        return now_s - self._beat_s

    def _send_rows(self, rows: Sequence[Event], last: bool) -> None:
        self._runner.send_message(ROWS, {"lines": b"".join(map(encode, rows)), "last": last})

    def _ask_clock(self) -> None:
        self._runner.send_message(CLOCK, {"asked_s": own_now()})

    def _on_clock(self, msg: Any, **_: Any) -> None:
        follow(msg.data["asked_s"], msg.data["shown_s"])

    def _on_begin(self, msg: Any, **_: Any) -> None:
        self._ask_clock()
        self.crew.begin(unpacked(msg.data))

    def _on_steering(self, msg: Any, **_: Any) -> None:
        self.crew.steer(unpacked(msg.data))

    def _on_end(self, **_: Any) -> None:
        gevent.spawn(self._end)

    def _end(self) -> None:
        """Stops the users now: Locust does so a little later, and what they sent until then would not be recorded."""
        self._runner.stop()
        self.crew.end()
