"""A rate that a file tells: its counts as steps, exact in each period, for one process and for several."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from harness.core.experiment.pacing import ArrivalPlan, Pacer, WorkerPart
from harness.core.experiment.parse import parse
from harness.core.experiment.rates import legs, steps, worded
from harness.core.experiment.types import ArrivalRate, RateStep
from harness.errors import UsageError
from harness.run.experiment import read_experiment

BEGAN = datetime(2026, 11, 20, 18, tzinfo=UTC)
HOUR = [0, 0, *random.Random(7).choices(range(900), k=57), 0]
"""Requests in each minute of an hour."""


def experiment_with(folder: Path, rate: str) -> ArrivalRate:
    """The rate of an experiment in a file of this folder."""
    file = folder / "mine.yaml"
    file.write_text(f"name: mine\ntraffic:\n  arrival_rate: {rate}\n")
    return read_experiment(str(file)).traffic.arrival_rate


def csv_of(counts: Sequence[int], period_s: int = 60) -> str:
    """Counts as CloudWatch's are exported."""
    rows = (f"{BEGAN + timedelta(seconds=period_s * index):%Y-%m-%dT%H:%M:%SZ},{n}" for index, n in enumerate(counts))
    return "\n".join(["timestamp,value", *rows, ""])


def sent(rate: ArrivalRate, until_s: float, workers: int, period_s: float = 60.0) -> list[int]:
    """The arrivals of all workers in each period."""
    plan = ArrivalPlan().changed(0.0, legs(rate))
    found = Counter[int]()
    for index in range(workers):
        pacer = Pacer(plan, WorkerPart(index, workers))
        while pacer.due_s() < until_s:
            found[int(pacer.due_s() // period_s)] += 1
            pacer.advance()
    return [found[index] for index in range(int(until_s // period_s))]


@pytest.mark.parametrize("workers", [1, 2])
def test_each_minute_has_as_many_arrivals_as_the_source(workers: int, tmp_path: Path) -> None:
    """An hour of minutes, those without any request too."""
    (tmp_path / "invocations.csv").write_text(csv_of(HOUR))
    rate = experiment_with(tmp_path, "{from: invocations.csv}")
    assert sent(rate, 3600.0, workers) == HOUR


@pytest.mark.parametrize("workers", [1, 2])
def test_a_part_of_the_traffic_stays_within_one_request_of_the_source(workers: int, tmp_path: Path) -> None:
    """However long the hour gets: nothing adds up."""
    (tmp_path / "invocations.csv").write_text(csv_of(HOUR))
    minutes = sent(experiment_with(tmp_path, "{from: invocations.csv, scale: 0.1}"), 3600.0, workers)
    assert all(abs(sum(minutes[:n]) - sum(HOUR[:n]) / 10) <= 0.5 for n in range(1, 61))


def test_a_window_is_cut_out(tmp_path: Path) -> None:
    """A time without a zone is UTC; the first minute of the window is the run's first."""
    (tmp_path / "invocations.csv").write_text(csv_of(HOUR))
    rate = experiment_with(tmp_path, '{from: invocations.csv, window: "2026-11-20T18:10/30m"}')
    assert sent(rate, 1800.0, 1) == HOUR[10:40]
    within = experiment_with(tmp_path, '{from: invocations.csv, window: "2026-11-20T18:10:30/1m"}')
    assert steps(within) == (RateStep(at_s=0.0, rate=HOUR[10] / 60), RateStep(at_s=30.0, rate=HOUR[11] / 60))


def test_periods_that_cloudwatch_leaves_out_have_no_request(tmp_path: Path) -> None:
    """It has no datapoint where nothing was counted; in which order it has the others is not said."""
    (tmp_path / "n.csv").write_text("18:00\n2026-11-20T18:03:00Z,60\n2026-11-20 18:00,120\n2026/11/20 18:01:00,120\n")
    rate = experiment_with(tmp_path, "{from: n.csv}")
    assert steps(rate) == (
        RateStep(at_s=0.0, rate=2.0),
        RateStep(at_s=120.0, rate=0.0),
        RateStep(at_s=180.0, rate=1.0),
    )


def test_an_access_log_is_replayed_second_by_second(tmp_path: Path) -> None:
    """Its lines are counted."""
    seconds = [3, 0, 5, 1]
    line = '203.0.113.9 - - [20/Nov/2026:18:00:{:02} +0000] "GET /search HTTP/1.1" 200 12'
    lines = [line.format(second) for second, count in enumerate(seconds) for _ in range(count)]
    (tmp_path / "access.log").write_text("\n".join(lines))
    assert sent(experiment_with(tmp_path, "{from: access.log}"), 4.0, 2, period_s=1.0) == seconds


def test_a_resolved_experiment_needs_no_file(tmp_path: Path) -> None:
    """It holds the numbers, so that a run can be judged anywhere."""
    (tmp_path / "invocations.csv").write_text(csv_of([60, 120]))
    experiment_with(tmp_path, "{from: invocations.csv}")
    resolved = msgspec.json.encode(read_experiment(str(tmp_path / "mine.yaml"))).decode()
    (tmp_path / "invocations.csv").unlink()
    rate = parse(resolved, source="again").traffic.arrival_rate
    assert steps(rate) == (RateStep(at_s=0.0, rate=1.0), RateStep(at_s=60.0, rate=2.0))
    assert worded(rate) == "the rate of invocations.csv"


@pytest.mark.parametrize(
    ("rate", "text", "told"),
    [
        ("{from: no.csv}", "", "arrival_rate.from"),
        ("{from: n.csv, scal: 2}", csv_of([1]), "traffic.arrival_rate.scal: unknown key; did you mean scale?"),
        ("{from: n.csv, scale: 0}", csv_of([1]), "traffic.arrival_rate.scale: must be more than 0"),
        ("{scale: 2}", csv_of([1]), "traffic.arrival_rate.from: is missing"),
        ("{from: n.csv}", "timestamp,value\n", "has no line with a time and a number"),
        ("{from: n.csv}", "2026-11-20T18:00,1\n2026-11-20T18:01,many\n", "n.csv, line 2: must be a time and a number"),
        ("{from: n.csv}", "2026-11-20T18:00,-1\n", "n.csv, line 1: must be a time and a number of 0 or more"),
        ("{from: n.csv}", "2026-11-20T18:00,1\n2026-11-20T18:00,2\n", "n.csv, line 2: has the time of an earlier line"),
        (
            "{from: n.csv}",
            "2026-11-20T18:00:00,1\n2026-11-20T18:01:00,1\n2026-11-20T18:02:30,1\n",
            "its times are not at even distances",
        ),
        ("{from: n.csv, window: tea}", csv_of([1]), "arrival_rate.window: must be a time and a duration"),
        (
            '{from: n.csv, window: "2026-11-20T18:00/3m"}',
            csv_of([1, 2]),
            "n.csv does not have all of it; it covers 120 s from 2026-11-20T18:00:00Z",
        ),
    ],
)
def test_what_cannot_be_replayed_is_one_sentence(rate: str, text: str, told: str, tmp_path: Path) -> None:
    """With the field, and the line of the file where there is one."""
    if text:
        (tmp_path / "n.csv").write_text(text)
    with pytest.raises(UsageError) as raised:
        experiment_with(tmp_path, rate)
    assert told in str(raised.value)
    assert "mine.yaml" in str(raised.value)
