"""Judges a run from its timeline: from the events of one, or from the folder that keeps them."""

from harness.core.experiment.types import Experiment
from harness.core.timeline.events import Event
from harness.core.timeline.rollout import replay
from harness.core.verdict.evidence import evidence_of
from harness.core.verdict.judge import judge_sorted
from harness.core.verdict.whose import Whose
from harness.report.folder import Manifest, RunFolder
from harness.report.judged_run import JudgedRun


def judged(
    experiment: Experiment,
    events: list[Event],
    manifest: Manifest | None = None,
    asked_in: str | None = None,
    whose: Whose | None = None,
) -> JudgedRun:
    """A run of these events, judged; of one of several groups, `whose` says which requests are its."""
    evidence = evidence_of(experiment, events, replay(events), whose)
    return JudgedRun(events, evidence, judge_sorted(evidence, events), manifest, asked_in)


def read(folder: RunFolder) -> JudgedRun:
    """The run that a folder holds, judged from its timeline alone; raises UsageError or TimelineError."""
    return read_as(folder, folder.read_experiment())


def read_as(folder: RunFolder, experiment: Experiment) -> JudgedRun:
    """The same, where the experiment is known."""
    manifest = folder.read_manifest() if folder.manifest.exists() else None
    return judged(experiment, folder.read_condensed(), manifest, folder.asked_in.name)
