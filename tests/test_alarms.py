"""The command `canary-harness alarm` by hand, on the local cloud."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from harness import cli
from harness.rehearsal.fixtures import aws_environment

if TYPE_CHECKING:
    from harness.rehearsal.cloud import Cloud


def test_an_alarm_is_held_by_the_clock_of_the_cloud(
    canary_cloud_factory: Callable[..., "Cloud"], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten minutes of a cloud that is fast are a second here, and the evaluations between are outlasted."""
    cloud = canary_cloud_factory(speed=600.0)
    aws_environment(cloud, monkeypatch)
    monkeypatch.setenv("LOCUST_CANARY_CLOCK", cloud.ready["clock"])
    name = cloud.ready["alarm"]
    assert cli.main(["alarm", "set", name, "ALARM", "--for", "10m", "--allow-writes"]) == 0
    history = cloud.cloudwatch.describe_alarm_history({"AlarmName": name, "HistoryItemType": "StateUpdate"})
    dates = [item["Timestamp"] for item in history["AlarmHistoryItems"]]
    assert (max(dates) - min(dates)).total_seconds() >= 600
    assert "again" in capsys.readouterr().out
