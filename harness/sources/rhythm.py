"""The rate that production had, second by second or minute by minute, from counts or from an access log."""

import csv
import io
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.core.experiment.durations import duration_s
from harness.core.experiment.part import LONGEST_S
from harness.core.experiment.types import RateStep, Replay
from harness.errors import ExperimentError, UsageError
from harness.sources.access_log import times_of
from harness.sources.files import SourceFile, read_source
from harness.sources.log_times import seconds_of

PATH = "traffic.arrival_rate"
COUNTS = ".csv"
"""The ending of a file of counts: a time and a number a line, as CloudWatch's Invocations or Count; others are logs."""
MOST_STEPS = 86_400
"""The seconds of a day."""
_ALONE_S = 60.0
"""How long a single count is for."""
_LATE_S = 180.0
"""So late CloudWatch may still add to a minute (an assumption: AWS gives no bound)."""

Counts = Mapping[float, float]
"""Arrivals by the time when their period began."""


def steps_of(replay: Replay, folder: Path) -> tuple[RateStep, ...]:
    """The steps of the rate that a file tells, which is found in `folder`; the last one holds when they are over.

    Raises ExperimentError where there is nothing to replay.
    """
    try:
        return steps_in(replay, read_source(folder / replay.source))
    except UsageError as error:
        raise ExperimentError(f"{PATH}.from", str(error)) from error


def steps_in(replay: Replay, file: SourceFile) -> tuple[RateStep, ...]:
    """The same of a file that was read; raises UsageError for what it holds, ExperimentError for what is asked."""
    counts = _counts(file) if file.name.lower().endswith(COUNTS) else _counted(file)
    period_s = _period_s(counts, file)
    began_s, ended_s = _window(replay, min(counts), max(counts) + period_s)
    steps = _changes(_steps(counts, period_s, began_s, ended_s, replay.scale))
    if len(steps) > MOST_STEPS:
        raise ExperimentError(f"{PATH}.window", f"has {len(steps):,} changes of the rate; {MOST_STEPS:,} are the most")
    return steps


def _counts(file: SourceFile) -> Counts:
    """The counts of a file, by their times; what stands before the first time are names of columns."""
    found: dict[float, float] = {}
    reader = csv.reader(io.StringIO(file.text))
    try:
        for row in reader:
            at_s = seconds_of(row[0].strip().replace("/", "-")) if row else None
            if at_s is None and (not row or not found):
                continue
            count = _count(row)
            if at_s is None or count is None:
                raise file.wrong("must be a time and a number of 0 or more, with a comma between", reader.line_num)
            if at_s in found:
                raise file.wrong(f"has the time of an earlier line, {row[0]}; keep one of them", reader.line_num)
            found[at_s] = count
    except csv.Error as error:
        raise file.wrong(f"is not CSV: {error}", reader.line_num) from error
    if not found:
        raise file.wrong("has no line with a time and a number, such as 2026-11-20T18:00:00Z,1200")
    return found


def _count(row: list[str]) -> float | None:
    try:
        count = float(row[1])
    except (IndexError, ValueError):
        return None
    return count if 0 <= count < float("inf") else None


def _counted(file: SourceFile) -> Counts:
    """The requests of a log in each second."""
    times = times_of(file)
    if not times:
        raise file.wrong("none of its lines has a time")
    seconds = Counter(at_s // 1 for at_s in times)
    every = range(int(min(seconds)), int(max(seconds)) + 1)
    return {float(second): float(seconds[second]) for second in every[: int(LONGEST_S) + 1]}


def _period_s(counts: Counts, file: SourceFile) -> float:
    """The period of the counts: CloudWatch leaves out those without data, so it is the shortest time between two."""
    times = sorted(counts)
    between = [later - earlier for earlier, later in itertools.pairwise(times)]
    period_s = min(between, default=_ALONE_S)
    if any(one % period_s for one in between):
        raise ExperimentError(f"{PATH}.from", f"{file.name}: its times are not at even distances; export one period")
    return period_s


def _window(replay: Replay, first_s: float, end_s: float) -> tuple[float, float]:
    """From when to when the source is replayed."""
    if replay.window is None:
        return first_s, end_s
    try:
        began_s, until_s = window_of(replay.window)
    except ValueError as error:
        raise ExperimentError(f"{PATH}.window", str(error)) from error
    if began_s < first_s or until_s > end_s:
        missing = f"{replay.source} does not have all of it; it covers {end_s - first_s:,.0f} s"
        raise ExperimentError(f"{PATH}.window", f"{missing} from {_moment(first_s)}")
    return began_s, until_s


def window_of(text: str) -> tuple[float, float]:
    """When a window begins and ends, in seconds since 1970; raises ValueError."""
    begin, _, lasts = text.partition("/")
    began_s = seconds_of(begin.strip())
    try:
        until_s = None if began_s is None else began_s + duration_s(lasts)
    except ValueError:
        until_s = None
    if began_s is None or until_s is None:
        raise ValueError(f"must be a time and a duration, such as 2026-11-20T18:00/30m, not {text!r}")
    return began_s, until_s


def last_hour(now_s: float) -> tuple[float, float]:
    """The last hour of whole minutes that CloudWatch has counted to their end."""
    until_s = (now_s - _LATE_S) // _ALONE_S * _ALONE_S
    return until_s - 3600.0, until_s


def as_csv(metric: str, counts: Counts) -> str:
    """Counts as a file that can be replayed."""
    lines = (f"{_moment(at_s)},{count:g}" for at_s, count in sorted(counts.items()))
    return "\n".join([f"timestamp,{metric}", *lines, ""])


def _moment(at_s: float) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _steps(counts: Counts, period_s: float, began_s: float, ended_s: float, scale: float) -> Iterator[RateStep]:
    """A step for each period, also for one without a count, in which nothing came."""
    start_s = min(counts) + (began_s - min(counts)) // period_s * period_s
    for index in range(int((ended_s - start_s) / period_s + 1)):
        at_s = start_s + index * period_s
        if at_s < ended_s:
            yield RateStep(at_s=max(0.0, at_s - began_s), rate=counts.get(at_s, 0.0) * scale / period_s)


def _changes(steps: Iterator[RateStep]) -> tuple[RateStep, ...]:
    """The steps at which the rate is another one than before."""
    return tuple(next(same) for _, same in itertools.groupby(steps, key=lambda step: step.rate))
