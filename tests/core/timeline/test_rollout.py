"""What CodeDeploy did, folded from looks."""

from typing import Any

import pytest

from harness.core.experiment.types import Outcome
from harness.core.timeline.alias_astray import is_elsewhere, is_left_split
from harness.core.timeline.deployments import Phase
from harness.core.timeline.events import (
    AlarmChanged,
    AlarmGone,
    AlarmSeen,
    AliasSeen,
    ClockSeen,
    ConfigSeen,
    DeploymentSeen,
    Event,
    GroupSeen,
    LifecycleEvent,
    LookFailed,
    NoDeployment,
    RunEnded,
    RunStarted,
    TargetSeen,
    Write,
)
from harness.core.timeline.rollout import replay

FORWARD, ROLLBACK = "d-FORWARD01", "d-ROLLBACK1"
ENDED = RunEnded(at_s=900.0, why="given_up")


def deployment(at_s: float, status: str = "InProgress", **given: Any) -> DeploymentSeen:
    """A look at the forward deployment, created at 60."""
    return DeploymentSeen(
        at_s=at_s, asked_s=at_s - 0.2, status=status, **{"deployment_id": FORWARD, "created_s": 60.0, **given}
    )


def rollback(at_s: float, status: str = "Succeeded", **given: Any) -> DeploymentSeen:
    """A look at the rollback deployment."""
    ours = {"deployment_id": ROLLBACK, "creator": "codeDeployRollback", "rollback_of": FORWARD, "created_s": 192.0}
    return DeploymentSeen(at_s=at_s, asked_s=at_s - 0.2, status=status, **{**ours, **given})


def alias(at_s: float, version: str = "1", **weights: float) -> AliasSeen:
    """A look at the alias; `v2=0.1` is a weight."""
    shares = {key.removeprefix("v"): weight for key, weight in weights.items()}
    return AliasSeen(at_s=at_s, asked_s=at_s - 0.2, function="fakeUser", alias="Live", version=version, weights=shares)


def target(at_s: float, **given: Any) -> TargetSeen:
    """A look at the target of the forward deployment, from version 1 to 2."""
    given = {"deployment_id": FORWARD, "current_version": "1", "target_version": "2", **given}
    return TargetSeen(at_s=at_s, asked_s=at_s - 0.2, status="InProgress", **given)


def created(at_s: float = 60.0, deployment_id: str = FORWARD) -> Write:
    """Our own creation of a deployment."""
    return Write(at_s=at_s, call="codedeploy:CreateDeployment", subject="app/group", step="done", detail=deployment_id)


CANARY = [alias(50.0), created(), deployment(70.0), target(70.0), alias(70.0, v2=0.1)]


@pytest.mark.parametrize(
    ("events", "phase"),
    [
        ([], Phase.WAITING),
        ([alias(1.0)], Phase.WAITING),
        ([created()], Phase.CREATED),
        ([deployment(61.0, "Created")], Phase.CREATED),
        ([deployment(61.0, "Queued")], Phase.CREATED),
        ([alias(50.0), deployment(62.0), alias(62.0)], Phase.BEFORE_TRAFFIC),
        (CANARY, Phase.CANARY),
        ([*CANARY, deployment(80.0, "Baking")], Phase.CANARY),
        ([*CANARY, deployment(80.0, "Ready")], Phase.CANARY),
        ([*CANARY, deployment(80.0, "SomethingNew")], Phase.CANARY),
        ([*CANARY, alias(365.0, "2")], Phase.AFTER_TRAFFIC),
        ([*CANARY, deployment(370.0, "Succeeded")], Phase.PROMOTED),
        ([*CANARY, deployment(190.0, "Stopped")], Phase.STOPPING),
        ([*CANARY, deployment(190.0, "Failed")], Phase.STOPPING),
        ([*CANARY, deployment(190.0, "Stopped", rollback_id=ROLLBACK)], Phase.ROLLING_BACK),
        ([*CANARY, deployment(190.0, "Stopped"), rollback(191.0, "InProgress")], Phase.ROLLING_BACK),
        ([*CANARY, deployment(190.0, "Stopped"), rollback(191.0)], Phase.ROLLED_BACK),
        ([*CANARY, deployment(190.0, "Failed"), rollback(191.0)], Phase.ROLLED_BACK),
        ([*CANARY, deployment(190.0, "Stopped"), rollback(191.0, "Failed")], Phase.STOPPED),
        ([*CANARY, deployment(190.0, "Stopped"), deployment(221.0, "Stopped")], Phase.STOPPED),
        ([*CANARY, deployment(190.0, "Failed"), deployment(221.0, "Failed")], Phase.FAILED),
    ],
)
def test_phase(events: list[Event], phase: Phase) -> None:
    """Each phase is read from status, alias and rollback together."""
    assert replay(events).release.phase is phase


