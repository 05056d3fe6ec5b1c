"""The main chart: one aligned timeline of lanes, weight, traffic, failures, latency and datapoints, as Vega-Lite.

The specification is plain Vega-Lite 6. Nothing is imported to write it, because a run writes its report while somebody
waits; `drawing` turns it into pictures, and the page into something to zoom in.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from harness.report import facts
from harness.report.datapoints import AlarmPeriod, datapoints
from harness.report.drawing import UNDER_POINTER
from harness.report.judged_run import JudgedRun
from harness.report.lanes import Span, spans
from harness.report.seconds import CELLS, Slice

Spec = dict[str, Any]
MOST_SLICES = 600
"""One for each pixel or two; twice as many would take twice as long to draw and show nothing more."""
MOST_MOMENTS = 500
LETTER_PX = 7.0
LEGIBLE = 0.02
"""The share of the width under which two labels would touch."""
STEPS_LANE = "steps"
MOST_TOLD = 3
"""Spans of a lane that are told one by one in words."""
MOST_DRAWN_ALARMS = 3
GRID = "rgba(128, 136, 146, 0.28)"
LONG_S = 7200.0
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"

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
QUANTILES = {"p50": "#85898f", "p95": "#2f7fc1", "p99": "#973df2"}


def chart(run: JudgedRun, width: int = 860) -> Spec | None:
    """The main chart of a run, `width` pixels wide; None of a run in which nothing was seen or sent."""
    parts = run.seconds.slices(width_s := run.seconds.width_for(MOST_SLICES))
    lanes, points, origin_s = spans(run), datapoints(run), run.origin_s
    if not (parts or lanes):
        return None
    shown = _panels(run, lanes, parts, points)
    ends = [*(part.at_s + width_s for part in parts), *(span.to_s for span in lanes)]
    starts = [*(part.at_s for part in parts), *(span.from_s for span in lanes)]
    domain = [min(starts) - origin_s, max(ends) - origin_s]
    for number, panel in enumerate(shown):
        _dress(panel, number, len(shown), domain, width, counted_from(run))
    return {
        "$schema": SCHEMA,
        "description": alternative(run),
        "datasets": {
            "slices": [_row(part, width_s, origin_s) for part in parts],
            "spans": [_span(span, origin_s, (domain[1] - domain[0]) / width) for span in _fewer(lanes)],
            "steps": (marks := steps(run)),
            "numbers": numbers(marks, domain[1] - domain[0]),
            "points": [_point(point, origin_s) for point in points],
        },
        "vconcat": shown,
        "spacing": 10,
        "params": [_zoom(len(shown))],
        "resolve": {"scale": {"x": "shared", "color": "independent", "stroke": "independent"}},
        "config": CONFIG,
    }


def _panels(run: JudgedRun, lanes: Sequence[Span], parts: Sequence[Slice], points: Sequence[AlarmPeriod]) -> list[Spec]:
    """The panels that have something to show, from the top."""
    sent, failing = _present(part.sent for part in parts), _present(part.failures for part in parts)
    drawn, told = drawn_alarms(points), {_breaching(point) for point in points}
    panels = [
        _lanes(lanes, numbered=facts.any_step(run.verdict)) if lanes else None,
        _weight() if any(part.weight is not None for part in parts) else None,
        _stacked("sent", "requests/s", 120, sent) if sent else None,
        _stacked("failed", "failures/s", 80, failing) if failing else None,
        _latency() if any(part.p50_ms is not None for part in parts) else None,
        *(_datapoints(name, number, len(drawn), told) for number, name in enumerate(drawn)),
    ]
    return [panel for panel in panels if panel]


def drawn_alarms(points: Sequence[AlarmPeriod]) -> list[str]:
    """The alarms whose datapoints are drawn, a panel each: those that breached before the others, a few at most."""
    breached = dict.fromkeys(point.alarm for point in points if point.breaching)
    return [*(breached | dict.fromkeys(point.alarm for point in points))][:MOST_DRAWN_ALARMS]


def _zoom(panels: int) -> Spec:
    select = {
        "type": "interval",
        "encodings": ["x"],
        "zoom": "wheel![event.ctrlKey || event.metaKey]",
        "translate": "[pointerdown[event.pointerType !== 'touch'], window:pointerup] > window:pointermove!",
    }
    views = [f"panel{number}" for number in range(panels)]
    return {"name": "zoom", "select": select, "bind": "scales", "views": views}


def counted_from(run: JudgedRun) -> str:
    """What the time axis counts from."""
    return "seconds since the run began" if run.rollout.created_s is None else "seconds since the creation"


def alternative(run: JudgedRun) -> str:
    """The chart in words, for who cannot see it: the steps, what is in each lane, and the traffic."""
    told = [f"{at} {step}" for step, at, *_ in facts.ledger(run.verdict) if at != facts.NOT_MEASURED]
    sent = run.verdict.traffic.sent
    traffic = facts.traffic(run.verdict) if sent else "No request was sent"
    sentences = (f"Timeline of {facts.headline(run.verdict)}", "; ".join(told), *_lanes_told(run), traffic)
    return facts.plain(" ".join(f"{sentence}." for sentence in sentences if sentence))


def _lanes_told(run: JudgedRun) -> list[str]:
    lanes: dict[str, list[Span]] = {}
    for span in spans(run):
        lanes.setdefault(span.lane, []).append(span)
    return [f"{lane}: {_lane_told(drawn, run.origin_s)}" for lane, drawn in lanes.items()]


def _lane_told(drawn: Sequence[Span], origin_s: float) -> str:
    if len(drawn) <= MOST_TOLD:
        return ", ".join(f"{span.label or span.detail} ({_when(span, origin_s)})" for span in drawn)
    whole = min(span.from_s for span in drawn) - origin_s, max(span.to_s for span in drawn) - origin_s
    names = dict.fromkeys(span.label for span in drawn if span.label)
    named = f": {', '.join(names)}" if len(names) <= 2 * MOST_TOLD and names else ""
    return f"{len(drawn)}{named} ({facts.span(whole)})"


def steps(run: JudgedRun) -> list[Spec]:
    """The steps of the ledger that were seen, by number, at the middle of their bounds: lines across all panels."""
    return [
        {"n": number, "t": round(sum(bounds) / 2, 2), "what": f"{number}. {name}, {facts.span(bounds)}"}
        for number, (name, bounds) in enumerate(facts.steps(run.verdict), 1)
        if bounds is not None
    ]


def numbers(marks: Sequence[Spec], whole_s: float) -> list[Spec]:
    """The numbers over the lines; steps that are too close to be told apart share one label."""
    labels: list[Spec] = []
    for mark in sorted(marks, key=lambda mark: (mark["t"], mark["n"])):
        if labels and mark["t"] - labels[-1]["t"] < LEGIBLE * whole_s:
            labels[-1]["label"] += f" {mark['n']}"
        else:
            labels.append({"t": mark["t"], "label": str(mark["n"]), "lane": STEPS_LANE})
    return labels


def _present(rows: Iterable[Sequence[int]]) -> list[int]:
    """The cells that any row counts something in."""
    totals = [sum(column) for column in zip(*rows, strict=True)]
    return [index for index, total in enumerate(totals) if total]


def _fewer(lanes: Sequence[Span]) -> list[Span]:
    """Moments may be many, such as a failed look a second all day; spans are few."""
    moments = [span for span in lanes if span.from_s == span.to_s]
    step = max(1, -(-len(moments) // MOST_MOMENTS))
    kept = {id(span) for span in moments[::step]}
    return [span for span in lanes if span.from_s != span.to_s or id(span) in kept]


def _row(part: Slice, width_s: float, origin_s: float) -> Spec:
    row: Spec = {"t": round(part.at_s - origin_s, 2), "u": round(part.at_s - origin_s + width_s, 2)}
    for index in range(len(CELLS)):
        row[f"sent{index}"] = _rate(part.sent[index], width_s)
        row[f"failed{index}"] = _rate(part.failures[index], width_s)
    for name, value in (("p50", part.p50_ms), ("p95", part.p95_ms), ("p99", part.p99_ms)):
        row[name] = None if value is None else round(value, 3)
    row["weight"] = part.weight
    return row


def _rate(count: int, width_s: float) -> float:
    """Requests a second in six digits that count: one request in a day is not none."""
    return float(f"{count / width_s:.6g}") if count else 0.0


def _span(span: Span, origin_s: float, s_per_px: float) -> Spec:
    fits = len(span.label) * LETTER_PX * s_per_px < span.to_s - span.from_s
    return {
        "lane": span.lane,
        "kind": span.kind,
        "name": span.label,
        "label": span.label if fits else "",
        "t": (begins := round(span.from_s - origin_s, 2)),
        "u": round(span.to_s - origin_s, 2),
        "at": begins,
        "what": f"{span.detail} ({_when(span, origin_s)})",
    }


def _when(span: Span, origin_s: float) -> str:
    return facts.span((span.from_s - origin_s, span.to_s - origin_s))


def _point(point: AlarmPeriod, origin_s: float) -> Spec:
    value = point.value if point.value is not None else point.seen
    told = "CloudWatch" if point.value is not None else "clients"
    return {
        "alarm": facts.plain(point.alarm),
        "t": round(point.from_s - origin_s, 2),
        "u": round(point.to_s - origin_s, 2),
        "value": value,
        "threshold": point.threshold,
        "breaching": _breaching(point),
        "what": f"{facts.number(value)} counted by {told}, threshold {facts.number(point.threshold)}",
    }


def _breaching(point: AlarmPeriod) -> str:
    if point.breaching is None:
        return LASTS
    word = "breaching" if point.breaching else "not breaching"
    return word if point.counted_by == "CloudWatch" else f"{word} by clients' count"


# Panels


LASTS = "not over"
BREACHING = {
    "not breaching": "#2f7fc1",
    "breaching": "#d4483b",
    "not breaching by clients' count": "#b9d3ea",
    "breaching by clients' count": "#f2bfb9",
    LASTS: "#c4c9cf",
}
"""Colours of periods: pale ones are not the alarm's own, CloudWatch told no value of them."""
LANE_LABEL = "length(datum.label) > 18 ? slice(datum.label, 0, 7) + '…' + slice(datum.label, -10) : datum.label"
"""Names of alarms begin and end alike, and what tells them apart is mostly at the end."""


