"""The command `canary-harness watch`: follows a deployment without traffic of its own, and judges it by CloudWatch."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec.structs import replace

from harness.aws.clients import Aws
from harness.aws.discovery import discover_for_a_run
from harness.aws.watcher import Watcher
from harness.core.experiment.types import Experiment
from harness.core.timeline.clock import Clock
from harness.core.timeline.events import Beside, Event, RunEnded, RunStarted, encode
from harness.core.timeline.rollout import Rollout
from harness.core.verdict.types import Verdict
from harness.core.version import __version__
from harness.errors import ExitCode
from harness.processes import Interrupts
from harness.report.actions import announce
from harness.report.finish import finish
from harness.report.folder import RunFolder
from harness.report.progress import Progress
from harness.run.contact import Contact
from harness.run.neighbours import neighbours, rollouts
from harness.traffic.steering import Timebase

FRAME_S = 0.25
GIVE_UP_S = 3 * 3600.0
"""Experiment time after which nobody waits any longer, unless told otherwise: the longest presets bake 30 minutes."""


def watch(
    experiment: Experiment, *, reports: Path, clock: Clock, command: Sequence[str], stop: Interrupts
) -> tuple[RunFolder, Verdict, ExitCode]:
    """Follows the deployment that is named or in progress, else the group's next one, to its end; only reads.

    Raises HarnessError where nothing can be followed.
    """
    aws = Aws()
    aws.warm()
    experiment = discover_for_a_run(aws, experiment)
    folder = RunFolder.create(reports, experiment.name, time.time())
    folder.write_manifest(experiment, command)
    with folder.timeline.open("ab", buffering=0) as timeline, Progress() as progress:
        lookout = _Lookout(aws, experiment, clock, timeline.write, progress)
        ended = lookout.follow(stop)
    verdict = finish(folder, experiment)
    announce(verdict, folder)
    if stop.count:
        return folder, verdict, ExitCode(128 + stop.signum)
    return folder, verdict, ExitCode.HARNESS_FAILED if ended.why == "failed" else ExitCode(verdict.exit_code)


class _Lookout:
    """One deployment being followed; `write` takes the lines of its timeline."""

    def __init__(
        self, aws: Aws, experiment: Experiment, clock: Clock, write: Callable[[bytes], object], progress: Progress
    ) -> None:
        self._experiment = experiment
        self._base = Timebase(time.time(), clock.speed)
        self._epoch_s = self._base.epoch_s(clock)
        self._write = write
        self._progress = progress
        self._contact = Contact(self._base)
        self._rollout = Rollout()
        self._watcher = Watcher(
            aws,
            experiment.deployment,
            experiment.alarm.name,
            now=self._base.now_s,
            epoch_s=self._epoch_s,
            record=self._record,
        )

        self._neighbours = neighbours(experiment, aws, self._record, self._base.now_s, self._epoch_s)

    def follow(self, stop: Interrupts) -> RunEnded:
        """Looks until the outcome is there and some time more, until nobody answers, or until it is stopped."""
        self._begin()
        settled_s: float | None = None
        while (ended := self._ended(settled_s, stop)) is None:
            for watcher in self._watchers():
                watcher.look()
            if self._all_settled() and settled_s is None:
                settled_s = self._base.now_s()
            self._rest(stop)
        if ended.why in ("settled", "given_up"):
            for watcher in self._watchers():
                watcher.final_looks()
        ended = replace(ended, at_s=self._base.now_s())
        self._record(ended)
        return ended

    def _begin(self) -> None:
        self._record(
            RunStarted(
                at_s=0.0,
                experiment=self._experiment.name,
                epoch_s=self._epoch_s,
                speed=self._base.speed,
                harness=__version__,
                deployment=self._experiment.deployment.id,
                sends=False,
            )
        )
        for watcher in self._watchers():
            in_progress = watcher.disregard()
            if in_progress:
                watcher.follow(in_progress)

    def _watchers(self) -> list[Watcher]:
        return [self._watcher, *(neighbour.watcher for neighbour in self._neighbours)]

    def _all_settled(self) -> bool:
        """Whether the first group's outcome is there, and that of every other one that deploys."""
        further = (neighbour.rollout for neighbour in self._neighbours)
        return self._rollout.settled and all(rollout.settled or rollout.release.forward is None for rollout in further)

    def _ended(self, settled_s: float | None, stop: Interrupts) -> RunEnded | None:
        now_s, give_up_s = self._base.now_s(), self._experiment.give_up_s
        if stop.count:
            return RunEnded(at_s=now_s, why="stopped", detail=f"signal {stop.signum} came")
        if settled_s is not None and now_s >= settled_s + self._experiment.steady_s:
            return RunEnded(at_s=now_s, why="settled")
        if now_s >= give_up_s:
            return RunEnded(at_s=now_s, why="given_up", detail=f"the outcome was open after {give_up_s:g} s")
        if problem := self._contact.lost():
            return RunEnded(at_s=now_s, why="failed", detail=f"AWS does not answer any more: {problem}")
        return None

    def _rest(self, stop: Interrupts) -> None:
        while not stop.count:
            self._progress.show(self._rollout, None, self._base.now_s(), rollouts(self._neighbours))
            next_look_s = min(watcher.next_look_s for watcher in self._watchers())
            rest_s = self._base.wall_s(next_look_s) - time.time()
            time.sleep(max(0.01, min(FRAME_S, rest_s)))
            if rest_s <= FRAME_S:
                return

    def _record(self, event: Event) -> None:
        self._rollout = self._rollout.step(event)
        self._contact.note(event)
        if isinstance(event, Beside):
            self._progress.tell(event.seen, rollouts(self._neighbours)[event.group], event.group)
        self._progress.tell(event, self._rollout)
        self._write(encode(event))
