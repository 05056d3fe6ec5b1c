"""How the deployment of a run comes about: created by us, by the command that we start, or by others, whom we await."""

import random
import signal
from typing import Protocol

import gevent

from harness.aws.clients import Aws
from harness.aws.deployer import create_deployment
from harness.aws.journal import Journal
from harness.aws.redeploy import PlacedAlias, check_redeploy, publish_again
from harness.aws.watcher import Watcher
from harness.core.experiment.types import Deployment, Experiment
from harness.core.timeline.events import CommandEnded, CommandStarted, Event
from harness.core.timeline.rollout import Rollout
from harness.errors import Throttled, Unavailable, Unreachable, UsageError
from harness.report.folder import RunFolder
from harness.report.masking import masked_text
from harness.run.command import Command, words_of
from harness.traffic.steering import Timebase

ASK_AGAIN_WALL_S = 1.0
PHASE_S = 60.0
PHASE_ROOM_S = 10.0
LISTED_WITHIN_S = 60.0
"""Experiment time after the command's end from which on AWS lists a deployment that it made (assumption)."""
LOOK_EVERY_WALL_S = 0.1


def check_making(aws: Aws, wanted: Deployment) -> None:
    """Raises UsageError where it is known before any traffic that the deployment of a run cannot come about."""
    if wanted.command:
        words_of(wanted.command)
    check_redeploy(aws, wanted)


class Run(Protocol):
    """What deploying needs of the run that it happens in."""

    experiment: Experiment
    rollout: Rollout
    base: Timebase
    folder: RunFolder

    def record(self, *events: Event) -> None:
        """Writes to the timeline."""

    def say(self, line: str) -> None:
        """Shows a line to whoever watches."""

    def trouble(self, what: str, message: str) -> None:
        """Notes that something went wrong."""

    def fail(self, what: str, message: str) -> None:
        """Ends the run because something went wrong."""

    def settle(self, detail: str) -> None:
        """Ends the run, since nothing more is to come."""

    def sleep_until(self, at_s: float) -> None:
        """Waits for an instant of the run."""

    def look_now(self) -> None:
        """Has the watcher look at once."""


