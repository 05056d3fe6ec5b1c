"""What can be chosen to be watched or deployed, as a start form offers it."""

from collections.abc import Sequence

from msgspec import Struct

from harness.aws.candidates import candidates_of
from harness.aws.clients import Aws, pages
from harness.aws.discovery import find
from harness.aws.redeploy import redeployable
from harness.core.experiment.types import Deployment
from harness.core.foreign import mapping, sequence, text
from harness.core.timeline.deployments import UNDER_WAY
from harness.errors import HarnessError

LATEST = "$LATEST"


class GroupOffered(Struct, frozen=True, kw_only=True):
    """A deployment group."""

    application: str
    group: str


class Offers(Struct, frozen=True, kw_only=True):
    """All groups, and of the one that is wanted its function, deployments under way, and versions, the newest first.

    `in_service` is the version that the alias is on, and `no_redeploy` why it cannot be deployed once more; None if it
    can. `problem` says why something could not be listed.
    """

    groups: tuple[GroupOffered, ...] = ()
    function: str | None = None
    in_service: str | None = None
    no_redeploy: str | None = None
    versions: tuple[str, ...] = ()
    deployments: tuple[str, ...] = ()
    problem: str | None = None
    schema: int = 1


def offers(aws: Aws, wanted: Deployment) -> Offers:
    """What there is to choose from; never raises for what AWS answers, or where more than one group is there."""
    groups: tuple[GroupOffered, ...] = ()
    try:
        every = candidates_of(aws, Deployment())
        groups = tuple(GroupOffered(application=one.application, group=one.group) for one in every)
        found = find(aws, wanted)
        named = {"applicationName": found.application, "deploymentGroupName": found.group}
        listed = aws.call("codedeploy", "list_deployments", **named, includeOnlyStatuses=UNDER_WAY)
        placed = aws.call("lambda", "get_alias", FunctionName=found.function, Name=found.alias)
        return Offers(
            groups=groups,
            function=found.function,
            in_service=text(placed.get("FunctionVersion")),
            no_redeploy=_no_redeploy(aws, str(found.function), str(found.alias)),
            versions=tuple(_versions(aws, str(found.function))),
            deployments=tuple(filter(None, map(text, sequence(listed.get("deployments"))))),
        )
    except HarnessError as error:
        return Offers(groups=groups, problem=str(error))


def _no_redeploy(aws: Aws, function: str, alias: str) -> str | None:
    try:
        redeployable(aws, function=function, alias=alias)
    except HarnessError as error:
        return str(error)
    return None


def _versions(aws: Aws, function: str) -> Sequence[str]:
    answers = pages(aws, "lambda", "list_versions_by_function", FunctionName=function)
    listed = [text(mapping(one).get("Version")) for page in answers for one in sequence(page.get("Versions"))]
    return [version for version in reversed(listed) if version and version != LATEST]
