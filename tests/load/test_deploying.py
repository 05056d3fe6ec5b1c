"""When a rehearsal deploys, and what that does to alarms that count by the minute."""

from collections import Counter

import pytest

from harness.core.pacing import Pacer, Plan, share_draw
from harness.core.parse import parse
from harness.core.rates import legs
from harness.load.deploying import PHASE_ROOM_S
from harness.rehearsal import experiments

MINUTE_S = 60.0


@pytest.mark.parametrize("created_s", [0.0, PHASE_ROOM_S / 2, PHASE_ROOM_S])
def test_errors_below_the_threshold_stay_clear_of_the_end_of_each_minute(created_s: float) -> None:
    """Two a minute at whatever second it deploys, and a quarter of a minute for a machine that stalls."""
    experiment = parse(experiments.text("below-threshold"), source="below-threshold")
    (fault,) = experiment.faults
    since_s, rate = created_s + fault.at_s, experiment.traffic.arrival_rate
    assert isinstance(rate, float)
    assert fault.error_share
    pacer, shares = Pacer(Plan().changed(0.0, legs(rate))), share_draw(experiment.traffic.pattern, seed=1)
    errors_s = []
    while (due_s := pacer.due_s()) < 10 * MINUTE_S:
        if shares.draw(fault.error_share):
            errors_s.append(since_s + due_s)
        pacer.advance()
    assert all(at_s % MINUTE_S <= 0.75 * MINUTE_S for at_s in errors_s)
    assert set(Counter(at_s // MINUTE_S for at_s in errors_s).values()) == {2}
