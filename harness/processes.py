"""Starting processes, waiting for them, and ending them, whatever happens in between."""

import atexit
import contextlib
import gc
import io
import mmap
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Literal

from harness.errors import Exhausted, ExitCode, HarnessError, UsageError

GRACE_S = 10.0
POLL_S = 0.1
ONE_SIGNAL_S = 0.5
"""Wall time in which a second signal is the same one: Ctrl-C or `timeout` may reach a process twice at once."""

_leave = os._exit  # as Python has it: within Locust its name is taken
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupted(HarnessError):
    """A signal asked us to stop; its number decides the exit code. A terminal that was closed (SIGHUP) is SIGTERM."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.signal: Literal["SIGINT", "SIGTERM"] = "SIGINT" if signum == signal.SIGINT else "SIGTERM"
        self.exit_code = ExitCode.INTERRUPTED if signum == signal.SIGINT else ExitCode.TERMINATED


class Interrupts:
    """Notes SIGINT, SIGTERM and SIGHUP instead of dying of them, so that what was started is always ended.

    A note is acted on where the code asks for it: no process can start and be forgotten in between.
    """

    def __init__(self) -> None:
        self.count = 0
        self.signum = 0
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Interrupts":
        """Itself, listening; what is ignored (as SIGHUP is by `nohup`) stays so."""
        self._before = {signum: signal.signal(signum, self._note) for signum in _heard()}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Gives the signals back that are still its own."""
        for signum, before in self._before.items():
            if signal.getsignal(signum) == self._note:
                signal.signal(signum, before)  # type: ignore[arg-type]

    def check(self) -> None:
        """Raises Interrupted once a signal came."""
        if self.count:
            raise Interrupted(self.signum)

    def _note(self, signum: int, _frame: FrameType | None) -> None:
        self.count += 1
        self.signum = signum


class _Decided:
    """The exit code of this process once nothing changes it any more."""

    def __init__(self) -> None:
        self._code: int | None = None
        self._heard_s: float | None = None
        # Before whatever else is registered, and so called after it: Python forgets handlers while it exits.
        atexit.register(self._ignore)

    def be(self, code: int) -> None:
        """Decides it."""
        self._code = code
        for signum in _heard():
            signal.signal(signum, self._hear)

    def _hear(self, _signum: int, _frame: FrameType | None) -> None:
        now_s = time.monotonic()
        if self._heard_s is None:
            self._heard_s = now_s
        elif now_s - self._heard_s > ONE_SIGNAL_S and self._code is not None:
            _leave(self._code)

    def _ignore(self) -> None:
        if self._code is not None:
            for signum in _heard():
                signal.signal(signum, signal.SIG_IGN)


_decided = _Decided()


def ends_with(code: int) -> None:
    """Says that this process ends with this exit code, whatever comes.

    One more signal changes nothing. Another one, over half a second later, ends the process at once, with this code.
    """
    _decided.be(code)


def exit_without_collecting() -> None:
    """Has this process, as it exits, look for no garbage in all that it loaded, which takes Python half a second.

    Files that only garbage holds are flushed; no `__del__` of garbage is called, which Python does not promise either.
    """
    atexit.unregister(_leave_garbage)
    atexit.register(_leave_garbage)


def _leave_garbage() -> None:
    gc.unfreeze()  # frozen objects are not listed
    for one in gc.get_objects():
        if issubclass(type(one), (io.BufferedWriter, io.BufferedRandom, io.TextIOWrapper)):
            with contextlib.suppress(OSError, ValueError):  # closed, or without a reader
                one.flush()
    gc.freeze()


def _heard() -> list[int]:
    """The signals that are not ignored on purpose, as SIGHUP is by `nohup`."""
    return [signum for signum in _SIGNALS if signal.getsignal(signum) is not signal.SIG_IGN]


