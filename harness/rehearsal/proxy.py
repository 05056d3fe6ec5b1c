"""API Gateway's shapes (REST API, Lambda proxy integration 1.0): the request, its event, and the function's answer."""

import base64
import binascii
import re
import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from harness.files import NOT_JSON
from harness.rehearsal.cloudwatch.api_requests import ApiName

RawHeaders = list[tuple[bytes, bytes]]

BODILESS = frozenset({204, 304})
"""Statuses whose answers HTTP allows no body."""

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_GATEWAYS_OWN = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive"})
"""The gateway frames the message itself."""


class MalformedAnswer(ValueError):
    """A function returned something that is not a proxy answer."""


class GatewayAnswer(Struct, frozen=True):
    """One HTTP answer of the gateway, not yet framed."""

    status: int
    headers: RawHeaders
    body: bytes


class ApiRequest(Struct, frozen=True, kw_only=True):
    """One HTTP request that has a route.

    `path` is without the stage, `resource` the path of the route, `route_key` what an HTTP API calls that. `authorizer`
    is what admitted it says of it, None on a route without one. `chance` draws from 0 to 1 for it.
    """

    method: str
    path: str
    resource: str
    route_key: str
    parameters: Mapping[str, str]
    query: bytes
    headers: Iterable[tuple[bytes, bytes]]
    body: bytes
    authorizer: Mapping[str, object] | None
    source_ip: str
    request_id: str
    received_s: float
    chance: Callable[[], float]


class ApiHome(Struct, frozen=True, kw_only=True):
    """Where an API is, as events tell it; `variables` are those of its stage."""

    name: ApiName
    account: str
    region: str
    variables: Mapping[str, str] = {}

    @property
    def domain(self) -> str:
        """The name that it has on AWS."""
        return f"{self.name.id}.execute-api.{self.region}.amazonaws.com"

    def method_arn(self, call: ApiRequest) -> str:
        """The ARN of what a request asks for, as policies name it."""
        place = f"{self.region}:{self.account}:{self.name.id}"
        return f"arn:aws:execute-api:{place}/{self.name.stage}/{call.method}{call.path}"


def no_stage(reason: str = "Forbidden") -> GatewayAnswer:
    """What API Gateway answers where it serves nothing, with the reason."""
    headers = [(b"content-type", b"application/json"), (b"x-amzn-errortype", b"ForbiddenException")]
    return GatewayAnswer(403, headers, msgspec.json.encode({"message": reason}))


def event(call: ApiRequest, *, home: ApiHome) -> bytes:
    """The proxy event of a call, as JSON."""
    headers = _by_name((_as_sent(name), value.decode("latin-1")) for name, value in call.headers)
    query = _by_name(urllib.parse.parse_qsl(call.query.decode("latin-1"), keep_blank_values=True))
    content = {
        "resource": call.resource,
        "path": call.path,
        "httpMethod": call.method,
        "headers": _last(headers),
        "multiValueHeaders": headers,
        "queryStringParameters": _last(query) or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": call.parameters or None,
        "stageVariables": home.variables or None,
        "requestContext": _context(call, headers, home),
        "body": call.body.decode(errors="replace") if call.body else None,
        "isBase64Encoded": False,
    }
    return msgspec.json.encode(content)


def _context(call: ApiRequest, headers: Mapping[str, list[str]], home: ApiHome) -> dict[str, object]:
    context: dict[str, object] = {
        "accountId": home.account,
        "apiId": home.name.id,
        "domainName": home.domain,
        "domainPrefix": home.name.id,
        "httpMethod": call.method,
        "identity": {"sourceIp": call.source_ip, "userAgent": headers.get("User-Agent", [None])[-1]},
        "path": f"{home.name.path}{call.path}",
        "protocol": "HTTP/1.1",
        "requestId": call.request_id,
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(call.received_s)),
        "requestTimeEpoch": int(call.received_s * 1000),
        "resourcePath": call.resource,
        "stage": home.name.stage,
    }
    if call.authorizer is not None:
        context["authorizer"] = call.authorizer
    return context


def _as_sent(name: bytes) -> str:
    """A header's name as HTTP/1.1 clients write it, which REST APIs pass on; the server gives it in lower case."""
    return name.decode("latin-1").title()


def _by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values


def _last(values: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: all_of_it[-1] for name, all_of_it in values.items()}


def parse(payload: bytes) -> GatewayAnswer:
    """The HTTP answer that a function's payload asks for; raises MalformedAnswer.

    Assumption: a status code as a numeric string and numbers or booleans as header values are accepted, other keys of
    the payload are ignored.
    """
    try:
        content = msgspec.json.decode(payload)
    except NOT_JSON as error:
        raise MalformedAnswer("not JSON") from error
    if not isinstance(content, dict):
        raise MalformedAnswer("not an object")
    headers = [*_headers(content.get("headers")), *_many_headers(content.get("multiValueHeaders"))]
    if not any(name.lower() == b"content-type" for name, _ in headers):
        headers.append((b"content-type", b"application/json"))
    status = status_of(content.get("statusCode"))
    body = _body(content)
    return GatewayAnswer(status, headers, b"" if status in BODILESS else body)


def status_of(value: object) -> int:
    """The status that a function gives as a number or as digits; raises MalformedAnswer."""
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch("[2-5][0-9][0-9]", text):
        raise MalformedAnswer(f"statusCode is {text[:20]!r}")
    return int(text)


def _body(content: Mapping[str, object]) -> bytes:
    body = content.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedAnswer("body is not a string")
    if content.get("isBase64Encoded") is not True:
        return body.encode(errors="replace")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedAnswer("body is not base64") from error


def _headers(value: object) -> RawHeaders:
    pairs = _object(value, "headers").items()
    return [header_of(name, one) for name, one in pairs if name.lower() not in _GATEWAYS_OWN]


def _many_headers(value: object) -> RawHeaders:
    pairs = _object(value, "multiValueHeaders").items()
    if not all(isinstance(several, list) for _, several in pairs):
        raise MalformedAnswer("the values of multiValueHeaders are not lists")
    return [header_of(name, one) for name, several in pairs if name.lower() not in _GATEWAYS_OWN for one in several]


def _object(value: object, key: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedAnswer(f"{key} is not an object")
    return value


def header_of(name: str, value: object) -> tuple[bytes, bytes]:
    """A header as bytes; raises MalformedAnswer for what HTTP cannot carry."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not isinstance(value, str | int | float) or not _NAME.fullmatch(name) or not _VALUE.fullmatch(text):
        raise MalformedAnswer(f"header {name[:40]!r}")
    return name.encode(), text.encode("latin-1")
