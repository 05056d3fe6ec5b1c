"""What a benchmark gives: a module of this folder with a function `rows()`."""

from collections.abc import Iterable

from msgspec import Struct
from rich.console import Console
from rich.table import Table


class Row(Struct, frozen=True, kw_only=True):
    """One measurement beside its peer's in the same run; `ratio` is ours ÷ peer's."""

    what: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    wanted: str = ""

    @property
    def ratio(self) -> float | None:
        """Absent without a peer that could be measured."""
        return self.value / self.peer_value if self.peer_value else None


def show(rows: Iterable[Row]) -> None:
    """Prints one table on stdout."""
    table = Table("what", "measured", "unit", "peer", "peer's", "ratio", "wanted")
    for row in rows:
        peer_value = "-" if row.peer_value is None else f"{row.peer_value:,.2f}"
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
        table.add_row(row.what, f"{row.value:,.2f}", row.unit, row.peer, peer_value, ratio, row.wanted)
    Console(width=140).print(table)
