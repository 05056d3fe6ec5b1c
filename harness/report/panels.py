"""The panels of the main chart, from the top: lanes, weight, traffic, failures, latency, and what alarms counted.

Each panel is plain Vega-Lite 6 and names the data set that it draws; `chart` makes the data.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.report.drawing import UNDER_POINTER
from harness.report.seconds import CELLS

Spec = dict[str, Any]
STEPS_LANE = "steps"
LONG_S = 7200.0
"""A longer run has hours on its axis."""
GRID = "rgba(128, 136, 146, 0.28)"

# Those with a version are told apart by colour-blind people of each kind, too, and all but the last are at least 3:1 on
# white and on near-black.
SERIES = {
    ("good", "baseline"): ("good, baseline", "#2f7fc1"),
    ("good", "canary"): ("good, canary", "#d07c00"),
    ("good", "unknown"): ("good, version unknown", "#85898f"),
    ("fault", "baseline"): ("fault, baseline", "#973df2"),
    ("fault", "canary"): ("fault, canary", "#d4483b"),
    ("fault", "unknown"): ("fault, version unknown", "#6b5a50"),
}
KINDS = {
    "done": "#2c8560",
    "going": "#66727c",
    "ok": "#2c8560",
    "alarm": "#d4483b",
    "blind": "#757d86",
    "fault": "#b06000",
    "trouble": "#c0392b",
    "note": "#2f7fc1",
}
NOT_OVER = "not over"
# Pale colours are for periods of which CloudWatch told no value.
BREACHING = {
    "not breaching": "#2f7fc1",
    "breaching": "#d4483b",
    "not breaching by clients' count": "#b9d3ea",
    "breaching by clients' count": "#f2bfb9",
    NOT_OVER: "#c4c9cf",
}
QUANTILES = {"p50": "#85898f", "p95": "#2f7fc1", "p99": "#973df2"}
EVIDENCE = {"failures": "#d07c00", "slowness": "#2f7fc1"}
CONFIG: Spec = {
    "view": {"stroke": None},
    "axis": {
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "domain": False,
        "gridColor": GRID,
        "tickColor": GRID,
    },
    "legend": {"labelFontSize": 11, "orient": "top", "title": None, "symbolSize": 80, "offset": 2},
    "font": "system-ui, sans-serif",
    "background": "transparent",
}
# Names of alarms begin and end alike, and what tells them apart is mostly at the end.
LANE_LABEL = "length(datum.label) > 18 ? slice(datum.label, 0, 7) + '…' + slice(datum.label, -10) : datum.label"


def lanes(order: Sequence[str], kinds: Iterable[str]) -> Spec:
    """A lane each for what happened beside the traffic, with the numbers of the steps above them."""
    axis = {"labelLimit": 130, "labelExpr": LANE_LABEL, "ticks": False, "grid": False, "domain": False}
    lane = {**_nominal("lane", None), "scale": {"domain": order}, "axis": axis}
    color = {**_colored("kind", {kind: color for kind, color in KINDS.items() if kind in kinds}), "legend": None}
    shared = {"y": lane, "color": color, "tooltip": [_nominal("what", " ")]}
    lasted = {
        "transform": [{"filter": "datum.u > datum.t"}],
        "mark": {"type": "bar", "height": 13, "cornerRadius": 2, "strokeWidth": 2, "clip": True, "tooltip": True},
        "encoding": {**_from_t_to_u(), **shared, "stroke": color},
    }
    moments = {
        "transform": [{"filter": "datum.u === datum.t"}],
        "mark": {"type": "tick", "thickness": 3, "size": 14, "clip": True, "tooltip": True},
        "encoding": {"x": _quantity("t"), **shared},
    }
    labels = _lane_text("at", lane, align="left", dx=5, fontSize=10, color="white")
    numbers = {"data": {"name": "numbers"}, **_lane_text("t", lane, fontSize=11)}
    layer = [lasted, moments, {"transform": [{"filter": "datum.label !== ''"}], **labels}, numbers]
    return {"data": {"name": "spans"}, "height": {"step": 20}, "layer": layer}


def _lane_text(at: str, lane: Spec, **look: Any) -> Spec:
    return {
        "mark": {"type": "text", "fontWeight": 600, "clip": True, "tooltip": False, **look},
        "encoding": {"x": _quantity(at), "y": lane, "text": {"field": "label", "type": "nominal"}},
    }


def weight() -> Spec:
    """The canary's share of the traffic."""
    color = "#d07c00"
    line = {"color": color, "strokeWidth": 1.5, "clip": True}
    area = {"type": "area", "interpolate": "step-after", "color": color, "fillOpacity": 0.55, "line": line}
    y = {**_y("weight", ["canary", "weight"], format="%", values=[0, 0.5, 1]), "scale": {"domain": [0, 1]}}
    tooltip = [_told("t", "s", ".0f"), _told("weight", "canary weight", ".0%")]
    return {
        "data": {"name": "slices"},
        "height": 52,
        "mark": {**area, "clip": True},
        "encoding": {"x": _quantity("t"), "y": y, "tooltip": tooltip},
    }


