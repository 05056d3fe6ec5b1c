"""A feed: rows of values for placeholders, from CSV or JSON lines, each used in an order drawn by the seed."""

import csv
import io
import random
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from harness.core.experiment.placeholders import is_column_name
from harness.core.experiment.requests import Scalar
from harness.errors import ExperimentError

PATH = "traffic.feed"
JSON_LINES = (".jsonl", ".ndjson", ".json")
"""Endings of files that hold a JSON object a line; all others are CSV, with the columns' names in its first line."""
MOST_ROWS = 1_000_000
_STRIDE = 7919
"""By so many places the order moves on with each pass, so that a row does not always meet the same turn of a fault."""

Value = Scalar | None
Row = tuple[Value, ...]
_decoder = msgspec.json.Decoder(dict[str, Value])


class Feed(Struct, frozen=True):
    """Rows of values by the names of their columns; `source` is their file.

    `numbers` are what the rows are known by: 1 is the first one below the names, and rows of equal values have the
    number of the first of them.
    """

    source: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    numbers: tuple[int, ...] = ()

    def column(self, name: str) -> list[Value]:
        """The values of a column, a row each."""
        index = self.columns.index(name)
        return [row[index] for row in self.rows]


def drawn(feed: Feed, seed: int) -> Feed:
    """The feed with its rows in the order in which they are used, which the seed draws."""
    order = [*range(len(feed.rows))]
    random.Random(f"feed {seed}").shuffle(order)
    rows, numbers = (tuple(part[index] for index in order) for part in (feed.rows, feed.numbers))
    return replace(feed, rows=rows, numbers=numbers)


def row_of(turn: int, count: int) -> int:
    """Which of `count` rows a turn uses: each once in a pass over all of them."""
    return (turn + turn // count * _STRIDE) % count


def feed_of(text: str, source: str) -> Feed:
    """The feed that a text describes; raises ExperimentError with its file and line."""
    read = _json_lines if source.lower().endswith(JSON_LINES) else _csv
    return _checked(Feed(source, *read(text.removeprefix("\ufeff"), source)))


def feed_of_rows(rows: Sequence[Mapping[str, Value]]) -> Feed:
    """The feed whose rows an experiment holds itself; raises ExperimentError."""
    columns = tuple(rows[0]) if rows else ()
    for index, row in enumerate(rows):
        if row.keys() != {*columns}:
            odd = ", ".join(sorted(row.keys() ^ {*columns}))
            raise ExperimentError(f"{PATH}[{index}]", f"its keys differ from those of the first row in {odd}")
    return _checked(Feed(PATH, columns, tuple(tuple(row[name] for name in columns) for row in rows)))


def _checked(feed: Feed) -> Feed:
    if not feed.rows:
        raise ExperimentError(PATH, f"{feed.source} has no rows; it needs one at least below the names of its columns")
    if len(feed.rows) > MOST_ROWS:
        raise ExperimentError(PATH, f"{feed.source} has {len(feed.rows):,} rows; a feed has {MOST_ROWS:,} at most")
    _check_columns(feed.columns, feed.source)
    first: dict[Row, int] = {}
    return replace(feed, numbers=tuple(first.setdefault(row, number) for number, row in enumerate(feed.rows, 1)))


def _check_columns(columns: Sequence[str], source: str) -> None:
    for name in columns:
        if not is_column_name(name):
            problem = f"{name!r} cannot be used in {{{{…}}}}; a column is called by letters, digits, _ and -"
            hint = "; columns are divided by commas" if {*";\t|"} & {*name} else ", and not uuid or now"
            raise ExperimentError(PATH, f"{source}, line 1: the column {problem}{hint}")
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice:
        raise ExperimentError(PATH, f"{source}, line 1: the column {twice} is there twice; drop one")


def _csv(text: str, source: str) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    columns: tuple[str, ...] = ()
    rows: list[Row] = []
    try:
        for cells in reader:
            if not cells:
                continue
            if not columns:
                columns = tuple(cell.strip() for cell in cells)
            elif len(cells) != len(columns):
                problem = f"has {_values(len(cells))}, and line 1 names {_values(len(columns), 'column')}"
                raise ExperimentError(PATH, f"{source}, line {reader.line_num}: {problem}; make them equal")
            else:
                rows.append(tuple(cells))
    except csv.Error as error:
        raise ExperimentError(PATH, f"{source}, line {reader.line_num}: is not CSV: {error}") from error
    return columns, tuple(rows)


def _values(count: int, what: str = "value") -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _json_lines(text: str, source: str) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    columns: tuple[str, ...] = ()
    rows: list[Row] = []
    for number, row in _objects(text, source):
        columns = columns or tuple(row)
        if row.keys() != {*columns}:
            odd = sorted(row.keys() ^ {*columns})
            problem = f"its keys differ from those of the first row in {', '.join(odd)}; make them equal"
            raise ExperimentError(PATH, f"{source}, line {number}: {problem}")
        rows.append(tuple(row[name] for name in columns))
    return columns, tuple(rows)


def _objects(text: str, source: str) -> Iterator[tuple[int, dict[str, Value]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, _decoder.decode(line)
            except msgspec.DecodeError as error:
                problem = f"must be an object of texts, numbers, true, false and null: {error}"
                raise ExperimentError(PATH, f"{source}, line {number}: {problem}") from error
