"""API Gateway's control plane for HTTP APIs, as far as deploy tools ask."""

import json

from harness.rehearsal.apis import exported, openapi
from harness.rehearsal.apis.http_api import HttpApi
from harness.rehearsal.apis.http_parts import HttpPartOperations
from harness.rehearsal.apis.http_registry import items, without
from harness.rehearsal.apis.http_stage import DEFAULT_ROUTE
from harness.rehearsal.apis.shelf import new_id
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal


class HttpApis(HttpPartOperations):
    """API Gateway, version 2, without WebSocket APIs; operations are methods in snake case with AWS's parameters."""

    @operation
    def create_api(self, params: Params) -> Answer:
        """CreateApi: with a target, also a route to it and the stage $default."""
        if params.get("ProtocolType") != "HTTP":
            raise Refusal("BadRequestException", "This local cloud has no WebSocket APIs.")
        api = self._created(without(params, "Target", "RouteKey", "CredentialsArn"))
        if target := params.get("Target"):
            api.route_to(target, params.get("RouteKey") or DEFAULT_ROUTE)
            self._staged(api, {"StageName": DEFAULT_ROUTE, "AutoDeploy": True})
        return api.about

    @operation
    def import_api(self, params: Params) -> Answer:
        """ImportApi."""
        content = openapi.read(params["Body"])
        api = self._created({"ProtocolType": "HTTP", "Name": "api"})
        api.lay_in(content)
        return api.about

    @operation
    def reimport_api(self, params: Params) -> Answer:
        """ReimportApi."""
        content = openapi.read(params["Body"])
        api = self._api(params)
        api.lay_in(content)
        self._deploy_by_itself(api)
        return api.about

    @operation
    def get_api(self, params: Params) -> Answer:
        """GetApi."""
        return self._api(params).about

    @operation
    def get_apis(self, params: Params) -> Answer:  # noqa: ARG002 - pages are not needed
        """GetApis."""
        return items(api.about for api in self._apis.values())

    @operation
    def export_api(self, params: Params) -> Answer:
        """ExportApi: what a stage serves, or what the API is now, as OpenAPI 3.0 in JSON."""
        exported.only_oas30(params["Specification"])
        api, name = self._api(params), params.get("StageName")
        stage = api.stages.get(name) if name else {}
        served = api.deployed.get(stage.get("DeploymentId") or "") or api.defined()
        routes = [*served.routes]
        document = exported.of_http_api(str(api.about["Name"]), self._endpoint(api.id), routes, name)
        return {"body": json.dumps(document).encode()}

    @operation
    def update_api(self, params: Params) -> Answer:
        """UpdateApi: what is not given stays."""
        api = self._api(params)
        api.about.update(without(params, "ApiId", "Target", "RouteKey", "CredentialsArn"))
        return api.about

    @operation
    def delete_api(self, params: Params) -> Answer:
        """DeleteApi."""
        del self._apis[self._api(params).id]
        self._serving.withdraw(params["ApiId"])
        return {}

    @operation
    def create_deployment(self, params: Params) -> Answer:
        """CreateDeployment: of what the API is now, and of a stage where one is named."""
        api = self._api(params)
        made = self._deployed(api, params.get("Description"))
        if stage := params.get("StageName"):
            self._staged(api, {**api.stages.get(stage), "DeploymentId": made["DeploymentId"]})
        return made

    @operation
    def get_deployment(self, params: Params) -> Answer:
        """GetDeployment."""
        return self._api(params).deployments.get(params["DeploymentId"])

    @operation
    def get_deployments(self, params: Params) -> Answer:
        """GetDeployments."""
        return items(self._api(params).deployments)

    @operation
    def delete_deployment(self, params: Params) -> Answer:
        """DeleteDeployment."""
        api = self._api(params)
        api.deployed.pop(params["DeploymentId"], None)
        return api.deployments.remove(params["DeploymentId"])

    @operation
    def create_stage(self, params: Params) -> Answer:
        """CreateStage."""
        api = self._api(params)
        if api.stages.find(params["StageName"]):
            raise Refusal("ConflictException", "Stage already exists")
        return self._staged(api, without(params, "ApiId"))

    @operation
    def get_stage(self, params: Params) -> Answer:
        """GetStage."""
        return self._api(params).stages.get(params["StageName"])

    @operation
    def get_stages(self, params: Params) -> Answer:
        """GetStages."""
        return items(self._api(params).stages)

    @operation
    def update_stage(self, params: Params) -> Answer:
        """UpdateStage: what is not given stays."""
        api = self._api(params)
        return self._staged(api, {**api.stages.get(params["StageName"]), **without(params, "ApiId")})

    @operation
    def delete_stage(self, params: Params) -> Answer:
        """DeleteStage."""
        self._serving.withdraw(params["ApiId"], params["StageName"])
        return self._api(params).stages.remove(params["StageName"])

    @operation
    def get_tags(self, params: Params) -> Answer:
        """GetTags."""
        return {"Tags": self._tagged(params).get("Tags") or {}}

    @operation
    def tag_resource(self, params: Params) -> Answer:
        """TagResource."""
        self._tagged(params).setdefault("Tags", {}).update(params["Tags"])
        return {}

    @operation
    def untag_resource(self, params: Params) -> Answer:
        """UntagResource."""
        for key in params["TagKeys"]:
            self._tagged(params).get("Tags", {}).pop(key, None)
        return {}

    def _created(self, given: Answer) -> HttpApi:
        api_id = new_id(self._rng)
        about = {
            "ApiId": api_id,
            "ApiEndpoint": self._endpoint(api_id),
            "CreatedDate": self._now(),
            "RouteSelectionExpression": "$request.method $request.path",
            "ApiKeySelectionExpression": "$request.header.x-api-key",
            "DisableExecuteApiEndpoint": False,
            **given,
        }
        api = self._apis[api_id] = HttpApi(about, self._rng)
        return api

    def _tagged(self, params: Params) -> Answer:
        """What an ARN names: `…::/apis/ID` or `…/apis/ID/stages/NAME`."""
        _, _, path = params["ResourceArn"].partition("/apis/")
        api_id, _, stage = path.partition("/stages/")
        api = self._api({"ApiId": api_id})
        return api.stages.get(stage) if stage else api.about
