"""Formulas against releases that are played, and against what is known without either."""

import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.core.odds import exact
from harness.core.odds.chances import chance, effective, outlook
from harness.core.odds.changed import with_condition, with_rate
from harness.core.odds.counts import RequestGroup, binomial, binomial_at_least, of_group, poisson, total_at_least
from harness.core.odds.outlook import Outlook
from harness.core.odds.setting import FaultModel, PlannedShare, Setting
from harness.core.odds.simulate import simulated
from harness.core.timeline.presets import config_named
from tests.core.odds.releases import drawn, setting, watch


def test_distributions_add_up_and_are_those_of_scipy() -> None:
    """Binomial and Poisson, small and large."""
    from scipy import stats

    for requests, share in ((5, 0.3), (1200, 0.1), (60, 0.999)):
        assert binomial(requests, share).at_least(4) == pytest.approx(stats.binom.sf(3, requests, share), abs=1e-10)
    for mean in (0.01, 3.0, 900.0):
        assert poisson(mean).at_least(3) == pytest.approx(stats.poisson.sf(2, mean), abs=1e-10)
    for count, requests, share in ((4, 5, 0.3), (100, 1200, 0.1), (140, 1200, 0.1), (60, 60, 0.999), (3, 2, 0.5)):
        told = stats.binom.sf(count - 1, requests, share)
        assert binomial_at_least(count, requests, share) == pytest.approx(told, abs=1e-10)
    assert total_at_least([poisson(2.0), poisson(3.0), binomial(9, 1.0)], 12) == pytest.approx(poisson(5.0).at_least(3))
    assert of_group(RequestGroup(2.5, 1.0)).chances == pytest.approx((0.5, 0.5))


NUMERICS = 0.002
"""So much may a formula be off, whose grid is a second."""


def with_a_formula(dice: random.Random) -> Setting:
    """The next random setting for which there is one."""
    while exact.why_not_exact(made := drawn(dice)):
        continue
    return made


def differs(seed: int, runs: int = 8_000) -> str | None:
    """How formula and simulation of a random setting differ, beyond what chance explains in one of 10,000."""
    made = with_a_formula(random.Random(seed))
    told, played = exact.outlook(made), simulated(made, runs=runs, seed=seed)
    for name, one, other in (
        ("in time", told.rolled_back.value, played.rolled_back.value),
        ("at all", told.at_all, played.at_all),
        ("at the start", told.at_start, played.at_start),
        ("too early", told.too_early, played.too_early),
    ):
        spread = (max(one, 1e-4) * (1 - min(one, 1 - 1e-4)) / runs) ** 0.5
        if abs(one - other) > 4 * spread + NUMERICS:
            return f"{seed}: {name} {one:.3f} or {other:.3f}: {made}"
    return _times_differ(told, played) and f"{seed}: {_times_differ(told, played)}: {made}"


def _times_differ(told: Outlook, played: Outlook) -> str:
    """The times, where they are those of enough releases to be told by playing them."""
    if min(one.rolled_back.value - one.too_early for one in (told, played)) < 0.2:
        return ""
    for one, other in ((told.detect_s, played.detect_s), (told.roll_back_s, played.roll_back_s)):
        assert one
        assert other
        if abs(one.p50 - other.p50) > 6 + other.p50 / 100 or min(one.p05, other.p05) < 0:
            return f"{one} or {other}"
    return ""


def test_formula_and_simulation_agree() -> None:
    """Over 20 random settings."""
    assert [found for seed in range(20) if (found := differs(seed))] == []


@pytest.mark.soak
def test_formula_and_simulation_agree_over_500_settings() -> None:
    """With five times the releases."""
    assert [found for seed in range(1000, 1500) if (found := differs(seed, 40_000))] == []


def test_even_fault_requests_have_no_luck() -> None:
    """Two or three a minute, in a fixed order: three come within the bake, whatever happens."""
    made = setting(2.0, arrivals="even", fault=FaultModel(share=0.0), planned=(PlannedShare(0.0, 1e9, 0.02),))
    told, played = exact.outlook(made), simulated(made, runs=10_000)
    assert told.rolled_back.value == pytest.approx(played.rolled_back.value, abs=0.01)


