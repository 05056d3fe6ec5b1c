"""The picture of a prediction: the chance of detection over rate and share that fails, and the times to roll back."""

from collections.abc import Iterable, Sequence

from harness.core.numbers import figures
from harness.core.odds.curve import CurvePoint, TimeBin
from harness.report import facts
from harness.report.panels import CONFIG, Spec

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
COLOURS = ["#973df2", "#2f7fc1", "#2c8560", "#d07c00", "#d4483b"]
WIDTH, HEIGHT = 620, 240
CAUGHT = {"title": "rolled back before the last shift", "format": "%", "grid": True}
RATE = {"title": "requests a second", "format": ".3~g", "grid": True, "tickCount": 6}
SHARE = {"title": "share of the canary's requests that fails", "format": "~%", "grid": True, "tickCount": 6}


def odds_chart(
    over_rate: Iterable[CurvePoint],
    over_share: Iterable[CurvePoint],
    times: Sequence[TimeBin],
    *,
    now: float,
    title: str,
) -> Spec:
    """Three panels as Vega-Lite; the dashed line is the rate that is reckoned with."""
    by_share = [{"x": one.rate, "of": facts.percent(one.share), "chance": one.chance} for one in over_rate]
    by_rate = [{"x": one.share, "of": f"{_rounded(one.rate)}/s", "chance": one.chance} for one in over_share]
    bars = [{"t": one.from_s, "u": one.until_s, "chance": one.chance} for one in times]
    panels = [
        _curves("by_share", by_share, RATE, "of the canary's requests fail:", [_rule()]),
        _curves("by_rate", by_rate, SHARE, "requests a second:", []),
        *([_bars()] if bars else []),
    ]
    return {
        "$schema": SCHEMA,
        "title": {"text": title, "anchor": "start", "fontSize": 13},
        "datasets": {"by_share": by_share, "by_rate": by_rate, "times": bars, "now": [{"x": now}]},
        "vconcat": panels,
        "spacing": 24,
        "resolve": {"scale": {"color": "independent"}},
        "config": CONFIG,
    }


def _rounded(rate: float) -> str:
    """A rate in two digits, as in 200 or 0.33."""
    return figures(rate, 2)


def _across(axis: Spec) -> Spec:
    return {"field": "x", "type": "quantitative", "scale": {"type": "log", "nice": False}, "axis": axis}


def _curves(name: str, rows: Sequence[Spec], axis: Spec, legend: str, more: list[Spec]) -> Spec:
    """A curve for each kind of row."""
    kinds = list(dict.fromkeys(row["of"] for row in rows))
    curves: Spec = {
        "data": {"name": name},
        "mark": {"type": "line", "strokeWidth": 2},
        "encoding": {
            "x": _across(axis),
            "y": {"field": "chance", "type": "quantitative", "scale": {"domain": [0, 1]}, "axis": CAUGHT},
            "color": {
                "field": "of",
                "type": "nominal",
                "scale": {"domain": kinds, "range": COLOURS},
                "legend": {"title": legend, "orient": "top", "titleLimit": 300},
            },
        },
    }
    return {"data": {"name": name}, "width": WIDTH, "height": HEIGHT, "layer": [curves, *more]}


def _rule() -> Spec:
    return {
        "data": {"name": "now"},
        "mark": {"type": "rule", "strokeDash": [5, 4], "color": "#808a94"},
        "encoding": {"x": _across(RATE)},
    }


def _bars() -> Spec:
    """How long rollbacks take."""
    across = {"title": "seconds from the fault's begin until all traffic is back", "grid": False, "tickCount": 8}
    upwards = {"title": "of all releases", "format": "~%", "grid": True, "tickCount": 4}
    bars: Spec = {
        "data": {"name": "times"},
        "mark": {"type": "bar", "color": COLOURS[1]},
        "encoding": {
            "x": {"field": "t", "type": "quantitative", "bin": "binned", "axis": across},
            "x2": {"field": "u"},
            "y": {"field": "chance", "type": "quantitative", "axis": upwards},
        },
    }
    return {"data": {"name": "times"}, "width": WIDTH, "height": 120, "layer": [bars]}
