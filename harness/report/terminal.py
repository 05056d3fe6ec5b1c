"""The summary a person reads first: the outcome, why, and then the numbers."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.core.verdict.types import Finding, Verdict
from harness.report import facts
from harness.report.second_opinion import second_opinion

_BANNER_STYLES = {
    "as_expected": "bold black on green",
    "contrary": "bold white on red",
    "inconclusive": "bold black on yellow",
    "aborted": "bold white on red",
}
GROUP_COLUMNS = 5
"""Of the table of groups, so that it fits a terminal; the reports have all."""
_SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def summary(verdict: Verdict, run_dir: Path, console: Console) -> None:
    """Prints one verdict: banner, reasons, detection, traffic, arms, exposure, findings, and where the rest is."""
    console.print()
    console.print(Text(f" {facts.headline(verdict)} ", style=_BANNER_STYLES[verdict.result]))
    console.print(_foreign(facts.subject(verdict), style="dim"))
    if verdict.groups:
        console.print()
        rows = (row[:GROUP_COLUMNS] for row in facts.groups(verdict))
        console.print(_table("Groups", facts.GROUPS_HEAD[:GROUP_COLUMNS], rows, left=GROUP_COLUMNS))
        console.print()
    for reason in verdict.because:
        console.print(_indented("•", reason))
    console.print()
    console.print(_table("Detection", facts.LEDGER_HEAD, facts.ledger(verdict)))
    console.print(_labelled("Altogether", facts.totals(verdict)))
    console.print()
    if facts.others_traffic(verdict):
        console.print(_labelled("Requests", facts.OTHERS_SENT))
    else:
        console.print(_table("Requests", facts.MATRIX_HEAD, facts.matrix(verdict)))
        console.print(_labelled("Traffic", facts.traffic(verdict)))
    console.print()
    console.print(_table("Arms over the same time", facts.ARMS_HEAD, facts.arms(verdict)))
    console.print(_labelled("Told apart", facts.arms_source(verdict)))
    console.print(_labelled("Latency", facts.latency(verdict)))
    console.print(_labelled("Exposure", facts.exposure(verdict)))
    console.print(_labelled("Attribution", facts.attribution(verdict)))
    console.print(_foreign(second_opinion(verdict), style="dim"))
    if verdict.criteria:
        console.print()
        console.print(_table("Criteria", facts.CRITERIA_HEAD, facts.criteria(verdict)))
    if verdict.findings:
        console.print()
        for finding in verdict.findings:
            console.print(_finding(finding))
    console.print()
    console.print(_labelled("Report", str(run_dir / "report.html")), soft_wrap=True)


def brief(verdict: Verdict, run_dir: Path, console: Console) -> None:
    """Prints one verdict in a line, and what is wrong: the reasons of one that is not as expected, and all errors."""
    console.print(_foreign(facts.headline(verdict), style="bold"), soft_wrap=True)
    for reason in verdict.because if verdict.exit_code else ():
        console.print(_indented("•", reason))
    for finding in verdict.findings:
        if finding.severity == "error":
            console.print(_finding(finding))
    console.print(_labelled("Report", str(run_dir / "report.html")), soft_wrap=True)


def overview(verdicts: Sequence[Verdict], console: Console) -> None:
    """Prints several verdicts as one table, a row each."""
    console.print()
    console.print(_table("All runs", facts.RUNS_HEAD, map(facts.run, verdicts), left=4, gap=1))


def _table(title: str, head: facts.Row, rows: Iterable[facts.Row], *, left: int = 1, gap: int = 2) -> Table:
    """A table whose first `left` columns are text and the others numbers, `gap` apart."""
    padding = (0, gap, 0, 0)
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=padding, pad_edge=False)
    for index, name in enumerate(head):
        table.add_column(name, justify="left" if index < left else "right", header_style="dim")
    for row in rows:
        table.add_row(*(_foreign(cell) for cell in row))
    return table


def _finding(finding: Finding) -> Table:
    label = Text(finding.severity, style=_SEVERITY_STYLES[finding.severity])
    text = Text.assemble(_foreign(finding.text), " ", (f"[{facts.plain(finding.id)}]", "dim"))
    return _columns(label, text, width=7)


def _labelled(label: str, text: str) -> Text:
    return Text.assemble((f"{label}: ", "dim"), _foreign(text))


def _indented(mark: str, text: str) -> Table:
    return _columns(Text(mark), _foreign(text), width=1)


def _columns(left: Text, right: Text, *, width: int) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=width, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(left, right)
    return grid


def _foreign(text: str, *, style: str = "") -> Text:
    """Text as it is: no markup, no control characters."""
    return Text(facts.plain(text), style=style)