def stacked(what: str, title: str, height: int, cells: Sequence[int]) -> Spec:
    """Stacked bars of the cells that are there."""
    series = _colored("series", dict(SERIES[CELLS[index]] for index in cells))
    series["legend"] = {"columns": 6} if what == "sent" else None
    number, names = f"toNumber(slice(datum.key, {len(what)}))", [SERIES[cell][0] for cell in CELLS]
    rate = _told("rate", title, ".4~g")
    return {
        "data": {"name": "slices"},
        "height": height,
        "transform": [
            {"fold": [f"{what}{index}" for index in cells], "as": ["key", "rate"]},
            {"filter": "datum.rate > 0"},
            {"calculate": number, "as": "order"},
            {"calculate": f"{names}[datum.order]", "as": "series"},
        ],
        "mark": {"type": "bar", "clip": True, "strokeWidth": 1, "tooltip": True},
        "encoding": {
            **_from_t_to_u(),
            "y": {**_y("rate", title), "aggregate": "sum", "stack": "zero"},
            "order": _quantity("order"),
            "color": series,
            "stroke": series,
            "tooltip": [_told("t", "s", ".0f"), _nominal("series", "what"), {**rate, "aggregate": "sum"}],
        },
    }


def latency() -> Spec:
    """A stroke a slice and quantile, none where nothing was sent.

    All of a slice are told wherever the pointer or finger is in it, for strokes are thin.
    """
    color = {**_colored("quantile", QUANTILES), "legend": {}}
    lines: Spec = {
        "transform": [{"fold": list(QUANTILES), "as": ["quantile", "ms"]}, {"filter": "isValid(datum.ms)"}],
        "mark": {"type": "rule", "strokeWidth": 1.5, "clip": True},
        "encoding": {**_from_t_to_u(), "y": _y("ms", ["client latency", "ms"]), "color": color},
    }
    told = [_told("t", "s", ".0f"), *(_told(name, f"client {name} ms", ".4~g") for name in QUANTILES)]
    under: Spec = {
        "name": UNDER_POINTER,
        "transform": [{"filter": "isValid(datum.p50)"}],
        "mark": {"type": "rect", "opacity": 0, "clip": True, "tooltip": True},
        "encoding": {**_from_t_to_u(), "tooltip": told},
    }
    return {"data": {"name": "slices"}, "height": 90, "layer": [lines, under]}


def counted(alarms: Sequence[str], words: Iterable[str]) -> Iterator[Spec]:
    """What each alarm counted, against its threshold; of several each is named, and the first has the legend."""
    color = _colored("breaching", {word: color for word, color in BREACHING.items() if word in words})
    for alarm in alarms:
        title = "alarm counted" if len(alarms) == 1 else [_middle_cut(alarm), "counted"]
        own = [{"filter": {"field": "alarm", "equal": alarm}}]
        bars = {
            "transform": own,
            "mark": {"type": "bar", "clip": True, "opacity": 0.75, "tooltip": True},
            "encoding": {
                **_from_t_to_u(),
                "y": {**_y("value", title), "stack": None},
                "y2": {"datum": 0},
                "color": {**color, "legend": {} if alarm == alarms[0] else None},
                "tooltip": [_nominal("alarm", "alarm"), _nominal("what", "period")],
            },
        }
        threshold = {
            "transform": own,
            "mark": {"type": "rule", "strokeDash": [4, 3], "color": "#d4483b", "clip": True},
            "encoding": {**_from_t_to_u(), "y": _quantity("threshold")},
        }
        yield {"data": {"name": "points"}, "height": 70, "layer": [bars, threshold]}


