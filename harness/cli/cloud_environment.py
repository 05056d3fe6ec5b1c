"""`canary-harness cloud --env`: a local cloud in the background, and what a shell needs to talk to it."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import CloudError, ExitCode

UNSET = ("AWS_PROFILE", "AWS_SESSION_TOKEN")
"""Variables of the shell that would lead its tools elsewhere."""


def begin(options: Sequence[str]) -> int:
    """Starts a cloud that outlives this process, and prints the shell's commands; raises CloudError."""
    ready, cloud = begun(options)
    print(as_shell(ready, cloud.pid))  # noqa: T201 - the command's result
    print(_served(ready, cloud.pid), file=sys.stderr)  # noqa: T201 - for a person
    return ExitCode.AS_EXPECTED


def begun(options: Sequence[str]) -> "tuple[Mapping[str, Any], subprocess.Popen[bytes]]":
    """What a cloud in the background says once it is ready, and its process; raises CloudError."""
    with tempfile.TemporaryFile() as log:
        cloud = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", "harness", "cloud", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        assert cloud.stdout is not None
        line = cloud.stdout.readline()
        if not line:
            log.seek(0)
            raise CloudError(f"The local cloud did not start: {log.read().decode(errors='replace').strip()}")
    return json.loads(line), cloud


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


def _served(ready: Mapping[str, Any], pid: int) -> str:
    return (
        f"The local cloud serves AWS at {ready['endpoint_url']} and its service at {ready['service_url']}, "
        f"{ready['speed']:g} times as fast as AWS. `kill {pid}` ends it."
    )
