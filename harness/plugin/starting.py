"""Starting tests from a page or by a script: one at a time, and a refusal is told to who asked."""

import time
from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gevent

from harness.aws.clients import Aws
from harness.aws.ringing import check_no_alarm_rings
from harness.core.experiment.hosts import is_loopback
from harness.core.experiment.types import Deployment
from harness.errors import NotAllowed, UsageError
from harness.plugin import options
from harness.plugin.lifecycle import DirectorState
from harness.plugin.web_form import CHANGEABLE
from harness.run.experiment import Settings

if TYPE_CHECKING:
    from harness.plugin.director import Director

BEGUN_WITHIN_S = 60.0
"""Wall time within which a test is told to have begun, or why it could not; later the page shows it all the same."""
LOOK_EVERY_S = 0.02

ONE_WAY = ("canary_deployment", "canary_target_version", "canary_redeploy")
"""How the deployment comes about: one that is asked for takes the place of the others."""
BUSY = "a test is on already: end it first, or change its traffic on the Canary page"
JUDGING = "the last test is being judged: start again in a moment"
NO_PERMISSION_HERE = (
    "permission to write can be given only on a page of this machine alone, or behind --web-login: "
    "start Locust with --canary-allow-writes"
)


class Starts:
    """Starts the tests of one web page, whoever asks: Locust's own form, the Canary page, or a script."""

    def __init__(self, environment: Any, director: "Director") -> None:
        self._environment = environment
        self._director = director
        self._busy = False
        self._before = 0
        self._kept: dict[str, Any] = {}
        self._kept_host: str | None = None

    @property
    def test_is_on(self) -> bool:
        """Whether a test is under way or about to be."""
        return self._busy or self._director.state in (DirectorState.BEGINNING, DirectorState.TESTING)

    def changes(self, host: str | None) -> bool:
        """Whether who names this host changes the test that is on: scripts repeat it, Locust's page names none."""
        if host is None:
            return self.test_is_on
        return not self._busy and self._director.state is DirectorState.TESTING and host == self._environment.host

    def refusal(self) -> str | None:
        """Why no test can begin now; None if one can."""
        if self.test_is_on:
            return BUSY
        if self._director.state is DirectorState.ENDING or not self._director.is_closed:
            return JUDGING
        return hindrance(self._environment.runner)

    def admit(self, ours: Mapping[str, Any], host: str | None) -> None:
        """Takes the turn to start for who asks for these options; raises UsageError where no such test can be.

        Who was admitted must call `outcome`.
        """
        if refused := self.refusal():
            raise NotAllowed(refused)
        self._busy = True
        try:
            self._check_alarms(self.check(ours, host).experiment.deployment)
        except BaseException:  # whatever refuses or interrupts a start, the next one is free again
            self._busy = False
            raise
        self._kept_host = self._environment.host
        self._before, self._kept = self._director.attempts, self._set()

    def check(self, ours: Mapping[str, Any], host: str | None) -> Settings:
        """What a test with these options is; raises UsageError where it cannot be."""
        closed = next((name for name in ours if name not in options.in_form()), None)
        if closed:
            raise UsageError(f"{closed} is set where Locust is started, not in the form")
        given = self._environment.parsed_options
        if ours.get("canary_allow_writes") and not given.canary_allow_writes and not self._may_permit():
            raise UsageError(NO_PERMISSION_HERE)
        asked = Namespace(**{**vars(given), **ours})
        asked.host = host or self._environment.host
        return self._director.admission.settings(asked, asked.host)

    def start(self, ours: Mapping[str, Any], host: str | None, users: int | None) -> None:
        """Starts a test with these options, laid over those of the last one; raises HarnessError with the reason.

        Returns when its run has begun.
        """
        ours = _one_way({name: value for name, value in ours.items() if value is not None})
        self.admit(ours, host)
        given, runner = self._environment.parsed_options, self._environment.runner
        try:
            for name, value in ours.items():
                setattr(given, name, value)
            given.num_users = users or given.num_users or 1
            self._environment.host = host or self._environment.host
            if self._environment.shape_class:
                runner.start_shape()
            else:
                gevent.spawn(runner.start, given.num_users, given.spawn_rate or 1)
        finally:
            refused = self.outcome(begun=True)
        if refused:
            raise NotAllowed(refused)

    def outcome(self, *, begun: bool) -> str | None:
        """Gives the turn back, once the test has begun; why it could not, None if it could."""
        director = self._director
        try:
            until = time.monotonic() + (BEGUN_WITHIN_S if begun else 0.0)
            while director.attempts == self._before and time.monotonic() < until:
                gevent.sleep(LOOK_EVERY_S)
            refused = director.refused if director.attempts > self._before else None
            if refused:
                self._give_back()
            return refused
        finally:
            self._busy = False

    def check_edit(self, ours: Mapping[str, Any], host: str | None) -> None:
        """Raises UsageError where a test that is on cannot be changed so."""
        self.check(ours, host)
        for name, value in ours.items():
            if name not in CHANGEABLE and (value or "") != (getattr(self._environment.parsed_options, name) or ""):
                raise UsageError(f"{name} can be set only before a test begins, and one is on")

    def _set(self) -> dict[str, Any]:
        """What the options are that a start may set."""
        given = self._environment.parsed_options
        return {name: getattr(given, name, None) for name in (*options.in_form(), "num_users", "host")}

    def _give_back(self) -> None:
        """Leaves nothing of a start that was refused: the next one that says nothing is as the last that began."""
        for name, value in self._kept.items():
            setattr(self._environment.parsed_options, name, value)
        self._environment.host = self._kept_host

    def _check_alarms(self, wanted: Deployment) -> None:
        """Raises NotAllowed where a deployment of ours would be stopped at once, as after a round that rolled back."""
        if wanted.target_version or wanted.redeploy or wanted.command:
            check_no_alarm_rings(Aws(), wanted)

    def _may_permit(self) -> bool:
        """Whether a person may give permission to write on the page: only who sits here, or signed in, reaches it."""
        given = self._environment.parsed_options
        return bool(given.web_login) or is_loopback(f"http://{given.web_host}")


def hindrance(runner: Any) -> str | None:
    """Why Locust cannot begin a test now; None where it can."""
    if getattr(runner, "worker_count", None) == 0:  # only a master's has it
        return "no worker is connected to this master: start one with --worker, or wait for those of --processes"
    return None


def _one_way(ours: dict[str, Any]) -> dict[str, Any]:
    if not any(ours.get(name) for name in ONE_WAY):
        return ours
    others: dict[str, Any] = {name: False if name == "canary_redeploy" else "" for name in ONE_WAY}
    return {**others, **ours}
