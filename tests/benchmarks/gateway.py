"""Requests per second of GET /shared/fakeUser on one core, beside the same server doing nothing."""

import sys
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.processes import free_port, local_cloud, requests_per_second, running, wait_for
from tests.benchmarks.rows import Row

HEADERS = ("Authorization: standarduser@company.com", "X-Client-Version: 2")
WANTED = 8000


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """The peer: the least an ASGI application can do."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


def rows() -> Iterator[Row]:
    """The gateway against uvicorn's hello world; nothing without wrk."""
    ours, peer = _gateway(), _hello()
    if ours:
        yield Row(
            what="gateway, GET /shared/fakeUser, one core",
            value=ours,
            unit="requests/s",
            peer="uvicorn hello world",
            peer_value=peer,
            wanted=f">= {WANTED:,}",
        )


def _gateway() -> float | None:
    with local_cloud() as ready:
        return requests_per_second(f"{ready['service_url']}/fakeUser", headers=HEADERS)


def _hello() -> float | None:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "tests.benchmarks.gateway:hello", "--port", str(port)]
    with running([*command, "--no-access-log", "--log-level", "warning"]):
        wait_for(f"http://127.0.0.1:{port}/")
        return requests_per_second(f"http://127.0.0.1:{port}/")
