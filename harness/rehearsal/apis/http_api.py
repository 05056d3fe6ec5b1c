"""What the control plane knows of one HTTP API."""

import copy
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.rehearsal.apis import openapi
from harness.rehearsal.apis.http_stage import DEFAULT_ROUTE, HttpDefinition
from harness.rehearsal.apis.shelf import Shelf, new_id
from harness.rehearsal.operations import Answer


@dataclass
class HttpApi:
    """An HTTP API: `about` is what AWS says of it, `deployed` what each of its deployments was made of."""

    about: Answer
    rng: random.Random
    routes: Shelf = field(init=False)
    integrations: Shelf = field(init=False)
    authorizers: Shelf = field(init=False)
    deployments: Shelf = field(init=False)
    stages: Shelf = field(init=False)
    deployed: dict[str, HttpDefinition] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.routes = Shelf("Route", "RouteId", self._id)
        self.integrations = Shelf("Integration", "IntegrationId", self._id)
        self.authorizers = Shelf("Authorizer", "AuthorizerId", self._id)
        self.deployments = Shelf("Deployment", "DeploymentId", self._id)
        self.stages = Shelf("Stage", "StageName")

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.about["ApiId"])

    def defined(self) -> HttpDefinition:
        """What it is now, which later changes leave as it is."""
        return copy.deepcopy(
            HttpDefinition(
                routes=[*self.routes],
                integrations={one["IntegrationId"]: one for one in self.integrations},
                authorizers={one["AuthorizerId"]: one for one in self.authorizers},
            )
        )

    def route_to(self, uri: str, key: str = DEFAULT_ROUTE) -> None:
        """Adds a route to a function, as the quick creation of an API does."""
        integration = self.integrations.put(
            {"IntegrationType": "AWS_PROXY", "IntegrationUri": uri, "PayloadFormatVersion": "2.0"}
        )
        self.routes.put({"RouteKey": key, "Target": f"integrations/{integration['IntegrationId']}"})

    def lay_in(self, content: Any) -> None:
        """Gives the API all that an OpenAPI definition says, in the place of what it had."""
        for shelf in (self.routes, self.integrations, self.authorizers):
            shelf.clear()
        self.about["Name"] = (content.get("info") or {}).get("title", "api")
        authorizers = {name: self._authorizer(name, one) for name, one in openapi.schemes(content).items()}
        for path, method, operation in openapi.methods(content):
            given = operation.get(openapi.INTEGRATION)
            if given is None:
                continue
            integration = self.integrations.put(
                {
                    "IntegrationType": str(given.get("type", "")).upper(),
                    "IntegrationUri": given.get("uri"),
                    "PayloadFormatVersion": str(given.get("payloadFormatVersion", "1.0")),
                    "TimeoutInMillis": given.get("timeoutInMillis"),
                }
            )
            asked = openapi.asked_by(content, operation)
            self.routes.put(
                {
                    "RouteKey": DEFAULT_ROUTE if path == f"/{DEFAULT_ROUTE}" else f"{method} {path}",
                    "Target": f"integrations/{integration['IntegrationId']}",
                    **self._authorization(next(filter(None, map(authorizers.get, asked)), None), asked),
                }
            )

    def _authorization(self, authorizer: str | None, asked: Mapping[str, Mapping[str, Any]]) -> Answer:
        if authorizer is None:
            return {"AuthorizationType": "AWS_IAM" if any(map(openapi.is_of_iam, asked.values())) else "NONE"}
        kind = self.authorizers.get(authorizer)["AuthorizerType"]
        return {"AuthorizationType": "JWT" if kind == "JWT" else "CUSTOM", "AuthorizerId": authorizer}

    def _authorizer(self, name: str, scheme: Any) -> str | None:
        """The id of the authorizer that a scheme asks for; None where it asks for none."""
        given = scheme.get(openapi.AUTHORIZER)
        if given is None:
            return None
        kind = "JWT" if given.get("type") == "jwt" else "REQUEST"
        made = {
            "Name": name,
            "AuthorizerType": kind,
            "AuthorizerUri": given.get("authorizerUri"),
            "IdentitySource": given.get("identitySource"),
            "AuthorizerPayloadFormatVersion": str(given.get("authorizerPayloadFormatVersion", "1.0")),
            "AuthorizerResultTtlInSeconds": given.get("authorizerResultTtlInSeconds"),
            "EnableSimpleResponses": given.get("enableSimpleResponses"),
        }
        return str(self.authorizers.put(made)["AuthorizerId"])

    def _id(self) -> str:
        return new_id(self.rng)
