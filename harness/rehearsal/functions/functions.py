"""The Lambda service of the local cloud: its operations over the wire, and what the cloud's other parts call."""

import base64
import json
import logging
import random
import threading
from collections.abc import Callable, Mapping
from uuid import uuid4

from msgspec.structs import replace

from harness.rehearsal.clock import Schedule
from harness.rehearsal.cloudwatch.invocations import InvocationMetrics, Underway
from harness.rehearsal.functions.access import AccessOperations
from harness.rehearsal.functions.aliases import AliasOperations
from harness.rehearsal.functions.bundled import Bundled
from harness.rehearsal.functions.concurrency import TooManyRequests
from harness.rehearsal.functions.engines import Engine, Invocation, RunRequest, invocation
from harness.rehearsal.functions.event_invokes import EventInvokeOperations
from harness.rehearsal.functions.function_urls import UrlOperations, UrlTarget
from harness.rehearsal.functions.logs import Logs
from harness.rehearsal.functions.names import LATEST, FunctionName, invalid_value, is_version
from harness.rehearsal.functions.own_code import OwnCode, variables
from harness.rehearsal.functions.provisioned import ProvisionedOperations
from harness.rehearsal.functions.records import Code, EngineKind
from harness.rehearsal.functions.registry import SETTLES_IN_S, new_revision
from harness.rehearsal.functions.routing import AliasState
from harness.rehearsal.functions.url import Url
from harness.rehearsal.functions.versions import VersionOperations
from harness.rehearsal.kept import Kept
from harness.rehearsal.operations import Answer, Params, unlocked_operation
from harness.rehearsal.refusal import Refusal

EVENT_LIMITS = {"RequestResponse": 6_291_456, "Event": 1_048_576, "DryRun": 6_291_456}
"""Bytes that a payload may have, by invocation type (Lambda quotas)."""
RETRY_AFTER_S = (60.0, 120.0)
"""Experiment seconds before the two retries of a failed asynchronous invocation (Lambda developer guide)."""

_PENDING = "The operation cannot be performed at this time. The function is currently in the following state: Pending"
_CUT = (
    "A run of version %s of %s was ended after %g s of wall time, which stand for its timeout of %g s at speed %g. "
    "Code that is slow and does not hang needs a lower --speed."
)

log = logging.getLogger(__name__)