def locustfile(name: str = "canary.py") -> Path:
    """A locustfile of ours: beside the package in a clone, inside it in a wheel."""
    package = Path(__file__).parent
    for folder in (package, package.parent):
        path = folder / "locustfiles" / name
        if path.is_file():
            return path
    raise HarnessError(f"{name} is missing: neither {package} nor {package.parent} has a folder locustfiles with it")


CLOUD_ADDRESSES = 128 << 20
"""Bytes of addresses that the local cloud needs."""
JUDGING_ADDRESSES = 256 << 20
"""Bytes of addresses that NumPy, SciPy and pandas need."""
LOCUST_ADDRESSES = 384 << 20
"""The same with Locust and all that it loads."""
FILES = 32
"""Descriptors that a run or a local cloud needs, beside those of its connections."""

LOCUST = ("-m", "harness.plugin")
"""Locust with the harness in it."""


def python(*words: str) -> list[str]:
    """The command of a Python process of ours: no file of the working folder takes the place of one of Python's."""
    return [sys.executable, "-P", *words]


def check_room(addresses: int, files: int = 0) -> None:
    """Raises Exhausted where this process gets fewer bytes of addresses, or descriptors, than it will need.

    Without enough addresses SciPy's OpenBLAS waits for ever, or ends the process by a SIGINT of its own. It takes tens
    of MiB for each of its threads, one a core; where addresses are limited it therefore gets one.
    """
    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        mmap.mmap(-1, addresses).close()
    except OSError as error:
        needs = f"{addresses >> 20} MiB of addresses"
        raise Exhausted(f"this process does not get the {needs} that it needs: raise the limit (ulimit -v)") from error
    _check_files(files)


def _check_files(files: int) -> None:
    held: list[int] = []
    try:
        held.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(files))
    except OSError as error:
        needs = f"{files} descriptors"
        raise Exhausted(f"this process does not get the {needs} that it needs: raise the limit (ulimit -n)") from error
    finally:
        for file in held:
            os.close(file)


def locust_command(*options: str, own: str | None = None) -> list[str]:
    """The command of a headless Locust process that plays an experiment, with the users of one's `own` locustfile."""
    return python(*LOCUST, "-f", watched_file(own), "--headless", *options)


def watched_file(own: str | None) -> str:
    """What Locust's `-f` gets: one's own locustfile with ours beside it that watches, or ours that sends."""
    return f"{own},{locustfile('watch.py')}" if own else str(locustfile())


def check_locustfile(own: str | None) -> None:
    """Raises UsageError for a locustfile that is not there; Locust itself loads those that a URL names."""
    for name in own.split(",") if own else ():
        if "://" not in name and not Path(name).exists():
            raise UsageError(f"--locustfile: there is no file {name}")


def start(command: Sequence[str], environment: Mapping[str, str], **pipes: object) -> subprocess.Popen[bytes]:
    """Starts a process in a session of its own, so that a Ctrl-C at the terminal reaches it only through us."""
    root = str(Path(__file__).parent.parent)
    path = os.pathsep.join(filter(None, (root, environment.get("PYTHONPATH"))))
    everything = {**environment, "PYTHONPATH": path}
    return subprocess.Popen(command, env=everything, start_new_session=True, **pipes)  # type: ignore[call-overload, no-any-return]  # noqa: S603


def await_end(process: subprocess.Popen[bytes], limit_s: float) -> int | None:
    """The exit code, or None where the process lives on after `limit_s` of wall time."""
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        return None


def end(process: subprocess.Popen[bytes], interrupts: Interrupts) -> None:
    """Asks a process to end, waits a bounded time, then kills it; a further signal to us kills it at once.

    A Ctrl-C is handed on as what it is, so that the process tells of it; anything else is SIGTERM.
    """
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT if interrupts.signum == signal.SIGINT else signal.SIGTERM)
    patience = interrupts.count
    until_s = time.monotonic() + GRACE_S
    while process.poll() is None:
        if time.monotonic() > until_s or interrupts.count > patience:
            process.kill()
            process.wait()
        await_end(process, POLL_S)
