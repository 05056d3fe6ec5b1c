"""What a deployment does to its alias, and what is in the way of it."""

import logging
import random

from harness.core.delays import ALIAS_LAG_S
from harness.rehearsal.clock import Schedule
from harness.rehearsal.codedeploy.appspec import AppSpec
from harness.rehearsal.codedeploy.failures import alias_problem, bad_function, spec_problem, throttled
from harness.rehearsal.codedeploy.records import Creator, DeploymentRecord, ErrorInformation
from harness.rehearsal.codedeploy.roles import RoleLimits
from harness.rehearsal.codedeploy.timing import drawn
from harness.rehearsal.functions.functions import Functions
from harness.rehearsal.refusal import Refusal

log = logging.getLogger(__name__)


class AliasShifter:
    """Gives the versions of an alias their shares of the traffic, by the roles of the deployment groups."""

    def __init__(self, schedule: Schedule, functions: Functions) -> None:
        self._schedule = schedule
        self._functions = functions
        self._roles = RoleLimits()

    def problem(self, deployment: DeploymentRecord, at_s: float) -> ErrorInformation | None:
        """What is in the way of a deployment that starts."""
        if deployment.creator is Creator.ROLLBACK:
            return alias_problem(deployment.known_spec, self._functions)
        if self._roles.admits(deployment.role, at_s):
            return spec_problem(deployment.known_spec, self._functions)
        return throttled(deployment.role)

    def shift(
        self, deployment: DeploymentRecord, weight: float, at_s: float, dice: random.Random
    ) -> ErrorInformation | None:
        """Moves the alias, for a rollback a little later; what is in the way where that cannot be done."""
        spec = deployment.known_spec
        if deployment.creator is Creator.ROLLBACK:
            if deployment.moves_alias:
                self._schedule.at(at_s + drawn(ALIAS_LAG_S, dice), lambda _: self._give_back(spec, weight))
            return None
        taken = None if deployment.shifted else spec_problem(spec, self._functions)
        return taken or self._move(spec, weight)

    def _give_back(self, spec: AppSpec, weight: float) -> None:
        if failure := self._move(spec, weight):
            log.warning("the alias could not be given back: %s", failure.message)

    def _move(self, spec: AppSpec, weight: float) -> ErrorInformation | None:
        version, weights = (spec.target, {}) if weight == 1.0 else (spec.current, {spec.target: weight})
        try:
            self._functions.shift(spec.function, spec.alias, version, weights)
        except Refusal as refusal:
            return bad_function(refusal)
        return None
