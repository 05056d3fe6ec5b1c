"""The deployment groups that may be meant: a named one, that of a deployment, those of a stack, or all."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from harness.aws.clients import Answer, Aws, pages
from harness.aws.naming import belong_together
from harness.core.experiment.types import Deployment
from harness.core.foreign import mapping, sequence, text
from harness.core.timeline.deployments import ROLLBACK_CREATOR
from harness.errors import AwsError, NotFound, UsageError

BATCH_OF_APPLICATIONS = 100
BATCH_OF_GROUPS = 100
MOST_SHOWN = 8

_GROUP = "AWS::CodeDeploy::DeploymentGroup"
_APPLICATION = "AWS::CodeDeploy::Application"
_ALIAS = "AWS::Lambda::Alias"
_NESTED = "AWS::CloudFormation::Stack"


class Candidate(Struct, frozen=True, kw_only=True):
    """A group that may be the one; `function` and `alias` are what its stack says, None if unknown.

    `last` are its newest deployments, empty if it never deployed, None if not read yet.
    """

    application: str
    group: str
    function: str | None = None
    alias: str | None = None
    last: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return f"{self.application}/{self.group}"


def candidates_of(aws: Aws, wanted: Deployment) -> list[Candidate]:
    """The groups to choose from; raises UsageError if names do not exist or contradict each other, and HarnessError."""
    named = _named_outright(aws, wanted)
    if wanted.stack:
        of_stack = _of_stack(aws, wanted.stack)
        return [_in_stack(named, of_stack, wanted.stack)] if named else of_stack
    return [named] if named else list(_listed(aws, wanted.application))


def _named_outright(aws: Aws, wanted: Deployment) -> Candidate | None:
    """The one group that application and group, or a deployment's id, name; None if they are not given."""
    if wanted.application and wanted.group:
        return Candidate(application=wanted.application, group=wanted.group, last=(wanted.id,) if wanted.id else None)
    return _of_deployment(aws, wanted.id) if wanted.id else None


def _in_stack(named: Candidate, of_stack: Sequence[Candidate], stack: str) -> Candidate:
    """The named group as its stack describes it."""
    for one in of_stack:
        if (one.application, one.group) == (named.application, named.group):
            return replace(one, last=named.last)
    raise UsageError(
        f"deployment.stack: the stack {stack} has no deployment group {named}; {there_are(map(str, of_stack))}"
    )


def deployment_of(aws: Aws, deployment_id: str) -> Mapping[str, Any]:
    """What CodeDeploy knows of a deployment; raises UsageError if it does not know it."""
    try:
        answer = aws.call("codedeploy", "get_deployment", deploymentId=deployment_id)
    except NotFound as error:
        raise UsageError(f"deployment.id: CodeDeploy knows no {deployment_id} in this region and account") from error
    return mapping(answer.get("deploymentInfo"))


def check_deployment(aws: Aws, wanted: Deployment) -> None:
    """Raises UsageError if the deployment `id` cannot be followed: it is a rollback, or of another group."""
    known = deployment_of(aws, str(wanted.id))
    undone = text(mapping(known.get("rollbackInfo")).get("rollbackTriggeringDeploymentId"))
    if undone or text(known.get("creator")) == ROLLBACK_CREATOR:
        forward = f"the rollback of {undone}: give that one" if undone else "a rollback: give the one that it undid"
        raise UsageError(f"deployment.id: {wanted.id} is {forward}")
    own = (text(known.get("applicationName")), text(known.get("deploymentGroupName")))
    if any(
        named and there and named != there for named, there in zip((wanted.application, wanted.group), own, strict=True)
    ):
        asked = "/".join(filter(None, (wanted.application, wanted.group)))
        raise UsageError(f"deployment.id: {wanted.id} is a deployment of {own[0]}/{own[1]} and not of {asked}")


def _of_deployment(aws: Aws, deployment_id: str) -> Candidate:
    known = deployment_of(aws, deployment_id)
    application, group = text(known.get("applicationName")), text(known.get("deploymentGroupName"))
    if not application or not group:
        raise UsageError(f"deployment.id: {deployment_id} has no application and group; name them")
    return Candidate(application=application, group=group, last=(deployment_id,))


def _of_stack(aws: Aws, stack: str) -> list[Candidate]:
    resources = list(resources_of_stack(aws, stack))
    applications = named_resources(resources, _APPLICATION)
    groups, aliases = named_resources(resources, _GROUP), named_resources(resources, _ALIAS)
    if not groups:
        raise UsageError(f"the stack {stack} has no CodeDeploy deployment group; name application and group instead")
    found = []
    for group_id, group in groups:
        function, alias = _paired(group_id, aliases, alone=len(groups) == 1)
        application = _application_of(aws, group, [name for _, name in applications])
        found.append(Candidate(application=application, group=group, function=function, alias=alias))
    return found


