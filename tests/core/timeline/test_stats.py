"""Exact statistics, tied to scipy.stats, which the harness itself does not import."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from harness.core.timeline.stats import (
    clopper_pearson,
    fisher_worse,
    fisher_worse_in_all,
    poisson_at_least,
    poisson_mean_for,
    quantile_ranks,
)

arms = st.integers(1, 400).flatmap(lambda requests: st.tuples(st.integers(0, requests), st.just(requests)))


@given(arms)
def test_interval_is_clopper_pearsons(arm: tuple[int, int]) -> None:
    """The interval of a rate is scipy's exact one."""
    failures, requests = arm
    exact = reference.binomtest(failures, requests).proportion_ci(method="exact")
    assert clopper_pearson(failures, requests) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_empty_sample_has_no_interval() -> None:
    """Nothing was measured, so nothing is claimed."""
    assert clopper_pearson(0, 0) is None


@given(arms, arms)
def test_comparison_is_fishers_exact_test(canary: tuple[int, int], baseline: tuple[int, int]) -> None:
    """The chance is scipy's one-sided one."""
    table = [[failures, requests - failures] for failures, requests in (canary, baseline)]
    exact = reference.fisher_exact(table, alternative="greater").pvalue
    assert fisher_worse(canary, baseline) == pytest.approx(exact, rel=1e-6, abs=1e-12)


@given(arms, arms)
def test_one_more_failure_of_the_canary_never_looks_better(canary: tuple[int, int], baseline: tuple[int, int]) -> None:
    """Adding a failed request to the canary cannot make it look more like the baseline."""
    failures, requests = canary
    before, after = fisher_worse(canary, baseline), fisher_worse((failures + 1, requests + 1), baseline)
    assert after <= before + 1e-9


def test_arms_cannot_be_compared_without_both() -> None:
    """An arm without requests says nothing."""
    assert fisher_worse((0, 0), (1, 10)) is None
    assert fisher_worse((1, 10), (0, 0)) is None


def test_millions_of_requests_are_compared() -> None:
    """Large samples neither overflow nor lose the small chance."""
    assert fisher_worse((100, 1_000_000), (50, 9_000_000)) == pytest.approx(1e-62, rel=0.2)


@given(st.integers(1, 50), st.floats(0.01, 100))
def test_chance_of_so_many_errors_is_poissons(count: int, mean: float) -> None:
    """The tail is scipy's."""
    assert poisson_at_least(count, mean) == pytest.approx(reference.poisson.sf(count - 1, mean), abs=1e-12)


@given(st.integers(1, 50), st.floats(0.01, 0.99))
def test_mean_for_a_chance_gives_that_chance(count: int, chance: float) -> None:
    """The one is the inverse of the other."""
    assert poisson_at_least(count, poisson_mean_for(count, chance)) == pytest.approx(chance, rel=1e-6)


def test_no_errors_at_all_are_certain_to_come() -> None:
    """The empty count needs no mean, and no mean gives nothing."""
    assert poisson_at_least(0, 0.0) == 1.0
    assert poisson_at_least(1, 0.0) == 0.0
    assert poisson_mean_for(0, 0.9) == 0.0


def test_locust_starts_without_scipy() -> None:
    """It takes as long to import as all the rest of the harness, and every process of a test would pay that."""
    code = (
        "import sys, locust, harness.plugin.plugin; sys.exit(any(name in sys.modules for name in ('scipy', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_special_functions_do_not_import_scipy_stats() -> None:
    """It takes seconds to import, and every verdict would pay them."""
    use = "from harness.core.timeline.stats import *; poisson_mean_for(3, 0.9)"
    code = f"import sys; {use}; sys.exit('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@given(arms, arms)
def test_one_stratum_is_fishers_test(canary: tuple[int, int], baseline: tuple[int, int]) -> None:
    """With nothing to stratify by, both are the same."""
    assert fisher_worse_in_all([(canary, baseline)]) == pytest.approx(fisher_worse(canary, baseline) or 0.0, abs=1e-12)


@given(st.lists(st.tuples(arms, arms), min_size=2, max_size=3))
def test_strata_together_are_the_sum_over_all_ways(strata: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    """The chance is that of scipy's hypergeometric draws, added up."""
    drawn = [
        reference.hypergeom(canary[1] + baseline[1], canary[0] + baseline[0], canary[1]).pmf(range(401))
        for canary, baseline in strata
    ]
    chances = drawn[0]
    for more in drawn[1:]:
        chances = np.convolve(chances, more)
    exact = chances[sum(canary[0] for canary, _ in strata) :].sum()
    assert fisher_worse_in_all(strata) == pytest.approx(exact, rel=1e-6, abs=1e-12)


def test_strata_are_not_mixed() -> None:
    """Failures that came when the canary had most of the traffic are no proof, though all taken as one would be."""
    strata = [((0, 100), (0, 900)), ((90, 900), (10, 100))]
    assert (fisher_worse((90, 1000), (10, 1000)) or 1.0) < 1e-10
    assert (fisher_worse_in_all(strata) or 0.0) > 0.4
    assert fisher_worse_in_all([((0, 0), (3, 9))]) is None


@pytest.mark.parametrize(
    ("q", "size", "ranks"),
    [
        (0.5, 10, (1, 10)),
        (0.5, 100, (37, 64)),
        (0.99, 20, (18, None)),
        (0.99, 527, (515, None)),
        (0.99, 528, (516, 528)),
        (0.99, 10**8, None),
    ],
)
def test_ranks_of_a_quantile_hold_it_with_the_confidence(
    q: float, size: int, ranks: tuple[int | None, int | None] | None
) -> None:
    """By the binomial distribution itself, however large the sample is."""
    low, high = quantile_ranks(q, size, 0.995)
    assert ranks in (None, (low, high))
    assert low is None or reference.binom.cdf(low - 1, size, q) <= 0.005
    assert high is None or reference.binom.cdf(high - 1, size, q) >= 0.995
