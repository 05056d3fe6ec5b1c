"""The event of HTTP APIs in payload format 2.0; answers in it are as at a function URL."""

import base64
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

import msgspec

from harness.rehearsal.proxy import ApiHome, ApiRequest
from harness.rehearsal.url_events import is_text, joined


def event(call: ApiRequest, *, home: ApiHome) -> bytes:
    """The event of a request, as JSON."""
    headers: dict[str, str] = {}
    for name, value in call.headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    cookies = headers.pop("cookie", None)
    query = urllib.parse.parse_qsl(call.query.decode("latin-1"), keep_blank_values=True)
    encoded = bool(call.body) and not is_text(headers.get("content-type", ""))
    content: dict[str, object] = {
        "version": "2.0",
        "routeKey": call.route_key,
        "rawPath": f"{home.name.path}{call.path}",
        "rawQueryString": call.query.decode("latin-1"),
        "headers": headers,
        "requestContext": _context(call, headers, home),
        "isBase64Encoded": encoded,
    }
    optional = {
        "cookies": [one.strip() for one in cookies.split(";")] if cookies else None,
        "queryStringParameters": joined(query) or None,
        "pathParameters": dict(call.parameters) or None,
        "stageVariables": dict(home.variables) or None,
        "body": _body(call.body, encoded) if call.body else None,
    }
    return msgspec.json.encode({**content, **{name: value for name, value in optional.items() if value is not None}})


def _body(body: bytes, encoded: bool) -> str:
    return base64.b64encode(body).decode() if encoded else body.decode(errors="replace")


def _context(call: ApiRequest, headers: Mapping[str, str], home: ApiHome) -> dict[str, Any]:
    context: dict[str, Any] = {
        "accountId": home.account,
        "apiId": home.name.id,
        "domainName": home.domain,
        "domainPrefix": home.name.id,
        "http": {
            "method": call.method,
            "path": f"{home.name.path}{call.path}",
            "protocol": "HTTP/1.1",
            "sourceIp": call.source_ip,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": call.request_id,
        "routeKey": call.route_key,
        "stage": home.name.stage,
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(call.received_s)),
        "timeEpoch": int(call.received_s * 1000),
    }
    if call.authorizer is not None:
        context["authorizer"] = call.authorizer
    return context
