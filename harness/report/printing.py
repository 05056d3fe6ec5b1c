"""What is printed of a verdict when a run is over."""

from pathlib import Path
from typing import Any, Literal

from harness.core.verdict.types import Verdict
from harness.report.terminal import brief, summary
from harness.streams import console, say_json

Print = Literal["verdict", "summary", "json", "all"]
"""The verdict and what is wrong, the summary, one JSON document, or the summary with all its tables."""


def print_verdict(how: Print, folder: Path, exit_code: int, verdict: Verdict) -> None:
    """Prints the verdict of the run in `folder` on stdout."""
    if how == "json":
        say_json(verdict_document(folder, exit_code, verdict))
    elif how == "verdict":
        brief(verdict, folder, console())
    else:
        summary(verdict, folder, console(), verbose=how == "all")


def verdict_document(folder: Path, exit_code: int, verdict: Verdict | None) -> dict[str, Any]:
    """What `--json` prints of a run."""
    return {"folder": str(folder), "exit_code": exit_code, "verdict": verdict}
