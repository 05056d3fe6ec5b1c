"""Several runs side by side: what got better or worse than in the first of them, and which findings came and went."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from harness.core.experiment.types import Call, Outcome
from harness.core.timeline.bounds import Bounds
from harness.core.verdict.types import SEVERITIES, Finding, Severity, Verdict, result_in_words
from harness.errors import ExitCode
from harness.report import facts

Change = Literal["same", "better", "worse", "unknown"]
TOLERANCE = 0.2
EXPERIMENT = "experiment"
SLACK_MS = 5.0
"""Latencies this close to each other are the same: machines differ by that much from one minute to the next."""


class Measure(Struct, frozen=True):
    """A number by which runs are compared: more is worse. A difference up to `slack` never counts."""

    name: str
    value: Callable[[Verdict], Bounds | None]
    told: Callable[[Bounds], str]
    slack: float = 0.0


class Cell(Struct, frozen=True):
    """A number of one run, and how it changed since the first run."""

    told: str
    change: Change = "same"


class ComparedLine(Struct, frozen=True):
    """One number of all runs, in their order."""

    name: str
    cells: tuple[Cell, ...]


class Came(Finding, frozen=True, kw_only=True):
    """A finding that the first run did not have, and the later runs that have it."""

    runs: tuple[str, ...]


class Turned(Struct, frozen=True, kw_only=True):
    """A finding that the first run had with another severity, `before`, and the later runs that have it so."""

    finding: Finding
    before: Severity
    runs: tuple[str, ...]


class Comparison(Struct, frozen=True, kw_only=True):
    """Runs side by side against the first one.

    `came` and `turned` are findings of any later run, `went` those of the first that the last no longer has.
    """

    names: tuple[str, ...]
    tolerance: float
    lines: tuple[ComparedLine, ...]
    came: tuple[Came, ...]
    went: tuple[Finding, ...]
    turned: tuple[Turned, ...]
    regressions: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def exit_code(self) -> ExitCode:
        """3 on a regression, 4 where a number of the first run is missing in a later one, else 0."""
        if self.regressions:
            return ExitCode.CONTRARY
        return ExitCode.INCONCLUSIVE if self.unknown else ExitCode.AS_EXPECTED


def _exactly(value: float | None) -> Bounds | None:
    return None if value is None else (value, value)


def _count(bounds: Bounds) -> str:
    return facts.count(round(bounds[0]))


def _share(bounds: Bounds) -> str:
    return facts.percent(bounds[0])


def _ms(bounds: Bounds) -> str:
    return f"{facts.number(bounds[0])} ms"


MEASURES: tuple[Measure, ...] = (
    Measure("time to detect", lambda verdict: verdict.detection.time_to_detect_s, facts.span),
    Measure("time to roll back", lambda verdict: verdict.detection.time_to_roll_back_s, facts.span),
    Measure("failed requests", lambda verdict: _exactly(verdict.exposure.failed_requests), _count),
    Measure("failed good requests", lambda verdict: _exactly(verdict.exposure.failed_good_requests), _count),
    Measure("personas hit", lambda verdict: _exactly(verdict.exposure.users), _count),
    Measure("blast radius", lambda verdict: _exactly(verdict.exposure.blast_radius), _share),
    Measure("error budget used", lambda verdict: _exactly(verdict.exposure.error_budget_share), _share),
    Measure("baseline p95", lambda verdict: _exactly(verdict.arms.baseline.p95_ms), _ms, SLACK_MS),
    Measure("canary p50", lambda verdict: _exactly(verdict.arms.canary.p50_ms), _ms, SLACK_MS),
    Measure("canary p95", lambda verdict: _exactly(verdict.arms.canary.p95_ms), _ms, SLACK_MS),
    Measure("canary p99", lambda verdict: _exactly(verdict.arms.canary.p99_ms), _ms, SLACK_MS),
)
_RANKS = {"as_expected": 0, "inconclusive": 1, "contrary": 2, "aborted": 2}
_LEFT_SPLIT = (Outcome.STOPPED, Outcome.FAILED)
_NO_OUTCOME = (Outcome.NOT_STARTED, Outcome.UNKNOWN)
_WRONG = (Call.MISSED, Call.FALSE_ALARM)


def compare(runs: Sequence[tuple[Path, Verdict]], tolerance: float = TOLERANCE) -> Comparison:
    """Compares later runs with the first: worse is what is more than `tolerance` (a share) above it for certain."""
    verdicts, names = [verdict for _, verdict in runs], tuple("/".join(path.resolve().parts[-2:]) for path, _ in runs)
    first, later = verdicts[0], [*zip(names, verdicts, strict=True)][1:]
    lines = (*_words(verdicts), *(_line(measure, verdicts, tolerance) for measure in MEASURES))
    came, turned = tuple(_came(first, later)), tuple(_turned(first, later))
    errors = [finding.id for finding in (*came, *(each.finding for each in turned)) if finding.severity == "error"]
    after = _worst(verdicts[-1].findings)
    return Comparison(
        names=names,
        tolerance=tolerance,
        lines=lines,
        came=came,
        went=tuple(finding for finding in first.findings if finding.id not in after),
        turned=turned,
        regressions=(*_regressions(lines, "worse"), *(f"finding {id_}" for id_ in dict.fromkeys(errors))),
        unknown=tuple(_regressions(lines, "unknown")),
    )


def _came(first: Verdict, later: Sequence[tuple[str, Verdict]]) -> Iterator[Came]:
    before = _worst(first.findings)
    new = ((name, each) for name, verdict in later for each in verdict.findings if each.id not in before)
    for finding, runs in _by_finding(new).items():
        yield Came(id=finding.id, severity=finding.severity, text=finding.text, runs=runs)


def _turned(first: Verdict, later: Sequence[tuple[str, Verdict]]) -> Iterator[Turned]:
    before = _worst(first.findings)
    known = ((name, each) for name, verdict in later for each in _worst(verdict.findings).values() if each.id in before)
    other = ((name, each) for name, each in known if each.severity != before[each.id].severity)
    for finding, runs in _by_finding(other).items():
        yield Turned(finding=finding, before=before[finding.id].severity, runs=runs)


def _by_finding(found: Iterable[tuple[str, Finding]]) -> dict[Finding, tuple[str, ...]]:
    """Each finding once, and the runs that have it word for word."""
    runs: dict[Finding, tuple[str, ...]] = {}
    for name, finding in found:
        if name not in runs.setdefault(finding, ()):
            runs[finding] += (name,)
    return runs


def _worst(findings: Sequence[Finding]) -> dict[str, Finding]:
    """Findings by their ids; of several with the same id the worst."""
    by_severity = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity), reverse=True)
    return {finding.id: finding for finding in by_severity}


def _words(verdicts: Sequence[Verdict]) -> Iterator[ComparedLine]:
    first = verdicts[0]
    outcomes = (Cell(facts.words(each.outcome), _outcome_changed(each, first)) for each in verdicts)
    calls = (Cell(facts.words(each.call), _called(each.call, first.call)) for each in verdicts)
    results = (Cell(result_in_words(each), _result_changed(each, first)) for each in verdicts)
    yield ComparedLine(EXPERIMENT, tuple(Cell(verdict.experiment) for verdict in verdicts))
    yield ComparedLine("outcome", tuple(outcomes))
    yield ComparedLine("call", tuple(calls))
    yield ComparedLine("result", tuple(results))


def _outcome_changed(verdict: Verdict, first: Verdict) -> Change:
    """Whether another outcome is better or worse.

    An alias left split is worse than either end. Which end is better, only the call and the expectation can tell.
    """
    if verdict.outcome == first.outcome:
        return "same"
    if verdict.outcome in _NO_OUTCOME:
        return "unknown"
    if verdict.outcome in _LEFT_SPLIT and first.outcome in (Outcome.PROMOTED, Outcome.ROLLED_BACK):
        return "worse"
    called = _called(verdict.call, first.call)
    return called if called in ("better", "worse") else _result_changed(verdict, first)


def _called(call: Call, base: Call) -> Change:
    if call == base:
        return "same"
    if call in _WRONG:
        return "worse"
    if call == Call.INCONCLUSIVE:
        return "same" if base in _WRONG else "unknown"
    return "better" if base in _WRONG else "same"


def _result_changed(verdict: Verdict, first: Verdict) -> Change:
    return _ranked(_RANKS[verdict.result], _RANKS[first.result])


def _ranked(rank: int, base: int) -> Change:
    if rank == base:
        return "same"
    return "worse" if rank > base else "better"


def _line(measure: Measure, verdicts: Sequence[Verdict], tolerance: float) -> ComparedLine:
    base = measure.value(verdicts[0])
    values = [measure.value(verdict) for verdict in verdicts]
    cells = (
        Cell(measure.told(value) if value else facts.NOT_MEASURED, _changed(value, base, tolerance, measure.slack))
        for value in values
    )
    return ComparedLine(measure.name, tuple(cells))


def _changed(value: Bounds | None, base: Bounds | None, tolerance: float, slack: float) -> Change:
    if base is None:
        return "same"
    if value is None:
        return "unknown"
    if value[0] > base[1] * (1 + tolerance) + slack:
        return "worse"
    return "better" if value[1] < base[0] * (1 - tolerance) - slack else "same"


def _regressions(lines: Sequence[ComparedLine], change: Change) -> Iterator[str]:
    for line in lines:
        if any(cell.change == change for cell in line.cells):
            yield line.name
