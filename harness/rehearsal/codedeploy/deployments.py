"""Operations on deployments."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from harness.rehearsal.codedeploy import appspec, inputs, revisions
from harness.rehearsal.codedeploy.account import Account
from harness.rehearsal.codedeploy.failures import STOPPED_BY_USER
from harness.rehearsal.codedeploy.hooks import Execution
from harness.rehearsal.codedeploy.ids import new_deployment_id
from harness.rehearsal.codedeploy.paging import page
from harness.rehearsal.codedeploy.records import (
    Alarming,
    DeploymentRecord,
    Group,
    Revision,
    RollbackTrigger,
    RollingBack,
    newest_first,
)
from harness.rehearsal.codedeploy.stages import STATUS
from harness.rehearsal.codedeploy.views import deployment_view
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal

BATCH_SIZE = 25

_STOPPED = "No more commands will be scheduled for execution in the deployment instances"

_STATUSES = frozenset(STATUS.values()) | {"Queued", "Baking", "Ready"}

_HOOK_WORDS = ("Succeeded", "Failed")


class DeploymentOperations(Account):
    """Deployments: created, seen, stopped, and judged by their hooks."""

    @operation
    def create_deployment(self, params: Params) -> Answer:
        """CreateDeployment; as on AWS, a bad AppSpec is accepted and fails the deployment later."""
        group = self._store.group(inputs.application_name(params), inputs.group_name(params))
        description = inputs.description(params)
        inputs.lambda_deployment_only(params)
        revision = revisions.sent(params.get("revision"))
        override = inputs.alarming(params.get("overrideAlarmConfiguration"))
        rollback = inputs.rolling_back(params.get("autoRollbackConfiguration"))
        config = self._store.config(inputs.config_name(params) if params.get("deploymentConfigName") else group.config)
        self._refuse_second(group)
        spec, problem = _read(revision)
        deployment = DeploymentRecord(
            id=new_deployment_id(self._rng, self._store.deployments),
            application=group.application,
            group=group.name,
            group_id=group.id,
            role=group.role,
            config=config.name,
            routing=config.routing,
            revision=revision,
            spec=spec,
            spec_problem=problem,
            created_s=self._now(),
            description=description,
            alarms=override or group.alarms or Alarming(),
            alarms_overridden=override is not None,
            rollback=rollback or group.rollback or RollingBack(),
            previous_revision=self._store.last_revision(group),
        )
        self._lifecycle.begin(deployment)
        return {"deploymentId": deployment.id}

    @operation
    def get_deployment(self, params: Params) -> Answer:
        """GetDeployment."""
        return {"deploymentInfo": deployment_view(self._store.deployment(inputs.deployment_id(params)))}

    @operation
    def batch_get_deployments(self, params: Params) -> Answer:
        """BatchGetDeployments, at most 25 at a time; those that do not exist are left out."""
        given = params.get("deploymentIds") or [None]
        if len(given) > BATCH_SIZE:
            message = f"deploymentIds can have at most {BATCH_SIZE} ids, got {len(given)}"
            raise Refusal("BatchLimitExceededException", message)
        ids = [inputs.known_id(one) for one in given]
        known = self._store.deployments
        return {"deploymentsInfo": [deployment_view(known[one]) for one in ids if one in known]}

    @operation
    def list_deployments(self, params: Params) -> Answer:
        """ListDeployments, newest first; nothing here has an externalId."""
        wanted = self._deployments_in(params)
        statuses = params.get("includeOnlyStatuses") or sorted(_STATUSES)
        for status in statuses:
            inputs.word(status, _STATUSES, "InvalidDeploymentStatusException", "includeOnlyStatuses")
        first_s, last_s = _time_range(params.get("createTimeRange") or {})
        ids = [
            one.id
            for one in wanted
            if one.status in statuses and first_s <= one.created_s <= last_s and not params.get("externalId")
        ]
        return page("deployments", ids, params.get("nextToken"))

    @operation
    def stop_deployment(self, params: Params) -> Answer:
        """StopDeployment; `autoRollbackEnabled` decides on the rollback, or the deployment's rollback events do.

        Assumption: an explicit false holds against DEPLOYMENT_STOP_ON_REQUEST.
        """
        deployment = self._store.deployment(inputs.deployment_id(params))
        if not deployment.running:
            message = f"The deployment {deployment.id} is already completed."
            raise Refusal("DeploymentAlreadyCompletedException", message)
        asked = params.get("autoRollbackEnabled")
        roll_back = deployment.rollback.answers(RollbackTrigger.REQUEST) if asked is None else bool(asked)
        self._lifecycle.stop(deployment.id, self._now(), STOPPED_BY_USER, roll_back=roll_back)
        return {"status": "Succeeded", "statusMessage": _STOPPED}

    @operation
    def continue_deployment(self, params: Params) -> Answer:
        """ContinueDeployment, which is for deployments that wait for it; a Lambda deployment never does."""
        deployment = self._store.deployment(inputs.deployment_id(params))
        message = f"The deployment {deployment.id} is a Lambda deployment, which cannot be continued."
        raise Refusal("UnsupportedActionForDeploymentTypeException", message)

    @operation
    def put_lifecycle_event_hook_execution_status(self, params: Params) -> Answer:
        """PutLifecycleEventHookExecutionStatus: a hook reports once."""
        deployment = self._store.deployment(inputs.deployment_id(params))
        word = inputs.word(
            params.get("status"), _HOOK_WORDS, "InvalidLifecycleEventHookExecutionStatusException", "status"
        )
        execution = self._execution(deployment, params.get("lifecycleEventHookExecutionId"))
        if not self._lifecycle.awaits(execution):
            message = f"The lifecycle event {execution.stage} of {deployment.id} is already completed."
            raise Refusal("LifecycleEventAlreadyCompletedException", message)
        self._lifecycle.report(execution, self._now(), succeeded=word == "Succeeded")
        return {"lifecycleEventHookExecutionId": execution.id}

    def _execution(self, deployment: DeploymentRecord, execution_id: str | None) -> Execution:
        execution = self._lifecycle.executions.get(execution_id or "")
        if execution is None or execution.deployment_id != deployment.id:
            message = f"The lifecycleEventHookExecutionId does not belong to a hook of {deployment.id}."
            raise Refusal("InvalidLifecycleEventHookExecutionIdException", message)
        return execution

    def _refuse_second(self, group: Group) -> None:
        active = next((one for one in self._store.deployments_of(group) if one.occupies_group), None)
        if active:
            message = f"The Deployment Group '{group.name}' already has an active Deployment '{active.id}'"
            raise Refusal("DeploymentLimitExceededException", message)

    def _deployments_in(self, params: Params) -> list[DeploymentRecord]:
        if not params.get("applicationName") and not params.get("deploymentGroupName"):
            return newest_first(list(self._store.deployments.values()))
        return self._store.deployments_of(self._store.group(inputs.application_name(params), inputs.group_name(params)))


def _read(revision: Revision) -> tuple[appspec.AppSpec | None, str | None]:
    try:
        return appspec.parse(revision.content), None
    except appspec.AppSpecError as error:
        return None, str(error)


def _time_range(given: Mapping[str, Any]) -> tuple[float, float]:
    first_s, last_s = _instant(given.get("start"), float("-inf")), _instant(given.get("end"), float("inf"))
    if first_s > last_s:
        raise Refusal("InvalidTimeRangeException", "The start time must be earlier than the end time.")
    return first_s, last_s


def _instant(given: datetime | float | None, absent: float) -> float:
    if given is None:
        return absent
    if isinstance(given, datetime):
        return (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()
    return float(given)
