"""What the Canary tab costs: the processor time that three viewers take from the Locust process they look at.

A release bakes in a local cloud, and Locust sends it 20 requests a second of experiment time. Turns without viewers,
with three of our page, and with three of Locust's own statistics follow each other, so that all see the same run grow.
What the page takes notice of while nobody looks is measured by itself, and added.
`python -m tests.benchmarks.panel --rounds 20` measures longer.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import psutil

from harness.core.timeline.rollout import Rollout
from harness.plugin.panel.chronicle import Chronicle
from harness.report.folder import RunFolder
from tests import pipeline
from tests.benchmarks.processes import free_port, running, wait_for
from tests.benchmarks.rows import Row, show

CANARY = str(Path(__file__).parents[2] / "locustfiles" / "canary.py")
VIEWERS = 3
SPEEDS = (1, 30)
ROUNDS = 5
TURN_S = 4.0
OURS, LOCUSTS = ("/canary/api/v1/state", 0.9), ("/stats/requests", 2.0)
"""What a viewer asks for, and how often in seconds: as both pages do."""
WANTED = 2.0


def rows(rounds: int = ROUNDS) -> Iterator[Row]:
    """One row a speed."""
    for speed in SPEEDS:
        with (
            tempfile.TemporaryDirectory(prefix="canary-benchmark-") as name,
            _page(speed, Path(name)) as (url, process),
        ):
            alone, ours, locusts = 0.0, 0.0, 0.0
            for _ in range(rounds):
                alone += _busy_s(process, url, None)
                ours += _busy_s(process, url, OURS)
                locusts += _busy_s(process, url, LOCUSTS)
            heard = _hearing_share(Path(name))
        share = 100 / (rounds * TURN_S)
        yield Row(
            what=f"processor time that {VIEWERS} viewers take, at speed {speed}",
            value=(ours - alone) * share + heard * 100,
            unit="% of a core",
            peer="Locust's statistics page",
            peer_value=(locusts - alone) * share,
            wanted=f"< {WANTED:g}",
        )


def _hearing_share(folder: Path) -> float:
    """The share of a processor that it takes to hear every event of the run that is on, as it was recorded."""
    run = RunFolder(next(folder.glob("reports/*/2*")))
    events, chronicle = run.read_events(), Chronicle(run.read_experiment())
    rollouts = [*itertools.accumulate(events, Rollout.step, initial=Rollout())][1:]
    began_s = time.process_time()
    for event, rollout in zip(events, rollouts, strict=True):
        chronicle.hear(event, rollout)
    return (time.process_time() - began_s) / (events[-1].at_s / rollouts[-1].speed)


def _busy_s(process: psutil.Process, url: str, asks: tuple[str, float] | None) -> float:
    """Processor time of one turn."""
    over = threading.Event()
    viewers = [threading.Thread(target=_view, args=(url, *asks, over)) for _ in range(VIEWERS)] if asks else []
    before = sum(process.cpu_times()[:2])
    for viewer in viewers:
        viewer.start()
    time.sleep(TURN_S)
    spent = sum(process.cpu_times()[:2]) - before
    over.set()
    for viewer in viewers:
        viewer.join()
    return spent


def _view(url: str, path: str, every_s: float, over: threading.Event) -> None:
    while not over.is_set():
        urllib.request.urlopen(url + path, timeout=10).read()
        over.wait(every_s)


@contextmanager
def _page(speed: int, folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """A Locust process with its page, a test that is on, and a canary that bakes."""
    cloud = [sys.executable, "-m", "harness", "cloud", "--speed", str(speed), "--port", "0"]
    with running(cloud, core=1, stdout=subprocess.PIPE) as serving:
        assert serving.stdout
        ready = json.loads(serving.stdout.readline())
        port = free_port()
        named = ("--canary-application", ready["application"], "--canary-group", ready["group"])
        words = ["-f", CANARY, "--web-port", str(port), "--host", ready["service_url"], *named]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with running([sys.executable, "-m", "locust", *words], cwd=folder, env=_variables(ready), **quiet) as locust:
            url = f"http://127.0.0.1:{port}"
            wait_for(url)
            form = {"user_count": 1, "spawn_rate": 1, "host": ready["service_url"], "canary_error_share": 0.001}
            urllib.request.urlopen(f"{url}/swarm", urllib.parse.urlencode(form).encode(), timeout=10).close()
            _await_looks(url)
            _deploy(ready)
            time.sleep(3.0)
            yield url, psutil.Process(locust.pid)


def _await_looks(url: str) -> None:
    """A deployment that was there before the watcher began would be disregarded."""
    while not _looks(json.loads(urllib.request.urlopen(url + OURS[0], timeout=10).read())):
        time.sleep(0.1)


def _looks(state: dict[str, Any]) -> int:
    return int(state["run"]["watcher"]["looks"]) if state["run"] else 0


def _deploy(ready: dict[str, str]) -> None:
    with mock.patch.dict(os.environ, _variables(ready)):
        pipeline.deploy(ready)


def _variables(ready: dict[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        "AWS_ENDPOINT_URL": ready["endpoint_url"],
        "AWS_REGION": ready["region"],
        "AWS_ACCESS_KEY_ID": "rehearsal",
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
        "LOCUST_CANARY_CLOCK": f"{ready['epoch']!r}:{ready['speed']!r}",
    }


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of {3 * TURN_S:g} s")
    show(rows(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
