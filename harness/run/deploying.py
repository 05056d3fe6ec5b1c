"""How the deployment of a run is created: by us, by a command that we start, or by others, for whom we wait."""

import signal
from collections.abc import Callable

import gevent

from harness.aws.clients import Aws
from harness.aws.deployer import AskedDeployment, create_deployment
from harness.aws.redeploy import PlacedAlias, check_redeploy, publish_again
from harness.aws.watcher import Watcher
from harness.core.experiment.types import Deployment
from harness.core.timeline.events import CommandEnded, CommandStarted
from harness.core.timeline.rollout import Rollout
from harness.errors import Throttled, Unavailable, Unreachable, UsageError
from harness.run.command import Command, words_of
from harness.run.context import RunContext
from harness.run.standing import standing_still
from harness.run.steady import SteadyCheck
from harness.wallclock import standstill

ASK_AGAIN_WALL_S = 1.0
LISTED_WITHIN_S = 60.0
"""Experiment time after the command's end from which on AWS lists a deployment that it made (assumption)."""
LOOK_EVERY_WALL_S = 0.1


def check_making(aws: Aws, wanted: Deployment) -> None:
    """Raises UsageError if the deployment surely cannot be created; asked before any traffic."""
    if wanted.command:
        words_of(wanted.command)
    check_redeploy(aws, wanted)


