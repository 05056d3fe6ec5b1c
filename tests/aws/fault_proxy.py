"""A proxy between boto3 and the local cloud that fails calls as AWS and networks do, in the protocol of each call."""

import http.client
import json
import random
import re
import socket
import struct
import threading
import time
import urllib.parse
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from botocore.session import Session

Plan = Callable[["Call"], "Fault | None"]
Fault = Callable[["Exchange"], None]

_SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]+/(?P<service>[^/]+)/aws4_request")
_SERVICES = {"monitoring": "cloudwatch"}
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
_IAM = {"lambda:Invoke": "lambda:InvokeFunction"}
_DROPPED = struct.pack("ii", 1, 0)


class Call(NamedTuple):
    """What one request asks; `protocol` is json, rest-json or query."""

    service: str
    operation: str
    protocol: str

    @property
    def action(self) -> str:
        """Its IAM action."""
        named = f"{self.service}:{self.operation}"
        return _IAM.get(named, named)


def call_of(method: str, path: str, headers: Any, body: bytes) -> Call:
    """The call that a signed request makes."""
    scope = _SCOPE.search(headers.get("Authorization", ""))
    name = scope["service"] if scope else "sts"
    service = _SERVICES.get(name, name)
    target = headers.get("X-Amz-Target")
    if target:
        return Call(service, target.rpartition(".")[2], "json")
    action = dict(urllib.parse.parse_qsl(body.decode(errors="replace"))).get("Action")
    if action:
        return Call(service, action, "query")
    plain = urllib.parse.urlsplit(path).path.rstrip("/")
    fitting = (operation for verb, form, operation in _routes(service) if verb == method and form.fullmatch(plain))
    return Call(service, next(fitting, "Unknown"), "rest-json")


@cache
def _routes(service: str) -> Sequence[tuple[str, re.Pattern[str], str]]:
    model = Session().get_service_model(service)
    asked = ((name, model.operation_model(name).http) for name in model.operation_names)
    return [(http_["method"], _form(http_["requestUri"]), name) for name, http_ in asked]


def _form(uri: str) -> re.Pattern[str]:
    path = uri.partition("?")[0].rstrip("/")
    return re.compile(
        "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{.*?\})", path))
    )


class Answer(NamedTuple):
    """What the cloud answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Exchange(BaseHTTPRequestHandler):
    """One connection; for each request a fault, or the cloud's own answer."""

    protocol_version = "HTTP/1.1"
    server: "Proxy"  # type: ignore[assignment]
    call: Call
    body: bytes

    def _exchange(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.call = call_of(self.command, self.path, self.headers, self.body)
        fault = self.server.plan(self.call)
        self.server.calls.append((self.call.action, getattr(fault, "__name__", None)))
        (fault or relay)(self)

    do_GET = do_POST = do_PUT = do_DELETE = _exchange  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def forward(self) -> Answer:
        """The cloud's answer."""
        cloud = http.client.HTTPConnection(self.server.cloud, timeout=30)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
            cloud.request(self.command, self.path, self.body, headers)
            answer = cloud.getresponse()
            kept = [
                (name, value)
                for name, value in answer.getheaders()
                if name.lower() not in {"connection", "content-length"}
            ]
            return Answer(answer.status, kept, answer.read())
        finally:
            cloud.close()

    def send(self, answer: Answer, *, cut: int = 0) -> None:
        """Sends an answer; with `cut` the connection is lost so many bytes before its end."""
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[: len(answer.body) - cut])
        self.close_connection = bool(cut)

    def refuse(self, code: str, message: str, status: int = 400) -> None:
        """Sends an error of AWS as the protocol of the call has it."""
        self.send(Answer(status, *_refusal(self.call.protocol, code, message)))

    def drop(self) -> None:
        """Resets the connection."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DROPPED)
        self.rfile.close()  # it holds the socket open
        self.connection.close()
        self.close_connection = True


def _refusal(protocol: str, code: str, message: str) -> tuple[list[tuple[str, str]], bytes]:
    if protocol == "query":
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        return [("Content-Type", "text/xml")], f"<ErrorResponse>{error}</ErrorResponse>".encode()
    if protocol == "rest-json":
        headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", code)]
        return headers, json.dumps({"message": message}).encode()
    headers = [("Content-Type", "application/x-amz-json-1.1")]
    return headers, json.dumps({"__type": code, "message": message}).encode()


class Proxy(ThreadingHTTPServer):
    """Stands before the cloud at `endpoint_url` and asks `plan` what to do with each call; `calls` were made so far."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, endpoint_url: str, plan: Plan = lambda _: None) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.cloud = urllib.parse.urlsplit(endpoint_url).netloc
        self.plan = plan
        self.calls: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        """Its address, for `AWS_ENDPOINT_URL`."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """A client that went away is no error of ours."""


@contextmanager
def proxy_of(endpoint_url: str, plan: Plan = lambda _: None) -> Iterator[Proxy]:
    """A proxy that serves until the block ends."""
    with Proxy(endpoint_url, plan) as proxy:
        serving = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        serving.start()
        yield proxy
        proxy.shutdown()
        serving.join()


# What can become of a call


def relay(exchange: Exchange) -> None:
    """Nothing is wrong."""
    exchange.send(exchange.forward())


def throttled(exchange: Exchange) -> None:
    """Refused for its rate, in the words of its service."""
    code, status = _THROTTLING.get(exchange.call.service, ("ThrottlingException", 400))
    exchange.refuse(code, "Rate exceeded", status)


_THROTTLING = {"cloudwatch": ("Throttling", 400), "lambda": ("TooManyRequestsException", 429)}


def failed(exchange: Exchange) -> None:
    """The service failed itself, and did nothing."""
    exchange.refuse("InternalFailure", "We encountered an internal error. Please try again.", 500)


def failed_afterwards(exchange: Exchange) -> None:
    """The service did it, and a proxy on the way answers 503."""
    exchange.forward()
    exchange.send(Answer(503, [("Content-Type", "text/html")], b"<html>Service Unavailable</html>"))


def reset(exchange: Exchange) -> None:
    """The connection is reset before the service heard of it."""
    exchange.drop()


def reset_afterwards(exchange: Exchange) -> None:
    """The service did it, and the connection is reset before it could say so."""
    exchange.forward()
    exchange.drop()


def truncated(exchange: Exchange) -> None:
    """The connection is lost in the middle of the answer."""
    answer = exchange.forward()
    exchange.send(answer, cut=len(answer.body) // 2 + 1)


def half(exchange: Exchange) -> None:
    """Half an answer that claims to be whole."""
    answer = exchange.forward()
    exchange.send(answer._replace(body=answer.body[: len(answer.body) // 2]))


class Slow:
    """The answer takes `after_s` of wall time; beyond the client's patience nobody hears it any more."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self.__name__ = f"slow by {after_s:g} s"

    def __call__(self, exchange: Exchange) -> None:
        """Answers late."""
        answer = exchange.forward()
        time.sleep(self._after_s)
        exchange.send(answer)


