"""Starts a canary deployment, journaled before it is made."""

import hashlib
import json
import secrets
from collections.abc import Callable, Collection, Mapping
from typing import Any

from harness.aws.clients import Aws, action
from harness.aws.journal import Journal
from harness.aws.parsing import mapping, sequence, text
from harness.core.experiment.types import AWS_CONFIGS, AWS_PREFIX, HookEvent
from harness.core.timeline.events import Event
from harness.errors import AwsError, HarnessError, Unavailable, Unreachable, UsageError

ATTEMPTS = 4
NEWEST = 25
_CALL = action("codedeploy", "create_deployment")


def create_deployment(
    aws: Aws,
    *,
    application: str,
    group: str,
    function: str,
    alias: str,
    target_version: str,
    experiment: str,
    config: str | None = None,
    hooks: Collection[HookEvent] = (),
    record: Callable[[Event], None],
    now: Callable[[], float],
) -> str:
    """The id of a new deployment that shifts `alias` from its current version to `target_version`.

    `experiment` is a name; `config` may leave out AWS's prefix; None means the group's own. The functions
    `CodeDeployHook_<event>` run the `hooks`. Raises HarnessError, and the journal then says `failed`.
    """

    def shift() -> str:
        answer = aws.call("lambda", "get_alias", FunctionName=function, Name=alias)
        current = str(answer.get("FunctionVersion"))
        check_target(alias, current, target_version)
        spec = app_spec(function, alias, current, target_version, hooks)
        request = _request(application, group, config, spec, f"canary-harness {experiment} {secrets.token_hex(4)}")
        return _created(aws, request)

    entry = Journal(record, now).entry(_CALL, f"{application}/{group}")
    return entry.make(f"{alias} to {target_version}", shift)


def check_target(alias: str, current: str, target_version: str) -> None:
    """Raises UsageError if a deployment would shift an alias to the version that it is already on."""
    if current == target_version:
        raise UsageError(
            f"deployment.target_version: the alias {alias} is already on version {current}; "
            "name another version, or deploy the same code once more by deployment.redeploy"
        )


def app_spec(function: str, alias: str, current: str, target: str, hooks: Collection[HookEvent] = ()) -> str:
    """The AppSpec of a Lambda deployment, as JSON."""
    properties = {"Name": function, "Alias": alias, "CurrentVersion": current, "TargetVersion": target}
    spec: dict[str, Any] = {
        "version": 0.0,
        "Resources": [{function: {"Type": "AWS::Lambda::Function", "Properties": properties}}],
    }
    if hooks:
        spec["Hooks"] = [{event: f"CodeDeployHook_{event}"} for event in hooks]
    return json.dumps(spec)


def full_config_name(config: str) -> str:
    """AWS's name of a configuration: its presets get the prefix back, a configuration of your own stays as it is."""
    return f"{AWS_PREFIX}{config}" if config in AWS_CONFIGS else config


def _request(application: str, group: str, config: str | None, spec: str, description: str) -> dict[str, Any]:
    content = {"content": spec, "sha256": hashlib.sha256(spec.encode()).hexdigest()}
    request = {
        "applicationName": application,
        "deploymentGroupName": group,
        "description": description,
        "revision": {"revisionType": "AppSpecContent", "appSpecContent": content},
    }
    return request | ({"deploymentConfigName": full_config_name(config)} if config else {})


def _created(aws: Aws, request: Mapping[str, Any]) -> str:
    # CreateDeployment has no idempotency token. An attempt without an answer may have created the deployment, so we
    # try again only if no deployment has our description. A refusal may then be caused by our own deployment.
    doubts: list[HarnessError] = []
    for _ in range(ATTEMPTS):
        try:
            return _deployment_id(aws.call("codedeploy", "create_deployment", **request))
        except (Unavailable, Unreachable) as error:
            doubts.append(error)
        except AwsError as error:
            if not doubts:
                raise
            doubts.append(error)
        found = _found(aws, request)
        if found is not None:
            return found
    raise doubts[-1]


def _deployment_id(answer: Mapping[str, Any]) -> str:
    deployment_id = text(answer.get("deploymentId"))
    if deployment_id is None:
        raise Unreachable(_CALL, "an answer without deploymentId")
    return deployment_id


def _found(aws: Aws, request: Mapping[str, Any]) -> str | None:
    where = {name: request[name] for name in ("applicationName", "deploymentGroupName")}
    ids = sequence(aws.call("codedeploy", "list_deployments", **where).get("deployments"))[:NEWEST]
    if not ids:
        return None
    answer = aws.call("codedeploy", "batch_get_deployments", deploymentIds=ids)
    described = map(mapping, sequence(answer.get("deploymentsInfo")))
    ours = (info for info in described if info.get("description") == request["description"])
    return next((text(info.get("deploymentId")) for info in ours), None)
