"""A run as a comparison sees it: its name, its verdict, and the conditions under which its numbers came about."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from harness.core.experiment.rates import worded
from harness.core.experiment.types import Traffic
from harness.core.verdict.types import Verdict
from harness.report.judged_run import JudgedRun


class Conditions(Struct, frozen=True, kw_only=True):
    """What a run was made with, in words; empty where nothing says it."""

    speed: str = ""
    seed: str = ""
    rate: str = ""
    harness: str = ""


class ComparedRun(Struct, frozen=True):
    """One of several runs side by side."""

    name: str
    verdict: Verdict
    conditions: Conditions = Conditions()


def compared_run(folder: Path, run: JudgedRun) -> ComparedRun:
    """A run folder, named by its last two parts."""
    experiment, state = run.evidence.experiment, run.rollout.run
    conditions = Conditions(
        speed=f"{state.speed:g}",
        seed=str(experiment.seed),
        rate=_rate(experiment.traffic) if state.sends else "no requests",
        harness=run.manifest.versions.get("harness", "") if run.manifest else state.harness,
    )
    return ComparedRun("/".join(folder.resolve().parts[-2:]), run.verdict, conditions)


def differences(runs: Sequence[ComparedRun]) -> Iterator[str]:
    """The conditions of later runs that are not those of the first, as `speed 60 against 10`."""
    for name, first in asdict(runs[0].conditions).items():
        others = dict.fromkeys(getattr(run.conditions, name) for run in runs)
        told = [other for other in others if other not in (first, "")]
        if first and told:
            yield f"{name} {' and '.join(told)} against {first}"


def _rate(traffic: Traffic) -> str:
    return f"{traffic.users} users" if traffic.users else f"{worded(traffic.arrival_rate)}/s"
