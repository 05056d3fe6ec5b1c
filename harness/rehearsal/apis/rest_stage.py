"""From a deployed REST API to the routes that the gateway serves."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.rehearsal.admission import RouteGuard
from harness.rehearsal.apis import targets
from harness.rehearsal.apis.authorizers import DEFAULT_TTL_S, AnyToken, AuthorizerSettings
from harness.rehearsal.apis.checks import checks_of
from harness.rehearsal.apis.own_answers import REST
from harness.rehearsal.apis.places import places
from harness.rehearsal.apis.rest_api import DeployedApi
from harness.rehearsal.apis.routes import ApiRoute, Fixed, Integration
from harness.rehearsal.apis.serving import Admitting
from harness.rehearsal.apis.unverified import tell_unverified

_AUTHORIZATION = "method.request.header.Authorization"


def routes(definition: DeployedApi, variables: Mapping[str, str], admitting: Admitting) -> Iterator[ApiRoute]:
    """Every method that has an integration."""
    admissions = {key: _admission(one, variables, admitting) for key, one in definition.authorizers.items()}
    tell_unverified(_asked(definition))
    for resource in definition.resources:
        for name, method in resource.get("resourceMethods", {}).items():
            if "methodIntegration" in method:
                yield ApiRoute(
                    method=name,
                    path=resource["path"],
                    integration=_integration(f"{name} {resource['path']}", method["methodIntegration"], variables),
                    authorizer=admissions.get(method.get("authorizerId") or ""),
                    checks=checks_of(method, definition.validators, definition.models),
                )


def _asked(definition: DeployedApi) -> Iterator[tuple[str, str]]:
    for resource in definition.resources:
        for name, method in resource.get("resourceMethods", {}).items():
            route = f"{name} {resource['path']}"
            yield route, method.get("authorizationType") or ""
            if method.get("apiKeyRequired"):
                yield route, "API_KEY"


def _integration(route: str, given: Mapping[str, Any], variables: Mapping[str, str]) -> Integration | Fixed:
    kind = given["type"]
    if kind == "MOCK":
        return targets.mocked(given)
    to = targets.function_of(given.get("uri") or "", variables, timeout_ms=given.get("timeoutInMillis"))
    if kind != "AWS_PROXY" or to is None:
        targets.unplayed(route, kind)
        return Fixed(REST.not_invoked.made())
    return to


def _admission(given: Mapping[str, Any], variables: Mapping[str, str], admitting: Admitting) -> RouteGuard:
    sources = places(given.get("identitySource") or (_AUTHORIZATION if given["type"] != "REQUEST" else ""))
    to = targets.function_of(given.get("authorizerUri") or "", variables)
    if to is None:
        return AnyToken(sources)
    ttl = given.get("authorizerResultTtlInSeconds")
    return admitting(
        AuthorizerSettings(
            kind=given["type"],
            to=to,
            sources=sources,
            ttl_s=DEFAULT_TTL_S if ttl is None else ttl,
            pattern=given.get("identityValidationExpression") or "",
        )
    )
