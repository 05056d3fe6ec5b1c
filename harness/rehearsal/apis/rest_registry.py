"""The REST APIs that exist, and how operations find them."""

import random
from collections.abc import Iterable

from harness.rehearsal.apis import rest_stage
from harness.rehearsal.apis.own_answers import customised
from harness.rehearsal.apis.rest_api import RestApi
from harness.rehearsal.apis.serving import Serving
from harness.rehearsal.clock import Schedule
from harness.rehearsal.cloudwatch.api_requests import ApiName
from harness.rehearsal.operations import Answer, AwsService, Params
from harness.rehearsal.refusal import Refusal


class RestRegistry(AwsService):
    """The state that all operations on REST APIs share."""

    def __init__(self, schedule: Schedule, serving: Serving, *, rng: random.Random) -> None:
        super().__init__(schedule)
        self._serving = serving
        self._rng = rng
        self._apis: dict[str, RestApi] = {}

    def _api(self, params: Params) -> RestApi:
        """The API that a request names."""
        asked = params["restApiId"]
        if asked not in self._apis:
            raise Refusal("NotFoundException", f"Invalid API identifier specified {asked}")
        return self._apis[asked]

    def _serve(self, api: RestApi, stage: Answer) -> None:
        """Has the gateway serve a stage as its deployment was made."""
        definition = api.deployed[stage["deploymentId"]]
        variables = stage.get("variables") or {}
        self._serving.serve(
            ApiName(api.about["name"], api.id, stage["stageName"], "REST"),
            variables,
            lambda admitting: rest_stage.routes(definition, variables, admitting),
            customised(definition.responses),
        )


def listed(items: Iterable[Answer]) -> Answer:
    """All of them: nothing here comes in pages."""
    return {"items": [*items]}


def without(params: Params, *names: str) -> Answer:
    """What a request says of a thing, and not where it is."""
    return {name: value for name, value in params.items() if name not in names}
