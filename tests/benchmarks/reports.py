"""Wall seconds and peak memory of all reports of an hour at 10,000 requests a second, from its timeline alone.

The timeline is synthetic, of the recorder's shape: 36 million requests of all personas and both endpoints, and a whole
canary release beside them, in whose time both versions answer and 5 % are fault requests. One command writes HTML,
Markdown, JUnit, verdict, CSV, SVG, PNG, and Parquet where pyarrow is installed. A small run before has Python's
bytecode and the page's script in their caches, as in any installation that has written a report. The processor seconds
of each part are those of a process that makes one after the other. Peer: decoding the same lines in full, which is what
a report would begin with if it read every histogram. Needs nothing.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np

from harness.core.experiment.types import Experiment
from harness.core.timeline.events import (
    AlarmChanged,
    AlarmDefined,
    AliasSeen,
    Arrivals,
    DeploymentSeen,
    Event,
    GroupSeen,
    Requests,
    RunEnded,
    RunStarted,
    decode,
    encode,
)
from harness.core.timeline.histogram import histogram
from tests.benchmarks.rows import Row

T = TypeVar("T")
SECONDS = 3600
RATE = 10_000
FAULT_SHARE = 0.05
CREATED_S, GONE_S = 600, 2400
WEIGHT = 0.1
PATTERNS = 12
"""Different seconds that take turns: drawing 36 million latencies would take longer than all that is measured."""
CHARTS = ("chart.svg", "chart.png")
TABLES = ("seconds.csv", *(("seconds.parquet",) if find_spec("pyarrow") else ()))
WANTED_S, WANTED_MIB = 5.0, 500.0

PEOPLE = {"standard": 6.0, "legacy": 1.0, "beta": 1.0, "qa": 1.0, "dev": 1.0, "devnewfeature": 1.0}
"""Personas of a locustfile, each with its share."""


def rows() -> Iterator[Row]:
    """Every format in one process of its own, as `canary-harness report` with charts and tables."""
    with tempfile.TemporaryDirectory() as folder:
        run, small = Path(folder) / "hour", Path(folder) / "small"
        environ = {**os.environ, "PYTHONPYCACHEPREFIX": str(Path(folder) / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}
        write_run(small, seconds=60, rate=100)
        write_run(run)
        told(COMMAND, small, environ)
        told(PARTS, small, environ)
        seconds, busy, mib = told(COMMAND, run, environ)["all"]
        parts = told(PARTS, run, environ)
        began = time.perf_counter()
        with (run / "timeline.jsonl").open("rb") as lines:
            sum(1 for _ in decode(lines))
        decoded_s = time.perf_counter() - began
        size = (run / "report.html").stat().st_size / 2**20
    what = f"all reports of {SECONDS * RATE:,} requests"
    yield Row(what=what, value=seconds, unit="s", peer="decode", peer_value=decoded_s, wanted=f"< {WANTED_S:g}")
    yield Row(what=f"{what}, processor time", value=busy, unit="s")
    yield from (Row(what=f"  {part}", value=value, unit="s") for part, (value,) in parts.items())
    yield Row(what=f"{what}, peak memory", value=mib, unit="MiB", wanted=f"< {WANTED_MIB:g}")
    yield Row(what="size of report.html", value=size, unit="MiB", wanted="< 3")


COMMAND, PARTS = "command", "parts"


def told(of: str, run: Path, environ: Mapping[str, str]) -> dict[str, list[float]]:
    """What a process of its own measured of the command, or of its parts."""
    words = [sys.executable, "-m", "tests.benchmarks.reports", of, str(run)]
    said = subprocess.check_output(words, text=True, env=environ)
    measured: dict[str, list[float]] = json.loads(said.splitlines()[-1])
    return measured


def of_command(run: Path) -> dict[str, list[float]]:
    """Wall seconds, processor seconds and peak resident MiB of the command that writes every format."""
    began = time.perf_counter()
    from harness.cli.main import main

    charts = [word for name in CHARTS for word in ("--chart", str(run / name))]
    tables = [word for name in TABLES for word in ("--table", str(run / name))]
    code = main(["report", str(run), *charts, *tables])
    if code:
        raise RuntimeError(f"canary-harness report ended with {code}")
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"all": [time.perf_counter() - began, time.process_time(), used]}


def of_parts(run: Path) -> dict[str, list[float]]:
    """Processor seconds of each part of the command, in the order in which one needs another."""
    from harness.report.chart import chart
    from harness.report.drawing import save_pictures
    from harness.report.folder import RunFolder
    from harness.report.judging import judged
    from harness.report.junit import junit
    from harness.report.markdown import markdown
    from harness.report.page import page
    from harness.report.saving import save_table

    spent = {"start and imports": [time.process_time()]}

    def timed(part: str, work: Callable[[], T]) -> T:
        began = time.process_time()
        made = work()
        spent[part] = [time.process_time() - began]
        return made

    folder = RunFolder.open(run)
    events = timed("timeline read", folder.read_condensed)
    seen = timed("verdict", lambda: judged(folder.read_experiment(), events))
    spec = timed("chart", lambda: chart(seen)) or {}
    timed("HTML", lambda: page(seen, spec))
    timed("Markdown and JUnit", lambda: (markdown(seen.verdict), junit(seen.verdict)))
    for name in TABLES:
        timed(Path(name).suffix, lambda name=name: save_table(seen, run / name))
    timed("SVG", lambda: save_pictures(spec, [run / CHARTS[0]]))
    timed("PNG, by the engine that is running now", lambda: save_pictures(spec, [run / CHARTS[1]]))
    return spent


def write_run(run: Path, seconds: int = SECONDS, rate: int = RATE) -> None:
    """A run folder of that many seconds."""
    from harness.report.folder import RunFolder

    run.mkdir()
    folder = RunFolder(run)
    folder.write_manifest(Experiment(name="hour"), ["canary-harness", "run"])
    with folder.timeline.open("wb") as file:
        for event in _before():
            file.write(encode(event))
        quiet, shared = (
            [[encode(event) for event in _second(seed, rate, weight, faults)] for seed in range(PATTERNS)]
            for weight, faults in ((0.0, 0.0), (WEIGHT, FAULT_SHARE))
        )
        for second in range(seconds):
            patterns = shared if CREATED_S <= second < GONE_S else quiet
            for line in patterns[second % PATTERNS]:
                file.write(line.replace(b'"at_s":0.0', b'"at_s":%d.0' % second, 1))
        for event in _after(seconds):
            file.write(encode(event))


def _second(seed: int, rate: int, weight: float, faults: float) -> Iterator[Event]:
    """A second at the canary's weight and share of fault requests: exactly so many requests as are planned."""
    draw = np.random.default_rng(seed)
    yield Arrivals(at_s=0.0, planned=rate, started=rate, lag=histogram(draw.lognormal(-7.6, 0.5, rate).tolist()))
    cells = _cells(weight, faults)
    edges = [round(rate * edge) for edge in accumulate((share for _, share in cells), initial=0.0)]
    for (features, _), (first, last) in zip(cells, pairwise(edges), strict=True):
        if last > first:
            yield _row(draw, last - first, *features)