def test_without_alias_the_lifecycle_tells_where_the_traffic_is() -> None:
    """An alias that cannot be read does not hide the canary."""
    shifting = (LifecycleEvent(name="AllowTraffic", status="InProgress", started_s=65.0),)
    assert replay([deployment(70.0), target(70.0, lifecycle=shifting)]).release.phase is Phase.CANARY


def test_nothing_seen_is_unknown() -> None:
    """An empty timeline claims nothing."""
    assert replay([]).outcome is Outcome.UNKNOWN
    assert replay([RunStarted(at_s=0.0, experiment="x", epoch_s=0.0)]).outcome is Outcome.UNKNOWN


def test_looks_without_a_deployment_are_not_started() -> None:
    """We looked to the end of the run, and there was none."""
    assert replay([alias(1.0), ENDED]).outcome is Outcome.NOT_STARTED


def test_a_timeline_that_was_cut_off_proves_no_absence() -> None:
    """The deployment may be in what was lost."""
    assert replay([alias(1.0)]).outcome is Outcome.UNKNOWN
    assert replay([alias(1.0), NoDeployment(at_s=7.0, asked_s=6.9)]).outcome is Outcome.UNKNOWN


def test_a_shift_lies_between_two_looks_at_the_alias_or_the_target() -> None:
    """Whichever showed the weight first; a late answer that shows the weight from before undoes nothing."""
    looks = [alias(62.0), target(70.0, weight=0.1), alias(72.0), alias(75.0, v2=0.1), alias(120.0, v2=0.1)]
    seen = replay(
        [alias(1.0), created(), deployment(61.0), *looks, target(125.0, weight=0.2), alias(130.0, v2=0.2)]
    ).release
    first, second = seen.shifts
    assert (first.weight, second.weight) == (0.1, 0.2)
    assert first.at_s == pytest.approx((62.0, 70.0), abs=1.0)
    assert second.at_s == pytest.approx((120.0, 125.0), abs=1.0)
    assert seen.weight == 0.2


def test_no_shift_comes_before_codedeploys_dates_allow_it() -> None:
    """The first not before AllowTraffic began, a step of a linear one not before its interval was over."""
    began = LifecycleEvent(name="AllowTraffic", status="InProgress", started_s=65.0)
    config = ConfigSeen(at_s=1.0, asked_s=1.0, name="L", kind="linear", step=0.1, interval_s=60.0)
    looks = [alias(62.0), alias(70.0, v2=0.1), alias(120.0, v2=0.1), alias(130.0, v2=0.2)]
    seen = replay([alias(1.0), config, created(), deployment(61.0), *looks, target(131.0, lifecycle=(began,))]).release
    assert [shift.at_s[0] for shift in seen.shifts] == [65.0, 125.0]


def test_the_target_tells_the_weight_while_the_alias_was_not_asked_again() -> None:
    """Once the deployment has ended it tells the weight that it had, and the alias alone the one of now."""
    events = [alias(1.0), created(), deployment(61.0), alias(75.0, v2=0.1), target(80.0, weight=0.2)]
    assert replay(events).release.weight == 0.2
    ended = [*events, deployment(90.0, "Stopped", completed_s=85.0), alias(91.0), target(92.0, weight=0.2)]
    assert replay(ended[:-2]).release.weight == 0.2
    assert replay(ended).release.weight == 0.0