def _lanes(lanes: Sequence[Span], *, numbered: bool) -> Spec:
    """A lane each for what happened beside the traffic, with the numbers of the steps above them."""
    order = [*([STEPS_LANE] if numbered else []), *dict.fromkeys(span.lane for span in lanes)]
    kinds = [kind for kind in KINDS if any(span.kind == kind for span in lanes)]
    lane = {
        "field": "lane",
        "type": "nominal",
        "scale": {"domain": order},
        "title": None,
        "axis": {"labelLimit": 130, "labelExpr": LANE_LABEL, "ticks": False, "grid": False, "domain": False},
    }
    color = {
        "field": "kind",
        "type": "nominal",
        "scale": {"domain": kinds, "range": [KINDS[kind] for kind in kinds]},
        "legend": None,
    }
    labels = _lane_text("at", lane, align="left", dx=5, fontSize=10, color="white")
    return {
        "data": {"name": "spans"},
        "height": {"step": 20},
        "layer": [
            *_lane_marks(lane, color),
            {"transform": [{"filter": "datum.label !== ''"}], **labels},
            {"data": {"name": "numbers"}, **_lane_text("t", lane, fontSize=11)},
        ],
    }


def _lane_marks(lane: Spec, color: Spec) -> list[Spec]:
    """Bars for what lasted, ticks for moments."""
    shared = {"y": lane, "color": color, "tooltip": [{"field": "what", "type": "nominal", "title": " "}]}
    return [
        {
            "transform": [{"filter": "datum.u > datum.t"}],
            "mark": {"type": "bar", "height": 13, "cornerRadius": 2, "strokeWidth": 2, "clip": True, "tooltip": True},
            "encoding": {"x": _x("t"), "x2": {"field": "u"}, **shared, "stroke": color},
        },
        {
            "transform": [{"filter": "datum.u === datum.t"}],
            "mark": {"type": "tick", "thickness": 3, "size": 14, "clip": True, "tooltip": True},
            "encoding": {"x": _x("t"), **shared},
        },
    ]


