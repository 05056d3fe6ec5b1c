"""What a service's stalls look like: it stands still one second in ten, and two ways of measuring look at it.

Ours sends open arrivals and counts latency from the due time. Beside it Locust's FastHttpUser sends the same rate in a
closed loop (ten users, each at most one request every 50 ms) and measures as load tests mostly do: its users stand
still together with the service, so that a stall is ten slow requests among two thousand.

Needs Debian's nginx-light; nginx is stalled by SIGSTOP. `python -m tests.benchmarks.stall --seconds 120` measures
longer.
"""

import argparse
import csv
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.core.timeline.events import Requests
from harness.core.timeline.histogram import merge, quantile_s
from tests.benchmarks import clients
from tests.benchmarks.rows import Row, show
from tests.benchmarks.service import NGINX, Service, nginx

RATE = 200
SECONDS = 30
EVERY_S, STALL_S = 10.0, 1.0
Q = 0.99
WANTED_MS = 800.0
"""With a tenth of the time stalled, one request in a hundred waits 0.9 s or longer."""


def rows(seconds: int = SECONDS) -> Iterator[Row]:
    """Both p99, one beside the other."""
    yield Row(
        what=f"latency p99 of a service that stalls {STALL_S:g} s in {EVERY_S:g}, from the due time",
        value=_open_ms(seconds) if NGINX else None,
        unit="ms",
        peer="FastHttpUser, closed loop",
        peer_value=_closed_ms(seconds) if NGINX else None,
        wanted=f"> {WANTED_MS:g}",
    )


def _open_ms(seconds: int) -> float:
    with tempfile.TemporaryDirectory(prefix="canary-benchmark-") as name, nginx() as service, _stalling(service):
        options = ("--canary-arrival-rate", str(RATE), "--run-time", f"{seconds}s")
        clients.played(clients.canary(service, Path(name), *options), service)
        latency = merge(event.latency for event in clients.timeline(Path(name)) if isinstance(event, Requests))
    return (quantile_s(latency, Q) or 0.0) * 1000


def _closed_ms(seconds: int) -> float:
    with tempfile.TemporaryDirectory(prefix="canary-benchmark-") as name, nginx() as service, _stalling(service):
        options = ("--run-time", f"{seconds}s", "--csv", f"{name}/locust")
        clients.played(clients.paced_fast_http_user(service, RATE, *options), service)
        with (Path(name) / "locust_stats.csv").open() as file:
            total = next(row for row in csv.DictReader(file) if row["Name"] == "Aggregated")
    return float(total["99%"])


@contextmanager
def _stalling(service: Service) -> Iterator[None]:
    over = threading.Event()
    stalls = threading.Thread(target=_stall, args=(service.pid, over))
    stalls.start()
    try:
        yield
    finally:
        over.set()
        stalls.join()


def _stall(pid: int, over: threading.Event) -> None:
    while not over.wait(EVERY_S - STALL_S):
        os.kill(pid, signal.SIGSTOP)
        over.wait(STALL_S)
        os.kill(pid, signal.SIGCONT)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of each side")
    show(rows(parser.parse_args().seconds))


if __name__ == "__main__":
    main()
