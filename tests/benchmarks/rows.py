"""What a benchmark gives: a module of this folder with a function `rows()`."""

from collections.abc import Iterable

from msgspec import Struct
from rich.console import Console
from rich.table import Table


class Row(Struct, frozen=True, kw_only=True):
    """One measurement beside its peer's in the same run; `ratio` is ours ÷ peer's.

    `value` is absent where what it takes is not installed, `peer_value` where the peer is not.
    """

    what: str
    value: float | None
    unit: str
    peer: str = ""
    peer_value: float | None = None
    wanted: str = ""

    @property
    def ratio(self) -> float | None:
        """Absent unless both could be measured."""
        return self.value / self.peer_value if self.value is not None and self.peer_value else None


def show(rows: Iterable[Row]) -> None:
    """Prints one table on stdout."""
    table = Table("what", "measured", "unit", "peer", "peer's", "ratio", "wanted")
    for row in rows:
        peer = row.peer if row.peer_value is not None or not row.peer else f"{row.peer} (not installed)"
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
        table.add_row(row.what, _shown(row.value), row.unit, peer, _shown(row.peer_value), ratio, row.wanted)
    Console(width=140).print(table)


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
