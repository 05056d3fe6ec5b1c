"""SIGINT and SIGTERM: faults stop first, then the report is written, soon; a second one ends all at once."""

import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from msgspec.structs import replace

from harness.cli import main as cli
from harness.core.experiment.types import Fault
from harness.core.timeline.events import CommandEnded, Event, FaultStarted, RunEnded, Trouble, Write
from tests.aws.fault_proxy import Call, Exchange, Silent, proxy_of, relay
from tests.plugin.staging import EXPERIMENT, Stage, Started
from tests.plugin.test_runs import is_as_before, of

WITHIN_S = 10.0
SILENT_WITHIN_S = 15.0
"""Two calls, one after the other, each wait for their answer as long as they may, before the report is written."""
AT_ONCE_S = 2.0
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
BEFORE = replace(
    EXPERIMENT,
    steady_s=240,
    faults=(Fault(at_s=-235, concurrency=0), Fault(at_s=-235, force_alarm="ALARM"), Fault(at_s=-235, error_share=0.1)),
)
"""Has all its faults four seconds before its deployment."""
AFTER = replace(
    EXPERIMENT,
    steady_s=5,
    faults=(Fault(at_s=0, concurrency=0), Fault(at_s=0, force_alarm="ALARM"), Fault(at_s=0, error_share=0.1)),
)
"""Has them once somebody deploys."""
STAYS = """
import os, signal, subprocess, sys, time

for signum in (signal.SIGINT, signal.SIGTERM):
    signal.signal(signum, lambda *_: print("told", flush=True))
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdin=subprocess.DEVNULL)
print(os.getpid(), child.pid, flush=True)
while True:
    time.sleep(1)
"""
"""A command that listens to no signal, and starts another one."""


def all_begun(events: list[Event]) -> bool:
    """Whether every fault is in effect."""
    return len(of(FaultStarted, events)) == len(BEFORE.faults)


def seconds_until_end(started: Started, signum: signal.Signals) -> float:
    """Waits for the end, whose exit code is the signal's, and until nothing is left of it."""
    began_s = time.monotonic()
    assert started.process.wait(60) == CODES[signum], started.log.read_text()
    took_s = time.monotonic() - began_s
    started.wait_until_gone()
    return took_s


def cases() -> Iterator[Any]:
    """Each command, by a signal to its process, as `kill` sends it, or to its group, as a terminal does."""
    for command in (Stage.alone, Stage.with_workers, Stage.rehearses):
        for to in ("process", "group"):
            for signum in CODES:
                soon = command is Stage.with_workers and (to, signum) == ("process", signal.SIGTERM)
                marks = pytest.mark.slow if soon else pytest.mark.soak
                name = f"{command.__name__}, {signum.name} to its {to}"
                yield pytest.param(command, to, signum, marks=marks, id=name)


@pytest.mark.parametrize(("command", "to", "signum"), [*cases()])
def test_a_signal_heals_and_then_reports(
    stage: Stage, command: Callable[[Stage], list[str]], to: str, signum: signal.Signals
) -> None:
    """Within seconds, also while users are still being spawned; nothing is changed on AWS after the end."""
    stage.experiment = BEFORE
    started = stage.start(command(stage))
    started.wait_until(all_begun)
    started.send(signum, to)
    assert seconds_until_end(started, signum) < WITHIN_S
    assert is_as_before(stage.cloud)
    events, verdict = started.folder.read_events(), started.folder.read_verdict()
    (ended,) = of(RunEnded, events)
    assert max(write.at_s for write in of(Write, events)) <= ended.at_s
    assert ended.signal == signum.name
    assert verdict
    assert verdict.exit_code == CODES[signum]
    assert started.folder.page.exists()


@pytest.fixture
def deploying(stage: Stage, tmp_path: Path) -> Started:
    """`canary-harness run` with a command that stays, a deployment on its way, and all faults in effect."""
    stage.experiment = AFTER
    (tmp_path / "stays.py").write_text(STAYS)
    started = stage.start(stage.commands(shlex.join([sys.executable, "stays.py"])))
    started.wait_until(lambda _: started.folder.command_log.exists() and bool(pids(started)))
    stage.deploy()
    started.wait_until(all_begun)
    return started


def pids(started: Started) -> list[int]:
    """The processes of the command."""
    return [int(word) for word in started.folder.command_log.read_text().partition("\n")[0].split()]


