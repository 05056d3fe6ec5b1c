"""Operations on what methods of REST APIs name: authorizers, validators, models, gateway responses."""

from harness.rehearsal.apis.rest_registry import RestRegistry, listed, without
from harness.rehearsal.apis.shelf import patched
from harness.rehearsal.operations import Answer, Params, operation

_API = "restApiId"


class PartOperations(RestRegistry):
    """Authorizers, validators, models and gateway responses, operation by operation."""

    @operation
    def create_authorizer(self, params: Params) -> Answer:
        """CreateAuthorizer."""
        return self._api(params).authorizers.add(without(params, _API))

    @operation
    def get_authorizer(self, params: Params) -> Answer:
        """GetAuthorizer."""
        return self._api(params).authorizers.get(params["authorizerId"])

    @operation
    def get_authorizers(self, params: Params) -> Answer:
        """GetAuthorizers."""
        return listed(self._api(params).authorizers)

    @operation
    def update_authorizer(self, params: Params) -> Answer:
        """UpdateAuthorizer."""
        return patched(self.get_authorizer(params), params.get("patchOperations") or [])

    @operation
    def delete_authorizer(self, params: Params) -> Answer:
        """DeleteAuthorizer."""
        return self._api(params).authorizers.remove(params["authorizerId"])

    @operation
    def create_request_validator(self, params: Params) -> Answer:
        """CreateRequestValidator."""
        flags = {"validateRequestBody": False, "validateRequestParameters": False}
        return self._api(params).validators.add({**flags, **without(params, _API)})

    @operation
    def get_request_validator(self, params: Params) -> Answer:
        """GetRequestValidator."""
        return self._api(params).validators.get(params["requestValidatorId"])

    @operation
    def get_request_validators(self, params: Params) -> Answer:
        """GetRequestValidators."""
        return listed(self._api(params).validators)

    @operation
    def update_request_validator(self, params: Params) -> Answer:
        """UpdateRequestValidator."""
        return patched(self.get_request_validator(params), params.get("patchOperations") or [])

    @operation
    def delete_request_validator(self, params: Params) -> Answer:
        """DeleteRequestValidator."""
        return self._api(params).validators.remove(params["requestValidatorId"])

    @operation
    def create_model(self, params: Params) -> Answer:
        """CreateModel."""
        return self._api(params).models.add(without(params, _API))

    @operation
    def get_model(self, params: Params) -> Answer:
        """GetModel."""
        return self._api(params).models.get(params["modelName"])

    @operation
    def get_models(self, params: Params) -> Answer:
        """GetModels."""
        return listed(self._api(params).models)

    @operation
    def delete_model(self, params: Params) -> Answer:
        """DeleteModel."""
        return self._api(params).models.remove(params["modelName"])

    @operation
    def put_gateway_response(self, params: Params) -> Answer:
        """PutGatewayResponse."""
        return self._api(params).responses.put({"defaultResponse": False, **without(params, _API)})

    @operation
    def get_gateway_response(self, params: Params) -> Answer:
        """GetGatewayResponse: of those that were put."""
        return self._api(params).responses.get(params["responseType"])

    @operation
    def get_gateway_responses(self, params: Params) -> Answer:
        """GetGatewayResponses: those that were put."""
        return listed(self._api(params).responses)

    @operation
    def delete_gateway_response(self, params: Params) -> Answer:
        """DeleteGatewayResponse."""
        return self._api(params).responses.remove(params["responseType"])
