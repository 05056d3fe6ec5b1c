"""`canary-harness cloud --env` gives a shell a cloud that runs until it is ended."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.cli.cloud_environment import as_shell

READY = {
    "endpoint_url": "http://127.0.0.1:1",
    "service_url": "http://127.0.0.1:2/shared",
    "region": "eu-north-1",
    "clock": "1.5:60",
    "speed": 60.0,
}


def test_a_shell_evaluates_what_is_printed() -> None:
    """Endpoint, region, credentials, clock and process are exported; a profile of AWS is not in the way any more."""
    script = f"export AWS_PROFILE=prod\n{as_shell(READY, 7)}\nenv"
    seen = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
    assert {"AWS_ENDPOINT_URL=http://127.0.0.1:1", "AWS_REGION=eu-north-1", "CANARY_CLOUD_PID=7"} <= {*seen}
    assert "LOCUST_CANARY_CLOCK=1.5:60" in seen
    assert not [line for line in seen if line.startswith("AWS_PROFILE")]


@pytest.mark.slow
def test_the_cloud_outlives_its_command(tmp_path: Path) -> None:
    """It answers the AWS CLI, and ends by its process id."""
    command = [sys.executable, "-m", "harness", "cloud", "--env", "--speed", "60"]
    begun = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    printed, log = begun.stdout, Path(re.findall(r"\S+\.log", begun.stderr)[0])
    assert log.exists()
    aws = Path(sys.executable).with_name("aws")
    script = f"{printed}\n{aws} cloudformation list-stacks --output text && kill $CANARY_CLOUD_PID"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert "fake-user" in done.stdout, done.stderr
    assert done.returncode == 0
    ends = time.monotonic() + 30
    while log.exists() and time.monotonic() < ends:
        time.sleep(0.05)
    assert not log.exists()


def test_a_cloud_that_does_not_start_says_why() -> None:
    """With the exit code and the sentence of the command itself."""
    command = [sys.executable, "-m", "harness", "cloud", "--env", "--experiment", "nothing-of-that-name"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "nothing-of-that-name" in done.stderr
    assert done.stdout == ""
