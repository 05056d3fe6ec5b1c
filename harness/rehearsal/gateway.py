"""The data plane: answers as API Gateway does in front of a weighted Lambda alias.

Each request draws its version by the alias's weights. The bundled service runs in-process, everything else in threads
that wait for its execution environment; both leave Lambda's metrics behind, stamped with the simulated time at which
the request came in. What a client sees of each failure follows API Gateway's gateway responses.
"""

import asyncio
import base64
import functools
import logging
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from email.utils import formatdate
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from harness.core.experiment.gate import Gate, foreign_host
from harness.rehearsal import proxy, service
from harness.rehearsal.admission import Authorizer, Throttle, TokenBucket
from harness.rehearsal.clock import wall_limit_s
from harness.rehearsal.cloudwatch.api_requests import ApiMetrics, ApiName
from harness.rehearsal.cloudwatch.invocations import InvocationMetrics, Underway
from harness.rehearsal.functions.functions import Functions
from harness.rehearsal.functions.records import Code
from harness.rehearsal.planned import Plan
from harness.rehearsal.proxy import AdmittedRequest, GatewayAnswer, RawHeaders
from harness.rehearsal.refusal import Refusal
from harness.rehearsal.waiting import WaitingThreads

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
VersionHeader = Literal["all", "answers"]

log = logging.getLogger(__name__)

INTEGRATION_TIMEOUT_S = 29.0
LARGEST_BODY = 10 * 1024 * 1024
MOST_WAITING = 64
"""Threads that wait for the runs of one version: a version that hangs takes none of another's."""

ROUTES = {("GET", service.FAKE_USER): True, ("POST", service.FEATURE_TOGGLES): False}
"""Method and path without the stage, and whether the authorizer stands in front."""


class Api(Struct, frozen=True, kw_only=True):
    """How the API is set up.

    `name` is what its metrics call it, and its stage is where its routes are. `version_header` says which answers name
    the version that was invoked: `all` of them, or only `answers` that the function itself gave, as on AWS, where the
    gateway makes the 502. `takes_all` says that every other path is a route, too, without authorizer, as
    `ANY /{proxy+}` is: for services of one's own. `timeout_s` is
    the time for an answer; in it, and in the limits of user code, simulated time runs at `speed`.
    """

    function: str
    alias: str
    account: str
    region: str
    name: ApiName = ApiName("rehearsal", "rehearsal", "shared")
    version_header: VersionHeader = "all"
    throttle: Throttle | None = None
    takes_all: bool = False
    timeout_s: float = INTEGRATION_TIMEOUT_S
    speed: float = 1.0


class Refused(Exception):
    """The gateway answers by itself, without invoking a version; `at_stage` is false where the request reached none."""

    def __init__(self, answer: GatewayAnswer, *, at_stage: bool = True) -> None:
        super().__init__(answer.status)
        self.answer = answer
        self.at_stage = at_stage


class BundledVersion(NamedTuple):
    """What is derived once from the code of a bundled version; both times are wall time."""

    code: Code
    fail_ratio: float
    latency_s: float
    timeout_s: float


