"""Answers at function URLs, each a name of its own at the port of the gateway, which answers all other names."""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from email.utils import formatdate
from typing import Any, Protocol
from uuid import uuid4

from msgspec.structs import replace

from harness.core.experiment.gate import Gate
from harness.rehearsal import format_2
from harness.rehearsal.format_2 import FormattedRequest
from harness.rehearsal.functions.function_urls import UrlTarget
from harness.rehearsal.functions.functions import Functions
from harness.rehearsal.gateway import BODY_WITHIN_S, GONE
from harness.rehearsal.proxy import BODILESS, GatewayAnswer, MalformedAnswer, RawHeaders
from harness.rehearsal.refusal import Refusal
from harness.rehearsal.waiting import WaitingThreads

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LARGEST_BODY = 6 * 1024 * 1024
MOST_WAITING = 64
_LABEL = b".lambda-url."
"""Stands in the name of every function URL."""

log = logging.getLogger(__name__)


def _own(status: int, body: bytes) -> GatewayAnswer:
    return GatewayAnswer(status, [(b"content-type", b"application/json")], body)


# Bodies as AWS was seen to send them; what it says of too large a body is an assumption.
FORBIDDEN = _own(403, b'{"Message":"Forbidden"}')
NO_URL = _own(404, b'{"Message":null}')
BAD_REQUEST = _own(400, b'{"Message":"Bad Request"}')
TOO_LARGE = _own(413, b'{"Message":"Request Entity Too Large"}')
THROTTLED = _own(429, b'{"Message":"Rate Exceeded."}')
FAILED = _own(502, b"Internal Server Error")


class BrokenOff(Exception):
    """A client stopped in the middle of its body."""


class OtherNames(Protocol):
    """The application that answers under all other names."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request."""

    def close(self) -> None:
        """Ends its threads."""


class UrlGateway:
    """The ASGI application of all function URLs; `others` answers what is not for one.

    `gate` knows the names of this machine: no foreign page may give one of its own the beginning of a URL.
    """

    def __init__(
        self, functions: Functions, others: OtherNames, *, now: Callable[[], float], speed: float, gate: Gate
    ) -> None:
        self._gate = gate
        self._functions = functions
        self._others = others
        self._now = now
        self._speed = speed
        self._threads = WaitingThreads(MOST_WAITING)

    def close(self) -> None:
        """Ends the threads without waiting for invocations that still run."""
        self._threads.close()
        self._others.close()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answers one HTTP request; plain, and with a plain loop, since every request of the gateway passes here."""
        host = b""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
                break
        if _LABEL in host:
            return self._answer_at(host.decode("latin-1").rsplit(":", 1)[0], scope, receive, send)
        return self._others(scope, receive, send)

    async def _answer_at(self, domain: str, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = str(uuid4())
        try:
            answer = await self._answer(scope, receive, domain, request_id)
        except BrokenOff:
            answer = BAD_REQUEST
        except Exception:
            # The outermost frame of a request: a bug of ours must answer as AWS would.
            log.exception("%s %s failed", scope["method"], scope["path"])
            answer = FAILED
        framed = [(b"date", formatdate(self._now(), usegmt=True).encode()), *answer.headers]
        framed.append((b"x-amzn-requestid", request_id.encode()))
        if answer.status not in BODILESS:
            framed.append((b"content-length", b"%d" % len(answer.body)))
        await send({"type": "http.response.start", "status": answer.status, "headers": framed})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})

    async def _answer(self, scope: Scope, receive: Receive, domain: str, request_id: str) -> GatewayAnswer:
        url_id, headers = domain.partition(".")[0], format_2.by_name(scope["headers"])
        if not self._gate.lets_in(domain):
            return FORBIDDEN
        target = self._functions.url_target(url_id)
        if target is None:
            return NO_URL
        if target.cors and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            return GatewayAnswer(200, _allowed(target.cors, headers), b"")
        if target.signed and "authorization" not in headers:
            return FORBIDDEN
        body = await _body(receive)
        if body is None:
            return TOO_LARGE
        call = FormattedRequest(
            api_id=url_id,
            domain=domain,
            method=scope["method"],
            path=scope.get("raw_path", scope["path"].encode()).decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=body,
            source_ip=scope["client"][0],
            request_id=request_id,
            received_s=self._now(),
        )
        return _with_cors(await self._invoke(target, call), target, headers)

    async def _invoke(self, target: UrlTarget, call: FormattedRequest) -> GatewayAnswer:
        event, at_s = format_2.event(call), call.received_s
        run = functools.partial(self._functions.run_at_url, target, event, speed=self._speed, at_s=at_s)
        try:
            done = await asyncio.wrap_future(self._threads.submit(run))
            return FAILED if done.error else format_2.parse(done.payload)
        except Refusal as refusal:
            return THROTTLED if refusal.code == "TooManyRequestsException" else FAILED
        except MalformedAnswer:
            return FAILED


async def _body(receive: Receive) -> bytes | None:
    """All of it; None where it is too large. Raises BrokenOff where it does not become whole."""
    chunks = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            while len(chunks) <= LARGEST_BODY:
                message = await receive()
                if message["type"] == GONE:
                    raise BrokenOff
                chunks += message.get("body", b"")
                if not message.get("more_body", False):
                    return bytes(chunks) if len(chunks) <= LARGEST_BODY else None
    except TimeoutError:
        raise BrokenOff from None
    return None


def _with_cors(answer: GatewayAnswer, target: UrlTarget, headers: Mapping[str, str]) -> GatewayAnswer:
    """The answer with the headers that the URL's own settings ask for, in the place of the function's."""
    if not target.cors:
        return answer
    kept = [pair for pair in answer.headers if not pair[0].lower().startswith(b"access-control-")]
    return replace(answer, headers=[*kept, *_allowed(target.cors, headers)])


def _allowed(cors: Mapping[str, Any], headers: Mapping[str, str]) -> RawHeaders:
    """What a page of another origin may do; nothing for an origin that is not allowed."""
    origin, origins = headers.get("origin"), cors.get("AllowOrigins") or []
    if origin is None or not ("*" in origins or origin in origins):
        return []
    credentials = bool(cors.get("AllowCredentials"))
    listed = {"Expose-Headers": cors.get("ExposeHeaders")}
    if "access-control-request-method" in headers:
        listed |= {"Allow-Methods": cors.get("AllowMethods"), "Allow-Headers": cors.get("AllowHeaders")}
    allowed = {"Allow-Origin": "*" if "*" in origins and not credentials else origin}
    allowed |= {name: ",".join(values) for name, values in listed.items() if values}
    if credentials:
        allowed["Allow-Credentials"] = "true"
    if "Allow-Methods" in allowed and cors.get("MaxAge"):
        allowed["Max-Age"] = str(cors["MaxAge"])
    return [(f"access-control-{name}".lower().encode(), value.encode("latin-1")) for name, value in allowed.items()]
