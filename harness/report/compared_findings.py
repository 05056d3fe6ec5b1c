"""Which findings came, went and changed from the runs that are the measure to later ones."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from harness.core.verdict.types import SEVERITIES, Finding, Severity
from harness.report.compared_runs import ComparedRun


class Came(Finding, frozen=True, kw_only=True):
    """A finding that no run before had, and the later runs that have it."""

    runs: tuple[str, ...]


class Turned(Struct, frozen=True, kw_only=True):
    """A finding that the runs before had with another severity, `before`, and the later runs that have it so."""

    finding: Finding
    before: Severity
    runs: tuple[str, ...]


def came(before: Mapping[str, Finding], later: Sequence[ComparedRun]) -> Iterator[Came]:
    """Findings of any later run that are new."""
    new = ((run.name, each) for run in later for each in run.verdict.findings if each.id not in before)
    for finding, runs in _by_finding(new).items():
        yield Came(id=finding.id, severity=finding.severity, text=finding.text, runs=runs)


def turned(before: Mapping[str, Finding], later: Sequence[ComparedRun]) -> Iterator[Turned]:
    """Findings of any later run that are of another severity."""
    known = ((run.name, each) for run in later for each in worst(run.verdict.findings).values() if each.id in before)
    other = ((name, each) for name, each in known if each.severity != before[each.id].severity)
    for finding, runs in _by_finding(other).items():
        yield Turned(finding=finding, before=before[finding.id].severity, runs=runs)


def worst(findings: Iterable[Finding]) -> dict[str, Finding]:
    """Findings by their ids; of several with the same id the worst."""
    by_severity = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity), reverse=True)
    return {finding.id: finding for finding in by_severity}


def _by_finding(found: Iterable[tuple[str, Finding]]) -> dict[Finding, tuple[str, ...]]:
    """Each finding once, and the runs that have it word for word."""
    runs: dict[Finding, tuple[str, ...]] = {}
    for name, finding in found:
        if name not in runs.setdefault(finding, ()):
            runs[finding] += (name,)
    return runs
