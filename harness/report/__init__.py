"""A verdict made readable: terminal, HTML, Markdown, JUnit, tables; `frames` is the way in for notebooks."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.report.tables import Frames

__all__ = ["frames"]


def frames(run: str | Path) -> "Frames":
    """The tables of a run folder, such as `reports/latest`, as pandas frames; see `Frames` for columns and units.

    Everything is made from the timeline alone. Raises UsageError where there is no run, TimelineError where its
    timeline cannot be read.
    """
    from harness.report.folder import RunFolder
    from harness.report.judging import read
    from harness.report.tables import frames_of

    return frames_of(read(RunFolder.open(Path(run))))
