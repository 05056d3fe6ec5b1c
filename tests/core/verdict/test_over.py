"""Judging a deployment that was over before anybody looked: from AWS's dates and CloudWatch's minutes alone."""

from typing import Any

import msgspec
import pytest

from harness.core.experiment.types import Call, Outcome
from harness.core.timeline.events import (
    AliasSeen,
    ConfigSeen,
    DeploymentSeen,
    Event,
    LifecycleEvent,
    MetricSeen,
    RunEnded,
    RunStarted,
    TargetSeen,
)
from harness.core.timeline.rollout import replay
from harness.core.verdict.judge import judge

CREATED_S, STOPPED_S, ROLLED_BACK_S = -3600.0, -3473.0, -3470.0
SHIFTED_S = CREATED_S + 3
AT = {"asked_s": 1.0, "at_s": 1.2}
FORWARD, ROLLBACK, NEXT = "d-OLD", "d-UNDID", "d-NEXT"
Story = dict[str, Any]


def minutes(begin_s: float, **by_minute: tuple[float, ...]) -> list[Event]:
    """CloudWatch's series of both versions from `begin_s` on: `invocations_2=(4, 6)`."""
    return [
        MetricSeen(
            metric=name.partition("_")[0].capitalize(),
            version=name.partition("_")[2] or None,
            period_s=60,
            points=tuple((begin_s + 60 * n, value) for n, value in enumerate(values)),
            **AT,
        )
        for name, values in by_minute.items()
    ]


BROKEN = (
    minutes(CREATED_S, invocations_1=(60, 60, 60), errors_1=(0, 0, 0), invocations_2=(6, 7, 1), errors_2=(4, 4, 1))
    + minutes(CREATED_S, invocations=(66, 67, 61))
)  # fmt: skip


def over(*more: Event, status: str = "Stopped", **changes: Any) -> list[Event]:
    """What a watch sees of a canary of 10 % that an alarm stopped an hour ago."""
    forward: Story = {"rollback_id": ROLLBACK, "error_code": "ALARM_ACTIVE", "completed_s": STOPPED_S}
    shifted = LifecycleEvent(name="AllowTraffic", status="Failed", started_s=SHIFTED_S, ended_s=STOPPED_S)
    seen: list[Event] = [
        RunStarted(at_s=0.0, experiment="built", epoch_s=1_800_000_000.0, deployment=FORWARD, sends=False),
        DeploymentSeen(deployment_id=FORWARD, status=status, created_s=CREATED_S, **{**forward, **changes}, **AT),
        DeploymentSeen(
            deployment_id=ROLLBACK,
            status="Succeeded",
            creator="codeDeployRollback",
            created_s=STOPPED_S + 0.5,
            completed_s=ROLLED_BACK_S,
            rollback_of=FORWARD,
            **AT,
        ),
        ConfigSeen(name="canary", kind="canary", step=0.1, interval_s=300.0, **AT),
        TargetSeen(
            deployment_id=FORWARD,
            status="Failed",
            function="shop",
            alias="Live",
            current_version="1",
            target_version="2",
            lifecycle=(shifted,),
            **AT,
        ),
    ]
    return [*seen, *more, RunEnded(at_s=70.0, why="settled")]


def alias(version: str = "1", **weights: float) -> AliasSeen:
    """The alias as it is now; weights are given as `v2=0.1`."""
    given = {name[1:]: weight for name, weight in weights.items()}
    return AliasSeen(function="shop", alias="Live", version=version, weights=given, **AT)


def successor(created_s: float) -> DeploymentSeen:
    """The group's next deployment, of the same version once more."""
    return DeploymentSeen(
        deployment_id=NEXT, status="Succeeded", created_s=created_s, completed_s=created_s + 310, **AT
    )


def test_broken_canary_that_was_rolled_back_is_caught(experiment: Any) -> None:
    """CodeDeploy's dates say when both versions shared the traffic, though no look saw the alias split."""
    verdict = judge(experiment(), over(alias(), *BROKEN))
    assert (verdict.outcome, verdict.call) == (Outcome.ROLLED_BACK, Call.CAUGHT)
    assert verdict.deployment.weight_at_end == 0.1
    assert verdict.arms.canary.requests == 14


