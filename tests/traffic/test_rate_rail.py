"""The rail of the arrival rate: no second, wherever it begins, carries more requests than it, whatever came before."""

import json
import os
import signal
import subprocess
import sys
import time

import gevent
import pytest

from harness.core.experiment.pacing import WorkerPart
from harness.core.experiment.parse import parse
from harness.traffic import rate_rail
from harness.traffic.fleet import Fleet
from harness.traffic.rate_rail import RateRail, bounds_of
from harness.traffic.steering import Steering, Timebase
from tests.traffic.test_engine import Rig

STOPPED = """
import json, time, gevent
from tests.traffic.test_engine import Rig
rig = Rig(rate=200.0, rail=250.0)
sent_s = []
rig.client.answer = lambda _, answer=rig.client.answer: (sent_s.append(time.monotonic()), answer(_))[1]
print("ready", flush=True)
rig.pace(5.0)
print(json.dumps([sent_s, dict(rig.schedule())]))
"""


def busiest(sent_s: list[float]) -> int:
    """The most requests of any second."""
    return max(sum(began <= sent < began + 1.0 for sent in sent_s) for began in sent_s)


def timed(rig: Rig) -> list[float]:
    """When requests are sent, from now on."""
    sent_s: list[float] = []
    answer = rig.client.answer
    rig.client.answer = lambda prepared: (sent_s.append(time.monotonic()), answer(prepared))[1]
    return sent_s


@pytest.mark.parametrize("rate", [1.0, 7.0, 250.0, 1000.0])
@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_the_parts_of_workers_add_up_to_the_rail(rate: float, workers: int) -> None:
    """Each may send a whole number of requests, and all together no more than the rail."""
    parts = [bounds_of(rate, WorkerPart(index, workers)) for index in range(workers)]
    assert sum(most / window_s for most, window_s in filter(None, parts)) == pytest.approx(rate)


def test_a_rail_of_less_than_one_a_second_lets_one_through_now_and_then() -> None:
    """Half a request a second is one in two."""
    assert bounds_of(0.5, WorkerPart()) == (1, 2.0)


def test_what_is_no_limit_costs_nothing() -> None:
    """Without a rail, or above what a process can send, there is always room."""
    assert bounds_of(None, WorkerPart()) is bounds_of(5e6, WorkerPart()) is None
    assert RateRail().wait_s() == 0.0


def test_a_full_second_has_no_room_until_its_first_request_is_a_second_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """The window slides; what was promised and not sent yet takes room, too."""
    now = [100.0]
    monkeypatch.setattr(rate_rail.time, "monotonic", lambda: now[0])
    rail = RateRail()
    rail.hold((2, 1.0))
    now[0] = 102.0
    rail.promise()
    rail.begun()
    rail.promise()
    assert rail.wait_s() == pytest.approx(1.0)
    now[0] = 102.9
    rail.begun()
    assert rail.wait_s() == pytest.approx(0.1)


def test_the_fleet_tells_every_worker_the_rail_per_second_of_wall_time() -> None:
    """A rail of the experiment counts in its own time; this machine goes without the default."""
    posted: list[Steering] = []
    for rails in ("{arrival_rate: 50}", "{}"):
        experiment = parse(f"{{name: x, target: {{host: 'http://localhost'}}, rails: {rails}}}", source="x")
        Fleet(experiment, Timebase(time.time(), 60.0), lambda _, steering: posted.append(steering)).join("w")
    assert [steering.rail for steering in posted] == [3000.0, None]


def test_starts_that_a_stall_made_late_keep_to_the_rail() -> None:
    """What is overdue is sent as the rail has room, and no second carries more."""
    rig = Rig(rate=200.0, rail=220.0)
    sent_s = timed(rig)
    gevent.spawn_later(0.3, time.sleep, 0.8)
    rig.pace(2.2)
    assert busiest(sent_s) <= 220
    schedule = rig.schedule()
    assert schedule["planned"] == schedule["started"] + schedule["unstarted"] == pytest.approx(440, abs=25)


def test_a_closed_loop_waits_until_the_rail_has_room() -> None:
    """Users who would send more are held back, and the schedule says how late."""
    rig = Rig(rate=0.0, rail=40.0)
    users = [gevent.spawn(rig.engine.send_in_turn, lambda: None) for _ in range(5)]
    gevent.sleep(1.0)
    gevent.killall(users)
    rig.end()
    assert 20 <= len(rig.client.sent) <= 41


@pytest.mark.slow
def test_a_process_that_was_stopped_catches_up_with_nothing() -> None:
    """After SIGSTOP and SIGCONT each overdue start is unstarted, once, and no second is busier than the plan."""
    with subprocess.Popen([sys.executable, "-c", STOPPED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        time.sleep(1.0)
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(2.5)
        os.kill(process.pid, signal.SIGCONT)
        sent_s, schedule = json.loads(process.communicate(timeout=20)[0])
    assert busiest(sent_s) <= 250
    assert schedule["planned"] == schedule["started"] + schedule["unstarted"] == pytest.approx(1000, abs=30)
    assert schedule["unstarted"] >= 450
