"""The command `canary-harness alarm` by hand, on the local cloud."""

import gzip
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from harness.aws.concurrency import THROTTLING
from harness.aws.forced_alarm import FORCING
from harness.aws.redeploy import RETURNING
from harness.cli import main as cli
from harness.core.experiment.types import Deployment, Experiment
from harness.core.timeline.events import RunStarted, Write, encode
from harness.rehearsal.fixtures import aws_environment
from harness.report.folder import RunFolder

if TYPE_CHECKING:
    from harness.rehearsal.cloud import Cloud


def test_an_alarm_is_held_by_the_clock_of_the_cloud(
    canary_cloud_factory: Callable[..., "Cloud"], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten minutes of a cloud that is fast are a second here, and what evaluations reset meanwhile is forced again.

    The last reset may come just before the end. Then nothing is left to undo, so the history ends a little earlier.
    """
    cloud = canary_cloud_factory(speed=600.0)
    aws_environment(cloud, monkeypatch)
    monkeypatch.setenv("LOCUST_CANARY_CLOCK", cloud.ready["clock"])
    name = cloud.ready["alarm"]
    assert cli.main(["alarm", "set", name, "ALARM", "--for", "10m", "--allow-writes"]) == 0
    history = cloud.cloudwatch.describe_alarm_history({"AlarmName": name, "HistoryItemType": "StateUpdate"})
    forced = [item["Timestamp"] for item in history["AlarmHistoryItems"] if "to ALARM" in item["HistorySummary"]]
    assert cloud.clock.now() - min(forced).timestamp() >= 600
    assert len(forced) > 1
    assert "again" in capsys.readouterr().out


def test_a_reset_waits_for_the_deployment_that_still_shifts_the_alias(
    canary_cloud: "Cloud",
    canary_aws: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It says what it waits for, and gives the alias back as soon as it can; without a wait something is left."""
    monkeypatch.setenv("LOCUST_CANARY_CLOCK", f"{time.time()}:60")
    ready = canary_cloud.ready
    folder = RunFolder.create(tmp_path, "killed", 0.0)
    wanted = Deployment(application=ready["application"], group=ready["group"])
    folder.write_manifest(Experiment(name="killed", deployment=wanted), ["test"])
    subject = f"{ready['function']}:{ready['alias']}"
    left = Write(at_s=1.0, call=RETURNING, subject=subject, step="intended", before="1", after="2")
    folder.timeline.write_bytes(encode(RunStarted(at_s=0.0, experiment="killed", epoch_s=0.0)) + encode(left))
    deployment_id = canary_cloud.deploy()
    canary_cloud.advance(30)
    reset = ["alarm", "reset", "--run", str(folder.path)]
    assert cli.main(reset) == 1
    assert (
        f"LEFT, a deployment still shifts it; heal again when that is over: {deployment_id}" in capsys.readouterr().out
    )
    over = threading.Timer(0.3, canary_cloud.advance, [600.0])
    over.start()
    assert cli.main([*reset, "--wait", "1h"]) == 0
    over.join()
    assert "undone, back on version 1" in capsys.readouterr().out
    assert cli.main(["alarm", "reset", ready["alarm"], "--wait", "1m", "--allow-writes"]) == 2


@pytest.mark.parametrize(
    "timeline",
    [
        bytes(4096),
        gzip.compress(b"{}"),
        b"",
        None,
        encode(RunStarted(at_s=0.0, experiment="x", epoch_s=0.0)) + bytes(200),
    ],
    ids=["NULs", "zipped", "empty", "missing", "NULs at the end"],
)
def test_a_journal_that_tells_nothing_is_no_clean_one(
    timeline: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a last line that was cut off is a change that was never made."""
    folder = RunFolder.create(tmp_path, "killed", 0.0)
    folder.manifest.write_text("{}")
    if timeline is not None:
        folder.timeline.write_bytes(timeline)
    assert cli.main(["alarm", "status", "--run", str(folder.path)]) == 1
    assert "timeline.jsonl" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["abc", "1e3", "-5"])
@pytest.mark.usefixtures("canary_aws")
def test_a_line_that_makes_no_sense_keeps_no_other_from_being_undone(
    wrong: str, canary_cloud: "Cloud", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is left, in one sentence."""
    function, name = canary_cloud.ready["function"], canary_cloud.ready["alarm"]
    folder = RunFolder.create(tmp_path, "killed", 0.0)
    odd = Write(at_s=1.0, call=THROTTLING, subject=function, step="intended", before=wrong, after="7")
    held = Write(at_s=1.0, call=FORCING, subject=name, step="intended", before="OK", after="ALARM")
    folder.timeline.write_bytes(encode(held) + encode(odd) + encode(replace(held, step="done", at_s=2.0)))
    canary_cloud.functions.put_function_concurrency({"FunctionName": function, "ReservedConcurrentExecutions": 7})
    assert cli.main(["alarm", "reset", "--run", str(folder.path)]) == 1
    told = capsys.readouterr().out
    assert f"{THROTTLING} on {function}: LEFT" in told
    assert f"{FORCING} on {name}: LEFT" not in told


def test_a_damaged_folder_and_a_full_disk_keep_nothing_from_being_undone(
    canary_cloud: "Cloud",
    canary_aws: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What the rest of the journal says is named and undone, and that more may be left is told."""
    name = canary_cloud.ready["alarm"]
    folder = RunFolder.create(tmp_path, "killed", 0.0)
    folder.manifest.write_text('{"schema": 1, "experi')
    held = Write(at_s=1.0, call=FORCING, subject=name, step="intended", before="OK", after="ALARM")
    lines = [
        encode(held),
        encode(replace(held, step="done", at_s=2.0)),
        b'{"type":"wri\0\0\0 5}\n',
        b'{"type":"requests"\n',
    ]
    folder.timeline.write_bytes(b"".join(lines) + b'{"type":"write","at_s":9.0,"ca')
    folder.healing.mkdir()  # a file that cannot be written
    canary_cloud.cloudwatch.set_alarm_state({"AlarmName": name, "StateValue": "ALARM", "StateReason": "x"})
    asked = ["--run", str(folder.path)]
    assert cli.main(["alarm", "status", *asked]) == 1
    told = capsys.readouterr()
    assert f"{FORCING} on {name}" in told.out
    assert "1 lines of" in told.err
    assert cli.main(["alarm", "reset", *asked]) == 1
    told = capsys.readouterr()
    assert f"{FORCING} on {name}: undone, OK" in told.out
    assert "cannot be written" in told.err
    (alarm,) = canary_cloud.cloudwatch.describe_alarms({"AlarmNames": [name]})["MetricAlarms"]
    assert alarm["StateValue"] == "OK"
