"""The exit code of a Locust process: never better than the run's own, worse only where somebody asks for it."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gevent
import pytest

with pytest.MonkeyPatch.context() as environment_variables:
    environment_variables.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")  # other tests need sockets as they are
    import locust.log
    from locust.env import Environment

    from harness.plugin.last_word import LastWord
    from harness.plugin.role import AtOnce, Role


class Ended(Role):
    """A role whose run ended with this code."""

    def __init__(self, environment: Any, code: int | None) -> None:
        super().__init__(environment)
        self._code = code
        self.said: list[tuple[int, str | None]] = []

    def test_start(self) -> None:
        """Does nothing."""

    def test_stop(self) -> None:
        """Does nothing."""

    def signalled(self, code: object) -> None:
        """Does nothing."""

    def quitting(self) -> int | None:
        """The code."""
        return self._code

    def settled(self, code: int, worse: Mapping[str, int], said: str | None) -> None:
        """Notes it."""
        self.worse = dict(worse)
        self.said.append((code, said))


Listen = Callable[[Environment], None]


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[int | None, str | None]]]:
    """What a process ends with, and what is said of it, whose locustfile listens before and after ours."""
    hub = gevent.get_hub()
    own = vars(hub).get("handle_system_error")
    monkeypatch.setattr(locust.log, "unhandled_greenlet_exception", False)
    monkeypatch.setattr(os, "_exit", os._exit)

    def end(code: int | None, before: Listen = lambda _: None, after: Listen = lambda _: None) -> Any:
        environment = Environment()
        before(environment)
        role = Ended(environment, code)
        LastWord(environment, role)
        after(environment)
        environment.events.quitting.fire(environment=environment, reverse=True)
        decided = environment.process_exit_code
        try:
            environment.events.quit.fire(exit_code=decided)
        except SystemExit as error:
            decided = error.code
        return decided, role.said[-1][1] if role.said else None

    yield end
    if own is None:
        vars(hub).pop("handle_system_error", None)


def sets(code: object) -> Listen:
    """A listener that sets the process's exit code, as Locust's documentation has it."""

    def listen(environment: Environment) -> None:
        def check(environment: Any, **_: Any) -> None:
            environment.process_exit_code = code

        environment.events.quitting.add_listener(check)

    return listen


def exits(code: int | str | None, event: str = "quitting") -> Listen:
    """A listener that ends the process."""
    return lambda environment: getattr(environment.events, event).add_listener(lambda **_: sys.exit(code))


def leaves(code: int, event: str = "quitting") -> Listen:
    """A listener that ends the process as if there were no time to lose."""
    return lambda environment: getattr(environment.events, event).add_listener(lambda **_: os._exit(code))


def fails(environment: Environment) -> None:
    """A listener with a bug."""
    environment.events.quitting.add_listener(lambda **_: 1 / 0)


SAID = "exit code {code} by {who} was asked for, the run's own is {own}, and so the process ends with {code}"
ASKS: list[Any] = [
    sets(0),
    sets(False),
    sets(256),
    exits(0),
    exits(None),
    exits(0, "quit"),
    leaves(0),
    leaves(0, "quit"),
]
IDS = ["0", "False", "256", "sys.exit(0)", "sys.exit()", "sys.exit(0) in quit", "os._exit(0)", "os._exit(0) in quit"]


@pytest.mark.parametrize("ask", ASKS, ids=IDS)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("own", [1, 3, 4, 5, 130, 143])
def test_nobody_makes_it_better(ends: Callable[..., Any], own: int, ask: Listen, when: str) -> None:
    """Whether a listener was registered before ours or after, and whatever way it takes."""
    code, said = ends(own, **{when: ask})
    assert code == own
    assert "exit code 0 by" in said
    assert f"the run's own is {own}, and so the process ends with {own}" in said


@pytest.mark.parametrize(
    ("ask", "own", "code", "who"),
    [
        (sets(1), 0, 1, "environment.process_exit_code"),
        (sets(3), 0, 3, "environment.process_exit_code"),
        (sets(7), 3, 7, "environment.process_exit_code"),
        (sets(1), 4, 1, "environment.process_exit_code"),
        (sets("no"), 0, 1, "environment.process_exit_code"),
        (sets(True), 0, 1, "environment.process_exit_code"),
        (exits(9), 0, 9, "sys.exit"),
        (exits("too many failures"), 0, 1, "sys.exit"),
        (exits(9, "quit"), 0, 9, "sys.exit"),
        (leaves(9), 0, 9, "os._exit"),
        (fails, 0, 2, "an exception in a listener of `quitting`"),
    ],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_locustfile_makes_it_worse(
    ends: Callable[..., Any], ask: Listen, own: int, code: int, who: str, when: str
) -> None:
    """Its check counts, and a line says so."""
    decided, said = ends(own, **{when: ask})
    assert decided == code
    assert (
        said == f"exit code {code} by {who} was asked for, the run's own is {own}, and so the process ends with {code}"
    )


def test_a_code_that_was_set_while_the_test_ran_counts(ends: Callable[..., Any]) -> None:
    """Not only one of a listener."""
    code, said = ends(0, before=lambda environment: setattr(environment, "process_exit_code", 6))
    assert (code, said) == (6, SAID.format(code=6, who="environment.process_exit_code", own=0))


def test_without_any_wish_nothing_is_said(ends: Callable[..., Any]) -> None:
    """The run's own code is the process's."""
    assert ends(3) == (3, None)


def test_listeners_see_the_runs_own_code(ends: Callable[..., Any]) -> None:
    """A check that only makes good codes worse works as it is."""
    seen: list[int] = []

    def look(environment: Environment) -> None:
        environment.events.quitting.add_listener(lambda environment, **_: seen.append(environment.process_exit_code))

    assert ends(3, before=look, after=look) == (3, None)
    assert seen == [3, 3]


def test_without_a_run_locust_decides(ends: Callable[..., Any]) -> None:
    """A web page that never ran a test has no code of its own, and a locustfile's counts."""
    assert ends(None) == (None, None)
    assert ends(None, before=sets(7)) == (7, None)


def test_ctrl_c_while_listeners_run_counts(ends: Callable[..., Any]) -> None:
    """The process ends in good order, as interrupted."""

    def interrupted(**_: Any) -> None:
        raise KeyboardInterrupt

    code, _ = ends(0, before=lambda environment: environment.events.quitting.add_listener(interrupted))
    assert code == 130


def test_a_second_signal_is_not_held_up(ends: Callable[..., Any]) -> None:
    """It ends the process at once, with its own code."""

    def at_once(**_: Any) -> None:
        raise AtOnce(143)

    with pytest.raises(AtOnce):
        ends(0, before=lambda environment: environment.events.quitting.add_listener(at_once))


@pytest.mark.parametrize(("asked", "code"), [(0, 4), (9, 9)])
def test_an_exit_from_a_task_takes_the_orderly_way(ends: Callable[..., Any], asked: int, code: int) -> None:
    """Locust is interrupted, so that the run ends with its verdict, and the code counts as any other."""

    def leave(_: Environment) -> None:
        gevent.spawn(sys.exit, asked)
        with pytest.raises(KeyboardInterrupt):
            gevent.sleep(0.05)

    decided, said = ends(4, after=leave)
    assert decided == code
    assert f"exit code {asked} by sys.exit was asked for" in said