def test_weight_of_the_bake_is_the_last_one_below_all() -> None:
    """Whether a look falls between the last shift and the deployment's end does not change it."""
    before = [alias(1.0), created(), deployment(70.0), alias(80.0, v2=0.1)]
    shifted = [*before, alias(369.0, "2"), deployment(370.0, "Succeeded", completed_s=369.5)]
    unseen = [*before, deployment(370.0, "Succeeded", completed_s=369.5), alias(371.0, "2")]
    assert replay(shifted).release.weights.before_end == 1.0
    assert replay(shifted).release.weights.bake_weight == replay(unseen).release.weights.bake_weight == 0.1
    assert replay([alias(1.0), created(), deployment(70.0), alias(80.0, "2")]).release.weights.bake_weight is None


def failed_look(at_s: float, call: str) -> LookFailed:
    """A look that did not see."""
    return LookFailed(at_s=at_s, asked_s=at_s - 0.2, call=call, code="AccessDenied", message="no")


@pytest.mark.parametrize("call", ["ListDeployments", "BatchGetDeployments", "GetDeployment"])
def test_a_search_that_fails_proves_no_absence(call: str) -> None:
    """Other looks may be good; only a search that was read proves that there is none."""
    blind = [alias(1.0), failed_look(2.0, f"codedeploy:{call}"), alias(6.0)]
    assert replay([*blind, ENDED]).outcome is Outcome.UNKNOWN
    assert replay([*blind, NoDeployment(at_s=7.0, asked_s=6.9), ENDED]).outcome is Outcome.NOT_STARTED


def test_refused_creation_is_not_started() -> None:
    """CodeDeploy said no to our own call."""
    refused = Write(at_s=1.0, call="codedeploy:CreateDeployment", subject="group", step="failed", detail="no")
    assert replay([refused]).outcome is Outcome.NOT_STARTED


def test_created_and_never_seen_is_unknown() -> None:
    """Blind after the creation, nobody knows what came of it."""
    assert replay([alias(1.0), created()]).outcome is Outcome.UNKNOWN


def test_stopped_without_its_rollback_seen_is_open() -> None:
    """An empty rollbackInfo right after the end is no proof that nothing follows."""
    rollout = replay([*CANARY, deployment(190.0, "Stopped"), deployment(200.0, "Stopped")])
    assert rollout.outcome is Outcome.UNKNOWN
    assert not rollout.settled


def test_stopped_is_settled_after_the_grace_and_one_more_look() -> None:
    """Time alone is not enough: it takes a look that was asked after it."""
    stopped = [*CANARY, deployment(190.0, "Stopped")]
    assert not replay([*stopped, alias(300.0, v2=0.1)]).settled
    rollout = replay([*stopped, deployment(230.0, "Stopped")])
    assert rollout.outcome is Outcome.STOPPED
    assert rollout.settled


def test_rollback_that_succeeded_is_not_a_promotion() -> None:
    """The newest deployment of a rolled-back release is Succeeded."""
    rollout = replay([*CANARY, deployment(190.0, "Stopped"), rollback(193.0), alias(200.0)])
    assert rollout.outcome is Outcome.ROLLED_BACK


def test_first_deployment_seen_that_is_a_rollback_is_not_the_forward_one() -> None:
    """A watcher that arrives late may meet the rollback first."""
    rollout = replay([rollback(193.0), deployment(193.0, "Stopped", rollback_id=ROLLBACK)])
    assert rollout.release.forward
    assert rollout.release.forward.deployment_id == FORWARD
    assert rollout.outcome is Outcome.ROLLED_BACK


