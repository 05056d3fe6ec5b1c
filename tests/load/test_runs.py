"""Whole runs in Locust processes of their own, against a service that counts for itself, or a local cloud."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.core.experiment import Experiment, Fault, Traffic
from harness.core.histogram import merge
from harness.core.timeline import Arrivals, Event, FaultEnded, FaultStarted, Requests, RunEnded, Trouble
from harness.core.verdict import Verdict
from harness.rehearsal.play import Ready, resolve
from harness.report.folder import RunFolder

if TYPE_CHECKING:
    from harness.rehearsal.cloud import Cloud

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CANARY = str(ROOT / "locustfiles" / "canary.py")
WATCH = str(ROOT / "locustfiles" / "watch.py")
FOREIGN = '''
from locust import FastHttpUser, HttpUser, constant, task

class Slow(HttpUser):
    wait_time = constant(0.05)

    @task
    def ask(self):
        self.client.get("/slow")

class Fast(FastHttpUser):
    wait_time = constant(0.05)

    @task
    def ask(self):
        self.client.get("/erroruser", context={"intent": "fault", "persona": "beta"})
'''


class Service:
    """Answers everything and counts it; who is the error user gets 502."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._ready.wait()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stops."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._answer, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0)
                body = await reader.readexactly(length)
                fails = b"erroruser" in head + body
                self.seen["fault" if fails else "good"] += 1
                status = b"502 Bad Gateway" if fails else b"200 OK"
                writer.write(b"HTTP/1.1 %s\r\nX-Lambda-Version: 1\r\nContent-Length: 2\r\n\r\n{}" % status)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


class Play:
    """A Locust process, and the run folder that it leaves."""

    def __init__(self, folder: Path, words: list[str], variables: Mapping[str, str]) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
        self._reports = folder / "reports"
        self.log = folder / "log"
        command = [sys.executable, "-m", "locust", "--headless", "--only-summary", "--logfile", str(self.log)]
        self.process = subprocess.Popen(
            [*command, "--canary-reports", str(self._reports), *words],
            env={**inherited, **variables},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    @property
    def folder(self) -> RunFolder:
        """The run folder."""
        return RunFolder.open((self._reports / "latest").resolve())

    def end(self, within_s: float = 60.0) -> int:
        """Waits for its end; the exit code."""
        return self.process.wait(within_s)

    def events(self) -> list[Event]:
        """The timeline."""
        return self.folder.read_events()

    def requests(self) -> Counter[str]:
        """Requests by intent."""
        counts = Counter[str]()
        for row in self.events():
            if isinstance(row, Requests):
                counts[row.intent] += row.count
        return counts

    def verdict(self) -> Verdict:
        """What the run came to."""
        verdict = self.folder.read_verdict()
        assert verdict
        return verdict

    def wait_for(self, seen: Callable[[list[Event]], bool], within_s: float = 30.0) -> None:
        """Waits until the timeline shows something."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            if (self._reports / "latest" / "timeline.jsonl").exists() and seen(self.events()):
                return
            time.sleep(0.05)
        raise AssertionError(f"it was never seen: {self.log.read_text()}")


@pytest.fixture
def service() -> Iterator[Service]:
    """A service that counts."""
    running = Service()
    yield running
    running.close()


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[..., Play]]:
    """Starts Locust processes; none survives the test."""
    started: list[Play] = []

    def start(*words: str, **variables: str) -> Play:
        started.append(Play(tmp_path, [*words], variables))
        return started[-1]

    yield start
    for process in (one.process for one in started):
        if process.poll() is None:
            process.kill()
            process.wait()


def of[Kind](kind: type[Kind], events: list[Event]) -> list[Kind]:
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]
