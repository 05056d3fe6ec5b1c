"""The rollback deployment: a deployment of its own that turns the one before it round."""

from harness.rehearsal.codedeploy import appspec
from harness.rehearsal.codedeploy.records import Creator, DeploymentRecord, RollbackNote
from harness.rehearsal.codedeploy.revisions import of_content
from harness.rehearsal.codedeploy.routing import ALL_AT_ONCE, DEFAULT_NAME


def rollback_of(forward: DeploymentRecord, rollback_id: str, at_s: float) -> DeploymentRecord:
    """The deployment that gives the alias back: all at once, without hooks and without alarms.

    Assumption: its revision is the forward one turned round, which serves a group's first deployment too; its
    configuration is LambdaAllAtOnce, as captured for ECS.
    """
    spec = forward.known_spec.reversed()
    message = f"Deployment {rollback_id} is triggered to roll back deployment {forward.id}."
    return DeploymentRecord(
        id=rollback_id,
        application=forward.application,
        group=forward.group,
        group_id=forward.group_id,
        role=forward.role,
        config=DEFAULT_NAME,
        routing=ALL_AT_ONCE,
        revision=of_content(appspec.render(spec)),
        spec=spec,
        created_s=at_s,
        creator=Creator.ROLLBACK,
        previous_revision=forward.previous_revision,
        moves_alias=forward.shifted,
        rollback_note=RollbackNote(message=message, triggered_by=forward.id),
    )


def note_on(forward: DeploymentRecord, rollback_id: str) -> RollbackNote:
    """What the deployment that is rolled back says of it."""
    message = f"Deployment {forward.id} terminated. Automatic rollback is triggered with a DeploymentId {rollback_id}."
    return RollbackNote(message=message, rollback_id=rollback_id)
