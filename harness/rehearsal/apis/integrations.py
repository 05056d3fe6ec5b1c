"""From a route to a version of its function: draws one by the alias's weights, runs it, and makes an answer of it.

The bundled service runs in-process, everything else in threads that wait for its execution environment; both leave
Lambda's metrics behind, stamped with the simulated time at which the request came in.
"""

import asyncio
import functools
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from harness.rehearsal import format_2, proxy, service
from harness.rehearsal.admission import value_of
from harness.rehearsal.apis.routes import Integration
from harness.rehearsal.apis.stages import Stage
from harness.rehearsal.apis.version_header import VersionHeader
from harness.rehearsal.clock import wall_limit_s
from harness.rehearsal.cloudwatch.invocations import InvocationMetrics, Underway
from harness.rehearsal.functions.engines import Invocation
from harness.rehearsal.functions.functions import Functions
from harness.rehearsal.functions.records import Code
from harness.rehearsal.proxy import ApiRequest, GatewayAnswer, RawHeaders
from harness.rehearsal.refusal import Refusal
from harness.rehearsal.waiting import WaitingThreads

MOST_WAITING = 64
"""Threads that wait for the runs of one version: a version that hangs takes none of another's."""


class Running(Struct, frozen=True, kw_only=True):
    """How functions run.

    `version_header` says which answers name the version that was invoked: `all` of them; only `answers` that the
    function itself gave, as on AWS, where the gateway makes the 502; or `none`, as on AWS where the function names
    none. In limits of the gateway and of user code simulated time runs at `speed`.
    """

    version_header: VersionHeader = "all"
    speed: float = 1.0


class Shapes(NamedTuple):
    """How a version of the payload format makes an event, and an answer of what a function returns."""

    event: Callable[..., bytes]
    parse: Callable[[bytes], GatewayAnswer]


_SHAPES = {"1.0": Shapes(proxy.event, proxy.parse), "2.0": Shapes(format_2.event_of_api, format_2.parse)}


class BundledVersion(NamedTuple):
    """What is derived once from the code of a bundled version; both times are wall time."""

    code: Code
    fail_ratio: float
    latency_s: float
    upstream_fail_ratio: float
    timeout_s: float


