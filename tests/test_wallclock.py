"""Wall time that nobody sets."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import wallclock
from harness.traffic.steering import Timebase
from harness.wallclock import Standstill, behind_s, follow, own_now, set_forward_s, wall_now


def test_a_clock_that_is_set_moves_no_time_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither forward nor back; by how much is known."""
    base, system_s = Timebase(wall_now()), time.time
    assert wall_now() == pytest.approx(system_s(), abs=60.0)
    for step_s in (60.0, -60.0):
        before_s, forward_s = base.now_s(), set_forward_s()
        monkeypatch.setattr(time, "time", lambda step_s=step_s: system_s() + step_s)
        assert 0.0 <= base.now_s() - before_s < 5.0
        assert set_forward_s() - forward_s == pytest.approx(step_s, abs=0.1)
        monkeypatch.setattr(time, "time", system_s)


def test_time_goes_no_further_than_its_lease_nor_than_where_it_is_told_to_stop(tmp_path: Path) -> None:
    """All that share the file see the same, and what was stood still is left out afterwards."""
    world, other = Standstill.create(tmp_path / "world"), Standstill(tmp_path / "world")
    world.renew(0.0)
    stood_s = other.passed_s()
    time.sleep(0.05)
    assert world.passed_s() == other.passed_s() == stood_s
    world.end_lease()
    assert stood_s <= other.passed_s() < stood_s + 0.04
    other.stop_at(0.0)
    time.sleep(0.05)
    assert world.passed_s() == other.passed_s()
    world.go_on()
    before_s = other.passed_s()
    time.sleep(0.01)
    assert other.passed_s() > before_s


def test_time_goes_on_where_whoever_held_it_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, whatever was agreed."""
    monkeypatch.setattr(Standstill, "LONGEST_S", 0.02)
    world = Standstill.create(tmp_path / "world")
    world.renew(0.0)
    stood_s = world.passed_s()
    time.sleep(0.05)
    assert stood_s < world.passed_s() < stood_s + 0.05
    assert world.passed_s() < world.passed_s() + 1e-9


def test_a_stop_ends_after_a_while_though_the_lease_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who stopped it may wait for time to pass: to know that a deployment was not created takes some."""
    monkeypatch.setattr(Standstill, "LONGEST_S", 0.02)
    world = Standstill.create(tmp_path / "world")
    world.stop_at(0.0)
    stood_s = world.passed_s()
    for _ in range(10):
        time.sleep(0.005)
        world.renew(1.0)
    assert stood_s < world.passed_s() < stood_s + 1.0


@given(moves=st.lists(st.sampled_from(["renew", "end_lease", "stop", "go_on"]), max_size=20))
def test_time_never_goes_back(moves: list[str]) -> None:
    """Whatever those do that share it."""
    with TemporaryDirectory() as folder:
        world = Standstill.create(Path(folder) / "world")
    acts = {
        "renew": lambda: world.renew(0.0001),
        "end_lease": world.end_lease,
        "stop": lambda: world.stop_at(wall_now() - 0.0001),
        "go_on": world.go_on,
    }
    before_s = world.passed_s()
    for move in moves:
        acts[move]()
        now_s = world.passed_s()
        assert now_s >= before_s - 1e-6
        before_s = now_s


@pytest.fixture
def own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Goes by this machine's clock again after the test."""
    monkeypatch.setattr(wallclock, "_ahead_s", 0.0)


@pytest.mark.usefixtures("own_clock")
@pytest.mark.parametrize("off_s", [-43_200.0, -2.0, 2.0, 43_200.0])
def test_a_process_goes_by_the_clock_that_it_follows(off_s: float) -> None:
    """Whatever this machine's own one shows, which is behind it by as much, and was set by nobody."""
    forward_s, behind = set_forward_s(), behind_s()
    follow(own_now(), own_now() + off_s)
    assert wall_now() - own_now() == pytest.approx(off_s, abs=0.5)
    assert behind_s() - behind == pytest.approx(-off_s, abs=0.5)
    assert set_forward_s() == pytest.approx(forward_s, abs=0.1)


@pytest.mark.usefixtures("own_clock")
def test_an_answer_that_took_long_moves_no_time() -> None:
    """What was found once is kept as long as it fits."""
    follow(own_now() - 30.0, own_now() - 29.0)
    assert wall_now() - own_now() == pytest.approx(0.0, abs=0.01)
    follow(own_now(), own_now() + 100.0)
    follow(own_now() - 30.0, own_now() + 99.0)
    assert wall_now() - own_now() == pytest.approx(100.0, abs=0.5)
