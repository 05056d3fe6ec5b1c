"""The routes that the APIs of a template give to its functions, each with its line.

Read are the routes of HTTP APIs, the methods of REST APIs, and the OpenAPI bodies of both. SAM's `Events` are read with
the function (see `code`).
"""

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from harness.errors import TemplateError
from harness.templates.names import names_in
from harness.templates.release import Fact
from harness.templates.resolver import Resolver
from harness.templates.values import Value, values_of

Resources = Mapping[str, Mapping[str, Value]]
"""The resources that are there: by type, then by logical id."""

Route = tuple[str, str]
"""Method, in lower case, and path."""

DEFAULT_ROUTE = "$default"
_BODIES: Mapping[str, str] = {
    "AWS::ApiGateway::RestApi": "Body",
    "AWS::ApiGatewayV2::Api": "Body",
    "AWS::Serverless::Api": "DefinitionBody",
    "AWS::Serverless::HttpApi": "DefinitionBody",
}
_API, _ROUTE, _INTEGRATION = (f"AWS::ApiGatewayV2::{kind}" for kind in ("Api", "Route", "Integration"))
_METHOD, _RESOURCE = "AWS::ApiGateway::Method", "AWS::ApiGateway::Resource"
_OF_SAM = {"AWS::Serverless::Api": "Api", "AWS::Serverless::HttpApi": "HttpApi"}
_OPEN = ("", "NONE")
"""What says that nothing admits the requests."""
_IN_OPENAPI = "x-amazon-apigateway-integration"
_NOTHING = Value({}, 0)


class InvokedRoute(Struct, frozen=True):
    """A route, the text that names the function that it invokes, and whether something admits its requests.

    `is_of_2_0` says whether the function gets events of payload format 2.0.
    """

    said: Fact[Route]
    uri: str
    is_guarded: bool = False
    is_of_2_0: bool = False

    def invokes(self, function: str) -> bool:
        """Whether it invokes a function, by any version or alias, or itself."""
        return re.search(rf"(?:^|:function:){re.escape(function)}(?=[:/]|$)", self.uri) is not None


def invoked_routes(resolver: Resolver, resources: Resources) -> tuple[InvokedRoute, ...]:
    """Every route of the template that invokes something; none for what cannot be read."""
    reading = _Reading(resolver, resources)
    return (*reading.of_bodies(), *reading.of_http_apis(), *reading.of_rest_apis())


def guarded_apis(resolver: Resolver, common: Value) -> frozenset[str]:
    """The APIs of SAM with a default authorizer, by logical id; those that SAM makes itself as `Api` and `HttpApi`."""
    usual = {kind for kind in _OF_SAM.values() if _has_default(_at(common, kind))}
    own = (
        logical
        for logical, one in resolver.resources.items()
        if (kind := _OF_SAM.get(_at(one, "Type").text())) and (kind in usual or _has_default(_at(one, "Properties")))
    )
    return frozenset((*usual, *own))


def _has_default(api: Value) -> bool:
    return _at(api, "Auth", "DefaultAuthorizer").content not in ({}, "NONE")


def route_of(key: str) -> Route | None:
    """The method and path of an HTTP API's route key; None for that of a WebSocket API."""
    method, _, path = key.partition(" ")
    if key == DEFAULT_ROUTE:
        return "any", "/"
    return (method.lower(), path) if path.startswith("/") else None


class _Reading:
    def __init__(self, resolver: Resolver, resources: Resources) -> None:
        self._resolver = resolver
        self._resources = resources

    def of_bodies(self) -> Iterator[InvokedRoute]:
        for kind, key in _BODIES.items():
            for properties in self._properties(kind).values():
                document = _document(_at(properties, key))
                for path, methods in _at(document, "paths").items():
                    for method, operation in methods.items():
                        uri = _at(operation, _IN_OPENAPI, "uri")
                        asked = operation.get("security") or _at(document, "security")
                        one = _invoked((method.lower(), path), operation.line, uri, is_guarded=bool(asked.parts()))
                        yield _with_format(one, _at(operation, _IN_OPENAPI, "payloadFormatVersion"))

    def of_http_apis(self) -> Iterator[InvokedRoute]:
        apis, integrations = self._properties(_API), self._properties(_INTEGRATION)
        for api in apis.values():
            if route := api.get("Target") and route_of(_at(api, "RouteKey").text() or DEFAULT_ROUTE):
                # An API that is made of its target alone has the format of the day (CreateApi's reference).
                yield replace(_invoked(route, _at(api, "Target").line, _at(api, "Target")), is_of_2_0=True)
        for own in self._properties(_ROUTE).values():
            api = apis.get(_logical(_at(own, "ApiId")), _NOTHING)
            route = route_of(_at(own, "RouteKey").text())
            if route and _at(api, "ProtocolType").text() != "WEBSOCKET":
                to = integrations.get(_logical(_at(own, "Target")), _NOTHING)
                one = _invoked(route, _at(own, "RouteKey").line, _at(to, "IntegrationUri"), is_guarded=_is_guarded(own))
                yield _with_format(one, _at(to, "PayloadFormatVersion"))

    def of_rest_apis(self) -> Iterator[InvokedRoute]:
        folders = self._properties(_RESOURCE)
        for own in self._properties(_METHOD).values():
            path = _path(_logical(_at(own, "ResourceId")), folders)
            method = _at(own, "HttpMethod")
            uri = _at(own, "Integration", "Uri")
            yield _invoked((method.text().lower(), path), method.line, uri, is_guarded=_is_guarded(own))

    def _properties(self, kind: str) -> Mapping[str, Value]:
        found = self._resources.get(kind, {})
        return {logical: self._read(one.get("Properties") or _NOTHING) for logical, one in found.items()}

    def _read(self, value: Value) -> Value:
        try:
            return self._resolver.value(value)
        except TemplateError:
            return _NOTHING


def _document(body: Value) -> Value:
    """An OpenAPI definition, be it a text, as in Terraform; nothing where that cannot be read."""
    if not isinstance(body.content, str):
        return body
    try:
        return values_of(body.content, "body", body.line if "\n" in body.content.strip() else body.line - 1)
    except TemplateError:
        return _NOTHING


def _invoked(route: Route, line: int, uri: Value, *, is_guarded: bool = False) -> InvokedRoute:
    return InvokedRoute(Fact(route, line), uri.text(), is_guarded)


def _with_format(route: InvokedRoute, version: Value) -> InvokedRoute:
    return replace(route, is_of_2_0=version.text() in ("2.0", "2"))


def _is_guarded(own: Value) -> bool:
    asked = own.get("AuthorizationType")
    return (asked is not None and asked.text() not in _OPEN) or _at(own, "ApiKeyRequired").text() == "true"


def _at(value: Value, *keys: str) -> Value:
    for key in keys:
        value = value.get(key) or _NOTHING
    return value


def _logical(reference: Value) -> str:
    """The resource that a text refers to; nothing where it refers to none."""
    return next(iter(names_in(reference.text())), "")


def _path(resource: str, folders: Mapping[str, Value]) -> str:
    """The path of a resource of a REST API, from its parents on; each is taken once, should they go in a circle."""
    parts: list[str] = []
    left = dict(folders)
    while own := left.pop(resource, None):
        parts.insert(0, _at(own, "PathPart").text())
        resource = _logical(_at(own, "ParentId"))
    return "/" + "/".join(parts)
