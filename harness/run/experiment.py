"""The experiment of a run, with what the person who started it said beside it."""

from pathlib import Path

from msgspec import Struct

from harness.core.experiment.planned_writes import writes_of
from harness.core.experiment.types import Experiment
from harness.core.timeline.clock import Clock
from harness.errors import UsageError


class Settings(Struct, frozen=True, kw_only=True):
    """What the options say, checked.

    `rehearsal` says that somebody gave the clock, `free_terminal` that Locust prints no table while the test lasts.
    `run_dir` is an existing run folder; without it one is made below `reports`.
    """

    experiment: Experiment
    clock: Clock
    rehearsal: bool
    free_terminal: bool = False
    run_dir: Path | None
    reports: Path


def check_permission(settings: Settings) -> None:
    """Raises UsageError where the plan changes something on AWS and nobody allowed that.

    A rehearsal may: its cloud is no production.
    """
    if lacks_permission(settings):
        raise UsageError(lacking_permission(settings.experiment))


def lacking_permission(experiment: Experiment) -> str:
    """What is said where nobody allowed what an experiment changes on AWS."""
    named = "; ".join(f"{write.call} on {write.subject}" for write in writes_of(experiment))
    return (
        f"this would change AWS ({named}); give --allow-writes (Locust: --canary-allow-writes), "
        "or allow_writes: true in the experiment, if it is meant"
    )


def lacks_permission(settings: Settings) -> bool:
    """Whether the plan changes something on AWS and nobody allowed that."""
    return not (settings.experiment.allow_writes or settings.rehearsal) and bool(writes_of(settings.experiment))


def watched(experiment: Experiment) -> bool:
    """Whether there is a deployment to watch at all: anything leads to one."""
    deployment = experiment.deployment
    named = (deployment.id, deployment.stack, deployment.application, deployment.group, deployment.function)
    return any((*named, deployment.target_version, deployment.redeploy, deployment.command))
