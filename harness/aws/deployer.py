"""Starts a canary deployment, journaled before it is made."""

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from harness.aws.clients import Aws
from harness.aws.failures import may_have_acted
from harness.aws.journal import SETTLED_S, Journal
from harness.aws.parsing import date_of
from harness.core.experiment.types import AWS_CONFIGS, AWS_PREFIX, HookEvent
from harness.core.foreign import mapping, sequence, text
from harness.core.timeline.deployments import ENDED_STATUSES
from harness.core.timeline.left import CREATION
from harness.errors import AwsError, HarnessError, NotFound, Unreachable, UsageError

ATTEMPTS = 4
NEWEST = 25
_ACTIVE = "DeploymentLimitExceededException"
_ID = re.compile(r"\bd-\w+")


class AskedDeployment:
    """A deployment that a run asks for, known by `mark`, its description; `deployment_id` is None until AWS told it.

    `application` and `group` name where. `ended_lately` says that a look may still show what was so before its end. An
    earlier run's is given with what its journal tells of it.
    """

    def __init__(
        self,
        aws: Aws,
        *,
        application: str,
        group: str,
        journal: Journal,
        mark: str | None,
        deployment_id: str | None = None,
    ) -> None:
        self.deployment_id = deployment_id
        self.ended_lately = True
        self.entry = journal.entry(CREATION, f"{application}/{group}", after=mark)
        self._aws = aws
        self._where = {"applicationName": application, "deploymentGroupName": group}

    def create(self, what: str, request: Mapping[str, Any]) -> str:
        """Its id, once it is created as `request` asks; raises HarnessError.

        CreateDeployment has no idempotency token. An attempt without an answer may have created the deployment, so it
        is repeated only when AWS would surely list one by now. A refusal may then be caused by our own deployment.
        """
        asked = {**self._where, **request, "description": self.entry.after}
        self.deployment_id = self.entry.make(what, lambda: self._created(asked))
        return self.deployment_id

    def has_ended(self) -> bool:
        """Whether it can move the alias no more, for it has ended or was never created; raises HarnessError."""
        if self.entry.held and self.deployment_id is None:
            self.deployment_id = self._found()
            if self.deployment_id is None and self.entry.is_fresh:
                raise HarnessError(f"whether {self.entry.subject} began the deployment is not known yet")
        if self.deployment_id is None:
            self.ended_lately = False
            return True
        try:
            answer = self._aws.call("codedeploy", "get_deployment", deploymentId=self.deployment_id)
        except NotFound as error:  # too new for this look; it is no sign that what it moves is gone
            raise HarnessError(f"what became of {self.deployment_id} is not known: {error}") from error
        info = mapping(answer.get("deploymentInfo"))
        completed, date_s = info.get("completeTime"), date_of(answer)
        if isinstance(completed, datetime) and date_s is not None:
            self.ended_lately = date_s < completed.timestamp() + SETTLED_S
        return text(info.get("status")) in ENDED_STATUSES

    def _created(self, request: Mapping[str, Any]) -> str:
        doubts: list[HarnessError] = []
        for _ in range(ATTEMPTS):
            try:
                return _deployment_id(self._aws.call("codedeploy", "create_deployment", **request))
            except HarnessError as error:
                if not doubts and not may_have_acted(error):
                    raise
                doubts.append(error)
            if found := self._looked_for(doubts[-1]):
                return found
            if self.entry.journal.is_shut:
                break
        doubts[-1].doubted = True
        raise doubts[-1]

    def _looked_for(self, error: HarnessError) -> str | None:
        """The id of our deployment, looked for until AWS would surely show it; None where there is none by then."""
        journal = self.entry.journal
        until_s = journal.now() + SETTLED_S
        while (found := self._named_by(error) or self._listed()) is None and journal.now() < until_s:
            if journal.is_shut:
                return None
            journal.rest()
        return found

    def _found(self) -> str | None:
        return self._listed() if self.entry.after else None

    def _named_by(self, error: HarnessError) -> str | None:
        """The deployment for which AWS refuses another one, if it is ours."""
        named = _ID.search(str(error)) if isinstance(error, AwsError) and error.code == _ACTIVE else None
        try:
            ours = named is not None and self._is_ours(self._described(named[0]))
        except NotFound:
            return None  # it is too new for this look
        return named[0] if named and ours else None

    def _listed(self) -> str | None:
        ids = sequence(self._aws.call("codedeploy", "list_deployments", **self._where).get("deployments"))[:NEWEST]
        if not ids:
            return None
        answer = self._aws.call("codedeploy", "batch_get_deployments", deploymentIds=ids)
        described = map(mapping, sequence(answer.get("deploymentsInfo")))
        return next((text(info.get("deploymentId")) for info in described if self._is_ours(info)), None)

    def _described(self, deployment_id: str) -> Mapping[str, Any]:
        answer = self._aws.call("codedeploy", "get_deployment", deploymentId=deployment_id)
        return mapping(answer.get("deploymentInfo"))

    def _is_ours(self, info: Mapping[str, Any]) -> bool:
        return self.entry.after is not None and info.get("description") == self.entry.after


def create_deployment(
    aws: Aws,
    *,
    application: str,
    group: str,
    function: str,
    alias: str,
    target_version: str,
    experiment: str,
    journal: Journal,
    config: str | None = None,
    hooks: Collection[HookEvent] = (),
    asking: Callable[[AskedDeployment], None] = lambda _: None,
) -> str:
    """The id of a new deployment that shifts `alias` from its current version to `target_version`.

    `experiment` is a name; `config` may leave out AWS's prefix; None means the group's own. The functions
    `CodeDeployHook_<event>` run the `hooks`. `asking` is told of the deployment before it is asked for. Raises
    HarnessError; the journal says then whether it was refused or had no answer.
    """
    mark = f"canary-harness {experiment} {secrets.token_hex(4)}"
    asked = AskedDeployment(aws, application=application, group=group, journal=journal, mark=mark)
    try:
        answer = aws.call("lambda", "get_alias", FunctionName=function, Name=alias)
        current = str(answer.get("FunctionVersion"))
        check_target(alias, current, target_version)
    except HarnessError as error:
        asked.entry.note("refused", str(error))
        raise
    asking(asked)
    return asked.create(
        f"{alias} to {target_version}", _request(config, app_spec(function, alias, current, target_version, hooks))
    )


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


def _request(config: str | None, spec: str) -> dict[str, Any]:
    content = {"content": spec, "sha256": hashlib.sha256(spec.encode()).hexdigest()}
    request = {"revision": {"revisionType": "AppSpecContent", "appSpecContent": content}}
    return request | ({"deploymentConfigName": full_config_name(config)} if config else {})


def _deployment_id(answer: Mapping[str, Any]) -> str:
    deployment_id = text(answer.get("deploymentId"))
    if deployment_id is None:
        raise Unreachable(CREATION, "an answer without deploymentId")
    return deployment_id
