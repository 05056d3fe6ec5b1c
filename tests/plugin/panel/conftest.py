"""Locust processes with their web page, and how to talk to it."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.core.timeline.events import Event
from harness.report.folder import RunFolder

ROOT = Path(__file__).parents[3]
CANARY = ROOT / "locustfiles" / "canary.py"
SOON_S = 30.0


class Web:
    """A Locust process with a web page."""

    def __init__(self, folder: Path, words: tuple[str, ...], variables: Mapping[str, str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as other:
            self.port, workers = listener.getsockname()[1], str(other.getsockname()[1])
        self.reports = folder / "reports"
        self.log = folder / "log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
        command = [sys.executable, "-m", "locust", "--logfile", str(self.log), "--web-port", str(self.port)]
        # Of a port that all share, Locust's default, another test's workers would be served.
        command += ["--master-bind-port", workers, "--master-port", workers]
        self.process = subprocess.Popen(
            [*command, "--canary-reports", str(self.reports), *words],
            env={**inherited, **variables},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        base = next((words[i + 1] for i, word in enumerate(words) if word == "--web-base-path"), "")
        self.url = f"http://127.0.0.1:{self.port}{base}"

    def ask(self, path: str, body: object = None, method: str | None = None, **headers: str) -> tuple[int, Any]:
        """Status and body of an answer; JSON is decoded. `body` may be the bytes of a form."""
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"{self.url}{path}", sent, named, method=method)
        try:
            with urllib.request.build_opener(_Stay).open(request, timeout=10) as answer:
                return answer.status, _decoded(answer)
        except urllib.error.HTTPError as answer:
            return answer.code, _decoded(answer)

    def state(self) -> dict[str, Any]:
        """The state as JSON."""
        return self.ask("/canary/api/v1/state")[1]  # type: ignore[no-any-return]

    def steer(self, control: str, **body: object) -> tuple[int, Any]:
        """What a script does: reads the token, and posts."""
        return self.ask(f"/canary/api/v1/{control}", body, X_Canary_Token=self.state()["token"])

    def wait_for(self, seen: Callable[[dict[str, Any]], Any], within_s: float = SOON_S) -> dict[str, Any]:
        """Waits until the state shows something; returns it."""
        until = time.monotonic() + within_s
        state: dict[str, Any] = {}
        while time.monotonic() < until:
            try:
                state = self.state()
                if seen(state):
                    return state
            except (OSError, KeyError, TypeError):
                pass
            time.sleep(0.05)
        log = self.log.read_text(encoding="utf-8") if self.log.exists() else "it logged nothing"
        raise AssertionError(f"it was never seen, the last state was {str(state)[:2000]}\n{log}")

    def events(self, index: int = -1) -> list[Event]:
        """The timeline of a run, the latest by default."""
        folders = sorted(self.reports.glob("*/2*"), key=lambda path: path.name)
        return RunFolder.open(folders[index]).read_events()


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect."""

    def redirect_request(self, *_: object) -> None:  # type: ignore[override]
        """No request."""


def _decoded(answer: Any) -> Any:
    text = answer.read().decode()
    return json.loads(text) if "json" in (answer.headers.get("Content-Type") or "") else text


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Callable[..., Web]]:
    """Starts Locust processes with a web page, ready when the page is; none survives the test."""
    started: list[Web] = []

    def start(*words: str, locustfile: Path = CANARY, **variables: str) -> Web:
        started.append(Web(tmp_path, ("-f", str(locustfile), *words), variables))
        until = time.monotonic() + SOON_S
        while time.monotonic() < until:
            try:
                started[-1].ask("/")
            except OSError:
                time.sleep(0.05)
            else:
                return started[-1]
        raise AssertionError("the page was never there")

    yield start
    for process in (one.process for one in started):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
