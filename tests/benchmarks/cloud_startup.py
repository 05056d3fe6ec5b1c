"""Seconds from the start of the process to the cloud's ready line, beside moto's own server to its first answer."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from tests.benchmarks.processes import free_port, local_cloud, running, wait_for
from tests.benchmarks.rows import Row

TIMES = 5
WANTED_S = 1.5


def rows() -> Iterator[Row]:
    """Medians, taken in turns so that both meet the same machine."""
    pairs = [(_cloud_s(), _moto_s()) for _ in range(TIMES)]
    yield Row(
        what=f"cloud start to ready line, median of {TIMES}",
        value=statistics.median(ours for ours, _ in pairs),
        unit="s",
        peer="moto_server to first answer",
        peer_value=statistics.median(peer for _, peer in pairs),
        wanted=f"< {WANTED_S}",
    )


def _cloud_s() -> float:
    begun = time.perf_counter()
    with local_cloud():
        return time.perf_counter() - begun


def _moto_s() -> float:
    port = free_port()
    begun = time.perf_counter()
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    with running(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        wait_for(f"http://127.0.0.1:{port}/moto-api/")
        return time.perf_counter() - begun
