"""Rehearses all experiments of the package and tells how far the second opinion was ahead of the alarm.

`python -m tests.core.verdict.leads` prints the table; `--write` puts it into the README.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from harness import experiments
from harness.core.verdict.types import Verdict
from harness.report import facts

README = Path(__file__).parents[3] / "harness/core/verdict/README.md"
PLACE = re.compile("(<!-- leads: written by make leads -->\n).*?(<!-- end of leads -->)", re.DOTALL)
HEAD: facts.Row = (
    "experiment",
    "call",
    "alarm",
    "second opinion",
    "ahead",
    "canary requests spared",
    "highest e-value",
)


def main(words: Sequence[str]) -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as reports:
        subprocess.run([sys.executable, "-m", "harness", "rehearse", "--all", "-q", "--reports", reports], check=False)
        rows = [_row(name, _verdict(Path(reports), name)) for name in experiments.NAMES]
    text = "".join(f"| {' | '.join(cells)} |\n" for cells in (HEAD, ("---",) * len(HEAD), *rows))
    print(text)  # noqa: T201 - the table is the result
    if "--write" in words:
        there = README.read_text("utf-8")
        README.write_text(PLACE.sub(lambda found: f"{found[1]}{text}{found[2]}", there), "utf-8")


def _verdict(reports: Path, name: str) -> Verdict:
    (found,) = (reports / name).glob("*Z/verdict.json")
    return msgspec.json.decode(found.read_bytes(), type=Verdict)


def _row(name: str, verdict: Verdict) -> facts.Row:
    return (f"`{name}`", facts.words(verdict.call), facts.span(verdict.detection.alarm_s, digits=0), *_opinion(verdict))


def _opinion(verdict: Verdict) -> Iterator[str]:
    seen = verdict.second_opinion
    if seen is None:
        yield from ("none", *(facts.NOT_MEASURED,) * 3)
        return
    yield "no stop" if seen.stop_s is None else f"{seen.stop_s:.0f} s"
    yield facts.span(seen.lead_s, digits=0)
    yield facts.count(seen.spared)
    yield f"{max(course.e_value for course in (seen.failures, seen.slowness) if course):.3g}"


if __name__ == "__main__":
    main(sys.argv[1:])
