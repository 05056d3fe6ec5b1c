"""What the client says to hostile answers, beside h11's reading of the same bytes; prints a table of its own.

Both must come to the same answer, or both refuse; where they do not, the table says why. Needs nothing.
"""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from tests.benchmarks.rows import Row
from tests.traffic.answers import CASES, Read, h11s, ours


def rows() -> Iterator[Row]:
    """How many answers are read as h11 reads them."""
    _show()
    alike = sum(_is_alike(ours(case.stream), h11s(case.stream)) for case in CASES)
    told = sum(bool(case.differs) for case in CASES)
    yield Row(
        what=f"hostile answers read as h11 reads them; {told} of {len(CASES)} differ on purpose",
        value=float(alike),
        unit="answers",
        wanted=f"{len(CASES) - told}",
    )


def _is_alike(read: Read, theirs: Read) -> bool:
    return bool(read.refused) == bool(theirs.refused) and read[:2] == theirs[:2]


def _show() -> None:
    table = Table("a server sends", "the client says", "h11 says", "differs")
    for case in CASES:
        table.add_row(case.name, _said(ours(case.stream)), _said(h11s(case.stream)), case.differs)
    Console(width=180).print(table)


def _said(read: Read) -> str:
    return read.refused or f"{read.status} {read.body.decode('latin-1')!r}"


if __name__ == "__main__":
    _show()