class Deploying:
    """Makes the deployment of a run where its experiment says how.

    `aligned` puts a creation of ours in the first ten seconds of a minute, as rehearsals want it; `epoch_s` is the
    run's beginning in seconds since 1970.
    """

    def __init__(self, run: Run, aws: Aws, watcher: Watcher, *, aligned: bool, epoch_s: float) -> None:
        self._run = run
        self._aws = aws
        self._watcher = watcher
        self._aligned = aligned
        self._epoch_s = epoch_s
        wanted = run.experiment.deployment
        self._command = Command(wanted.command, run.folder.command_log, run.say) if wanted.command else None
        self._placed: PlacedAlias | None = None
        self._ended_s: float | None = None
        self._nothing_seen = ""
        self._running = False
        self._stopping: gevent.Greenlet | None = None

    @property
    def planned_s(self) -> float | None:
        """When we create the deployment; None if a command or others do."""
        return self._steady_until_s() if self._run.experiment.deployment.target_version else None

    def play(self) -> None:
        """Once traffic is steady makes the deployment; comes back when nothing more is to be done for it."""
        wanted = self._run.experiment.deployment
        if wanted.target_version or wanted.redeploy:
            self._run.sleep_until(self._steady_until_s())
            self._await_aws(str(wanted.function), wanted.alias)
            self._create(wanted.target_version or self._published_again())
        elif self._command:
            self._run.sleep_until(self._run.experiment.steady_s)
            self._play(self._command)

    def made_none(self, rollout: Rollout) -> bool:
        """Whether the command made no deployment of this rollout's group: a search after its end found none.

        Time alone tells nothing: while AWS cannot be asked, a deployment may well be there.
        """
        if rollout.release.forward is not None or rollout.run.missed_s is None or self._ended_s is None:
            return False
        return rollout.run.missed_s >= self._ended_s + LISTED_WITHIN_S

    def seen_late(self, detail: str) -> str:
        """Why the run ended; a deployment that appeared only after that is no longer said not to be there."""
        late = self._run.rollout.release.forward
        if late is None or not self._nothing_seen or detail != self._nothing_seen:
            return detail
        return f"{detail} until the run was ending: {late.deployment_id} came too late to be followed"

    def disregard_others(self) -> None:
        """Takes what the group deployed before for none of this run's."""
        other = self._watcher.disregard()
        if other:
            text = f"{other} is in progress already, and this run waits for the group's next one"
            self._run.trouble("deployment", text)

    def stop(self, signum: int = signal.SIGTERM) -> None:
        """Has the command end; comes back at once."""
        if self._command and self._stopping is None:
            self._stopping = gevent.spawn(self._command.stop, signum)

    def close(self) -> None:
        """Waits, a bounded time, until nothing of the command is left."""
        self.stop()
        if self._command and self._stopping:
            self._stopping.join()
            self._note_end(self._command)

    def give_back(self) -> None:
        """After the last look gives the alias back to the version that was in service, where ours took its place."""
        if self._placed and not self._placed.heal():
            healing = f"canary-harness alarm reset --run {self._run.folder.path}"
            text = f"the alias could not be given back to the version that was in service; `{healing}` does it later"
            self._run.trouble("redeploy", text)

    def _steady_until_s(self) -> float:
        """When to create the deployment, for a rehearsal in the first ten seconds of a minute.

        An alarm counts whole minutes. The place in the minute decides how many errors of the canary the first one
        holds, so it comes from the seed: then the same seed meets the same minutes at every speed.
        """
        steady_s = self._run.experiment.steady_s
        if not self._aligned:
            return steady_s
        offset_s = random.Random(f"phase {self._run.experiment.seed}").uniform(0.0, PHASE_ROOM_S)
        return steady_s + (offset_s - (self._epoch_s + steady_s)) % PHASE_S

    def _published_again(self) -> str:
        """A new version of the code in service."""
        wanted = self._run.experiment.deployment
        function, journal = str(wanted.function), Journal(self._run.record, self._run.base.now_s)
        run = str(self._run.folder.path)
        before, after = publish_again(self._aws, function=function, alias=wanted.alias, run=run, journal=journal)
        self._placed = PlacedAlias(
            self._aws, function=function, alias=wanted.alias, before=before, after=after, journal=journal
        )
        self._placed.announce()
        return after

    def _await_aws(self, function: str, alias: str) -> None:
        """Waits out an outage before anything is changed; a run that waits too long gives up."""
        while True:
            try:
                self._aws.call("lambda", "get_alias", FunctionName=function, Name=alias)
            except (Unreachable, Unavailable, Throttled) as error:
                self._run.trouble("deployment", f"it waits until AWS answers: {error}")
                gevent.sleep(ASK_AGAIN_WALL_S)
            else:
                return

    def _create(self, target_version: str) -> None:
        deployment = self._run.experiment.deployment
        missing = [name for name in ("application", "group", "function") if not getattr(deployment, name)]
        if missing:
            raise UsageError(f"deployment.{missing[0]} is needed to create a deployment")
        deployment_id = create_deployment(
            self._aws,
            application=str(deployment.application),
            group=str(deployment.group),
            function=str(deployment.function),
            alias=deployment.alias,
            target_version=target_version,
            experiment=self._run.experiment.name,
            config=deployment.config,
            hooks=deployment.hooks,
            record=self._run.record,
            now=self._run.base.now_s,
        )
        self._watcher.follow(deployment_id)
        self._run.look_now()

    def _play(self, command: Command) -> None:
        run = self._run
        text = masked_text(run.experiment.deployment.command or "")
        run.record(CommandStarted(at_s=run.base.now_s(), command=text))
        command.start()
        self._running = True
        command.wait()
        code = self._note_end(command)
        # It may have started the deployment in its last moment.
        while run.rollout.release.forward is None and not self.made_none(run.rollout):
            gevent.sleep(LOOK_EVERY_WALL_S)
        if run.rollout.release.forward is None:
            self._end_without(code)

    def _end_without(self, code: int | None) -> None:
        """Ends a run whose command made no deployment."""
        self._nothing_seen = f"the command ended with exit code {code} and no deployment was seen"
        if code:
            self._run.fail("command", self._nothing_seen)
        else:
            self._run.settle(self._nothing_seen)

    def _note_end(self, command: Command) -> int | None:
        """Records the end of the command, once; its exit code."""
        if not self._running:
            return None
        self._running = False
        code = command.wait()
        self._ended_s = self._run.base.now_s()
        self._run.record(CommandEnded(at_s=self._run.base.now_s(), exit_code=code))
        return code
