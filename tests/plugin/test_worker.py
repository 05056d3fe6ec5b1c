"""A worker that is alone: nobody could stop what it sends."""

import os
import time
from types import SimpleNamespace
from typing import Any

import gevent
import pytest

with pytest.MonkeyPatch.context() as environment_variables:
    environment_variables.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")  # other tests need sockets as they are
    from locust.stats import RequestStats

    from harness.plugin import worker
    from harness.plugin.worker import Worker

LONG_S, SHORT_S = 2 * worker.MASTER_SILENT_S, 0.0
ROUND_S = 0.01


class Runner:
    """What a worker needs of Locust's."""

    client_id = "w"

    def __init__(self, heard_s_ago: float) -> None:
        self.last_heartbeat_timestamp = time.time() - heard_s_ago
        self.ended = False

    def register_message(self, *_: Any) -> None:
        """Hears nothing."""

    def stop(self) -> None:
        """Stops users."""

    def quit(self) -> None:
        """Notes that the process would end."""
        self.ended = True


def ends(monkeypatch: pytest.MonkeyPatch, *, heard_s_ago: float, sends: bool, processes: int | None = None) -> bool:
    """Whether a worker ends within some rounds whose master was heard so long ago."""
    monkeypatch.setattr(worker, "ROUND_S", ROUND_S)
    monkeypatch.setattr("harness.plugin.crew.Crew.sends", sends)
    runner = Runner(heard_s_ago)
    options = SimpleNamespace(processes=processes)
    Worker(SimpleNamespace(runner=runner, parsed_options=options, stats=RequestStats()))
    for _ in range(5):
        gevent.sleep(ROUND_S)
    return runner.ended


def test_users_stop_before_the_recording_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The master says that the test is over before Locust does; what is sent until then counts."""
    done: list[str] = []
    monkeypatch.setattr("harness.plugin.crew.Crew.end", lambda _: done.append("recording ended"))
    runner = Runner(SHORT_S)
    monkeypatch.setattr(runner, "stop", lambda: done.append("users stopped"))
    options = SimpleNamespace(processes=None)
    Worker(SimpleNamespace(runner=runner, parsed_options=options, stats=RequestStats()))._on_end()
    gevent.sleep(ROUND_S)
    assert done == ["users stopped", "recording ended"]


def test_a_worker_whose_master_is_silent_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The master answers each second, so it is gone, or cut off."""
    assert ends(monkeypatch, heard_s_ago=LONG_S, sends=True)


@pytest.mark.parametrize(("heard_s_ago", "sends"), [(SHORT_S, True), (LONG_S, False)], ids=["heard", "sends nothing"])
def test_any_other_worker_stays(monkeypatch: pytest.MonkeyPatch, heard_s_ago: float, sends: bool) -> None:
    """A master that writes a long report answers late, and the next test needs its workers."""
    assert not ends(monkeypatch, heard_s_ago=heard_s_ago, sends=sends)


def test_a_worker_that_the_master_started_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it sends or not: its parent is another one then."""
    parents = iter([os.getppid()])
    monkeypatch.setattr(os, "getppid", lambda: next(parents, 1))
    assert ends(monkeypatch, heard_s_ago=SHORT_S, sends=False, processes=2)
