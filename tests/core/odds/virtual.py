"""Rehearsals on the local cloud's own state machines, with a clock that is moved: no wall time passes."""

import random
from collections.abc import Mapping
from typing import Any, NamedTuple

from harness.core.experiment.faults import share_at
from harness.core.experiment.pacing import ArrivalPlan, Pacer, share_draw
from harness.core.experiment.rates import legs
from harness.core.experiment.types import Experiment
from harness.core.odds.from_experiment import fault_of
from harness.core.rehearsed import ACCOUNT, REGION
from harness.rehearsal import stack
from harness.rehearsal.cloud import Cloud
from harness.rehearsal.codedeploy import appspec
from harness.rehearsal.codedeploy.appspec import AppSpec

USUAL_MS = 5.0


class Rehearsed(NamedTuple):
    """What came of one release, in seconds since users first met the fault; None where it did not come about."""

    rolled_back: bool
    detect_s: float | None
    roll_back_s: float | None


class _Shift(NamedTuple):
    at_s: float
    version: str
    weights: Mapping[str, float]


def rehearsed(experiment: Experiment, seed: int) -> Rehearsed:
    """One release, with requests by the pacer and the share draw of the harness, answered without a socket."""
    cloud = Cloud(experiment, speed=0, seed=seed)
    made = stack.set_up(experiment, cloud.functions, cloud.cloudwatch, cloud.codedeploy, account=ACCOUNT, region=REGION)
    shifted = _noting_shifts(cloud)
    play = _Play(cloud, made, seed)
    play.until(experiment.steady_s)
    created_s = cloud.clock.now()
    deployment_id = _deploy(cloud, made)
    play.creation_s = created_s
    while not (ended := _ended(cloud, deployment_id, shifted, made)):
        play.until(play.passed_s + 5.0)
    deployment, restored_s = ended
    back = deployment.status == "Stopped" and not any(one.version == made.canary for one in shifted)
    first_s = next((one.at_s for one in shifted if one.weights), created_s)
    began_s = created_s if experiment.traffic.error_share else first_s
    if not back:
        return Rehearsed(False, None, None)
    rang_s = _rang_s(cloud, made.alarm, created_s)
    return Rehearsed(True, None if rang_s is None else rang_s - began_s, restored_s and restored_s - began_s)


class _Play:
    """Sends requests as they are due, by the time since the rehearsal began."""

    def __init__(self, cloud: Cloud, made: stack.Stack, seed: int) -> None:
        experiment = cloud.experiment
        plan = ArrivalPlan().changed(0.0, legs(experiment.traffic.arrival_rate))
        self._pacer = Pacer(plan, arrivals=experiment.traffic.arrivals, seed=seed)
        self._share = share_draw(experiment.traffic.pattern, seed)
        self._cloud, self._made, self._began_s = cloud, made, cloud.clock.now()
        self._dice = random.Random(f"virtual {seed}")
        self._faults = {made.baseline: fault_of(experiment.baseline), made.canary: fault_of(experiment.canary)}
        self.passed_s, self.creation_s = 0.0, float("inf")

    def until(self, passed_s: float) -> None:
        """Plays until then."""
        while self._pacer.due_s() <= passed_s:
            self._to(self._pacer.due_s())
            self._send()
            self._pacer.advance()
        self._to(passed_s)

    def _to(self, passed_s: float) -> None:
        self._cloud.advance(max(0.0, self._began_s + passed_s - self._cloud.clock.now()))
        self.passed_s = passed_s

    def _send(self) -> None:
        made, now_s = self._made, self._cloud.clock.now()
        planned = share_at(self._cloud.experiment, now_s - self.creation_s)
        meant = self._share.draw(planned.share if planned else 0.0)
        version = self._cloud.functions.draw(made.function, made.alias)
        fault = self._faults[version]
        slow = fault.kind == "latency"
        failed = meant or (not slow and self._dice.random() < fault.share)
        duration_ms = fault.latency_s * 1000 if slow else USUAL_MS
        self._cloud.cloudwatch.invocations.record(made.function, made.alias, version, now_s, duration_ms, failed=failed)


def _noting_shifts(cloud: Cloud) -> list[_Shift]:
    noted: list[_Shift] = []
    shift = cloud.functions.shift

    def noting(function: str, alias: str, version: str, weights: Mapping[str, float]) -> None:
        noted.append(_Shift(cloud.clock.now(), version, weights))
        shift(function, alias, version, weights)

    cloud.functions.shift = noting  # type: ignore[method-assign]
    return noted


def _deploy(cloud: Cloud, made: stack.Stack) -> str:
    spec = AppSpec(function=made.function, alias=made.alias, current=made.baseline, target=made.canary, hooks={})
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": appspec.render(spec)}}
    answer = cloud.codedeploy.create_deployment(
        {"applicationName": made.application, "deploymentGroupName": made.group, "revision": revision}
    )
    return str(answer["deploymentId"])


def _ended(
    cloud: Cloud, deployment_id: str, shifted: list[_Shift], made: stack.Stack
) -> tuple[Any, float | None] | None:
    """The deployment once it is over, and when the baseline had all traffic again."""
    seen = cloud.codedeploy._store.deployments[deployment_id]
    if seen.completed_s is None:
        return None
    if seen.status != "Stopped" or not any(one.weights for one in shifted):
        return seen, seen.completed_s
    back = [one.at_s for one in shifted if one.version == made.baseline and not one.weights]
    return (seen, back[0]) if back else None


def _rang_s(cloud: Cloud, alarm: str, created_s: float) -> float | None:
    answer = cloud.cloudwatch.describe_alarm_history(
        {"AlarmName": alarm, "HistoryItemType": "StateUpdate", "ScanBy": "TimestampAscending"}
    )
    went = [
        item["Timestamp"].timestamp() for item in answer["AlarmHistoryItems"] if "to ALARM" in item["HistorySummary"]
    ]
    return next((at_s for at_s in went if at_s >= created_s), None)
