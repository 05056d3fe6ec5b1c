"""Arrival rates: steps, ramps and bursts are straight lines, and words say the same."""

import pytest

from harness.core.experiment.rates import Leg, cut, lasting_rate, legs, peak_rate, rate_at, read, worded
from harness.core.experiment.types import ArrivalRate, RateStep

STEP = RateStep(at_s=0, rate=10)
RAMP = RateStep(at_s=5, ramp_to=50, for_s=10)
BURST = RateStep(at_s=20, rate=200, for_s=2)


@pytest.mark.parametrize(
    ("at_s", "rate"), [(0, 10), (4.9, 10), (5, 10), (10, 30), (15, 50), (19.9, 50), (20, 200), (22, 50), (900, 50)]
)
def test_a_rate_steps_ramps_and_bursts(at_s: float, rate: float) -> None:
    """A ramp begins at the rate before it, and a burst goes back to that."""
    assert rate_at(legs((STEP, RAMP, BURST)), at_s) == pytest.approx(rate)


def test_one_rate_holds_for_ever() -> None:
    """It has one leg."""
    assert legs(20.0) == (Leg(0.0, 20.0),)


def test_steps_may_begin_later_and_go_on_from_another_rate() -> None:
    """As when a person changes the rate during a run."""
    asked = legs((RateStep(at_s=0, ramp_to=100, for_s=10),), since_s=30, before=20)
    assert [rate_at(asked, at_s) for at_s in (30, 35, 50)] == [20, 60, 100]


def test_a_cut_ramp_goes_on_where_it_is() -> None:
    """What was asked for before is left out, the rest is the same."""
    assert cut(legs((STEP, RAMP)), 10) == (Leg(10, 30, 4), Leg(15, 50))


def test_peak_and_lasting_rate() -> None:
    """The highest there is, and the one that stays."""
    assert (peak_rate((STEP, RAMP, BURST)), lasting_rate((STEP, RAMP, BURST))) == (200, 50)
    assert (peak_rate(7.0), lasting_rate(7.0)) == (7, 7)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("20", 20.0),
        (" 1e3 ", 1000.0),
        ("0.5", 0.5),
        ("200 for 10s", (RateStep(at_s=0, rate=200, for_s=10),)),
        ("to 50 in 1m30s", (RateStep(at_s=0, ramp_to=50, for_s=90),)),
        ("5 for 30s, to 9 in 1m", (RateStep(at_s=0, rate=5), RateStep(at_s=30, ramp_to=9, for_s=60))),
        ("to 9 in 1m, 8", (RateStep(at_s=0, ramp_to=9, for_s=60), RateStep(at_s=60, rate=8))),
        ("5 for 1h, 200 for 10", (RateStep(at_s=0, rate=5), RateStep(at_s=3600, rate=200, for_s=10))),
    ],
)
def test_words_are_read(text: str, rate: ArrivalRate) -> None:
    """One after the other, a burst only at the end."""
    assert read(text) == rate


@pytest.mark.parametrize(
    "text",
    ["", "-1", "nan", "inf", "2e6", "5,", "5, 10", "to 50", "50 in 10s", "5 for 0s", "5 for ever", "5 for 9999h"],
)
def test_words_that_say_no_rate_are_refused(text: str) -> None:
    """None is guessed at."""
    with pytest.raises(ValueError, match=r"no rate|no end|at most|a duration is like"):
        read(text)


@pytest.mark.parametrize(
    ("rate", "text"),
    [(20.0, "20"), ((STEP, RAMP, BURST), "10, from 5s to 50 in 10s, from 20s 200 for 2s")],
)
def test_a_rate_is_said_in_words(rate: ArrivalRate, text: str) -> None:
    """As a timeline shows what somebody asked for."""
    assert worded(rate) == text
