"""The delays of an account, read from its histories: what a rehearsal was told to take is what is found in it."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.aws.clients import Aws
from harness.aws.delays import FoundDelays, learn
from harness.aws.policy import WATCHES, actions
from harness.core.experiment.parse import parse
from harness.rehearsal.cloud import Cloud
from harness.rehearsal.fixtures import aws_environment


@pytest.fixture
def stopped(canary_cloud_factory: Callable[..., Cloud], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Cloud]:
    """Plays a deployment that its alarm stops, in a cloud with these times."""

    def play(times: str) -> Cloud:
        cloud = canary_cloud_factory(parse(f"name: told\ncloud: {times}\n", source="told.yaml"))
        aws_environment(cloud, monkeypatch)
        _answers(cloud, failed=False)
        cloud.advance(180)
        cloud.deploy()
        cloud.advance(30)
        _answers(cloud, failed=True)
        cloud.advance(240)
        return cloud

    return play


def _answers(cloud: Cloud, *, failed: bool) -> None:
    for _ in range(5):
        ready = cloud.ready
        cloud.cloudwatch.invocations.record(
            ready["function"], ready["alias"], ready["canary"], ready["now"], 5.0, failed=failed
        )


def learnt(cloud: Cloud) -> FoundDelays:
    """The delays of the cloud's own group."""
    return learn(Aws(), cloud.ready["application"], cloud.ready["group"])


@pytest.mark.parametrize(
    ("times", "alarm_s", "stop_s"),
    [
        ("{alarm_delay_s: 40, stop_delay_s: 12}", (40, 40), (12, 13)),
        ("{alarm_delay_s: 75, stop_delay_s: [20, 30]}", (75, 75), (20, 30)),
        ("{alarm_delay_s: [5, 8], stop_delay_s: [3, 4]}", (5, 8), (3, 4)),
        ("{}", (10, 80), (10, 29)),
    ],
)
def test_what_a_rehearsal_is_told_to_take_is_found_in_it(
    stopped: Callable[[str], Cloud], times: str, alarm_s: tuple[float, float], stop_s: tuple[float, float]
) -> None:
    """From the end of the minute to ALARM, and from there to Stopped."""
    delays = learnt(stopped(times))
    assert len(delays.alarm_s) == len(delays.stop_s) == 1
    assert alarm_s[0] - 0.1 <= delays.alarm_s[0] <= alarm_s[1] + 0.1
    assert stop_s[0] <= delays.stop_s[0] <= stop_s[1]


def test_a_group_without_history_has_no_delays(canary_cloud: Cloud, canary_aws: Mapping[str, str]) -> None:
    """Nothing found is nothing said."""
    assert learnt(canary_cloud) == FoundDelays()


class Answering:
    """An account that answers from a table, and notes what it is asked."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = answers
        self.asked: set[str] = set()

    def call(self, service: str, operation: str, **_: Any) -> dict[str, Any]:
        """The answer of the table, or an empty one."""
        self.asked.add(f"{service}:{''.join(word.capitalize() for word in operation.split('_'))}")
        return dict(self._answers.get(operation, {}))

    def with_patience(self, _: object) -> "Answering":
        """The same."""
        return self


def account(old: str, data: Any, why: str = "x") -> Answering:
    """An account whose only alarm rang once, at 12:02:00."""
    new = {"stateValue": "ALARM", "stateReason": "x", "stateReasonData": data}
    item = {
        "Timestamp": datetime(2026, 8, 22, 12, 2, tzinfo=UTC),
        "HistoryData": json.dumps({"oldState": {"stateValue": old, "stateReason": why}, "newState": new}),
    }
    return Answering(
        {
            "get_deployment_group": {"deploymentGroupInfo": {"alarmConfiguration": {"alarms": [{"name": "errors"}]}}},
            "describe_alarm_history": {"AlarmHistoryItems": [item]},
        }
    )


POINT = {"timestamp": "2026-08-22T12:00:00.000+0000", "sampleCount": 1.0, "value": 3.0}


@pytest.mark.parametrize(
    ("old", "data", "found"),
    [
        ("OK", {"period": 60, "evaluatedDatapoints": [POINT]}, (60.0,)),
        ("INSUFFICIENT_DATA", {"period": 60, "evaluatedDatapoints": [POINT]}, ()),
        ("OK", {"period": 60, "evaluatedDatapoints": [{"timestamp": POINT["timestamp"]}]}, ()),
        ("OK", {"period": 60, "evaluatedDatapoints": [{**POINT, "timestamp": "yesterday"}]}, ()),
        ("OK", {"period": 300, "evaluatedDatapoints": [POINT]}, ()),
        ("OK", {"evaluatedDatapoints": [POINT]}, ()),
        ("OK", "rubbish", ()),
        ("OK", None, ()),
    ],
)
def test_only_a_change_that_data_decided_counts(old: str, data: Any, found: tuple[float, ...]) -> None:
    """A forced state, missing data, an alarm that is new, or a period that is not over say nothing of the delay."""
    assert learn(account(old, data), "app", "group").alarm_s == found


@pytest.mark.parametrize(
    ("why", "found"),
    [
        ("Insufficient Data: 1 datapoint was unknown.", (60.0,)),
        ("Unchecked: Initial alarm creation", ()),
        ("drill", ()),
    ],
)
def test_an_alarm_that_had_no_data_before_counts(why: str, found: tuple[float, ...]) -> None:
    """Thin traffic leaves an alarm without data until the errors come; a new or forced one says nothing."""
    rang = account("INSUFFICIENT_DATA", {"period": 60, "evaluatedDatapoints": [POINT]}, why)
    assert learn(rang, "app", "group").alarm_s == found


def test_learning_asks_only_for_what_watching_needs() -> None:
    """So that `doctor --print-policy` names all of it."""
    asked = account("OK", None)
    learn(asked, "app", "group")
    assert asked.asked <= actions(WATCHES)
