"""The tables of a run as pandas frames, and as CSV or Parquet files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pandas as pd

from harness.errors import UsageError
from harness.report.datapoints import Datapoint, datapoints
from harness.report.history import History
from harness.report.lanes import Span, spans
from harness.report.seconds import CELLS, Slice, slices

PARQUET_EXTRA = "pip install 'canary-harness[parquet]'"


@dataclass(frozen=True)
class Frames:
    """The tables of one run. Instants are seconds of experiment time; `since_creation_s` counts from the deployment.

    seconds      a row a second, `at_s` its beginning since the run began. `planned`, `started`, `unstarted`: the
                 schedule. `sent_<intent>_<arm>` and `failed_<intent>_<arm>`: requests that began in it, by intent (good,
                 fault) and by the arm that answered (baseline, canary, unknown). `p50_ms`, `p95_ms`, `p99_ms`: latency
                 from the due time, wall time. `weight`: the canary's share of traffic, 0..1. `in_alarm`: whether any
                 alarm of the group was in ALARM.
    spans        what happened beside the traffic: `lane`, `kind`, `label`, `from_s`, `to_s` (equal for a moment), `detail`.
    datapoints   a row for each period of each alarm: `alarm`, `from_s`, `to_s`, `threshold`, `value` (CloudWatch's),
                 `of_canary` (CloudWatch's of the canary alone), `seen` (as clients saw it), `breaching`.

    What nobody measured is missing (NA), never 0.
    """  # noqa: E501 - a table

    seconds: pd.DataFrame
    spans: pd.DataFrame
    datapoints: pd.DataFrame


def frames_of(run: History) -> Frames:
    """The tables of a run."""
    return Frames(seconds=seconds(run), spans=_frame(spans(run), Span), datapoints=_frame(datapoints(run), Datapoint))


def seconds(run: History) -> pd.DataFrame:
    """The per-second table."""
    parts = slices(run)
    columns: dict[str, object] = {
        "at_s": [part.at_s for part in parts],
        "since_creation_s": [_since(part, run.rollout.created_s) for part in parts],
    }
    for name in ("planned", "started", "unstarted"):
        columns[name] = pd.array([getattr(part, name) for part in parts], dtype="Int64")
    for name in ("sent", "failures"):
        for index, (intent, arm) in enumerate(CELLS):
            word = "sent" if name == "sent" else "failed"
            columns[f"{word}_{intent}_{arm}"] = [getattr(part, name)[index] for part in parts]
    for name in ("p50_ms", "p95_ms", "p99_ms", "weight"):
        columns[name] = pd.array([getattr(part, name) for part in parts], dtype="Float64")
    columns["in_alarm"] = pd.array([part.in_alarm for part in parts], dtype="boolean")
    return pd.DataFrame(columns)


def save(frame: pd.DataFrame, path: Path) -> None:
    """Writes a table as the end of its name says, .csv or .parquet; raises UsageError where that cannot be."""
    write = _WRITERS.get(path.suffix)
    if write is None:
        raise UsageError(f"{path}: a table ends in {' or '.join(_WRITERS)}")
    write(frame, path)


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False, float_format="%.6g")


def _write_parquet(frame: pd.DataFrame, path: Path) -> None:
    try:
        frame.to_parquet(path, index=False)
    except ImportError as error:
        raise UsageError(f"{path}: Parquet needs pyarrow ({PARQUET_EXTRA}); .csv needs nothing") from error


_WRITERS: Mapping[str, Callable[[pd.DataFrame, Path], None]] = {".csv": _write_csv, ".parquet": _write_parquet}


def _since(part: Slice, created_s: float | None) -> float | None:
    return None if created_s is None else part.at_s - created_s


def _frame(rows: list[Span] | list[Datapoint], kind: type[msgspec.Struct]) -> pd.DataFrame:
    return pd.DataFrame([msgspec.structs.asdict(row) for row in rows], columns=list(kind.__struct_fields__))
