"""Signals to a process whose exit code is decided."""

import signal
import subprocess
import sys
import time

import pytest

DECIDED = """
import sys, time
from harness.processes import Interrupts, ends_with

with Interrupts():
    ends_with(3)
print("decided", flush=True)
time.sleep(float(sys.argv[1]))
sys.exit(3)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("lives_s", "signals"), [("0.5", 1), ("60", 2)], ids=["one", "another one"])
def test_a_signal_after_the_verdict_changes_no_exit_code(lives_s: str, signals: int) -> None:
    """One changes nothing; another one, later, ends the process at once."""
    with subprocess.Popen([sys.executable, "-c", DECIDED, lives_s], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        for _ in range(signals):
            process.send_signal(signal.SIGINT)
            time.sleep(0.6 if signals > 1 else 0.0)
        assert process.wait(10) == 3
