"""The main chart as a specification and as a picture."""

import itertools
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import altair
import numpy as np
import pytest
from msgspec.structs import replace

from harness.core.timeline.events import AlarmDefined, AlarmMetricSeen, ClockSeen, LookFailed, MetricQuery, Requests
from harness.report import drawing
from harness.report.chart import MOST_MOMENTS, MOST_SLICES, chart, numbers
from harness.report.datapoints import datapoints
from harness.report.judged_run import JudgedRun
from harness.report.panels import QUANTILES, SERIES
from harness.report.seconds import CELLS, Steps

Past = Callable[..., JudgedRun]


def test_chart_is_valid_vega_lite(sample: JudgedRun) -> None:
    """By the schema that Altair carries."""
    spec = chart(sample)
    assert spec is not None
    altair.VConcatChart.from_dict(spec).to_dict(validate=True)


def test_panels_are_aligned_on_one_time(sample: JudgedRun) -> None:
    """All share the scale, and each has the lines of the steps."""
    spec: Any = chart(sample)
    domains = [layer["encoding"]["x"]["scale"]["domain"] for panel in spec["vconcat"] for layer in panel["layer"][:2]]
    assert all(domain == domains[0] for domain in domains)
    assert spec["resolve"]["scale"]["x"] == "shared"
    assert len({panel["width"] for panel in spec["vconcat"]}) == 1


def test_svg_and_png_need_no_browser(sample: JudgedRun, tmp_path: Path) -> None:
    """A picture at twice its size in pixels, and one that scales."""
    spec: Any = chart(sample)
    drawing.save_pictures(spec, [tmp_path / "chart.svg", tmp_path / "chart.png"])
    assert (tmp_path / "chart.svg").read_text().startswith("<svg")
    picture = (tmp_path / "chart.png").read_bytes()
    width, height = struct.unpack(">II", picture[16:24])
    assert picture.startswith(b"\x89PNG")
    assert width > 1700
    assert height > 800


def test_nothing_seen_and_nothing_sent_is_no_chart(past: Past) -> None:
    """Rather than empty axes."""
    assert chart(past([])) is None


def test_long_runs_are_drawn_in_wider_slices(past: Past, build: Any) -> None:
    """A day is not drawn by the second."""
    run = past(build(end_s=300.0, after_s=20_000.0, rate=0.05, metrics=False))
    spec: Any = chart(run)
    assert len(spec["datasets"]["slices"]) <= MOST_SLICES + 1
    total = sum(row["sent0"] + row["sent1"] for row in spec["datasets"]["slices"])
    width = spec["datasets"]["slices"][0]["u"] - spec["datasets"]["slices"][0]["t"]
    assert total * width == pytest.approx(run.verdict.traffic.sent, rel=0.01)


@pytest.mark.parametrize("stray_s", [1e6, 1e7, -1e5, -1e9])
def test_stray_line_does_not_blow_the_report_up(stray_s: float, past: Past, build: Any) -> None:
    """What lies between it and the run is nothing, and takes neither rows nor bars; every request is counted."""
    events = build()
    stray = replace(next(event for event in events if isinstance(event, Requests)), at_s=stray_s)
    run = past([*events[:-1], stray, events[-1]])
    seconds, spec = run.seconds.slices(), chart(run)
    assert spec is not None
    assert len(seconds) < 1000
    assert sum(sum(part.sent) for part in seconds) == run.verdict.traffic.sent
    drawn = spec["datasets"]["slices"]
    assert len(drawn) <= MOST_SLICES + 1
    rates = sum(row[f"sent{cell}"] * (row["u"] - row["t"]) for row in drawn for cell in range(len(CELLS)))
    assert rates == pytest.approx(run.verdict.traffic.sent, rel=0.1)


def test_looks_that_failed_all_day_do_not_fill_the_page(past: Past, row: Any) -> None:
    """Thousands of marks say no more than hundreds."""
    blind = LookFailed(at_s=0.0, asked_s=0.0, call="codedeploy:GetDeployment", code="Throttling", message="slow down")
    events = row("healthy")
    run = past([*events[:-1], *(replace(blind, at_s=number / 20) for number in range(5000)), events[-1]])
    spec: Any = chart(run)
    marks = [span for span in spec["datasets"]["spans"] if span["lane"] == "failed looks"]
    assert 100 < len(marks) <= MOST_MOMENTS


def test_numbers_too_close_to_tell_apart_share_a_label() -> None:
    """The first failure and the first fault are one moment."""
    marks = [{"n": 1, "t": 0.1}, {"n": 2, "t": 0.2}, {"n": 4, "t": 120.0}]
    assert [label["label"] for label in numbers(marks, 0.35)] == ["1 2", "4"]


def test_label_of_several_numbers_stands_on_none_before_it() -> None:
    """The 4 has room beside the 5, and none beside "5 6", which is as wide as three letters."""
    close, apart = {"n": 5, "t": 132.0}, {"n": 5, "t": 142.0}
    last = {"n": 6, "t": 143.0}
    assert [label["label"] for label in numbers([{"n": 4, "t": 120.0}, close], 1.0)] == ["4", "5"]
    assert [label["label"] for label in numbers([{"n": 4, "t": 120.0}, close, {**last, "t": 133.0}], 1.0)] == ["4 5 6"]
    assert [label["label"] for label in numbers([{"n": 4, "t": 120.0}, apart, last], 1.0)] == ["4", "5 6"]


