"""Rehearsals that do not end by themselves: whatever happens, no process is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from harness.core.timeline.events import RunEnded
from harness.report.folder import RunFolder

Rehearsal = tuple["subprocess.Popen[str]", list[psutil.Process]]


def soon(done: Callable[[], bool]) -> None:
    """Waits until something holds, at most a minute."""
    until_s = time.monotonic() + 60
    while not done():
        assert time.monotonic() < until_s
        time.sleep(0.05)


def under_way(folder: Path) -> bool:
    """Whether the newest run has seen answers to its requests."""
    timeline = folder / "latest" / "timeline.jsonl"
    return timeline.is_file() and b'"status":200' in timeline.read_bytes()


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[Rehearsal]:
    """A rehearsal that has traffic, and the processes that it started."""
    command = [sys.executable, "-m", "harness", "rehearse", "healthy", "--speed", "60", "--reports", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            soon(lambda: under_way(tmp_path))
            children = psutil.Process(process.pid).children(recursive=True)
            yield process, children
        finally:
            process.terminate()
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []


def ended(folder: Path) -> RunEnded:
    """The last event of the newest run's timeline."""
    last = RunFolder.open(folder / "latest").read_events()[-1]
    assert isinstance(last, RunEnded)
    return last


@pytest.mark.slow
@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), pytest.param(signal.SIGHUP, 143, id="hang up")]
)
def test_signal_ends_the_run_with_a_readable_timeline(
    signum: signal.Signals, code: int, rehearsal: Rehearsal, tmp_path: Path
) -> None:
    """The exit code is the signal's, here and in the verdict; one sentence says where the rest is."""
    process, _ = rehearsal
    process.send_signal(signum)
    _, told = process.communicate(timeout=30)
    assert process.returncode == code
    assert told.splitlines()[-1].startswith(f"canary-harness: stopped by {signum.name}; what happened until then is in")
    assert (ended(tmp_path).why, ended(tmp_path).signal) == ("stopped", "SIGINT" if code == 130 else "SIGTERM")
    verdict = RunFolder.open(tmp_path / "latest").read_verdict()
    assert verdict
    assert verdict.exit_code == code


@pytest.mark.slow
def test_cloud_that_dies_ends_the_run(rehearsal: Rehearsal, tmp_path: Path) -> None:
    """A dead cloud is told for what it is: the surroundings failed, whatever the canary did."""
    process, children = rehearsal
    cloud = next(child for child in children if "cloud" in child.cmdline())
    os.kill(cloud.pid, signal.SIGKILL)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "healthy: the local cloud died in the middle: ended by SIGKILL" in told
    assert ended(tmp_path).why == "failed"


@pytest.mark.slow
def test_locust_that_is_killed_is_told_in_the_verdict(rehearsal: Rehearsal, tmp_path: Path) -> None:
    """What it had written until then is kept, and the verdict says what the exit code says."""
    process, children = rehearsal
    locust = next(child for child in children if "harness.plugin" in child.cmdline())
    os.kill(locust.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    verdict = RunFolder.open(tmp_path / "latest").read_verdict()
    assert verdict
    assert process.returncode == verdict.exit_code == 1
    assert any("Locust was ended by SIGKILL" in reason for reason in verdict.because)
    assert verdict.traffic.sent


@pytest.mark.slow
def test_nothing_outlives_a_rehearsal_that_is_killed(rehearsal: Rehearsal) -> None:
    """Even where nobody could clean up, cloud and Locust end by themselves."""
    process, children = rehearsal
    process.kill()
    process.communicate(timeout=30)
    soon(lambda: not any(child.is_running() for child in children))
