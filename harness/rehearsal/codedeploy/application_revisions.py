"""Operations on the revisions that an application knows."""

from collections.abc import Callable

import msgspec

from harness.rehearsal.codedeploy import inputs, revisions
from harness.rehearsal.codedeploy.account import Account
from harness.rehearsal.codedeploy.paging import page
from harness.rehearsal.codedeploy.records import Application, RegisteredRevision
from harness.rehearsal.codedeploy.views import generic_revision_view
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal

_SORTS: dict[str, Callable[[RegisteredRevision], float]] = {
    "registerTime": lambda one: one.registered_s,
    "firstUsedTime": lambda one: one.used_s[0] if one.used_s else 0.0,
    "lastUsedTime": lambda one: one.used_s[-1] if one.used_s else 0.0,
}

_ORDERS = ("ascending", "descending")

_DEPLOYED = ("include", "exclude", "ignore")


class RevisionOperations(Account):
    """Application revisions: the only place where AWS gives an AppSpec's content back."""

    @operation
    def register_application_revision(self, params: Params) -> Answer:
        """RegisterApplicationRevision; a revision known already only gets the new description."""
        application = self._store.application(inputs.application_name(params))
        revision = revisions.sent(params.get("revision"))
        new = RegisteredRevision(revision=revision, registered_s=self._now())
        known = application.revisions.get(revisions.key_of(revision), new)
        registered = msgspec.structs.replace(known, description=inputs.description(params))
        self._store.register(application, registered)
        return {}

    @operation
    def get_application_revision(self, params: Params) -> Answer:
        """GetApplicationRevision, by the sha256 of the revision or its content."""
        application = self._store.application(inputs.application_name(params))
        registered = application.revisions.get(revisions.key_sent(params.get("revision")))
        if registered is None:
            message = f"The application {application.name} knows no such revision."
            raise Refusal("RevisionDoesNotExistException", message)
        return {
            "applicationName": application.name,
            "revision": revisions.located(registered.revision, with_content=True),
            "revisionInfo": generic_revision_view(registered, self._deployed_in(application, registered)),
        }

    @operation
    def list_application_revisions(self, params: Params) -> Answer:
        """ListApplicationRevisions."""
        application = self._store.application(inputs.application_name(params))
        sort = inputs.word(params.get("sortBy", "registerTime"), _SORTS, "InvalidSortByException", "sortBy")
        order = inputs.word(params.get("sortOrder", "ascending"), _ORDERS, "InvalidSortOrderException", "sortOrder")
        known = self._by_state(application, params.get("deployed", "ignore"))
        chosen = sorted(known, key=_SORTS[sort], reverse=order == "descending")
        located = {revisions.key_of(one.revision): revisions.located(one.revision) for one in chosen}
        answer = page("revisions", list(located), params.get("nextToken"))
        return {**answer, "revisions": [located[key] for key in answer["revisions"]]}

    def _by_state(self, application: Application, deployed: str) -> list[RegisteredRevision]:
        inputs.word(deployed, _DEPLOYED, "InvalidDeployedStateFilterException", "deployed")
        known = list(application.revisions.values())
        if deployed == "ignore":
            return known
        return [one for one in known if bool(self._deployed_in(application, one)) == (deployed == "include")]

    def _deployed_in(self, application: Application, registered: RegisteredRevision) -> list[str]:
        groups = self._store.groups_of(application.name)
        return [group.name for group in groups if self._store.last_revision(group) == registered.revision]
