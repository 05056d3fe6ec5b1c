"""Between HTTP at a function URL and what a function gets and returns: payload format 2.0 (Lambda developer guide)."""

import base64
import binascii
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from harness.files import NOT_JSON
from harness.rehearsal.proxy import GatewayAnswer, MalformedAnswer, RawHeaders, header_of, status_of

_JSON = (b"content-type", b"application/json")
_TEXT = ("text/", "application/json", "application/javascript", "application/xml")
"""How the types of bodies begin that come as text; all others come as base64 (assumption: +json and +xml are text)."""
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive"})


class UrlRequest(Struct, frozen=True, kw_only=True):
    """One request at a function URL; `headers` are in lower case, several of a name joined by commas."""

    url_id: str
    domain: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    source_ip: str
    request_id: str
    received_s: float


def event(call: UrlRequest) -> bytes:
    """The event of a request, as JSON; what AWS leaves out where it is empty is left out here."""
    headers = {name: value for name, value in call.headers.items() if name != "cookie"}
    query = urllib.parse.parse_qsl(call.query, keep_blank_values=True)
    content: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": call.path,
        "rawQueryString": call.query,
        "headers": {**headers, **_forwarded(call)},
        "requestContext": _context(call),
        "isBase64Encoded": bool(call.body) and not is_text(headers.get("content-type", "")),
    }
    if cookies := call.headers.get("cookie"):
        content["cookies"] = [cookie.strip() for cookie in cookies.split(";")]
    if query:
        content["queryStringParameters"] = joined(query)
    if call.body:
        encoded = base64.b64encode(call.body).decode()
        content["body"] = encoded if content["isBase64Encoded"] else call.body.decode(errors="replace")
    return msgspec.json.encode(content)


def _context(call: UrlRequest) -> dict[str, Any]:
    return {
        "accountId": "anonymous",
        "apiId": call.url_id,
        "domainName": call.domain,
        "domainPrefix": call.url_id,
        "http": {
            "method": call.method,
            "path": call.path,
            "protocol": "HTTP/1.1",
            "sourceIp": call.source_ip,
            "userAgent": call.headers.get("user-agent", ""),
        },
        "requestId": call.request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(call.received_s)),
        "timeEpoch": int(call.received_s * 1000),
    }


def _forwarded(call: UrlRequest) -> dict[str, str]:
    return {"x-forwarded-for": call.source_ip, "x-forwarded-port": "443", "x-forwarded-proto": "https"}


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
