"""Publishes the code in service once more, so that a canary can be deployed without new code.

Lambda publishes a version only if code or configuration was updated since the last one (AWS does not document whether
setting the same values is an update). The smallest change is the function's description: it is set while the version is
published and then put back. The new version stays. If it is promoted, the alias is moved back afterwards to the version
that was in service, which has the same code: CloudFormation and CodeDeploy expect it there.
"""

import re
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from harness.aws.clients import ASK_ONCE, Answer, Aws, action, exists
from harness.aws.deployer import AskedDeployment
from harness.aws.journal import AS_BEFORE, Journal
from harness.core.experiment.types import Deployment
from harness.core.foreign import mapping, text
from harness.errors import AwsError, HarnessError, NotFound, Unreachable, UsageError

DESCRIBING = action("lambda", "update_function_configuration")
PUBLISHING = action("lambda", "publish_version")
RETURNING = action("lambda", "update_alias")

SETTLED_WITHIN_S = 60.0
ACTIVE_WITHIN_S = 300.0
"""Wall time that an update, and a new version (SnapStart takes minutes), may take until it can be used."""
BETWEEN_LOOKS_S = 1.0

STILL_SHIFTED = "a deployment still shifts it; heal again when that is over"

_MARK = re.compile(r"canary-harness redeploy \w+ of version (?P<before>\w+) by (?P<run>.+)", re.DOTALL)
LONGEST_DESCRIPTION = 256
"""AWS's limit, in characters."""

# Fields that differ between $LATEST and a version of the same code and configuration.
_OF_THE_VERSION = frozenset(
    {
        "ConfigSha256",
        "Description",
        "FunctionArn",
        "LastModified",
        "MasterArn",
        "ResponseMetadata",
        "RevisionId",
        "SnapStart",
        "Version",
    }
)


class Description:
    """The description of `function`, held at `mark` from `inject` to `heal`, which restores `before`."""

    def __init__(self, aws: Aws, *, function: str, mark: str, journal: Journal, before: str = "") -> None:
        self._aws = aws
        self._function = function
        self._mark = mark
        self._before = before
        self.entry = journal.entry(DESCRIBING, function, before=before, after=mark)

    def inject(self) -> None:
        """Sets it; raises HarnessError."""
        self._await_settled()
        self.entry.make(f"description: {self._mark}", self._hold)
        self._await_settled()

    def heal(self) -> bool:
        """Puts back what was there; returns whether nothing is left. Never raises for what AWS answers."""
        return not self.entry.held or self.entry.undo(self._restore, gone="the function is gone")

    def exists(self) -> bool:
        """Whether there is such a function; raises HarnessError if AWS does not tell."""
        return exists(lambda: _configuration(self._aws, self._function))

    def _hold(self) -> str:
        self._set(self._mark)
        return f"description: {self._mark}"

    def _restore(self) -> str:
        """Puts back what was there, unless ours is surely gone; says which. Raises HarnessError."""
        self._await_settled()  # while one update is under way AWS takes no other
        seen = text(_configuration(self._aws, self._function).get("Description")) or ""
        if seen != self._mark and (seen != self._before or not self.entry.is_fresh):
            return AS_BEFORE
        self._set(self._before)
        self._await_settled()
        return f"description: {self._before or 'none'}"

    def _set(self, description: str) -> None:
        self._aws.call("lambda", "update_function_configuration", FunctionName=self._function, Description=description)

    def _await_settled(self) -> None:
        _await(self._aws, self._function, None, "LastUpdateStatus", "Successful", SETTLED_WITHIN_S)


class PlacedAlias:
    """The alias whose redeployment may be promoted to `after`; `heal` gives it back to the version `before`.

    `asked` is the deployment that may move it, once it is asked for: as long as that lasts nothing is given back.
    """

    def __init__(self, aws: Aws, *, function: str, alias: str, before: str, after: str, journal: Journal) -> None:
        self._aws = aws
        self._named = {"FunctionName": function, "Name": alias}
        self._before = before
        self._after = after
        self.asked: AskedDeployment | None = None
        self._entry = journal.entry(RETURNING, f"{function}:{alias}", before=before, after=after)

    def announce(self) -> None:
        """Notes on the disk that the deployment to come may move it; raises HarnessError."""
        self._entry.announce(f"a promotion moves it from version {self._before} to {self._after}")

    def heal(self) -> bool:
        """Gives it back if it was promoted; returns whether nothing is left. Never raises for what AWS answers."""
        return self._entry.undo(self._restore, gone="the alias is gone")

    def exists(self) -> bool:
        """Whether there is such an alias; raises HarnessError if AWS does not tell."""
        return exists(lambda: self._aws.call("lambda", "get_alias", **self._named))

    def _restore(self) -> str:
        """Moves the alias back, unless it is not on the new version; says which. Raises HarnessError."""
        if self.asked and not self.asked.has_ended():
            raise HarnessError(STILL_SHIFTED)
        alias = self._aws.call("lambda", "get_alias", **self._named)
        if weights_of(alias):
            raise HarnessError(STILL_SHIFTED)
        version = text(alias.get("FunctionVersion"))
        if version == self._before and not (self.asked and self.asked.ended_lately):
            return AS_BEFORE
        if version not in (self._before, self._after):
            return f"it is on version {version}"
        self._give_back({"RevisionId": alias["RevisionId"]} if version == self._after else {})
        return f"back on version {self._before}"

    def _give_back(self, unless: Mapping[str, str]) -> None:
        """Gives it all its traffic on the version before; a look may be older than a promotion that just came."""
        whole = {**self._named, "FunctionVersion": self._before, "RoutingConfig": {"AdditionalVersionWeights": {}}}
        self._aws.with_patience(ASK_ONCE).call("lambda", "update_alias", **whole, **unless)


