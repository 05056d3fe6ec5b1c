"""Every error the harness raises on purpose, split by whose fault it is.

    HarnessError                 exit 1  the harness or its surroundings failed
    ├── UsageError               exit 2  the person asked for something that cannot be
    │   ├── ExperimentError      exit 2  ... in an experiment; `path` says where
    │   └── TemplateError        exit 2  ... in a template of a release; `line` says where
    ├── NotAllowed               exit 5  a guard rail, or no permission to write, forbids it while the run lasts
    ├── AwsError                 exit 1  AWS (or the local cloud) answered no
    │   ├── AccessDenied         exit 1  ... because the credentials may not
    │   ├── BadCredentials       exit 1  ... because it does not know the credentials, or not any more
    │   ├── NotFound             exit 1  ... because the thing does not exist
    │   ├── Throttled            exit 1  ... because we ask too often
    │   └── Unavailable          exit 1  ... because it failed itself
    ├── Unreachable              exit 1  no answer at all
    ├── CloudError               exit 1  the local cloud did not start, or died
    ├── Exhausted                exit 1  this machine gave no more descriptors or memory
    └── TimelineError            exit 1  a timeline cannot be read

Foreign exceptions become one of these at the edge where they are caught, with the cause kept.
"""

import errno
from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells its caller; the same for every command."""

    AS_EXPECTED = 0
    HARNESS_FAILED = 1
    USAGE = 2
    CONTRARY = 3
    INCONCLUSIVE = 4
    GUARD_RAIL = 5
    INTERRUPTED = 130
    TERMINATED = 143


_BEST_FIRST = (
    ExitCode.AS_EXPECTED,
    ExitCode.INCONCLUSIVE,
    ExitCode.GUARD_RAIL,
    ExitCode.USAGE,
    ExitCode.HARNESS_FAILED,
    ExitCode.CONTRARY,
)


def worst(codes: Iterable[int]) -> int:
    """The exit code of several runs that says most against going on; any other number, as of a signal, goes first."""
    return max(codes, key=lambda code: _BEST_FIRST.index(code) if code in _BEST_FIRST else len(_BEST_FIRST))


class HarnessError(Exception):
    """The harness or its surroundings failed; the message is one sentence for a person.

    `doubted` says that an earlier attempt of the same call got no answer, and may have acted.
    """

    exit_code = ExitCode.HARNESS_FAILED
    doubted = False


class UsageError(HarnessError):
    """The person asked for something that cannot be; the message names the field and the fix."""

    exit_code = ExitCode.USAGE


class ExperimentError(UsageError):
    """An experiment is not valid; `path` is the field, for example `traffic.error_share`, `line` its line in a file."""

    def __init__(self, path: str, problem: str, line: int | None = None) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path
        self.line = line


class TemplateError(UsageError):
    """A template cannot be read; `file` is its path, `line` the line in it, None where it is wrong as a whole."""

    def __init__(self, file: str, line: int | None, problem: str) -> None:
        super().__init__(f"{file}:{line}: {problem}" if line else f"{file}: {problem}")
        self.file = file
        self.line = line


class RunEnding(HarnessError):
    """The run is ending, so nothing more is changed on AWS."""


class NotAllowed(HarnessError):
    """A guard rail forbids it, or nobody allowed changes on AWS; what was asked for was not done."""

    exit_code = ExitCode.GUARD_RAIL


class AwsError(HarnessError):
    """AWS answered no; `call` is the operation as in `codedeploy:GetDeployment`, `code` AWS's word."""

    def __init__(self, call: str, code: str, message: str) -> None:
        super().__init__(f"{call} failed with {code}: {message}")
        self.call = call
        self.code = code


class AccessDenied(AwsError):
    """The credentials may not make this call; the fix is to allow `call` in the policy."""


class BadCredentials(AwsError):
    """The credentials have expired or are not valid; the fix is to renew them."""


class NotFound(AwsError):
    """The application, group, deployment, alias or alarm does not exist."""


class Throttled(AwsError):
    """AWS refused the call because of its rate."""


class Unavailable(AwsError):
    """AWS answered with a failure of its own (5xx); the call may have taken effect all the same."""


class Unreachable(HarnessError):
    """No answer came: connection refused or reset, timeout, name not resolved, or half an answer."""

    def __init__(self, call: str, problem: str) -> None:
        super().__init__(f"{call} got no answer: {problem}")
        self.call = call


class CloudError(HarnessError):
    """The local cloud did not start, or died while it was needed."""


class Exhausted(HarnessError):
    """This machine, or a limit on this process, gave no more descriptors or memory."""


class TimelineError(HarnessError):
    """A timeline cannot be read; the message names the file and the line."""


_NO_MEMORY = "this process got no more memory: give it more, or send less per second"
_LACKS = {
    errno.EMFILE: "this process ran out of file descriptors: raise the limit (ulimit -n), or send less per second",
    errno.ENFILE: "this machine ran out of file descriptors: end what holds them, or raise fs.file-max",
    errno.ENOMEM: _NO_MEMORY,
}


_SAY_NO_MEMORY = ("failed to map segment", "cannot allocate memory", "can't start new thread")
"""What the dynamic loader and Python say where there is too little: of a library as ImportError, of a thread."""


def _says_no_memory(error: BaseException) -> bool:
    return isinstance(error, ImportError | RuntimeError) and any(said in str(error).lower() for said in _SAY_NO_MEMORY)


def exhausted(error: BaseException | None) -> Exhausted | None:
    """What ran out, where an error or what led to it says that something did; None for every other error."""
    while error is not None:
        if isinstance(error, Exhausted):
            return error
        if isinstance(error, MemoryError) or _says_no_memory(error):
            return Exhausted(_NO_MEMORY)
        if isinstance(error, OSError) and error.errno in _LACKS:
            return Exhausted(_LACKS[error.errno])
        error = error.__cause__ or error.__context__
    return None


def sentence_of(error: BaseException) -> str | None:
    """What to tell of an error; None where it is a bug, of which its traceback tells more."""
    told = exhausted(error) or error
    return str(told) if isinstance(told, HarnessError) else None
