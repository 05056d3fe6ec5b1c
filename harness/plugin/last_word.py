"""The exit code of a Locust process, decided after everybody else had a say.

Locust calls the listeners of `quitting` in reverse order and takes the code that the last one left: a locustfile's own
check, which is registered before any listener of ours, would overwrite the verdict. So ours is no listener. It goes
around the events that end a process, and around a `sys.exit` that comes from anywhere else. An `os._exit`, which would
leave no time for a verdict, is taken for a `sys.exit`.
"""

import atexit
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import gevent
import gevent.event
import locust.log

from harness.errors import ExitCode, worst
from harness.plugin.role import AtOnce, Role
from harness.streams import tell

BY_ATTRIBUTE, BY_EXIT, BY_LEAVING, BY_FAILURE, BY_SIGNAL, BY_LOCUST = (
    "environment.process_exit_code",
    "sys.exit",
    "os._exit",
    "an exception in a listener of `quitting`",
    "SIGINT",
    "a failure of Locust's while it ended",
)

Fire = Callable[..., None]


class _Left(SystemExit):
    """An `os._exit`, as an exception."""


class LastWord:
    """Ends `role` before any listener of `quitting` is called, and settles the exit code when all of them were.

    What the locustfile asks for counts where it is worse than the role's own code, and never where it is better. The
    role is told once, when Locust has nothing left to do but to exit; until then a crash is a crash.
    """

    def __init__(self, environment: Any, role: Role) -> None:
        self._environment = environment
        self._role = role
        self._own: int | None = None
        self._asked: list[tuple[str, int]] = []
        self._quitting_began = self._quit_began = self._told = False
        self._heard, self._over = gevent.event.Event(), gevent.event.Event()
        quitting, quit_, hub = environment.events.quitting, environment.events.quit, gevent.get_hub()
        self._fire_quitting: Fire = quitting.fire
        self._fire_quit: Fire = quit_.fire
        self._end_by: Fire = hub.handle_system_error
        quitting.fire, quit_.fire, hub.handle_system_error = self._quitting, self._quit, self._ended_by
        self._process_id, self._leave = os.getpid(), os._exit
        os._exit = self._left
        atexit.register(self._failed)

    def _quitting(self, **told: Any) -> None:
        """Locust takes `process_exit_code` right afterwards; a signal may have it ask twice at the same time."""
        if self._quitting_began:
            self._heard.wait()
            return
        self._quitting_began = True
        try:
            self._note(BY_ATTRIBUTE, self._environment.process_exit_code)
            self._own = self._role.quitting()
            if self._own is not None:
                self._environment.process_exit_code = self._own  # for listeners that look at it
            self._hear(told)
            self._note(BY_ATTRIBUTE, self._environment.process_exit_code)
            self._settle()
        finally:
            self._heard.set()

    def _hear(self, told: dict[str, Any]) -> None:
        failed_before, locust.log.unhandled_greenlet_exception = locust.log.unhandled_greenlet_exception, False
        with self._noting():
            self._fire_quitting(**told)
        if locust.log.unhandled_greenlet_exception:
            self._note(BY_FAILURE, ExitCode.USAGE)  # as Locust has it
        locust.log.unhandled_greenlet_exception |= failed_before

    def _quit(self, *, exit_code: Any, **told: Any) -> None:
        """The last event of all: Locust exits afterwards."""
        if self._quit_began:
            self._over.wait()
        else:
            self._quit_began = True
            with self._noting():
                self._fire_quit(exit_code=exit_code, **told)
            self._tell()
            self._over.set()
        code = self._environment.process_exit_code
        if code is not None and code != exit_code:
            raise AtOnce(code)

    def _failed(self) -> None:
        """Locust failed while it ended, such as at a file of its own: Python makes the exit code 1."""
        if self._own is not None and not self._told:
            self._note(BY_LOCUST, ExitCode.HARNESS_FAILED)
            self._tell()

    def _ended_by(self, kind: type[BaseException], error: BaseException, traceback: Any = None) -> None:
        """A `sys.exit` of a task, or of a listener while a test ends, takes Locust's orderly way out."""
        if kind is AtOnce:
            self._told = True  # there is no time for more
        if kind in (SystemExit, _Left) and not self._quitting_began:
            self._note(_asker(error), _told_by(error))
            kind, error, traceback = KeyboardInterrupt, KeyboardInterrupt(), None
        self._end_by(kind, error, traceback)

    def _left(self, status: int) -> NoReturn:
        """An `os._exit`: of a child, such as one on its way to another program, it is none of ours."""
        if os.getpid() != self._process_id:
            self._leave(status)
        if self._told:
            self._leave(worst((_of_a_process(status), self._environment.process_exit_code or 0)))
        raise _Left(status)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except AtOnce:
            raise
        except SystemExit as error:
            self._note(_asker(error), _told_by(error))
        except KeyboardInterrupt:
            self._note(BY_SIGNAL, ExitCode.INTERRUPTED)

    def _note(self, who: str, code: Any) -> None:
        if code is not None:
            self._asked.append((who, _of_a_process(code)))

    def _settle(self) -> None:
        """Makes the worst of all codes the process's; where nobody says a word, that is for Locust to say."""
        codes = [*([] if self._own is None else [self._own]), *self._others.values()]
        if codes:
            self._environment.process_exit_code = worst(codes)

    def _tell(self) -> None:
        """Has the role tell people, once."""
        if self._told:
            return
        self._told = True
        self._settle()
        own, code, others = self._own, self._environment.process_exit_code, self._others
        wishes = " and ".join(f"{asked} by {who}" for who, asked in others.items())
        said = f"exit code {wishes} was asked for, the run's own is {own}, and so the process ends with {code}"
        if own is not None:
            worse = {who: asked for who, asked in others.items() if worst((own, asked)) != own}
            self._role.settled(code, worse, said if others else None)

    @property
    def _others(self) -> dict[str, int]:
        """The codes that were asked for and are not the run's own, by who asked."""
        return dict(one for one in self._asked if one[1] != self._own)


def _asker(error: BaseException) -> str:
    return BY_LEAVING if isinstance(error, _Left) else BY_EXIT


def _told_by(error: BaseException) -> Any:
    """The code of a `sys.exit`; a text in its place is printed, as Python does."""
    code = error.code if isinstance(error, SystemExit) else None
    if code is not None and not isinstance(code, int):
        tell(str(code))
    return 0 if code is None else code


def _of_a_process(code: Any) -> int:
    """What the caller of a process sees that ends with `sys.exit(code)`."""
    return int(code) & 0xFF if isinstance(code, int) else 1
