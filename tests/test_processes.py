"""Signals to a process whose exit code is decided, and what a process leaves when it exits."""

import signal
import subprocess
import sys
import time
from pathlib import Path

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


FORGETFUL = """
import gc, sys
from harness.processes import exit_without_collecting

class Log:
    def __init__(self, path):
        self.itself = self
        self.file = open(path, "w")
        self.file.write("kept")

exit_without_collecting()
log = Log(sys.argv[1])
if sys.argv[2] == "frozen":
    gc.freeze()
"""


@pytest.mark.parametrize("frozen", ["", "frozen"])
def test_a_file_that_only_garbage_holds_is_written_at_the_exit(frozen: str, tmp_path: Path) -> None:
    """Although nobody looks for garbage any more."""
    subprocess.run([sys.executable, "-c", FORGETFUL, tmp_path / "log", frozen], check=True)
    assert (tmp_path / "log").read_text() == "kept"
