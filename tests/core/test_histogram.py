"""Histograms: bins are true to the promised share, and many durations at once fall where each falls."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.histogram import bin_of, histogram, merge, quantile_s, seconds_of

durations = st.floats(-1, 5000) | st.floats(0, 0.01)


@given(duration_s=st.floats(1e-6, 5000))
def test_a_bin_is_true_to_four_permille(duration_s: float) -> None:
    """The middle of a bin is that close to all that fall in it, and at most a microsecond off."""
    assert seconds_of(bin_of(duration_s)) == pytest.approx(duration_s, rel=0.004, abs=1e-6)


@given(one=durations, other=durations)
def test_bins_keep_the_order(one: float, other: float) -> None:
    """A longer duration is never in a lower bin."""
    assert bin_of(min(one, other)) <= bin_of(max(one, other))


@given(durations_s=st.lists(durations, max_size=30) | st.lists(durations, min_size=100, max_size=300))
def test_many_at_once_are_as_one_by_one(durations_s: list[float]) -> None:
    """Few or many, each duration is in the bin that it would be in alone."""
    assert histogram(durations_s) == Counter(map(bin_of, durations_s))


@given(parts=st.lists(st.lists(durations, max_size=90), max_size=4))
def test_parts_add_up(parts: list[list[float]]) -> None:
    """Merged histograms of parts are the histogram of the whole."""
    assert merge(map(histogram, parts)) == histogram([duration_s for part in parts for duration_s in part])


def test_nothing_has_no_quantile() -> None:
    """An empty histogram has no median rather than a wrong one."""
    assert quantile_s(histogram([]), 0.5) is None
