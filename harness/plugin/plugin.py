"""The harness as a Locust plugin: importing this module is enough to have runs recorded, watched and judged.

Each of Locust's events goes on to the `Role` of the process, which `init` chooses.
"""

import logging
import os
import signal
import sys
from typing import Any

import gevent
from locust import events
from locust.runners import MasterRunner, WorkerRunner

from harness.errors import ExitCode, HarnessError, exhausted
from harness.plugin import options
from harness.plugin.director import Director
from harness.plugin.last_word import LastWord
from harness.plugin.master import Master
from harness.plugin.panel.routes import Panel
from harness.plugin.role import Role
from harness.plugin.single import Single
from harness.plugin.statistics import FirstHeard
from harness.plugin.stopping import OneStop
from harness.plugin.telemetry import tell_opentelemetry
from harness.plugin.worker import Worker
from harness.processes import exit_without_collecting
from harness.report.actions import announce_refusal
from harness.report.finish import load_ahead
from harness.report.masking import masked_prose
from harness.streams import bear_any_stream

SIGNALS = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}

log = logging.getLogger(__name__)


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def add_options(parser: Any, **_: Any) -> None:
    """Adds our options."""
    options.add_options(parser)


@events.init.add_listener  # type: ignore[untyped-decorator]
def init(environment: Any, **_: Any) -> None:
    """Gives the process its role; if it cannot have one, it ends with one sentence and the exit code of the error."""
    bear_any_stream()
    exit_without_collecting()
    try:
        role = _role(environment)
    except (HarnessError, OSError, MemoryError) as error:
        told = exhausted(error) or error
        if not isinstance(told, HarnessError):
            raise
        sys.stderr.write(f"canary-harness: {masked_prose(str(told))}\n")
        announce_refusal(str(told), told.exit_code)
        sys.exit(told.exit_code)
    if environment.web_ui and isinstance(role, Director):
        Panel(environment, role)
    environment.canary_crew = role.crew
    options.silence_tables(environment.parsed_options)
    told = environment.events
    # Ahead of a locustfile's own listeners, which may send: a test that is refused sends nothing.
    told.test_start._handlers.insert(0, lambda **_: role.test_start())
    told.test_stopping.add_listener(lambda **_: role.stopping())
    told.test_stop.add_listener(lambda **_: role.test_stop())
    LastWord(environment, role)
    if role.crew:
        OneStop(environment.runner)
    if role.records:
        tell_opentelemetry(environment, role.records)
        told.request._handlers = FirstHeard(role.records.on_request, told.request._handlers)
    for signum, code in SIGNALS.items():
        gevent.signal_handler(signum, role.signalled, code)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        # A terminal that was closed must not leave faults behind. Under nohup the signal is ignored on purpose.
        gevent.signal_handler(signal.SIGHUP, os.kill, os.getpid(), signal.SIGTERM)
    # Timers count from the event loop's last look at the clock, which was before our imports: without another look a
    # short --run-time would be over at once.
    gevent.get_hub().loop.update_now()


def _role(environment: Any) -> Role:
    if isinstance(environment.runner, WorkerRunner):
        return Worker(environment)
    if not environment.web_ui:
        load_ahead()  # the time of --run-time is for the run
    return Master(environment) if isinstance(environment.runner, MasterRunner) else Single(environment)