def evidence() -> Spec:
    """The e-values of the second opinion, against what it takes to stop the release."""
    scale = {"type": "log", "domain": [0.01, 10_000], "clamp": True}
    y = {**_y("e", ["evidence", "(e-value)"], values=[0.01, 1, 100, 10_000]), "scale": scale}
    grown: Spec = {
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.5, "clip": True, "tooltip": True},
        "encoding": {
            "x": _quantity("t"),
            "y": y,
            "color": {**_colored("of", EVIDENCE), "legend": {}},
            "tooltip": [_told("t", "s", ".0f"), _nominal("of", "of"), _nominal("what", "evidence")],
        },
    }
    least: Spec = {
        "mark": {"type": "line", "strokeDash": [4, 3], "color": "#d4483b", "clip": True},
        "encoding": {"x": _quantity("t"), "y": _quantity("least")},
    }
    return {"data": {"name": "evidence"}, "height": 70, "layer": [grown, least]}


def _middle_cut(name: str) -> str:
    return name if len(name) <= 18 else f"{name[:7]}…{name[-10:]}"


def aligned(panels: Sequence[Spec], domain: list[float], width: int, title: str) -> list[Spec]:
    """The panels with names, the lines of the steps across them, and one time axis with its words under the last."""
    axis: Spec = {"title": None, "labels": False, "ticks": False, "grid": True, "tickCount": 8}
    words: Spec = {"title": title, "labels": True, "ticks": True}
    if domain[1] - domain[0] > LONG_S:
        axis["labelExpr"] = "format(datum.value / 3600, '.3~g') + ' h'"
        words["title"] = title.replace("seconds", "hours")
    last = len(panels) - 1
    return [
        _dressed(panel, f"panel{number}", domain, width, axis | words if number == last else axis)
        for number, panel in enumerate(panels)
    ]


def _dressed(panel: Spec, name: str, domain: list[float], width: int, axis: Spec) -> Spec:
    across = {
        "data": {"name": "steps"},
        "mark": {"type": "rule", "strokeDash": [2, 3], "color": "#7f8790", "size": 1.2, "clip": True, "tooltip": True},
        "encoding": {"x": _quantity("t"), "tooltip": [_nominal("what", "step")]},
    }
    shared = {key: panel[key] for key in ("data", "height")}
    own = panel.get("layer") or [{key: value for key, value in panel.items() if key not in shared}]
    layers = [{**layer, "encoding": {**layer["encoding"]}} for layer in (*own, across)]
    layers[0]["name"] = name
    for layer in layers:
        layer["encoding"]["x"] = {**layer["encoding"]["x"], "axis": axis, "scale": {"domain": domain, "nice": False}}
    return {**shared, "layer": layers, "width": width}


def zoom(panels: int) -> Spec:
    """Zooms all panels together: Ctrl and wheel, or drag."""
    select = {
        "type": "interval",
        "encodings": ["x"],
        "zoom": "wheel![event.ctrlKey || event.metaKey]",
        "translate": "[pointerdown[event.pointerType !== 'touch'], window:pointerup] > window:pointermove!",
    }
    views = [f"panel{number}" for number in range(panels)]
    return {"name": "zoom", "select": select, "bind": "scales", "views": views}


def _quantity(field: str) -> Spec:
    return {"field": field, "type": "quantitative"}


def _nominal(field: str, title: str | None) -> Spec:
    return {"field": field, "type": "nominal", "title": title}


def _colored(field: str, colors: Mapping[str, str]) -> Spec:
    return {"field": field, "type": "nominal", "scale": {"domain": list(colors), "range": list(colors.values())}}


def _from_t_to_u() -> Spec:
    return {"x": _quantity("t"), "x2": {"field": "u"}}


def _y(field: str, title: str | list[str], **more: Any) -> Spec:
    return {**_quantity(field), "axis": {"title": title, "tickCount": 3, "minExtent": 60, "grid": True, **more}}


def _told(field: str, title: str, format_: str) -> Spec:
    return {**_quantity(field), "title": title, "format": format_}
