"""The charts of a comparison: times, and both arms' failures and client latency, a bar a run.

Each is as narrow as a phone, so that a wide page has them side by side and none is shrunk.
"""

from collections.abc import Callable, Iterator, Sequence

from harness.core.timeline.bounds import Interval
from harness.core.verdict.types import ArmFacts, Verdict
from harness.report.compared_runs import ComparedRun
from harness.report.panels import CONFIG, Spec

WIDTH = 230
COLORS = {"baseline": "#2f7fc1", "canary": "#d07c00"}
TIMES = {"to detect": "#2f7fc1", "to roll back": "#d07c00"}
Row = dict[str, object]


def comparison_charts(runs: Sequence[ComparedRun]) -> list[tuple[str, Spec]]:
    """Charts that have something to show, each with what it is called; runs have the numbers of their columns."""
    parts: tuple[tuple[str, dict[str, str], Callable[[Verdict], Iterator[Row]]], ...] = (
        ("time to detect and to roll back, s", TIMES, _times),
        ("failure rate of both arms (95 % interval)", COLORS, _failures),
        ("client latency p99 of both arms, ms (99 % interval)", COLORS, _latencies),
    )
    charts = []
    for title, colors, rows_of in parts:
        rows = [{"run": str(number), **row} for number, run in enumerate(runs, 1) for row in rows_of(run.verdict)]
        if rows:
            charts.append((title, _bars(rows, colors, percent="rate" in title)))
    return charts


def _times(verdict: Verdict) -> Iterator[Row]:
    seen = (verdict.detection.time_to_detect_s, verdict.detection.time_to_roll_back_s)
    for name, bounds in zip(TIMES, seen, strict=True):
        if bounds:
            yield _row(name, sum(bounds) / 2, bounds)


def _failures(verdict: Verdict) -> Iterator[Row]:
    for name, arm in _arms(verdict):
        if arm.requests and arm.failures is not None:
            yield _row(name, arm.failures / arm.requests, arm.failure_interval)


def _latencies(verdict: Verdict) -> Iterator[Row]:
    for name, arm in _arms(verdict):
        if arm.p99_ms is not None:
            yield _row(name, arm.p99_ms, arm.p99_interval_ms)


def _arms(verdict: Verdict) -> Iterator[tuple[str, ArmFacts]]:
    yield from zip(COLORS, (verdict.arms.baseline, verdict.arms.canary), strict=True)


def _row(name: str, value: float, interval: Interval | None) -> Row:
    """A bar and its bounds; an interval without an upper end is drawn to the value alone."""
    low, high = interval or (value, value)
    return {"of": name, "value": value, "low": low, "high": value if high is None else high}


def _bars(rows: Sequence[Row], colors: dict[str, str], *, percent: bool) -> Spec:
    axis = {"title": None, "tickCount": 4, **({"format": "~%"} if percent else {})}
    y = {"field": "run", "type": "nominal", "sort": None, "axis": {"title": "run", "ticks": False}}
    offset = {"field": "of", "type": "nominal", "sort": list(colors)}
    color = {"field": "of", "type": "nominal", "scale": {"domain": list(colors), "range": list(colors.values())}}
    where = {"y": y, "yOffset": offset}
    bar = {"x": {"field": "value", "type": "quantitative", "axis": axis}, **where, "color": color}
    rule = {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}, **where}
    return {
        "data": {"values": list(rows)},
        "width": WIDTH,
        "height": {"step": 14},
        "layer": [
            {"mark": {"type": "bar", "opacity": 0.75}, "encoding": bar},
            {"mark": {"type": "rule", "strokeWidth": 3, "color": "#7f8790"}, "encoding": rule},
        ],
        "config": CONFIG,
    }