class Gateway:
    """The ASGI application; `now` is simulated time, `rng` decides which requests FAIL_RATIO hits.

    `plan` says what is known of the requests of a rehearsal: when they were due, and what is drawn for them.
    `injected` is the share of invocations that fault injection makes fail at this instant, 0..1. `gate` knows the names
    of this machine; clients may send any headers, browsers' too, under one of them.
    """

    def __init__(
        self,
        api: Api,
        versions: Functions,
        metrics: InvocationMetrics,
        requests: ApiMetrics,
        *,
        now: Callable[[], float],
        rng: random.Random,
        injected: Callable[[], float] = lambda: 0.0,
        gate: Gate = Gate(),  # noqa: B008
        plan: Plan | None = None,
    ) -> None:
        self._plan = plan
        self._lets_in = lru_cache(maxsize=16)(gate.lets_in)
        self._injected = injected
        self._api = api
        self._versions = versions
        self._metrics = metrics
        self._requests = requests
        self._now = now
        self._rng = rng
        self._ids = random.Random()
        self._routes = {(method, f"{api.name.path}{path}"): (path, own) for (method, path), own in ROUTES.items()}
        self._authorizer = Authorizer(service.principal, now)
        self._bucket = TokenBucket(api.throttle, now()) if api.throttle else None
        self._threads: defaultdict[str, WaitingThreads] = defaultdict(lambda: WaitingThreads(MOST_WAITING))
        self._running: set[asyncio.Task[GatewayAnswer]] = set()
        self._behaviours: dict[str, BundledVersion] = {}
        self._answer_headers: dict[str, RawHeaders] = {}

    def close(self) -> None:
        """Ends the threads without waiting for invocations that still run."""
        for threads in self._threads.values():
            threads.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request; those that reach a stage are counted."""
        request_id = _request_id(self._ids.getrandbits(128))
        received_s, chance = self._now(), self._rng.random
        begun, invoked = time.perf_counter(), None
        if self._plan and (planned := self._plan.of(scope, received_s)):
            received_s, chance = planned
        at_stage = True
        try:
            call = await self._admit(scope, receive, request_id, received_s, chance)
            invoked = time.perf_counter()
            answer = await self._invoke(call)
        except Refused as refused:
            answer, at_stage = refused.answer, refused.at_stage
        except Exception:
            # The outermost frame of a request: a bug of the gateway must answer as API Gateway would.
            log.exception("%s %s failed", scope["method"], scope["path"])
            answer = proxy.NOT_INVOKED
        if at_stage:
            self._count(received_s, answer, begun, invoked)
        headers = _framed(answer, request_id, _date(int(self._now())))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    def _count(self, received_s: float, answer: GatewayAnswer, begun: float, invoked: float | None) -> None:
        ended = time.perf_counter()
        integration_ms = None if invoked is None else (ended - invoked) * 1000
        self._requests.record(self._api.name, received_s, answer.status, (ended - begun) * 1000, integration_ms)

    async def _admit(
        self, scope: Scope, receive: Receive, request_id: str, received_s: float, chance: Callable[[], float]
    ) -> AdmittedRequest:
        host = _value(scope["headers"], b"host").decode("latin-1")
        if not self._lets_in(host):
            raise Refused(proxy.forbidden(foreign_host(host)), at_stage=False)
        route = self._routes.get((scope["method"], scope["path"])) or self._any_route(scope["path"])
        if route is None:
            raise self._no_route(scope["path"])
        if self._bucket and not self._bucket.admits(received_s):
            raise Refused(proxy.THROTTLED)
        path, has_authorizer = route
        headers = scope["headers"]
        return AdmittedRequest(
            method=scope["method"],
            path=path,
            query=scope["query_string"],
            headers=headers,
            body=b"" if scope["method"] == "GET" else await _body(headers, receive),
            principal=self._principal(headers) if has_authorizer else None,
            source_ip=scope["client"][0],
            request_id=request_id,
            received_s=received_s,
            chance=chance,
        )

    def _any_route(self, path: str) -> tuple[str, bool] | None:
        stage = self._api.name.path
        return (path.removeprefix(stage), False) if self._api.takes_all and path.startswith(f"{stage}/") else None

    def _no_route(self, path: str) -> Refused:
        at_stage = path.startswith(f"{self._api.name.path}/")
        return Refused(proxy.NO_ROUTE if at_stage else proxy.NO_STAGE, at_stage=at_stage)

    def _principal(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        token = _value(headers, b"authorization")
        if not token:
            raise Refused(proxy.UNAUTHORIZED)
        principal = self._authorizer.principal(token)
        if principal is None:
            raise Refused(proxy.ACCESS_DENIED)
        return principal

    async def _invoke(self, call: AdmittedRequest) -> GatewayAnswer:
        try:
            version = self._versions.draw(self._api.function, self._api.alias, call.chance(), call.received_s)
            code = self._versions.code(self._api.function, version)
        except Refusal:
            return proxy.NOT_INVOKED
        if (share := self._injected()) and call.chance() < share:
            self._metrics.record(self._api.function, self._api.alias, version, call.received_s, 0.0, failed=True)
            return self._from_gateway(proxy.BAD_GATEWAY, version)
        if code.kind != "bundled":
            limit_s = wall_limit_s(self._api.timeout_s, self._api.speed)
            return await self._in_time(self._run(call, version), version, limit_s)
        own = self._behaviour(version, code)
        if own.latency_s:
            return await self._in_time(self._in_slot(call, version, own), version, self._api.timeout_s)
        return await self._in_slot(call, version, own)

    async def _in_time(self, work: Coroutine[Any, Any, GatewayAnswer], version: str, limit_s: float) -> GatewayAnswer:
        """API Gateway stops waiting after `limit_s` of wall time, the invocation goes on."""
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        done, _ = await asyncio.wait({task}, timeout=limit_s)
        return task.result() if done else self._from_gateway(proxy.TIMED_OUT, version)

    async def _in_slot(self, call: AdmittedRequest, version: str, own: BundledVersion) -> GatewayAnswer:
        function, alias = self._api.function, self._api.alias
        try:
            underway = self._versions.take_slot(function, alias, version)
        except Refusal:
            return proxy.NOT_INVOKED
        try:
            return await self._bundled(call, version, own, underway)
        finally:
            self._versions.free_slot(function, alias, version)

    async def _bundled(
        self, call: AdmittedRequest, version: str, own: BundledVersion, underway: Underway
    ) -> GatewayAnswer:
        begun = time.perf_counter()
        if own.latency_s:
            await asyncio.sleep(min(own.latency_s, own.timeout_s))
        response = self._response(call, own)
        duration_ms = (time.perf_counter() - begun) * 1000
        function, alias = self._api.function, self._api.alias
        self._metrics.record(
            function, alias, version, call.received_s, duration_ms, failed=response is None, underway=underway
        )
        if response is None:
            return self._from_gateway(proxy.BAD_GATEWAY, version)
        return GatewayAnswer(response.status, self._headers(version), response.body)

    def _response(self, call: AdmittedRequest, own: BundledVersion) -> service.ServiceResponse | None:
        """The service's answer, None where it throws or does not come to an end in time."""
        if own.latency_s > own.timeout_s or call.chance() < own.fail_ratio:
            return None
        client_version = _value(call.headers, b"x-client-version").decode("latin-1")
        try:
            return service.answer(service.ServiceRequest(call.path, call.principal or "", client_version, call.body))
        except service.ServiceFailure:
            return None

    async def _run(self, call: AdmittedRequest, version: str) -> GatewayAnswer:
        event = proxy.event(call, api=self._api.name, account=self._api.account, region=self._api.region)
        api = self._api
        run = functools.partial(self._versions.run, api.function, version, event, alias=api.alias, speed=api.speed)
        try:
            invocation = await asyncio.wrap_future(self._threads[version].submit(run))
        except Refusal:
            return proxy.NOT_INVOKED
        if invocation.error:
            return self._from_gateway(proxy.BAD_GATEWAY, version)
        try:
            answer = proxy.parse(invocation.payload)
        except proxy.MalformedAnswer:
            return self._from_gateway(proxy.BAD_GATEWAY, version)
        return answer._replace(headers=[*answer.headers, _version_header(version)])

    def _behaviour(self, version: str, code: Code) -> BundledVersion:
        known = self._behaviours.get(version)
        if known is None or known.code is not code:
            known = self._behaviours[version] = _behaviour(code)
        return known

    def _headers(self, version: str) -> RawHeaders:
        """Kept for each version, because every answer of the bundled service has the same."""
        headers = self._answer_headers.get(version)
        if headers is None:
            headers = [(b"content-type", b"application/json"), _version_header(version)]
            self._answer_headers[version] = headers
        return headers

    def _from_gateway(self, answer: GatewayAnswer, version: str) -> GatewayAnswer:
        """An answer that the gateway makes although a version was invoked."""
        if self._api.version_header == "answers":
            return answer
        return answer._replace(headers=[*answer.headers, _version_header(version)])


def _behaviour(code: Code) -> BundledVersion:
    try:
        own = service.behaviour(code.environment)
    except service.BadEnvironment:
        # The function would throw while it starts: every invocation fails.
        own = service.Behaviour(fail_ratio=1.0)
    return BundledVersion(code, own.fail_ratio, own.latency_s, code.timeout_s)


def _version_header(version: str) -> tuple[bytes, bytes]:
    return b"x-lambda-version", version.encode()


def _value(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> bytes:
    for name, value in headers:
        if name == wanted:
            return value
    return b""


async def _body(headers: Iterable[tuple[bytes, bytes]], receive: Receive) -> bytes:
    if int(_value(headers, b"content-length") or 0) > LARGEST_BODY:
        raise Refused(proxy.TOO_LARGE)
    chunks = bytearray()
    while True:
        message = await receive()
        chunks += message.get("body", b"")
        if len(chunks) > LARGEST_BODY:
            raise Refused(proxy.TOO_LARGE)
        if not message.get("more_body", False):
            return bytes(chunks)


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
        (b"x-amz-apigw-id", base64.b64encode(request_id[:11].encode())),
    ]
    if answer.status not in proxy.BODILESS:
        framed.append((b"content-length", b"%d" % len(answer.body)))
    return framed
