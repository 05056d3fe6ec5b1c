"""Operations on applications."""

import msgspec

from harness.rehearsal.codedeploy import inputs
from harness.rehearsal.codedeploy.account import Account
from harness.rehearsal.codedeploy.paging import page
from harness.rehearsal.codedeploy.records import Application
from harness.rehearsal.codedeploy.store import application_resource
from harness.rehearsal.codedeploy.views import application_view
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal

MAX_APPLICATIONS = 1000
"""Per account and region."""

BATCH_SIZE = 100


class ApplicationOperations(Account):
    """Applications: a name to group deployment groups under."""

    @operation
    def create_application(self, params: Params) -> Answer:
        """CreateApplication, for any platform; only Lambda applications can have groups here."""
        name = inputs.application_name(params)
        platform = inputs.compute_platform(params)
        tags = inputs.tags(params.get("tags"))
        self._refuse_application(name)
        if len(self._store.applications) >= MAX_APPLICATIONS:
            raise Refusal("ApplicationLimitExceededException", f"There are {MAX_APPLICATIONS} applications already.")
        application = Application(id=self._new_id(), name=name, platform=platform, created_s=self._now())
        self._store.applications[name] = application
        self._store.tags[application_resource(name)] = tags
        return {"applicationId": application.id}

    @operation
    def get_application(self, params: Params) -> Answer:
        """GetApplication."""
        return {"application": application_view(self._store.application(inputs.application_name(params)))}

    @operation
    def batch_get_applications(self, params: Params) -> Answer:
        """BatchGetApplications, at most 100 at a time."""
        names = inputs.names(
            params,
            "applicationNames",
            "ApplicationNameRequiredException",
            "InvalidApplicationNameException",
            BATCH_SIZE,
        )
        return {"applicationsInfo": [application_view(self._store.application(name)) for name in names]}

    @operation
    def list_applications(self, params: Params) -> Answer:
        """ListApplications."""
        return page("applications", sorted(self._store.applications), params.get("nextToken"))

    @operation
    def update_application(self, params: Params) -> Answer:
        """UpdateApplication: a new name, also for its groups and deployments."""
        name = inputs.application_name(params)
        application = self._store.application(name)
        if params.get("newApplicationName"):
            new_name = inputs.application_name(params, "newApplicationName")
            self._refuse_application(new_name)
            self._rename(application, new_name)
        return {}

    @operation
    def delete_application(self, params: Params) -> Answer:
        """DeleteApplication with its groups; one that is not there is no error."""
        name = inputs.application_name(params)
        for group in self._store.groups_of(name):
            self._store.forget_group(group)
        self._store.applications.pop(name, None)
        self._store.tags.pop(application_resource(name), None)
        return {}

    def _refuse_application(self, name: str) -> None:
        if name in self._store.applications:
            raise Refusal("ApplicationAlreadyExistsException", f"Application already exists with name: {name}")

    def _rename(self, application: Application, name: str) -> None:
        groups = self._store.groups_of(application.name)
        del self._store.applications[application.name]
        self._store.tags[application_resource(name)] = self._store.tags.pop(application_resource(application.name))
        self._store.applications[name] = msgspec.structs.replace(application, name=name)
        for group in groups:
            self._store.rename_group(group, msgspec.structs.replace(group, application=name))
