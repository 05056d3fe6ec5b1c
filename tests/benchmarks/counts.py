"""Whether everything that several workers send is recorded once: our count beside the service's own.

A master and two workers on one core send open arrivals to an nginx on the other. Needs Debian's nginx-light.
`python -m tests.benchmarks.counts --seconds 60 --rate 10000` sends more.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.core.timeline.events import Requests
from tests.benchmarks import clients
from tests.benchmarks.processes import free_port
from tests.benchmarks.rows import Row, show
from tests.benchmarks.service import NGINX, nginx

RATE = 5_000
SECONDS = 10


def rows(rate: int = RATE, seconds: int = SECONDS) -> Iterator[Row]:
    """Both counts, and how far they are apart."""
    recorded, counted = _counts(rate, seconds) if NGINX else (None, None)
    what = f"two workers at {rate:,}/s for {seconds} s"
    yield Row(
        what=f"{what}, requests recorded", value=recorded, unit="requests", peer="nginx's count", peer_value=counted
    )
    apart = None if recorded is None or counted is None else abs(recorded - counted)
    yield Row(what=f"{what}, recorded and counted apart", value=apart, unit="requests", wanted="0")


def _counts(rate: int, seconds: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory(prefix="canary-benchmark-") as name, nginx() as service:
        port = str(free_port())
        distributed = ("--processes", "2", "--master-bind-port", port, "--master-port", port)
        options = (*distributed, "--canary-arrival-rate", str(rate), "--run-time", f"{seconds}s")
        clients.played(clients.canary(service, Path(name), *options), service)
        recorded = sum(event.count for event in clients.timeline(Path(name)) if isinstance(event, Requests))
        return float(recorded), float(service.requests())


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--rate", type=int, default=RATE, help="requests per second")
    given = parser.parse_args()
    show(rows(given.rate, given.seconds))


if __name__ == "__main__":
    main()
