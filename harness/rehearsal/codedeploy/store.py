"""All records of CodeDeploy by name, and a Refusal in AWS's words for one that does not exist."""

import msgspec

from harness.rehearsal.codedeploy import revisions
from harness.rehearsal.codedeploy.records import (
    Application,
    Config,
    DeploymentRecord,
    Group,
    RegisteredRevision,
    Revision,
    newest_first,
)
from harness.rehearsal.codedeploy.routing import PRESETS
from harness.rehearsal.refusal import Refusal


class Store:
    """All records; `deployments` are in the order of their creation, `tags` by the last part of an ARN."""

    def __init__(self, created_s: float) -> None:
        self.applications: dict[str, Application] = {}
        self.groups: dict[tuple[str, str], Group] = {}
        self.deployments: dict[str, DeploymentRecord] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.configs = {
            name: Config(id=f"preset-{name}", name=name, routing=routing, created_s=created_s, preset=True)
            for name, routing in PRESETS.items()
        }

    def application(self, name: str) -> Application:
        """The application, or ApplicationDoesNotExistException."""
        if name not in self.applications:
            raise Refusal("ApplicationDoesNotExistException", f"No application found for name: {name}")
        return self.applications[name]

    def group(self, application: str, name: str) -> Group:
        """The group of an application, or ApplicationDoesNotExistException, DeploymentGroupDoesNotExistException."""
        self.application(application)
        if (application, name) not in self.groups:
            raise Refusal("DeploymentGroupDoesNotExistException", f"No Deployment Group found for name: {name}")
        return self.groups[application, name]

    def config(self, name: str) -> Config:
        """The deployment configuration, or DeploymentConfigDoesNotExistException."""
        if name not in self.configs:
            message = f"No Deployment Configuration found for name: {name}"
            raise Refusal("DeploymentConfigDoesNotExistException", message)
        return self.configs[name]

    def deployment(self, deployment_id: str) -> DeploymentRecord:
        """The deployment, or DeploymentDoesNotExistException."""
        if deployment_id not in self.deployments:
            message = f"The deployment {deployment_id} does not exist with the user or AWS account."
            raise Refusal("DeploymentDoesNotExistException", message)
        return self.deployments[deployment_id]

    def groups_of(self, application: str) -> list[Group]:
        """The groups of an application in the order of their creation."""
        return [group for group in self.groups.values() if group.application == application]

    def rename_group(self, group: Group, renamed: Group) -> None:
        """Puts a group under a new name of its own or of its application, with its deployments."""
        del self.groups[group.application, group.name]
        self.tags[group_resource(renamed)] = self.tags.pop(group_resource(group))
        self.groups[renamed.application, renamed.name] = renamed
        for deployment in self.deployments_of(group):
            self.change(deployment.id, application=renamed.application, group=renamed.name)

    def forget_group(self, group: Group) -> None:
        """Drops a group; its deployments stay known by their ids."""
        del self.groups[group.application, group.name]
        del self.tags[group_resource(group)]

    def add(self, deployment: DeploymentRecord) -> None:
        """Keeps a new deployment, and what it says of the use of its revision."""
        self.deployments[deployment.id] = deployment
        application = self.applications.get(deployment.application)
        if application:
            key = revisions.key_of(deployment.revision)
            used = revisions.used_at(application.revisions.get(key), deployment.revision, deployment.created_s)
            self.register(application, used)

    def register(self, application: Application, registered: RegisteredRevision) -> None:
        """Lets an application know a revision."""
        known = {**application.revisions, revisions.key_of(registered.revision): registered}
        self.applications[application.name] = msgspec.structs.replace(application, revisions=known)

    def deployments_of(self, group: Group) -> list[DeploymentRecord]:
        """The deployments of a group, newest first."""
        return newest_first([one for one in self.deployments.values() if one.group_id == group.id])

    def last_success(self, group: Group) -> DeploymentRecord | None:
        """The newest deployment of the group that succeeded."""
        return next((one for one in self.deployments_of(group) if one.status == "Succeeded"), None)

    def last_revision(self, group: Group) -> Revision | None:
        """What the newest successful deployment of the group deployed."""
        last = self.last_success(group)
        return last.revision if last else None

    def change(self, deployment_id: str, **changes: object) -> DeploymentRecord:
        """Replaces a deployment by one with these fields changed."""
        changed = msgspec.structs.replace(self.deployments[deployment_id], **changes)
        self.deployments[deployment_id] = changed
        return changed


def application_resource(name: str) -> str:
    """The last part of an application's ARN."""
    return f"application:{name}"


def group_resource(group: Group) -> str:
    """The last part of a deployment group's ARN."""
    return f"deploymentgroup:{group.application}/{group.name}"
