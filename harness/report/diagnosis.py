"""The doctor's diagnosis for a person: what is wrong first, and how many checks are in order."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.core.arming import Check, CheckSeverity, Diagnosis
from harness.core.arming.diagnosis import SEVERITIES
from harness.report import facts
from harness.templates import TemplateDiagnosis

_STYLES: dict[CheckSeverity, str] = {
    "error": "bold red",
    "unknown": "bold magenta",
    "warning": "yellow",
    "note": "cyan",
    "ok": "green",
}
_BANNERS: dict[CheckSeverity, tuple[str, str]] = {
    "error": ("NOT ARMED", "bold white on red"),
    "unknown": ("NOT KNOWN WHETHER ARMED", "bold black on yellow"),
    "warning": ("ARMED, WITH WARNINGS", "bold black on yellow"),
}
_ARMED = ("ARMED", "bold black on green")
MOST_OF_A_KIND = 5
"""Notes of one kind that are told one by one."""


def show(diagnosis: Diagnosis, console: Console, *, verbose: bool = False) -> None:
    """Prints the diagnosis; what is in order is counted, and told one by one where `verbose`."""
    told, style = next((_BANNERS[severity] for severity in _BANNERS if diagnosis.of(severity)), _ARMED)
    console.print()
    told += ", AS FAR AS THE TEMPLATE SAYS" if diagnosis.left_out and told.startswith("ARMED") else ""
    console.print(Text(f" {told} · {counts(diagnosis)} (exit {diagnosis.exit_code}) ", style=style))
    console.print(Text(facts.plain(subject(diagnosis)), style="dim"))
    console.print()
    _show_checks(diagnosis.checks, console, verbose=verbose)


def _show_checks(checks: Sequence[Check], console: Console, *, verbose: bool) -> None:
    shown = [check for check in checks if verbose or check.severity != "ok"]
    if shown:
        console.print(_table(shown, most=len(shown) if verbose else MOST_OF_A_KIND))
    if left := len(checks) - len(shown):
        console.print(Text(f"{left} check{'s are' if left > 1 else ' is'} in order; -v names them.", style="green"))


def show_template(diagnosis: TemplateDiagnosis, console: Console, *, verbose: bool = False) -> None:
    """Prints what doctor says of a template: of the whole first, then of each function that is released."""
    if diagnosis.checks:
        console.print()
        console.print(Text(facts.plain(diagnosis.template), style="dim"))
        _show_checks(diagnosis.checks, console, verbose=verbose)
    for one in diagnosis.diagnoses:
        show(one, console, verbose=verbose)
        console.print()
        text = f"{len(one.left_out)} questions only AWS can answer: run doctor without --template after the deployment."
        console.print(Text(text, style="dim"))


def subject(diagnosis: Diagnosis) -> str:
    """What was examined, in one line."""
    parts = (diagnosis.application, diagnosis.group, _aliased(diagnosis), ", ".join(diagnosis.alarms))
    return " · ".join(part for part in parts if part)


def counts(diagnosis: Diagnosis) -> str:
    """How many checks there are of each severity, the worst first."""
    numbers = {severity: len(diagnosis.of(severity)) for severity in reversed(SEVERITIES)}
    return ", ".join(_counted(number, severity) for severity, number in numbers.items() if number)


def _counted(number: int, severity: CheckSeverity) -> str:
    plural = "s" if number > 1 and severity in ("error", "warning", "note") else ""
    return f"{number} {severity}{plural}"


def _aliased(diagnosis: Diagnosis) -> str:
    return f"{diagnosis.function}:{diagnosis.alias}" if diagnosis.function else ""


def _table(checks: Sequence[Check], most: int) -> Table:
    """Notes beyond so many of one kind are counted."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=max(map(len, SEVERITIES)), no_wrap=True)
    grid.add_column(overflow="fold")
    for severity in reversed(SEVERITIES):
        told: Counter[str] = Counter()
        for alike in _alike([check for check in checks if check.severity == severity]):
            told[alike[0].id] += 1
            if severity != "note" or told[alike[0].id] <= most:
                grid.add_row(Text(severity, style=_STYLES[severity]), _told(*alike))
        for kind, count in told.items() if severity == "note" else ():
            if count > most:
                more = Text(f"{count - most} more of this kind; -v names them. [{kind}]", style="dim")
                grid.add_row(Text(severity, style=_STYLES[severity]), more)
    return grid


def _alike(checks: Sequence[Check]) -> list[list[Check]]:
    """The checks, those that say the same together: one thing that is missing blinds many."""
    groups: dict[str, list[Check]] = {}
    for check in checks:
        groups.setdefault(check.seen, []).append(check)
    return [*groups.values()]


def _told(check: Check, *others: Check) -> Text:
    ids = ", ".join(dict.fromkeys(one.id for one in (check, *others)))
    place = (f"{facts.plain(check.file or '')}:{check.line} " if check.line else "", "dim")
    seen = Text.assemble(place, facts.plain(check.seen), " ", (f"[{ids}]", "dim"))
    if check.severity in ("ok", "note"):
        return seen
    matters = "" if others and check.severity == "unknown" else check.matters
    more = " ".join(part for part in (matters, check.advice) if part)
    return Text.assemble(seen, "\n", (facts.plain(more), "dim")) if more else seen
