"""The tables of a run as pandas frames."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from harness.core.timeline.events import Arrivals, Event, Requests
from harness.core.verdict.types import Verdict
from harness.report.chart import chart
from harness.report.datapoints import AlarmPeriod, datapoints
from harness.report.drawing import save_pictures, svg
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
class Plot:
    """A chart: a notebook shows it, `spec` is its Vega-Lite; None where nothing was seen and nothing was sent."""

    spec: dict[str, Any] | None

    def save(self, path: str | Path) -> None:
        """Saves it as the end of the name says, .svg or .png; nothing where there is no chart."""
        if self.spec:
            save_pictures(self.spec, [Path(path)])

    def _repr_svg_(self) -> str | None:
        """What Jupyter shows."""
        return svg(self.spec) if self.spec else None


@dataclass(frozen=True)
class Frames:
    """The tables of one run. Instants are seconds of experiment time; `since_creation_s` counts from the deployment.

    Columns `at`, `since` and `until` are the same instants in UTC (of a rehearsal, of its local cloud); all of them are
    missing where the timeline does not say when it began.

    verdict      one row: verdict.json, its columns named by their paths, such as `outcome`, `exit_code` or
                 `arms.canary.p99_ms`. The bounds of an instant are pairs of seconds; lists stay lists.
    arms         a row for each of baseline and canary, over the time that both had traffic: `arm`, and what
                 verdict.json has of it, such as `requests`, `failures`, `p99_ms` (latency at the client).
    events       the timeline without its counts of requests: `at_s`, `at`, `event` (its type), `fields` (the rest, a dict).

    seconds      a row a second, `at_s` its beginning since the run began. `planned`, `started`, `unstarted`: the
                 schedule. `sent_<intent>_<arm>` and `failed_<intent>_<arm>`: requests that began in it, by intent (good,
                 fault) and by the arm that answered (baseline, canary, unknown). `p50_ms`, `p95_ms`, `p99_ms`: latency
                 from the due time, wall time. `weight`: the canary's share of traffic, 0..1, missing while it changed
                 between two looks. `in_alarm`: whether any alarm of the group was in ALARM.
    spans        what happened beside the traffic: `lane`, `kind`, `label`, `from_s`, `to_s` (equal for a moment), `detail`,
                 `since`, `until`.
    datapoints   a row for each period of each alarm: `alarm`, `from_s`, `to_s`, `threshold`, `value` (CloudWatch's),
                 `of_canary` (CloudWatch's of the canary alone), `seen` (as clients saw it), `breaching`
                 (missing while a period that has not breached lasts), `counted_by` (CloudWatch, or the clients where it
                 told no value), `since`, `until`.

    What nobody measured is missing (NA), never 0. `plot()` is the timeline of the report as a chart.
    """  # noqa: E501 - a table

    verdict: pd.DataFrame
    arms: pd.DataFrame
    events: pd.DataFrame
    seconds: pd.DataFrame
    spans: pd.DataFrame
    datapoints: pd.DataFrame
    _spec: dict[str, Any] | None = field(default=None, repr=False)

    def plot(self) -> Plot:
        """The timeline of the report: lanes, weight, traffic, failures, client latency and alarms."""
        return Plot(self._spec)


def frames_of(run: JudgedRun) -> Frames:
    """The tables of a run."""
    return Frames(
        verdict=pd.json_normalize(msgspec.to_builtins(run.verdict)),
        arms=_arms(run.verdict),
        events=_events(run),
        seconds=seconds(run).assign(at=lambda table: _utc(table["at_s"], run)),
        spans=_spanned(_frame(spans(run), Span), run),
        datapoints=_spanned(_frame(datapoints(run), AlarmPeriod), run),
        _spec=chart(run),
    )


def _arms(verdict: Verdict) -> pd.DataFrame:
    arms = {"baseline": verdict.arms.baseline, "canary": verdict.arms.canary}
    return pd.DataFrame([{"arm": name, **msgspec.to_builtins(arm)} for name, arm in arms.items()])


def _events(run: JudgedRun) -> pd.DataFrame:
    rows = [_row(event) for event in run.events if not isinstance(event, Requests | Arrivals)]
    table = pd.DataFrame(rows, columns=["at_s", "event", "fields"])
    table.insert(1, "at", _utc(table["at_s"], run))
    return table


def _row(event: Event) -> tuple[float, str, dict[str, Any]]:
    fields = msgspec.to_builtins(event)
    return fields.pop("at_s"), fields.pop("type"), fields


def _utc(at_s: "pd.Series[Any]", run: JudgedRun) -> "pd.Series[Any]":
    """Instants of a run in UTC."""
    if not run.rollout.run.epoch_s:
        return pd.Series(pd.NaT, index=at_s.index, dtype="datetime64[ns, UTC]")
    epoch_s = at_s.astype("float64") + run.rollout.run.epoch_s
    return pd.to_datetime(epoch_s, unit="s", utc=True)


def _spanned(table: pd.DataFrame, run: JudgedRun) -> pd.DataFrame:
    return table.assign(since=_utc(table["from_s"], run), until=_utc(table["to_s"], run))


def seconds(run: JudgedRun) -> pd.DataFrame:
    """The per-second table."""
    table = columns(run.seconds.slices(), run.rollout.release.created_s)
    return pd.DataFrame({name: pd.array(values, dtype=_DTYPES.get(name, "Float64")) for name, values in table.items()})


def _frame(rows: list[Span] | list[AlarmPeriod], kind: type[msgspec.Struct]) -> pd.DataFrame:
    return pd.DataFrame([msgspec.structs.asdict(row) for row in rows], columns=list(kind.__struct_fields__))
