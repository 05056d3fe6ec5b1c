"""Runs code, of an uploaded zip or your own Python, in execution environments of its version."""

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from harness.errors import CloudError
from harness.rehearsal import signature
from harness.rehearsal.clock import wall_limit_s
from harness.rehearsal.functions import runtimes
from harness.rehearsal.functions.engines import Ran, RunRequest, context_of, failed, timed_out
from harness.rehearsal.functions.environments import (
    INIT_LIMIT_S,
    Environment,
    EnvironmentEnded,
    EnvironmentPool,
    Order,
    TimedOut,
)
from harness.rehearsal.functions.logs import group_of, stream_of
from harness.rehearsal.functions.records import Code
from harness.rehearsal.functions.runtime import Failure, with_request_id

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 30.0
"""Seconds that a run waits for an environment: just longer than API Gateway waits for its answer."""
WARM_ENVIRONMENTS = 3
"""How many environments a version gets ahead of its first run where time is compressed."""
_NO_HANDLER = frozenset({"Runtime.HandlerNotFound", "Runtime.MalformedHandlerName"})
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "SSL_CERT_FILE")


class OwnCode:
    """The engine of the kinds "python" and "node": a pool of environments for each version.

    `variables` gives the environment variables of a version's processes.
    """

    def __init__(self, variables: Callable[[Code], Mapping[str, str]]) -> None:
        self._variables = variables
        self._pools: dict[int, tuple[Code, EnvironmentPool]] = {}
        self._retired: list[EnvironmentPool] = []
        self._lock = threading.Lock()
        self._closed = False
        self._told: set[str] = set()

    def run(self, code: Code, request: RunRequest) -> Ran:
        """Runs one event in an environment, starting one where none is idle and the pool has room."""
        try:
            with self._pool(code).environment(
                wall_limit_s(LONGEST_WAIT_S, request.speed), request.speed
            ) as environment:
                return _run(environment, code, request)
        except EnvironmentEnded as ended:
            return _exited(request, ended)
        except TimedOut as late:
            return timed_out(code, request, late.log)

    def warm(self, code: Code) -> str | None:
        """Starts an environment ahead of the first run."""
        try:
            with self._pool(code).environment() as environment:
                failure = environment.failure
        except EnvironmentEnded as ended:
            return f"{_described(code)} ended its process while it was imported ({ended})."
        except TimedOut as late:
            limits = f"within {INIT_LIMIT_S:.0f} s, nor again within {late.limit_s:.0f} s"
            return f"{_described(code)} was not imported {limits}."
        if failure is None:
            return None
        message = failure["errorMessage"].partition("\n")[0].rstrip(".")
        why = f"{_described(code)} cannot run: {failure['errorType']}: {message}.{runtimes.how_to_bring(message)}"
        if _is_missing(failure, code):
            raise CloudError(why)
        return why

    def fill(self, code: Code) -> None:
        """Starts as many environments as the first runs need; what does not start fails with the run that needs it."""
        with suppress(TimedOut, EnvironmentEnded):
            self._pool(code).fill(WARM_ENVIRONMENTS)

    def retire(self, code: Code) -> None:
        """Ends the environments of a version as they fall idle."""
        with self._lock:
            entry = self._pools.pop(id(code), None)
            self._retired = [pool for pool in self._retired if pool.pids()]
            if entry:
                self._retired.append(entry[1])
                entry[1].retire()

    def pids(self) -> list[int]:
        """The processes of all versions."""
        return [pid for pool in self._all() for pid in pool.pids()]

    def close(self) -> None:
        """Ends every process; runs under way end in error."""
        self._closed = True
        for pool in self._all():
            pool.close()

    def _all(self) -> list[EnvironmentPool]:
        with self._lock:
            return [*(pool for _, pool in self._pools.values()), *self._retired]

    def _pool(self, code: Code) -> EnvironmentPool:
        """The pool of a version; the key is the object itself, which a change of $LATEST replaces."""
        entry = self._pools.get(id(code))
        return entry[1] if entry else self._new_pool(code)

    def _new_pool(self, code: Code) -> EnvironmentPool:
        with self._lock:
            self._tell(code)
            _, pool = self._pools.setdefault(
                id(code), (code, EnvironmentPool(lambda speed: self._environment(code, speed)))
            )
            if self._closed:
                pool.close()
            return pool

    def _tell(self, code: Code) -> None:
        """Says once of each function that its code does not run on what it asks for."""
        if code.function not in self._told and (sentence := runtimes.not_as_asked(code)):
            self._told.add(code.function)
            log.warning(sentence)

    def _environment(self, code: Code, speed: float) -> Environment:
        """A new environment; an import that takes too long is begun again, on the time of the run that waits for it.

        Lambda does so (developer guide, execution environment lifecycle); what it does for every later run of the same
        environment, and so within the function's timeout alone, is a new environment here.
        """
        order = self._order(code)
        try:
            return Environment(order, wall_limit_s(INIT_LIMIT_S, speed))
        except TimedOut:
            return Environment(order, wall_limit_s(code.timeout_s, speed))

    def _order(self, code: Code) -> Order:
        root = code.package.root
        here = str(Path.cwd())
        layers = [folder for layer in code.layers for folder in runtimes.python_path(layer)]
        path = [str(root), *layers] if root else [here, *(entry or here for entry in sys.path)]
        return Order(
            command=runtimes.command(code),
            entry=code.entry or "",
            path=path,
            folder=root or Path.cwd(),
            variables=self._variables(code),
        )