def test_traffic_after_the_rollback_is_in_neither_arm(experiment: Any) -> None:
    """A thousand good answers of the version in service since say nothing about the canary."""
    later = minutes(ROLLED_BACK_S + 300, invocations_1=(1000,), invocations=(1000,))
    assert judge(experiment(), over(alias(), *BROKEN, *later)).arms.baseline.requests == 180


def test_next_deployment_of_the_same_version_changes_no_verdict(experiment: Any) -> None:
    """The fixed release is promoted: its good answers are not those of the one that was caught."""
    again = successor(ROLLED_BACK_S + 300)
    good = minutes(CREATED_S + 480, invocations_2=(900, 900), errors_2=(0, 0), invocations=(900, 900))
    verdict = judge(experiment(), over(again, alias("2"), *BROKEN, *good))
    assert (verdict.call, verdict.arms.canary.requests) == (Call.CAUGHT, 14)
    assert "next deployment began (d-NEXT)" in {found.id: found.text for found in verdict.findings}.get(
        "superseded-by-other-deployment", ""
    )


def test_rollback_that_the_next_deployment_hid_is_dated_by_itself() -> None:
    """The alias shows the next deployment's version, and the rollback its own end."""
    rollout = replay(over(successor(ROLLED_BACK_S + 300), alias("2")))
    assert rollout.release.restored == (STOPPED_S, ROLLED_BACK_S)
    assert rollout.settled


def test_alias_elsewhere_without_a_next_deployment_dates_nothing() -> None:
    """Then the alias contradicts CodeDeploy, and nobody knows where the traffic went."""
    assert replay(over(alias("2"))).release.restored is None


def test_healthy_canary_that_was_rolled_back_is_a_false_alarm(experiment: Any) -> None:
    """Twenty good answers of the canary before the rollback exonerate it."""
    good = minutes(CREATED_S, invocations_1=(300, 300), invocations_2=(30, 33), errors_2=(0, 0), invocations=(330, 333))
    assert judge(experiment(), over(alias(), *good)).call is Call.FALSE_ALARM


def test_few_answers_are_not_added_to_by_a_later_deployment(experiment: Any) -> None:
    """Three good answers say too little, however many the same version gave a deployment later."""
    few = minutes(CREATED_S, invocations_1=(30,), invocations_2=(3,), errors_2=(0,), invocations=(33,))
    more = minutes(CREATED_S + 480, invocations_2=(900,), errors_2=(0,), invocations=(900,))
    assert judge(experiment(), over(successor(-3120.0), alias("2"), *few, *more)).call is Call.INCONCLUSIVE


def test_traffic_of_the_next_deployment_alone_proves_nothing(experiment: Any) -> None:
    """CloudWatch counted nothing while this one lasted."""
    later = minutes(CREATED_S + 480, invocations=(900,))
    verdict = judge(experiment(), over(successor(-3120.0), alias("2"), *later))
    assert any("CloudWatch counted no request" in reason for reason in verdict.because)


@pytest.mark.parametrize(
    ("kind", "stopped_s", "weight"), [("canary", 127.0, 0.1), ("linear", 127.0, 0.3), ("linear", 50.0, 0.1)]
)
def test_weight_at_the_end_is_told_by_dates(kind: str, stopped_s: float, weight: float) -> None:
    """The first step at once, each further one an interval later."""
    config = ConfigSeen(name=kind, kind=kind, step=0.1, interval_s=60.0, **AT)  # type: ignore[arg-type]
    told = replay(over(config, alias(), completed_s=CREATED_S + stopped_s)).release.weight_at_end
    assert told == pytest.approx(weight)


def test_shift_that_was_skipped_had_no_traffic() -> None:
    """An alarm that was on already stops a deployment before its first shift."""
    events = [
        msgspec.structs.replace(event, lifecycle=(LifecycleEvent(name="AllowTraffic", status="Skipped"),))
        if isinstance(event, TargetSeen)
        else event
        for event in over(alias())
    ]
    rollout = replay(events)
    assert (rollout.release.shared, rollout.release.weight_at_end) == (None, 0.0)


def test_a_promotion_that_was_over_before_the_watch_may_have_had_a_canary(experiment: Any) -> None:
    """Nobody looked at the alias while its weights were there."""
    seen = over(alias("2"), status="Succeeded", rollback_id=None, error_code=None)
    verdict = judge(experiment(), [one for one in seen if getattr(one, "deployment_id", None) != ROLLBACK])
    assert verdict.outcome is Outcome.PROMOTED
    assert "no-canary" not in {finding.id for finding in verdict.findings}
