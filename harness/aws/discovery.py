"""Finds the deployment that is meant: from a stack, a function, an application and group, or a deployment's id.

Given names come first, then a stack's resources. Without a stack, all groups are searched by their names and by what
their last deployment shifted. GetDeploymentGroup lists the alarms, DescribeAlarms the children of a composite alarm.
The service's address cannot be found: no AWS call leads from a function to its host.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from msgspec import Struct
from msgspec.structs import replace

from harness.aws.candidates import Candidate, candidates_of, check_deployment, group_names, there_are
from harness.aws.clients import Aws
from harness.aws.deployer import check_target
from harness.aws.looks import BATCH_OF_ALARMS, BOTH_KINDS
from harness.aws.naming import is_named_after
from harness.aws.parsing import UNDATED, alarms_of, group_seen
from harness.aws.shifted import ANY_ALIAS, aliases_of, shifted_by, what_is_shifted
from harness.core.experiment.group_names import about_names
from harness.core.experiment.types import Deployment, Experiment
from harness.core.foreign import text
from harness.core.timeline.composites import children_of
from harness.core.timeline.events import GroupSeen
from harness.errors import AwsError, HarnessError, NotFound, Unreachable, UsageError

MOST_HISTORIES = 50
"""How many groups' last deployments are read, two calls each; with more groups, a person has to name one."""


class Subject(Struct, frozen=True, kw_only=True):
    """What is deployed and what guards it; `alarms` are the group's own, then the children of composite alarms."""

    application: str
    group: str
    function: str | None
    alias: str
    alarms: tuple[str, ...] = ()
    config: str | None = None


def discover(aws: Aws, experiment: Experiment, *, whole: bool = True) -> Experiment:
    """The experiment with application, group, function, alias and alarm filled in if they were not given.

    The alarm is the group's first one. `target.host` stays as it is. Without `whole`, function and alias may stay
    unknown: a deployment names them once it has begun. Raises UsageError, which lists what there is, if no group or
    more than one fits.
    """
    subject = find(aws, experiment.deployment, whole=whole)
    deployment = replace(
        experiment.deployment,
        application=subject.application,
        group=subject.group,
        function=subject.function,
        alias=subject.alias,
    )
    name = experiment.alarm.name or next(iter(subject.alarms), None)
    return replace(experiment, deployment=deployment, alarm=replace(experiment.alarm, name=name))


def discover_for_a_run(aws: Aws, experiment: Experiment) -> Experiment:
    """The same for a run and all its groups; if AWS does not answer, the names that were given must do."""
    return _all_groups(aws, experiment, _discovered)


def discover_for_a_plan(aws: Aws, experiment: Experiment) -> tuple[Experiment, str]:
    """The same for a plan, and the reason if AWS could not be asked, else an empty text.

    Raises UsageError if a name is wrong.
    """
    try:
        aws.warm()
    except UsageError as error:
        return experiment, str(error)
    try:
        return _all_groups(aws, experiment, _looked_up), ""
    except UsageError:
        raise
    except HarnessError as error:
        return experiment, str(error)


def _all_groups(aws: Aws, experiment: Experiment, find_one: Callable[[Aws, Experiment], Experiment]) -> Experiment:
    first = find_one(aws, experiment)
    further = [find_one(aws, replace(experiment, deployment=also)).deployment for also in experiment.also]
    named = [(f"also[{index}].group", found.group) for index, found in enumerate(further)]
    if further:
        for problem in about_names([("deployment.group", first.deployment.group), *named]):
            raise problem
    return replace(first, also=tuple(further))


def _looked_up(aws: Aws, experiment: Experiment) -> Experiment:
    wanted = experiment.deployment
    if wanted.id:
        with _naming_the_region(aws):
            check_deployment(aws, wanted)
    makes_one = bool(wanted.target_version or wanted.redeploy)
    found = discover(aws, experiment, whole=makes_one)
    if makes_one or wanted.alias != ANY_ALIAS:
        with suppress(AwsError, Unreachable):  # an unanswered check is no mistake of the person's
            _check_versions(aws, found.deployment)
    return found


def _discovered(aws: Aws, experiment: Experiment) -> Experiment:
    wanted = experiment.deployment
    try:
        return _looked_up(aws, experiment)
    except UsageError:
        raise
    except HarnessError:
        if wanted.id or (wanted.application and wanted.group):
            return experiment
        raise


