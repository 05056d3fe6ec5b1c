"""Locust's web page beside a local cloud: a person's own users send to it, and are watched there."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import IO, Any

from harness.errors import CloudError
from harness.processes import LOCUST, POLL_S, await_end, python, start, watched_file

STARTS_WITHIN_S = 30.0
ENDS_WITHIN_S = 10.0
_HOST = "127.0.0.1"


@contextlib.contextmanager
def locust_page(own: str, ready: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
    """Serves the page of a locustfile until the end of the block, and says where; raises CloudError.

    It is told of the cloud's endpoint, service, group and clock; what it does is recorded in folders below `reports`.
    """
    with socket.create_server((_HOST, 0)) as free:
        port = free.getsockname()[1]
    names = [f"--canary-{name}={ready[name]}" for name in ("application", "group", "function", "alias")]
    where = ["--web-host", _HOST, "--web-port", str(port), "--host", str(ready["service_url"])]
    command = python(*LOCUST, "-f", watched_file(own), "--loglevel", "WARNING", *where, *names)
    with tempfile.TemporaryFile() as log:
        process = start(command, _environment(ready), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            _await_page(process, port, log)
            yield {"locust_url": f"http://{_HOST}:{port}"}
        finally:
            _end(process)


def _environment(ready: Mapping[str, Any]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LOCUST_"))}
    return {
        **inherited,
        "AWS_ENDPOINT_URL": ready["endpoint_url"],
        "AWS_REGION": ready["region"],
        "AWS_ACCESS_KEY_ID": "rehearsal",
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
        "LOCUST_CANARY_CLOCK": ready["clock"],
    }


def _await_page(process: "subprocess.Popen[bytes]", port: int, log: IO[bytes]) -> None:
    until_s = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until_s and await_end(process, POLL_S) is None:
        with contextlib.suppress(OSError), socket.create_connection((_HOST, port), POLL_S):
            return
    log.seek(0)
    last = (log.read().decode(errors="replace").strip().splitlines() or ["it wrote nothing"])[-1]
    raise CloudError(f"Locust did not serve its page: {last}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Asks it to end, which undoes and judges what is under way, and kills it where it does not."""
    process.send_signal(signal.SIGINT)
    if await_end(process, ENDS_WITHIN_S) is None:
        process.kill()
        process.wait()
