"""Several settings at once: `threshold=1..10 period=60,300` as cells, and what each of them would have done."""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_args

from msgspec import Struct
from msgspec.structs import replace

from harness.core.experiment.durations import duration_s
from harness.core.experiment.types import MissingData
from harness.core.odds.whatif import Other, Recorded, Replayed, replayed
from harness.core.timeline.presets import config_named
from harness.errors import UsageError

MOST_CELLS = 20_000
"""A larger sweep would take minutes, and no one reads it."""


class SweptCell(Struct, frozen=True, kw_only=True):
    """One setting of a sweep, by the texts of its values, and what it would have done."""

    values: tuple[str, ...]
    replayed: Replayed


class Sweep(Struct, frozen=True, kw_only=True):
    """All cells, in the order of the values of `names`, the last of which changes fastest."""

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    cells: tuple[SweptCell, ...]


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("must be a whole number")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError("must be a number")
    return value


def _period(text: str) -> int:
    seconds = round(duration_s(text))
    if seconds % 60:
        raise ValueError("must be whole minutes, such as 60 or 5m")
    return seconds


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be {' or '.join(words)}")
        return text

    return read


KEYS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "threshold": ("threshold", _number),
    "period": ("period_s", _period),
    "evaluation-periods": ("evaluation_periods", _whole),
    "datapoints": ("datapoints", _whole),
    "missing": ("missing", _one_of(*get_args(MissingData))),
    "dimension": ("dimension", _one_of("function", "version")),
    "metric": ("metric", str),
    "config": ("config", config_named),
    "alarm-delay": ("alarm_delay_s", duration_s),
    "stop-delay": ("stop_delay_s", duration_s),
}
"""What may be otherwise: the field of `Other` for each word, and how its value is read."""


def with_value(other: Other, name: str, text: str) -> Other:
    """The same with one thing otherwise; raises UsageError."""
    if name not in KEYS:
        raise UsageError(f"{name} cannot be otherwise; what can is {', '.join(KEYS)}")
    field, read = KEYS[name]
    try:
        value = read(text)
    except ValueError as error:
        raise UsageError(f"{name}={text}: {error}") from error
    if field in ("evaluation_periods", "datapoints") and value < 1:
        raise UsageError(f"{name}={text}: must be at least 1")
    return replace(other, **{field: value})


def axes(words: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The values of each name in `threshold=1..10 period=60,300`; raises UsageError."""
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        name, sign, texts = word.partition("=")
        if not sign or not texts:
            raise UsageError(f"--sweep: must be like threshold=1..10 or period=60,300, got {word}")
        found[name] = tuple(itertools.chain.from_iterable(map(_values, texts.split(","))))
        if len(found[name]) > MOST_CELLS:
            raise _too_many(len(found[name]))
    cells = math.prod(map(len, found.values()))
    if cells > MOST_CELLS:
        raise _too_many(cells)
    return found


def _too_many(cells: int) -> UsageError:
    return UsageError(f"--sweep: {cells:,} cells are too many to read; give at most {MOST_CELLS:,}")


def _values(text: str) -> Sequence[str]:
    low, dots, high = text.partition("..")
    if not dots:
        return [text]
    if not (low.lstrip("-").isdigit() and high.lstrip("-").isdigit()) or int(high) < int(low):
        raise UsageError(f"--sweep: {text} must be like 1..10")
    if int(high) - int(low) >= MOST_CELLS:
        raise _too_many(int(high) - int(low) + 1)
    return [str(value) for value in range(int(low), int(high) + 1)]


def swept(run: Recorded, other: Other, wanted: Mapping[str, Sequence[str]]) -> Sweep:
    """What each combination of the values would have done, with all else as `other` has it."""
    cells = []
    for values in itertools.product(*wanted.values()):
        one = other
        for name, text in zip(wanted, values, strict=True):
            one = with_value(one, name, text)
        cells.append(SweptCell(values=values, replayed=replayed(run, one)))
    return Sweep(names=tuple(wanted), values=tuple(map(tuple, wanted.values())), cells=tuple(cells))