def _run(environment: Environment, code: Code, request: RunRequest) -> Ran:
    start_ms, start_log = environment.take_start()
    if environment.failure:
        payload = json.dumps(_failure_of(environment.failure, request)).encode()
        return Ran(payload=payload, failed=True, duration_ms=0.0, log=start_log, start_ms=start_ms)
    started = time.perf_counter()
    try:
        report = environment.run(context_of(code, request), request.event, request.limit_s(code))
    except EnvironmentEnded as ended:
        return _exited(request, ended, (time.perf_counter() - started) * 1000, start_log)
    except TimedOut as late:
        return timed_out(code, request, start_log + late.log)
    return Ran(
        payload=report.payload,
        failed=report.failed,
        duration_ms=(time.perf_counter() - started) * 1000,
        log=start_log + report.log,
        start_ms=start_ms,
    )


def _failure_of(failure: Failure, request: RunRequest) -> Failure:
    """The failure to start as the run of a request answers it; that of Node names no request."""
    return with_request_id(failure, request.id) if "requestId" in failure else failure


def _exited(request: RunRequest, ended: EnvironmentEnded, duration_ms: float = 0.0, start_log: bytes = b"") -> Ran:
    message = f"RequestId: {request.id} Error: Runtime {_how(ended.status)}"
    return failed("Runtime.ExitError", message, duration_ms, start_log + ended.log)


def _how(status: int) -> str:
    if status == 0:
        return "exited without providing a reason"
    if status > 0:
        return f"exited with error: exit status {status}"
    return f"exited with error: signal: {(signal.strsignal(-status) or str(-status)).lower()}"


def _is_missing(failure: Mapping[str, str], code: Code) -> bool:
    """Whether there is no such module or function at all, which is a misspelt handler and no broken code."""
    module = (code.entry or "").rpartition(":" if ":" in (code.entry or "") else ".")[0].replace("/", ".")
    nowhere = f"Unable to import module '{module}': No module named '{module.partition('.')[0]}'"
    nowhere_in_node = f"Error: Cannot find module '{module.rpartition('.')[2]}'"
    return failure["errorType"] in _NO_HANDLER or failure["errorMessage"] in (nowhere, nowhere_in_node)


def _described(code: Code) -> str:
    return f"The handler {code.entry} of {code.function} version {code.version}"


def variables(code: Code, region: str, endpoint_url: str) -> dict[str, str]:
    """What a version's process has as its environment: never the credentials of the person who runs the cloud."""
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        **_access(region, endpoint_url),
        **runtimes.library_path(code),
        "AWS_EXECUTION_ENV": runtimes.execution_name(code),
        "AWS_LAMBDA_FUNCTION_NAME": code.function,
        "AWS_LAMBDA_FUNCTION_VERSION": code.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(code.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": group_of(code),
        "AWS_LAMBDA_LOG_STREAM_NAME": stream_of(code),
        "LAMBDA_TASK_ROOT": str(code.package.root or Path.cwd()),
        "LANG": "C.UTF-8",
        "TZ": ":UTC",
        "_HANDLER": code.entry or "",
        **code.environment,
    }


def _access(region: str, endpoint_url: str) -> dict[str, str]:
    """What makes an AWS client talk to this cloud, and to no other; without an endpoint its credentials fail on AWS."""
    endpoint = {"AWS_ENDPOINT_URL": endpoint_url} if endpoint_url else {}
    return {
        **endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": signature.OF_FUNCTIONS,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
