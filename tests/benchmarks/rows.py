"""What a benchmark gives: a module of this folder with a function `rows()`."""

from collections.abc import Iterable, Sequence
from statistics import median, quantiles

from msgspec import Struct
from rich.console import Console
from rich.table import Table


class Row(Struct, frozen=True, kw_only=True):
    """One measurement beside its peer's in the same run; `ratio` is ours ÷ peer's.

    `value` is absent where what it takes is not installed, `peer_value` where the peer is not; `ratios` are those of
    each round, where both were measured in turns.
    """

    what: str
    value: float | None
    unit: str
    peer: str = ""
    peer_value: float | None = None
    ratios: Sequence[float] = ()
    wanted: str = ""

    @property
    def ratio(self) -> float | None:
        """The median of those of each round; absent unless both could be measured."""
        if self.ratios:
            return median(self.ratios)
        return self.value / self.peer_value if self.value is not None and self.peer_value else None


def show(rows: Iterable[Row]) -> None:
    """Prints one table on stdout."""
    table = Table("what", "measured", "unit", "peer", "peer's", "ratio", "wanted")
    for row in rows:
        peer = row.peer if row.peer_value is not None or not row.peer else f"{row.peer} (not installed)"
        table.add_row(row.what, _shown(row.value), row.unit, peer, _shown(row.peer_value), _ratio(row), row.wanted)
    Console(width=140).print(table)


def _ratio(row: Row) -> str:
    """The ratio, with the quartiles of those of each round."""
    if row.ratio is None:
        return "-"
    if len(row.ratios) < 2:
        return f"{row.ratio:.2f}"
    low, _, high = quantiles(row.ratios, n=4, method="inclusive")
    return f"{row.ratio:.2f} ({low:.2f}–{high:.2f})"


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
