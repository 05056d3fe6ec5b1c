"""A sweep of settings as a table whose cells are warmer the later the deployment would have stopped."""

from rich.table import Table
from rich.text import Text

from harness.core.odds.sweep import Sweep, SweptCell

_SHADES = ("on green4", "on chartreuse4", "on yellow4", "on dark_orange3", "on orange_red1")
"""From early to late."""
_MISSED = "on red3"


def heat_table(found: Sweep) -> Table:
    """The last name of the sweep across, all others down."""
    *down, across = found.names
    columns = found.values[-1]
    table = Table(title=None, box=None, pad_edge=False)
    for name in down:
        table.add_column(name, justify="right")
    for value in columns:
        table.add_column(f"{across}={value}" if value == columns[0] else value, justify="right")
    longest_s = max((cell.replayed.stopped_s or 0.0 for cell in found.cells), default=0.0)
    for at in range(0, len(found.cells), len(columns)):
        row = found.cells[at : at + len(columns)]
        table.add_row(*row[0].values[:-1], *(_shown(cell, longest_s) for cell in row))
    return table


def _shown(cell: SweptCell, longest_s: float) -> Text:
    found = cell.replayed
    mark = "*" if found.extrapolated else " "
    if found.came == "unknown":
        return Text("? ")
    if found.stopped_s is None:
        return Text(f"-{mark}", style=_MISSED)
    shade = min(len(_SHADES) - 1, int(found.stopped_s / max(longest_s, 1.0) * len(_SHADES)))
    return Text(f"{found.stopped_s:.0f}{mark}", style=_SHADES[shade])
