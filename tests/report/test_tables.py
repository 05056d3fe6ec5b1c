"""The per-second table, for notebooks and spreadsheets."""

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.cli import main as cli
from harness.core.experiment.types import Experiment
from harness.core.timeline.events import encode
from harness.report import frames
from harness.report.folder import RunFolder
from harness.report.judged_run import JudgedRun
from harness.report.tables import Frames, frames_of

Capture = pytest.CaptureFixture[str]
SAMPLE = Path(__file__).parents[2] / "reports" / "sample"


def test_seconds_add_up_to_the_verdict(sample: JudgedRun) -> None:
    """Sent and failed, by intent."""
    table, traffic = frames_of(sample).seconds, sample.verdict.traffic
    sent = {intent: table.filter(like=f"sent_{intent}_").to_numpy().sum() for intent in ("good", "fault")}
    failed = {intent: table.filter(like=f"failed_{intent}_").to_numpy().sum() for intent in ("good", "fault")}
    assert sent == {"good": traffic.good.ok + traffic.good.failed, "fault": traffic.fault.ok + traffic.fault.failed}
    assert failed == {"good": traffic.good.failed, "fault": traffic.fault.failed}
    assert table["planned"].sum() == traffic.planned


def test_frames_are_a_way_in_by_the_path_of_a_run(sample: JudgedRun) -> None:
    """As in a notebook; each table has the columns that the documentation names."""
    tables = frames(SAMPLE)
    assert isinstance(tables, Frames)
    assert len(tables.seconds) > 200
    documented = str(Frames.__doc__)
    for table in (tables.spans, tables.datapoints, tables.events):
        assert all(f"`{column}`" in documented for column in table.columns)


def test_frames_hold_the_verdict_both_arms_and_all_events(sample: JudgedRun) -> None:
    """By the paths of verdict.json; and all that the timeline holds besides counts of requests."""
    tables, verdict = frames_of(sample), sample.verdict
    (told,) = tables.verdict.to_dict("records")
    assert (told["outcome"], told["exposure.failed_requests"]) == ("rolled_back", verdict.exposure.failed_requests)
    assert told["arms.canary.p99_ms"] == verdict.arms.canary.p99_ms
    assert tables.arms["requests"].tolist() == [verdict.arms.baseline.requests, verdict.arms.canary.requests]
    assert tables.events["event"].iloc[0] == "run_started"
    assert {"alarm_seen", "write"} <= set(tables.events["event"])
    assert not {"requests", "arrivals"} & set(tables.events["event"])


def test_instants_are_told_in_utc(sample: JudgedRun) -> None:
    """Those of a rehearsal by the clock of its cloud; unknown where the timeline does not say when it began."""
    tables = frames_of(sample)
    epoch_s = float(tables.events["fields"].iloc[0]["epoch_s"])
    assert tables.events["at"].iloc[0].timestamp() == pytest.approx(epoch_s, abs=1e-3)
    assert (tables.spans["until"] >= tables.spans["since"]).all()
    assert str(tables.seconds["at"].dtype).endswith("UTC]")
    began, ended = tables.seconds["at"].iloc[0], tables.seconds["at"].iloc[-1]
    assert (ended - began).total_seconds() == pytest.approx(
        tables.seconds["at_s"].iloc[-1] - tables.seconds["at_s"].iloc[0]
    )


def test_plot_is_shown_and_saved(sample: JudgedRun, tmp_path: Path, past: Callable[..., JudgedRun]) -> None:
    """As SVG in a notebook; of an empty run there is none."""
    plot = frames_of(sample).plot()
    assert str(plot._repr_svg_()).startswith("<svg")
    plot.save(tmp_path / "chart.png")
    assert (tmp_path / "chart.png").stat().st_size
    assert frames_of(past([])).plot()._repr_svg_() is None


def test_what_nobody_measured_is_missing(past: Callable[..., JudgedRun], row: Any) -> None:
    """A second without requests has no latency, and no zero in its place."""
    table = frames_of(
        past([each for each in row("healthy") if getattr(each, "at_s", 0) < 100 or each.at_s > 120])
    ).seconds
    silent = table[(table["at_s"] > 101) & (table["at_s"] < 119)]
    assert len(silent) == 17
    assert silent["p50_ms"].isna().all()
    assert silent["planned"].isna().all()
    assert (silent["sent_good_baseline"] == 0).all()


