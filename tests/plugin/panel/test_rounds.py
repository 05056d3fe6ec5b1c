"""Several rounds of one session, asked for by a script as the page asks for them."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.rehearsal.fixtures import aws_environment

if TYPE_CHECKING:
    from harness.rehearsal.cloud import Cloud

pytestmark = pytest.mark.slow

EXPERIMENT = "{name: rounds, steady_s: 15, traffic: {arrival_rate: 5}, objective: {latency: {p99_s: 5}}}"


def test_rounds_follow_each_other_and_the_worst_one_is_the_exit_code(
    web: Callable[..., Any],
    canary_cloud_factory: Callable[..., "Cloud"],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Of a master and its workers: rolled back by hand, run again, the next version; a refused start is no round."""
    cloud = canary_cloud_factory({"name": "rounds", "deployment": {"config": "Canary10Percent3Minutes"}}, speed=120.0)
    ready, variables = cloud.ready, dict(aws_environment(cloud, monkeypatch))
    (tmp_path / "rounds.yaml").write_text(EXPERIMENT)
    named = ("--canary-application", ready["application"], "--canary-group", ready["group"], "--processes", "2")
    words = ("--host", ready["service_url"], "--canary-experiment", "rounds.yaml", *named)
    locust = web(*words, LOCUST_CANARY_CLOCK=ready["clock"], **variables)
    locust.wait_for(lambda state: locust.ask("/canary/api/v1/start")[1]["why"] is None)

    def outcome(*, by_hand: bool = False, **asked: str) -> tuple[str, int]:
        status, said = locust.steer("start", **asked)
        assert status == 200, said
        if by_hand:
            locust.wait_for(lambda state: state["controls"]["roll_back"]["allowed"])
            assert locust.steer("roll-back", by="Ana")[0] == 200
        verdict = locust.wait_for(lambda state: state["run"]["stage"] == "over")["run"]["verdict"]
        return verdict["outcome"], verdict["exit_code"]

    assert outcome(by_hand=True, target_version=ready["canary"]) == ("rolled_back", 4)
    assert outcome() == ("promoted", 0)
    status, said = locust.steer("start")
    assert (status, "is already on version 2" in said["error"]) == (409, True)
    assert outcome(target_version=ready["baseline"]) == ("promoted", 0)
    assert len(locust.ask("/canary/api/v1/runs")[1]["runs"]) == 3
    assert locust.steer("start")[0] == 409
    locust.process.send_signal(signal.SIGINT)
    assert locust.process.wait(30) == 4