class Functions(
    VersionOperations, AliasOperations, AccessOperations, UrlOperations, EventInvokeOperations, ProvisionedOperations
):
    """Lambda. Operations are methods in snake case with AWS's parameters; the rest is for the cloud itself.

    `endpoint_url` is where user code finds this cloud; environments that start before it is set do not know it.
    `settles_in_s` is how long a function that was created or updated is not ready, in which it takes no other change.
    """

    def __init__(
        self,
        schedule: Schedule,
        invocations: InvocationMetrics,
        *,
        rng: random.Random,
        account: str,
        region: str,
        settles_in_s: float = SETTLES_IN_S,
    ) -> None:
        self.endpoint_url = ""
        self._cut: set[str] = set()
        self._invocations = invocations
        self._rng = rng
        self.logs = Logs(Kept(account, region))
        self._own_code = OwnCode(lambda code: variables(code, region, self.endpoint_url))
        engines: dict[EngineKind, Engine] = {
            "bundled": Bundled(),
            "python": self._own_code,
            "node": self._own_code,
            "url": Url(),
        }
        super().__init__(schedule, engines, account=account, region=region, settles_in_s=settles_in_s)

    @unlocked_operation
    def invoke(self, params: Params) -> Answer:
        """Invoke: runs a version, or the one that an alias draws, and waits for it unless the type is Event."""
        name, event = self._asked(params), params.get("Payload") or b"{}"
        kind = params.get("InvocationType") or "RequestResponse"
        code = self._drawn(name)
        _check_event(event, kind)
        if kind == "DryRun":
            return {"StatusCode": 204, "Payload": b""}
        if kind == "Event":
            self._start_event(name, event, attempt=0)
            return {"StatusCode": 202, "Payload": b""}
        return _answer(self._run(code, event, _alias_of(name)), params)

    def alias_state(self, function: str, alias: str) -> AliasState:
        """The version and weights of an alias; raises `Refusal` where it does not exist."""
        known = self._alias(self._function(function), alias)
        return AliasState(known.version, dict(known.weights))

    def has_version(self, function: str, version: str) -> bool:
        """Whether the function exists and has the version."""
        known = self._functions.get(function)
        return known is not None and (version == LATEST or version in known.versions)

    def shift(self, function: str, alias: str, version: str, weights: Mapping[str, float]) -> None:
        """Points an alias to `version` and gives `weights` to others, as CodeDeploy does by UpdateAlias."""
        owner = self._function(function)
        known = self._alias(owner, alias)
        self._set_alias(owner, replace(known, version=version, weights=dict(weights), revision_id=new_revision()))

    def draw(self, function: str, qualifier: str | None, chance: float | None = None, at_s: float | None = None) -> str:
        """One version by the weights of an alias, independently of all other draws; takes no lock.

        A version is drawn as it is, and without a qualifier $LATEST. `chance` is what was drawn for the run already,
        and `at_s` when it was due.
        """
        if qualifier is None or is_version(qualifier):
            return qualifier or LATEST
        try:
            return self._routes[function, qualifier].draw(self._rng.random() if chance is None else chance, at_s)
        except KeyError:
            raise self._not_found(function, qualifier) from None

    def code(self, function: str, version: str) -> Code:
        """The frozen version; the same object for as long as the version does not change."""
        return self._version(self._function(function), version).code

    def run(
        self,
        function: str,
        version: str,
        event: bytes,
        *,
        alias: str | None,
        speed: float = 1.0,
        at_s: float | None = None,
    ) -> Invocation:
        """Runs a version and counts it; blocks. Raises `Refusal` where reserved concurrency does not admit the run.

        Its time limits run out `speed` times as fast as wall time. It counts at `at_s`, when it was asked for, however
        late a loaded machine begins it; by default now.
        """
        return self._run(self.code(function, version), event, alias, speed, at_s)

    def run_at_url(
        self, target: UrlTarget, event: bytes, *, speed: float = 1.0, at_s: float | None = None
    ) -> Invocation:
        """Runs what a function URL stands for, as `run` does."""
        return self._run(self._drawn(target.name), event, _alias_of(target.name), speed, at_s)

    def warm(self, function: str, version: str) -> str | None:
        """Makes a version ready for its first run; why each run will fail, None where none need fail.

        Raises `CloudError` where there is nothing to run.
        """
        code = self.code(function, version)
        return self._engines[code.kind].warm(code)

    def begin_to_warm(self, function: str, version: str) -> Callable[[], bool]:
        """Has environments of a version start ahead of its first run, where time is compressed; whether they still do.

        A start takes as long here as on AWS, but at 60 times the speed 60 times as many requests come meanwhile and
        wait for one, which would make each new version look slow. On a clock of AWS's pace its first runs wait for
        their start, as they do there.
        """
        code = self.code(function, version)
        start = threading.Thread(target=self._own_code.fill, args=(code,), name="warm", daemon=True)
        if self._schedule.clock.speed > 1 and code.kind in ("python", "node"):
            start.start()
        return start.is_alive

    def take_slot(self, function: str, alias: str | None, version: str, at_s: float) -> Underway:
        """Takes one of the function's concurrent runs; where none is free counts a throttle and raises `Refusal`."""
        try:
            return self._function(function).slots.take(alias, version)
        except TooManyRequests:
            self._invocations.record_throttle(function, alias, at_s)
            raise

    def free_slot(self, function: str, alias: str | None, version: str) -> None:
        """Gives it back."""
        if known := self._functions.get(function):
            known.slots.free(alias, version)

    def pids(self) -> list[int]:
        """The processes that run user code now."""
        return self._own_code.pids()

    def close(self) -> None:
        """Ends every process and removes every file; may be called twice."""
        for engine in self._engines.values():
            engine.close()
        self._packages.close()

    def _run(
        self, code: Code, event: bytes, alias: str | None, speed: float = 1.0, at_s: float | None = None
    ) -> Invocation:
        arn = self._address.arn(code.function, alias or _own(code))
        request = RunRequest(id=str(uuid4()), arn=arn, event=event, speed=speed)
        started_s = self._schedule.clock.now() if at_s is None else at_s
        underway = self.take_slot(code.function, alias, code.version, started_s)
        try:
            done = invocation(code, request, self._engines[code.kind].run(code, request))
        finally:
            self.free_slot(code.function, alias, code.version)
        failed = done.error is not None
        if failed and done.duration_ms >= code.timeout_s * 1000:
            self._tell_cut(code, request)
        self._invocations.record(
            code.function, alias, code.version, started_s, done.duration_ms, failed=failed, underway=underway
        )
        self.logs.add(code, started_s, done.log)
        return done

    def _tell_cut(self, code: Code, request: RunRequest) -> None:
        """Says once of each version that its limit was cut: what takes that long may be honest, and was not on AWS."""
        limit_s = request.limit_s(code)
        if limit_s < code.timeout_s and code.arn not in self._cut:
            self._cut.add(code.arn)
            log.warning(_CUT, code.version, code.function, limit_s, code.timeout_s, request.speed)

    def _drawn(self, name: FunctionName) -> Code:
        alias = _alias_of(name)
        version = self.draw(name.name, alias) if alias and name.name in self._functions else name.qualifier or LATEST
        known = self._configuration(FunctionName(name.name, version))
        if known.change.created and self._schedule.clock.now() < known.change.settles_s:
            raise Refusal("ResourceConflictException", _PENDING)
        return known.code

    def _start_event(self, name: FunctionName, event: bytes, *, attempt: int) -> None:
        run = threading.Thread(target=self._run_event, args=(name, event, attempt), name="event", daemon=True)
        run.start()

    def _run_event(self, name: FunctionName, event: bytes, attempt: int) -> None:
        """Runs an asynchronous event. Assumption: each retry draws its version anew; a throttle is retried too."""
        try:
            failed = self._run(self._drawn(name), event, _alias_of(name)).error is not None
        except Refusal as refusal:
            failed = isinstance(refusal, TooManyRequests)
        if failed and attempt < self._retries(name):
            again_s = self._schedule.clock.now() + RETRY_AFTER_S[attempt]
            self._schedule.at(again_s, lambda _: self._start_event(name, event, attempt=attempt + 1))


