"""The end of a run: why it is over, and the verdict that it leaves."""

import logging
from collections.abc import Callable

from harness.core.experiment.types import Experiment
from harness.core.timeline.events import RunEnded, Signal, Why
from harness.core.verdict.types import Verdict
from harness.errors import HarnessError
from harness.report.actions import announce
from harness.report.finish import finish
from harness.report.folder import RunFolder
from harness.traffic.steering import Timebase

log = logging.getLogger(__name__)


class Ending:
    """Why a run is over; the first reason counts. `on_over` is called once, when somebody ends the run."""

    def __init__(self, base: Timebase, on_over: Callable[[RunEnded], None]) -> None:
        self.over: RunEnded | None = None
        self._base = base
        self._on_over = on_over

    def end(self, why: Why, detail: str = "", signal: Signal | None = None) -> None:
        """Ends the run."""
        if self.over is None:
            self._on_over(self.note(why, detail, signal))

    def note(self, why: Why, detail: str = "", signal: Signal | None = None) -> RunEnded:
        """Notes that the run is over already, and calls nobody; the reason that counts."""
        if self.over is None:
            self.over = RunEnded(at_s=self._base.now_s(), why=why, detail=detail, signal=signal)
        return self.over


def conclude(folder: RunFolder, experiment: Experiment) -> Verdict | None:
    """Judges a run whose timeline is complete, reports it and tells others; None where it cannot be judged."""
    try:
        verdict = finish(folder, experiment)
    except HarnessError as error:
        log.error("no verdict: %s", error)
        return None
    log.info("%s, %s: %s", verdict.outcome, verdict.call, " ".join(verdict.because))
    log.info("Report: %s", folder.page)
    try:
        announce(verdict, folder)
    except HarnessError as error:  # the verdict stands all the same
        log.error("%s", error)
    return verdict
