"""Every command of the README runs as written there."""

import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.core.parse import parse

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"


def blocks(language: str) -> list[str]:
    """The fenced blocks of the README in one language."""
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), flags=re.DOTALL)


def commands() -> list[str]:
    """Every command line of the README's shell blocks, comments left out."""
    lines = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    return [
        stripped for line in lines if (stripped := line.partition(" #")[0].strip()) and not stripped.startswith("#")
    ]


def test_readme_commands_are_known() -> None:
    """A command of a new kind must be taken into account here before it can be shown."""
    assert {shlex.split(command)[0] for command in commands()} <= {"make", "canary-harness", "locust"}


@pytest.mark.parametrize("target", sorted({c.split()[1] for c in commands() if c.startswith("make ")}))
def test_readme_make_targets_exist(target: str) -> None:
    """`make -n` knows every target that the README names."""
    assert subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True).returncode == 0


RUNNABLE = [c for c in commands() if c.startswith("canary-harness rehearse") and "--all" not in c]


HANDLER = """
def handler(event, context):
    if event["headers"].get("Authorization", "").startswith("erroruser"):
        raise RuntimeError("this user fails")
    return {"statusCode": 200, "body": "{}"}
"""


class Service(BaseHTTPRequestHandler):
    """Somebody's service on a port of this machine; the error user gets a 502."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answers, also to POST."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(502 if self.headers.get("Authorization", "").startswith("erroruser") else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_GET  # noqa: N815 - the name that http.server calls

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def own_services(tmp_path: Path) -> Iterator[Path]:
    """A folder with the release of the README, its handler, and its service running on a free port."""
    (tmp_path / "myservice").mkdir()
    (tmp_path / "myservice" / "app.py").write_text(HANDLER)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    shown = blocks("yaml")[0]
    (tmp_path / "my-release.yaml").write_text(shown.replace("127.0.0.1:3000", f"127.0.0.1:{server.server_port}"))
    yield tmp_path
    server.shutdown()
    server.server_close()


@pytest.mark.slow
@pytest.mark.parametrize("command", RUNNABLE)
def test_readme_rehearsals_run(command: str, own_services: Path) -> None:
    """Each rehearsal shown ends as its experiment expects."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", *shlex.split(command)[1:]], cwd=own_services, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_readme_pytest_example_passes(tmp_path: Path) -> None:
    """The fixture does what the README shows, in a project of its own."""
    for block in blocks("python"):
        (tmp_path / block.partition("\n")[0].removeprefix("# ")).write_text(block)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:locust", "-q"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_readme_experiments_are_valid(tmp_path: Path) -> None:
    """Every experiment shown can be read."""
    for block in blocks("yaml"):
        parse(block, source="README.md")
