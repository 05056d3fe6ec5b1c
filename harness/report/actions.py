"""Writes the step summary, outputs and annotations of GitHub Actions at the end of a run; elsewhere it does nothing."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from harness.core.timeline.bounds import Bounds
from harness.core.verdict.types import Verdict
from harness.errors import ExitCode, HarnessError
from harness.report import facts
from harness.report.folder import RunFolder
from harness.report.markdown import escaped, markdown
from harness.report.masking import masked_prose
from harness.streams import tell

MOST_FINDINGS = 8
"""GitHub shows ten annotations of a kind and step."""
TITLE = "canary-harness"

_LEVELS = {"as_expected": "notice", "contrary": "error", "inconclusive": "warning", "aborted": "error"}


def announce(verdict: Verdict, folder: RunFolder, environment: Mapping[str, str] | None = None) -> None:
    """Tells GitHub Actions, if its environment variables are set; raises HarnessError if a file cannot be written.

    Annotations go to stderr, which Actions reads as well as stdout.
    """
    told = os.environ if environment is None else environment
    if told.get("GITHUB_ACTIONS") == "true":
        for line in annotations(verdict):
            tell(line)
    _append(told.get("GITHUB_OUTPUT"), "".join(f"{name}={value}\n" for name, value in outputs(verdict, folder).items()))
    _append(told.get("GITHUB_STEP_SUMMARY"), markdown(verdict))


def announce_refusal(sentence: str, code: int, environment: Mapping[str, str] | None = None) -> None:
    """Tells GitHub Actions why a command ended without a verdict."""
    told = os.environ if environment is None else environment
    with suppress(HarnessError):  # the sentence is on stderr, too
        _append(
            told.get("GITHUB_STEP_SUMMARY"), f"**canary-harness** ended with exit code {code}: {_shown(sentence)}\n"
        )
        _append(told.get("GITHUB_OUTPUT"), f"exit_code={code}\n")
    if told.get("GITHUB_ACTIONS") == "true":
        tell(_annotation("error", TITLE, sentence))


def announce_exit_code(code: int, why: str | None, environment: Mapping[str, str] | None = None) -> None:
    """Tells GitHub Actions of the exit code of a process that has no verdict."""
    told = os.environ if environment is None else environment
    with suppress(HarnessError):
        _append(told.get("GITHUB_OUTPUT"), f"exit_code={code}\n")
        if why:
            _append(told.get("GITHUB_STEP_SUMMARY"), f"\n**canary-harness**: {_shown(why)}.\n")
    if why and told.get("GITHUB_ACTIONS") == "true":
        tell(_annotation("error", TITLE, why))


def outputs(verdict: Verdict, folder: RunFolder) -> dict[str, str]:
    """The outputs of the step; times are the upper bound in seconds, empty where nothing was measured."""
    seen = verdict.detection
    return {
        "verdict": verdict.result,
        "outcome": verdict.outcome,
        "call": verdict.call,
        "exit_code": str(verdict.exit_code),
        "detect_s": _at_most(seen.time_to_detect_s),
        "rollback_s": _at_most(seen.time_to_roll_back_s),
        "report": facts.plain(str(folder.page)),
        "folder": facts.plain(str(folder.path)),
    }


def annotations(verdict: Verdict) -> Iterator[str]:
    """The verdict, and each finding above a note; if the result is as expected, nothing is an error."""
    failed = verdict.exit_code == ExitCode.HARNESS_FAILED or (verdict.result == "as_expected" and verdict.exit_code)
    level = "error" if failed else _LEVELS[verdict.result]
    yield _annotation(level, TITLE, f"{facts.headline(verdict)}: {' '.join(verdict.because)}")
    grave = [finding for finding in verdict.findings if finding.severity != "note"]
    for finding in grave[:MOST_FINDINGS]:
        level = "error" if finding.severity == "error" and verdict.result != "as_expected" else "warning"
        yield _annotation(level, f"{TITLE} {finding.id}", finding.text)


def _shown(sentence: str) -> str:
    return escaped(masked_prose(sentence))


def _annotation(level: str, title: str, message: str) -> str:
    safe = facts.plain(masked_prose(message)).replace("%", "%25")
    named = facts.plain(title).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={named}::{safe}"


def _at_most(bounds: Bounds | None) -> str:
    return "" if bounds is None else f"{bounds[1]:.1f}"


def _append(path: str | None, text: str) -> None:
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise HarnessError(f"{path} of GitHub Actions cannot be written: {error.strerror}") from error
