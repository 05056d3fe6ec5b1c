"""The names of the deployment groups of one run, each of which gets a folder of its own within the run folder."""

import re
from collections.abc import Iterable, Iterator

from harness.core.experiment.shape import shown
from harness.core.experiment.types import Deployment
from harness.errors import ExperimentError

LONGEST_BYTES = 200
"""A file system takes names of 255 bytes; CodeDeploy's have at most 100 characters."""
FILES_OF_A_RUN = frozenset(
    {"manifest.json", "experiment.yaml", "timeline.jsonl", "command.log", "locust.log", "healed.jsonl", "verdict.json"}
    | {"report.html", "report.md", "junit.xml"}
    | {"locust.json"}  # Locust writes this one itself
)


def name_of(deployment: Deployment, index: int) -> str:
    """What a group of a run is called: by its name, or else by what leads to it."""
    return deployment.group or deployment.function or deployment.application or f"also[{index}]"


def inner_name(group: str) -> str:
    """The name of a group's own folder within the run folder; it never leads out of it."""
    name = re.sub(r"[^\w.-]", "_", group)
    return name if name.strip(".") else "_" * max(1, len(name))


def about_names(groups: Iterable[tuple[str, str | None]]) -> Iterator[ExperimentError]:
    """What is wrong with the names of several groups, each given with its path; one without a name is passed over."""
    taken: dict[str, str] = {}
    for path, group in groups:
        if group is None:
            continue
        if problem := _problem(group):
            yield ExperimentError(path, f"{problem}, got {shown(group)}")
            continue
        folder = inner_name(group).casefold()  # file systems of Macs and Windows do not tell cases apart
        if folder in taken and taken[folder] == group:
            yield ExperimentError("also", f"the deployment group {group} is given twice")
        elif folder in taken:
            problem = f"would get the same folder as the group {shown(taken[folder])}; rename one, or watch it apart"
            yield ExperimentError(path, f"{shown(group)} {problem}")
        taken.setdefault(folder, group)


def _problem(group: str) -> str | None:
    if not group.strip("."):
        return "must be more than dots: each group gets a folder of its name"
    if group.casefold() in FILES_OF_A_RUN:
        return "must not be the name of a file of the run folder"
    if len(inner_name(group).encode(errors="replace")) > LONGEST_BYTES:
        return f"must be at most {LONGEST_BYTES} bytes long: each group gets a folder of its name"
    return None
