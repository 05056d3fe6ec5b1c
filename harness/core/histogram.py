"""Latency histograms that add up: log-linear bins as in HdrHistogram, at most 0.4 % from the truth.

A bin is a plain integer, so a histogram is a mapping from bin to count, and merging two is adding counts.
"""

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing

from harness.errors import TimelineError

SUB_BUCKET_BITS = 7
_SUB_BUCKETS = 1 << SUB_BUCKET_BITS
_WORTH_AN_ARRAY = 64
_CHUNK = 4_000_000
_COLON_TO_COMMA = bytes.maketrans(b":", b",")
_HIGHEST_BIN = 1 << 16
"""Far beyond the bin of a century; a broken file may hold anything."""

Numbers = np.typing.NDArray[np.int64]
Histogram = dict[int, int]
Bins = Mapping[int, int]


class Unread(Mapping[int, int]):
    """A histogram left in its JSON text, which takes a tenth of the memory; `merge` adds many of them up at once.

    Equal to the mapping that it holds. Reading it raises TimelineError where the text is none.
    """

    __slots__ = ("text",)

    def __init__(self, text: bytes) -> None:
        self.text = text

    def __getitem__(self, bin_: int) -> int:
        return self._read()[bin_]

    def __iter__(self) -> Iterator[int]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return f"Unread({self.text!r})"

    def _read(self) -> Histogram:
        try:
            return msgspec.json.decode(self.text, type=Histogram)
        except msgspec.DecodeError as error:
            raise TimelineError(f"a histogram in the timeline is broken: {error}") from error


class Packed(Mapping[int, int]):
    """A histogram in two arrays: a few bytes a bin, and `merge` adds many of them up at once."""

    __slots__ = ("bins", "counts")

    def __init__(self, histogram: Bins) -> None:
        self.bins = np.fromiter(histogram.keys(), np.int64, len(histogram))
        self.counts = np.fromiter(histogram.values(), np.int64, len(histogram))

    def __getitem__(self, bin_: int) -> int:
        counts: Histogram = dict(zip(self.bins.tolist(), self.counts.tolist(), strict=True))
        return counts[bin_]

    def __iter__(self) -> Iterator[int]:
        return iter(self.bins.tolist())

    def __len__(self) -> int:
        return len(self.bins)


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


def merge(histograms: Iterable[Bins]) -> Histogram:
    """All counts together."""
    total: Histogram = {}
    unread: list[bytes] = []
    packed: list[Packed] = []
    for histogram in histograms:
        if isinstance(histogram, Unread):
            unread.append(histogram.text)
        elif isinstance(histogram, Packed):
            packed.append(histogram)
        else:
            _add(total, histogram)
    for texts in _chunks(unread):
        total = _added(total, _sum_of(texts))
    if packed:
        bins, counts = (np.concatenate([getattr(each, name) for each in packed]) for name in Packed.__slots__)
        total = _added(total, _sum(bins, counts))
    return total


def _add(total: Histogram, more: Bins) -> None:
    for bin_, count in more.items():
        total[bin_] = total.get(bin_, 0) + count


def _added(total: Histogram, more: Histogram) -> Histogram:
    """Both together, in the place of one of them."""
    if not total:
        return more
    _add(total, more)
    return total


def _chunks(texts: Sequence[bytes]) -> Iterator[list[bytes]]:
    """The texts in lists of some megabytes, so that adding up takes little memory."""
    chunk: list[bytes] = []
    size = 0
    for text in texts:
        chunk.append(text)
        size += len(text)
        if size > _CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _sum_of(texts: Sequence[bytes]) -> Histogram:
    """Histograms added up without making a mapping of each; what is not as we write it is read one by one."""
    objects = all(text.startswith(b"{") for text in texts)
    numbers = _numbers(b",".join(filter(None, (text[1:-1] for text in texts)))) if objects else None
    if numbers is None:
        return merge(Unread(text)._read() for text in texts)
    return _sum(numbers[::2], numbers[1::2])


def _sum(bins: Numbers, counts: Numbers) -> Histogram:
    if bins.size and (bins.min() < 0 or bins.max() >= _HIGHEST_BIN):
        bins, places = np.unique(bins, return_inverse=True)
        counts = np.bincount(places, weights=counts).astype(np.int64)
        return dict(zip(bins.tolist(), counts.tolist(), strict=True))
    sums = np.bincount(bins, weights=counts)
    present = np.flatnonzero(sums)
    return dict(zip(present.tolist(), sums[present].astype(np.int64).tolist(), strict=True))


def _numbers(pairs: bytes) -> Numbers | None:
    """Bins and counts in turn; None where the text is anything but `"bin":count,...`."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            numbers = np.fromstring(pairs.translate(_COLON_TO_COMMA, b'"'), dtype=np.int64, sep=",")
        except (DeprecationWarning, ValueError):
            return None
    return numbers if 2 * pairs.count(b":") == numbers.size else None


def quantile_s(histogram: Bins, q: float) -> float | None:
    """The duration that the share `q` of all counts does not exceed; None of an empty histogram."""
    return quantiles_s(histogram, (q,))[0]


def quantiles_s(histogram: Bins, qs: Sequence[float]) -> list[float | None]:
    """`quantile_s` of several shares at once, which must ascend."""
    count = sum(histogram.values())
    if not count:
        return [None for _ in qs]
    ranks = [max(1, -int(-q * count // 1)) for q in qs]
    found: list[float | None] = []
    passed = 0
    for bin_ in sorted(histogram):
        passed += histogram[bin_]
        while len(found) < len(ranks) and ranks[len(found)] <= passed:
            found.append(seconds_of(bin_))
    return found + [seconds_of(max(histogram))] * (len(ranks) - len(found))
