"""The pure evaluator: AWS's tables row by row, and what must hold whatever the points are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.rehearsal.cloudwatch.evaluation import TREATMENTS, AlarmCondition, Judgement, evaluate, evaluation_range

STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")
THRESHOLD = 1.0
RETAIN = "retain"

states = st.sampled_from(STATES)
points = st.one_of(st.none(), st.just(0.0), st.just(1.0))


@st.composite
def conditions(draw: st.DrawFn) -> AlarmCondition:
    """Any M of N with any treatment of missing data."""
    periods = draw(st.integers(1, 6))
    datapoints = draw(st.integers(1, periods))
    treatment = draw(st.sampled_from(sorted(TREATMENTS)))
    return AlarmCondition("GreaterThanOrEqualToThreshold", THRESHOLD, periods, datapoints, treatment)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[float | None], AlarmCondition, str]:
    """One evaluation range with its alarm."""
    condition = draw(conditions())
    length = evaluation_range(condition.evaluation_periods, 60)
    return draw(st.lists(points, min_size=length, max_size=length)), condition, draw(states)


def row(text: str) -> list[float | None]:
    """The points of a row as AWS writes it: `0` healthy, `X` breaching, `-` missing, the newest to the right."""
    return [{"0": 0.0, "X": 1.0, "-": None}[mark] for mark in text]


def judged(text: str, treatment: str, state: str = "OK", *, datapoints: int = 3, periods: int = 3) -> Judgement:
    """The judgement of a row."""
    condition = AlarmCondition("GreaterThanOrEqualToThreshold", THRESHOLD, periods, datapoints, treatment)
    return evaluate(row(text), condition, state)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    ("datapoints", "text", "missing", "ignore", "breaching", "not_breaching"),
    [
        (3, "0-X-X", "OK", "OK", "OK", "OK"),
        (3, "0----", "OK", "OK", "OK", "OK"),
        (3, "-----", "INSUFFICIENT_DATA", RETAIN, "ALARM", "OK"),
        (3, "0XX-X", "ALARM", "ALARM", "ALARM", "ALARM"),
        (3, "--X--", "ALARM", RETAIN, "ALARM", "OK"),
        (3, "X----", "ALARM", RETAIN, "ALARM", "OK"),
        (3, "----X", "INSUFFICIENT_DATA", RETAIN, "ALARM", "OK"),
        (2, "0-X-X", "ALARM", "ALARM", "ALARM", "ALARM"),
        (2, "00X0X", "ALARM", "ALARM", "ALARM", "ALARM"),
        (2, "0-X--", "OK", "OK", "ALARM", "OK"),
        (2, "----0", "OK", "OK", "ALARM", "OK"),
        (2, "---X-", "ALARM", RETAIN, "ALARM", "OK"),
        (2, "----X", "INSUFFICIENT_DATA", RETAIN, "ALARM", "OK"),
    ],
)
def test_rows_of_the_user_guide(
    datapoints: int, text: str, missing: str, ignore: str, breaching: str, not_breaching: str, state: str
) -> None:
    """Each row of AWS's tables gives the documented state for each treatment, from whatever state."""
    wanted = {"missing": missing, "ignore": ignore, "breaching": breaching, "notBreaching": not_breaching}
    for treatment, expected in wanted.items():
        found = judged(text, treatment, state, datapoints=datapoints).state
        assert found == (state if expected == RETAIN else expected), treatment


@pytest.mark.parametrize("text", ["----X", "---X-"])
def test_a_young_breach_after_silence_does_not_alarm_too_early(text: str) -> None:
    """Fewer points than it takes to alarm wait until the oldest of them is old enough."""
    assert judged(text, "missing").state != "ALARM"


def test_enough_real_points_make_the_treatment_irrelevant() -> None:
    """With as many real points as evaluation periods no gap is filled."""
    assert judged("0XX-X", "notBreaching") == Judgement("ALARM", (1, 2, 4))


def test_gaps_are_filled_as_few_times_as_possible() -> None:
    """All real points count, and only what they lack is filled in."""
    assert judged("0-X--", "breaching", datapoints=2) == Judgement("ALARM", (0, 2), filled=1)


def test_one_breaching_minute_keeps_alarming_while_it_is_in_range() -> None:
    """With one period to evaluate, the newest real point decides, though silence has begun."""
    assert [judged(text, "missing", periods=1, datapoints=1).state for text in ("0X-", "X--", "---")] == [
        "ALARM",
        "ALARM",
        "INSUFFICIENT_DATA",
    ]