@contextmanager
def _naming_the_region(aws: Aws) -> Iterator[None]:
    """Adds the region to a UsageError: what is missing here often exists in another region."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{error} (looked in {aws.region})") from error


def find(aws: Aws, wanted: Deployment, *, whole: bool = True) -> Subject:
    """The one group that fits what is given, with all that belongs to it; raises HarnessError."""
    with _naming_the_region(aws):
        chosen = _chosen(aws, wanted, candidates_of(aws, wanted))
        seen = _group(aws, chosen)
        function, alias = what_is_shifted(aws, wanted, chosen, whole=whole)
    return Subject(
        application=chosen.application,
        group=chosen.group,
        function=function,
        alias=alias,
        alarms=_with_children(aws, seen.alarms),
        config=seen.config or None,
    )


# Choosing the group


def _chosen(aws: Aws, wanted: Deployment, candidates: Sequence[Candidate]) -> Candidate:
    if wanted.application and wanted.group:
        return candidates[0]
    fitting = [one for one in candidates if _fits(one, wanted)]
    if wanted.function:
        fitting = _working_on(aws, wanted.function, fitting)
    if wanted.alias != ANY_ALIAS and len(fitting) > 1:
        fitting = [one for one in fitting if one.alias in (None, wanted.alias)]
    if len(fitting) == 1:
        return fitting[0]
    what = f" deploys the function {wanted.function}" if wanted.function else ""
    if fitting:
        raise UsageError(
            f"more than one deployment group{what or ' is there'}: name one; {there_are(map(str, fitting))}"
        )
    named = f" of the name {wanted.group}" if wanted.group else ""
    raise UsageError(f"no deployment group{what or f'{named} is there'}; {there_are(map(str, candidates))}")


def _fits(one: Candidate, wanted: Deployment) -> bool:
    return wanted.group in (None, one.group) and wanted.application in (None, one.application)


def _working_on(aws: Aws, function: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The groups that deploy a function: by their stack, by their name, and else by their last deployment."""
    paired = [one for one in candidates if one.function == function]
    if paired:
        return paired
    rest = [one for one in candidates if one.function is None]
    named = [one for one in rest if is_named_after(one.group, function) and _may_shift(aws, one, function)]
    if named:
        return named
    deployed = [one for one in rest if one.last != ()]
    if len(deployed) > MOST_HISTORIES:
        raise UsageError(f"{len(deployed)} deployment groups could deploy {function}: name its application")
    return [one for one in deployed if (target := shifted_by(aws, one)) and target.function == function]


def _may_shift(aws: Aws, one: Candidate, function: str) -> bool:
    target = shifted_by(aws, one)
    return target is None or target.function in (None, function)


# What belongs to the group


def _check_versions(aws: Aws, wanted: Deployment) -> None:
    """Raises UsageError if there is no such alias, or it cannot be shifted to the version wanted."""
    function, target = wanted.function, wanted.target_version
    if function is None:
        return
    try:
        placed = aws.call("lambda", "get_alias", FunctionName=function, Name=wanted.alias)
    except NotFound as error:
        raise UsageError(_no_alias(aws, function, wanted.alias)) from error
    if target:
        check_target(wanted.alias, str(placed.get("FunctionVersion")), target)
        _check_published(aws, function, target)


def _no_alias(aws: Aws, function: str, alias: str) -> str:
    try:
        aws.call("lambda", "get_function_configuration", FunctionName=function)
    except NotFound:
        return f"deployment.function: Lambda knows no function {function} in this region and account"
    return f"deployment.alias: the function {function} has no alias {alias}; {there_are(aliases_of(aws, function))}"


def _check_published(aws: Aws, function: str, version: str) -> None:
    try:
        aws.call("lambda", "get_function_configuration", FunctionName=function, Qualifier=version)
    except NotFound as error:
        problem = f"the function {function} has no version {version}; publish it first, or name one that exists"
        raise UsageError(f"deployment.target_version: {problem}") from error


def _group(aws: Aws, one: Candidate) -> GroupSeen:
    try:
        answer = aws.call(
            "codedeploy", "get_deployment_group", applicationName=one.application, deploymentGroupName=one.group
        )
    except NotFound as error:
        there = there_are(group_names(aws, one.application))
        raise UsageError(f"the application {one.application} has no deployment group {one.group}; {there}") from error
    seen = group_seen(answer.get("deploymentGroupInfo"), UNDATED)
    if not isinstance(seen, GroupSeen):
        raise UsageError(f"the deployment group {one} cannot be read: {seen.message}")
    return seen


def _with_children(aws: Aws, names: Sequence[str]) -> tuple[str, ...]:
    """The alarms and the children of composite alarms among them."""
    known: list[str] = list(dict.fromkeys(names))
    asked: set[str] = set()
    while new := [name for name in known if name not in asked][:BATCH_OF_ALARMS]:
        asked.update(new)
        try:
            answer = aws.call("cloudwatch", "describe_alarms", AlarmNames=new, AlarmTypes=BOTH_KINDS)
        except HarnessError:
            break  # the group's own alarms are enough; doctor and watcher report what cannot be read
        children = [child for alarm in alarms_of(answer) for child in children_of(text(alarm.get("AlarmRule")))]
        known.extend(child for child in dict.fromkeys(children) if child not in known)
    return tuple(known)
