"""Servers under measurement: real processes, each on a core of its own where the machine can pin them."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

GRACE_S = 10.0
"""Time that a process gets to end by itself."""
SERVE_CLOUD = [sys.executable, "-m", "harness", "cloud", "--speed", "1"]
"""As a person starts it."""


def pinned(core: int, command: Sequence[str]) -> list[str]:
    """The command bound to one core; unchanged without taskset or without so many cores."""
    taskset = shutil.which("taskset")
    if not taskset or core >= (os.cpu_count() or 1):
        return list(command)
    return [taskset, "-c", str(core), *command]


@contextmanager
def running(command: Sequence[str], *, core: int = 0, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """A process that is ended with the block, also if it was stopped or does not listen."""
    process = subprocess.Popen(pinned(core, command), text=True, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.send_signal(signal.SIGCONT)
        _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    try:
        process.wait(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def local_cloud() -> Iterator[dict[str, Any]]:
    """The ready line of a local cloud of its own process."""
    with running(SERVE_CLOUD, stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield json.loads(process.stdout.readline())


def wait_for(url: str, *, give_up_s: float = 30.0) -> None:
    """Returns as soon as something answers HTTP there, whatever it says."""
    give_up = time.monotonic() + give_up_s
    while time.monotonic() < give_up:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise TimeoutError(url)


def requests_per_second(url: str, *, headers: Sequence[str] = (), seconds: int = 5, core: int = 1) -> float | None:
    """What wrk gets out of a URL with 32 connections from one core; absent where wrk is not installed."""
    wrk = shutil.which("wrk")
    if not wrk:
        return None
    options = [argument for header in headers for argument in ("-H", header)]
    command = [wrk, "-t1", "-c32", f"-d{seconds}", *options, url]
    report = subprocess.run(pinned(core, command), capture_output=True, text=True, check=True).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", report)
    assert found, report
    assert "Non-2xx" not in report, report
    return float(found[1])
