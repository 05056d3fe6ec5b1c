"""The picture of a prediction: the chance of detection over the arrival rate, a curve for each share that fails."""

from collections.abc import Iterable

from harness.core.odds.curve import CurvePoint
from harness.report.panels import CONFIG, Spec

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
COLOURS = ["#973df2", "#2f7fc1", "#2c8560", "#d07c00", "#d4483b"]


def detection_chart(points: Iterable[CurvePoint], now: float, title: str) -> Spec:
    """The curves as Vega-Lite; the dashed line is the rate that is reckoned with."""
    rows = [{"rate": one.rate, "share": f"{one.share:.0%}", "chance": one.chance} for one in points]
    shares = list(dict.fromkeys(row["share"] for row in rows))
    axis = {"title": "requests a second", "format": ".3~g", "grid": True, "tickCount": 6}
    across = {"type": "quantitative", "scale": {"type": "log", "nice": False}, "axis": axis}
    upwards = {"title": "rolled back before the last shift", "format": "%", "grid": True}
    curves: Spec = {
        "data": {"name": "curves"},
        "mark": {"type": "line", "strokeWidth": 2},
        "encoding": {
            "x": {"field": "rate", **across},
            "y": {"field": "chance", "type": "quantitative", "scale": {"domain": [0, 1]}, "axis": upwards},
            "color": {
                "field": "share",
                "type": "nominal",
                "scale": {"domain": shares, "range": COLOURS},
                "legend": {"title": "of the canary's requests fail:", "orient": "top", "titleLimit": 300},
            },
        },
    }
    line: Spec = {
        "data": {"name": "now"},
        "mark": {"type": "rule", "strokeDash": [5, 4], "color": "#57606a"},
        "encoding": {"x": {"field": "rate", **across}},
    }
    panel: Spec = {"data": {"name": "curves"}, "width": 620, "height": 320, "layer": [curves, line]}
    return {
        "$schema": SCHEMA,
        "title": {"text": title, "anchor": "start", "fontSize": 13},
        "datasets": {"curves": rows, "now": [{"rate": now}]},
        "vconcat": [panel],
        "config": CONFIG,
    }
