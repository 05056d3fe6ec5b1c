"""Runs the project's own fake-user service inside the cloud's process."""

import importlib
import json
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, cast

from harness.rehearsal.functions.engines import Ran, RunRequest, context_of
from harness.rehearsal.functions.records import Code
from harness.rehearsal.functions.runtime import Context, failure, with_request_id

_SERVICE = "harness.rehearsal.service"


class BundledContext(Context):
    """A Lambda context that carries its version's environment, since all versions share one process."""

    def __init__(self, invocation: dict[str, Any], environment: Mapping[str, str]) -> None:
        super().__init__(invocation)
        self.environment = environment


class Bundled:
    """The engine of kind "bundled"; it keeps nothing between runs."""

    def run(self, code: Code, request: RunRequest) -> Ran:
        """Runs one event in the calling thread; the function's timeout is not enforced."""
        started = time.perf_counter()
        try:
            context = BundledContext(dict(context_of(code, request)), code.environment)
            payload, is_error = json.dumps(_entry()(json.loads(request.event), context)).encode(), False
        except Exception as error:  # noqa: BLE001 - whatever the service raises is the answer of the run
            payload, is_error = _failure(error, request), True
        return Ran(payload=payload, failed=is_error, duration_ms=(time.perf_counter() - started) * 1000)

    def warm(self, code: Code) -> str | None:  # noqa: ARG002 - an engine's signature
        """Imports the service."""
        _entry()
        return None

    def retire(self, code: Code) -> None:
        """Nothing is held for a version."""

    def close(self) -> None:
        """There is nothing to end."""


def _entry() -> Callable[[Any, Any], Any]:
    return cast(Callable[[Any, Any], Any], importlib.import_module(_SERVICE).handler)


def _failure(error: Exception, request: RunRequest) -> bytes:
    trace = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])
    return json.dumps(with_request_id(failure(type(error).__name__, str(error), trace), request.id)).encode()
