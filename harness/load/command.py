"""The command that deploys, as a process of its own: its output is streamed and kept, signals reach it, none survives.

It gets a process group of its own, so that whatever it starts ends with it, and no input, so that a question that
nobody can answer ends it instead of hanging.
"""

import atexit
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO

import gevent

from harness.errors import HarnessError, UsageError

GRACE_S = 5.0
"""Wall time that the command has to end after a signal, before it is killed."""
LAST_WORDS_S = 1.0
"""Wall time in which what it wrote last is read; what it left running may hold its output open for ever."""

_OURS = "LOCUST_CANARY_"


class Command:
    """One start of a command, given as it would be typed, without a shell.

    Output and errors go line by line to `say` and, as they are, to the file `log`. Raises UsageError where there is no
    such command.
    """

    def __init__(self, text: str, log: Path, say: Callable[[str], None]) -> None:
        self._words = shlex.split(text)
        self._log = log
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: gevent.Greenlet | None = None
        if not self._words or not shutil.which(self._words[0]):
            raise UsageError(f"deployment.command: there is no command {self._words[0] if self._words else repr(text)}")

    def start(self) -> None:
        """Starts it; raises HarnessError where the system does not let us."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        self._log.touch()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the person's own command
                self._words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise HarnessError(f"the command {self._words[0]} cannot be started: {error.strerror}") from error
        atexit.register(self.kill)
        self._reader = gevent.spawn(self._read, self._process.stdout)

    def wait(self) -> int:
        """Waits for its end; the exit code, or the negative number of the signal that ended it."""
        assert self._process is not None
        code = self._process.wait()
        if self._reader:
            self._reader.join(LAST_WORDS_S)
        return code

    def stop(self, signum: int) -> None:
        """Passes a signal on to all that it started, and kills what has not ended after a grace."""
        if self._process is None:
            return
        self._signal(signum)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_S)
        self.kill()

    def kill(self) -> None:
        """Ends at once whatever is left of it."""
        self._signal(signal.SIGKILL)
        atexit.unregister(self.kill)

    def _signal(self, signum: int) -> None:
        # The group outlives its leader as long as anything that it started lives.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._process is not None:
                os.killpg(self._process.pid, signum)

    def _read(self, output: IO[bytes]) -> None:
        with self._log.open("wb") as log:
            for line in output:
                log.write(line)
                log.flush()
                self._say(line.decode(errors="replace").rstrip("\r\n"))