class Deploying:
    """Creates the deployment of a run where its experiment says how.

    `create_from` tells when we create one, from an instant of the run on. `say` shows a line of the command, `look_now`
    has the watcher look at once.
    """

    def __init__(
        self,
        context: RunContext,
        watcher: Watcher,
        *,
        create_from: Callable[[float], float],
        say: Callable[[str], None],
        look_now: Callable[[], None],
    ) -> None:
        self._context = context
        self._watcher = watcher
        self._create_from = create_from
        self._steady = SteadyCheck(context)
        self._look_now = look_now
        wanted = context.experiment.deployment
        self._command = Command(wanted.command, context.folder.command_log, say) if wanted.command else None
        self._placed: PlacedAlias | None = None
        self._ended_s: float | None = None
        self._nothing_seen = ""
        self._running = False
        self._stopping: gevent.Greenlet | None = None

    def play(self) -> None:
        """Creates the deployment once traffic is steady; returns when nothing more is to be done for it."""
        wanted = self._context.experiment.deployment
        if wanted.target_version or wanted.redeploy:
            create_s = self._create_from(0.0)
            with standing_still(self._context, create_s):
                self._context.sleep_until(create_s)
                if self._is_steady():
                    self._await_aws(str(wanted.function), wanted.alias)
                    self._create(wanted.target_version or self._published_again())
        elif self._command:
            self._context.sleep_until(self._context.experiment.steady_s)
            if self._is_steady():
                self._play(self._command)

    def made_none(self, rollout: Rollout) -> bool:
        """Whether the command made no deployment of this rollout's group: a search after its end found none.

        Time alone tells nothing: while AWS cannot be asked, a deployment may well be there.
        """
        if rollout.release.forward is not None or rollout.run.missed_s is None or self._ended_s is None:
            return False
        return rollout.run.missed_s >= self._ended_s + LISTED_WITHIN_S

    def seen_late(self, detail: str) -> str:
        """Why the run ended, corrected if a deployment that "was not seen" appeared after all."""
        late = self._context.rollout.release.forward
        if late is None or not self._nothing_seen or detail != self._nothing_seen:
            return detail
        return f"{detail} until the run was ending: {late.deployment_id} came too late to be followed"

    def disregard_others(self) -> None:
        """Ignores the deployments that the group has already."""
        other = self._watcher.disregard()
        if other:
            text = f"{other} is in progress already, and this run waits for the group's next one"
            self._context.trouble("deployment", text)

    def stop(self, signum: int = signal.SIGTERM) -> None:
        """Sends the command a signal; returns at once."""
        if self._command and self._stopping is None:
            self._stopping = gevent.spawn(self._command.stop, signum)

    def close(self) -> None:
        """Waits for a limited time until nothing of the command is left."""
        self.stop()
        if self._command and self._stopping:
            self._stopping.join()
            self._note_end(self._command)

    def give_back(self) -> None:
        """Moves the alias back to the version that was in service, if we replaced it; after the last look."""
        if self._placed and not self._placed.heal():
            healing = f"canary-harness alarm reset --run {self._context.folder.path}"
            text = f"the alias could not be given back to the version that was in service; `{healing}` does it later"
            self._context.trouble("redeploy", text)

    def _is_steady(self) -> bool:
        """Whether traffic is steady; if not, the run ends with the reason, and nothing is deployed."""
        if self._steady.why_not():
            if why := self._steady.why_not_in_time():
                self._context.ending.end("unsteady", f"{why}: the traffic is not steady, so nothing was deployed")
                return False
            if not standstill:  # a clock went on while rows were awaited: the place in the minute must stay the seed's
                self._context.sleep_until(self._create_from(self._context.base.now_s()))
        self._steady.close()
        return True

    def _published_again(self) -> str:
        """Publishes the code in service again; the number of the new version."""
        wanted = self._context.experiment.deployment
        function, journal = str(wanted.function), self._context.journal
        run = str(self._context.folder.path)
        before, after = publish_again(
            self._context.aws, function=function, alias=wanted.alias, run=run, journal=journal
        )
        self._placed = PlacedAlias(
            self._context.aws, function=function, alias=wanted.alias, before=before, after=after, journal=journal
        )
        self._placed.announce()
        return after

    def _await_aws(self, function: str, alias: str) -> None:
        """Waits until AWS answers before anything is changed; a run that waits too long gives up."""
        while True:
            try:
                self._context.aws.call("lambda", "get_alias", FunctionName=function, Name=alias)
            except (Unreachable, Unavailable, Throttled) as error:
                self._context.trouble("deployment", f"it waits until AWS answers: {error}")
                gevent.sleep(ASK_AGAIN_WALL_S)
            else:
                return

    def _create(self, target_version: str) -> None:
        deployment = self._context.experiment.deployment
        missing = [name for name in ("application", "group", "function") if not getattr(deployment, name)]
        if missing:
            raise UsageError(f"deployment.{missing[0]} is needed to create a deployment")
        deployment_id = create_deployment(
            self._context.aws,
            application=str(deployment.application),
            group=str(deployment.group),
            function=str(deployment.function),
            alias=deployment.alias,
            target_version=target_version,
            experiment=self._context.experiment.name,
            config=deployment.config,
            hooks=deployment.hooks,
            journal=self._context.journal,
            asking=self._note_asked,
        )
        self._watcher.follow(deployment_id)
        self._look_now()

    def _note_asked(self, asked: AskedDeployment) -> None:
        if self._placed:
            self._placed.asked = asked

    def _play(self, command: Command) -> None:
        context = self._context
        text = context.experiment.deployment.command or ""
        context.record(CommandStarted(at_s=context.base.now_s(), command=text))
        command.start()
        self._running = True
        command.wait()
        code = self._note_end(command)
        # It may have created the deployment in its last moment.
        while context.rollout.release.forward is None and not self.made_none(context.rollout):
            gevent.sleep(LOOK_EVERY_WALL_S)
        if context.rollout.release.forward is None:
            self._end_without(code)

    def _end_without(self, code: int | None) -> None:
        """Ends a run whose command made no deployment."""
        self._nothing_seen = f"the command ended with exit code {code} and no deployment was seen"
        if code:
            self._context.fail("command", self._nothing_seen)
        else:
            self._context.ending.end("settled", self._nothing_seen)

    def _note_end(self, command: Command) -> int | None:
        """Records the end of the command, once; its exit code."""
        if not self._running:
            return None
        self._running = False
        code = command.wait()
        self._ended_s = self._context.base.now_s()
        self._context.record(CommandEnded(at_s=self._context.base.now_s(), exit_code=code))
        return code
