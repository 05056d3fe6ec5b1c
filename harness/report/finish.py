"""The end of a run: from its timeline to its verdict and reports, the same again whenever it is asked."""

from harness.core.experiment import Experiment
from harness.core.judge import judge
from harness.core.verdict import Verdict
from harness.report.folder import RunFolder
from harness.report.markdown import markdown


def finish(folder: RunFolder, experiment: Experiment) -> Verdict:
    """Judges the timeline of a run folder and writes verdict.json and report.md into it."""
    verdict = judge(experiment, folder.read_events())
    folder.write_verdict(verdict)
    folder.write_markdown(markdown(verdict))
    return verdict
