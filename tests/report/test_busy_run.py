"""A run of many requests: a quarter of an hour at 1,000 a second, read in seconds."""

import pytest

from harness.core.timeline.events import Arrivals, Requests
from harness.core.timeline.histogram import Packed, Unread
from harness.report.chart import chart
from harness.report.folder import RunFolder
from harness.report.judged_run import JudgedRun
from harness.report.judging import judged, read
from harness.report.page import page
from tests.benchmarks.reports import CREATED_S, FAULT_SHARE, write_run

SECONDS, RATE = 900, 1000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The folder of the run."""
    path = tmp_path_factory.mktemp("busy") / "run"
    write_run(path, SECONDS, RATE)
    return RunFolder(path)


@pytest.fixture(scope="module")
def busy(folder: RunFolder) -> JudgedRun:
    """The run, from its folder."""
    return read(folder)


def test_every_request_is_counted(busy: JudgedRun) -> None:
    """All that was planned was sent; before the canary came, no fault request was."""
    traffic, parts = busy.verdict.traffic, busy.seconds.slices()
    assert traffic.sent == sum(sum(part.sent) for part in parts)
    assert traffic.sent == traffic.planned == RATE * SECONDS
    assert traffic.fault.failed == pytest.approx(RATE * FAULT_SHARE * (SECONDS - CREATED_S), rel=0.05)
    assert traffic.fault.failed == sum(sum(part.failures) for part in parts)
    assert all(part.p50_ms and part.p50_ms == pytest.approx(18.3, rel=0.1) for part in parts)


def test_wider_slices_add_up_to_the_same(busy: JudgedRun) -> None:
    """What the chart draws is what the table counts."""
    for width_s in (5, 90):
        parts = busy.seconds.slices(width_s)
        assert len(parts) == SECONDS / width_s
        assert sum(sum(part.sent) for part in parts) == busy.verdict.traffic.sent


def test_histograms_stay_packed(busy: JudgedRun) -> None:
    """They are most of a timeline, and would be thirty times as large in memory as mappings."""
    held = [event.latency for event in busy.events if isinstance(event, Requests)]
    lags = [event.lag for event in busy.events if isinstance(event, Arrivals)]
    assert all(isinstance(bins, Packed) for bins in held)
    assert all(isinstance(bins, Unread) for bins in lags)


def test_whole_timeline_gives_the_same_verdict_and_table(folder: RunFolder, busy: JudgedRun) -> None:
    """What is added up while it is read is what no number tells apart."""
    whole = judged(folder.read_experiment(), folder.read_events())
    assert whole.verdict == busy.verdict
    assert whole.seconds.slices() == busy.seconds.slices()


def test_page_stays_small(busy: JudgedRun) -> None:
    """However many requests."""
    assert len(page(busy, chart(busy)).encode()) < 3 * 2**20
