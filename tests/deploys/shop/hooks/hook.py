"""A pre-traffic hook that finds nothing wrong."""

import boto3


def handler(event, context):
    """Tells CodeDeploy so."""
    boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status="Succeeded",
    )