class Silent:
    """No answer for `for_s` of wall time, then the connection is lost."""

    def __init__(self, for_s: float) -> None:
        self._for_s = for_s
        self.__name__ = f"silent for {for_s:g} s"

    def __call__(self, exchange: Exchange) -> None:
        """Never answers."""
        exchange.forward()
        time.sleep(self._for_s)
        exchange.drop()


def denied(exchange: Exchange) -> None:
    """Refused for want of a permission, in the words of its service."""
    code, status = _DENYING.get(exchange.call.service, ("AccessDeniedException", 400))
    action = exchange.call.action
    user = "arn:aws:sts::123456789012:assumed-role/ci/canary"
    exchange.refuse(code, f"User: {user} is not authorized to perform: {action} on resource: *", status)


_DENYING = {"cloudwatch": ("AccessDenied", 403), "lambda": ("AccessDeniedException", 403)}


def expired(exchange: Exchange) -> None:
    """Refused because the session's token has expired."""
    code, status = _EXPIRING.get(exchange.call.service, ("ExpiredTokenException", 400))
    exchange.refuse(code, "The security token included in the request is expired", status)


_EXPIRING = {"cloudwatch": ("ExpiredToken", 403), "lambda": ("ExpiredTokenException", 403)}


# Plans


def shaky(share: float, seed: int, *, speed: float = 1.0) -> Plan:
    """Fails a share of all calls, in every way; silences are as long as they would be at AWS, on a clock that fast."""
    ways: Sequence[Fault] = (
        throttled,
        failed,
        failed_afterwards,
        reset,
        reset_afterwards,
        truncated,
        half,
        Slow(3.0 / speed),
        Silent(4.0 / speed),
    )
    draws, lock = random.Random(seed), threading.Lock()

    def plan(_: Call) -> Fault | None:
        with lock:
            return draws.choice(ways) if draws.random() < share else None

    return plan


class Interruption:
    """Every call meets `fault` from `after_s` after the deployment's creation, for `for_s`, by a clock `speed` fast."""

    def __init__(self, fault: Fault, *, after_s: float, for_s: float, speed: float) -> None:
        self._fault = fault
        self._after_s, self._end_s = after_s, after_s + for_s
        self._speed = speed
        self._created: float | None = None

    def __call__(self, call: Call) -> Fault | None:
        """What becomes of a call."""
        if self._created is None:
            self._created = time.monotonic() if call.operation == "CreateDeployment" else None
            return None
        since_s = (time.monotonic() - self._created) * self._speed
        return self._fault if self._after_s <= since_s < self._end_s else None


def only(allowed: Collection[str]) -> Plan:
    """Denies every call whose IAM action is not allowed."""
    return lambda call: None if call.action in allowed else denied


def without(*actions: str) -> Plan:
    """Denies some IAM actions."""
    return lambda call: denied if call.action in actions else None
