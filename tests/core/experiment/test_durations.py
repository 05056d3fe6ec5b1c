"""Durations as people write them."""

import pytest

from harness.core.experiment.durations import duration_s


@pytest.mark.parametrize(
    ("word", "seconds"),
    [("90", 90), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("0.5h", 1800), ("1H", 3600), (" 2.5s ", 2.5)],
)
def test_a_duration_is_read(word: str, seconds: float) -> None:
    """As people write it."""
    assert duration_s(word) == seconds


@pytest.mark.parametrize("word", ["", "soon", "5x", "-1s", "5m5m", "1m1h", "1e3", "nan", "inf"])
def test_a_duration_that_is_none_is_refused(word: str) -> None:
    """With examples."""
    with pytest.raises(ValueError, match="a duration is like 30s, 5m or 1h30m"):
        duration_s(word)


@pytest.mark.parametrize("word", ["0", "0s", "169h"])
def test_a_duration_out_of_range_is_refused(word: str) -> None:
    """Nothing takes no time, or more than a week."""
    with pytest.raises(ValueError, match="must be more than 0 and at most 604,800 s"):
        duration_s(word)


def test_zero_may_mean_not_at_all() -> None:
    """Where a caller says so."""
    assert duration_s("0", may_be_zero=True) == 0
