"""How late the looks at the control plane are while the same process sends all that its core can.

Ours sends open arrivals to an nginx, more of them than can be sent, and watches a ten-minute canary on a local cloud
that runs ten times as fast, so that a look is due each half second. A look is late by what lies between its due time,
five seconds of experiment time after the one before, and the instant at which it was asked. Beside it the same run with
next to no traffic. nginx and the cloud share a core, the harness has the other one.

Needs Debian's nginx-light. `python -m tests.benchmarks.watch --rounds 3` measures more looks.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.core.timeline.events import Arrivals, DeploymentSeen
from tests.benchmarks import clients
from tests.benchmarks.processes import running
from tests.benchmarks.rows import Row, show
from tests.benchmarks.service import CORE, NGINX, nginx

SPEED = 10.0
CADENCE_S = 5.0
FULL, IDLE = clients.BEYOND_CAPACITY / SPEED, 1.0
"""Requests per second of experiment time."""
ROUNDS = 1
Q = 0.99
WANTED_MS = 250.0
EXPERIMENT = """\
name: benchmark
traffic:
  arrivals: even
  requests:
    fakeUser: {get: /fakeUser, headers: {Authorization: standarduser@company.com, X-Client-Version: "2"}}
deployment: {config: Canary10Percent10Minutes}
steady_s: 20
"""


def rows(rounds: int = ROUNDS) -> Iterator[Row]:
    """One row, over all rounds."""
    full, idle = (([ms for _ in range(rounds) for ms in _late_ms(rate)] if NGINX else []) for rate in (FULL, IDLE))
    yield Row(
        what=f"looks late at p99 while all is sent that a core can ({len(full)} looks)",
        value=_quantile(full),
        unit="ms",
        peer="the same with next to no traffic",
        peer_value=_quantile(idle),
        wanted=f"< {WANTED_MS:g}",
    )


def _late_ms(rate: float) -> list[float]:
    with tempfile.TemporaryDirectory(prefix="canary-benchmark-") as name, nginx() as service, _cloud() as ready:
        client = clients.canary(service, Path(name), *_options(ready, rate), env=_environment(ready))
        (Path(name) / "benchmark.yaml").write_text(EXPERIMENT)
        clients.played(client, service)
        events = clients.timeline(Path(name))
    asked = [event.asked_s for event in events if isinstance(event, DeploymentSeen) and event.status == "InProgress"]
    sent = sum(event.started for event in events if isinstance(event, Arrivals))
    lasted_s = max(event.at_s for event in events) / SPEED
    print(f"  {sent / lasted_s:,.0f} requests/s", file=sys.stderr, flush=True)  # noqa: T201 - progress of a command
    return [max(0.0, after - before - CADENCE_S) / SPEED * 1000 for before, after in pairwise(asked)]


def _quantile(values: list[float]) -> float | None:
    return sorted(values)[min(len(values) - 1, int(Q * len(values)))] if values else None


@contextmanager
def _cloud() -> Iterator[Mapping[str, Any]]:
    command = [sys.executable, "-m", "harness", "cloud", "--speed", f"{SPEED:g}", "--port", "0"]
    with running(command, core=CORE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield json.loads(process.stdout.readline())


def _options(ready: Mapping[str, Any], rate: float) -> Iterator[str]:
    for name in ("application", "group", "function", "alias"):
        yield from (f"--canary-{name}", ready[name])
    yield from ("--canary-target-version", ready["canary"], "--canary-arrival-rate", f"{rate:g}")


def _environment(ready: Mapping[str, Any]) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": ready["endpoint_url"],
        "AWS_REGION": ready["region"],
        "AWS_ACCESS_KEY_ID": "rehearsal",
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
        "LOCUST_CANARY_CLOCK": f"{ready['epoch']!r}:{ready['speed']!r}",
    }


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of seventy seconds each")
    show(rows(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
