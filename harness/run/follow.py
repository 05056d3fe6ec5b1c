"""Following a release to its end, as `run` and `watch` both do: its deployment groups, who answers, the progress."""

from collections.abc import Callable
from typing import cast

from harness.aws.clients import Aws
from harness.aws.watcher import Watcher
from harness.core.experiment.types import Experiment
from harness.core.timeline.events import Beside, Event, Requests, RunStarted, Seen, Shadow
from harness.core.timeline.rollout import Rollout
from harness.core.verdict.groups import others
from harness.core.version import __version__
from harness.report.progress import Progress, Tally
from harness.run.contact import Contact
from harness.run.context import RunContext
from harness.run.experiment import watched
from harness.run.weighing import Weighing
from harness.wallclock import wall_now


class Neighbour:
    """One further group, watched for itself; the timeline tells of it as beside the first."""

    def __init__(
        self,
        name: str,
        experiment: Experiment,
        aws: Aws,
        record: Callable[[Event], None],
        now: Callable[[], float],
        epoch_s: float,
    ) -> None:
        self._name = name
        self._record = record
        started = RunStarted(at_s=0.0, experiment=experiment.name, epoch_s=epoch_s, deployment=experiment.deployment.id)
        self.rollout = Rollout().step(started)
        self.watcher = Watcher(
            aws, experiment.deployment, shadow=experiment.shadow, now=now, epoch_s=epoch_s, record=self._note
        )

    def _note(self, event: Event) -> None:
        self.rollout = self.rollout.step(event)
        self._record(Beside(at_s=event.at_s, group=self._name, seen=cast(Seen | Shadow, event)))


class Follower:
    """Watches the first group of a run and its neighbours, and shows what happens.

    `watching` says whether there is a deployment to watch; without one nobody may ask it to look.
    """

    def __init__(self, context: RunContext, progress: Progress) -> None:
        experiment, aws, now = context.experiment, context.aws, context.base.now_s
        self.watching = watched(experiment)
        self.contact = Contact(context.base)
        self.weighing = Weighing(context)
        self.first = Watcher(
            aws,
            experiment.deployment,
            experiment.alarm.name,
            experiment.shadow,
            now=now,
            epoch_s=context.epoch_s,
            record=context.record,
        )
        self._context = context
        self._progress = progress
        self._neighbours = {
            name: Neighbour(name, seen, aws, context.record, now, context.epoch_s)
            for name, seen in others(experiment).items()
        }
        context.recording.listeners.append(self._notice)

    @property
    def watchers(self) -> list[Watcher]:
        """The watchers of all groups, the first group's first."""
        return [self.first, *(neighbour.watcher for neighbour in self._neighbours.values())]

    def rest_s(self) -> float:
        """Wall time until the next look is due; negative if it is due already."""
        next_look_s = min(watcher.next_look_s for watcher in self.watchers)
        return self._context.base.wall_s(next_look_s) - wall_now()

    def look(self) -> None:
        """Makes every look that is due."""
        for watcher in self.watchers:
            watcher.look()

    def final_looks(self) -> None:
        """Looks a last time at everything."""
        for watcher in self.watchers:
            watcher.final_looks()

    def awaits(self, expected: Callable[[Rollout], bool]) -> bool:
        """Whether a group's outcome is open: always the first group's, and another's if its deployment is expected."""
        further = (rollout for rollout in self._rollouts().values() if not rollout.settled)
        return not self._context.rollout.settled or any(map(expected, further))

    def given_up(self) -> str | None:
        """Why nobody waits any longer for the outcome; None while there is time."""
        give_up_s = self._context.experiment.give_up_s
        return f"the outcome was open after {give_up_s:g} s" if self._context.base.now_s() >= give_up_s else None

    def show(self, tally: Tally | None) -> None:
        """Shows how things stand; without a tally nothing is sent."""
        rollout, now_s = self._context.rollout, self._context.base.now_s()
        self._progress.show(rollout, tally, now_s, self._rollouts(), evidence=self.weighing.told)

    def _rollouts(self) -> dict[str, Rollout]:
        return {name: neighbour.rollout for name, neighbour in self._neighbours.items()}

    def _notice(self, event: Event, rollout: Rollout) -> None:
        self.contact.note(event)
        if isinstance(event, Beside):
            self._progress.tell(event.seen, self._neighbours[event.group].rollout, event.group)
        if not isinstance(event, Requests):
            self._progress.tell(event, rollout)


def begin(context: RunContext, *, sends: bool) -> None:
    """Records that the run begins; `sends` says whether it sends traffic of its own."""
    context.record(
        RunStarted(
            at_s=0.0,
            experiment=context.experiment.name,
            epoch_s=context.epoch_s,
            deployment=context.experiment.deployment.id,
            speed=context.base.speed,
            harness=__version__,
            sends=sends,
        )
    )