@pytest.mark.parametrize(
    ("comparison", "breaching"),
    [
        ("GreaterThanOrEqualToThreshold", [1.0, 2.0]),
        ("GreaterThanThreshold", [2.0]),
        ("LessThanThreshold", [0.0]),
        ("LessThanOrEqualToThreshold", [0.0, 1.0]),
    ],
)
def test_comparisons(comparison: str, breaching: list[float]) -> None:
    """Each operator compares the value with the threshold, in this order."""
    condition = AlarmCondition(comparison, THRESHOLD, 1, 1)
    assert [value for value in (0.0, 1.0, 2.0) if condition.breached_by(value)] == breaching


@pytest.mark.parametrize(
    ("periods", "period_s", "points"),
    [(3, 300, 5), (1, 60, 6), (2, 60, 6), (5, 60, 7), (1, 300, 3), (1, 900, 3)],
)
def test_the_range_is_as_documented_and_captured(periods: int, period_s: int, points: int) -> None:
    """AWS documents five points for three periods; captured alarms tell the others."""
    assert evaluation_range(periods, period_s) == points


@given(st.integers(1, 1440), st.sampled_from([10, 60, 300]))
def test_the_range_exceeds_the_periods_and_grows_with_them(periods: int, period_s: int) -> None:
    """There is always more than asked for, and never less for more periods."""
    assert periods + 2 <= evaluation_range(periods, period_s) <= evaluation_range(periods + 1, period_s)


@given(cases(), st.data())
def test_a_further_breach_never_turns_alarm_into_ok(
    case: tuple[list[float | None], AlarmCondition, str], data: st.DataObject
) -> None:
    """A gap that turns out to be a breach cannot improve the state."""
    series, condition, state = case
    gaps = [index for index, point in enumerate(series) if point is None]
    if not gaps or evaluate(series, condition, state).state != "ALARM":
        return
    series[data.draw(st.sampled_from(gaps))] = THRESHOLD
    worse = evaluate(series, condition, state).state
    assert worse == "ALARM" or (condition.missing == "ignore" and worse == state != "OK")


@given(cases(), st.data())
def test_a_breach_instead_of_a_healthy_point_never_turns_alarm_into_ok(
    case: tuple[list[float | None], AlarmCondition, str], data: st.DataObject
) -> None:
    """A worse value cannot improve the state."""
    series, condition, _ = case
    healthy = [index for index, point in enumerate(series) if point == 0.0]
    if not healthy or evaluate(series, condition, "OK").state != "ALARM":
        return
    series[data.draw(st.sampled_from(healthy))] = THRESHOLD
    assert evaluate(series, condition, "ALARM").state == "ALARM"


@given(cases())
def test_evaluated_points_are_the_newest_real_ones_in_order(
    case: tuple[list[float | None], AlarmCondition, str],
) -> None:
    """What decided is real, ordered by time, at most as many as asked for, and nothing newer was left out."""
    series, condition, state = case
    evaluated = evaluate(series, condition, state).evaluated
    real = [index for index, point in enumerate(series) if point is not None]
    assert list(evaluated) == real[-condition.evaluation_periods :]


@given(conditions(), states)
def test_silence_alone_is_judged_by_the_treatment(condition: AlarmCondition, state: str) -> None:
    """Without any point the treatment decides, whatever M and N are."""
    silence = [None] * evaluation_range(condition.evaluation_periods, 60)
    expected = {"missing": "INSUFFICIENT_DATA", "ignore": state, "breaching": "ALARM", "notBreaching": "OK"}
    assert evaluate(silence, condition, state).state == expected[condition.missing]


@given(cases(), states)
def test_only_ignore_looks_at_the_present_state(
    case: tuple[list[float | None], AlarmCondition, str], other: str
) -> None:
    """For all other treatments the points alone decide."""
    series, condition, state = case
    if condition.missing != "ignore":
        assert evaluate(series, condition, state) == evaluate(series, condition, other)


@given(cases())
def test_a_state_is_retained_by_ignore_alone(case: tuple[list[float | None], AlarmCondition, str]) -> None:
    """What is retained is the state before, and only an alarm that ignores missing data retains any."""
    series, condition, state = case
    judgement = evaluate(series, condition, state)
    assert not judgement.retained or (condition.missing == "ignore" and judgement.state == state)


@given(cases())
def test_full_ranges_count_breaches_among_the_newest(case: tuple[list[float | None], AlarmCondition, str]) -> None:
    """Where nothing is missing, M of the newest N decide."""
    series, condition, state = case
    if None in series:
        return
    breaches = sum(point == 1.0 for point in series[-condition.evaluation_periods :])
    assert evaluate(series, condition, state).state == ("ALARM" if breaches >= condition.datapoints_to_alarm else "OK")
