"""Runs versions, each by its kind, and reports as Lambda does: payload, error, duration and log."""

import json
import math
from collections.abc import Mapping
from typing import Any, Literal, Protocol

from msgspec import Struct

from harness.rehearsal.clock import wall_limit_s
from harness.rehearsal.functions.records import Code

TAIL_BYTES = 4096
"""How much of the end of a log an invocation returns (Lambda API, LogType)."""
RESPONSE_LIMIT = 6_291_556
"""Bytes that a response may have (the number in AWS's own error message)."""


class RunRequest(Struct, frozen=True, kw_only=True):
    """One event on its way to a version; `arn` is the one it was invoked by, which can be an alias.

    `speed` is how many times as fast as wall time its limits run out.
    """

    id: str
    arn: str
    event: bytes
    speed: float = 1.0

    def limit_s(self, code: Code) -> float:
        """Wall seconds that the function's timeout gives this run."""
        return wall_limit_s(code.timeout_s, self.speed)


class Ran(Struct, frozen=True, kw_only=True):
    """What one run gave; `log` is the end of what the code wrote, `start_ms` is set if an environment had to start."""

    payload: bytes
    failed: bool
    duration_ms: float
    log: bytes = b""
    start_ms: float | None = None


class Invocation(Struct, frozen=True, kw_only=True):
    """What an invocation returns: the payload, or an error payload with `error` set, and its log."""

    version: str
    payload: bytes
    error: Literal["Unhandled"] | None
    duration_ms: float
    log: bytes

    @property
    def log_tail(self) -> bytes:
        """The end of the log, as much as an invocation returns."""
        return self.log[-TAIL_BYTES:]


class Engine(Protocol):
    """Runs versions of one kind; a run never raises for what the code does."""

    def run(self, code: Code, request: RunRequest) -> Ran:
        """Runs one event."""

    def warm(self, code: Code) -> str | None:
        """Makes ready for a version's first run; the sentence why each run will fail, None where none need fail.

        Raises `CloudError` where there is nothing to run, as behind a misspelt name.
        """

    def retire(self, code: Code) -> None:
        """Frees what it holds for a version that has been replaced or deleted."""

    def close(self) -> None:
        """Ends everything that it started."""


def failed(kind: str, message: str, duration_ms: float, log: bytes = b"") -> Ran:
    """A run that gave an error and no stack trace, as Lambda's platform reports them."""
    payload = json.dumps({"errorMessage": message, "errorType": kind}).encode()
    return Ran(payload=payload, failed=True, duration_ms=duration_ms, log=log)


def timed_out(code: Code, request: RunRequest, log: bytes = b"") -> Ran:
    """A run that took longer than the function's timeout."""
    late = f"Task timed out after {code.timeout_s:.2f} seconds"
    log += b"" if not log or log.endswith(b"\n") else b"\n"
    log += f"{request.id} {late}\n".encode()
    return failed("Sandbox.Timedout", f"RequestId: {request.id} Error: {late}", code.timeout_s * 1000, log)


def invocation(code: Code, request: RunRequest, ran: Ran) -> Invocation:
    """What Lambda makes of a run: the size limit, the error mark, and the lines round the code's own log."""
    if len(ran.payload) > RESPONSE_LIMIT:
        message = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."
        ran = failed("Function.ResponseSizeTooLarge", message, ran.duration_ms, ran.log)
    return Invocation(
        version=code.version,
        payload=ran.payload,
        error="Unhandled" if ran.failed else None,
        duration_ms=ran.duration_ms,
        log=_log(code, request, ran),
    )


def context_of(code: Code, request: RunRequest) -> Mapping[str, Any]:
    """What a context object is made of."""
    return {
        "function_name": code.function,
        "function_version": code.version,
        "invoked_function_arn": request.arn,
        "memory_limit_in_mb": str(code.memory_mb),
        "aws_request_id": request.id,
        "timeout_s": request.limit_s(code),
    }


def _log(code: Code, request: RunRequest, ran: Ran) -> bytes:
    own = ran.log if not ran.log or ran.log.endswith(b"\n") else ran.log + b"\n"
    start = f"START RequestId: {request.id} Version: {code.version}\n"
    report = (
        f"END RequestId: {request.id}\nREPORT RequestId: {request.id}\tDuration: {ran.duration_ms:.2f} ms\t"
        f"Billed Duration: {math.ceil(ran.duration_ms)} ms\tMemory Size: {code.memory_mb} MB\t"
    )
    if ran.start_ms is not None:
        report += f"Init Duration: {ran.start_ms:.2f} ms\t"
    return start.encode() + own + f"{report}\n".encode()
