"""The setting that recorded runs describe: the group and alarms that they saw, and the traffic and failures in them."""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from harness.core.arming.reckoned import Reckoned, reckoned
from harness.core.arming.snapshot import Snapshot, Unseen
from harness.core.experiment.types import Experiment
from harness.core.odds.asked import EVERY_REQUEST, NO_FAULT
from harness.core.odds.from_experiment import planned_of
from harness.core.odds.setting import FaultModel
from harness.core.timeline.events import AliasSeen, Event, Requests
from harness.core.timeline.stats import clopper_pearson
from harness.core.verdict.evidence import Evidence, failed

FEWEST = 1000
"""Of so few requests without a failure nobody can say how many fail usually."""


class _Counts(Struct, frozen=True):
    """Good requests, and how many of them failed."""

    requests: int
    failures: int


def reckoned_of(runs: Sequence[tuple[Evidence, Sequence[Event]]]) -> Reckoned:
    """The setting of the last run's group with the traffic and failures of all; raises Unseen.

    Good requests that failed on the baseline say what fails usually, those on the canary how it fails. Without any,
    the canary fails as the experiment plans it, else every request.
    """
    evidence, events = runs[-1]
    if any(one.release.created_s is None or not one.since for one, _ in runs):
        raise Unseen("a run without a deployment and requests of its own tells no chances")
    planned = planned_of(evidence.experiment)
    found = reckoned(
        _snapshot(evidence, events),
        rate=((0.0, sum(_rate(one) for one, _ in runs) / len(runs)),),
        fault=(fault := _fault(runs, planned=bool(planned))),
    )
    usual, said = _usual(runs, evidence.experiment)
    setting = replace(
        found.setting, planned=planned, pattern=evidence.experiment.traffic.pattern, usual=usual, fault=fault
    )
    return replace(found, setting=setting, assumed=(*found.assumed, said))


def _snapshot(evidence: Evidence, events: Sequence[Event]) -> Snapshot:
    """What the run saw of the group, with the alias as it was at first: before the version on trial was in service."""
    experiment = evidence.experiment
    target = evidence.release.canary or experiment.deployment.target_version
    deployment = replace(experiment.deployment, target_version=target)
    aliases = [event for event in events if isinstance(event, AliasSeen)]
    sightings = (*(event for event in events if not isinstance(event, AliasSeen)), *aliases[:1])
    return Snapshot(experiment=replace(experiment, deployment=deployment), sightings=sightings)


def _rate(evidence: Evidence) -> float:
    first_s, last_s = min(one.at_s for one in evidence.since), max(one.at_s for one in evidence.since)
    return sum(one.count for one in evidence.since) / max(1.0, last_s + 1 - first_s)


def _fault(runs: Iterable[tuple[Evidence, Sequence[Event]]], *, planned: bool) -> FaultModel:
    seen = _counted(runs, lambda evidence, one: evidence.is_canary(one.version))
    if seen.failures:
        return FaultModel(share=seen.failures / seen.requests)
    return NO_FAULT if planned else EVERY_REQUEST


def _usual(runs: Iterable[tuple[Evidence, Sequence[Event]]], experiment: Experiment) -> tuple[float, str]:
    """The most that may fail usually by what was seen, and the sentence on it."""
    seen = _counted(runs, lambda evidence, one: evidence.is_baseline(one.version))
    if seen.requests < FEWEST:
        allowed = 1 - experiment.objective.availability
        return (
            allowed,
            f"The usual error share is what the objective allows ({allowed:.3g}): too few requests tell more.",
        )
    bounds = clopper_pearson(seen.failures, seen.requests)
    most = bounds[1] if bounds else 1 - experiment.objective.availability
    told = f"{seen.failures} of {seen.requests} good requests failed on the version in service"
    return most, f"The usual error share is the most that the runs leave possible, {most:.2g}: {told}."


def _counted(
    runs: Iterable[tuple[Evidence, Sequence[Event]]], belongs: Callable[[Evidence, Requests], bool]
) -> _Counts:
    found = [one for run, _ in runs for one in run.since if one.intent == "good" and belongs(run, one)]
    return _Counts(sum(one.count for one in found), sum(one.count for one in found if failed(one)))
