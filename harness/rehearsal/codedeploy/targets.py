"""Operations on deployment targets: one Lambda alias a deployment."""

from harness.rehearsal.codedeploy import inputs
from harness.rehearsal.codedeploy.account import Account
from harness.rehearsal.codedeploy.paging import page
from harness.rehearsal.codedeploy.records import DeploymentRecord
from harness.rehearsal.codedeploy.views import target_view
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal

_FILTERS = {"TargetStatus": "InvalidInstanceStatusException", "ServerInstanceLabel": "InvalidInstanceTypeException"}

_TARGET_STATUSES = ("Failed", "InProgress", "Pending", "Ready", "Skipped", "Succeeded", "Unknown")


class TargetOperations(Account):
    """Deployment targets; none exists before its deployment has started."""

    @operation
    def list_deployment_targets(self, params: Params) -> Answer:
        """ListDeploymentTargets."""
        deployment = self._started(params)
        filters = params.get("targetFilters") or {}
        for name in filters:
            inputs.word(name, _FILTERS, "InvalidTargetFilterNameException", "targetFilters")
        statuses = filters.get("TargetStatus") or [deployment.target_status]
        for status in statuses:
            inputs.word(status, _TARGET_STATUSES, "InvalidInstanceStatusException", "TargetStatus")
        ids = [_target_id(deployment)] if deployment.target_status in statuses else []
        return page("targetIds", ids, params.get("nextToken"))

    @operation
    def get_deployment_target(self, params: Params) -> Answer:
        """GetDeploymentTarget."""
        deployment = self._started(params)
        return {"deploymentTarget": self._target(deployment, params.get("targetId"))}

    @operation
    def batch_get_deployment_targets(self, params: Params) -> Answer:
        """BatchGetDeploymentTargets; a Lambda deployment has exactly one."""
        deployment = self._started(params)
        ids = params.get("targetIds") or [None]
        if len(ids) > 1:
            message = "A Lambda deployment has exactly one target."
            raise Refusal("DeploymentTargetListSizeExceededException", message)
        return {"deploymentTargets": [self._target(deployment, one) for one in ids]}

    def _started(self, params: Params) -> DeploymentRecord:
        deployment = self._store.deployment(inputs.deployment_id(params))
        if deployment.started_s is None:
            message = f"The deployment {deployment.id} has not started."
            raise Refusal("DeploymentNotStartedException", message)
        return deployment

    def _target(self, deployment: DeploymentRecord, target_id: str | None) -> Answer:
        if not target_id:
            raise Refusal("DeploymentTargetIdRequiredException", "targetId must be specified")
        if target_id != _target_id(deployment):
            message = f"The target {target_id} does not belong to the deployment {deployment.id}."
            raise Refusal("DeploymentTargetDoesNotExistException", message)
        arn = f"arn:aws:lambda:{self._region}:{self._account}:function:{target_id}"
        return target_view(deployment, target_id, arn)


def _target_id(deployment: DeploymentRecord) -> str:
    """Assumption: function and alias; AWS shows no Lambda target's id anywhere."""
    spec = deployment.known_spec
    return f"{spec.function}:{spec.alias}"
