"""The command that deploys: its output is told and kept, whatever becomes of us."""

import subprocess
import sys
import time
from pathlib import Path
from shlex import join

import pytest

from harness.run.command import Command

STARTS = """
import sys, time
from pathlib import Path
from harness.run.command import Command

command = Command(sys.argv[2], Path(sys.argv[1]), lambda line: print(line, flush=True))
command.start()
command.wait()
"""
SLOW = "import time; print('begun', flush=True); time.sleep(1); print('ended', flush=True)"


def python(program: str) -> str:
    """The command line of a program."""
    return join([sys.executable, "-c", program])


def test_output_and_errors_are_told_by_the_line_and_kept_as_they_are(tmp_path: Path) -> None:
    """In the order in which they were written, the last line without an end too."""
    told: list[str] = []
    program = "import sys; print('one', flush=True); sys.stderr.buffer.write(b'two\\r\\n\\xff'); sys.exit(7)"
    command = Command(python(program), tmp_path / "command.log", told.append)
    command.start()
    assert command.wait() == 7
    assert told == ["one", "two", "\ufffd"]
    assert (tmp_path / "command.log").read_bytes() == b"one\ntwo\r\n\xff"


def test_a_command_goes_on_to_its_end_when_we_are_killed(tmp_path: Path) -> None:
    """It does not die of a closed pipe in the middle of a deployment, and what it says is still kept."""
    log = tmp_path / "command.log"
    ours = [sys.executable, "-c", STARTS, str(log), python(SLOW)]
    with subprocess.Popen(ours, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        process.kill()
    until = time.monotonic() + 20
    while log.read_text() != "begun\nended\n":
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("given", "passed"), [(None, "eu-north-1"), ("", "eu-north-1"), ("eu-west-1", "eu-west-1")], ids=repr
)
def test_a_command_finds_the_region_where_boto3_looks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, passed: str
) -> None:
    """The harness goes by AWS_REGION, which boto3 ignores; what the person set for boto3 stays."""
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    if given is not None:
        monkeypatch.setenv("AWS_DEFAULT_REGION", given)
    told: list[str] = []
    command = Command(python("import os; print(os.environ['AWS_DEFAULT_REGION'])"), tmp_path / "log", told.append)
    command.start()
    assert (command.wait(), told) == (0, [passed])
