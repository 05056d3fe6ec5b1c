"""Operations on deployment groups."""

import msgspec

from harness.rehearsal.codedeploy import inputs
from harness.rehearsal.codedeploy.account import Account
from harness.rehearsal.codedeploy.paging import page
from harness.rehearsal.codedeploy.records import Group
from harness.rehearsal.codedeploy.routing import DEFAULT_NAME
from harness.rehearsal.codedeploy.store import group_resource
from harness.rehearsal.codedeploy.views import group_view
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal

MAX_GROUPS = 1000
"""Per application."""

BATCH_SIZE = 100


class GroupOperations(Account):
    """Deployment groups: how a function's deployments shift, what stops them, and whether they roll back."""

    @operation
    def create_deployment_group(self, params: Params) -> Answer:
        """CreateDeploymentGroup; Lambda's deployment style is taken where none is given.

        Assumption: without a configuration a Lambda group shifts all at once.
        """
        application, name = inputs.application_name(params), inputs.group_name(params)
        self._refuse_platform(application)
        self._refuse_group(application, name)
        inputs.lambda_group_only(params)
        group = Group(
            id=self._new_id(),
            application=application,
            name=name,
            config=self._config_of(params) or DEFAULT_NAME,
            role=inputs.role(params),
            alarms=inputs.alarming(params.get("alarmConfiguration")),
            rollback=inputs.rolling_back(params.get("autoRollbackConfiguration")),
            triggers=inputs.triggers(params.get("triggerConfigurations")),
            outdated_instances=params.get("outdatedInstancesStrategy"),
        )
        self._store.tags[group_resource(group)] = inputs.tags(params.get("tags"))
        self._store.groups[application, name] = group
        return {"deploymentGroupId": group.id}

    @operation
    def update_deployment_group(self, params: Params) -> Answer:
        """UpdateDeploymentGroup: what is given replaces what was there, what is not given stays."""
        group = self._store.group(
            inputs.application_name(params), inputs.group_name(params, "currentDeploymentGroupName")
        )
        inputs.lambda_group_only(params)
        changed = self._changed(group, params)
        if changed.name != group.name:
            self._refuse_group(changed.application, changed.name)
            self._store.rename_group(group, changed)
        else:
            self._store.groups[group.application, group.name] = changed
        return {"hooksNotCleanedUp": []}

    @operation
    def get_deployment_group(self, params: Params) -> Answer:
        """GetDeploymentGroup."""
        group = self._store.group(inputs.application_name(params), inputs.group_name(params))
        return {"deploymentGroupInfo": self._shown(group)}

    @operation
    def batch_get_deployment_groups(self, params: Params) -> Answer:
        """BatchGetDeploymentGroups, at most 100 at a time; `errorMessage` names those that do not exist."""
        application = inputs.application_name(params)
        self._store.application(application)
        names = inputs.names(
            params,
            "deploymentGroupNames",
            "DeploymentGroupNameRequiredException",
            "InvalidDeploymentGroupNameException",
            BATCH_SIZE,
        )
        known = [self._store.groups[application, name] for name in names if (application, name) in self._store.groups]
        answer: Answer = {"deploymentGroupsInfo": [self._shown(group) for group in known]}
        unknown = [name for name in names if (application, name) not in self._store.groups]
        if unknown:
            answer["errorMessage"] = f"No Deployment Group found for name: {', '.join(unknown)}"
        return answer

    @operation
    def list_deployment_groups(self, params: Params) -> Answer:
        """ListDeploymentGroups."""
        application = inputs.application_name(params)
        self._store.application(application)
        names = sorted(group.name for group in self._store.groups_of(application))
        return {"applicationName": application, **page("deploymentGroups", names, params.get("nextToken"))}

    @operation
    def delete_deployment_group(self, params: Params) -> Answer:
        """DeleteDeploymentGroup; one that is not there is no error, and a running deployment goes on."""
        group = self._store.groups.get((inputs.application_name(params), inputs.group_name(params)))
        if group:
            self._store.forget_group(group)
        return {"hooksNotCleanedUp": []}

    def _shown(self, group: Group) -> Answer:
        attempted = next(iter(self._store.deployments_of(group)), None)
        return group_view(group, attempted, self._store.last_success(group))

    def _config_of(self, params: Params) -> str | None:
        if not params.get("deploymentConfigName"):
            return None
        return self._store.config(inputs.config_name(params)).name

    def _changed(self, group: Group, params: Params) -> Group:
        role = params.get("serviceRoleArn")
        given = {
            "name": params.get("newDeploymentGroupName") and inputs.group_name(params, "newDeploymentGroupName"),
            "config": self._config_of(params),
            "role": role and inputs.valid_role(role),
            "alarms": inputs.alarming(params.get("alarmConfiguration")),
            "rollback": inputs.rolling_back(params.get("autoRollbackConfiguration")),
            "outdated_instances": params.get("outdatedInstancesStrategy"),
        }
        if params.get("triggerConfigurations") is not None:
            given["triggers"] = inputs.triggers(params["triggerConfigurations"])
        return msgspec.structs.replace(group, **{field: value for field, value in given.items() if value is not None})

    def _refuse_platform(self, application: str) -> None:
        platform = self._store.application(application).platform
        if platform != "Lambda":
            message = f"This local cloud deploys Lambda only; the application {application} is of platform {platform}."
            raise Refusal("InvalidInputException", message)

    def _refuse_group(self, application: str, name: str) -> None:
        if (application, name) in self._store.groups:
            message = f"Deployment group already exists with name: {name}"
            raise Refusal("DeploymentGroupAlreadyExistsException", message)
        if len(self._store.groups_of(application)) >= MAX_GROUPS:
            raise Refusal("DeploymentGroupLimitExceededException", f"An application has at most {MAX_GROUPS} groups.")
