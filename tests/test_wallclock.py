"""Wall time that nobody sets."""

import time

import pytest

from harness.traffic.steering import Timebase
from harness.wallclock import set_forward_s, wall_now


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
