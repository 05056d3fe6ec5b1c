"""Operations on the routes, integrations and authorizers of HTTP APIs."""

from harness.rehearsal.apis.http_api import HttpApi
from harness.rehearsal.apis.http_registry import HttpRegistry, items, without
from harness.rehearsal.apis.shelf import Shelf
from harness.rehearsal.operations import Answer, Params, operation


class HttpPartOperations(HttpRegistry):
    """Routes, integrations and authorizers, operation by operation; a stage that deploys by itself serves a change."""

    @operation
    def create_route(self, params: Params) -> Answer:
        """CreateRoute."""
        api = self._api(params)
        return self._changed(api, api.routes, {}, without(params, "ApiId"))

    @operation
    def get_route(self, params: Params) -> Answer:
        """GetRoute."""
        return self._api(params).routes.get(params["RouteId"])

    @operation
    def get_routes(self, params: Params) -> Answer:
        """GetRoutes."""
        return items(self._api(params).routes)

    @operation
    def update_route(self, params: Params) -> Answer:
        """UpdateRoute: what is not given stays."""
        api = self._api(params)
        return self._changed(api, api.routes, api.routes.get(params["RouteId"]), without(params, "ApiId"))

    @operation
    def delete_route(self, params: Params) -> Answer:
        """DeleteRoute."""
        api = self._api(params)
        return self._removed(api, api.routes, params["RouteId"])

    @operation
    def create_integration(self, params: Params) -> Answer:
        """CreateIntegration."""
        api = self._api(params)
        return self._changed(api, api.integrations, {}, without(params, "ApiId"))

    @operation
    def get_integration(self, params: Params) -> Answer:
        """GetIntegration."""
        return self._api(params).integrations.get(params["IntegrationId"])

    @operation
    def get_integrations(self, params: Params) -> Answer:
        """GetIntegrations."""
        return items(self._api(params).integrations)

    @operation
    def update_integration(self, params: Params) -> Answer:
        """UpdateIntegration: what is not given stays."""
        api = self._api(params)
        return self._changed(
            api, api.integrations, api.integrations.get(params["IntegrationId"]), without(params, "ApiId")
        )

    @operation
    def delete_integration(self, params: Params) -> Answer:
        """DeleteIntegration."""
        api = self._api(params)
        return self._removed(api, api.integrations, params["IntegrationId"])

    @operation
    def create_authorizer(self, params: Params) -> Answer:
        """CreateAuthorizer."""
        api = self._api(params)
        return self._changed(api, api.authorizers, {}, without(params, "ApiId"))

    @operation
    def get_authorizer(self, params: Params) -> Answer:
        """GetAuthorizer."""
        return self._api(params).authorizers.get(params["AuthorizerId"])

    @operation
    def get_authorizers(self, params: Params) -> Answer:
        """GetAuthorizers."""
        return items(self._api(params).authorizers)

    @operation
    def update_authorizer(self, params: Params) -> Answer:
        """UpdateAuthorizer: what is not given stays."""
        api = self._api(params)
        return self._changed(
            api, api.authorizers, api.authorizers.get(params["AuthorizerId"]), without(params, "ApiId")
        )

    @operation
    def delete_authorizer(self, params: Params) -> Answer:
        """DeleteAuthorizer."""
        api = self._api(params)
        return self._removed(api, api.authorizers, params["AuthorizerId"])

    def _changed(self, api: HttpApi, shelf: Shelf, known: Answer, given: Answer) -> Answer:
        made = shelf.put({**known, **given})
        self._deploy_by_itself(api)
        return made

    def _removed(self, api: HttpApi, shelf: Shelf, key: str) -> Answer:
        shelf.remove(key)
        self._deploy_by_itself(api)
        return {}
