"""The command `canary-harness locust`: Locust as it is, with our locustfiles found beside it."""

import os
from collections.abc import Sequence
from pathlib import Path

from harness.errors import ExitCode
from harness.processes import LOCUST, locustfile, python, watched_file

OURS = ("canary.py", "watch.py")
NEAR = "locustfile.py"
"""What Locust takes by itself where no locustfile is named."""
TEXT = "Locust itself, with our options: your locustfile is watched, and canary.py is found wherever it is installed"


def run_locust(words: Sequence[str]) -> int:
    """Has Locust take our place with these words of its own; returns only in tests."""
    # Locust prints its help before it reads any locustfile.
    command = python(*LOCUST, *(["--help"] if {*words} & {"-h", "--help"} else located(words)))
    os.execve(command[0], command, os.environ)  # noqa: S606
    return ExitCode.AS_EXPECTED


def located(words: Sequence[str]) -> list[str]:
    """Locust's words, with ours beside the locustfile that they name."""
    at, named, rest = _named(words)
    if named is None:
        named = os.environ.get("LOCUST_LOCUSTFILE") or (NEAR if Path(NEAR).exists() else OURS[0])
    return [*rest[:at], "-f", _beside_ours(named), *rest[at:]]


def _beside_ours(named: str) -> str:
    if named in OURS and not Path(named).exists():
        return str(locustfile(named))
    return watched_file(named)


def _named(words: Sequence[str]) -> tuple[int, str | None, list[str]]:
    """Where a locustfile is named, what it is called, and all other words."""
    for at, word in enumerate(words):
        if word in ("-f", "--locustfile") and at + 1 < len(words):
            return at, words[at + 1], [*words[:at], *words[at + 2 :]]
        for start in ("--locustfile=", "-f"):
            if word.startswith(start) and word != "-f":
                return at, word.removeprefix(start), [*words[:at], *words[at + 1 :]]
    return 0, None, [*words]
