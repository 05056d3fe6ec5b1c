"""CodeDeploy for Lambda: deployments that shift an alias step by step, watch alarms, and roll back."""

from harness.rehearsal.codedeploy.application_revisions import RevisionOperations
from harness.rehearsal.codedeploy.applications import ApplicationOperations
from harness.rehearsal.codedeploy.configs import ConfigOperations
from harness.rehearsal.codedeploy.deployments import DeploymentOperations
from harness.rehearsal.codedeploy.groups import GroupOperations
from harness.rehearsal.codedeploy.tags import TagOperations
from harness.rehearsal.codedeploy.targets import TargetOperations

__all__ = ["CodeDeploy"]


class CodeDeploy(
    ApplicationOperations,
    GroupOperations,
    ConfigOperations,
    DeploymentOperations,
    TargetOperations,
    RevisionOperations,
    TagOperations,
):
    """boto3's service `codedeploy`: one method an operation, over the wire or in-process alike."""
