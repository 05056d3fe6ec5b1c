"""The exit code of a Locust process, decided after everybody else had a say.

Locust calls the listeners of `quitting` in reverse order and takes the code that the last one left: a locustfile's own
check, which is registered before any listener of ours, would overwrite the verdict. So ours is no listener. It goes
around the events that end a process, and around a `sys.exit` that comes from anywhere else.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import locust.log

from harness.errors import ExitCode, worst
from harness.plugin.role import AtOnce, Role
from harness.streams import tell

BY_ATTRIBUTE, BY_EXIT, BY_FAILURE, BY_SIGNAL = (
    "environment.process_exit_code",
    "sys.exit",
    "an exception in a listener of `quitting`",
    "SIGINT",
)

Fire = Callable[..., None]


class LastWord:
    """Ends `role` before any listener of `quitting` is called, and settles the exit code when all of them were.

    What the locustfile asks for counts where it is worse than the role's own code, and never where it is better.
    """

    def __init__(self, environment: Any, role: Role) -> None:
        self._environment = environment
        self._role = role
        self._own: int | None = None
        self._asked: list[tuple[str, int]] = []
        self._quitting_began = False
        quitting, quit_, hub = environment.events.quitting, environment.events.quit, gevent.get_hub()
        self._fire_quitting: Fire = quitting.fire
        self._fire_quit: Fire = quit_.fire
        self._end_by: Fire = hub.handle_system_error
        quitting.fire, quit_.fire, hub.handle_system_error = self._quitting, self._quit, self._ended_by

    def _quitting(self, **told: Any) -> None:
        """Locust takes `process_exit_code` right afterwards."""
        first, self._quitting_began = not self._quitting_began, True
        if first:  # a signal may have Locust ask twice
            self._note(BY_ATTRIBUTE, self._environment.process_exit_code)
        self._own = self._role.quitting()
        if self._own is not None:
            self._environment.process_exit_code = self._own  # for listeners that look at it
        if first:
            self._hear(told)
            self._note(BY_ATTRIBUTE, self._environment.process_exit_code)
        self._settle()

    def _hear(self, told: dict[str, Any]) -> None:
        failed_before, locust.log.unhandled_greenlet_exception = locust.log.unhandled_greenlet_exception, False
        with self._noting():
            self._fire_quitting(**told)
        if locust.log.unhandled_greenlet_exception:
            self._note(BY_FAILURE, ExitCode.USAGE)  # as Locust has it
        locust.log.unhandled_greenlet_exception |= failed_before

    def _quit(self, *, exit_code: Any, **told: Any) -> None:
        """The last event of all: Locust exits afterwards."""
        asked = len(self._asked)
        with self._noting():
            self._fire_quit(exit_code=exit_code, **told)
        if len(self._asked) > asked:
            self._settle()
            raise AtOnce(self._environment.process_exit_code)

    def _ended_by(self, kind: type[BaseException], error: BaseException, traceback: Any = None) -> None:
        """A `sys.exit` of a task, or of a listener while a test ends, takes Locust's orderly way out."""
        if kind is SystemExit and not self._quitting_began:
            self._note(BY_EXIT, _told_by(error))
            kind, error, traceback = KeyboardInterrupt, KeyboardInterrupt(), None
        self._end_by(kind, error, traceback)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except AtOnce:
            raise
        except SystemExit as error:
            self._note(BY_EXIT, _told_by(error))
        except KeyboardInterrupt:
            self._note(BY_SIGNAL, ExitCode.INTERRUPTED)

    def _note(self, who: str, code: Any) -> None:
        if code is not None:
            self._asked.append((who, _of_a_process(code)))

    def _settle(self) -> None:
        """Makes the worst of all codes the process's; the role tells people."""
        own, asked = self._own, dict(one for one in self._asked if one[1] != self._own)
        codes = [*([] if own is None else [own]), *asked.values()]
        if not codes:
            return  # nobody has a word to say but Locust itself
        code = self._environment.process_exit_code = worst(codes)
        others = " and ".join(f"{asked_code} by {who}" for who, asked_code in asked.items())
        said = f"exit code {others} was asked for, the run's own is {own}, and so the process ends with {code}"
        self._role.settled(code, said if own is not None and asked else None)


def _told_by(error: BaseException) -> Any:
    """The code of a `sys.exit`; a text in its place is printed, as Python does."""
    code = error.code if isinstance(error, SystemExit) else None
    if code is not None and not isinstance(code, int):
        tell(str(code))
    return 0 if code is None else code


def _of_a_process(code: Any) -> int:
    """What the caller of a process sees that ends with `sys.exit(code)`."""
    return int(code) & 0xFF if isinstance(code, int) else 1
