"""The doctor's answers: one check a question, and what all of them come to."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from msgspec import Struct

from harness.errors import ExitCode

SCHEMA = 1

CheckSeverity = Literal["ok", "note", "warning", "unknown", "error"]
SEVERITIES: tuple[CheckSeverity, ...] = ("ok", "note", "warning", "unknown", "error")
"""From best to worst. `unknown` is a question that could not be answered, and never health."""


class Assessment(NamedTuple):
    """What one question found: how bad it is, what was seen, and what to do about it."""

    severity: CheckSeverity
    seen: str
    advice: str = ""


class Check(Struct, frozen=True, kw_only=True):
    """One question answered: what was seen, why that matters, what to do; `advice` is empty where nothing is to do."""

    id: str
    severity: CheckSeverity
    seen: str
    matters: str
    advice: str = ""


class Diagnosis(Struct, frozen=True, kw_only=True):
    """All checks of one deployment group, in the order of the questions.

    `exit_code` is 3 with an error, else 4 with a question that could not be answered, else 0.
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

    def of(self, severity: CheckSeverity) -> tuple[Check, ...]:
        """The checks of one severity."""
        return tuple(check for check in self.checks if check.severity == severity)


def worst(severities: Iterable[CheckSeverity]) -> CheckSeverity:
    """The worst of some severities; `ok` of none."""
    return max(severities, key=SEVERITIES.index, default="ok")


def exit_code(checks: Iterable[Check]) -> ExitCode:
    """What a pipeline is told of these checks; notes and warnings let it go on."""
    found = {check.severity for check in checks}
    if "error" in found:
        return ExitCode.CONTRARY
    return ExitCode.INCONCLUSIVE if "unknown" in found else ExitCode.AS_EXPECTED
