"""Stops a deployment with a rollback, journaled before it is done."""

from harness.aws.clients import Aws, action
from harness.aws.journal import Journal
from harness.core.foreign import text

STOPPING = action("codedeploy", "stop_deployment")


def stop_deployment(aws: Aws, deployment_id: str, *, why: str, journal: Journal) -> None:
    """Has CodeDeploy stop a deployment and roll it back, whatever the group's rollback events are.

    Nothing undoes that, and a second call changes nothing. Raises HarnessError; the journal says then whether it was
    refused or had no answer.
    """

    def stop() -> str:
        answer = aws.call("codedeploy", "stop_deployment", deploymentId=deployment_id, autoRollbackEnabled=True)
        return text(answer.get("status")) or "asked"

    journal.entry(STOPPING, deployment_id).make(f"stop and roll back: {why}", stop)
