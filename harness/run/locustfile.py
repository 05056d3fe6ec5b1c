"""Reads a person's locustfile as Locust does, in a process of its own, and plays nothing."""

import os
import subprocess
from pathlib import Path

from harness.core.arming.locustfile import Locustfile
from harness.processes import python, start

LOADS_WITHIN_S = 60.0
_LISTED = "Available Users:"


def read_locustfile(own: str) -> Locustfile:
    """What Locust says of it; it is imported for that, so what stands outside of its classes is run."""
    command = python("-m", "locust", "-f", own, "--list")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = start(command, environment, **pipes)
    try:
        listed, said = process.communicate(timeout=LOADS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return Locustfile(name=own, trouble=f"it was not loaded within {LOADS_WITHIN_S:g} s")
    text = listed.decode(errors="replace")
    if process.returncode or _LISTED not in text:
        last = (said.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        return Locustfile(name=own, trouble=last)
    users = tuple(line.strip() for line in text.partition(_LISTED)[2].splitlines() if line.strip())
    return Locustfile(name=own, users=users, names_intent=_names_intent(own))


def _names_intent(own: str) -> bool:
    """Whether any of its files speaks of an intent; what a URL names, or a folder holds, is not searched."""
    files = [Path(name) for name in own.split(",") if Path(name).is_file()]
    return any("intent" in file.read_text(errors="replace") for file in files)
