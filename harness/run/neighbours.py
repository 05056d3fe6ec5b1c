"""The further deployment groups of a run: each is watched for itself, and told in the timeline as beside the first."""

from collections.abc import Callable, Iterable
from typing import cast

from harness.aws.clients import Aws
from harness.aws.watcher import Watcher
from harness.core.experiment.types import Experiment
from harness.core.timeline.events import Beside, Event, RunStarted, Seen
from harness.core.timeline.rollout import Rollout
from harness.core.verdict.groups import others


class Neighbour:
    """One further group: its watcher, and what is known of it."""

    def __init__(
        self,
        name: str,
        experiment: Experiment,
        aws: Aws,
        record: Callable[[Event], None],
        now: Callable[[], float],
        epoch_s: float,
    ) -> None:
        self.name = name
        self._record = record
        started = RunStarted(at_s=0.0, experiment=experiment.name, epoch_s=epoch_s, deployment=experiment.deployment.id)
        self.rollout = Rollout().step(started)
        self.watcher = Watcher(aws, experiment.deployment, now=now, epoch_s=epoch_s, record=self._note)

    def _note(self, event: Event) -> None:
        self.rollout = self.rollout.step(event)
        self._record(Beside(at_s=event.at_s, group=self.name, seen=cast(Seen, event)))


def neighbours(
    experiment: Experiment, aws: Aws, record: Callable[[Event], None], now: Callable[[], float], epoch_s: float
) -> tuple[Neighbour, ...]:
    """The further groups of an experiment."""
    return tuple(Neighbour(name, seen, aws, record, now, epoch_s) for name, seen in others(experiment).items())


def rollouts(some: Iterable[Neighbour]) -> dict[str, Rollout]:
    """What is known of further groups, by their names."""
    return {one.name: one.rollout for one in some}