def test_rollback_of_another_deployment_is_not_ours() -> None:
    """A rollback that names somebody else's deployment changes nothing."""
    rollout = replay([*CANARY, deployment(190.0, "Stopped"), rollback(193.0, rollback_of="d-ELSE")])
    assert rollout.outcome is Outcome.UNKNOWN
    assert [other.deployment_id for other in rollout.release.others] == [ROLLBACK]


def test_deployment_we_created_is_followed_and_no_other() -> None:
    """Our own call names the forward deployment, whatever was seen before it."""
    events = [deployment(10.0, "Succeeded", deployment_id="d-OLD", created_s=5.0), created(), deployment(70.0)]
    rollout = replay(events)
    assert rollout.release.forward
    assert rollout.release.forward.deployment_id == FORWARD
    assert rollout.outcome is Outcome.UNKNOWN
    assert [other.deployment_id for other in rollout.release.others] == ["d-OLD"]


def test_the_deployment_that_the_run_was_told_to_follow_is_the_one_though_it_had_ended() -> None:
    """An alarm that rings already stops it before anybody can attach to it."""
    told = RunStarted(at_s=0.0, experiment="x", epoch_s=0.0, deployment=FORWARD)
    assert replay([told, alias(1.0)]).outcome is Outcome.UNKNOWN
    stopped = deployment(2.0, "Stopped", created_s=-5.0, completed_s=-4.0, rollback_id=ROLLBACK)
    rollout = replay([told, alias(1.0), stopped, rollback(3.0, completed_s=-2.0), alias(4.0)])
    assert rollout.outcome is Outcome.ROLLED_BACK
    assert rollout.settled


def test_deployment_that_ended_before_the_run_is_history() -> None:
    """What was over before the first look is nobody's outcome now."""
    old = deployment(1.0, "Succeeded", deployment_id="d-OLD", created_s=-900.0, completed_s=-600.0)
    assert replay([old, ENDED]).outcome is Outcome.NOT_STARTED


def test_promotion_is_settled_when_the_alias_shows_it() -> None:
    """CodeDeploy's word and the alias together."""
    promoted = [*CANARY, deployment(370.0, "Succeeded", completed_s=366.0)]
    assert replay(promoted).outcome is Outcome.PROMOTED
    assert not replay(promoted).settled
    assert not replay([*promoted, alias(371.0, v2=0.1)]).settled
    assert replay([*promoted, alias(371.0, "2")]).settled


def test_rollback_is_settled_when_the_alias_shows_it() -> None:
    """For a moment the alias may still be split although the rollback has succeeded."""
    back = [*CANARY, deployment(190.0, "Stopped", completed_s=189.0), rollback(193.0)]
    assert not replay([*back, alias(193.1, v2=0.1)]).settled
    assert replay([*back, alias(193.1, v2=0.1), alias(203.0)]).settled


@pytest.mark.parametrize(
    ("ending", "next_one"),
    [
        ([deployment(370.0, "Succeeded")], alias(371.0, "2", v3=0.1)),
        ([deployment(190.0, "Stopped"), rollback(191.0)], alias(192.0, "1", v3=0.1)),
    ],
)
def test_the_next_deployments_canary_does_not_hide_where_this_one_ended(
    ending: list[Event], next_one: AliasSeen
) -> None:
    """A third version has a share already; ours are where they belong."""
    rollout = replay([*CANARY, *ending, next_one])
    assert rollout.settled
    assert rollout.release.agreed == next_one


def test_a_deployment_that_was_superseded_is_settled() -> None:
    """The alias will never show its outcome any more, and does not contradict it either."""
    promoted = [*CANARY, deployment(370.0, "Succeeded", completed_s=366.0), alias(371.0, "3")]
    assert not replay(promoted).settled
    later = deployment(400.0, deployment_id="d-LATER", created_s=368.0)
    rollout = replay([*promoted, later, alias(420.0, "3")])
    assert rollout.settled
    assert (rollout.outcome, rollout.release.superseded_by) == (Outcome.PROMOTED, ("d-LATER",))
    assert not is_elsewhere(rollout.release)


