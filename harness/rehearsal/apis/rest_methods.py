"""Operations on the resources of REST APIs, their methods and integrations."""

from harness.rehearsal.apis.rest_api import child_of
from harness.rehearsal.apis.rest_registry import RestRegistry, listed, without
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal

_WHERE = ("restApiId", "resourceId", "httpMethod", "statusCode")


class MethodOperations(RestRegistry):
    """Resources, methods and integrations, operation by operation."""

    @operation
    def get_resources(self, params: Params) -> Answer:
        """GetResources."""
        return listed(self._api(params).resources)

    @operation
    def get_resource(self, params: Params) -> Answer:
        """GetResource."""
        return self._api(params).resources.get(params["resourceId"])

    @operation
    def create_resource(self, params: Params) -> Answer:
        """CreateResource."""
        resources = self._api(params).resources
        made = child_of(resources.get(params["parentId"]), params["pathPart"])
        if any(one["path"] == made["path"] for one in resources):
            message = f"Another resource with the same parent already has this name: {params['pathPart']}"
            raise Refusal("ConflictException", message)
        return resources.put(made)

    @operation
    def delete_resource(self, params: Params) -> Answer:
        """DeleteResource: with all that is below it."""
        resources = self._api(params).resources
        path = resources.get(params["resourceId"])["path"]
        for one in resources:
            if one["path"] == path or one["path"].startswith(f"{path}/"):
                resources.remove(one["id"])
        return {}

    @operation
    def put_method(self, params: Params) -> Answer:
        """PutMethod."""
        resource = self._api(params).resources.get(params["resourceId"])
        known = resource.setdefault("resourceMethods", {})
        made = {"apiKeyRequired": False, **without(params, "restApiId", "resourceId")}
        known[params["httpMethod"]] = {**known.get(params["httpMethod"], {}), **made}
        return dict(known[params["httpMethod"]])

    @operation
    def get_method(self, params: Params) -> Answer:
        """GetMethod."""
        return self._method(params)

    @operation
    def delete_method(self, params: Params) -> Answer:
        """DeleteMethod."""
        self._method(params)
        del self._api(params).resources.get(params["resourceId"])["resourceMethods"][params["httpMethod"]]
        return {}

    @operation
    def put_integration(self, params: Params) -> Answer:
        """PutIntegration."""
        made = {"timeoutInMillis": 29_000, "passthroughBehavior": "WHEN_NO_MATCH", **without(params, *_WHERE)}
        made["httpMethod"] = made.pop("integrationHttpMethod", None)
        self._method(params)["methodIntegration"] = made
        return made

    @operation
    def get_integration(self, params: Params) -> Answer:
        """GetIntegration."""
        return self._integration(params)

    @operation
    def delete_integration(self, params: Params) -> Answer:
        """DeleteIntegration."""
        self._integration(params)
        del self._method(params)["methodIntegration"]
        return {}

    @operation
    def put_method_response(self, params: Params) -> Answer:
        """PutMethodResponse."""
        made = {"statusCode": params["statusCode"], **without(params, *_WHERE)}
        self._method(params).setdefault("methodResponses", {})[params["statusCode"]] = made
        return made

    @operation
    def put_integration_response(self, params: Params) -> Answer:
        """PutIntegrationResponse."""
        made = {"statusCode": params["statusCode"], **without(params, *_WHERE)}
        self._integration(params).setdefault("integrationResponses", {})[params["statusCode"]] = made
        return made

    def _method(self, params: Params) -> Answer:
        return self._api(params).method(params["resourceId"], params["httpMethod"])

    def _integration(self, params: Params) -> Answer:
        method = self._method(params)
        if "methodIntegration" not in method:
            raise Refusal("NotFoundException", "Invalid Integration identifier specified")
        found: Answer = method["methodIntegration"]
        return found
