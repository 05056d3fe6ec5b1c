"""Publishes the code in service once more, so that a canary can be deployed without shipping anything.

Lambda publishes a version only where code or configuration was updated since the last one (whether the same values are
an update is not documented). The least that can change is the function's description: it is set for the moment of the
publication and then put back. The new version stays. Where it
was promoted, the alias goes back to the version that was in service, which has the same code: CloudFormation and
CodeDeploy would otherwise find it elsewhere than they left it.
"""

import re
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from harness.aws.clients import ASK_ONCE, Answer, Aws, action
from harness.aws.journal import AS_BEFORE, Journal
from harness.aws.parsing import mapping, text
from harness.core.experiment.types import Deployment
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

# What differs between $LATEST and a version of it though both do the same.
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
    """The description of `function`, held at `mark` from `inject` to `heal`.

    `left` says that a run set it and could not put it back; then `before` is what to restore.
    """

    def __init__(
        self, aws: Aws, *, function: str, mark: str, journal: Journal, before: str = "", left: bool = False
    ) -> None:
        self._aws = aws
        self._function = function
        self._mark = mark
        self._before = before
        self._entry = journal.entry(DESCRIBING, function, before=before, after=mark)
        self._held = left

    def inject(self) -> None:
        """Sets it; raises HarnessError."""
        self._entry.note("intended", f"description: {self._mark}")
        self._held = True  # an answer that is lost may hide a description that was set
        try:
            self._set(self._mark)
        except HarnessError as error:
            self._entry.note("failed", str(error))
            raise
        self._entry.note("done", f"description: {self._mark}")

    def heal(self) -> bool:
        """Puts back what was there; whether nothing is left. Never raises for what AWS answers."""
        if not self._held:
            return True
        try:
            told = self._put_back()
        except NotFound:
            told = "the function is gone"
        except HarnessError as error:
            self._entry.note("failed", str(error))
            return False
        self._entry.note("undone", told)
        self._held = False
        return True

    def _put_back(self) -> str:
        """Puts back what was there unless somebody did; which of them. Raises HarnessError."""
        if text(_configuration(self._aws, self._function).get("Description")) != self._mark:
            return AS_BEFORE
        self._set(self._before)
        return f"description: {self._before or 'none'}"

    def exists(self) -> bool:
        """Whether there is such a function; raises HarnessError where nobody says."""
        return _exists(lambda: _configuration(self._aws, self._function))

    def _set(self, description: str) -> None:
        self._aws.call("lambda", "update_function_configuration", FunctionName=self._function, Description=description)
        _await(self._aws, self._function, None, "LastUpdateStatus", "Successful", SETTLED_WITHIN_S)


class PlacedAlias:
    """The alias whose redeployment may be promoted to `after`; `heal` gives it back to the version `before`."""

    def __init__(self, aws: Aws, *, function: str, alias: str, before: str, after: str, journal: Journal) -> None:
        self._aws = aws
        self._named = {"FunctionName": function, "Name": alias}
        self._before = before
        self._after = after
        self._entry = journal.entry(RETURNING, f"{function}:{alias}", before=before, after=after)

    def announce(self) -> None:
        """Notes that the deployment to come may move it."""
        self._entry.note("intended", f"a promotion moves it from version {self._before} to {self._after}")

    def heal(self) -> bool:
        """Gives it back where it was promoted; whether nothing is left. Never raises for what AWS answers."""
        try:
            return self._healed(self._aws.call("lambda", "get_alias", **self._named))
        except NotFound:
            self._entry.note("undone", "the alias is gone")
            return True
        except HarnessError as error:
            self._entry.note("failed", str(error))
            return False

    def exists(self) -> bool:
        """Whether there is such an alias; raises HarnessError where nobody says."""
        return _exists(lambda: self._aws.call("lambda", "get_alias", **self._named))

    def _healed(self, alias: Answer) -> bool:
        if weights_of(alias):
            self._entry.note("failed", STILL_SHIFTED)
            return False
        version = text(alias.get("FunctionVersion"))
        if version != self._after:
            self._entry.note("undone", AS_BEFORE if version == self._before else f"it is on version {version}")
            return True
        once = self._aws.with_patience(ASK_ONCE)
        once.call("lambda", "update_alias", **self._named, FunctionVersion=self._before, RevisionId=alias["RevisionId"])
        self._entry.note("undone", f"back on version {self._before}")
        return True


def publish_again(aws: Aws, *, function: str, alias: str, run: str, journal: Journal) -> tuple[str, str]:
    """The version in service and a new one with the same code and configuration; every write is journaled.

    `run` is the folder whose journal heals it, which its description tells. Raises UsageError where `redeployable`
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
    """Raises UsageError where it is known before any traffic that a redeployment cannot be."""
    if not (wanted.redeploy and wanted.function):
        return
    with suppress(AwsError, Unreachable):  # what AWS does not tell now is asked again when it is time to deploy
        redeployable(aws, function=wanted.function, alias=wanted.alias)


def redeployable(aws: Aws, *, function: str, alias: str) -> tuple[str, Answer, Answer]:
    """The version in service, and the configurations of $LATEST and of that version, which are the same.

    Raises UsageError where they are not, where the alias is split, or where an earlier redeployment was not healed;
    and HarnessError where nobody says.
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
    """The names of what makes $LATEST another thing than a version; their values may be secret."""
    names = {name for name in (*latest, *version) if not _is_of_the_version(name)}
    return sorted(name for name in names if latest.get(name) != version.get(name))


def weights_of(alias: Answer) -> Mapping[str, Any]:
    """The weights of the versions that an alias gives traffic to beside its own; empty where it is not split."""
    return mapping(mapping(alias.get("RoutingConfig")).get("AdditionalVersionWeights"))


def _is_of_the_version(name: str) -> bool:
    return name in _OF_THE_VERSION or name.startswith(("State", "LastUpdate"))


def _published(aws: Aws, function: str, mark: str, code: str, journal: Journal) -> str:
    # Publishing again what has not changed gives the same version again, so a repeated call does no harm.
    entry = journal.entry(PUBLISHING, function, before=None, after=None)
    entry.note("intended", mark)
    try:
        answer = aws.call("lambda", "publish_version", FunctionName=function, CodeSha256=code, Description=mark)
    except HarnessError as error:
        entry.note("failed", str(error))
        raise
    version = str(answer.get("Version"))
    entry.note("done", f"version {version}, which stays")
    return version


def _configuration(aws: Aws, function: str, qualifier: str | None = None) -> Answer:
    named = {"FunctionName": function} | ({"Qualifier": qualifier} if qualifier else {})
    return aws.call("lambda", "get_function_configuration", **named)


def _await(aws: Aws, function: str, version: str | None, field: str, wanted: str, within_s: float) -> None:
    """Waits until Lambda has made a change good; an answer without the field is as good as that."""
    until_s = time.monotonic() + within_s
    while (state := text(_configuration(aws, function, version).get(field)) or wanted) != wanted:
        if state == "Failed" or time.monotonic() > until_s:
            named = f"version {version} of {function}" if version else function
            raise AwsError(action("lambda", "get_function_configuration"), state, f"{named} did not become {wanted}")
        time.sleep(BETWEEN_LOOKS_S)


def _exists(read: Any) -> bool:
    try:
        read()
    except NotFound:
        return False
    return True
