"""A worker that is alone: nobody could stop what it sends."""

import itertools
import os
import time
from types import SimpleNamespace
from typing import Any

import gevent
import pytest

with pytest.MonkeyPatch.context() as environment_variables:
    environment_variables.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")  # other tests need sockets as they are
    from locust import runners
    from locust.stats import RequestStats

    from harness.plugin import worker
    from harness.plugin.worker import Worker

ROUND_S = 0.01
AT_ONCE_S, NEVER_S = 0.0, 1e9


class Runner:
    """What a worker needs of Locust's."""

    client_id = "w"

    def __init__(self, *, heard: bool = True) -> None:
        self._heard = heard
        self._beats = itertools.count(1.0)
        self.ended = False

    @property
    def last_heartbeat_timestamp(self) -> float:
        """Another one each time, as long as the master is heard."""
        return next(self._beats) if self._heard else 1.0

    def register_message(self, *_: Any) -> None:
        """Hears nothing."""

    def send_message(self, *_: Any) -> None:
        """Tells nobody."""

    def stop(self) -> None:
        """Stops users."""

    def quit(self) -> None:
        """Notes that the process would end."""
        self.ended = True


def ends(
    monkeypatch: pytest.MonkeyPatch,
    *,
    heard: bool = True,
    sends: bool = False,
    gone_s: float = NEVER_S,
    processes: int | None = None,
) -> bool:
    """Whether a worker ends within some rounds."""
    monkeypatch.setattr(worker, "ROUND_S", ROUND_S)
    monkeypatch.setattr(worker, "MASTER_SILENT_S", AT_ONCE_S)
    monkeypatch.setattr(worker, "MASTER_GONE_S", gone_s)
    monkeypatch.setattr("harness.plugin.crew.Crew.sends", sends)
    runner = Runner(heard=heard)
    options = SimpleNamespace(processes=processes)
    Worker(SimpleNamespace(runner=runner, parsed_options=options, stats=RequestStats()))
    for _ in range(5):
        gevent.sleep(ROUND_S)
    return runner.ended


def test_users_stop_before_the_recording_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The master says that the test is over before Locust does; what is sent until then counts."""
    done: list[str] = []
    monkeypatch.setattr("harness.plugin.crew.Crew.end", lambda _: done.append("recording ended"))
    runner = Runner()
    monkeypatch.setattr(runner, "stop", lambda: done.append("users stopped"))
    options = SimpleNamespace(processes=None)
    Worker(SimpleNamespace(runner=runner, parsed_options=options, stats=RequestStats()))._on_end()
    gevent.sleep(ROUND_S)
    assert done == ["users stopped", "recording ended"]


def test_a_worker_whose_master_is_silent_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The master answers each second, so it is gone, or cut off; a worker that sends nothing waits longer."""
    assert ends(monkeypatch, heard=False, sends=True)
    assert ends(monkeypatch, heard=False, gone_s=AT_ONCE_S)


@pytest.mark.parametrize(("heard", "sends"), [(True, True), (False, False)], ids=["heard", "sends nothing"])
def test_any_other_worker_stays(monkeypatch: pytest.MonkeyPatch, heard: bool, sends: bool) -> None:
    """A master that writes a long report answers late, and the next test needs its workers."""
    assert not ends(monkeypatch, heard=heard, sends=sends)


def test_a_clock_that_is_set_makes_no_master_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for us, nor for Locust, which holds the time of day against its patience."""
    days = itertools.count(time.time(), 86_400.0)
    monkeypatch.setattr(time, "time", lambda: next(days))
    assert not ends(monkeypatch, sends=True)
    assert time.time() - runners.MASTER_HEARTBEAT_TIMEOUT < 0


def test_a_worker_that_the_master_started_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it sends or not: its parent is another one then."""
    parents = iter([os.getppid()])
    monkeypatch.setattr(os, "getppid", lambda: next(parents, -1))  # 1 may be its parent already
    assert ends(monkeypatch, processes=2)
