"""The per-second table as a file: CSV, or Parquet where pyarrow is installed."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.errors import UsageError
from harness.report.judged_run import JudgedRun
from harness.report.seconds import columns


def save_table(run: JudgedRun, path: Path) -> None:
    """Writes the per-second table as the end of its name says; raises UsageError where pyarrow is missing for it."""
    WRITERS[path.suffix](run, path)


def _write_csv(run: JudgedRun, path: Path) -> None:
    table = columns(run.seconds.slices(), run.rollout.release.created_s)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        writer.writerows([_written(value) for value in row] for row in zip(*table.values(), strict=True))


def _written(value: object) -> object:
    """A cell: empty where nothing was measured, and no more digits than mean something."""
    return f"{value:.6g}" if isinstance(value, float) else value


def _write_parquet(run: JudgedRun, path: Path) -> None:
    from harness.report.tables import seconds

    try:
        seconds(run).to_parquet(path, index=False)
    except ImportError as error:
        fix = "pip install 'canary-harness[parquet]'"
        raise UsageError(f"{path}: Parquet needs pyarrow ({fix}); .csv needs nothing") from error


WRITERS: Mapping[str, Callable[[JudgedRun, Path], None]] = {".csv": _write_csv, ".parquet": _write_parquet}