def test_empty_run_has_empty_tables_with_columns(past: Callable[..., JudgedRun]) -> None:
    """A notebook does not fall over a run that ended before its first event."""
    tables = frames_of(past([]))
    assert len(tables.seconds) == len(tables.spans) == len(tables.datapoints) == 0
    assert "p99_ms" in tables.seconds.columns
    assert "detail" in tables.spans.columns


@pytest.fixture
def run(tmp_path: Path, sample: JudgedRun, row: Any) -> Path:
    """A run folder with nothing but its timeline and manifest."""
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.write_manifest(Experiment(name="built"), ["canary-harness"])
    folder.timeline.write_bytes(b"".join(map(encode, row("erroruser"))))
    return folder.path


def test_command_makes_every_report_from_the_timeline_alone(run: Path, tmp_path: Path, capsys: Capture) -> None:
    """And says where they are; what a run says of itself is no failure of the command."""
    files = [tmp_path / name for name in ("seconds.csv", "seconds.parquet", "chart.svg", "chart.png")]
    options = zip(("--table", "--table", "--chart", "--chart"), map(str, files), strict=True)
    assert cli.main(["report", str(run), *(word for option in options for word in option)]) == 0
    assert all(file.stat().st_size for file in files)
    assert capsys.readouterr().out.split()[-4:] == [str(file) for file in files]
    assert {file.name for file in run.iterdir()} >= {"report.html", "report.md", "junit.xml", "verdict.json"}


def test_csv_and_parquet_hold_the_same(run: Path, tmp_path: Path) -> None:
    """Empty in one is missing in the other."""
    paths = [tmp_path / "seconds.csv", tmp_path / "seconds.parquet"]
    for path in paths:
        cli.main(["report", str(run), "--table", str(path)])
    with paths[0].open(newline="") as file:
        rows = list(csv.DictReader(file))
    table = pd.read_parquet(paths[1])
    assert list(rows[0]) == list(table.columns)
    assert [int(line["sent_good_baseline"]) for line in rows] == table["sent_good_baseline"].tolist()
    assert [line["p95_ms"] == "" for line in rows] == table["p95_ms"].isna().tolist()


def test_parquet_without_pyarrow_says_what_to_install(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """One sentence with the fix."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert cli.main(["report", str(run), "--table", str(tmp_path / "x.parquet")]) == 2
    assert "pip install 'canary-harness[parquet]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["report", "nowhere"], "nowhere is not a run folder"),
        (["report", str(SAMPLE), "--table", "x.xls"], "must end in .csv or .parquet, got x.xls"),
        (["report", str(SAMPLE), "--chart", "x.pdf"], "must end in .svg or .png, got x.pdf"),
        (["compare", "a", "b", "--tolerance", "lots"], "must be a share"),
    ],
)
def test_wrong_words_are_usage(words: list[str], said: str, capsys: Capture) -> None:
    """One sentence that names the fix."""
    assert cli.main(words) == 2
    assert said in capsys.readouterr().err


def test_weight_is_not_known_while_it_changed_between_two_looks(sample: JudgedRun) -> None:
    """Canary answers arrive before a look shows the weight, and none while the weight is said to be nothing."""
    table = frames_of(sample).seconds
    (shift,) = sample.verdict.deployment.shifts
    since_s = table["since_creation_s"]
    assert table[(since_s > shift.at_s[0]) & (since_s < shift.at_s[1])]["weight"].isna().all()
    nothing = table[(since_s >= 0) & (table["weight"] == 0) & (since_s + 1 < shift.at_s[1])]
    assert len(nothing) > 1
    assert nothing["sent_good_canary"].sum() == 0


def test_weight_ends_where_the_ledger_says_that_all_traffic_was_restored(sample: JudgedRun) -> None:
    """And not when the next look at the alias came."""
    table, restored_s = frames_of(sample).seconds, sample.rollout.release.restored[1]  # type: ignore[index]
    assert (table[table["at_s"] >= restored_s]["weight"] == 0).all()
    assert table[(table["at_s"] < restored_s) & (table["at_s"] > restored_s - 10)]["weight"].iloc[0] > 0