def _lane_text(at: str, lane: Spec, **look: Any) -> Spec:
    return {
        "mark": {"type": "text", "fontWeight": 600, "clip": True, "tooltip": False, **look},
        "encoding": {"x": _x(at), "y": lane, "text": {"field": "label", "type": "nominal"}},
    }


def _weight() -> Spec:
    return {
        "data": {"name": "slices"},
        "height": 52,
        "mark": {
            "type": "area",
            "interpolate": "step-after",
            "color": "#d07c00",
            "fillOpacity": 0.55,
            "line": {"color": "#d07c00", "strokeWidth": 1.5, "clip": True},
            "clip": True,
        },
        "encoding": {
            "x": _x("t"),
            "y": _y("weight", ["canary", "weight"], format="%", scale={"domain": [0, 1]}, values=[0, 0.5, 1]),
            "tooltip": [_told("t", "s", ".0f"), _told("weight", "canary weight", ".0%")],
        },
    }


def _stacked(what: str, title: str, height: int, cells: Sequence[int]) -> Spec:
    """Stacked bars of the cells that are there."""
    names = [SERIES[CELLS[index]][0] for index in cells]
    colors = [SERIES[CELLS[index]][1] for index in cells]
    series: Spec = {"field": "series", "type": "nominal", "scale": {"domain": names, "range": colors}}
    series["legend"] = {"columns": 6} if what == "sent" else None
    number = f"toNumber(slice(datum.key, {len(what)}))"
    return {
        "data": {"name": "slices"},
        "height": height,
        "transform": [
            {"fold": [f"{what}{index}" for index in cells], "as": ["key", "rate"]},
            {"filter": "datum.rate > 0"},
            {"calculate": number, "as": "order"},
            {"calculate": f"{list(map(_series_name, range(len(CELLS))))}[datum.order]", "as": "series"},
        ],
        "mark": {"type": "bar", "clip": True, "strokeWidth": 1, "tooltip": True},
        "encoding": {
            "x": _x("t"),
            "x2": {"field": "u"},
            "y": {**_y("rate", title), "aggregate": "sum", "stack": "zero"},
            "order": {"field": "order", "type": "quantitative"},
            "color": series,
            "stroke": series,
            "tooltip": [
                _told("t", "s", ".0f"),
                {"field": "series", "type": "nominal", "title": "what"},
                {**_told("rate", title, ".4~g"), "aggregate": "sum"},
            ],
        },
    }