def test_a_deployment_before_this_one_ended_does_not_supersede_it() -> None:
    """Neither does a rollback."""
    earlier = deployment(62.0, "Succeeded", deployment_id="d-EARLIER", created_s=-50.0)
    undoing = rollback(390.0, deployment_id="d-UNDOING", rollback_of="d-EARLIER", created_s=380.0)
    events = [*CANARY, earlier, deployment(370.0, "Succeeded", completed_s=366.0), undoing]
    assert replay(events).release.superseded_by == ()


def test_an_alias_that_nobody_may_see_is_not_waited_for_for_ever() -> None:
    """Other looks succeed for two minutes after the end; a control plane that is gone settles nothing."""
    promoted = [created(), deployment(70.0), deployment(370.0, "Succeeded")]
    denied = failed_look(500.0, "lambda:GetAlias")
    assert not replay([*promoted, deployment(480.0, "Succeeded"), denied]).settled
    assert replay([*promoted, deployment(491.0, "Succeeded")]).settled
    assert not replay([alias(50.0), *promoted, alias(371.0, "1"), deployment(491.0, "Succeeded")]).settled


def test_the_clocks_difference_is_kept() -> None:
    """The last one counts."""
    assert replay([ClockSeen(at_s=1.0, ahead_s=613.0)]).run.ahead_s == 613.0


def test_alias_that_was_asked_for_before_the_end_confirms_nothing() -> None:
    """Its answer may be older than the end, although it was recorded after it."""
    back = [*CANARY, alias(180.0), deployment(190.0, "Stopped", completed_s=189.0), rollback(190.0)]
    early = AliasSeen(at_s=190.1, asked_s=188.0, function="fakeUser", alias="Live", version="1")
    assert not replay([*back, early]).settled


def test_settled_stays_settled_when_somebody_moves_the_alias_later() -> None:
    """What others do afterwards is not this release's outcome."""
    back = [*CANARY, deployment(190.0, "Stopped", completed_s=189.0), rollback(193.0), alias(200.0)]
    rollout = replay([*back, alias(400.0, v3=0.1)])
    assert rollout.settled
    assert rollout.outcome is Outcome.ROLLED_BACK
    assert rollout.release.restored == replay(back).release.restored


def test_alias_that_contradicts_is_noticed_after_the_grace() -> None:
    """Views may disagree for a moment, not for good."""
    promoted = [*CANARY, deployment(370.0, "Succeeded", completed_s=366.0)]
    assert not is_elsewhere(replay([*promoted, alias(380.0)]).release)
    assert is_elsewhere(replay([*promoted, alias(400.0)]).release)
    assert replay([*promoted, alias(400.0)]).outcome is Outcome.PROMOTED


def test_late_look_at_a_running_deployment_does_not_undo_its_end() -> None:
    """A status never goes back from its end."""
    assert replay([*CANARY, deployment(370.0, "Succeeded"), deployment(371.0)]).outcome is Outcome.PROMOTED


def test_canary_begins_between_the_two_looks_that_bracket_it() -> None:
    """From asking for the last look without weights to the answer with them."""
    events = [alias(50.0), created(), deployment(62.0), target(62.0), alias(64.0), alias(74.0, v2=0.1)]
    assert replay(events).release.weights.split == (63.8, 74.0)


def test_canary_does_not_begin_before_the_creation() -> None:
    """A look from before the creation bounds nothing."""
    assert replay(CANARY).release.weights.split == (60.0, 70.0)


def test_end_is_exact_where_codedeploy_dates_it() -> None:
    """completeTime is exact."""
    assert replay([*CANARY, deployment(195.0, "Stopped", completed_s=191.5)]).release.stopped == (191.5, 191.5)


def test_end_is_bracketed_where_nobody_dates_it() -> None:
    """Without completeTime the two looks round it are the bounds."""
    assert replay([*CANARY, deployment(195.0, "Stopped")]).release.stopped == (69.8, 195.0)


