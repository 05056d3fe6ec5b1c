"""API Gateway's control plane for REST APIs, as far as deploy tools ask: APIs, what belongs to them, and stages.

A stage serves what its deployment was made of, as on AWS: a change of a method shows once it is deployed.
"""

import json

from harness.rehearsal.apis import exported, openapi
from harness.rehearsal.apis.rest_api import RestApi
from harness.rehearsal.apis.rest_methods import MethodOperations
from harness.rehearsal.apis.rest_parts import PartOperations
from harness.rehearsal.apis.rest_registry import listed, without
from harness.rehearsal.apis.shelf import new_id, patched
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal

_STAGED = ("variables", "tracingEnabled", "cacheClusterEnabled", "cacheClusterSize")


class RestApis(MethodOperations, PartOperations):
    """API Gateway, version 1; operations are methods in snake case with AWS's parameters."""

    @operation
    def create_rest_api(self, params: Params) -> Answer:
        """CreateRestApi."""
        return self._created(without(params, "cloneFrom")).about

    @operation
    def import_rest_api(self, params: Params) -> Answer:
        """ImportRestApi."""
        content = openapi.read(params["body"])
        api = self._created({})
        openapi.laid_into(api, content)
        return api.about

    @operation
    def put_rest_api(self, params: Params) -> Answer:
        """PutRestApi: lays a definition over the API, or puts it in its place."""
        api, content = self._api(params), openapi.read(params["body"])
        if params.get("mode") == "overwrite":
            api.start_anew()
        openapi.laid_into(api, content)
        return api.about

    @operation
    def get_rest_api(self, params: Params) -> Answer:
        """GetRestApi."""
        return self._api(params).about

    @operation
    def get_rest_apis(self, params: Params) -> Answer:  # noqa: ARG002 - pages are not needed
        """GetRestApis."""
        return listed(api.about for api in self._apis.values())

    @operation
    def update_rest_api(self, params: Params) -> Answer:
        """UpdateRestApi."""
        return patched(self._api(params).about, params.get("patchOperations") or [])

    @operation
    def delete_rest_api(self, params: Params) -> Answer:
        """DeleteRestApi."""
        del self._apis[self._api(params).id]
        self._serving.withdraw(params["restApiId"])
        return {}

    @operation
    def create_deployment(self, params: Params) -> Answer:
        """CreateDeployment: of what the API is now, and of a stage where one is named."""
        api = self._api(params)
        if not any(one.get("resourceMethods") for one in api.resources):
            raise Refusal("BadRequestException", "The REST API doesn't contain any methods")
        made = api.deployments.add({"description": params.get("description"), "createdDate": self._now()})
        api.deployed[made["id"]] = api.defined()
        if stage := params.get("stageName"):
            known = api.stages.find(stage)
            settings = {name: params[name] for name in _STAGED if name in params}
            self._staged(api, {**(known or {"stageName": stage}), **settings, "deploymentId": made["id"]})
        return made

    @operation
    def get_deployment(self, params: Params) -> Answer:
        """GetDeployment."""
        return self._api(params).deployments.get(params["deploymentId"])

    @operation
    def get_deployments(self, params: Params) -> Answer:
        """GetDeployments."""
        return listed(self._api(params).deployments)

    @operation
    def delete_deployment(self, params: Params) -> Answer:
        """DeleteDeployment: of none that a stage serves."""
        api, asked = self._api(params), params["deploymentId"]
        if any(stage["deploymentId"] == asked for stage in api.stages):
            message = "Active stages pointing to this deployment must be moved or deleted"
            raise Refusal("BadRequestException", message)
        api.deployed.pop(asked, None)
        return api.deployments.remove(asked)

    @operation
    def create_stage(self, params: Params) -> Answer:
        """CreateStage."""
        api = self._api(params)
        api.deployments.get(params["deploymentId"])
        if api.stages.find(params["stageName"]):
            raise Refusal("ConflictException", "Stage already exists")
        return self._staged(api, without(params, "restApiId"))

    @operation
    def get_stage(self, params: Params) -> Answer:
        """GetStage."""
        return self._api(params).stages.get(params["stageName"])

    @operation
    def get_stages(self, params: Params) -> Answer:
        """GetStages."""
        return {"item": listed(self._api(params).stages)["items"]}

    @operation
    def get_export(self, params: Params) -> Answer:
        """GetExport: what a stage serves, as OpenAPI 3.0 in JSON, without extensions."""
        exported.only_oas30(params["exportType"])
        api, stage = self._api(params), self.get_stage(params)
        url = f"https://{self._serving.domain(api.id)}"
        document = exported.of_rest_api(api.about["name"], url, api.deployed[stage["deploymentId"]], stage)
        return {"contentType": "application/json", "body": json.dumps(document).encode()}

    @operation
    def update_stage(self, params: Params) -> Answer:
        """UpdateStage."""
        api = self._api(params)
        return self._staged(api, patched(self.get_stage(params), params.get("patchOperations") or []))

    @operation
    def delete_stage(self, params: Params) -> Answer:
        """DeleteStage."""
        self._serving.withdraw(params["restApiId"], params["stageName"])
        return self._api(params).stages.remove(params["stageName"])

    @operation
    def get_account(self, params: Params) -> Answer:  # noqa: ARG002 - the operation has no parameters
        """GetAccount: with a role for logs, so that tools need not make one."""
        return {"cloudwatchRoleArn": "arn:aws:iam::123456789012:role/api-gateway-logs"}

    @operation
    def get_tags(self, params: Params) -> Answer:
        """GetTags."""
        return {"tags": self._tagged(params).get("tags") or {}}

    @operation
    def tag_resource(self, params: Params) -> Answer:
        """TagResource."""
        self._tagged(params).setdefault("tags", {}).update(params["tags"])
        return {}

    @operation
    def untag_resource(self, params: Params) -> Answer:
        """UntagResource."""
        for key in params["tagKeys"]:
            self._tagged(params).get("tags", {}).pop(key, None)
        return {}

    def _created(self, given: Answer) -> RestApi:
        about = {
            "id": new_id(self._rng),
            "createdDate": self._now(),
            "apiKeySource": "HEADER",
            "endpointConfiguration": {"types": ["EDGE"]},
            **given,
        }
        api = self._apis[about["id"]] = RestApi(about, self._rng)
        return api

    def _staged(self, api: RestApi, stage: Answer) -> Answer:
        made = api.stages.put({"createdDate": self._now(), **stage, "lastUpdatedDate": self._now()})
        self._serve(api, made)
        return made

    def _tagged(self, params: Params) -> Answer:
        """What an ARN names: `…::/restapis/ID` or `…/restapis/ID/stages/NAME`."""
        _, _, path = params["resourceArn"].partition("/restapis/")
        api_id, _, stage = path.partition("/stages/")
        api = self._api({"restApiId": api_id})
        return api.stages.get(stage) if stage else api.about
