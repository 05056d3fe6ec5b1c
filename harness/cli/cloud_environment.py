"""`canary-harness cloud --env`: a local cloud in the background, and what a shell needs to talk to it."""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from harness.errors import CloudError, ExitCode
from harness.processes import python

UNSET = ("AWS_PROFILE", "AWS_SESSION_TOKEN")
"""Variables of the shell that would lead its tools elsewhere."""


def begin(options: Sequence[str]) -> int:
    """Starts a cloud that outlives this process, and prints the shell's commands; raises CloudError."""
    begun = CloudInBackground(options)
    pid = begun.process.pid
    print(as_shell(begun.ready, pid))  # noqa: T201 - the command's result
    print(_served(begun.ready, pid, begun.log), file=sys.stderr)  # noqa: T201 - for a person
    return ExitCode.AS_EXPECTED


class CloudInBackground:
    """A cloud in a process of its own: what it says once it is ready, and the file of what it warns of.

    Raises CloudError where it does not start.
    """

    def __init__(self, options: Sequence[str]) -> None:
        number, name = tempfile.mkstemp(prefix="canary-cloud-", suffix=".log")
        self.log = Path(name)
        with os.fdopen(number, "wb") as log:
            self.process = _started([*options, "--log", name], log)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            told = self.told()
            self.log.unlink(missing_ok=True)
            raise CloudError(f"The local cloud did not start: {' '.join(told)}")
        self.ready: Mapping[str, Any] = json.loads(line)

    def told(self) -> Sequence[str]:
        """What it warned of so far, line by line, each once."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return [*dict.fromkeys(text.splitlines())]

    def end(self) -> None:
        """Ends it, and takes its file away."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.log.unlink(missing_ok=True)


def _started(options: Sequence[str], log: IO[bytes]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - ourselves
        python("-m", "harness", "cloud", *options),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        start_new_session=True,
    )


def as_shell(ready: Mapping[str, Any], pid: int) -> str:
    """The commands that a shell evaluates."""
    lines = [f"unset {' '.join(UNSET)}"]
    variables = variables_of(ready, pid)
    return "\n".join([*lines, *(f"export {name}={shlex.quote(value)}" for name, value in variables.items())])


def variables_of(ready: Mapping[str, Any], pid: int) -> Mapping[str, str]:
    """The variables that lead tools to a cloud."""
    return {
        "AWS_ENDPOINT_URL": ready["endpoint_url"],
        "AWS_REGION": ready["region"],
        "AWS_DEFAULT_REGION": ready["region"],
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "LOCUST_CANARY_CLOCK": ready["clock"],
        "CANARY_CLOUD_SERVICE_URL": ready["service_url"],
        "CANARY_CLOUD_PID": str(pid),
    }


def _served(ready: Mapping[str, Any], pid: int, log: Path) -> str:
    return (
        f"The local cloud serves AWS at {ready['endpoint_url']} and its service at {ready['service_url']}, "
        f"{ready['speed']:g} times as fast as AWS. What it plays otherwise than AWS it writes to {log}. "
        f"`kill {pid}` ends it, and takes that file away."
    )