def test_restored_lies_between_the_stop_and_the_end_of_the_rollback() -> None:
    """The rollback's own end is closer than the next look at the alias."""
    stopped = deployment(195.0, "Stopped", completed_s=191.5)
    events = [*CANARY, stopped, rollback(195.0, completed_s=193.5), alias(195.0), alias(205.0)]
    assert replay(events).release.restored == (191.5, 193.5)


def test_restored_waits_for_the_alias_where_it_lags() -> None:
    """A split seen after the rollback's end counts more than that end."""
    stopped = deployment(195.0, "Stopped", completed_s=191.5)
    events = [*CANARY, stopped, rollback(195.0, completed_s=193.5), alias(195.0, v2=0.1), alias(205.0)]
    assert replay(events).release.restored == (194.8, 205.0)


def test_nothing_is_restored_where_the_alias_stays_split() -> None:
    """A stop without rollback restores nothing."""
    rollout = replay([*CANARY, deployment(190.0, "Stopped"), deployment(230.0, "Stopped"), alias(230.0, v2=0.1)])
    assert rollout.release.restored is None
    assert is_left_split(rollout.release)


def test_rollback_without_any_canary_traffic_began_no_canary() -> None:
    """The alarm was on already: the alias never moved."""
    events = [alias(50.0), created(), deployment(62.0, "Stopped", completed_s=60.7), rollback(63.0), alias(64.0)]
    rollout = replay(events)
    assert rollout.settled
    assert rollout.release.weights.split is None
    assert rollout.release.weight_at_end == 0.0


def test_weight_is_the_aliass_and_else_the_targets() -> None:
    """The alias is what routes; the target only says so."""
    assert replay(CANARY).release.weight == 0.1
    assert replay([deployment(70.0), target(70.0, weight=0.1)]).release.weight == 0.1
    assert replay([*CANARY, alias(365.0, "2")]).release.weight == 1.0
    assert replay([]).release.weight is None


def test_weight_at_the_end_survives_the_rollback() -> None:
    """How far the canary had come when it was stopped."""
    events = [*CANARY, alias(130.0, v2=0.4), deployment(190.0, "Stopped"), rollback(193.0), alias(200.0)]
    rollout = replay(events)
    assert rollout.release.weight == 0.0
    assert rollout.release.weight_at_end == 0.4


@pytest.mark.parametrize(("kind", "step", "bakes_s"), [("canary", 0.1, 300.0), ("linear", 0.1, 2700.0)])
def test_bake_ends_after_the_last_interval(kind: str, step: float, bakes_s: float, build: Any) -> None:
    """A canary has one interval, ten percent steps have nine."""
    config = ("Custom", kind, step, 300.0)
    began_s = 70.2
    assert replay(build(config=config)).release.bake_ends_s == pytest.approx(began_s + bakes_s)


def test_bake_is_counted_from_codedeploys_date() -> None:
    """AllowTraffic says when it began."""
    shifting = (LifecycleEvent(name="AllowTraffic", status="InProgress", started_s=63.0),)
    config = ConfigSeen(at_s=1.0, asked_s=1.0, name="C", kind="canary", step=0.1, interval_s=300.0)
    assert replay([*CANARY, config, target(80.0, lifecycle=shifting)]).release.bake_ends_s == 363.0


def test_no_bake_without_a_canary(build: Any) -> None:
    """All at once bakes nothing."""
    assert replay(build(config=("All", "all_at_once", None, None), shifts=((2.0, 1.0),))).release.bake_ends_s is None


def test_alarm_dates_itself() -> None:
    """StateTransitionedTimestamp is exact if it fits the looks round it."""
    looks = [
        AlarmSeen(at_s=100.0, asked_s=99.8, name="a", state="OK"),
        AlarmSeen(at_s=110.0, asked_s=109.8, name="a", state="ALARM", since_s=103.5),
    ]
    assert replay(looks).alarms.episodes("a")[0].start == (103.5, 103.5)


