"""Which function and alias a deployment group shifts: by its past deployments, its stack, or its name."""

from harness.aws.candidates import Candidate, newest, there_are
from harness.aws.clients import Aws, pages
from harness.aws.naming import functions_for
from harness.aws.parsing import UNDATED, target_seen
from harness.core.experiment.types import Deployment
from harness.core.foreign import mapping, sequence, text
from harness.core.timeline.events import TargetSeen
from harness.errors import AwsError, Throttled, Unavailable, UsageError

ANY_ALIAS = Deployment().alias
"""The default alias of an experiment; it counts as not given."""


def what_is_shifted(aws: Aws, wanted: Deployment, chosen: Candidate, *, whole: bool) -> tuple[str | None, str]:
    """Function and alias; without `whole`, what was given if AWS does not tell."""
    try:
        return _function_and_alias(aws, wanted, chosen)
    except UsageError:
        if whole:
            raise
        return wanted.function, wanted.alias


def _function_and_alias(aws: Aws, wanted: Deployment, chosen: Candidate) -> tuple[str, str]:
    shifted = shifted_by(aws, chosen) if not (wanted.function and wanted.alias != ANY_ALIAS) else None
    function = wanted.function or (shifted and shifted.function) or chosen.function or _guessed(aws, chosen)
    if wanted.alias != ANY_ALIAS:
        return function, wanted.alias
    known = chosen.alias if chosen.function == function else None
    past = shifted.alias if shifted and shifted.function == function else None
    return function, past or known or _alias_of(aws, function)


def shifted_by(aws: Aws, one: Candidate) -> TargetSeen | None:
    """What the newest deployment with a known function shifted; None if there is none."""
    for deployment_id in _history(aws, one) if one.last is None else one.last:
        target = _target(aws, deployment_id)
        if target and target.function:
            return target
    return None


def _history(aws: Aws, one: Candidate) -> tuple[str, ...]:
    answer = aws.call(
        "codedeploy", "get_deployment_group", applicationName=one.application, deploymentGroupName=one.group
    )
    return newest(mapping(answer.get("deploymentGroupInfo")))


def _target(aws: Aws, deployment_id: str) -> TargetSeen | None:
    try:
        listed = aws.call("codedeploy", "list_deployment_targets", deploymentId=deployment_id)
        target_id = next((found for found in map(text, sequence(listed.get("targetIds"))) if found), None)
        if target_id is None:
            return None
        answer = aws.call("codedeploy", "get_deployment_target", deploymentId=deployment_id, targetId=target_id)
    except (Throttled, Unavailable):
        raise
    except AwsError:
        return None  # not started yet, too old, or no permission: other sources may tell
    seen = target_seen(deployment_id, answer.get("deploymentTarget"), UNDATED)
    return seen if isinstance(seen, TargetSeen) else None


def _guessed(aws: Aws, one: Candidate) -> str:
    """The function that the group's name suggests; raises UsageError if there is none."""
    for function in functions_for(one.group):
        if aliases_of(aws, function):
            return function
    raise UsageError(
        f"deployment.function: the group {one} never deployed, and no function matches its name; name the function"
    )


def _alias_of(aws: Aws, function: str) -> str:
    """The only alias, or the one with the default name; the default if the function has none."""
    names = aliases_of(aws, function)
    if len(names) == 1:
        return names[0]
    usual = [name for name in names if name.lower() == ANY_ALIAS.lower()]
    if len(usual) == 1 or not names:
        return next(iter(usual), ANY_ALIAS)
    raise UsageError(f"deployment.alias: the function {function} has several; {there_are(names)}")


def aliases_of(aws: Aws, function: str) -> list[str]:
    """The names of a function's aliases; empty if AWS refuses to list them."""
    try:
        answers = list(pages(aws, "lambda", "list_aliases", FunctionName=function))
    except (Throttled, Unavailable):
        raise
    except AwsError:
        return []
    named = (text(mapping(alias).get("Name")) for page in answers for alias in sequence(page.get("Aliases")))
    return [name for name in named if name]
