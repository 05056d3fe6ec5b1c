"""Wall seconds of the default rehearsal: two five-minute canaries, start-up, report and all."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from tests.benchmarks.rows import Row

WANTED_S = 25.0
CANARY_S = 300.0


def rows() -> Iterator[Row]:
    """One pair, and what is left of a five-minute canary of it."""
    with tempfile.TemporaryDirectory() as reports:
        begun = time.perf_counter()
        command = [sys.executable, "-m", "harness", "rehearse", "--json", "--reports", reports]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        pair_s = time.perf_counter() - begun
    yield Row(what="the pair, healthy and erroruser", value=pair_s, unit="s", wanted=f"< {WANTED_S:g}")
    yield Row(
        what="a five-minute canary, start-up and report included",
        value=pair_s / 2,
        unit="s",
        peer="the same on AWS, baking alone",
        peer_value=CANARY_S,
    )
