"""The command that deploys, as a process: its output is shown and kept, it gets our signals, and it ends with us.

It gets a process group of its own, so that whatever it starts ends with it. It gets no input, so that a question that
nobody can answer ends it instead of hanging. It writes to a file that we read, and not to a pipe: if we are killed, it
goes on to its end, since a tool that dies of a closed pipe leaves a deployment half made.
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

import gevent

from harness.errors import HarnessError, UsageError
from harness.report.masking import masked

GRACE_S = 5.0
"""Wall time that the command has to end after a signal, before it is killed."""
TELL_EVERY_S = 0.1
"""Wall time between two reads of its output."""

_OURS = "LOCUST_CANARY_"
_REGION, _REGION_OF_BOTO3 = "AWS_REGION", "AWS_DEFAULT_REGION"


def words_of(text: str) -> list[str]:
    """A command's words; raises UsageError if there is no such command."""
    words = shlex.split(text)
    if not words or not shutil.which(words[0]):
        raise UsageError(f"deployment.command: there is no command {masked(words)[0] if words else repr(text)}")
    return words


class Command:
    """One start of a command, given as it would be typed, without a shell.

    Output and errors go line by line to `say` and, as they are, to the file `log`. Raises UsageError if there is no
    such command.
    """

    def __init__(self, text: str, log: Path, say: Callable[[str], None]) -> None:
        self._words = words_of(text)
        self._log = log
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._teller: gevent.Greenlet | None = None

    def start(self) -> None:
        """Starts it; raises HarnessError if the system refuses."""
        try:
            with self._log.open("ab") as output:
                self._process = subprocess.Popen(  # noqa: S603 - the person's own command
                    self._words,
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise HarnessError(f"the command {masked(self._words)[0]} cannot be started: {error.strerror}") from error
        atexit.register(self.kill)
        self._teller = gevent.spawn(self._tell, self._process)

    def wait(self) -> int:
        """Waits for its end; the exit code, or the negative number of the signal that ended it."""
        assert self._process is not None
        code = self._process.wait()
        if self._teller:
            self._teller.join()
        return code

    def stop(self, signum: int) -> None:
        """Passes a signal on to it and all that it started, and kills what has not ended after `GRACE_S`."""
        if self._process is None:
            return
        self._signal(signum)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_S)
        self.kill()

    def kill(self) -> None:
        """Kills what is left of the command."""
        self._signal(signal.SIGKILL)
        atexit.unregister(self.kill)

    def _signal(self, signum: int) -> None:
        # The group outlives its leader as long as anything that it started lives.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._process is not None:
                os.killpg(self._process.pid, signum)

    def _tell(self, process: "subprocess.Popen[bytes]") -> None:
        """Shows each line that it writes until it has ended, but not what it left running writes after that."""
        rest, ended = b"", False
        with self._log.open("rb") as written:
            while not ended:
                ended = process.poll() is not None  # asked first: what it wrote last is read after that
                *lines, rest = (rest + written.read()).split(b"\n")
                for line in lines:
                    self._say_line(line)
                if not ended:
                    gevent.sleep(TELL_EVERY_S)
        if rest:
            self._say_line(rest)

    def _say_line(self, line: bytes) -> None:
        self._say(line.decode(errors="replace").rstrip("\r"))


def _environment() -> dict[str, str]:
    """Ours without our own options, and with the region that we look in where boto3 finds it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    if environment.get(_REGION) and not environment.get(_REGION_OF_BOTO3):
        environment[_REGION_OF_BOTO3] = environment[_REGION]
    return environment