def named_resources(resources: Sequence[Mapping[str, Any]], kind: str) -> list[tuple[str, str]]:
    """Logical and physical ids of the resources of one type."""
    some = (one for one in resources if one.get("ResourceType") == kind)
    ids = ((text(one.get("LogicalResourceId")), text(one.get("PhysicalResourceId"))) for one in some)
    return [(logical, physical) for logical, physical in ids if logical and physical]


def resources_of_stack(aws: Aws, stack: str) -> Iterator[Mapping[str, Any]]:
    """The resources of a stack and of those nested in it."""
    waiting, seen = [stack], set()
    while waiting:
        name = waiting.pop(0)
        seen.add(name)
        for page in _stack_pages(aws, name):
            for resource in map(mapping, sequence(page.get("StackResourceSummaries"))):
                yield resource
                nested = text(resource.get("PhysicalResourceId"))
                if resource.get("ResourceType") == _NESTED and nested and nested not in seen:
                    waiting.append(nested)


def _stack_pages(aws: Aws, stack: str) -> Iterator[Answer]:
    try:
        yield from pages(aws, "cloudformation", "list_stack_resources", StackName=stack)
    except AwsError as error:
        if error.code == "ValidationError":
            problem = f"deployment.stack: CloudFormation knows no stack {stack} in this region and account"
            raise UsageError(f"{problem} ({error})") from error
        raise


def _paired(group_id: str, aliases: Sequence[tuple[str, str]], *, alone: bool) -> tuple[str | None, str | None]:
    """Function and alias that a group of the same template shifts; None if the logical ids do not tell."""
    matching = [arn for alias_id, arn in aliases if belong_together(group_id, alias_id)]
    if not matching and alone:
        matching = [arn for _, arn in aliases]
    return _alias_parts(matching[0]) if len(matching) == 1 else (None, None)


def _alias_parts(arn: str) -> tuple[str | None, str | None]:
    """Function and alias of an alias's ARN."""
    function, colon, alias = arn.rpartition(":function:")[2].partition(":")
    return (function, alias) if colon and alias else (None, None)


def _application_of(aws: Aws, group: str, applications: Sequence[str]) -> str:
    """The application of a group in the stack: the stack's own, or one of another stack."""
    if len(applications) == 1:
        return applications[0]
    for one in applications or list(_applications(aws)):
        if group in group_names(aws, one):
            return one
    raise UsageError(f"no application has the group {group}: name its application")


def _listed(aws: Aws, application: str | None) -> Iterator[Candidate]:
    for name in [application] if application else _applications(aws):
        groups = list(group_names(aws, name))
        for some in _chunks(groups, BATCH_OF_GROUPS):
            answer = aws.call(
                "codedeploy", "batch_get_deployment_groups", applicationName=name, deploymentGroupNames=some
            )
            for known in map(mapping, sequence(answer.get("deploymentGroupsInfo"))):
                group = text(known.get("deploymentGroupName"))
                if group and known.get("computePlatform") in (None, "Lambda"):
                    yield Candidate(application=name, group=group, last=newest(known))


def newest(group: Mapping[str, Any]) -> tuple[str, ...]:
    """The ids of the last deployments that a DeploymentGroupInfo names."""
    ends = (mapping(group.get(f"last{word}Deployment")) for word in ("Attempted", "Successful"))
    ids = (text(end.get("deploymentId")) for end in ends)
    return tuple(dict.fromkeys(found for found in ids if found))


def _applications(aws: Aws) -> list[str]:
    """The applications that deploy Lambda functions."""
    answers = pages(aws, "codedeploy", "list_applications")
    names = [name for page in answers for name in map(text, sequence(page.get("applications"))) if name]
    found = []
    for some in _chunks(names, BATCH_OF_APPLICATIONS):
        answer = aws.call("codedeploy", "batch_get_applications", applicationNames=some)
        for known in map(mapping, sequence(answer.get("applicationsInfo"))):
            name = text(known.get("applicationName"))
            if name and known.get("computePlatform") in (None, "Lambda"):
                found.append(name)
    return found


def group_names(aws: Aws, application: str) -> list[str]:
    """The groups of an application; raises UsageError if there is no such application."""
    answers = pages(aws, "codedeploy", "list_deployment_groups", applicationName=application)
    try:
        return [name for page in answers for name in map(text, sequence(page.get("deploymentGroups"))) if name]
    except NotFound as error:
        raise UsageError(f"CodeDeploy knows no application {application}; {there_are(_applications(aws))}") from error


def _chunks(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (names[start : start + size] for start in range(0, len(names), size))


def there_are(names: Iterable[str]) -> str:
    """The end of an error message: what there is to choose from."""
    listed = sorted(names)
    left = len(listed) - MOST_SHOWN
    more = f" and {left} more" if left > 0 else ""
    return f"there are {', '.join(listed[:MOST_SHOWN])}{more}" if listed else "there is none in this region and account"
