"""The tables of a run as pandas frames."""

from dataclasses import dataclass

import msgspec
import pandas as pd

from harness.report.datapoints import AlarmPeriod, datapoints
from harness.report.judged_run import JudgedRun
from harness.report.lanes import Span, spans
from harness.report.seconds import CELLS, columns

_DTYPES = {
    "at_s": "float64",
    **dict.fromkeys(("planned", "started", "unstarted"), "Int64"),
    **{f"{word}_{intent}_{arm}": "int64" for word in ("sent", "failed") for intent, arm in CELLS},
    "in_alarm": "boolean",
}


@dataclass(frozen=True)
class Frames:
    """The tables of one run. Instants are seconds of experiment time; `since_creation_s` counts from the deployment.

    seconds      a row a second, `at_s` its beginning since the run began. `planned`, `started`, `unstarted`: the
                 schedule. `sent_<intent>_<arm>` and `failed_<intent>_<arm>`: requests that began in it, by intent (good,
                 fault) and by the arm that answered (baseline, canary, unknown). `p50_ms`, `p95_ms`, `p99_ms`: latency
                 from the due time, wall time. `weight`: the canary's share of traffic, 0..1, missing while it changed
                 between two looks. `in_alarm`: whether any alarm of the group was in ALARM.
    spans        what happened beside the traffic: `lane`, `kind`, `label`, `from_s`, `to_s` (equal for a moment), `detail`.
    datapoints   a row for each period of each alarm: `alarm`, `from_s`, `to_s`, `threshold`, `value` (CloudWatch's),
                 `of_canary` (CloudWatch's of the canary alone), `seen` (as clients saw it), `breaching`
                 (missing while a period that has not breached lasts), `counted_by` (CloudWatch, or the clients where it
                 told no value).

    What nobody measured is missing (NA), never 0.
    """  # noqa: E501 - a table

    seconds: pd.DataFrame
    spans: pd.DataFrame
    datapoints: pd.DataFrame


def frames_of(run: JudgedRun) -> Frames:
    """The tables of a run."""
    return Frames(seconds=seconds(run), spans=_frame(spans(run), Span), datapoints=_frame(datapoints(run), AlarmPeriod))


def seconds(run: JudgedRun) -> pd.DataFrame:
    """The per-second table."""
    table = columns(run.seconds.slices(), run.rollout.release.created_s)
    return pd.DataFrame({name: pd.array(values, dtype=_DTYPES.get(name, "Float64")) for name, values in table.items()})


def _frame(rows: list[Span] | list[AlarmPeriod], kind: type[msgspec.Struct]) -> pd.DataFrame:
    return pd.DataFrame([msgspec.structs.asdict(row) for row in rows], columns=list(kind.__struct_fields__))
