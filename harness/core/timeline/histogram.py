"""Latency histograms that can be added: log-linear bins as in HdrHistogram, off by 0.4 % at the most.

A bin is a plain integer, so a histogram is a mapping from bin to count, and merging two is adding counts.
"""

import warnings
from collections import Counter
from collections.abc import ItemsView, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from harness.errors import TimelineError
from harness.files import NOT_JSON

SUB_BUCKET_BITS = 7
_SUB_BUCKETS = 1 << SUB_BUCKET_BITS
_WORTH_AN_ARRAY = 64
_CHUNK = 4_000_000
_MOST_PLACES = 4_000_000
_COLON_TO_COMMA = bytes.maketrans(b":", b",")
HIGHEST_BIN = 1 << 16
"""Far above the bin of a century. A broken file may hold any number."""
MOST_COUNTED = 1 << 53
"""Up to here a sum is exact."""

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing

Numbers: TypeAlias = "np.typing.NDArray[np.int64]"
Histogram = dict[int, int]
Bins = Mapping[int, int]


class Unread(Mapping[int, int]):
    """A histogram that is still JSON text, in a tenth of the memory; `merge` adds many of them up at once.

    It equals the mapping that it holds. Reading it raises TimelineError if the text is no histogram.
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
        except NOT_JSON as error:
            raise TimelineError(f"a histogram in the timeline is broken: {error}") from error


class Packed(Mapping[int, int]):
    """A histogram as two arrays, with ascending bins: a few bytes a bin, and `merge` adds many of them up at once."""

    __slots__ = ("bins", "counts")

    def __init__(self, bins: Numbers, counts: Numbers) -> None:
        self.bins = bins
        self.counts = counts

    def __getitem__(self, bin_: int) -> int:
        counts: Histogram = dict(zip(self.bins.tolist(), self.counts.tolist(), strict=True))
        return counts[bin_]

    def __iter__(self) -> Iterator[int]:
        return iter(self.bins.tolist())

    def __len__(self) -> int:
        return len(self.bins)

    def items(self) -> ItemsView[int, int]:
        """All bins with their counts; a lookup of each bin would read both arrays again and again."""
        return dict(zip(self.bins.tolist(), self.counts.tolist(), strict=True)).items()


def bin_of(seconds: float) -> int:
    """The bin of a duration; microseconds below 256 are exact, negative durations count as zero."""
    micros = int(seconds * 1e6)
    if micros < 2 * _SUB_BUCKETS:
        return max(micros, 0)
    exponent = micros.bit_length() - SUB_BUCKET_BITS - 1
    return (exponent << SUB_BUCKET_BITS) + (micros >> exponent)


def histogram(durations_s: Sequence[float]) -> Histogram:
    """The bins of many durations, the same as by `bin_of` one by one."""
    import numpy as np

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


def merge(histograms: Iterable[Bins]) -> Bins:
    """All counts together."""
    total: Histogram = {}
    unread: list[bytes] = []
    packed: list[Packed] = []
    for histogram in histograms:
        if type(histogram) is Unread:  # isinstance takes as long to tell that of a mapping as adding one up
            unread.append(histogram.text)
        elif type(histogram) is Packed:
            packed.append(histogram)
        else:
            _add(total, histogram)
    packed.extend(_sum_of(texts) for texts in _chunks(unread))
    if not packed:
        return total
    return _joined([*packed, _packed(total)] if total else packed)


def merge_each(texts: Sequence[bytes], owners: Sequence[int]) -> list[Bins]:
    """The sum of the unread histograms of each owner, by number of owner; all of them are read at once.

    An owner is a number from 0 on, one a text, and there is at least one.
    """
    import numpy as np

    numbers, of = _numbers_of(texts), max(owners) + 1
    if numbers is None or not _usual(numbers[::2]):
        return _merged_one_by_one(texts, owners)
    bins, counts = numbers[::2], numbers[1::2]
    width = int(bins.max(initial=0)) + 1
    if width * of > _MOST_PLACES:
        return _merged_one_by_one(texts, owners)
    places = np.repeat(np.array(owners, np.int64), [text.count(b":") for text in texts]) * width + bins
    sums = np.bincount(places, weights=counts, minlength=of * width)
    present = np.flatnonzero(sums)
    edges = np.searchsorted(present, np.arange(1, of) * width)
    kept = np.split(present % width, edges), np.split(_whole(sums[present]), edges)
    return [Packed(*arrays) for arrays in zip(*kept, strict=True)]


def _merged_one_by_one(texts: Sequence[bytes], owners: Sequence[int]) -> list[Bins]:
    owned: list[list[Bins]] = [[] for _ in range(max(owners) + 1)]
    for text, owner in zip(texts, owners, strict=True):
        owned[owner].append(Unread(text))
    return [merge(each) for each in owned]


def _add(total: Histogram, more: Bins) -> None:
    for bin_, count in more.items():
        total[bin_] = total.get(bin_, 0) + count


def _packed(histogram: Bins) -> Packed:
    import numpy as np

    try:
        bins = np.fromiter(histogram.keys(), np.int64, len(histogram))
        counts = np.fromiter(histogram.values(), np.int64, len(histogram))
    except OverflowError as error:
        raise TimelineError("a histogram in the timeline is broken: no number is so great") from error
    return _sum(bins, counts)


def _joined(packed: Sequence[Packed]) -> Packed:
    import numpy as np

    if len(packed) == 1:
        return packed[0]
    return _sum(np.concatenate([each.bins for each in packed]), np.concatenate([each.counts for each in packed]))


def _chunks(texts: Sequence[bytes]) -> Iterator[list[bytes]]:
    """The texts in lists of a few megabytes, so that adding them up takes little memory."""
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


def _sum_of(texts: Sequence[bytes]) -> Packed:
    """The sum of histograms, without a mapping for each; text that is not as we write it is read one by one."""
    numbers = _numbers_of(texts)
    if numbers is None:
        return _packed(merge(Unread(text)._read() for text in texts))
    return _sum(numbers[::2], numbers[1::2])


def _sum(bins: Numbers, counts: Numbers) -> Packed:
    import numpy as np

    if not _usual(bins):
        raise TimelineError("a histogram in the timeline is broken: no duration is so long, or below zero")
    sums = np.bincount(bins, weights=counts)
    present = np.flatnonzero(sums)
    return Packed(present, _whole(sums[present]))


def _whole(sums: "np.typing.NDArray[Any]") -> Numbers:
    """Sums of counts as the whole numbers that they are; raises TimelineError where nobody can have counted so many."""
    if sums.max(initial=0) > MOST_COUNTED or sums.min(initial=0) < 0:
        raise TimelineError("a histogram in the timeline is broken: no count is so great, or below zero")
    return sums.astype("int64")


def _usual(bins: Numbers) -> bool:
    """Whether an array with a place for each bin is short enough."""
    return not bins.size or bool(bins.min() >= 0 and bins.max() < HIGHEST_BIN)


def _numbers_of(texts: Sequence[bytes]) -> "Numbers | None":
    """Bins and counts in turn of all texts; None if any is not as we write it."""
    if not all(text.startswith(b"{") for text in texts):
        return None
    return _numbers(b",".join(filter(None, (text[1:-1] for text in texts))))


def _numbers(pairs: bytes) -> "Numbers | None":
    """Bins and counts in turn; None if the text is anything but `"bin":count,...`."""
    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            numbers = np.fromstring(pairs.translate(_COLON_TO_COMMA, b'"'), dtype=np.int64, sep=",")
        except (DeprecationWarning, ValueError):
            return None
    return numbers if 2 * pairs.count(b":") == numbers.size else None


def size_of(histogram: Bins) -> int:
    """All counts of a histogram, added up."""
    return int(histogram.counts.sum()) if isinstance(histogram, Packed) else sum(histogram.values())


def count_above(histogram: Bins, seconds: float) -> int:
    """How many counts lie in bins above the one of a duration."""
    packed = histogram if isinstance(histogram, Packed) else _packed(histogram)
    return int(packed.counts[packed.bins > bin_of(seconds)].sum())


def quantile_s(histogram: Bins, q: float) -> float | None:
    """The duration that the share `q` of all counts does not exceed; None of an empty histogram."""
    return quantiles_s(histogram, (q,))[0]


def quantiles_s(histogram: Bins, qs: Sequence[float]) -> list[float | None]:
    """`quantile_s` of several shares at once."""
    import numpy as np

    packed = histogram if isinstance(histogram, Packed) else _packed(histogram)
    passed = packed.counts.cumsum()
    count = int(passed[-1]) if passed.size else 0
    if not count:
        return [None for _ in qs]
    ranks = [max(1, -int(-q * count // 1)) for q in qs]
    places = np.minimum(np.searchsorted(passed, ranks), passed.size - 1)
    return [seconds_of(bin_) for bin_ in packed.bins[places].tolist()]