def alive(numbers: list[int]) -> list[int]:
    """Those that live on, a moment after they were killed."""
    running = [psutil.Process(pid) for pid in numbers if psutil.pid_exists(pid)]
    _, left = psutil.wait_procs(running, timeout=5)
    return [one.pid for one in left if one.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.slow
def test_a_signal_reaches_the_command_and_nothing_of_it_survives(deploying: Started, stage: Stage) -> None:
    """What does not end by itself is killed, with all that it started, while the faults are healed."""
    started = pids(deploying)
    deploying.send(signal.SIGINT, "process")
    assert seconds_until_end(deploying, signal.SIGINT) < WITHIN_S
    assert is_as_before(stage.cloud)
    assert "told" in deploying.folder.command_log.read_text()
    assert [ended.exit_code for ended in of(CommandEnded, deploying.folder.read_events())] == [-signal.SIGKILL]
    assert not alive(started)


@pytest.mark.soak
@pytest.mark.parametrize("signum", CODES)
def test_a_second_signal_ends_all_at_once(deploying: Started, signum: signal.Signals) -> None:
    """Though the command has some seconds to end."""
    started = pids(deploying)
    deploying.send(signum, "process")
    time.sleep(1)
    deploying.send(signum, "process")
    assert seconds_until_end(deploying, signum) < AT_ONCE_S
    assert not alive(started)


@pytest.mark.soak
@pytest.mark.parametrize("command", [Stage.alone, Stage.with_workers])
def test_a_signal_while_aws_is_silent_ends_soon_and_tells_what_is_left(
    stage: Stage, command: Callable[[Stage], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """What could not be taken back is told with the command that does it, which then does."""
    stage.experiment = BEFORE
    silent = threading.Event()
    with proxy_of(stage.cloud.ready["endpoint_url"], lambda _: Silent(30.0) if silent.is_set() else None) as proxy:
        stage.variables["AWS_ENDPOINT_URL"] = proxy.url
        started = stage.start(command(stage))
        started.wait_until(all_begun)
        silent.set()
        started.send(signal.SIGINT, "process")
        assert seconds_until_end(started, signal.SIGINT) < SILENT_WITHIN_S
    folder = started.folder
    assert folder.page.exists()
    assert any("alarm reset --run" in trouble.message for trouble in of(Trouble, folder.read_events()))
    assert cli.main(["alarm", "reset", "--run", str(folder.path)]) == 0, capsys.readouterr()
    assert is_as_before(stage.cloud)


@pytest.mark.soak
@pytest.mark.parametrize("signum", CODES)
@pytest.mark.parametrize("command", [Stage.alone, Stage.with_workers])
def test_a_second_signal_waits_for_no_healing(
    stage: Stage, command: Callable[[Stage], list[str]], signum: signal.Signals
) -> None:
    """The journal tells what is left, and the timeline reads."""
    stage.experiment = BEFORE
    silent = threading.Event()
    with proxy_of(stage.cloud.ready["endpoint_url"], lambda _: Silent(30.0) if silent.is_set() else None) as proxy:
        stage.variables["AWS_ENDPOINT_URL"] = proxy.url
        started = stage.start(command(stage))
        started.wait_until(all_begun)
        silent.set()
        started.send(signum, "process")
        time.sleep(1)
        started.send(signum, "process")
        assert seconds_until_end(started, signum) < AT_ONCE_S
    assert cli.main(["alarm", "reset", "--run", str(started.folder.path)]) == 0
    assert is_as_before(stage.cloud)


LATE = {"cloudwatch:SetAlarmState": 150.0, "lambda:PutFunctionConcurrency": 150.0, "fis:StartExperiment": 150.0}
"""The calls that a run makes for its faults, which act and are answered late; in milliseconds of wall time."""
IN_FLIGHT = replace(
    EXPERIMENT,
    steady_s=240,
    faults=(
        Fault(at_s=-235, concurrency=0),
        Fault(at_s=-235, force_alarm="ALARM"),
        Fault(at_s=-235, fis_template="EXT1"),
    ),
)


def late(call: Call) -> Callable[[Exchange], None] | None:
    """Lets a call act only after its time."""

    def act_late(exchange: Exchange) -> None:
        time.sleep(LATE[call.action] / 1000)
        relay(exchange)

    return act_late if call.action in LATE else None


def in_flight() -> Iterator[Any]:
    """Every call by every signal; `make test` plays one."""
    for call in LATE:
        for signum, code in {**CODES, signal.SIGHUP: 143}.items():
            soon = (call, signum) == ("fis:StartExperiment", signal.SIGTERM)
            yield pytest.param(call, signum, code, marks=pytest.mark.slow if soon else pytest.mark.soak)


@pytest.mark.parametrize(("call", "signum", "code"), [*in_flight()])
def test_a_signal_while_a_write_is_in_flight_leaves_nothing(
    stage: Stage, call: str, signum: signal.Signals, code: int
) -> None:
    """The call is awaited and what it did is undone, though it acts after the signal came."""
    stage.experiment = IN_FLIGHT
    with proxy_of(stage.cloud.ready["endpoint_url"], late) as proxy:
        stage.variables["AWS_ENDPOINT_URL"] = proxy.url
        started = stage.start(stage.alone())
        started.wait_until(lambda events: any(write.call == call for write in of(Write, events)))
        started.send(signum, "process")
        assert started.process.wait(60) == code, started.log.read_text()
        started.wait_until_gone()
    assert is_as_before(stage.cloud)
    assert cli.main(["alarm", "status", "--run", str(started.folder.path)]) == 0
