"""From an HTTP API, as it is or was deployed, to the routes that the gateway serves."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from harness.rehearsal.admission import RouteGuard
from harness.rehearsal.apis import targets
from harness.rehearsal.apis.authorizers import AnyToken, AuthorizerSettings
from harness.rehearsal.apis.own_answers import HTTP
from harness.rehearsal.apis.places import places
from harness.rehearsal.apis.routes import ANY, ApiRoute, Fixed, Integration
from harness.rehearsal.apis.serving import Admitting
from harness.rehearsal.apis.unverified import tell_unverified
from harness.rehearsal.operations import Answer

DEFAULT_ROUTE = "$default"
_EVERYTHING = ("/", "/{proxy+}")
_AUTHORIZATION = "$request.header.Authorization"


class HttpDefinition(Struct, frozen=True, kw_only=True):
    """What an HTTP API was when it was deployed; integrations and authorizers by id."""

    routes: Sequence[Answer]
    integrations: Mapping[str, Answer]
    authorizers: Mapping[str, Answer]


def routes(definition: HttpDefinition, variables: Mapping[str, str], admitting: Admitting) -> Iterator[ApiRoute]:
    """Every route that has an integration; the default one answers what no other does."""
    admissions = {key: _admission(one, variables, admitting) for key, one in definition.authorizers.items()}
    tell_unverified((route["RouteKey"], route.get("AuthorizationType") or "") for route in definition.routes)
    # The default route first, so that one on every path of its own takes its place.
    for route in sorted(definition.routes, key=lambda one: one["RouteKey"] != DEFAULT_ROUTE):
        integration = definition.integrations.get((route.get("Target") or "").removeprefix("integrations/"))
        if integration is None:
            continue
        method, _, path = route["RouteKey"].partition(" ")
        is_default = route["RouteKey"] == DEFAULT_ROUTE
        for each in _EVERYTHING if is_default else (path,):
            yield ApiRoute(
                method=ANY if is_default else method,
                path=each,
                integration=_integration(route["RouteKey"], integration, variables),
                authorizer=admissions.get(route.get("AuthorizerId") or ""),
                key=route["RouteKey"],
            )


def _integration(key: str, given: Mapping[str, Any], variables: Mapping[str, str]) -> Integration | Fixed:
    to = targets.function_of(
        given.get("IntegrationUri") or "",
        variables,
        timeout_ms=given.get("TimeoutInMillis"),
        payload=given.get("PayloadFormatVersion") or "1.0",
    )
    if given.get("IntegrationType") != "AWS_PROXY" or to is None:
        targets.unplayed(key, str(given.get("IntegrationType")))
        return Fixed(HTTP.not_invoked.made())
    return to


def _admission(given: Mapping[str, Any], variables: Mapping[str, str], admitting: Admitting) -> RouteGuard:
    """Assumption: as AWS says, without a time to live results of an HTTP API's authorizer are not kept."""
    asked = given.get("IdentitySource") or ([_AUTHORIZATION] if given["AuthorizerType"] == "JWT" else [])
    sources = places(asked if isinstance(asked, str) else ",".join(asked))
    to = targets.function_of(given.get("AuthorizerUri") or "", variables)
    if to is None:
        return AnyToken(sources)
    return admitting(
        AuthorizerSettings(
            kind="REQUEST",
            to=to,
            sources=sources,
            ttl_s=given.get("AuthorizerResultTtlInSeconds") or 0,
            simple=bool(given.get("EnableSimpleResponses")),
            version=given.get("AuthorizerPayloadFormatVersion") or "1.0",
        )
    )
