"""Descriptors or memory that run out: it is told as that, before a run or in the middle of it, which still heals."""

import os
import resource
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from threading import Thread

import psutil
import pytest
from msgspec.structs import replace

from harness.core.experiment.types import Fault
from harness.core.timeline.events import Event, FaultStarted, RunEnded
from harness.processes import LOCUST, python
from tests.plugin.staging import EXPERIMENT, Stage
from tests.plugin.test_kills import heal
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
GREENLETS_END = "Failed low-level slp_switch()"


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
    """With all faults in effect: exit code 1, one sentence, and nothing left changed.

    Where greenlet gets no memory to switch, it aborts the process: the journal then has what is to be undone.
    """
    stage.experiment = replace(EXPERIMENT, faults=FAULTS)
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as server:
        started = stage.start([*stage.alone(), "--host", f"http://127.0.0.1:{server.getsockname()[1]}"])
        started.wait_until(all_begun)
        refuse_more_memory(started.all[0])
        Thread(target=answer_all, args=(server,), daemon=True).start()
        code = started.process.wait(60)
        server.shutdown(socket.SHUT_RDWR)
    if code == -signal.SIGABRT:
        assert GREENLETS_END in started.log.read_text()
        heal(started.folder)
        assert is_as_before(stage.cloud)
        return
    assert code == 1, started.log.read_text()
    assert is_as_before(stage.cloud)
    (ended,) = of(RunEnded, started.folder.read_events())
    assert ended.why == "failed"
    assert "got no more memory" in ended.detail
    assert "Traceback" not in started.log.read_text()


SAMPLE = Path(__file__).parents[2] / "reports" / "sample"
HARNESS = ("-m", "harness")
NOBODY = ("--host", "http://127.0.0.1:9", "--function", "f")
COMMANDS: dict[str, tuple[str, ...]] = {
    "rehearse": (*HARNESS, "rehearse", "erroruser", "--speed", "300"),
    "run": (*HARNESS, "run", "erroruser", *NOBODY),
    "locust": (*LOCUST, "-f", "none.py", "--list"),
    "cloud": (*HARNESS, "cloud", "--with-parent"),
    "watch": (*HARNESS, "watch", "erroruser", "--function", "f"),
    "doctor": (*HARNESS, "doctor", "erroruser", "--function", "f"),
    "plan": (*HARNESS, "plan", "erroruser", *NOBODY),
    "predict": (*HARNESS, "predict", "erroruser"),
    "advise": (*HARNESS, "advise", "erroruser"),
    "alarm status": (*HARNESS, "alarm", "status", "--run", "run"),
    "alarm reset": (*HARNESS, "alarm", "reset", "--run", "run"),
    "judge": (*HARNESS, "judge", "run"),
    "report": (*HARNESS, "report", "run"),
    "compare": (*HARNESS, "compare", "run", "run"),
    "whatif": (*HARNESS, "whatif", "run"),
    "init": (*HARNESS, "init", "shop.yaml"),
    "completion": (*HARNESS, "completion", "bash"),
}
MIB = 1 << 20
TOO_LITTLE = {
    "rehearse": (resource.RLIMIT_NOFILE, 16),
    "cloud": (resource.RLIMIT_NOFILE, 24),
    "run": (resource.RLIMIT_AS, 330 * MIB),
    "locust": (resource.RLIMIT_AS, 200 * MIB),
    "judge": (resource.RLIMIT_AS, 200 * MIB),
}
"""Where each of them once printed a traceback, or hung."""
SERVES_S = 5.0
ENDS_WITHIN_S = 120.0
LIMITS = {
    **{f"{files} descriptors": (resource.RLIMIT_NOFILE, files) for files in range(8, 41, 4)},
    **{f"{size} MiB": (resource.RLIMIT_AS, size * MIB) for size in (40, 80, 120, 160, 200, 260, 330, 420, 520)},
}


def with_limit(folder: Path, command: str, limit: int, most: int) -> tuple[int, str]:
    """The exit code of a command that gets so little, and all that it said; a cloud that serves is ended."""
    shutil.copytree(SAMPLE, folder / "run", dirs_exist_ok=True, ignore=shutil.ignore_patterns("report.*"))
    told = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    started = subprocess.Popen(
        python(*COMMANDS[command]),
        cwd=folder,
        env={**os.environ, **told, "AWS_REGION": "eu-north-1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: resource.setrlimit(limit, (most, most)),
    )
    try:
        said, _ = started.communicate(timeout=SERVES_S if command == "cloud" else ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        assert command == "cloud", "it hangs"
        started.terminate()
        said, _ = started.communicate(timeout=ENDS_WITHIN_S)
    finally:
        started.kill()
    return started.returncode, said


@pytest.mark.parametrize("command", TOO_LITTLE)
def test_too_little_to_begin_with_is_told_at_once(command: str, tmp_path: Path) -> None:
    """In one sentence that names what to raise, with exit code 1."""
    code, said = with_limit(tmp_path, command, *TOO_LITTLE[command])
    assert (code, said.count("\n")) == (1, 1), said
    assert "raise the limit (ulimit -" in said


@pytest.mark.soak
@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("command", COMMANDS)
def test_little_room_is_enough_or_told(command: str, limit: str, tmp_path: Path) -> None:
    """Every command does its work, or ends with exit code 1 and a sentence: none hangs or shows a traceback."""
    code, said = with_limit(tmp_path, command, *LIMITS[limit])
    log = "".join(file.read_text() for file in tmp_path.rglob("locust.log"))
    assert 'File "' not in said + log
    assert code in (0, 1, 4), said
    assert said.strip() or command == "cloud"
