"""When an alarm goes to ALARM: CloudWatch's rules, held against its tables and against a slow reading of them."""

import random

import pytest

from harness.core.timeline.alarm_evaluation import Condition, Points, first_alarm, state_of

MISSING = ("missing", "ignore", "breaching", "notBreaching")
GOLDEN = {
    "0 - X - X": ("OK", "OK", "OK", "OK"),
    "0 - - - -": ("OK", "OK", "OK", "OK"),
    "- - - - -": ("INSUFFICIENT_DATA", "before", "ALARM", "OK"),
    "0 X X - X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "- - X - -": ("ALARM", "before", "ALARM", "OK"),
}
"""CloudWatch user guide, three of three: states for `missing`, `ignore`, `breaching`, `notBreaching`."""


def condition(**given: object) -> Condition:
    """Three errors in each of three minutes, unless said otherwise."""
    fields = {"period_s": 60, "evaluation_periods": 3, "datapoints": 3, "threshold": 3.0}
    return Condition(**{**fields, "comparison": "GreaterThanOrEqualToThreshold", **given})  # type: ignore[arg-type]


def points(row: str) -> Points:
    """A row of the tables: `X` breaches, `0` does not, `-` is missing."""
    return [{"X": 5.0, "0": 0.0, "-": None}[sign] for sign in row.split()]


@pytest.mark.parametrize(
    ("row", "missing", "state"),
    [(row, missing, state) for row, states in GOLDEN.items() for missing, state in zip(MISSING, states, strict=True)],
)
def test_documented_rows(row: str, missing: str, state: str) -> None:
    """Each cell of the user guide's table."""
    assert state_of(condition(missing=missing), points(row), "before") == state


@pytest.mark.parametrize(("n", "period_s", "length"), [(1, 60, 6), (2, 60, 6), (5, 60, 7), (1, 300, 3), (1, 900, 3)])
def test_range_is_as_captured(n: int, period_s: int, length: int) -> None:
    """Six one-minute points at the least, and two more than N of longer ones."""
    assert condition(period_s=period_s, evaluation_periods=n, datapoints=n).range == length


def reference(alarm: Condition, series: Points, before: str) -> list[str]:
    """The states of a whole series, evaluation by evaluation, written down as the user guide says it."""
    stride, states = max(1, alarm.period_s // 60), []
    for now in range(len(series)):
        looked_at = [series[at] if at >= 0 else None for at in range(now, now - stride * alarm.range, -stride)]
        before = slow_state(alarm, looked_at, before)
        states.append(before)
    return states


def slow_state(alarm: Condition, newest_first: Points, before: str) -> str:
    """One evaluation: real points first, then as few fill-ins as it takes."""
    n, m = alarm.evaluation_periods, alarm.datapoints
    judged = [value >= alarm.threshold for value in newest_first if value is not None][:n]
    if len(judged) == n:
        return "ALARM" if sum(judged) >= m else "OK"
    gaps = n - len(judged)
    if alarm.missing == "breaching":
        return "ALARM" if sum(judged) + gaps >= m else "OK"
    if alarm.missing == "notBreaching" or sum(judged) >= m:
        return "ALARM" if sum(judged) >= m else "OK"
    if not all(judged):
        return "OK"
    if alarm.missing == "ignore":
        return before
    oldest = max((age for age, value in enumerate(newest_first) if value is not None), default=-1)
    return "ALARM" if oldest + 1 >= m else "INSUFFICIENT_DATA"


@pytest.mark.parametrize("period_s", [60, 300])
def test_first_alarm_is_the_reference_s(period_s: int) -> None:
    """Fifty thousand random series with gaps, for each period."""
    drawn = random.Random(period_s)
    for _ in range(50_000):
        n = drawn.randint(1, 5)
        alarm = condition(
            period_s=period_s,
            evaluation_periods=n,
            datapoints=drawn.randint(1, n),
            missing=drawn.choice(MISSING),
        )
        series = [drawn.choice((None, 0.0, 0.0, 5.0)) for _ in range(drawn.randint(1, 14))]
        states = reference(alarm, series, "OK")
        expected = states.index("ALARM") if "ALARM" in states else None
        assert first_alarm(alarm, series) == expected, (alarm, series)
