"""The HTTP APIs that exist, and how operations find and serve them."""

import random
from collections.abc import Iterable

from harness.rehearsal.apis import http_stage
from harness.rehearsal.apis.http_api import HttpApi
from harness.rehearsal.apis.own_answers import HTTP
from harness.rehearsal.apis.serving import Serving
from harness.rehearsal.clock import Schedule
from harness.rehearsal.cloudwatch.api_requests import ApiName
from harness.rehearsal.operations import Answer, AwsService, Params
from harness.rehearsal.refusal import Refusal


class HttpRegistry(AwsService):
    """The state that all operations on HTTP APIs share."""

    def __init__(self, schedule: Schedule, serving: Serving, *, rng: random.Random) -> None:
        super().__init__(schedule)
        self._serving = serving
        self._rng = rng
        self._apis: dict[str, HttpApi] = {}

    def _api(self, params: Params) -> HttpApi:
        """The API that a request names."""
        if params["ApiId"] not in self._apis:
            raise Refusal("NotFoundException", f"Invalid API identifier specified {params['ApiId']}")
        return self._apis[params["ApiId"]]

    def _endpoint(self, api_id: str) -> str:
        return f"https://{self._serving.domain(api_id)}"

    def _deployed(self, api: HttpApi, description: str | None = None, *, by_itself: bool = False) -> Answer:
        """A deployment of what an API is now."""
        made = {"Description": description, "CreatedDate": self._now(), "AutoDeployed": by_itself}
        deployment = api.deployments.put({**made, "DeploymentStatus": "DEPLOYED"})
        api.deployed[deployment["DeploymentId"]] = api.defined()
        return deployment

    def _deploy_by_itself(self, api: HttpApi) -> None:
        """Deploys a change to the stages that ask for it."""
        for stage in api.stages:
            if stage.get("AutoDeploy"):
                self._staged(api, stage)

    def _staged(self, api: HttpApi, stage: Answer) -> Answer:
        """Keeps a stage and has the gateway serve it: what its deployment was made of, or what the API is now."""
        if stage.get("AutoDeploy"):
            stage = {**stage, "DeploymentId": self._deployed(api, by_itself=True)["DeploymentId"]}
        made = api.stages.put(
            {"CreatedDate": self._now(), "AutoDeploy": False, **stage, "LastUpdatedDate": self._now()}
        )
        if definition := api.deployed.get(stage.get("DeploymentId") or ""):
            variables = stage.get("StageVariables") or {}
            self._serving.serve(
                ApiName(api.about["Name"], api.id, stage["StageName"], "HTTP"),
                variables,
                lambda admitting: http_stage.routes(definition, variables, admitting),
                HTTP,
            )
        return made


def items(some: Iterable[Answer]) -> Answer:
    """All of them: nothing here comes in pages."""
    return {"Items": [*some]}


def without(params: Params, *names: str) -> Answer:
    """What a request says of a thing, and not where it is."""
    return {name: value for name, value in params.items() if name not in names}
