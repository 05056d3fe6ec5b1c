"""The summary a person reads first: the outcome, why, and then the numbers."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from harness.core.verdict.types import Finding, Verdict
from harness.report import facts, shadows
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


def summary(verdict: Verdict, run_dir: Path, console: Console, *, verbose: bool = False) -> None:
    """Prints one verdict: banner, reasons, how fast, who got hurt, findings, and where the rest is.

    A table that would be empty is left out. `verbose` adds requests, arms and the criteria that are met; where all
    requests were other people's, the arms are what the verdict stands on, and told in any case.
    """
    console.print()
    console.print(Text(f" {facts.headline(verdict)} ", style=_BANNER_STYLES[verdict.result]))
    console.print(_foreign(facts.subject(verdict), style="dim"))
    others = facts.others_traffic(verdict)
    parts = (
        _groups(verdict),
        _reasons(verdict),
        _detection(verdict),
        _requests(verdict) if verbose and not others else (),
        _arms(verdict) if verbose or others else (),
        _hurt(verdict, verbose=verbose),
        (_foreign(said, style="dim") for said in shadows.sentences(verdict)),
        _criteria(verdict, all_=verbose),
        map(_finding, verdict.findings),
    )
    for part in parts:
        _part(part, console)
    console.print()
    console.print(_labelled("Report", str(run_dir / "report.html")), soft_wrap=True)


def _part(lines: Iterable[RenderableType], console: Console) -> None:
    """Prints lines that belong together, below an empty one; nothing of a part without any."""
    for number, line in enumerate(lines):
        if number == 0:
            console.print()
        console.print(line)


def _groups(verdict: Verdict) -> Iterator[RenderableType]:
    if verdict.groups:
        rows = (row[:GROUP_COLUMNS] for row in facts.groups(verdict))
        yield _table("Groups", facts.GROUPS_HEAD[:GROUP_COLUMNS], rows, left=GROUP_COLUMNS)


def _reasons(verdict: Verdict) -> Iterator[RenderableType]:
    if meant_so := facts.meant_so(verdict):
        yield _indented("•", meant_so)
    for reason in verdict.because:
        yield _indented("•", reason)


def _detection(verdict: Verdict) -> Iterator[RenderableType]:
    if not facts.any_step(verdict):
        yield _labelled("Detection", facts.no_step(verdict))
        return
    yield _table("Detection", facts.LEDGER_HEAD, [row for row in facts.ledger(verdict) if row[1] != facts.NOT_MEASURED])
    yield _labelled("Altogether", facts.totals(verdict))


def _requests(verdict: Verdict) -> Iterator[RenderableType]:
    if verdict.traffic.sent:
        yield _table("Requests", facts.MATRIX_HEAD, facts.matrix(verdict))
        yield _labelled("Traffic", facts.traffic(verdict))
    else:
        yield _labelled("Requests", facts.NOTHING_SENT)


def _arms(verdict: Verdict) -> Iterator[RenderableType]:
    if facts.others_traffic(verdict):
        yield _labelled("Requests", facts.OTHERS_SENT)
    if facts.any_arm(verdict):
        head = tuple(name.replace("client ", "client\n") for name in facts.ARMS_HEAD)
        yield _table("Arms over the same time", head, facts.arms(verdict))
    yield _labelled("Told apart", facts.arms_source(verdict))
    yield _labelled("Client latency", facts.latency(verdict))


def _hurt(verdict: Verdict, *, verbose: bool) -> Iterator[RenderableType]:
    if verdict.exposure.failed_requests is None:
        yield _labelled("Exposure", facts.nobody_can_say(verdict))
    else:
        yield _labelled("Exposure", facts.exposure(verdict))
    if verbose and verdict.attribution.counted_errors is not None:
        yield _labelled("Attribution", facts.attribution(verdict))
    if verbose:
        yield _foreign(second_opinion(verdict), style="dim")


def _criteria(verdict: Verdict, *, all_: bool) -> Iterator[RenderableType]:
    """All criteria, or those alone that are not met for certain."""
    rows = [row for row, one in zip(facts.criteria(verdict), verdict.criteria, strict=True) if all_ or not one.met]
    if rows:
        yield _table("Criteria" if all_ else "Criteria not met, or not measured", facts.CRITERIA_HEAD, rows)


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
