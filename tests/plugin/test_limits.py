"""Descriptors or memory that run out in the middle of a run: it is told as that, and the run still heals."""

import resource
import socket
from contextlib import suppress
from pathlib import Path
from threading import Thread

import psutil
import pytest
from msgspec.structs import replace

from harness.core.experiment.types import Fault
from harness.core.timeline.events import Event, FaultStarted, RunEnded
from tests.plugin.staging import EXPERIMENT, Stage
from tests.plugin.test_runs import is_as_before, of

FAULTS = (Fault(at_s=-50, concurrency=0), Fault(at_s=-50, force_alarm="ALARM"), Fault(at_s=-50, error_share=0.1))


def all_begun(events: list[Event]) -> bool:
    """Whether every fault is in effect."""
    return len(of(FaultStarted, events)) == len(FAULTS)


def refuse_more_files(process: psutil.Process) -> None:
    """Has every further descriptor of the process refused."""
    highest = max(int(held.name) for held in Path(f"/proc/{process.pid}/fd").iterdir())
    process.rlimit(resource.RLIMIT_NOFILE, (highest + 1, highest + 1))


@pytest.mark.slow
def test_descriptors_that_run_out_are_told_and_all_is_healed(stage: Stage) -> None:
    """With all faults in effect: exit code 1, one sentence, a report, and nothing left changed."""
    stage.experiment = replace(EXPERIMENT, faults=FAULTS)
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as silent:  # each request needs a connection of its own
        started = stage.start([*stage.alone(), "--host", f"http://127.0.0.1:{silent.getsockname()[1]}"])
        started.wait_until(all_begun)
        refuse_more_files(started.all[0])
        assert started.process.wait(60) == 1, started.log.read_text()
    assert is_as_before(stage.cloud)
    (ended,) = of(RunEnded, started.folder.read_events())
    assert ended.why == "failed"
    assert "ran out of file descriptors" in ended.detail
    assert started.folder.page.exists()
    assert "Traceback" not in started.log.read_text()


FREE = 48 << 20
"""Bytes of addresses that a process may still get: enough to report, too little for what is answered."""
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + bytes(999_000)
"""What is kept until its end comes, which never does."""


def refuse_more_memory(process: psutil.Process) -> None:
    """Has nearly every further address of the process refused."""
    most = process.memory_info().vms + FREE
    process.rlimit(resource.RLIMIT_AS, (most, most))


def answer_all(server: socket.socket) -> None:
    """Answers whoever connected with more than fits into memory, one after the other, until the server is closed."""
    clients = []
    with suppress(OSError):
        while True:
            clients.append(server.accept()[0])
            send_all(clients[-1])


def send_all(client: socket.socket) -> None:
    """Sends it to one client, which may be gone."""
    with suppress(OSError):
        client.recv(4096)
        client.sendall(ANSWER)


@pytest.mark.slow
def test_memory_that_runs_out_is_told_and_all_is_healed(stage: Stage) -> None:
    """With all faults in effect: exit code 1, one sentence, and nothing left changed."""
    stage.experiment = replace(EXPERIMENT, faults=FAULTS)
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as server:
        started = stage.start([*stage.alone(), "--host", f"http://127.0.0.1:{server.getsockname()[1]}"])
        started.wait_until(all_begun)
        refuse_more_memory(started.all[0])
        Thread(target=answer_all, args=(server,), daemon=True).start()
        code = started.process.wait(60)
        server.shutdown(socket.SHUT_RDWR)
    assert code == 1, started.log.read_text()
    assert is_as_before(stage.cloud)
    (ended,) = of(RunEnded, started.folder.read_events())
    assert ended.why == "failed"
    assert "got no more memory" in ended.detail
    assert "Traceback" not in started.log.read_text()