class Integrations:
    """Invokes functions for requests that were admitted.

    `injected` is the share of a function's invocations that fault injection makes fail at this instant, 0..1.
    """

    def __init__(
        self,
        running: Running,
        versions: Functions,
        metrics: InvocationMetrics,
        *,
        injected: Callable[[str], float],
    ) -> None:
        self._running = running
        self._versions = versions
        self._metrics = metrics
        self._injected = injected
        self._threads: defaultdict[tuple[str, str], WaitingThreads] = defaultdict(lambda: WaitingThreads(MOST_WAITING))
        self._tasks: set[asyncio.Task[GatewayAnswer]] = set()
        self._behaviours: dict[tuple[str, str], BundledVersion] = {}
        self._answer_headers: dict[str, RawHeaders] = {}

    def close(self) -> None:
        """Ends the threads without waiting for invocations that still run."""
        for threads in self._threads.values():
            threads.close()

    async def invoke(self, stage: Stage, to: Integration, call: ApiRequest) -> GatewayAnswer:
        """The answer to a request of an API, whatever becomes of the function."""
        try:
            version = self._versions.draw(to.function, to.qualifier, call.chance(), call.received_s)
            code = self._versions.code(to.function, version)
        except Refusal:
            return stage.answers.of("not_invoked")
        if (share := self._injected(to.function)) and call.chance() < share:
            self._metrics.record(to.function, to.alias, version, call.received_s, 0.0, failed=True)
            return self._from_gateway(stage.answers.of("bad_gateway"), version)
        if code.kind != "bundled":
            limit_s = wall_limit_s(to.timeout_s, self._running.speed)
            return await self._in_time(stage, self._run(stage, to, call, version), version, limit_s)
        own = self._behaviour(to.function, version, code)
        try:
            underway = self._versions.take_slot(to.function, to.alias, version, call.received_s)
        except Refusal:
            return stage.answers.of("not_invoked")
        if own.latency_s:
            late = self._late(stage, to, call, version, own, underway)
            return await self._in_time(stage, late, version, to.timeout_s)
        return self._at_once(stage, to, call, version, own, underway)

    async def _in_time(
        self, stage: Stage, work: Coroutine[Any, Any, GatewayAnswer], version: str, limit_s: float
    ) -> GatewayAnswer:
        """API Gateway stops waiting after `limit_s` of wall time, the invocation goes on."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        done, _ = await asyncio.wait({task}, timeout=limit_s)
        return task.result() if done else self._from_gateway(stage.answers.of("timed_out"), version)

    async def _late(
        self, stage: Stage, to: Integration, call: ApiRequest, version: str, own: BundledVersion, underway: Underway
    ) -> GatewayAnswer:
        """The answer after the time that it takes; it counts at once, since it is known.

        A second of wall time is a minute where time is compressed: what counted only at its end would be missing when
        an alarm judges its minute, as it is not on AWS.
        """
        took_s = min(own.latency_s, own.timeout_s)
        try:
            answer = self._bundled(stage, to, call, version, own, underway, time.perf_counter() - took_s)
            await asyncio.sleep(took_s)
        finally:
            self._versions.free_slot(to.function, to.alias, version)
        return answer

    def _at_once(
        self, stage: Stage, to: Integration, call: ApiRequest, version: str, own: BundledVersion, underway: Underway
    ) -> GatewayAnswer:
        try:
            return self._bundled(stage, to, call, version, own, underway, time.perf_counter())
        finally:
            self._versions.free_slot(to.function, to.alias, version)

    def _bundled(
        self,
        stage: Stage,
        to: Integration,
        call: ApiRequest,
        version: str,
        own: BundledVersion,
        underway: Underway,
        begun: float,
    ) -> GatewayAnswer:
        """The answer of a bundled version that has a slot; plain, since most requests of a rehearsal pass here."""
        response = self._response(call, own)
        duration_ms = (time.perf_counter() - begun) * 1000
        self._metrics.record(
            to.function, to.alias, version, call.received_s, duration_ms, failed=response is None, underway=underway
        )
        if response is None:
            return self._from_gateway(stage.answers.of("bad_gateway"), version)
        return GatewayAnswer(response.status, self._headers(version), response.body)

    def _response(self, call: ApiRequest, own: BundledVersion) -> service.ServiceResponse | None:
        """The service's answer, None where it throws or does not come to an end in time."""
        if own.latency_s > own.timeout_s or call.chance() < own.fail_ratio:
            return None
        user, client_version = (
            value_of(call.headers, name).decode("latin-1") for name in (b"authorization", b"x-client-version")
        )
        user = str((call.authorizer or {}).get("principalId") or user)
        fails = bool(own.upstream_fail_ratio) and call.chance() < own.upstream_fail_ratio
        try:
            return service.answer(service.ServiceRequest(call.path, user, client_version, call.body, fails))
        except service.ServiceFailure:
            return None

    async def run(self, to: Integration, event: bytes, call: ApiRequest) -> Invocation:
        """Invokes a function that is asked about a request, as an authorizer is; raises `Refusal`."""
        version = self._versions.draw(to.function, to.qualifier, call.chance(), call.received_s)
        return await self._waited(to, version, event, call.received_s)

    async def _waited(self, to: Integration, version: str, event: bytes, at_s: float) -> Invocation:
        speed = self._running.speed
        run = functools.partial(self._versions.run, to.function, version, event, alias=to.alias, speed=speed, at_s=at_s)
        return await asyncio.wrap_future(self._threads[to.function, version].submit(run))

    async def _run(self, stage: Stage, to: Integration, call: ApiRequest, version: str) -> GatewayAnswer:
        shapes = _SHAPES[to.payload]
        try:
            event = shapes.event(call, home=stage.home)
            invocation = await self._waited(to, version, event, call.received_s)
        except Refusal:
            return stage.answers.of("not_invoked")
        if invocation.error:
            return self._from_gateway(stage.answers.of("bad_gateway"), version)
        try:
            answer = shapes.parse(invocation.payload)
        except proxy.MalformedAnswer:
            return self._from_gateway(stage.answers.of("bad_gateway"), version)
        return answer if self._running.version_header == "none" else _naming(answer, version)

    def _behaviour(self, function: str, version: str, code: Code) -> BundledVersion:
        known = self._behaviours.get((function, version))
        if known is None or known.code is not code:
            known = self._behaviours[function, version] = _behaviour(code)
        return known

    def _headers(self, version: str) -> RawHeaders:
        """Kept for each version, because every answer of the bundled service has the same."""
        headers = self._answer_headers.get(version)
        if headers is None:
            headers = [(b"content-type", b"application/json")]
            if self._running.version_header != "none":
                headers.append(_version_header(version))
            self._answer_headers[version] = headers
        return headers

    def _from_gateway(self, answer: GatewayAnswer, version: str) -> GatewayAnswer:
        """An answer that the gateway makes although a version was invoked."""
        return _naming(answer, version) if self._running.version_header == "all" else answer


def _behaviour(code: Code) -> BundledVersion:
    try:
        own = service.behaviour(code.environment)
    except service.BadEnvironment:
        # The function would throw while it starts: every invocation fails.
        own = service.Behaviour(fail_ratio=1.0)
    return BundledVersion(code, own.fail_ratio, own.latency_s, own.upstream_fail_ratio, code.timeout_s)


def _naming(answer: GatewayAnswer, version: str) -> GatewayAnswer:
    """The answer with the version that gave it, whatever it says of that itself."""
    kept = [(name, value) for name, value in answer.headers if name.lower() != _VERSION_HEADER]
    return replace(answer, headers=[*kept, _version_header(version)])


_VERSION_HEADER = b"x-lambda-version"


def _version_header(version: str) -> tuple[bytes, bytes]:
    return _VERSION_HEADER, version.encode()
