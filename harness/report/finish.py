"""The end of a run: from its timeline to its verdict and reports, the same again whenever it is asked."""

from collections.abc import Iterator

from msgspec.structs import replace

from harness.core.experiment import Experiment
from harness.core.groups import alone, events_of, name_of, others
from harness.core.timeline import Event, RunEnded
from harness.core.verdict import Verdict
from harness.report.chart import Spec, chart
from harness.report.folder import Manifest, RunFolder
from harness.report.history import History, history
from harness.report.junit import junit
from harness.report.markdown import markdown
from harness.report.page import page
from harness.report.shelf import write_index


def finish(folder: RunFolder, experiment: Experiment) -> Verdict:
    """Judges the timeline of a run folder and writes verdict.json and all reports into it.

    The list of all runs is brought up to date as well, where the folder stands among others.
    """
    manifest = folder.read_manifest() if folder.manifest.exists() else None
    run = history(experiment, folder.read_events(), manifest)
    write(folder, run)
    for name, group in groups(experiment, run.events, manifest):
        write(folder.within(name), group)
    return run.verdict


def finish_for(folder: RunFolder, experiment: Experiment, ended: RunEnded) -> Verdict:
    """The same in the place of a run's own process that could not: its timeline ends with `ended`, after all it has."""
    at_s = max((event.at_s for event in folder.read_events()), default=0.0)
    folder.append(replace(ended, at_s=at_s))
    return finish(folder, experiment)


def groups(experiment: Experiment, events: list[Event], manifest: Manifest | None) -> Iterator[tuple[str, History]]:
    """The run as each of its deployment groups sees it, by name; nothing where there is but one."""
    if not experiment.also:
        return
    yield name_of(experiment.deployment, 0), history(alone(experiment), events, manifest)
    for name, seen in others(experiment).items():
        yield name, history(seen, [*events_of(name, seen.deployment, events)], manifest)


def write(folder: RunFolder, run: History) -> Spec | None:
    """Writes verdict.json, report.md, junit.xml and report.html, the verdict first; gives the chart that it drew."""
    folder.write_verdict(run.verdict)
    folder.write_text(folder.markdown, markdown(run.verdict))
    folder.write_text(folder.junit, junit(run.verdict))
    spec = chart(run)
    folder.write_text(folder.page, page(run, spec))
    if folder.root:
        write_index(folder.root)
    return spec
