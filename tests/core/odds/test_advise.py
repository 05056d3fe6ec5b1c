"""What is advised: nothing that another setting beats, and nothing recommended that the numbers do not hold."""

import random

import pytest
from msgspec.structs import replace

from harness.core.odds import advise as advising
from harness.core.odds.advise import advise, is_better, with_alarm
from harness.core.odds.advised import AdvisedOption
from harness.core.odds.chances import outlook
from harness.core.odds.changed import with_config, without_fault
from harness.core.odds.setting import FaultModel
from harness.core.timeline.presets import config_named
from tests.core.odds.releases import setting, watch


def option(**given: object) -> AdvisedOption:
    """A setting that catches every fault and never rolls back falsely, unless said otherwise."""
    known = {"alarm": None, "config": "x", "chance": 1.0, "low": 1.0, "high": 1.0, "roll_back_s": 100.0, "failed": 50.0}
    return AdvisedOption(**{**known, "false_rollbacks": 0.0, "lasts_s": 300.0, "by": "exact", **given})  # type: ignore[arg-type]


def test_a_noisy_alarm_gets_a_calmer_one() -> None:
    """Three errors a minute are usual at 20 requests a second and one failure in a thousand."""
    found = advise(setting(20.0, usual=0.001), rollouts=False)
    assert found.now is not None
    assert found.now.false_rollbacks > 20
    assert found.recommended is not None
    assert found.recommended.chance > 0.99
    assert found.recommended.false_rollbacks < 1


def test_what_is_told_of_an_option_is_what_predict_says_of_it() -> None:
    """Chance, time and false rollbacks of the first are those of its setting."""
    asked = setting(2.0, usual=0.001)
    best = advise(asked).options[0]
    assert best.alarm is not None
    made = with_config(with_alarm(asked, best.alarm), config_named(best.config))
    seen = outlook(made)
    assert seen.roll_back_s is not None
    assert (best.chance, best.roll_back_s) == (seen.rolled_back.value, seen.roll_back_s.p50)
    assert best.false_rollbacks == outlook(without_fault(made)).at_all * 100


def test_no_option_beats_another_in_all_respects() -> None:
    """The list is a frontier."""
    options = advise(setting(0.1, usual=0.001)).options
    assert len(options) > 2
    beaten = [
        (one, other)
        for one in options
        for other in options
        if one.chance > other.chance + 0.001
        and (one.roll_back_s or 0) < (other.roll_back_s or 0) - 10
        and one.failed < other.failed * 0.9
        and one.false_rollbacks < other.false_rollbacks - 0.1
    ]
    assert beaten == []


@pytest.mark.parametrize(
    ("one", "now", "better"),
    [
        (option(), option(), False),
        (option(), None, True),
        (option(), option(chance=0.5, low=0.5, high=0.5), True),
        (option(false_rollbacks=5.0), option(chance=0.5, low=0.5, high=0.5), False),
        (option(), option(false_rollbacks=40.0), True),
        (option(chance=0.9), option(false_rollbacks=40.0), False),
        (option(roll_back_s=60.0), option(), True),
        (option(roll_back_s=60.0, failed=90.0), option(), False),
        (option(chance=0.3), option(chance=0.1), False),
        (option(chance=0.6, low=0.55, high=0.65), option(chance=0.58, low=0.5, high=0.66, by="simulated"), False),
    ],
)
def test_only_what_is_truly_better_is_recommended(one: AdvisedOption, now: AdvisedOption | None, better: bool) -> None:
    """No gain in detection is bought by false rollbacks, nor the other way round, and none lies within the noise."""
    assert is_better(one, now) is better


def test_a_slow_canary_gets_no_advice() -> None:
    """Nobody said which latency is usual."""
    found = advise(setting(fault=FaultModel(kind="latency", latency_s=2.0), usual=0.001))
    assert (found.options, found.recommended) == ((), None)
    assert "slow" in found.text


def test_no_traffic_gets_no_advice() -> None:
    """There is nothing to count."""
    found = advise(setting(0.0, usual=0.001))
    assert (found.options, found.recommended) == ((), None)


def test_a_fault_that_no_alarm_on_errors_counts_gets_no_advice() -> None:
    """A 403 is no error of the function, so what rings does so by chance."""
    found = advise(setting(20.0, usual=0.001, fault=FaultModel(status=403)), rollouts=False)
    assert (found.options, found.recommended) == ((), None)


def test_recommendations_hold_whatever_stands() -> None:
    """Of random settings, none is recommended that catches less, or rolls back falsely more than is borne."""
    dice = random.Random(7)
    for _ in range(6):
        alarm = watch(threshold=float(dice.randint(1, 30)), evaluation_periods=dice.randint(1, 3), datapoints=1)
        asked = setting(dice.choice((0.2, 1.0, 5.0)), alarm, usual=dice.choice((0.0005, 0.005)))
        asked = replace(asked, fault=FaultModel(share=dice.choice((0.1, 0.5, 1.0))))
        found = advise(asked, rollouts=False)
        if found.recommended and found.now:
            assert found.recommended.chance >= found.now.chance - 0.002
            assert found.recommended.false_rollbacks <= max(advising.BEARABLE, found.now.false_rollbacks)