def test_value_is_unknown_before_its_first_step() -> None:
    """Nobody looked yet."""
    steps = Steps([(5.0, 0.1), (9.0, 1.0)])
    assert [steps.at(at_s) for at_s in (0.0, 5.0, 8.9, 9.0, 20.0)] == [None, 0.1, 0.1, 1.0, 1.0]


def test_javascript_is_bundled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second report of a machine reads what the first one made, and a broken cache does no harm."""
    import vl_convert

    calls = []
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda *_, **__: calls.append(1) or "bundle")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert drawing.javascript() == drawing.javascript() == "bundle"
    assert len(calls) == 1
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert drawing.javascript() == "bundle"


def test_what_clients_counted_does_not_look_like_the_alarms_own(past: Past, row: Any) -> None:
    """Where CloudWatch told no value its periods have words and colours of their own; one that lasts has no answer."""
    run = past([event for event in row("healthy") if event.at_s <= 200.0])
    *ended, last = datapoints(run)
    assert {(point.breaching, point.counted_by) for point in ended} == {(False, "clients")}
    assert last.breaching is None
    (panel,) = (panel for panel in chart(run)["vconcat"] if panel["data"]["name"] == "points")
    assert panel["layer"][0]["encoding"]["color"]["scale"]["domain"] == ["not breaching by clients' count", "not over"]
    assert {point.counted_by for point in datapoints(past(row("erroruser")))} == {"CloudWatch"}


def test_periods_are_those_of_awss_clock(past: Past, row: Any) -> None:
    """CloudWatch's periods begin at full minutes of its own clock, whatever this machine's clock says."""
    on_time, *_ = datapoints(past(row("erroruser")))
    first, *events = row("erroruser")
    ahead, *_ = datapoints(past([first, ClockSeen(at_s=0.0, ahead_s=20.0), *events]))
    assert ahead.from_s in (on_time.from_s - 20.0, on_time.from_s + 40.0)


def test_a_period_that_lasts_may_have_breached_for_certain(past: Past, row: Any) -> None:
    """Failures only add up; what has not breached yet still may."""
    run = past([event for event in row("erroruser") if event.at_s <= 75.0])
    assert [point.breaching for point in datapoints(run)] == [False, True]


def test_an_alarm_on_an_expression_shows_its_computed_value(past: Past, row: Any) -> None:
    """Period by period from what CloudWatch counted for it, beside what clients saw; the last look wins."""
    queries = (
        MetricQuery(id="bad", metric="Errors", statistic="Sum", period_s=60, returned=False),
        MetricQuery(id="all", metric="Invocations", statistic="Sum", period_s=60, returned=False),
        MetricQuery(id="rate", expression="100 * bad / all"),
    )
    events = [
        replace(event, metric=None, queries=queries, threshold=2.0, statistic=None, period_s=None)
        if isinstance(event, AlarmDefined)
        else event
        for event in row("erroruser")
    ]
    origin_s = -events[0].epoch_s % 60
    for at_s, bad in ((300.0, 9.0), (310.0, 30.0)):
        counted = {"bad": ((origin_s, bad), (origin_s + 60, 1.0)), "all": ((origin_s, 600.0), (origin_s + 60, 600.0))}
        for query, points in counted.items():
            seen = AlarmMetricSeen(at_s=at_s, asked_s=at_s, alarm="errors", query=query, period_s=60, points=points)
            events.insert(-1, seen)
    points = {point.from_s: point for point in datapoints(past(events))}
    first, second = points[origin_s], points[origin_s + 60]
    assert (first.value, first.breaching, first.counted_by) == (5.0, True, "CloudWatch")
    assert (second.value, second.breaching) == (pytest.approx(1 / 6), False)
    assert first.seen is not None


def test_specification_is_json(sample: JudgedRun) -> None:
    """No value that a browser cannot read, such as NaN."""
    assert json.loads(json.dumps(chart(sample), allow_nan=False))


# Machado, Oliveira and Fernandes 2009: how complete dichromats see linear sRGB.
SIGHTS = {
    "all colours": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "deuteranopia": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "tritanopia": ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
}


def lab(colour: str, sight: str) -> Any:
    """A colour in CIELAB, as that sight sees it."""
    channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(SIGHTS[sight]) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(to_xyz @ seen / np.array([0.9505, 1.0, 1.089]))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHTS)
def test_colours_of_one_panel_are_told_apart_by_whoever_looks(sight: str) -> None:
    """A difference of twice ten is seen at a glance; bars of 10 % lie on bars of 90 %."""
    of_versions = [colour for (_, arm), (_, colour) in SERIES.items() if arm != "unknown"]
    for colours in (of_versions, [*QUANTILES.values()]):
        for one, other in itertools.combinations(colours, 2):
            assert np.linalg.norm(lab(one, sight) - lab(other, sight)) > 20
