"""Payload format 2.0: between HTTP at a function URL or an HTTP API, and what a function gets and returns.

By the developer guides of Lambda and of API Gateway.
"""

import base64
import binascii
import time
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from harness.files import NOT_JSON
from harness.rehearsal.proxy import (
    ApiHome,
    ApiRequest,
    GatewayAnswer,
    MalformedAnswer,
    RawHeaders,
    header_of,
    status_of,
)

_DEFAULT = "$default"
_JSON = (b"content-type", b"application/json")
_TEXT = ("text/", "application/json", "application/javascript", "application/xml")
"""How the types of bodies begin that come as text; all others come as base64 (assumption: +json and +xml are text)."""
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive"})


class FormattedRequest(Struct, frozen=True, kw_only=True):
    """What an event tells of a request; `headers` are by `by_name`, and what has a default is that of a function URL.

    `path` is with the stage of an HTTP API; `authorizer` is what admitted it says of it, None without one.
    """

    account: str = "anonymous"
    api_id: str
    domain: str
    stage: str = _DEFAULT
    route_key: str = _DEFAULT
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    source_ip: str
    request_id: str
    received_s: float
    parameters: Mapping[str, str] = {}
    variables: Mapping[str, str] = {}
    authorizer: Mapping[str, object] | None = None


def of_api(call: ApiRequest, home: ApiHome) -> FormattedRequest:
    """A request of an HTTP API."""
    return FormattedRequest(
        account=home.account,
        api_id=home.name.id,
        domain=home.domain,
        stage=home.name.stage,
        route_key=call.route_key,
        method=call.method,
        path=f"{home.name.path}{call.path}",
        query=call.query.decode("latin-1"),
        headers=by_name(call.headers),
        body=call.body,
        source_ip=call.source_ip,
        request_id=call.request_id,
        received_s=call.received_s,
        parameters=call.parameters,
        variables=home.variables,
        authorizer=call.authorizer,
    )


def event_of_api(call: ApiRequest, *, home: ApiHome) -> bytes:
    """The event of a request of an HTTP API, as JSON."""
    return event(of_api(call, home))


def event(call: FormattedRequest) -> bytes:
    """The event of a request, as JSON; what AWS leaves out where it is empty is left out here."""
    encoded = bool(call.body) and not is_text(call.headers.get("content-type", ""))
    cookies = call.headers.get("cookie")
    content = {
        "version": "2.0",
        "routeKey": call.route_key,
        "rawPath": call.path,
        "rawQueryString": call.query,
        "headers": _headers_of(call),
        "requestContext": _context(call),
        "isBase64Encoded": encoded,
    }
    optional = {
        "cookies": [cookie.strip() for cookie in cookies.split(";")] if cookies else None,
        "queryStringParameters": joined(urllib.parse.parse_qsl(call.query, keep_blank_values=True)) or None,
        "pathParameters": dict(call.parameters) or None,
        "stageVariables": dict(call.variables) or None,
        "body": _sent(call.body, encoded) if call.body else None,
    }
    return msgspec.json.encode({**content, **{name: value for name, value in optional.items() if value is not None}})


def _sent(body: bytes, encoded: bool) -> str:
    return base64.b64encode(body).decode() if encoded else body.decode(errors="replace")


def _headers_of(call: FormattedRequest) -> dict[str, str]:
    """Those of the client but its cookies, with what AWS's front adds."""
    sent = {name: value for name, value in call.headers.items() if name != "cookie"}
    front = {"x-forwarded-for": call.source_ip, "x-forwarded-port": "443", "x-forwarded-proto": "https"}
    return {**sent, **front}


def _context(call: FormattedRequest) -> dict[str, Any]:
    context = {
        "accountId": call.account,
        "apiId": call.api_id,
        "domainName": call.domain,
        "domainPrefix": call.api_id,
        "http": {
            "method": call.method,
            "path": call.path,
            "protocol": "HTTP/1.1",
            "sourceIp": call.source_ip,
            "userAgent": call.headers.get("user-agent", ""),
        },
        "requestId": call.request_id,
        "routeKey": call.route_key,
        "stage": call.stage,
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(call.received_s)),
        "timeEpoch": int(call.received_s * 1000),
    }
    return context if call.authorizer is None else {**context, "authorizer": call.authorizer}


def by_name(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by their names in lower case, several of a name joined as HTTP joins them."""
    values: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        separator = "; " if name == "cookie" else ","
        values[name] = f"{values[name]}{separator}{value}" if name in values else value
    return values


def joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Values by name, several of a name joined by commas."""
    values: dict[str, str] = {}
    for name, value in pairs:
        values[name] = f"{values[name]},{value}" if name in values else value
    return values


def is_text(content_type: str) -> bool:
    """Whether a body of this type comes as text."""
    kind = content_type.split(";")[0].strip().lower()
    return not kind or kind.startswith(_TEXT) or kind.endswith(("+json", "+xml"))


def parse(payload: bytes) -> GatewayAnswer:
    """The HTTP answer that a function's payload asks for; raises MalformedAnswer.

    What has no `statusCode` is the body of a 200 itself.
    """
    try:
        content = msgspec.json.decode(payload)
    except NOT_JSON as error:
        raise MalformedAnswer("not JSON") from error
    if isinstance(content, str):
        return GatewayAnswer(200, [_JSON], content.encode(errors="replace"))
    if not isinstance(content, dict) or "statusCode" not in content:
        return GatewayAnswer(200, [_JSON], payload)
    return GatewayAnswer(status_of(content["statusCode"]), _headers(content), _body(content))


def _headers(content: Mapping[str, Any]) -> RawHeaders:
    headers, cookies = content.get("headers", {}), content.get("cookies", [])
    if not isinstance(headers, dict | None) or not isinstance(cookies, list | None):
        raise MalformedAnswer("headers is not an object, or cookies is not a list")
    given = [header_of(name, value) for name, value in (headers or {}).items() if name.lower() not in _FRAMING]
    given += [header_of("set-cookie", cookie) for cookie in cookies or []]
    return given if any(name.lower() == b"content-type" for name, _ in given) else [_JSON, *given]


def _body(content: Mapping[str, Any]) -> bytes:
    body = content.get("body")
    if body is None:
        return b""
    text = body if isinstance(body, str) else msgspec.json.encode(body).decode()
    if content.get("isBase64Encoded") is not True:
        return text.encode(errors="replace")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedAnswer("body is not base64") from error
