"""The e-process: how seldom it stops a canary that is as good as the baseline, and that its numbers are right."""

import math
import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from harness.core.timeline.sequential import BETS, Bets, log_e_values

LEAST = 20.0
SECONDS = 300
OBSERVED, BY_WEIGHT = "observed shares", "weights"


def false_stops(canaries: int, told_by: str, seed: int) -> float:
    """The share of canaries as good as their baseline that are stopped, if somebody looks every second.

    Each release has its own traffic and failure rate, outages of both versions, and a weight that may change.
    """
    dice = np.random.default_rng(seed)
    alone, every = (canaries, 1), (canaries, SECONDS)
    usual = dice.choice([0.001, 0.02, 0.3], alone)
    outage = (dice.random(every) < 0.03).cumsum(axis=1) % 2 * dice.choice([0.0, 0.5, 1.0], alone)
    weight = np.where(np.arange(SECONDS) < dice.integers(0, SECONDS, alone), 0.1, dice.choice([0.1, 0.5], alone))
    answers = dice.poisson(dice.choice([0.5, 5.0, 50.0], alone), every)
    canary = dice.binomial(answers, weight)
    fails = np.maximum(usual, outage)
    of_canary = dice.binomial(canary, fails)
    bad = of_canary + dice.binomial(answers - canary, fails)
    share = weight if told_by == BY_WEIGHT else np.divide(canary, answers, out=np.zeros(every), where=answers > 0)
    return float((log_e_values(of_canary, bad, share).max(axis=1) >= math.log(LEAST)).mean())


@pytest.mark.parametrize("told_by", [OBSERVED, BY_WEIGHT])
def test_canaries_as_good_as_the_baseline_are_seldom_stopped(told_by: str) -> None:
    """In at most 5 % of releases, however often somebody looks; a sample of the next test."""
    assert false_stops(4_000, told_by, seed=1) <= 0.05


@pytest.mark.soak
@pytest.mark.parametrize("told_by", [OBSERVED, BY_WEIGHT])
def test_of_many_canaries_at_most_five_percent_are_stopped_falsely(told_by: str) -> None:
    """A hundred thousand of them, looked at every second."""
    assert np.mean([false_stops(5_000, told_by, seed) for seed in range(20)]) <= 0.05


def test_a_canary_that_always_fails_is_stopped_by_its_second_failure() -> None:
    """Where it has a tenth of the traffic, and the baseline never fails."""
    wealth = np.exp(log_e_values(np.ones(3), np.ones(3), np.full(3, 0.1)))
    assert wealth[0] < LEAST <= wealth[1]


def test_it_agrees_with_ville() -> None:
    """A public library bets on every chance alike; so do 40 nodes of Gauss and Legendre, exactly for 70 answers."""
    ville: Any = pytest.importorskip("ville")
    answers, share = np.random.default_rng(7).random(70) < 0.3, 0.1
    nodes, weights = np.polynomial.legendre.leggauss(40)
    chances = (nodes + 1) / 2
    ratios = chances * (1 - share) / (share * (1 - chances))
    bets = Bets(tuple(ratios.tolist()), tuple((weights / 2).tolist()))
    ours = np.exp(log_e_values(answers.astype(float), np.ones(70), np.full(70, share), bets))
    theirs = ville.BernoulliTest(share, alpha=0.05).fit(answers.astype(float)).e_values_
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_it_agrees_with_a_gambler_who_bets_answer_by_answer() -> None:
    """An independent one in exact fractions, whatever the shares are, over a thousand random series."""
    dice = random.Random(11)
    for _ in range(1000):
        series = [(bad := dice.randint(0, 4), dice.randint(0, bad), Fraction(dice.randint(1, 9), 10)) for _ in range(6)]
        bad, of_canary, share = (np.array([float(one[at]) for one in series]) for at in range(3))
        told = np.exp(log_e_values(of_canary, bad, share))
        assert told == pytest.approx([float(wealth) for wealth in gambled(series)], rel=1e-9)


def gambled(series: list[tuple[int, int, Fraction]]) -> list[Fraction]:
    """The wealth after each moment: a bad answer is paid by its chance if the ratio is true, by that if none is."""
    pots = [Fraction(share).limit_denominator(100) for share in BETS.shares]
    wealth = []
    for bad, of_canary, share in series:
        for at, ratio in enumerate(map(Fraction, BETS.ratios)):
            canary = share * ratio / (share * ratio + 1 - share)
            pots[at] *= (canary / share) ** of_canary * ((1 - canary) / (1 - share)) ** (bad - of_canary)
        wealth.append(sum(pots, Fraction(0)))
    return wealth


def test_a_share_that_is_taken_too_high_only_lowers_the_evidence() -> None:
    """So where a look leaves the weight open, the higher one is safe."""
    dice = np.random.default_rng(3)
    bad = dice.integers(0, 5, 50)
    of_canary, share = dice.binomial(bad, 0.4), dice.random(50) * 0.8
    assert (log_e_values(of_canary, bad, share) >= log_e_values(of_canary, bad, share + 0.1)).all()
