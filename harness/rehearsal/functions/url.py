"""Runs a version that is a service of its own: the proxy event becomes an HTTP request, the answer a proxy response."""

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3

from harness.errors import CloudError
from harness.rehearsal.functions.engines import Ran, RunRequest, failed, timed_out
from harness.rehearsal.functions.records import Code

BAD_GATEWAY = 502
_CONNECTIONS = 64
_NOT_FORWARDED = frozenset(
    {"host", "connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
_PATH_CHARACTERS = "/%:@!$&'()*+,;=-._~"


class Url:
    """The engine of kind "url", with kept-alive connections to each service."""

    def __init__(self) -> None:
        self._pools: dict[str, urllib3.HTTPConnectionPool] = {}
        self._lock = threading.Lock()

    def run(self, code: Code, request: RunRequest) -> Ran:
        """Sends one event; no answer is an error of the run, and so is a 502.

        That is what a gateway answers for a function that threw, a local one like the real one; any other status the
        function gave itself.
        """
        started = time.perf_counter()
        try:
            answer = self._send(code, json.loads(request.event), request.limit_s(code))
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            # urllib3 counts a refused connection among the timeouts.
            late = isinstance(error, urllib3.exceptions.TimeoutError)
            if late and not isinstance(error, urllib3.exceptions.NewConnectionError):
                return timed_out(code, request)
            return failed(type(error).__name__, f"{code.url} gave no answer: {error}", _since_ms(started))
        if answer["statusCode"] == BAD_GATEWAY:
            return failed("BadGateway", f"{code.url} answered {BAD_GATEWAY}", _since_ms(started))
        return Ran(payload=json.dumps(answer).encode(), failed=False, duration_ms=_since_ms(started))

    def warm(self, code: Code) -> str | None:
        """Tries whether something listens."""
        parts = urlsplit(code.url or "")
        try:
            socket.create_connection((parts.hostname, parts.port or 80), timeout=code.timeout_s).close()
        except OSError as error:
            raise CloudError(f"Nothing listens at {code.url} for {code.function}: {error}") from error
        return None

    def retire(self, code: Code) -> None:
        """Connections are kept for other versions at the same URL."""

    def close(self) -> None:
        """Closes all connections."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()

    def _send(self, code: Code, event: object, limit_s: float) -> dict[str, Any]:
        method, path, headers, body = _request_of(event)
        answer = self._pool(code).urlopen(
            method,
            urlsplit(code.url or "").path + path,
            body=body,
            headers=headers,
            retries=False,
            redirect=False,
            timeout=limit_s,
            decode_content=False,
        )
        return _proxy_response(answer)

    def _pool(self, code: Code) -> urllib3.HTTPConnectionPool:
        url = code.url or ""
        with self._lock:
            if url not in self._pools:
                self._pools[url] = urllib3.connection_from_url(url, maxsize=_CONNECTIONS)
            return self._pools[url]


def _request_of(event: Any) -> tuple[str, str, urllib3.HTTPHeaderDict, bytes | None]:
    try:
        return _parts(event)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("the event is not an API Gateway proxy event") from error


def _parts(event: Mapping[str, Any]) -> tuple[str, str, urllib3.HTTPHeaderDict, bytes | None]:
    headers = urllib3.HTTPHeaderDict()
    for name, value in _pairs(event, "multiValueHeaders", "headers"):
        if name.lower() not in _NOT_FORWARDED:
            headers.add(name, value)
    if "rawPath" in event:
        method, raw, query = event["requestContext"]["http"]["method"], event["rawPath"], event["rawQueryString"]
    else:
        method, raw = event["httpMethod"], event.get("path")
        query = urlencode(list(_pairs(event, "multiValueQueryStringParameters", "queryStringParameters")))
    path = quote(raw or "/", safe=_PATH_CHARACTERS)
    return method, f"{path}?{query}" if query else path, headers, _body(event)


def _pairs(event: Mapping[str, Any], many: str, single: str) -> Iterator[tuple[str, str]]:
    if event.get(many):
        return ((name, str(value)) for name, values in event[many].items() for value in values)
    return ((name, str(value)) for name, value in (event.get(single) or {}).items())


def _body(event: Mapping[str, Any]) -> bytes | None:
    body = event.get("body")
    if body is None:
        return None
    return base64.b64decode(body) if event.get("isBase64Encoded") else str(body).encode()


def _proxy_response(answer: urllib3.BaseHTTPResponse) -> dict[str, Any]:
    kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _NOT_FORWARDED]
    many: dict[str, list[str]] = {}
    for name, value in kept:
        many.setdefault(name, []).append(value)
    text, encoded = _text(answer)
    return {"statusCode": answer.status, "multiValueHeaders": many, "body": text, "isBase64Encoded": encoded}


def _text(answer: urllib3.BaseHTTPResponse) -> tuple[str, bool]:
    if "content-encoding" not in answer.headers:
        try:
            return answer.data.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(answer.data).decode(), True


def _since_ms(started: float) -> float:
    return (time.perf_counter() - started) * 1000
