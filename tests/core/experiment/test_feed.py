"""Feeds: rows from CSV and JSON lines, and an order in which each is used."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.experiment.feed import drawn, feed_of, row_of
from harness.errors import ExperimentError

BAD = {
    ("", "c.csv"): "c.csv has no rows; it needs one at least below the names of its columns",
    ("a,b\n", "c.csv"): "c.csv has no rows; it needs one at least below the names of its columns",
    ("a,b\n1,2\n3\n", "c.csv"): "c.csv, line 3: has 1 value, and line 1 names 2 columns; make them equal",
    ('a\n"x\n', "c.csv"): "c.csv, line 2: is not CSV: unexpected end of data",
    ("a;b\n1;2\n", "c.csv"): "c.csv, line 1: the column 'a;b' cannot be used in {{…}}; a column is called by letters, "
    "digits, _ and -; columns are divided by commas",
    ("a,a\n1,2\n", "c.csv"): "c.csv, line 1: the column a is there twice; drop one",
    ("uuid\n1\n", "c.csv"): "c.csv, line 1: the column 'uuid' cannot be used in {{…}}; a column is called by letters, "
    "digits, _ and -, and not uuid or now",
    ('{"a": 1}\n{"b": 1}\n', "c.jsonl"): "c.jsonl, line 2: its keys differ from those of the first row in a, b; make "
    "them equal",
    ('{"a": 1}\n{"a": [1]}\n', "c.jsonl"): "c.jsonl, line 2: must be an object of texts, numbers, true, false and null",
}


@pytest.mark.parametrize(("given_", "sentence"), BAD.items(), ids=str)
def test_a_feed_that_cannot_be_is_named_with_its_line(given_: tuple[str, str], sentence: str) -> None:
    """One sentence with the file, the line and what to do."""
    with pytest.raises(ExperimentError) as refusal:
        feed_of(*given_)
    assert str(refusal.value).startswith(f"traffic.feed: {sentence}")


def test_csv_and_json_lines_are_rows_by_the_names_of_their_columns() -> None:
    """Values of CSV are texts; JSON keeps numbers, true, false and null."""
    assert feed_of('\ufeffmail, n\r\n"a,\nb",1\r\n\r\n', "c.csv").rows == (("a,\nb", "1"),)
    feed = feed_of('{"a": 1, "b": "x"}\n\n{"b": null, "a": true}\n', "c.jsonl")
    assert (feed.columns, feed.column("a"), feed.column("b")) == (("a", "b"), [1, True], ["x", None])


def test_rows_of_the_same_values_have_one_number() -> None:
    """They are one customer."""
    assert feed_of("a\nx\ny\nx\n", "c.csv").numbers == (1, 2, 1)


@given(count=st.integers(1, 200), passes=st.integers(1, 4))
def test_each_row_is_used_once_in_a_pass(count: int, passes: int) -> None:
    """However many rows there are."""
    assert Counter(row_of(turn, count) for turn in range(count * passes)) == dict.fromkeys(range(count), passes)


def test_the_seed_draws_the_order() -> None:
    """The same seed, the same order; a row keeps its number."""
    feed = feed_of("n\n" + "".join(f"{number}\n" for number in range(1, 51)), "c.csv")
    first, again, other = (drawn(feed, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert [int(str(value)) for value in first.column("n")] == [*first.numbers]