def _alias_of(name: FunctionName) -> str | None:
    return name.qualifier if name.qualifier and not is_version(name.qualifier) else None


def _own(code: Code) -> str | None:
    return None if code.version == LATEST else code.version


def _check_event(event: bytes, kind: str) -> None:
    if kind not in EVENT_LIMITS:
        constraint = f"Member must satisfy enum value set: [{', '.join(EVENT_LIMITS)}]"
        raise invalid_value(kind, "invocationType", constraint)
    limit = EVENT_LIMITS[kind]
    if len(event) > limit:
        raise Refusal(
            "RequestTooLargeException",
            f"{len(event)} byte payload is too large for the {kind} invocation type (limit {limit} bytes)",
        )
    try:
        json.loads(event)
    except ValueError as error:
        message = f"Could not parse request body into json: Could not parse payload into json: {error}"
        raise Refusal("InvalidRequestContentException", message) from error


def _answer(done: Invocation, params: Params) -> Answer:
    answer: Answer = {"StatusCode": 200, "ExecutedVersion": done.version, "Payload": done.payload}
    if done.error:
        answer["FunctionError"] = done.error
    if params.get("LogType") == "Tail":
        answer["LogResult"] = base64.b64encode(done.log_tail.decode(errors="replace").encode()).decode()
    return answer