def _series_name(index: int) -> str:
    return SERIES[CELLS[index]][0]


def _latency() -> Spec:
    """A line a quantile; all of a slice are told wherever the pointer or finger is in it, for lines are thin."""
    lines: Spec = {
        "transform": [{"fold": list(QUANTILES), "as": ["quantile", "ms"]}, {"filter": "isValid(datum.ms)"}],
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.3, "clip": True},
        "encoding": {
            "x": _x("t"),
            "y": _y("ms", "latency ms"),
            "color": {
                "field": "quantile",
                "type": "nominal",
                "scale": {"domain": list(QUANTILES), "range": list(QUANTILES.values())},
                "legend": {},
            },
        },
    }
    told = [_told("t", "s", ".0f"), *(_told(name, f"{name} ms", ".4~g") for name in QUANTILES)]
    under: Spec = {
        "name": UNDER_POINTER,
        "transform": [{"filter": "isValid(datum.p50)"}],
        "mark": {"type": "rect", "opacity": 0, "clip": True, "tooltip": True},
        "encoding": {"x": _x("t"), "x2": {"field": "u"}, "tooltip": told},
    }
    return {"data": {"name": "slices"}, "height": 90, "layer": [lines, under]}


def _datapoints(alarm: str, number: int, of: int, told: set[str]) -> Spec:
    """What one alarm counted; of several each is named, and the first has the legend."""
    colors = {words: color for words, color in BREACHING.items() if words in told}
    title = "alarm counted" if of == 1 else [_middle_cut(alarm), "counted"]
    own = [{"filter": {"field": "alarm", "equal": facts.plain(alarm)}}]
    return {
        "data": {"name": "points"},
        "height": 70,
        "layer": [
            {
                "transform": own,
                "mark": {"type": "bar", "clip": True, "opacity": 0.75, "tooltip": True},
                "encoding": {
                    "x": _x("t"),
                    "x2": {"field": "u"},
                    "y": {**_y("value", title), "stack": None},
                    "y2": {"datum": 0},
                    "color": {
                        "field": "breaching",
                        "type": "nominal",
                        "scale": {"domain": list(colors), "range": list(colors.values())},
                        "legend": {} if number == 0 else None,
                    },
                    "tooltip": [
                        {"field": "alarm", "type": "nominal", "title": "alarm"},
                        {"field": "what", "type": "nominal", "title": "period"},
                    ],
                },
            },
            {
                "transform": own,
                "mark": {"type": "rule", "strokeDash": [4, 3], "color": "#d4483b", "clip": True},
                "encoding": {"x": _x("t"), "x2": {"field": "u"}, "y": {"field": "threshold", "type": "quantitative"}},
            },
        ],
    }


