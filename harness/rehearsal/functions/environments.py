"""Execution environments of user code: one process each, which runs one event at a time, and a pool a version."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from msgspec import Struct

from harness.rehearsal.functions.runtime import end_descendants

INIT_LIMIT_S = 10.0
"""Seconds for an environment to start and import, as in Lambda."""
ENVIRONMENTS_A_VERSION = 8
"""The most environments of a version. Lambda has hundreds; here the cores of the machine limit them anyway."""
LOG_BYTES = 262_144
"""How much of the end of what a run writes is kept."""


class EnvironmentEnded(Exception):
    """The process of an environment is gone, with its exit status (negative: the signal) and what it had logged."""

    def __init__(self, status: int, log: bytes) -> None:
        super().__init__(f"exit status {status}")
        self.status = status
        self.log = log


class TimedOut(Exception):
    """A run, or the start of an environment, took longer than it may; the environment is ended."""

    def __init__(self, limit_s: float, log: bytes) -> None:
        super().__init__(f"{limit_s} s")
        self.limit_s = limit_s
        self.log = log


class Order(Struct, frozen=True, kw_only=True):
    """How to start an environment: by what command, what to import, where to look for it, and what it sees."""

    command: Sequence[str]
    entry: str
    path: Sequence[str]
    folder: Path
    variables: Mapping[str, str]


class Report(Struct, frozen=True, kw_only=True):
    """What one run gave; `log` is the end of what it wrote."""

    payload: bytes
    failed: bool
    log: bytes


class Environment:
    """One process. `failure` is the error payload with which it answers every run when its code does not import.

    It keeps that answer, where Lambda would import again for each run. `limit_s` is how long the import may take.
    """

    def __init__(self, order: Order, limit_s: float) -> None:
        started = time.perf_counter()
        self._log = _append_only_file()
        self._link, self._process = _spawn(order, self._log)
        self._stream = cast(BinaryIO, self._link.makefile("rwb"))
        self._gone = False
        start = {"entry": order.entry, "path": list(order.path)}
        try:
            self.failure: dict[str, Any] | None = self._exchange(limit_s, start, b"")[0]
        except (TimedOut, EnvironmentEnded):
            self.end()
            raise
        self._start_ms: float | None = (time.perf_counter() - started) * 1000
        self._start_log = self._take_log()

    @property
    def pid(self) -> int:
        """The process id, which is its process group's too."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def run(self, invocation: Mapping[str, Any], event: bytes, timeout_s: float) -> Report:
        """Runs one event; raises `TimedOut` or `EnvironmentEnded`, after both of which the process is gone."""
        failed, payload = self._exchange(timeout_s, invocation, event)
        return Report(payload=payload, failed=failed, log=self._take_log())

    def take_start(self) -> tuple[float | None, bytes]:
        """How many milliseconds the start took and what it logged; reported once, with the first run."""
        start = self._start_ms, self._start_log
        self._start_ms, self._start_log = None, b""
        return start

    def kill(self) -> None:
        """Ends the process and all that it started, now; a run under way raises `EnvironmentEnded`.

        What left its process group is found on Linux alone.
        """
        if self._gone:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self._process.pid, signal.SIGSTOP)  # it starts nothing more
        end_descendants(self._process.pid)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._gone = True

    def end(self) -> None:
        """Kills an environment that has no run under way, and frees what it held."""
        self.kill()
        with suppress(OSError):
            self._stream.close()
        self._link.close()
        self._log.close()

    def _exchange(self, limit_s: float, head: Mapping[str, Any], body: bytes) -> tuple[Any, bytes]:
        self._link.settimeout(limit_s)
        try:
            self._send(json.dumps(head).encode())
            self._send(body)
            self._stream.flush()
            return json.loads(self._receive()), self._receive()
        except TimeoutError as error:
            self.kill()
            raise TimedOut(limit_s, self._take_log()) from error
        except (OSError, EOFError, ValueError) as error:
            self._let_exit()
            raise EnvironmentEnded(self._process.returncode, self._take_log()) from error

    def _send(self, frame: bytes) -> None:
        self._stream.write(len(frame).to_bytes(4, "big"))
        self._stream.write(frame)

    def _receive(self) -> bytes:
        head = self._stream.read(4)
        if len(head) < 4:
            raise EOFError
        return self._stream.read(int.from_bytes(head, "big"))

    def _let_exit(self) -> None:
        """A process that closed its end is about to exit: its own status says more than our signal."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1.0)
        self.kill()

    def _take_log(self) -> bytes:
        descriptor = self._log.fileno()
        size = os.fstat(descriptor).st_size
        if not size:
            return b""
        tail = os.pread(descriptor, LOG_BYTES, max(0, size - LOG_BYTES))
        os.ftruncate(descriptor, 0)
        return tail


class EnvironmentPool:
    """The environments of one version: started on demand, at most `ENVIRONMENTS_A_VERSION`, the last used first.

    `start` gets the speed at which its limits run out: that of the run which needs it, but 1 where the code is known to
    start, so that a loaded machine never makes a slow start a failure.
    """

    def __init__(self, start: Callable[[float], Environment]) -> None:
        self._start = start
        self._freed = threading.Condition()
        self._all: set[Environment] = set()
        self._idle: list[Environment] = []
        self._starting = 0
        self._has_started = False
        self._retired = False
        self._closed = False

    def pids(self) -> list[int]:
        """The processes that exist now."""
        with self._freed:
            return [environment.pid for environment in self._all]

    @contextmanager
    def environment(self, wait_s: float | None = None, speed: float = 1.0) -> Iterator[Environment]:
        """An environment for one run, waiting up to `wait_s` where all are busy.

        Raises `TimedOut` or `EnvironmentEnded` where a new one does not start, and `TimedOut` where none falls idle:
        all runs before it hang, and on AWS it would have had an environment of its own and hung, too.
        """
        environment = self._take(wait_s, speed)
        try:
            yield environment
        finally:
            self._give_back(environment)

    def fill(self, count: int) -> None:
        """Starts environments until there are `count`; raises `TimedOut` or `EnvironmentEnded` where one does not."""
        while self._is_short_of(count):
            self._give_back(self._started(1.0))

    def retire(self) -> None:
        """Ends the environments as they fall idle: the version's code has been replaced or deleted."""
        with self._freed:
            self._retired = True
            self._end_idle()

    def close(self) -> None:
        """Ends all environments now, also those with a run under way, and starts no more."""
        with self._freed:
            self._closed = self._retired = True
            self._end_idle()
            for environment in self._all:
                environment.kill()
            self._freed.notify_all()

    def _take(self, wait_s: float | None, speed: float) -> Environment:
        while environment := self._next(wait_s):
            if environment.alive:
                return environment
            with self._freed:
                self._drop(environment)
        return self._started(speed)

    def _next(self, wait_s: float | None) -> Environment | None:
        """An idle environment, or None with the right to start one."""
        with self._freed:
            if not self._freed.wait_for(lambda: self._closed or self._idle or self._has_room(), wait_s):
                raise TimedOut(wait_s or 0.0, b"")
            if self._closed:
                raise EnvironmentEnded(-signal.SIGKILL, b"")
            if self._idle:
                return self._idle.pop()
            self._starting += 1
            return None

    def _is_short_of(self, count: int) -> bool:
        """Whether there are fewer environments than `count`, which then gives the right to start one."""
        with self._freed:
            short = not self._retired and len(self._all) + self._starting < count
            self._starting += short
            return short

    def _has_room(self) -> bool:
        return len(self._all) + self._starting < ENVIRONMENTS_A_VERSION

    def _started(self, speed: float) -> Environment:
        try:
            environment = self._start(1.0 if self._has_started else speed)
        except BaseException:  # whatever ends a start gives its place back
            self._count_started(None)
            raise
        self._count_started(environment)
        return environment

    def _count_started(self, environment: Environment | None) -> None:
        with self._freed:
            self._starting -= 1
            self._freed.notify()
            if environment:
                self._has_started = True
                self._all.add(environment)
            if environment and self._closed:
                environment.kill()

    def _give_back(self, environment: Environment) -> None:
        with self._freed:
            if self._retired or not environment.alive:
                self._drop(environment)
            else:
                self._idle.append(environment)
            self._freed.notify()

    def _end_idle(self) -> None:
        while self._idle:
            self._drop(self._idle.pop())

    def _drop(self, environment: Environment) -> None:
        self._all.discard(environment)
        environment.end()


def _append_only_file() -> BinaryIO:
    """A file without a name that writers only append to, so that it may be cut while they hold it open."""
    file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - lives as long as its environment
    flags = fcntl.fcntl(file, fcntl.F_GETFL)
    fcntl.fcntl(file, fcntl.F_SETFL, flags | os.O_APPEND)
    return file


def _spawn(order: Order, log: BinaryIO) -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(  # noqa: S603 - an interpreter on our own file
            [*order.command, str(theirs.fileno())],
            cwd=order.folder,
            env=dict(order.variables),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
    return ours, process
