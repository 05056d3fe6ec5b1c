"""Histograms: bins are true to the promised share, and many durations at once fall where each falls."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.timeline.histogram import (
    Unread,
    bin_of,
    histogram,
    merge,
    merge_each,
    quantile_s,
    quantiles_s,
    seconds_of,
)
from harness.errors import TimelineError

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


@given(parts=st.lists(st.lists(durations, max_size=300), max_size=6))
def test_unread_parts_add_up_as_read_ones(parts: list[list[float]]) -> None:
    """Adding up texts is adding up what they hold."""
    histograms = [histogram(part) for part in parts]
    assert merge(Unread(msgspec.json.encode(one)) for one in histograms) == merge(histograms)


@pytest.mark.parametrize("text", [b'{ "1" : 2 ,\n"300":1}', b'{"\\u0031":2,"300":1}'])
def test_unread_text_of_another_writer_is_read_too(text: bytes) -> None:
    """Spaces and escapes are JSON as well."""
    assert merge([Unread(text), Unread(b"{}")]).keys() == {1, 300}


@pytest.mark.parametrize("text", [b"5", b'{"a":1}', b'{"1":1.5}', b'{"1":{}}', b"[1,2]", b'{"1":'])
def test_unread_text_that_is_no_histogram_is_an_error(text: bytes) -> None:
    """A broken file is told, never counted."""
    with pytest.raises(TimelineError):
        merge([Unread(text), Unread(b'{"1":1}')])


@pytest.mark.parametrize("count", ["-1", "9223372036854775807", "9" * 400])
def test_counts_that_nobody_can_have_counted_are_an_error(count: str) -> None:
    """One by one or many at once, and however they are written: no sum of them would be true."""
    for text in (f'{{"7":{count}}}'.encode(), f'{{ "7": {count} }}'.encode(), f'{{"\\u0037":{count}}}'.encode()):
        with pytest.raises(TimelineError):
            merge([Unread(text)])
        with pytest.raises(TimelineError):
            merge_each([text, b'{"8":1}'], [0, 1])


@pytest.mark.parametrize("bin_", ["900000000000", "9223372036854775808", "-1"])
def test_a_bin_beyond_all_time_is_an_error(bin_: str) -> None:
    """It neither becomes an array of that length, nor a duration that takes all memory to write."""
    text = f'{{"{bin_}":1}}'.encode()
    with pytest.raises(TimelineError, match="so long"):
        merge([Unread(text), Unread(b'{"1":1}')])
    with pytest.raises(TimelineError, match="so long"):
        merge_each([text, b'{"1":1}'], [0, 1])


@given(parts=st.lists(st.tuples(st.lists(durations, max_size=90), st.integers(0, 4)), min_size=1, max_size=9))
def test_sums_of_many_owners_are_those_of_each(parts: list[tuple[list[float], int]]) -> None:
    """Read at once or one by one, each owner has what is its own."""
    owners = [owner for _, owner in parts]
    sums = merge_each([msgspec.json.encode(histogram(part)) for part, _ in parts], owners)
    assert sums == [merge(histogram(part) for part, of in parts if of == owner) for owner in range(max(owners) + 1)]


@pytest.mark.parametrize("text", [b'{ "1" : 2 ,\n"300":1}', b'{"65000":3}'])
def test_sums_of_many_owners_take_texts_of_another_writer(text: bytes) -> None:
    """However far its bins are."""
    owners = [*range(200), 0]
    sums = merge_each([text] * 200 + [b'{"1":1}'], owners)
    assert sums[0] == merge([Unread(text), {1: 1}])
    assert sums[199] == Unread(text)


@given(durations_s=st.lists(durations, min_size=1, max_size=300), q=st.floats(0.01, 1))
def test_a_quantile_is_one_of_the_durations(durations_s: list[float], q: float) -> None:
    """The one whose rank it is, to the width of its bin."""
    rank = max(1, -int(-q * len(durations_s) // 1))
    truth = seconds_of(sorted(map(bin_of, durations_s))[rank - 1])
    bins = histogram(durations_s)
    assert quantiles_s(bins, [q, 1.0]) == quantiles_s(merge([Unread(msgspec.json.encode(bins))]), [q, 1.0])
    assert quantile_s(bins, q) == truth