def test_a_chance_grows_with_traffic_and_falls_with_the_threshold() -> None:
    """Anything else would be an error of the arithmetic."""
    rates = [chance(with_rate(setting(), factor)) for factor in (0.1, 0.3, 1.0, 3.0)]
    thresholds = [chance(with_condition(setting(), "errors", threshold=float(level))) for level in (1, 3, 6, 12)]
    assert rates == sorted(rates)
    assert thresholds == sorted(thresholds, reverse=True)


def test_several_alarms_have_no_formula_and_are_played() -> None:
    """The one that rings first stops the deployment, so that together they are at least as likely as either."""
    slow, quick = watch("slow", threshold=9.0), watch("quick", threshold=5.0)
    made = setting(1.0, slow, quick)
    assert exact.why_not_exact(made)
    both = simulated(made, runs=20_000).rolled_back.value
    assert both >= chance(setting(1.0, quick)) - 0.01


@pytest.mark.parametrize("config", ["AllAtOnce", "Canary10Percent5Minutes"])
def test_an_alarm_from_before_the_fault_is_no_detection(config: str) -> None:
    """It may stop the release, and no time is negative for it."""
    made = setting(20.0, config=config_named(config), usual=0.003)
    told, played = exact.outlook(made), simulated(made, runs=20_000)
    assert told.too_early > 0.5
    assert told.too_early == pytest.approx(played.too_early, abs=0.015)
    times = [times for one in (told, played) for times in (one.detect_s, one.roll_back_s) if times]
    assert bool(times) == (config != "AllAtOnce")
    assert all(one.p05 > 0 for one in times)


@pytest.mark.parametrize("statistic", ["Sum", "Average"])
def test_an_alarm_that_breaches_without_a_failure_stops_good_releases_too(statistic: str) -> None:
    """By formula, when it is played, and with another alarm beside it."""
    always = watch("always", threshold=0.0, statistic=statistic)
    good = setting(20.0, always, fault=FaultModel(share=0.0))
    assert exact.outlook(good).at_start == pytest.approx(1.0)
    assert simulated(good, runs=1_000).at_start == 1.0
    assert outlook(effective(setting(20.0, always, watch(), fault=FaultModel(share=0.0)))).at_start == pytest.approx(
        1.0
    )


def test_all_at_once_is_never_in_time() -> None:
    """There is no time before the last shift, which is the first."""
    assert chance(setting(100.0, config=config_named("AllAtOnce"))) == 0.0


def test_a_million_canaries_of_five_minutes_take_under_three_seconds() -> None:
    """Of processor time."""
    began_s = time.process_time()
    assert simulated(setting(20.0), runs=1_000_000).runs == 1_000_000
    assert time.process_time() - began_s < 3.0


RATE = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias: Live
      DeploymentPreference: {Type: Canary10Percent5Minutes, Alarms: [!Ref Rate]}
  Rate:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Threshold: 5
      ComparisonOperator: GreaterThanOrEqualToThreshold
      EvaluationPeriods: 1
      Metrics:
        - Id: e
          ReturnData: false
          MetricStat:
            Period: 60
            Stat: Sum
            Metric: {Namespace: AWS/Lambda, MetricName: Errors, Dimensions: [&fn {Name: FunctionName, Value: !Ref Fn}]}
        - Id: i
          ReturnData: false
          MetricStat:
            Period: 60
            Stat: Sum
            Metric: {Namespace: AWS/Lambda, MetricName: Invocations, Dimensions: [*fn]}
        - {Id: r, Expression: 100 * e / i}
"""
"""A template whose alarm is on the share of requests that fail, by metric math."""


@pytest.mark.parametrize(
    "words", [["broken-canary"], ["--template", "rate.yaml", "--arrival-rate", "20"]], ids=" ".join
)
def test_an_exact_answer_takes_little_more_than_starting_to_calculate(words: list[str], tmp_path: Path) -> None:
    """It takes 0.25 to 0.35 s of processor time in all; where libraries alone take longer, so may it."""
    (tmp_path / "rate.yaml").write_text(RATE)
    asked = [sys.executable, "-m", "harness", "predict", *words, "-q"]
    libraries = [sys.executable, "-c", "import numpy, yaml, msgspec"]
    spent = [(processor_s(asked, tmp_path), processor_s(libraries, tmp_path)) for _ in range(3)]
    answering, starting = (min(one) for one in zip(*spent, strict=True))
    assert answering < max(0.4, 1.7 * starting)


def processor_s(command: list[str], folder: Path) -> float:
    """Processor time of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