def test_an_alarm_that_rang_between_two_looks_is_known_from_its_history() -> None:
    """A forced state may be taken back within seconds: looks show OK before and after, and the history both turns."""
    quiet = [AlarmSeen(at_s=at_s, asked_s=at_s - 0.1, name="errors", state="OK", since_s=-9.0) for at_s in (60.0, 65.0)]
    stamp = {"at_s": 75.0, "asked_s": 74.9, "name": "errors"}
    rang = AlarmChanged(changed_s=61.0, from_state="OK", to_state="ALARM", **stamp)
    silent = AlarmChanged(changed_s=63.0, from_state="ALARM", to_state="OK", **stamp)
    (episode,) = replay([*quiet, rang, silent]).alarms.episodes("errors")
    assert (episode.start, episode.end) == ((61.0, 61.0), (63.0, 63.0))


def test_a_start_that_is_dated_after_the_end_does_no_harm() -> None:
    """CodeDeploy's own clocks differ."""
    ended = deployment(70.0, "Stopped", started_s=69.5, completed_s=61.0, rollback_id=ROLLBACK)
    rollout = replay([alias(50.0), created(), ended, rollback(71.0, completed_s=64.0), alias(72.0)])
    assert rollout.outcome is Outcome.ROLLED_BACK
    assert rollout.release.stopped == (61.0, 61.0)
    assert rollout.settled


def test_alarm_is_bracketed_where_its_date_does_not_fit() -> None:
    """A date from before the last OK is not the date of this change."""
    looks = [
        AlarmSeen(at_s=100.0, asked_s=99.8, name="a", state="OK"),
        AlarmSeen(at_s=110.0, asked_s=109.8, name="a", state="ALARM", since_s=20.0),
    ]
    assert replay(looks).alarms.episodes("a")[0].start == (99.8, 110.0)


def test_alarms_of_the_group_are_the_ones_that_count() -> None:
    """Other alarms cannot stop the deployment."""
    group = GroupSeen(
        at_s=1.0,
        asked_s=0.9,
        application="app",
        group="group",
        config="c",
        alarms=("a",),
        alarms_enabled=True,
        rollback_events=(),
    )
    other = AlarmSeen(at_s=1.0, asked_s=0.9, name="b", state="ALARM")
    assert replay([other]).alarm_names == ("b",)
    assert replay([other, group]).alarm_names == ("a",)


def test_alarm_that_is_gone_is_not_shown() -> None:
    """A deleted alarm has no state."""
    seen = AlarmSeen(at_s=1.0, asked_s=0.9, name="a", state="OK")
    rollout = replay([seen, AlarmGone(at_s=2.0, asked_s=1.9, name="a")])
    assert rollout.alarms.states == {}
    assert rollout.alarms.missing == {"a"}


def test_failed_looks_are_counted_and_change_nothing_else() -> None:
    """They are evidence about us."""
    failed = LookFailed(at_s=80.0, asked_s=79.0, call="codedeploy:GetDeployment", code="Throttling", message="slow")
    rollout = replay([*CANARY, failed])
    assert rollout.run.failed_looks == 1
    assert rollout.run.last_look_s == 70.0
    assert rollout.outcome is replay(CANARY).outcome


def test_every_prefix_is_truthful(row: Any, rows: tuple[str, ...]) -> None:
    """No prefix claims an end that it has not seen, and what is settled once stays so to the end."""
    for name in rows:
        _check_prefixes(row(name))


def _check_prefixes(events: list[Event]) -> None:
    rollout, last = replay([]), replay(events)
    succeeded: set[str] = set()
    for event in events:
        rollout = rollout.step(event)
        if isinstance(event, DeploymentSeen) and event.status == "Succeeded":
            succeeded.add(event.deployment_id)
        if rollout.outcome is Outcome.PROMOTED:
            assert FORWARD in succeeded
        if rollout.outcome is Outcome.ROLLED_BACK:
            assert ROLLBACK in succeeded
        if rollout.settled:
            assert rollout.outcome is last.outcome
    assert last.settled
