"""The load of a master by how many workers report to it, beside Locust's own master with the same workers.

A master process has a core of its own. 1, 10, 100 and 1,000 simulated workers on the other one speak Locust's real
protocol: heartbeats, statistics of 200 requests a second each, and to ours a row a second each. Reported are the
master's processor time, how long a heartbeat waits for its answer, and whether the timeline has every row.
`python -m tests.benchmarks.master --workers 100 400 --seconds 30` measures others. Needs nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

from msgspec import Struct

from harness.core.timeline.events import Requests
from tests.benchmarks import clients
from tests.benchmarks.load_peers import _processor_s
from tests.benchmarks.processes import free_port, running
from tests.benchmarks.rows import Row, show
from tests.benchmarks.service import CORE

WORKERS = (1, 10, 100, 1000)
SECONDS = 10
RATE = 200
"""Requests a second that each worker reports."""
SETTLE_S = 3
GIVE_UP_S = 60.0


class Load(Struct, frozen=True):
    """What a master bore: processor seconds in a second, how long heartbeats waited, and the share of rows it kept.

    `begun_s` is how long it took until all workers reported.
    """

    begun_s: float
    busy: float
    wait_p99_s: float
    kept: float = 1.0


def rows(workers: Sequence[int] = WORKERS, seconds: int = SECONDS) -> Iterator[Row]:
    """Four rows for each number of workers; empty ones where not all of them reported in time."""
    for count in workers:
        ours, peer = _load("canary.py", count, seconds), _load("fast_http.py", count, seconds)
        what, name = f"master of {count} worker{'s' * (count > 1)}", "Locust's own master"
        for told, unit, value_of in _SHOWN:
            values = {"value": ours and value_of(ours), "peer_value": peer and value_of(peer)}
            yield Row(what=f"{what}, {told}", unit=unit, peer=name, **values)
        yield Row(what=f"{what}, requests in the timeline ÷ reported", value=ours and ours.kept, unit="", wanted="1")


_SHOWN: tuple[tuple[str, str, Callable[[Load], float]], ...] = (
    ("until all report", "s", lambda load: load.begun_s),
    ("processor time", "% of a core", lambda load: 100 * load.busy),
    ("a heartbeat waits at p99", "ms", lambda load: 1000 * load.wait_p99_s),
)


def _load(script: str, count: int, seconds: int) -> Load | None:
    with tempfile.TemporaryDirectory(prefix="canary-benchmark-") as name, _fleet(script, count, Path(name)) as fleet:
        master, told = fleet
        ours = script == "canary.py"
        begun_s = _begun_s(told, count, each_s=RATE if ours else 0)
        if begun_s is None:
            return None
        began_s, began = _processor_s(master.pid), time.monotonic()
        seen = [next(told) for _ in range(seconds)]
        busy = (_processor_s(master.pid) - began_s) / (time.monotonic() - began)
        waits_s = [wait_s for one in seen for wait_s in one["waits_s"]]
        p99_s = quantiles(waits_s, n=100)[-1] if len(waits_s) > 1 else float("inf")
        return Load(begun_s, busy, p99_s, _kept(Path(name), seen[-1]["reported"]) if ours else 1.0)


def _begun_s(told: Iterator[Any], count: int, each_s: int) -> float | None:
    """How long it took until all workers ran and reported so much each second; None where it took too long."""
    began, before = time.monotonic(), 0
    for one in told:
        grown, before = one["reported"] - before, one["reported"]
        took_s = time.monotonic() - began
        if one["running"] == count and grown >= 0.9 * count * each_s:
            for _ in range(SETTLE_S):
                next(told)
            return took_s
        if took_s > GIVE_UP_S:
            break
    return None


@contextmanager
def _fleet(script: str, count: int, folder: Path) -> Iterator[tuple["subprocess.Popen[str]", Iterator[Any]]]:
    """A master and its workers; what these tell each second."""
    port = str(free_port())
    experiment = folder / "benchmark.yaml"
    experiment.write_text(clients.EXPERIMENT)
    ours = ["--canary-experiment", str(experiment), "--canary-reports", str(folder), "--canary-arrival-rate", "1"]
    words = ["--master", "--headless", "--master-bind-host", "127.0.0.1", "--master-bind-port", port]
    words += ["--expect-workers", str(count), "-u", str(count), "-r", str(count), "--host", "http://127.0.0.1:9"]
    words += ["--only-summary", *(ours if script == "canary.py" else [])]
    command = [sys.executable, "-m", "locust", "-f", str(clients.SCRIPTS / script), *words]
    simulated = [sys.executable, "-m", "tests.benchmarks.scripts.simulated_workers", port, str(count), str(RATE)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with (
        running(command, core=clients.CLIENT_CORE, env=dict(os.environ), **quiet) as master,
        running(simulated, core=CORE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as workers,
    ):
        assert workers.stdout
        yield master, map(json.loads, workers.stdout)


def _kept(folder: Path, reported: int) -> float:
    """The share of what was reported that the timeline has, within the time in which a master writes it down."""
    give_up, kept = time.monotonic() + 1.0, 0
    while kept < reported and time.monotonic() < give_up:
        kept = sum(event.count for event in clients.timeline(folder) if isinstance(event, Requests))
        time.sleep(0.1)
    return min(1.0, kept / reported) if reported else 0.0


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    given = parser.parse_args()
    show(rows(given.workers, given.seconds))


if __name__ == "__main__":
    main()
