"""The picture of a sweep: a cell a setting, warmer the later the deployment would have stopped."""

from harness.core.odds.sweep import Sweep, SweptCell
from harness.report.odds_chart import SCHEMA
from harness.report.panels import CONFIG, Spec

NEVER = "#4a4f57"
STOPS = "datum.stopped !== null"
WARM = ["#fff3b0", "#f28e2b"]
CELL_PX = 34


def heat_chart(found: Sweep, title: str) -> Spec:
    """The last name of the sweep across, all others down; `-` is a promotion, `?` is not known."""
    *down, across = found.names
    rows = [_row(cell) for cell in found.cells]
    columns = list(found.values[-1])
    order = list(dict.fromkeys(row["down"] for row in rows))
    x: Spec = {"field": "across", "type": "ordinal", "sort": columns, "axis": {"title": across, "labelAngle": 0}}
    y: Spec = {"field": "down", "type": "ordinal", "sort": order, "axis": {"title": ", ".join(down) or None}}
    color = {"field": "stopped", "type": "quantitative", "scale": {"range": WARM}, "legend": None}
    stopped: Spec = {
        "data": {"name": "cells"},
        "transform": [{"filter": STOPS}],
        "mark": {"type": "rect", "stroke": "white"},
        "encoding": {"x": x, "y": y, "color": color},
    }
    promoted: Spec = {
        "data": {"name": "cells"},
        "transform": [{"filter": f"!({STOPS})"}],
        "mark": {"type": "rect", "stroke": "white", "color": NEVER},
        "encoding": {"x": x, "y": y},
    }
    label = {"condition": {"test": STOPS, "value": "black"}, "value": "white"}
    texts: Spec = {
        "data": {"name": "cells"},
        "mark": {"type": "text", "fontSize": 10},
        "encoding": {"x": x, "y": y, "text": {"field": "label", "type": "nominal"}, "color": label},
    }
    size = {"width": {"step": CELL_PX + 8}, "height": {"step": CELL_PX}}
    panel: Spec = {"data": {"name": "cells"}, **size, "layer": [stopped, promoted, texts]}
    return {
        "$schema": SCHEMA,
        "title": {"text": title, "anchor": "start", "fontSize": 13},
        "datasets": {"cells": rows},
        "vconcat": [panel],
        "config": CONFIG,
    }


def _row(cell: SweptCell) -> Spec:
    found = cell.replayed
    mark = "*" if found.extrapolated else ""
    told = f"{found.stopped_s:.0f}" if found.stopped_s is not None else "?" if found.came == "unknown" else "-"
    return {
        "across": cell.values[-1],
        "down": ", ".join(cell.values[:-1]),
        "stopped": found.stopped_s,
        "label": told + mark,
    }