def publish_again(aws: Aws, *, function: str, alias: str, run: str, journal: Journal) -> tuple[str, str]:
    """The version in service and a new one with the same code and configuration; every write is journaled.

    `run` is the folder whose journal heals it; the version's description names it. Raises UsageError if `redeployable`
    does, and HarnessError.
    """
    in_service, latest, served = redeployable(aws, function=function, alias=alias)
    mark = f"canary-harness redeploy {secrets.token_hex(4)} of version {in_service} by {run}"[:LONGEST_DESCRIPTION]
    before = text(latest.get("Description")) or ""
    description = Description(aws, function=function, mark=mark, journal=journal, before=before)
    try:
        description.inject()
        version = _published(aws, function, mark, str(served.get("CodeSha256")), journal)
    finally:
        description.heal()
    if version == in_service:
        raise AwsError(PUBLISHING, "NothingChanged", f"Lambda published no version beside {in_service}")
    _await(aws, function, version, "State", "Active", ACTIVE_WITHIN_S)
    return in_service, version


def check_redeploy(aws: Aws, wanted: Deployment) -> None:
    """Raises UsageError if it is clear before any traffic that the code cannot be redeployed."""
    if not (wanted.redeploy and wanted.function):
        return
    with suppress(AwsError, Unreachable):  # it is asked again when it is time to deploy
        redeployable(aws, function=wanted.function, alias=wanted.alias)


def redeployable(aws: Aws, *, function: str, alias: str) -> tuple[str, Answer, Answer]:
    """The version in service, and the configurations of $LATEST and of that version, which are the same.

    Raises UsageError where they are not, where the alias is split, or where an earlier redeployment was not healed;
    and HarnessError if AWS does not tell.
    """
    placed = aws.call("lambda", "get_alias", FunctionName=function, Name=alias)
    in_service = str(placed.get("FunctionVersion"))
    for version in weights_of(placed):
        _check_healed(_configuration(aws, function, version), f"the alias {alias} still shifts to version {version}")
        raise UsageError(f"deployment.redeploy: the alias {alias} is split; give all traffic to one version first")
    latest = _configuration(aws, function)
    served = _configuration(aws, function, in_service)
    _check_healed(latest, f"the description of {function} is still changed")
    _check_healed(served, f"the alias {alias} was not given back, it is on version {in_service}")
    if differing := ", ".join(differences(latest, served)):
        raise UsageError(
            f"deployment.redeploy: $LATEST of {function} is not version {in_service} in service ({differing} differ); "
            "it would be shipped: deploy it as you do, or publish it and give target_version"
        )
    return in_service, latest, served


def _check_healed(configuration: Answer, left: str) -> None:
    """Raises UsageError where this bears the mark of an earlier redeployment: healed later, the two would get mixed."""
    mark = _MARK.fullmatch(text(configuration.get("Description")) or "")
    if mark:
        raise UsageError(
            f"deployment.redeploy: an earlier one of version {mark['before']} is not healed: {left}; "
            f"heal it first by `canary-harness alarm reset --run {mark['run']}`, once its deployment is over"
        )


def differences(latest: Mapping[str, Any], version: Mapping[str, Any]) -> list[str]:
    """The names of the settings in which $LATEST differs from a version; names only, for values may be secret."""
    names = {name for name in (*latest, *version) if not _is_of_the_version(name)}
    return sorted(name for name in names if latest.get(name) != version.get(name))


def weights_of(alias: Answer) -> Mapping[str, Any]:
    """The weights of an alias's additional versions; empty if all traffic goes to one version."""
    return mapping(mapping(alias.get("RoutingConfig")).get("AdditionalVersionWeights"))


def _is_of_the_version(name: str) -> bool:
    return name in _OF_THE_VERSION or name.startswith(("State", "LastUpdate"))


def _published(aws: Aws, function: str, mark: str, code: str, journal: Journal) -> str:
    # Publishing again what has not changed gives the same version again, so a repeated call does no harm.
    named = {"FunctionName": function, "CodeSha256": code, "Description": mark}
    return journal.entry(PUBLISHING, function).make(
        mark,
        lambda: str(aws.call("lambda", "publish_version", **named).get("Version")),
        lambda version: f"version {version}, which stays",
    )


def _configuration(aws: Aws, function: str, qualifier: str | None = None) -> Answer:
    named = {"FunctionName": function} | ({"Qualifier": qualifier} if qualifier else {})
    return aws.call("lambda", "get_function_configuration", **named)


def _await(aws: Aws, function: str, version: str | None, field: str, wanted: str, within_s: float) -> None:
    """Waits until `field` is `wanted`; an answer without the field counts as that. Raises AwsError if it fails."""
    until_s = time.monotonic() + within_s
    while (state := _state(aws, function, version, field) or wanted) != wanted:
        if state == "Failed" or time.monotonic() > until_s:
            named = f"version {version} of {function}" if version else function
            raise AwsError(action("lambda", "get_function_configuration"), state, f"{named} did not become {wanted}")
        time.sleep(BETWEEN_LOOKS_S)


def _state(aws: Aws, function: str, version: str | None, field: str) -> str | None:
    try:
        return text(_configuration(aws, function, version).get(field))
    except NotFound:
        if version is None:
            raise
        return "Pending"  # it is too new for this look
