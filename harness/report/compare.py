"""Several runs side by side: what got better or worse than in the first ones, and which findings came and went."""

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import asdict

from harness.core.experiment.types import Call, Outcome
from harness.core.verdict.types import Finding, Verdict, result_in_words
from harness.errors import ExitCode
from harness.report import facts
from harness.report.compared_findings import Came, Turned, came, turned, worst
from harness.report.compared_numbers import MEASURES, Cell, Change, ComparedLine, compared_line, rule
from harness.report.compared_runs import ComparedRun, differences

TOLERANCE = 0.2
EXPERIMENT = "experiment"


class Comparison(Struct, frozen=True, kw_only=True):
    """Runs side by side against the first `before` of them; `rule` says in words when a number is worse.

    `lines` are held against the first runs, `arms` only tell how both versions answered.
    `came` and `turned` are findings of any later run, `went` those of the runs before that the last no longer has.
    `unknown` are numbers that a later run does not have, `incomparable` those that came about at another speed.
    """

    names: tuple[str, ...]
    before: int
    tolerance: float
    rule: str
    differences: tuple[str, ...]
    lines: tuple[ComparedLine, ...]
    arms: tuple[ComparedLine, ...]
    came: tuple[Came, ...]
    went: tuple[Finding, ...]
    turned: tuple[Turned, ...]
    regressions: tuple[str, ...]
    unknown: tuple[str, ...]
    incomparable: tuple[str, ...]

    @property
    def exit_code(self) -> ExitCode:
        """3 on a regression, 4 where a number cannot be compared, else 0."""
        if self.regressions:
            return ExitCode.CONTRARY
        return ExitCode.INCONCLUSIVE if self.unknown or self.incomparable else ExitCode.AS_EXPECTED


def compare(runs: Sequence[ComparedRun], tolerance: float = TOLERANCE, before: int = 1) -> Comparison:
    """Compares later runs with the first `before`: worse is what is more than `tolerance` (a share) above for certain.

    There is at least one later run.
    """
    first, later = runs[:before], runs[before:]
    lines = (
        *_conditions(runs),
        *_words(first, later),
        *(compared_line(measure, first, later, tolerance) for measure in MEASURES),
    )
    known = worst(finding for run in first for finding in run.verdict.findings)
    new, changed = tuple(came(known, later)), tuple(turned(known, later))
    errors = [finding.id for finding in (*new, *(each.finding for each in changed)) if finding.severity == "error"]
    after = worst(runs[-1].verdict.findings)
    return Comparison(
        names=tuple(run.name for run in runs),
        before=before,
        tolerance=tolerance,
        rule=rule(tolerance, before),
        differences=tuple(differences(runs)),
        lines=lines,
        arms=tuple(_arms(runs)),
        came=new,
        went=tuple(finding for finding in _each_once(first) if finding.id not in after),
        turned=changed,
        regressions=(*_having(lines, "worse"), *(f"finding {id_}" for id_ in dict.fromkeys(errors))),
        unknown=tuple(_having(lines, "unknown")),
        incomparable=tuple(_having(lines, "incomparable")),
    )


def _each_once(runs: Sequence[ComparedRun]) -> list[Finding]:
    return list(dict.fromkeys(finding for run in runs for finding in run.verdict.findings))


def _having(lines: Sequence[ComparedLine], change: Change) -> Iterator[str]:
    for line in lines:
        if any(cell.change == change for cell in line.cells):
            yield line.name


def _conditions(runs: Sequence[ComparedRun]) -> Iterator[ComparedLine]:
    """Under which conditions each run was made; what is not that of the first run is marked."""
    yield ComparedLine(EXPERIMENT, tuple(Cell(run.verdict.experiment) for run in runs))
    for name, first in asdict(runs[0].conditions).items():
        told = [getattr(run.conditions, name) for run in runs]
        changes: list[Change] = ["differs" if each and first and each != first else "same" for each in told]
        cells = (Cell(each or facts.NOT_MEASURED, change) for each, change in zip(told, changes, strict=True))
        yield ComparedLine(name, tuple(cells))


def _arms(runs: Sequence[ComparedRun]) -> Iterator[ComparedLine]:
    """What is told of each arm in every report, run by run."""
    told = [facts.arms(run.verdict) for run in runs]
    for number, arm in enumerate(("baseline", "canary")):
        for column, name in enumerate(facts.ARMS_HEAD[1:], 1):
            yield ComparedLine(f"{arm}, {name}", tuple(Cell(arms[number][column]) for arms in told))


# Outcome, call and result

Changed = Callable[[Verdict, Verdict], Change]


def _words(before: Sequence[ComparedRun], later: Sequence[ComparedRun]) -> Iterator[ComparedLine]:
    words: tuple[tuple[str, Callable[[Verdict], str], Changed], ...] = (
        ("outcome", lambda verdict: facts.words(verdict.outcome), _outcome_changed),
        ("call", lambda verdict: facts.words(verdict.call), _call_changed),
        ("result", result_in_words, _result_changed),
    )
    for name, told, changed in words:
        cells = (Cell(told(run.verdict), _since(before, run.verdict, changed)) for run in later)
        yield ComparedLine(name, (*(Cell(told(run.verdict)) for run in before), *cells))


def _since(before: Sequence[ComparedRun], verdict: Verdict, changed: Changed) -> Change:
    """The same as in any run before is no change; else it is held against the first."""
    changes = [changed(verdict, run.verdict) for run in before]
    return "same" if "same" in changes else changes[0]


_RANKS = {"as_expected": 0, "inconclusive": 1, "contrary": 2, "aborted": 2}
_LEFT_SPLIT = (Outcome.STOPPED, Outcome.FAILED)
_NO_OUTCOME = (Outcome.NOT_STARTED, Outcome.UNKNOWN)
_WRONG = (Call.MISSED, Call.FALSE_ALARM)


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
    called = _call_changed(verdict, first)
    return called if called in ("better", "worse") else _result_changed(verdict, first)


def _call_changed(verdict: Verdict, first: Verdict) -> Change:
    call, base = verdict.call, first.call
    if call == base:
        return "same"
    if call in _WRONG:
        return "worse"
    if call == Call.INCONCLUSIVE:
        return "same" if base in _WRONG else "unknown"
    return "better" if base in _WRONG else "same"


def _result_changed(verdict: Verdict, first: Verdict) -> Change:
    rank, base = _RANKS[verdict.result], _RANKS[first.result]
    if rank == base:
        return "same"
    return "worse" if rank > base else "better"
