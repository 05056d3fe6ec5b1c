"""A run as its reports see it: the timeline replayed and sorted, the verdict on it, and the manifest."""

from dataclasses import dataclass
from functools import cached_property

from harness.core.timeline.events import Event
from harness.core.timeline.rollout import Rollout
from harness.core.verdict.evidence import Evidence
from harness.core.verdict.types import Verdict
from harness.report.folder import Manifest
from harness.report.seconds import Seconds

AFTERWARDS_S = 600.0
"""How much is shown of the time after a release that was over before anybody looked."""


@dataclass(frozen=True)
class JudgedRun:
    """One run, read and judged.

    Events that were read from a folder are added up, and requests come last. `manifest` is None if the folder has none;
    then `asked_in` names the file that was read instead.
    """

    events: list[Event]
    evidence: Evidence
    verdict: Verdict
    manifest: Manifest | None = None
    asked_in: str | None = None

    @property
    def rollout(self) -> Rollout:
        """What CodeDeploy did."""
        return self.evidence.rollout

    @property
    def origin_s(self) -> float:
        """What reports count from: the deployment's creation, or the beginning of a run that saw none."""
        created_s = self.rollout.release.created_s
        return 0.0 if created_s is None else created_s

    @property
    def ends_s(self) -> float:
        """Where reports end: at the end of the run, or soon after a release that was over before the run began."""
        over = self.rollout.release.restored or self.rollout.release.ended
        if over is None or over[1] >= 0:
            return self.evidence.end_s
        return min(self.evidence.until_s, over[1] + AFTERWARDS_S)

    @cached_property
    def seconds(self) -> Seconds:
        """The per-second table."""
        return Seconds(self.evidence, self.events)
