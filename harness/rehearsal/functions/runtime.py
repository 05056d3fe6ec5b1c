"""The inside of an execution environment: imports one function and runs it, one event at a time.

It is started by path in a bare interpreter (`python -I runtime.py FD`) and imports the standard library alone, so that
user code meets nothing of the harness. FD is a socket to the cloud that carries frames of four bytes of length and as
many bytes, always in pairs of JSON and a body: first the start order, answered by the failure to import or null; then
for each run the invocation and its event, answered by whether it failed and its payload. It ends when FD closes.

Error payloads are those of AWS's Python runtime (awslambdaric).
"""

import ctypes
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from types import TracebackType
from typing import Any, BinaryIO, cast

_PR_SET_CHILD_SUBREAPER = 36
_ROUNDS = 3
"""Looks for processes to end: a killed one is there until its parent has noticed, and may have started another."""

Failure = dict[str, Any]
EntryPoint = Callable[[Any, Any], Any]


class Context:
    """The second argument of a Lambda function; attribute names are AWS's."""

    def __init__(self, invocation: dict[str, Any]) -> None:
        self.function_name = invocation["function_name"]
        self.function_version = invocation["function_version"]
        self.invoked_function_arn = invocation["invoked_function_arn"]
        self.memory_limit_in_mb = invocation["memory_limit_in_mb"]
        self.aws_request_id = invocation["aws_request_id"]
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        self.client_context = None
        self.identity = None
        self._deadline_s: float = time.monotonic() + invocation["timeout_s"]

    def get_remaining_time_in_millis(self) -> int:
        """Wall milliseconds until the run is ended by force."""
        return max(0, round((self._deadline_s - time.monotonic()) * 1000))


class NoEntryError(Exception):
    """The function cannot be imported; `failure` says why in AWS's words."""

    def __init__(self, kind: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.failure = failure(kind, message, trace)


def failure(kind: str, message: str, trace: list[str] | None = None) -> Failure:
    """An error payload, which has no request yet."""
    return {"errorMessage": message, "errorType": kind, "requestId": "", "stackTrace": trace or []}


def with_request_id(problem: Failure, request_id: str) -> Failure:
    """An error payload as the run of a request answers it."""
    return {**problem, "requestId": request_id}


def receive(stream: BinaryIO) -> bytes:
    """One frame; ends the process if the cloud is gone."""
    head = stream.read(4)
    if len(head) < 4:
        os._exit(0)
    return stream.read(int.from_bytes(head, "big"))


def send(stream: BinaryIO, *frames: bytes) -> None:
    """Sends frames."""
    stream.writelines(len(frame).to_bytes(4, "big") + frame for frame in frames)
    stream.flush()


def load(entry: str) -> EntryPoint:
    """Imports the function named by `module.function` or `module:function`; raises `NoEntryError`."""
    separator = ":" if ":" in entry else "."
    module_name, found, function_name = entry.rpartition(separator)
    if not found:
        message = f"Bad handler '{entry}': not enough values to unpack (expected 2, got 1)"
        raise NoEntryError("Runtime.MalformedHandlerName", message)
    module = _module(module_name.replace("/", "."))
    function = getattr(module, function_name, None)
    if not callable(function):
        raise NoEntryError("Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'")
    return cast(EntryPoint, function)


def _module(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        message = f"Unable to import module '{name}': {error}"
        raise NoEntryError("Runtime.ImportModuleError", message) from error
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        message = f"Syntax error in module '{name}': {error}"
        raise NoEntryError("Runtime.UserCodeSyntaxError", message, trace) from error
    except Exception as error:
        # User code may raise anything while it is imported.
        raise NoEntryError(type(error).__name__, str(error), _trace(error.__traceback__)) from error


def _trace(frames: TracebackType | None) -> list[str]:
    own = [frame for frame in traceback.extract_tb(frames) if frame.filename != __file__]
    return traceback.format_list([frame for frame in own if not frame.filename.startswith("<frozen importlib")])


def run(entry: EntryPoint, event: bytes, context: Context) -> tuple[bool, bytes]:
    """Runs the function once; whether it failed, and its answer or error payload."""

    def failed(kind: str, message: str, trace: list[str] | None = None) -> tuple[bool, bytes]:
        return True, _encoded(_logged(with_request_id(failure(kind, message, trace), context.aws_request_id)))

    try:
        argument = json.loads(event)
    except ValueError as error:
        return failed("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}")
    try:
        result = entry(argument, context)
    except Exception as error:  # noqa: BLE001 - user code may raise anything
        return failed(type(error).__name__, str(error), _trace(error.__traceback__))
    try:
        return False, _encoded(result)
    except (TypeError, ValueError, RecursionError) as error:
        return failed("Runtime.MarshalError", f"Unable to marshal response: {error}")


def _encoded(result: object) -> bytes:
    return json.dumps(result, ensure_ascii=False).encode("utf-8", errors="surrogatepass")


def _logged(problem: Failure) -> Failure:
    trace = ["Traceback (most recent call last):\n", *problem["stackTrace"]] if problem["stackTrace"] else []
    _flush()
    lines = f"[ERROR] {problem['errorType']}: {problem['errorMessage']}\n" + "".join(trace)
    os.write(1, lines.encode(errors="replace"))
    return problem


def descendants(pid: int) -> list[int]:
    """All processes that a process started, and theirs; empty on systems other than Linux, which have no /proc."""
    children: dict[int, list[int]] = {}
    processes = os.listdir("/proc") if sys.platform == "linux" else ()  # noqa: PTH208 - pathlib takes long to import
    for name in filter(str.isdecimal, processes):
        with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
            parent = int(file.read().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(name))
    found = [*children.get(pid, ())]
    for each in found:
        found.extend(children.get(each, ()))
    return found


def end_descendants(pid: int) -> None:
    """Ends all that a process started, also what has a session of its own; what they start meanwhile, too."""
    for _ in range(_ROUNDS):
        left = descendants(pid)
        for each in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(each, signal.SIGKILL)
        if not left:
            return


def _keep_orphans() -> None:
    """Has orphans of this process become its children, so that they can be found and ended (Linux alone)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_with_cloud(descriptor: int) -> None:
    """Waits until the cloud's end of the socket closes, then ends this process and all that it started."""
    poll = select.poll()
    poll.register(descriptor, 0)
    poll.poll()
    end_descendants(os.getpid())
    os.killpg(0, signal.SIGKILL)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # User code may have closed or replaced its streams.
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()


def serve(stream: BinaryIO) -> None:
    """Follows the start order, then runs events for as long as the cloud sends them."""
    start = json.loads(receive(stream))
    receive(stream)
    sys.path[:0] = start["path"]
    try:
        entry = load(start["entry"])
    except NoEntryError as error:
        _logged(error.failure)
        send(stream, json.dumps(error.failure).encode(), b"")
        receive(stream)
        return
    _flush()
    send(stream, b"null", b"")
    while True:
        context = Context(json.loads(receive(stream)))
        failed, payload = run(entry, receive(stream), context)
        _flush()
        send(stream, json.dumps(failed).encode(), payload)


def main(descriptor: int) -> None:
    """Serves the socket `descriptor` in the main thread, which is where Lambda runs functions too."""
    link = socket.socket(fileno=descriptor)
    link.set_inheritable(False)
    _keep_orphans()
    cast(TextIOWrapper, sys.stdout).reconfigure(line_buffering=True)
    threading.Thread(target=_end_with_cloud, args=(descriptor,), daemon=True).start()
    serve(cast(BinaryIO, link.makefile("rwb")))


if __name__ == "__main__":
    main(int(sys.argv[1]))
