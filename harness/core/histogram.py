"""Latency histograms that add up: log-linear bins as in HdrHistogram, at most 0.4 % from the truth.

A bin is a plain integer, so a histogram is a mapping from bin to count, and merging two is adding counts.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

SUB_BUCKET_BITS = 7
_SUB_BUCKETS = 1 << SUB_BUCKET_BITS
_WORTH_AN_ARRAY = 64

Histogram = dict[int, int]


def bin_of(seconds: float) -> int:
    """The bin of a duration; microseconds below 256 are exact, negative durations count as zero."""
    micros = int(seconds * 1e6)
    if micros < 2 * _SUB_BUCKETS:
        return max(micros, 0)
    exponent = micros.bit_length() - SUB_BUCKET_BITS - 1
    return (exponent << SUB_BUCKET_BITS) + (micros >> exponent)


def histogram(durations_s: Sequence[float]) -> Histogram:
    """The bins of many durations, the same as by `bin_of` one by one."""
    if len(durations_s) < _WORTH_AN_ARRAY:
        return dict(Counter(map(bin_of, durations_s)))
    micros = np.maximum(np.array(durations_s) * 1e6, 0).astype(np.int64)
    exponents = np.maximum(np.frexp(micros)[1] - SUB_BUCKET_BITS - 1, 0)
    counts = np.bincount((exponents << SUB_BUCKET_BITS) + (micros >> exponents))
    bins = np.flatnonzero(counts)
    return dict(zip(bins.tolist(), counts[bins].tolist(), strict=True))


def seconds_of(bin_: int) -> float:
    """The middle of a bin, in seconds."""
    exponent = max((bin_ >> SUB_BUCKET_BITS) - 1, 0)
    mantissa = bin_ - (exponent << SUB_BUCKET_BITS)
    return ((mantissa << exponent) + ((1 << exponent) - 1) / 2) / 1e6


def merge(histograms: Iterable[Mapping[int, int]]) -> Histogram:
    """All counts together."""
    total: Histogram = {}
    for histogram in histograms:
        for bin_, count in histogram.items():
            total[bin_] = total.get(bin_, 0) + count
    return total


def quantile_s(histogram: Mapping[int, int], q: float) -> float | None:
    """The duration that the share `q` of all counts does not exceed; None of an empty histogram."""
    count = sum(histogram.values())
    if not count:
        return None
    rank = max(1, -int(-q * count // 1))
    for bin_ in sorted(histogram):
        rank -= histogram[bin_]
        if rank <= 0:
            return seconds_of(bin_)
    return seconds_of(max(histogram))
