"""The verdict survives a control plane that fails: whole rehearsals through the fault proxy."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from harness import experiments
from harness.aws.policy import actions
from harness.core.experiment.parse import parse
from harness.core.experiment.types import Call, Expect, Experiment, Fault, Outcome
from harness.core.timeline.events import Requests
from harness.core.verdict.types import Verdict
from harness.processes import Interrupts
from harness.rehearsal import play as playing
from harness.report.folder import RunFolder
from tests.aws.fault_proxy import Interruption, Plan, Proxy, expired, only, proxy_of, reset, shaky

SPEED = 60.0
MINUTE_S = 60.0
FOREVER_S = 1e9
# What these two come to, which they leave open.
CALLS = {"hook-failure": (Call.FALSE_ALARM,), "no-rollback": (Call.MISSED,)}


class Played(NamedTuple):
    """What a rehearsal left, and what became of its calls."""

    exit_code: int
    folder: RunFolder
    calls: list[tuple[str, str | None]]

    @property
    def verdict(self) -> Verdict:
        """The verdict that was written."""
        verdict = self.folder.read_verdict()
        assert verdict, self.folder.log.read_text(encoding="utf-8")
        return verdict

    @property
    def findings(self) -> dict[str, str]:
        """The findings by their ids."""
        return {finding.id: finding.text for finding in self.verdict.findings}

    @property
    def failed_share(self) -> float:
        """How many of the calls failed."""
        return sum(fault is not None for _, fault in self.calls) / len(self.calls)

    def check(self, name: str) -> None:
        """Holds the verdict against what a packaged experiment comes to where nothing fails."""
        stated, verdict = packaged(name).expect, self.verdict
        because = "\n".join([*verdict.because, *map(str, self.findings.items())])
        assert (verdict.outcome, verdict.result, self.exit_code) == (stated.outcome, "as_expected", 0), because
        assert verdict.call in (stated.calls or CALLS[name]), because


Rehearse = Callable[..., Played]


@pytest.fixture
def rehearse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rehearse:
    """Plays an experiment whose calls of AWS go through a proxy with a plan."""

    def start(experiment: Experiment, plan: Plan, *, speed: float = SPEED, clock_off_s: float = 0.0) -> Played:
        with proxy_of("http://127.0.0.1:9", plan) as proxy:
            monkeypatch.setattr(playing, "CloudProcess", behind(proxy, clock_off_s))
            plays = playing.play([experiment], playing.CloudOptions(speed), open_folder=open_folder, stop=Interrupts())
            (played,) = plays
            return Played(played.exit_code, RunFolder.open(played.folder), proxy.calls)

    def open_folder(experiment: Experiment) -> Path:
        folder = RunFolder.create(tmp_path, experiment.name, time.time())
        folder.write_manifest(experiment, ["test"])
        return folder.path

    return start


def behind(proxy: Proxy, clock_off_s: float) -> type[playing.CloudProcess]:
    """Clouds reached through the proxy alone, and a clock of the harness that is so far ahead of theirs."""

    class Behind(playing.CloudProcess):
        def ready(self, stop: Interrupts) -> playing.Ready:
            ready = super().ready(stop)
            proxy.cloud = ready.endpoint_url.removeprefix("http://")
            epoch = ready.epoch - clock_off_s / (ready.speed - 1)
            return replace(ready, endpoint_url=proxy.url, epoch=epoch)

    return Behind


def packaged(name: str, seed: int = 1) -> Experiment:
    """An experiment that comes with the package."""
    return replace(parse(experiments.text(name), source=name), seed=seed)


@pytest.mark.slow
def test_three_failing_calls_of_ten_change_no_verdict(rehearse: Rehearse) -> None:
    """Throttled, failed, lost, cut off, slow or silent: what happened is found out all the same."""
    played = rehearse(packaged("erroruser"), shaky(0.3, seed=1, speed=SPEED))
    played.check("erroruser")
    assert 0.2 < played.failed_share < 0.4


@pytest.mark.soak
@pytest.mark.parametrize("seed", [pytest.param(seed, id=f"half{1 + seed // 11}-{seed}") for seed in range(1, 21)])
@pytest.mark.parametrize("name", experiments.NAMES)
def test_three_failing_calls_of_ten_change_no_verdict_of_any(name: str, seed: int, rehearse: Rehearse) -> None:
    """All thirteen, twenty times of twenty; `make soak PART="failing_calls and half1"` plays the first ten."""
    rehearse(packaged(name, seed), shaky(0.3, seed=seed, speed=SPEED)).check(name)


@pytest.mark.soak
@pytest.mark.parametrize("name", ["erroruser", "forced-alarm"])
def test_silences_that_outlast_our_patience_change_no_verdict(name: str, rehearse: Rehearse) -> None:
    """As long as at AWS, which on a clock ten times as fast leaves out whole rounds of looks."""
    rehearse(packaged(name), shaky(0.3, seed=5), speed=10.0).check(name)


@pytest.mark.slow
def test_the_policy_is_enough_for_a_run_that_writes(rehearse: Rehearse) -> None:
    """A cloud that denies everything outside of what `doctor --print-policy` prints has nothing to deny.

    The rest of it fails three times of ten, so that what is only asked after a failure is asked, too.
    """
    policy, rest = only(actions()), shaky(0.3, seed=1, speed=SPEED)
    experiment = packaged("forced-alarm")
    generous = Fault(at_s=20.0, for_s=20.0, concurrency=500)
    # A limit that nobody meets proves nothing, so there is no call to expect.
    experiment = replace(experiment, faults=(*experiment.faults, generous), expect=Expect(outcome=Outcome.ROLLED_BACK))
    played = rehearse(experiment, lambda call: policy(call) or rest(call))
    assert (played.verdict.outcome, played.verdict.call) == (Outcome.ROLLED_BACK, Call.INCONCLUSIVE)
    assert "fault-without-effect" in played.findings
    assert {action for action, fault in played.calls if fault == "denied"} == set()
    assert {action for action, _ in played.calls} >= {
        "codedeploy:CreateDeployment",
        "cloudwatch:SetAlarmState",
        "lambda:PutFunctionConcurrency",
        "lambda:DeleteFunctionConcurrency",
    }


@pytest.mark.slow
def test_a_minute_without_control_plane_and_a_wrong_clock_change_no_verdict(rehearse: Rehearse) -> None:
    """It begins in the middle of the bake, and the alarm rings meanwhile; all dates of AWS are ten minutes off."""
    plan = Interruption(reset, after_s=1.5 * MINUTE_S, for_s=MINUTE_S, speed=SPEED)
    played = rehearse(packaged("erroruser"), plan, clock_off_s=613.0)
    played.check("erroruser")
    assert "reset" in {fault for _, fault in played.calls}
    # An answer that takes a second on a busy machine leaves the clock's difference open by a minute.
    told = re.search(r"(\d+) s behind", played.findings["clock-skew"])
    assert told
    assert abs(int(told[1]) - 613) < MINUTE_S


@pytest.mark.soak
def test_credentials_that_expire_for_two_minutes_change_no_verdict(rehearse: Rehearse) -> None:
    """They expire before the alarm rings and are good again after it."""
    plan = Interruption(expired, after_s=MINUTE_S, for_s=2 * MINUTE_S, speed=SPEED)
    played = rehearse(packaged("erroruser"), plan)
    played.check("erroruser")
    assert "ExpiredToken" in played.findings["credentials-refused"]
    assert "until" in played.findings["credentials-refused"]


@pytest.mark.slow
def test_a_control_plane_that_is_gone_for_good_is_inconclusive(rehearse: Rehearse) -> None:
    """The service answers to the end, so the harness works; but nobody saw what became of the deployment."""
    experiment = replace(packaged("erroruser"), give_up_s=280.0)
    played = rehearse(experiment, Interruption(reset, after_s=MINUTE_S, for_s=FOREVER_S, speed=SPEED))
    verdict = played.verdict
    assert (verdict.outcome, verdict.result, verdict.exit_code, played.exit_code) == ("unknown", "inconclusive", 4, 4)
    requests = [event for event in played.folder.read_events() if isinstance(event, Requests)]
    assert max(row.at_s for row in requests) > 240