def _middle_cut(name: str) -> str:
    return name if len(name) <= 18 else f"{name[:7]}…{name[-10:]}"


def _dress(panel: Spec, number: int, of: int, domain: list[float], width: int, title: str) -> None:
    """Makes a panel one of several: its name, the lines across, and an axis with words on the last alone."""
    across = {
        "data": {"name": "steps"},
        "mark": {"type": "rule", "strokeDash": [2, 3], "color": "#7f8790", "size": 1.2, "clip": True, "tooltip": True},
        "encoding": {"x": _x("t"), "tooltip": [{"field": "what", "type": "nominal", "title": "step"}]},
    }
    layers = panel.pop("layer", None)
    kept = {key: panel.pop(key) for key in ("mark", "encoding", "transform") if key in panel}
    panel["layer"] = [*(layers or [{"name": f"panel{number}", **kept}]), across]
    panel["layer"][0]["name"] = f"panel{number}"
    panel["width"] = width
    last = number == of - 1
    axis: Spec = {"title": title if last else None, "labels": last, "ticks": last, "grid": True, "tickCount": 8}
    if domain[1] - domain[0] > LONG_S:
        axis |= {"labelExpr": "format(datum.value / 3600, '.3~g') + ' h'", "title": title.replace("seconds", "hours")}
        axis["title"] = axis["title"] if last else None
    for layer in panel["layer"]:
        x = layer["encoding"]["x"]
        x["axis"] = axis
        x["scale"] = {"domain": domain, "nice": False}


def _x(field: str) -> Spec:
    return {"field": field, "type": "quantitative"}


def _y(field: str, title: str | list[str], **more: Any) -> Spec:
    axis: Spec = {"title": title, "tickCount": 3, "minExtent": 60, "grid": True}
    scale = more.pop("scale", None)
    axis |= more
    return {"field": field, "type": "quantitative", "axis": axis, **({"scale": scale} if scale else {})}


def _told(field: str, title: str, format_: str) -> Spec:
    return {"field": field, "type": "quantitative", "title": title, "format": format_}
