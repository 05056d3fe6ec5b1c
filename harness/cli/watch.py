"""The command `canary-harness watch`: follows a deployment without traffic of its own, and judges it by CloudWatch."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from harness.aws.clients import Aws
from harness.aws.discovery import discover_for_a_run
from harness.cli.spent import tell_cost
from harness.core.experiment.planned_writes import stops_of
from harness.core.experiment.types import Experiment
from harness.core.timeline.clock import Clock
from harness.core.timeline.events import RunEnded
from harness.core.timeline.rollout import Rollout
from harness.core.verdict.types import Verdict
from harness.errors import UsageError
from harness.processes import Interrupted, Interrupts
from harness.report.actions import announce
from harness.report.finish import finish
from harness.report.folder import RunFolder
from harness.report.progress import Progress
from harness.run.context import RunContext
from harness.run.ending import Ending
from harness.run.experiment import CLOCK, lacking_permission
from harness.run.follow import Follower, begin
from harness.run.notifying import notifier_of
from harness.traffic.steering import Timebase
from harness.wallclock import wall_now

FRAME_S = 0.25
GIVE_UP_S = 3 * 3600.0
"""Experiment time after which nobody waits any longer, unless told otherwise: the longest presets wait 30 minutes."""


def watch(
    experiment: Experiment, *, reports: Path, clock: Clock, command: Sequence[str], stop: Interrupts
) -> tuple[RunFolder, Verdict]:
    """Follows the deployment that is named or in progress, or else the group's next one, to its end.

    It only reads, unless it is to stop the deployment. Raises HarnessError if nothing can be followed.
    """
    aws = Aws()
    _check_permission(aws, experiment)
    aws.warm()
    experiment = discover_for_a_run(aws, experiment)
    folder = RunFolder.create(reports, experiment.name, time.time())
    folder.write_manifest(experiment, command)
    base = Timebase(wall_now(), clock.speed)
    context = RunContext.of(experiment, aws, base=base, clock=clock, folder=folder, ending=Ending(base, lambda _: None))
    notifier = notifier_of(context)
    with Progress() as progress:
        _follow(context, Follower(context, progress), stop)
    context.recording.close()
    verdict = finish(folder, experiment)
    announce(verdict, folder)
    tell_cost(aws)
    if notifier:
        notifier.tell_verdict(verdict)
        notifier.wait()
    return folder, verdict


def _check_permission(aws: Aws, experiment: Experiment) -> None:
    """Raises UsageError if the deployment is to be stopped on AWS without permission; a rehearsal's may be."""
    writes = stops_of(experiment)
    if writes and not (experiment.allow_writes or (CLOCK in os.environ and aws.is_local())):
        raise UsageError(lacking_permission(writes))


def _follow(context: RunContext, follower: Follower, stop: Interrupts) -> None:
    """Looks until the outcome is there and some time more, until nobody answers, or until it is stopped."""
    _begin(context, follower)
    settled_s: float | None = None
    while (over := _over(context, follower, settled_s, stop)) is None:
        follower.look()
        if settled_s is None and not follower.awaits(_is_there):
            settled_s = context.base.now_s()
        _rest(follower, stop)
    if over.why in ("settled", "given_up"):
        follower.final_looks()
    context.record(replace(over, at_s=context.base.now_s()))


def _begin(context: RunContext, follower: Follower) -> None:
    begin(context, sends=False)
    for watcher in follower.watchers:
        in_progress = watcher.disregard()
        if in_progress:
            watcher.follow(in_progress)


def _is_there(rollout: Rollout) -> bool:
    """Whether a further group deploys; one that does not is not waited for."""
    return rollout.release.forward is not None


def _over(context: RunContext, follower: Follower, settled_s: float | None, stop: Interrupts) -> RunEnded | None:
    end = context.ending.end
    if stop.count:
        signal = Interrupted(stop.signum).signal
        end("stopped", f"{signal} came", signal)
    elif settled_s is not None and context.base.now_s() >= settled_s + context.experiment.steady_s:
        end("settled")
    elif problem := follower.given_up():
        end("given_up", problem)
    elif problem := follower.contact.lost():
        end("failed", f"AWS does not answer any more: {problem}")
    return context.ending.over


def _rest(follower: Follower, stop: Interrupts) -> None:
    """Weighs the evidence, and shows how things stand, until the next look is due."""
    while not stop.count:
        if not follower.weighing.rest_s:
            follower.weighing.round()
        follower.show(None)
        rest_s = follower.rest_s()
        time.sleep(max(0.01, min(FRAME_S, rest_s)))
        if rest_s <= FRAME_S:
            return
