"""The end of a run: from its timeline to its verdict and reports, the same again whenever it is asked."""

from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from harness.core.experiment.types import Experiment
from harness.core.timeline.events import ExitAsked, RunEnded
from harness.core.verdict.groups import views
from harness.core.verdict.types import Verdict
from harness.report.chart import chart
from harness.report.folder import RunFolder
from harness.report.in_words import faults, occasion
from harness.report.judged_run import JudgedRun
from harness.report.judging import judged, read_as
from harness.report.junit import junit
from harness.report.markdown import markdown
from harness.report.masked_experiment import without_secrets
from harness.report.odds_of_run import odds_of
from harness.report.page import page
from harness.report.recommended import recommendation
from harness.report.shelf import write_index
from harness.report.templating import load_templates
from harness.streams import tell


def load_ahead() -> None:
    """Loads what the end of a run needs, before anything is broken: later there may be no descriptor or memory left."""
    import scipy.special  # noqa: F401 - judging uses it

    load_templates()


def finish(folder: RunFolder, experiment: Experiment) -> Verdict:
    """Judges the timeline of a run folder and writes verdict.json and all reports into it.

    The list of all runs is brought up to date as well, where the folder stands among others.
    """
    run = read_as(folder, without_secrets(experiment))
    write(folder, run)
    return run.verdict


def finish_with(folder: RunFolder, experiment: Experiment, *lasts: RunEnded | ExitAsked) -> Verdict:
    """The same of a timeline that nobody writes any more, after these events were added, dated at its end."""
    at_s = max((event.at_s for event in folder.read_events()), default=0.0)
    for event in lasts:
        folder.append(replace(event, at_s=at_s))
    return finish(folder, experiment)


def groups(run: JudgedRun) -> Iterator[tuple[str, JudgedRun]]:
    """The run as each of its deployment groups sees it, by name; nothing where there is but one."""
    experiment = run.evidence.experiment
    if not experiment.also:
        return
    for view in views(experiment, run.events):
        yield view.name, judged(view.experiment, view.events, run.manifest, run.asked_in, view.whose)


def write(folder: RunFolder, run: JudgedRun, *, odds: bool = False) -> None:
    """Writes all reports of a run and of each of its groups, and brings the list of all runs up to date.

    With `odds` their pages show the chances of a release like this one, too, which takes some seconds. Raises OSError
    where nothing can be written.
    """
    _write(folder, run, odds=odds)
    for name, group in groups(run):
        _write(folder.within(name), group, odds=odds)
    if folder.root:
        _list(folder.root)


def _list(root: Path) -> None:
    """Brings the list of all runs up to date. It tells of other runs, so what is wrong with it fails nothing here."""
    try:
        write_index(root)
    except (OSError, ValueError) as error:
        tell(f"canary-harness: the list of all runs in {root} is not up to date: {error}")


def _write(folder: RunFolder, run: JudgedRun, *, odds: bool) -> None:
    folder.write_verdict(run.verdict)
    advised = recommendation(run)
    folder.write_text(folder.markdown, markdown(run.verdict, faults(run), occasion(run), advised))
    folder.write_text(folder.junit, junit(run.verdict))
    folder.write_text(folder.page, page(run, chart(run), advised, odds_of(run) if odds else None))