def _cells(weight: float, faults: float) -> list[tuple[tuple[str, str, str, str], float]]:
    """Intent, persona, endpoint and version of the requests, and the share of all that are like that."""
    people = {("good", name): (1 - faults) * share / sum(PEOPLE.values()) for name, share in PEOPLE.items()}
    return [
        ((intent, persona, endpoint, version), share * part * of_version)
        for version, of_version in (("1", 1 - weight), ("2", weight))
        for (intent, persona), share in {**people, ("fault", "error"): faults}.items()
        for endpoint, part in (("/fakeUser", 0.8), ("/featureToggles", 0.2))
    ]


def _row(draw: np.random.Generator, count: int, intent: str, persona: str, endpoint: str, version: str) -> Requests:
    latencies = draw.lognormal(-4.0, 0.35, count)
    failed = intent == "fault"
    return Requests(
        at_s=0.0,
        intent="fault" if failed else "good",
        persona=persona,
        endpoint=endpoint,
        version=version,
        outcome="failed" if failed else "ok",
        status=502 if failed else 200,
        count=count,
        latency=histogram(latencies.tolist()),
        service_time=histogram((latencies * 0.98).tolist()),
    )


def _before() -> Iterator[Event]:
    yield RunStarted(at_s=0.0, experiment="hour", epoch_s=1_800_000_000.0)
    events = ("DEPLOYMENT_STOP_ON_ALARM",)
    yield GroupSeen(
        at_s=0.1, asked_s=0.0, application="app", group="group", config="canary", alarms=("errors",),
        alarms_enabled=True, rollback_events=events,
    )  # fmt: skip
    yield AlarmDefined(
        at_s=0.2, asked_s=0.1, name="errors", metric="Errors", namespace="AWS/Lambda", statistic="Sum", period_s=60,
        evaluation_periods=1, datapoints=1, threshold=3.0, comparison="GreaterThanOrEqualToThreshold",
    )  # fmt: skip
    yield AliasSeen(at_s=0.3, asked_s=0.2, function="function", alias="Live", version="1")


def _after(seconds: int) -> Iterator[Event]:
    """What looks saw; late in the file, since nothing is judged by the order of lines but of looks of one kind."""
    yield DeploymentSeen(
        at_s=CREATED_S + 1.0, asked_s=CREATED_S + 0.9, deployment_id="d-HOUR", status="InProgress", created_s=CREATED_S
    )
    yield AliasSeen(
        at_s=CREATED_S + 2.0, asked_s=CREATED_S + 1.9, function="function", alias="Live", version="1",
        weights={"2": WEIGHT},
    )  # fmt: skip
    yield AlarmChanged(
        at_s=GONE_S - 10.0, asked_s=GONE_S - 11.0, name="errors", changed_s=GONE_S - 20.0, from_state="OK",
        to_state="ALARM",
    )  # fmt: skip
    yield DeploymentSeen(
        at_s=GONE_S - 1.0, asked_s=GONE_S - 1.1, deployment_id="d-HOUR", status="Stopped", created_s=CREATED_S,
        completed_s=GONE_S - 3.0, error_code="ALARM_ACTIVE", rollback_id="d-BACK",
    )  # fmt: skip
    yield DeploymentSeen(
        at_s=float(GONE_S), asked_s=GONE_S - 0.1, deployment_id="d-BACK", status="Succeeded",
        creator="codeDeployRollback", created_s=GONE_S - 2.0, completed_s=GONE_S - 1.0, rollback_of="d-HOUR",
    )  # fmt: skip
    yield AliasSeen(at_s=GONE_S + 0.2, asked_s=GONE_S + 0.1, function="function", alias="Live", version="1")
    yield RunEnded(at_s=float(seconds), why="settled")


def main() -> None:
    """Prints what one process measures of the command, or of its parts."""
    of, run = sys.argv[1:]
    measured = {COMMAND: of_command, PARTS: of_parts}[of](Path(run))
    print(json.dumps(measured))  # noqa: T201 - for the process that asked


if __name__ == "__main__":
    main()
