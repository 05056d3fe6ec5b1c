"""CloudWatch's metric math."""

import pytest

from harness.core.timeline.metric_math import NotEvaluated, Series, evaluate_expression, read_expression

ERRORS: Series = [1.0, None, 3.0, 0.0]
CALLS: Series = [10.0, 20.0, 30.0, 0.0]

PYTHON_ALONE = (
    *("e ** 2", "e // 2", "e % 2", "0x10 + e", "1_000 + e", "1j * e", "e # c", "e and c", "e or c", "not e", "e\u00b5"),
    *("e is c", "lambda: 1", "e if c else 0", "(e := 1)", "METRICS(f'e')", "b'e'", "e == None", "\uff45 + 1"),
)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("100*e/c", [10.0, None, 10.0, None]),
        ("100 - 100 * e / c", [90.0, None, 90.0, None]),
        ("e / MAX([e, c])", [0.1, None, 0.1, None]),
        ("FILL(e, 0) / c", [0.1, 0.0, 0.1, None]),
        ("FILL(e, REPEAT)", [1.0, 1.0, 3.0, 0.0]),
        ("IF(c > 15, e, 0)", [0.0, None, 3.0, 0.0]),
        ("IF(c > 15 && e > 2, 1, 0)", [0.0, None, 1.0, 0.0]),
        ("c > 15 AND c < 25", [0.0, 1.0, 0.0, 0.0]),
        ("c < 5 OR c > 25", [0.0, 0.0, 1.0, 1.0]),
        ("SUM(METRICS())", [11.0, 20.0, 33.0, 0.0]),
        ("SUM([e, c])", [11.0, 20.0, 33.0, 0.0]),
        ("AVG([e, c])", [5.5, 20.0, 16.5, 0.0]),
        ("SUM(e)", [4.0, 4.0, 4.0, 4.0]),
        ("DIFF(c)", [None, 10.0, 10.0, -30.0]),
        ("RATE(c) * 60", [None, 10.0, 10.0, -30.0]),
        ("DIFF(e)", [None, None, 2.0, -3.0]),
        ("RATE(e) * 60", [None, None, 1.0, -3.0]),
        ("c / PERIOD(c)", [10 / 60, 20 / 60, 0.5, 0.0]),
        ("RUNNING_SUM(e)", [1.0, 1.0, 4.0, 4.0]),
        ("-e + 2^3", [7.0, None, 5.0, 8.0]),
        ("e\n  + c ", [11.0, None, 33.0, 0.0]),
        ("1.5e1 * FILL(e, .5)\t", [15.0, 7.5, 45.0, 0.0]),
        ("CEIL(c / 3) - FLOOR(c / 3) + ABS(-1)", [2.0, 2.0, 1.0, 1.0]),
    ],
)
def test_values(text: str, values: list[float | None]) -> None:
    """Number by number, with a gap where a side has none and where something is divided by zero."""
    assert evaluate_expression(read_expression(text), {"e": ERRORS, "c": CALLS}) == pytest.approx(values)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "e /",
        'SELECT AVG(Errors) FROM SCHEMA("AWS/Lambda")',
        "ANOMALY_DETECTION_BAND(e, 2)",
        "SEARCH(' {AWS/Lambda} ', 'Sum')",
        "__import__('os').system('true')",
        "e.c",
        "e if c else 0",
        "True",
        "IF(e)",
        "1 < e < 2",
        "-" * 60 + "e",
        *PYTHON_ALONE,
        "e" * 5000,
    ],
)
def test_what_is_not_evaluated_is_refused(text: str) -> None:
    """Never with another error, and nothing is guessed."""
    with pytest.raises(NotEvaluated):
        read_expression(text)


@pytest.mark.parametrize("id_", ["in", "is", "if", "for", "and", "not", "lambda"])
def test_an_id_may_be_a_word_of_pythons(id_: str) -> None:
    """AWS knows no such words."""
    expression = read_expression(f"{id_} + SUM([{id_}, 1])")
    assert expression.names == {id_}
    assert evaluate_expression(expression, {id_: [2.0]}) == [5.0]


@pytest.mark.parametrize("text", ["SUM([m1,])", "IF(m1, 2,)", "(m1,)", "True", "m1 + None"])
def test_what_only_python_would_read_is_no_metric_math(text: str) -> None:
    """A comma at the end, and its constants."""
    with pytest.raises(NotEvaluated):
        read_expression(text)
