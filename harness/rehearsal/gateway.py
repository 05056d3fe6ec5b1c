"""The data plane: answers as API Gateway does in front of Lambda functions and their weighted aliases.

A request finds its stage by its path, and there its route; what stands in front of the route admits it, and
`apis/integrations.py` invokes the function. What a client sees of each failure follows API Gateway's gateway responses.
"""

import asyncio
import binascii
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from harness.core.experiment.gate import Gate, foreign_host
from harness.rehearsal import proxy
from harness.rehearsal.admission import Refused, value_of
from harness.rehearsal.apis.integrations import Integrations
from harness.rehearsal.apis.routes import Integration, Matched
from harness.rehearsal.apis.stages import Found, Stage, Stages
from harness.rehearsal.cloudwatch.api_requests import ApiMetrics
from harness.rehearsal.planned import Plan
from harness.rehearsal.proxy import ApiRequest, GatewayAnswer, RawHeaders

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = logging.getLogger(__name__)

LARGEST_BODY = 10 * 1024 * 1024
BODY_WITHIN_S = 30.0
"""Wall time in which a body must be whole; one that breaks off runs no version (assumption: it is a bad request)."""
GONE = "http.disconnect"
"""What ASGI says of a client that has hung up."""


class Arrival(Struct, frozen=True):
    """When a request came in or was due, in simulated time; when it came by the wall clock's counter; its draws."""

    received_s: float
    begun: float
    chance: Callable[[], float]


class Gateway:
    """The ASGI application; `now` is simulated time.

    `plan` says what is known of the requests of a rehearsal: when they were due, and what is drawn for them; for others
    `rng` draws. `gate` knows the names of this machine; clients may send any headers, browsers' too, under one of them.
    """

    def __init__(
        self,
        stages: Stages,
        integrations: Integrations,
        requests: ApiMetrics,
        *,
        now: Callable[[], float],
        rng: random.Random,
        gate: Gate = Gate(),  # noqa: B008
        plan: Plan | None = None,
    ) -> None:
        self._plan = plan
        self._lets_in = lru_cache(maxsize=16)(gate.lets_in)
        self._stages = stages
        self._integrations = integrations
        self._requests = requests
        self._now = now
        self._rng = rng
        self._ids = random.Random()

    def close(self) -> None:
        """Ends the threads without waiting for invocations that still run."""
        self._integrations.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request; those that reach a stage are counted."""
        request_id = _request_id(self._ids.getrandbits(128))
        answer = await self._answer(scope, receive, request_id)
        headers = _framed(answer, request_id, _date(int(self._now())))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive, request_id: str) -> GatewayAnswer:
        arrival = self._arrival(scope)
        host = value_of(scope["headers"], b"host").decode("latin-1")
        if not self._lets_in(host) and not self._stages.is_named(host):
            return proxy.no_stage(foreign_host(host))
        found = self._stages.find(host, scope["path"])
        if found is None:
            return proxy.no_stage()
        stage, invoked = found.stage, None
        try:
            matched = _matched(scope["method"], found, arrival.received_s)
            body = b"" if scope["method"] == "GET" else await _body(scope["headers"], receive)
            call, route = _call(scope, body, request_id, arrival, found, matched), matched.route
            if route.authorizer:
                call = replace(call, authorizer=await route.authorizer.admit(call))
            if route.checks:
                route.checks.check(call)
            to = route.integration
            if isinstance(to, Integration):
                invoked = time.perf_counter()
                answer = await self._integrations.invoke(stage, to, call)
            else:
                answer = to.answer
        except Refused as refused:
            answer = stage.answers.of(refused.occasion, refused.text)
        except Exception:
            # The outermost frame of a request: a bug of the gateway must answer as API Gateway would.
            log.exception("%s %s failed", scope["method"], scope["path"])
            answer = stage.answers.of("not_invoked")
        self._count(stage, arrival, answer, invoked)
        return answer

    def _arrival(self, scope: Scope) -> Arrival:
        """What is known of a request; one that was planned came when it was due."""
        received_s, begun, chance = self._now(), time.perf_counter(), self._rng.random
        if self._plan and (planned := self._plan.of(scope, received_s)):
            received_s, chance = planned
        return Arrival(received_s, begun, chance)

    def _count(self, stage: Stage, arrival: Arrival, answer: GatewayAnswer, invoked: float | None) -> None:
        ended = time.perf_counter()
        integration_ms = None if invoked is None else (ended - invoked) * 1000
        latency_ms = (ended - arrival.begun) * 1000
        self._requests.record(stage.name, arrival.received_s, answer.status, latency_ms, integration_ms)


def _matched(method: str, found: Found, now_s: float) -> Matched:
    """The route of a request that the stage's throttle admits."""
    matched = found.stage.routes.match(method, found.path)
    if matched is None:
        raise Refused("no_route")
    if found.stage.bucket and not found.stage.bucket.admits(now_s):
        raise Refused("throttled")
    return matched


def _call(scope: Scope, body: bytes, request_id: str, arrival: Arrival, found: Found, matched: Matched) -> ApiRequest:
    """The request once it is read; nobody has admitted it yet."""
    return ApiRequest(
        method=scope["method"],
        path=found.path,
        resource=matched.route.path,
        route_key=matched.route.key,
        parameters=matched.parameters,
        query=scope["query_string"],
        headers=scope["headers"],
        body=body,
        authorizer=None,
        source_ip=scope["client"][0],
        request_id=request_id,
        received_s=arrival.received_s,
        chance=arrival.chance,
    )


async def _body(headers: Iterable[tuple[bytes, bytes]], receive: Receive) -> bytes:
    if int(value_of(headers, b"content-length") or 0) > LARGEST_BODY:
        raise Refused("too_large")
    chunks = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            while True:
                message = await receive()
                chunks += message.get("body", b"")
                if len(chunks) > LARGEST_BODY:
                    raise Refused("too_large")
                if message["type"] == GONE:
                    raise Refused("bad_body")
                if not message.get("more_body", False):
                    return bytes(chunks)
    except TimeoutError:
        raise Refused("bad_body") from None


def _request_id(bits: int) -> str:
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@lru_cache(maxsize=4)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()


def _framed(answer: GatewayAnswer, request_id: str, date: bytes) -> RawHeaders:
    framed = [
        (b"date", date),
        *answer.headers,
        (b"x-amzn-requestid", request_id.encode()),
        (b"x-amz-apigw-id", binascii.b2a_base64(request_id[:11].encode(), newline=False)),
    ]
    if answer.status not in proxy.BODILESS:
        framed.append((b"content-length", b"%d" % len(answer.body)))
    return framed
