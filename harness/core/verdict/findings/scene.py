"""What a check of the findings looks at, and the words in which it answers."""

from collections.abc import Callable

from msgspec import Struct

from harness.core.verdict.evidence import Evidence
from harness.core.verdict.harm import Harm
from harness.core.verdict.measure import Measures
from harness.core.verdict.types import Finding, Severity


class Scene(Struct, frozen=True):
    """All that a check may look at."""

    evidence: Evidence
    measures: Measures
    harm: Harm


Check = Callable[[Scene], Finding | None]


def finding(id_: str, severity: Severity, text: str) -> Finding:
    """What a check found."""
    return Finding(id=id_, severity=severity, text=text)


def error(id_: str, text: str) -> Finding:
    """What makes the verdict less than it seems, or the release less safe."""
    return finding(id_, "error", text)


def warning(id_: str, text: str) -> Finding:
    """What should be mended."""
    return finding(id_, "warning", text)


def note(id_: str, text: str) -> Finding:
    """What should be known."""
    return finding(id_, "note", text)
