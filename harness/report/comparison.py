"""Runs side by side for people: on the terminal, and as a page."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.errors import ExitCode
from harness.report import facts
from harness.report.compare import EXPERIMENT, Comparison
from harness.report.compared_findings import Came, Turned
from harness.report.compared_numbers import Change, ComparedLine
from harness.report.compared_runs import ComparedRun
from harness.report.comparison_chart import comparison_charts
from harness.report.drawing import inline_svg
from harness.report.templating import render

_MARKS: dict[Change, str] = {
    "same": "",
    "better": "better",
    "worse": "WORSE",
    "unknown": "not measured",
    "differs": "differs",
    "incomparable": "",
}
_STYLES: dict[Change, str] = {
    "same": "",
    "better": "green",
    "worse": "bold red",
    "unknown": "yellow",
    "differs": "yellow",
    "incomparable": "yellow",
}
_HEADLINES = {
    ExitCode.AS_EXPECTED: "No regression",
    ExitCode.CONTRARY: "Regression",
    ExitCode.INCONCLUSIVE: "Not comparable",
}
_BANNERS = {
    ExitCode.AS_EXPECTED: "bold black on green",
    ExitCode.CONTRARY: "bold white on red",
    ExitCode.INCONCLUSIVE: "bold black on yellow",
}


def headline(comparison: Comparison) -> str:
    """What came out, in two words."""
    return _HEADLINES[comparison.exit_code]


def because(comparison: Comparison) -> str:
    """Why, in a sentence; and in others that experiments or conditions differ, where they do."""
    told = (_changes(comparison), _speeds(comparison), _experiments(comparison), _conditions(comparison))
    return " ".join(filter(None, told))


def _changes(comparison: Comparison) -> str:
    beyond = f"beyond the tolerance of {facts.percent(comparison.tolerance)}"
    if comparison.regressions:
        return f"Worse {beyond}: {', '.join(comparison.regressions)}."
    if comparison.unknown:
        return f"Measured before and not in a later run: {', '.join(comparison.unknown)}."
    return f"Nothing {'else ' if comparison.incomparable else ''}is worse than before {beyond}."


def _speeds(comparison: Comparison) -> str:
    names = ", ".join(comparison.incomparable)
    return f"Latencies of different speeds are not compared: {names}." if names else ""


def _experiments(comparison: Comparison) -> str:
    names = dict.fromkeys(cell.told for line in comparison.lines if line.name == EXPERIMENT for cell in line.cells)
    if len(names) < 2:
        return ""
    return f"The runs are of different experiments ({', '.join(names)}), so what differs may be their doing."


def _conditions(comparison: Comparison) -> str:
    differ = ", ".join(comparison.differences)
    return f"The runs were not made alike: {differ}." if differ else ""


def compared_page(comparison: Comparison, runs: Sequence[ComparedRun] = (), links: Sequence[str] = ()) -> str:
    """The comparison as a page of its own, with charts of the `runs`; `links` lead to their reports, "" to none."""
    return render(
        "compare.html",
        title=f"{headline(comparison)}: {len(comparison.names)} runs compared",
        comparison=comparison,
        headline=headline(comparison),
        because=because(comparison),
        facts=facts,
        links=links or [""] * len(comparison.names),
        charts=[(title, inline_svg(spec)) for title, spec in comparison_charts(runs)],
        marks=_MARKS,
        turned=_turned,
        in_runs=_runs,
    )


def show(comparison: Comparison, console: Console) -> None:
    """Prints the comparison: what came out, the numbers, and findings that came and went."""
    console.print()
    told = f" {headline(comparison).upper()} (exit {comparison.exit_code:d}) "
    console.print(Text(told, style=_BANNERS[comparison.exit_code]))
    console.print(Text(facts.plain(because(comparison))))
    console.print()
    console.print(_table(comparison.names, comparison.lines))
    console.print(Text(comparison.rule, style="dim"))
    console.print()
    console.print(_table(comparison.names, comparison.arms))
    for told in _findings(comparison):
        console.print(Text(facts.plain(told)))


def _findings(comparison: Comparison) -> Iterator[str]:
    for came in comparison.came:
        yield f"finding came{_runs(came, comparison)}: {came.id} ({came.severity}): {came.text}"
    for went in comparison.went:
        yield f"finding went: {went.id} ({went.severity}): {went.text}"
    for each in comparison.turned:
        yield f"finding changed{_runs(each, comparison)}: {each.finding.id} ({_turned(each)}): {each.finding.text}"


def _runs(seen: Came | Turned, comparison: Comparison) -> str:
    """Which of several later runs have a finding."""
    return f" in {', '.join(seen.runs)}" if len(comparison.names) > 2 else ""


def _turned(each: Turned) -> str:
    return f"{each.before} → {each.finding.severity}"


def _table(names: Sequence[str], lines: Sequence[ComparedLine]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("")
    for name in names:
        table.add_column(Text(facts.plain(name)), justify="right", overflow="fold", header_style="dim")
    for line in lines:
        table.add_row(line.name, *(_cell(cell.told, cell.change) for cell in line.cells))
    return table


def _cell(told: str, change: Change) -> Text:
    mark = _MARKS[change]
    return Text(facts.plain(f"{told} {mark}" if mark else told), style=_STYLES[change])
