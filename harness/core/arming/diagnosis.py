"""The doctor's answers: one check a question, and the diagnosis of them all."""

from collections.abc import Iterable
from functools import partial
from typing import Literal, NamedTuple

from msgspec import Struct

from harness.errors import ExitCode

SCHEMA = 1

CheckSeverity = Literal["ok", "note", "warning", "unknown", "error"]
SEVERITIES: tuple[CheckSeverity, ...] = ("ok", "note", "warning", "unknown", "error")
"""The best first. `unknown` is a question that could not be answered; it never counts as good."""


class Assessment(NamedTuple):
    """What one question found: how bad it is, what was seen, and what to do about it."""

    severity: CheckSeverity
    seen: str
    advice: str = ""


ok = partial(Assessment, "ok")
note = partial(Assessment, "note")
warning = partial(Assessment, "warning")
error = partial(Assessment, "error")


class Check(Struct, frozen=True, kw_only=True):
    """One question answered: what was seen, why that matters, what to do (empty if nothing).

    `file` and `line` say where in a template; None where it was seen on AWS.
    """

    id: str
    severity: CheckSeverity
    seen: str
    matters: str
    advice: str = ""
    file: str | None = None
    line: int | None = None


class Diagnosis(Struct, frozen=True, kw_only=True):
    """All checks of one deployment group, in the order of the questions.

    `exit_code` is 3 with an error, else 4 with a question that could not be answered, else 0. `left_out` are the
    questions that were not asked, because only AWS could answer them.
    """

    schema: int = SCHEMA
    experiment: str
    application: str | None
    group: str | None
    function: str | None
    alias: str | None
    alarms: tuple[str, ...] = ()
    exit_code: int
    checks: tuple[Check, ...]
    left_out: tuple[str, ...] = ()

    def of(self, severity: CheckSeverity) -> tuple[Check, ...]:
        """The checks of one severity."""
        return tuple(check for check in self.checks if check.severity == severity)


def worst(severities: Iterable[CheckSeverity]) -> CheckSeverity:
    """The worst of some severities; `ok` of none."""
    return max(severities, key=SEVERITIES.index, default="ok")


def exit_code(checks: Iterable[Check]) -> ExitCode:
    """The exit code of these checks; notes and warnings do not stop a pipeline."""
    found = {check.severity for check in checks}
    if "error" in found:
        return ExitCode.CONTRARY
    return ExitCode.INCONCLUSIVE if "unknown" in found else ExitCode.AS_EXPECTED
