"""The watcher looks on time, follows the right deployment, and never breaks on what AWS says."""

import itertools
from collections import Counter, deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.experiment.types import Experiment
from harness.core.timeline.events import (
    AlarmChanged,
    AlarmDefined,
    AlarmGone,
    AlarmMetricSeen,
    AlarmSeen,
    AliasMetricSeen,
    AliasSeen,
    ClockSeen,
    ConfigSeen,
    DeploymentSeen,
    GroupSeen,
    LookFailed,
    MetricSeen,
    NoDeployment,
    TargetSeen,
    decode,
    encode,
)
from harness.core.timeline.rollout import replay
from harness.core.verdict.judge import judge
from harness.errors import AccessDenied, AwsError, NotFound, Throttled, Unreachable
from tests.aws.scripted_aws import EPOCH_S, FakeAws, Stage, at

CANARY = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
GROUP = {
    "deploymentGroupInfo": {
        "applicationName": "shop",
        "deploymentGroupName": "shop-live",
        "deploymentConfigName": CANARY,
        "alarmConfiguration": {"enabled": True, "alarms": [{"name": "errors"}]},
        "autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_STOP_ON_ALARM"]},
    }
}
CONFIG = {
    "deploymentConfigInfo": {
        "trafficRoutingConfig": {
            "type": "TimeBasedCanary",
            "timeBasedCanary": {"canaryPercentage": 10, "canaryInterval": 5},
        }
    }
}
ALIAS = {"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1}}}
ERRORS = {
    "AlarmName": "errors",
    "StateValue": "OK",
    "MetricName": "Errors",
    "Namespace": "AWS/Lambda",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
}
ON_A_RATE = {
    "AlarmName": "rate",
    "StateValue": "OK",
    "Metrics": [
        {
            "Id": "slow",
            "MetricStat": {
                "Metric": {"Namespace": "AWS/Lambda", "MetricName": "Duration"},
                "Period": 300,
                "Stat": "p99",
            },
            "ReturnData": False,
        },
        {
            "Id": "all",
            "MetricStat": {
                "Metric": {"Namespace": "AWS/Lambda", "MetricName": "Invocations"},
                "Period": 60,
                "Stat": "Sum",
            },
            "ReturnData": False,
        },
        {"Id": "rate", "Expression": "slow / all"},
    ],
}
TARGET = {
    "deploymentTarget": {
        "lambdaTarget": {
            "status": "InProgress",
            "lambdaFunctionInfo": {
                "functionName": "fn",
                "functionAlias": "live",
                "currentVersion": "1",
                "targetVersion": "2",
                "targetVersionWeight": 0.1,
            },
        }
    }
}
NOT_STARTED = AwsError("codedeploy:ListDeploymentTargets", "DeploymentNotStartedException", "not yet")


def deployment(deployment_id: str = "d-1", status: str = "InProgress", **more: Any) -> dict[str, Any]:
    """A DeploymentInfo of the group, created at the run's beginning unless said otherwise."""
    return {
        "deploymentId": deployment_id,
        "status": status,
        "applicationName": "shop",
        "deploymentGroupName": "shop-live",
        "deploymentConfigName": CANARY,
        "createTime": at(0.0),
        **more,
    }


def change(at_s: float, old: str, new: str) -> dict[str, Any]:
    """One StateUpdate of the alarm."""
    return {
        "AlarmName": "errors",
        "Timestamp": at(at_s),
        "HistoryItemType": "StateUpdate",
        "HistorySummary": f"Alarm updated from {old} to {new}",
    }


def cloud(aws: FakeAws, *deployments: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Scripts a whole, quiet control plane; the deployments returned may be changed while it runs."""
    there = {info["deploymentId"]: info for info in deployments}
    aws.script = {
        "get_deployment_group": GROUP,
        "get_deployment_config": CONFIG,
        "get_deployment": lambda deploymentId: {"deploymentInfo": there[deploymentId]},  # noqa: N803
        "list_deployments": lambda **_: {"deployments": list(there)},
        "batch_get_deployments": lambda deploymentIds: {  # noqa: N803
            "deploymentsInfo": [there[deployment_id] for deployment_id in deploymentIds]
        },
        "list_deployment_targets": {"targetIds": ["t-1"]},
        "get_deployment_target": TARGET,
        "get_alias": ALIAS,
        "describe_alarms": lambda AlarmTypes, **_: (  # noqa: N803
            {"LogAlarms": []} if AlarmTypes == ("LogAlarm",) else {"MetricAlarms": [ERRORS], "CompositeAlarms": []}
        ),
        "describe_alarm_history": {"AlarmHistoryItems": []},
        "get_metric_data": no_datapoints,
    }
    return there


def no_datapoints(MetricDataQueries: list[dict[str, Any]], **_: Any) -> dict[str, Any]:  # noqa: N803
    """An answer that is complete and holds nothing."""
    return {"MetricDataResults": [{"Id": query["Id"], "StatusCode": "Complete"} for query in MetricDataQueries]}


def test_the_first_round_sees_everything_in_order(stage: Stage) -> None:
    """What the deployment says comes before what is so."""
    cloud(stage.aws, deployment())
    stage.watcher(id="d-1").look()
    assert [type(event) for event in stage.events] == [
        GroupSeen,
        DeploymentSeen,
        ConfigSeen,
        AliasSeen,
        TargetSeen,
        AlarmDefined,
        AlarmSeen,
        *[MetricSeen] * 6,
        AliasMetricSeen,
        *[MetricSeen] * 2,
        AlarmMetricSeen,
    ]


def test_each_kind_of_look_keeps_its_own_cadence(stage: Stage) -> None:
    """A minute holds twelve looks at the deployment, four at the history, two at metrics and later deployments."""
    cloud(stage.aws, deployment())
    stage.play(stage.watcher(id="d-1"), until_s=59.9)
    calls = Counter(name for name, _ in stage.aws.calls)
    for operation in ("get_deployment", "get_alias", "get_deployment_target", "describe_alarms"):
        assert calls[operation] == 12
    assert (calls["describe_alarm_history"], calls["get_metric_data"]) == (4, 2)
    assert (calls["get_deployment_group"], calls["get_deployment_config"], calls["list_deployments"]) == (1, 1, 2)


def test_get_deployment_is_called_at_most_each_five_seconds(stage: Stage) -> None:
    """Also while the rollback is watched beside the deployment that it undoes."""
    forward = deployment(
        "d-1", "Stopped", rollbackInfo={"rollbackDeploymentId": "d-2"}, errorInformation={"code": "ALARM_ACTIVE"}
    )
    undoes = {"rollbackTriggeringDeploymentId": "d-1"}
    there = cloud(stage.aws, deployment("d-1"))
    asked: list[float] = []
    answer = stage.aws.script["get_deployment"]

    def get(**params: Any) -> Any:
        asked.append(stage.clock.at_s)
        return answer(**params)

    stage.aws.script["get_deployment"] = get

    def roll_back(at_s: float) -> None:
        if at_s >= 10.0:
            there["d-1"], there["d-2"] = forward, deployment("d-2", "Succeeded", rollbackInfo=undoes)

    stage.play(stage.watcher(id="d-1"), 40.0, roll_back)
    assert "d-2" in {seen.deployment_id for seen in stage.seen(DeploymentSeen)}
    assert all(later - earlier >= 5.0 for earlier, later in itertools.pairwise(asked))


def test_an_episode_between_two_looks_is_found_in_the_history(stage: Stage) -> None:
    """The alarm is OK at every look, and yet it was in ALARM."""
    cloud(stage.aws, deployment())
    blip = [change(6.2, "OK", "ALARM"), change(8.9, "ALARM", "OK")]
    stage.aws.script["describe_alarm_history"] = lambda **_: {
        "AlarmHistoryItems": blip if stage.clock.at_s > 8.9 else []
    }
    stage.play(stage.watcher(id="d-1"), 30.0)
    assert {seen.state for seen in stage.seen(AlarmSeen)} == {"OK"}
    (episode,) = replay(stage.events).alarms.episodes("errors")
    assert (episode.start, episode.end) == ((6.2, 6.2), (8.9, 8.9))


def test_the_next_look_is_due_one_cadence_after_the_round_began(stage: Stage) -> None:
    """The time that a round takes does not add to the cadence."""
    cloud(stage.aws, deployment())
    watcher = stage.watcher(id="d-1")
    stage.clock.at_s, stage.clock.tick_s = 100.0, 0.1
    watcher.look()
    assert watcher.next_look_s == pytest.approx(105.1)


def test_a_round_that_took_longer_than_its_cadence_leaves_no_backlog(stage: Stage) -> None:
    """However late, each kind of look is made once."""
    cloud(stage.aws, deployment())
    watcher = stage.watcher(id="d-1")
    watcher.look()
    stage.clock.at_s = 500.0
    assert watcher.next_look_s <= 500.0
    watcher.look()
    assert len(stage.seen(DeploymentSeen)) == 2
    assert watcher.next_look_s == 505.0


def test_a_look_is_stamped_before_and_after(stage: Stage) -> None:
    """What it shows held at some instant between the two."""
    cloud(stage.aws, deployment())
    stage.clock.tick_s = 0.25
    stage.watcher(id="d-1").look()
    assert all(event.at_s - event.asked_s == 0.25 for event in stage.events)


def test_a_failed_look_is_recorded_and_the_others_are_made(stage: Stage) -> None:
    """The looks of a round do not depend on each other."""
    cloud(stage.aws, deployment())
    stage.aws.script["get_deployment"] = AccessDenied("codedeploy:GetDeployment", "AccessDeniedException", "no")
    stage.watcher(id="d-1").look()
    (failed,) = stage.seen(LookFailed)
    assert (failed.call, failed.code) == ("codedeploy:GetDeployment", "AccessDeniedException")
    assert stage.seen(AliasSeen)
    assert stage.seen(AlarmSeen)


def test_a_look_without_answer_is_recorded_as_unreachable(stage: Stage) -> None:
    """An endpoint that is gone has no code of AWS."""
    cloud(stage.aws, deployment())
    stage.aws.script["get_alias"] = Unreachable("lambda:GetAlias", "connection refused")
    stage.watcher(id="d-1").look()
    assert [(failed.call, failed.code) for failed in stage.seen(LookFailed)] == [("lambda:GetAlias", "Unreachable")]


def test_what_is_read_once_is_read_until_it_was_seen(stage: Stage) -> None:
    """The group is asked for again after a failure, and never again after that."""
    cloud(stage.aws, deployment())
    stage.aws.script["get_deployment_group"] = deque([Throttled("codedeploy:GetDeploymentGroup", "T", "slow"), GROUP])
    stage.play(stage.watcher(id="d-1"), until_s=30.0)
    assert [seen.at_s for seen in stage.seen(GroupSeen)] == [5.0]


def test_the_next_deployment_of_the_group_is_found(stage: Stage) -> None:
    """A deployment that was there before the run is not the one."""
    there = cloud(stage.aws, deployment("d-old", "Succeeded", createTime=at(-600.0)))
    watcher = stage.watcher()

    def appear(at_s: float) -> None:
        if at_s >= 20.0:
            there.setdefault("d-new", deployment("d-new", createTime=at(18.0)))

    stage.play(watcher, until_s=30.0, before_look=appear)
    assert watcher.forward == "d-new"
    assert {seen.deployment_id for seen in stage.seen(DeploymentSeen)} == {"d-new"}


def test_a_deployment_created_while_the_listing_failed_is_still_found(stage: Stage) -> None:
    """What the first listing shows is old only if it is dated before the run."""
    cloud(stage.aws, deployment("d-old", createTime=at(-60.0)), deployment("d-new", createTime=at(3.0)))
    listing = stage.aws.script["list_deployments"]
    stage.aws.script["list_deployments"] = deque([Throttled("codedeploy:ListDeployments", "T", "slow"), listing])
    watcher = stage.watcher()
    stage.play(watcher, until_s=10.0)
    assert watcher.forward == "d-new"


def test_a_rollback_is_never_taken_for_the_forward_deployment(stage: Stage) -> None:
    """The rollback of somebody else's deployment may appear while we wait."""
    there = cloud(stage.aws)
    watcher = stage.watcher()
    watcher.look()
    there["d-r"] = deployment("d-r", creator="codeDeployRollback", createTime=at(4.0))
    stage.play(watcher, until_s=20.0)
    assert watcher.forward is None


def test_a_listing_is_read_to_its_last_page(stage: Stage) -> None:
    """The order of deployments in a listing is not documented."""
    cloud(stage.aws, deployment("d-1", createTime=at(2.0)))
    pages = deque([{"deployments": [], "nextToken": "more"}, {"deployments": ["d-1"]}])
    stage.aws.script["list_deployments"] = pages
    watcher = stage.watcher()
    watcher.look()
    assert watcher.forward == "d-1"
    assert stage.aws.called("list_deployments")[1]["nextToken"] == "more"


@pytest.mark.parametrize("skew_s", [-600.0, 600.0])
def test_what_the_group_has_before_the_run_is_never_followed(stage: Stage, skew_s: float) -> None:
    """An old deployment and its rollback are none of this run's, however far AWS's clock is off; a new one is."""
    old = deployment("d-old", "Stopped", createTime=at(skew_s - 60.0))
    undone = deployment(
        "d-undo",
        "Succeeded",
        createTime=at(skew_s - 30.0),
        creator="codeDeployRollback",
        rollbackInfo={"rollbackTriggeringDeploymentId": "d-old"},
    )
    there = cloud(stage.aws, old, undone)
    watcher = stage.watcher()
    assert watcher.disregard() is None
    stage.play(watcher, 20.0)
    assert watcher.forward is None
    there["d-new"] = deployment("d-new", createTime=at(skew_s + 20.0))
    stage.play(watcher, 30.0)
    assert watcher.forward == "d-new"


def test_a_deployment_in_progress_before_the_run_is_named(stage: Stage) -> None:
    """The next one can only begin after it."""
    cloud(stage.aws, deployment("d-busy", createTime=at(-60.0)))
    assert stage.watcher().disregard() == "d-busy"


def test_where_the_group_cannot_be_listed_before_the_run_dates_decide(stage: Stage) -> None:
    """The failed look is recorded."""
    there = cloud(stage.aws, deployment("d-old", "Succeeded", createTime=at(-60.0)))
    listing = stage.aws.script["list_deployments"]
    stage.aws.script["list_deployments"] = deque([Throttled("codedeploy:ListDeployments", "Throttling", "no"), listing])
    watcher = stage.watcher()
    assert watcher.disregard() is None
    assert [failed.call for failed in stage.seen(LookFailed)] == ["codedeploy:ListDeployments"]
    there["d-new"] = deployment("d-new", createTime=at(3.0))
    stage.play(watcher, 5.0)
    assert watcher.forward == "d-new"


def test_following_a_deployment_ends_the_waiting(stage: Stage) -> None:
    """Who created the deployment knows its id."""
    cloud(stage.aws, deployment("d-1"))
    stage.aws.script["list_deployments"] = {"deployments": []}
    watcher = stage.watcher()
    watcher.look()
    watcher.follow("d-1")
    assert watcher.next_look_s <= stage.clock.at_s
    watcher.look()
    assert [seen.deployment_id for seen in stage.seen(DeploymentSeen)] == ["d-1"]


def test_the_rollback_named_by_the_forward_deployment_is_watched(stage: Stage) -> None:
    """Both deployments are seen; the forward one no longer once it is final."""
    there = cloud(stage.aws, deployment(), deployment("d-r", "InProgress", creator="codeDeployRollback"))
    watcher = stage.watcher(id="d-1")
    watcher.look()
    there["d-1"] |= {"status": "Stopped", "rollbackInfo": {"rollbackDeploymentId": "d-r"}}
    stage.play(watcher, until_s=16.0)
    assert [seen.deployment_id for seen in stage.seen(DeploymentSeen)] == ["d-1", "d-1", "d-r", "d-r"]


def test_a_rollback_that_the_forward_deployment_does_not_name_is_searched(stage: Stage) -> None:
    """The rollback names the deployment that it undoes, at first not even that."""
    rollback = deployment("d-r", "Created", creator="codeDeployRollback", createTime=at(61.0))
    there = cloud(stage.aws, deployment(status="Stopped"), rollback, deployment("d-old", createTime=at(-50.0)))
    watcher = stage.watcher(id="d-1")
    stage.play(watcher, until_s=9.0)
    assert {seen.deployment_id for seen in stage.seen(DeploymentSeen)} == {"d-1"}
    there["d-r"]["rollbackInfo"] = {"rollbackTriggeringDeploymentId": "d-1"}
    stage.play(watcher, until_s=20.0)
    assert stage.events[-1].at_s == 20.0
    assert next(seen.rollback_of for seen in stage.seen(DeploymentSeen) if seen.deployment_id == "d-r") == "d-1"
    assert next(seen.at_s for seen in stage.seen(DeploymentSeen) if seen.deployment_id == "d-r") == 10.0


def test_a_promoted_deployment_has_no_rollback_to_search(stage: Stage) -> None:
    """Only what ended badly can have been rolled back; what others deploy is looked for more seldom."""
    cloud(stage.aws, deployment(status="Succeeded"))
    stage.play(stage.watcher(id="d-1"), until_s=59.0)
    assert len(stage.aws.called("list_deployments")) == 2


def test_what_others_deploy_meanwhile_is_seen(stage: Stage) -> None:
    """Once is enough; what was there before is not of interest, and our own deployment stays the one."""
    there = cloud(stage.aws, deployment("d-old", "Succeeded", createTime=at(-600.0)), deployment())
    watcher = stage.watcher(id="d-1")
    stage.play(watcher, until_s=20.0)
    there["d-1"]["status"] = "Succeeded"
    there["d-2"] = deployment("d-2", createTime=at(25.0))
    stage.play(watcher, until_s=100.0)
    assert [(seen.at_s, seen.deployment_id) for seen in stage.seen(DeploymentSeen) if seen.deployment_id != "d-1"] == [
        (30.0, "d-2")
    ]
    assert watcher.forward == "d-1"


def test_a_listing_that_shows_nothing_new_is_a_sighting_too(stage: Stage) -> None:
    """That there is no deployment yet was seen, and a listing that failed has not seen it."""
    cloud(stage.aws, deployment("d-old", "Succeeded", createTime=at(-600.0)))
    listing = stage.aws.script["list_deployments"]
    stage.aws.script["list_deployments"] = deque([Throttled("codedeploy:ListDeployments", "T", "slow"), listing])
    stage.play(stage.watcher(), until_s=12.0)
    assert [seen.at_s for seen in stage.seen(NoDeployment)] == [5.0, 10.0]
    assert [failed.at_s for failed in stage.seen(LookFailed)] == [0.0]


@pytest.mark.parametrize("ahead_s", [613.0, -613.0])
def test_dates_of_a_clock_that_is_minutes_off_are_corrected(stage: Stage, ahead_s: float) -> None:
    """Everything is told by this machine's clock, asked for by AWS's, and the difference is recorded once."""
    created = at(ahead_s + 2.0)
    there = cloud(stage.aws, deployment("d-old", createTime=at(ahead_s - 60.0)))
    stage.aws.dated_by = lambda: at(stage.clock.at_s + ahead_s)
    watcher = stage.watcher()
    watcher.look()
    there["d-new"] = deployment("d-new", createTime=created)
    stage.play(watcher, until_s=100.0)
    assert watcher.forward == "d-new"
    assert [*{seen.created_s for seen in stage.seen(DeploymentSeen)}] == [pytest.approx(2.0, abs=1.0)]
    assert [seen.ahead_s for seen in stage.seen(ClockSeen)] == [pytest.approx(ahead_s, abs=1.0)]
    asked = stage.aws.called("describe_alarm_history")[-1]["StartDate"].timestamp() - EPOCH_S
    assert asked == pytest.approx(ahead_s + 75.0 - 300.0, abs=1.0)
    assert all(
        params[name].timestamp() % 60 == 0
        for params in stage.aws.called("get_metric_data")
        for name in ("StartTime", "EndTime")
    )


def test_clocks_that_agree_within_the_time_of_an_answer_are_the_same(stage: Stage) -> None:
    """Dates are cut to seconds; nothing is corrected by that."""
    cloud(stage.aws, deployment())
    stage.aws.dated_by = lambda: at(stage.clock.at_s)
    stage.play(stage.watcher(id="d-1"), until_s=60.0)
    assert stage.seen(ClockSeen) == []


def test_names_that_were_not_given_are_learned(stage: Stage) -> None:
    """A deployment's id leads to the group, its alarms, the function and the alias."""
    cloud(stage.aws, deployment())
    stage.deployment = type(stage.deployment)(id="d-1")
    stage.play(stage.watcher(), until_s=10.0)
    assert stage.seen(GroupSeen)
    assert {(seen.function, seen.alias) for seen in stage.seen(AliasSeen)} == {("fn", "live")}
    assert {seen.name for seen in stage.seen(AlarmSeen)} == {"errors"}


def test_targets_before_the_start_are_no_failure(stage: Stage) -> None:
    """DeploymentNotStartedException says that there is nothing to see yet."""
    cloud(stage.aws, deployment(status="Created"))
    stage.aws.script["list_deployment_targets"] = deque([NOT_STARTED, {"targetIds": ["t-1"]}])
    stage.play(stage.watcher(id="d-1"), until_s=5.0)
    assert [seen.at_s for seen in stage.seen(TargetSeen)] == [5.0]
    assert stage.seen(LookFailed) == []


def test_the_configuration_of_the_deployment_is_read_too(stage: Stage) -> None:
    """A deployment may be made with another configuration than its group's."""
    cloud(stage.aws, deployment(deploymentConfigName="Own"))
    stage.play(stage.watcher(id="d-1"), until_s=10.0)
    assert {seen.name for seen in stage.seen(ConfigSeen)} == {CANARY, "Own"}


def test_the_configuration_of_the_deployment_is_read_though_the_groups_cannot(stage: Stage) -> None:
    """The one that matters does not wait for the other."""
    cloud(stage.aws, deployment(deploymentConfigName="Own"))
    gone = NotFound("codedeploy:GetDeploymentConfig", "DeploymentConfigDoesNotExistException", "no such configuration")
    stage.aws.script["get_deployment_config"] = lambda deploymentConfigName: (  # noqa: N803
        CONFIG if deploymentConfigName == "Own" else gone
    )
    stage.play(stage.watcher(id="d-1"), until_s=10.0)
    assert [seen.name for seen in stage.seen(ConfigSeen)] == ["Own"]


def test_a_composite_brings_its_children(stage: Stage) -> None:
    """The children are asked for in the same look, to any depth."""
    rules = {"errors": 'ALARM("inner")', "inner": "ALARM(leaf) OR OK(errors)"}

    def describe(AlarmNames: list[str], **_: Any) -> dict[str, Any]:  # noqa: N803
        composites = [{"AlarmName": n, "StateValue": "OK", "AlarmRule": rules[n]} for n in AlarmNames if n in rules]
        metric = [{"AlarmName": "leaf", "StateValue": "ALARM"}] if "leaf" in AlarmNames else []
        return {"MetricAlarms": metric, "CompositeAlarms": composites}

    cloud(stage.aws, deployment())
    stage.aws.script["describe_alarms"] = describe
    stage.watcher(id="d-1").look()
    assert [seen.name for seen in stage.seen(AlarmSeen)] == ["errors", "inner", "leaf"]
    assert all(
        params["AlarmTypes"] == ("MetricAlarm", "CompositeAlarm") for params in stage.aws.called("describe_alarms")
    )


def test_the_experiments_own_alarm_is_watched_beside_the_groups(stage: Stage) -> None:
    """One that does not exist is reported as gone."""
    cloud(stage.aws, deployment())
    stage.alarm = "mine"
    stage.watcher(id="d-1").look()
    assert [seen.name for seen in stage.seen(AlarmSeen)] == ["errors"]
    assert [seen.name for seen in stage.seen(AlarmGone)] == ["mine"]


def test_the_definition_of_an_alarm_is_recorded_when_it_changed(stage: Stage) -> None:
    """Once at first, and again with the new threshold."""
    cloud(stage.aws, deployment())
    first, second = ({"MetricAlarms": [{**ERRORS, "Threshold": threshold}]} for threshold in (3.0, 5.0))
    stage.aws.script["describe_alarms"] = deque([first, first, second])
    stage.play(stage.watcher(id="d-1"), until_s=30.0)
    assert [(seen.at_s, seen.threshold) for seen in stage.seen(AlarmDefined)] == [(0.0, 3.0), (10.0, 5.0)]


def test_an_answer_without_any_list_of_alarms_does_not_mean_that_they_are_gone(stage: Stage) -> None:
    """A half answer is a failed look."""
    cloud(stage.aws, deployment())
    stage.aws.script["describe_alarms"] = {}
    stage.watcher(id="d-1").look()
    assert stage.seen(AlarmGone) == []
    assert [failed.code for failed in stage.seen(LookFailed)] == ["UnexpectedAnswer"]


def test_a_state_change_is_recorded_once(stage: Stage) -> None:
    """The history is read again and again, and at the end from its beginning."""
    cloud(stage.aws, deployment())
    stage.aws.script["describe_alarm_history"] = {
        "AlarmHistoryItems": [change(-30.0, "INSUFFICIENT_DATA", "OK"), change(7.0, "OK", "ALARM")]
    }
    watcher = stage.watcher(id="d-1")
    stage.play(watcher, until_s=60.0)
    watcher.final_looks()
    assert [(seen.changed_s, seen.to_state) for seen in stage.seen(AlarmChanged)] == [(-30.0, "OK"), (7.0, "ALARM")]


def test_the_history_is_read_from_an_hour_before_the_run(stage: Stage) -> None:
    """Later readings begin a little before the last one, the final one at the beginning again."""
    cloud(stage.aws, deployment())
    watcher = stage.watcher(id="d-1")
    stage.play(watcher, until_s=1000.0)
    watcher.final_looks()
    starts = [params["StartDate"].timestamp() - EPOCH_S for params in stage.aws.called("describe_alarm_history")]
    assert starts[0] == starts[-1] == -3600.0
    assert starts[-2] == 690.0 - 15.0


def test_the_histories_of_many_alarms_take_their_turns(stage: Stage) -> None:
    """CloudWatch answers three of them a second for the whole region; at the end all are read once more."""
    cloud(stage.aws, deployment())
    names = [f"errors-{number}" for number in range(10)]
    alarms = {"enabled": True, "alarms": [{"name": name} for name in names]}
    group = {**GROUP["deploymentGroupInfo"], "alarmConfiguration": alarms}
    stage.aws.script["get_deployment_group"] = {"deploymentGroupInfo": group}
    watcher = stage.watcher(id="d-1")
    watcher.look()
    assert len(stage.aws.called("describe_alarm_history")) == 2
    stage.play(watcher, until_s=20.0)
    assert [params["AlarmName"] for params in stage.aws.called("describe_alarm_history")] == names
    watcher.final_looks()
    assert [params["AlarmName"] for params in stage.aws.called("describe_alarm_history")[10:]] == names
    assert all(
        params["AlarmTypes"] == ("MetricAlarm", "CompositeAlarm")
        for params in stage.aws.called("describe_alarm_history")
    )


def test_a_group_costs_one_call_of_get_deployment_each_five_seconds(stage: Stage) -> None:
    """CodeDeploy throttles who asks much more often, through stop and rollback as well."""
    there = cloud(stage.aws, deployment(), deployment("d-r", "InProgress", creator="codeDeployRollback"))
    watcher = stage.watcher(id="d-1")

    def stop(at_s: float) -> None:
        if at_s >= 30.0:
            there["d-1"] |= {"status": "Stopped", "rollbackInfo": {"rollbackDeploymentId": "d-r"}}

    stage.play(watcher, until_s=59.9, before_look=stop)
    assert {params["deploymentId"] for params in stage.aws.called("get_deployment")} == {"d-1", "d-r"}
    assert len(stage.aws.called("get_deployment")) <= 12 + 1


@pytest.mark.parametrize("creator", ["user", "CloudFormation", "autoscaling", "SomebodyNew", None])
def test_whoever_creates_the_next_deployment_it_is_the_one(stage: Stage, creator: str | None) -> None:
    """CloudFormation's deployments say `user`; only rollbacks of CodeDeploy are none."""
    there = cloud(stage.aws)
    watcher = stage.watcher()
    watcher.look()
    there["d-1"] = deployment("d-1", creator=creator, createTime=at(3.0))
    stage.play(watcher, until_s=10.0)
    assert watcher.forward == "d-1"


def test_the_id_of_a_target_is_taken_as_it_is_listed(stage: Stage) -> None:
    """What it looks like is not documented."""
    cloud(stage.aws, deployment())
    stage.aws.script["list_deployment_targets"] = deque([{"targetIds": []}, {"targetIds": ["fn:live/0x7"]}])
    stage.play(stage.watcher(id="d-1"), until_s=12.0)
    assert [params["targetId"] for params in stage.aws.called("get_deployment_target")] == ["fn:live/0x7"] * 2
    assert len(stage.aws.called("list_deployment_targets")) == 2


def test_the_history_of_one_alarm_does_not_depend_on_another(stage: Stage) -> None:
    """A refusal for the first alarm does not hide the second."""
    cloud(stage.aws, deployment())
    stage.alarm = "secret"
    refused = AccessDenied("cloudwatch:DescribeAlarmHistory", "AccessDenied", "no")
    stage.aws.script["describe_alarm_history"] = lambda AlarmName, **_: (  # noqa: N803
        refused if AlarmName == "secret" else {"AlarmHistoryItems": [change(0.0, "OK", "ALARM")]}
    )
    stage.watcher(id="d-1").look()
    assert stage.seen(AlarmChanged)
    assert [failed.code for failed in stage.seen(LookFailed)] == ["AccessDenied"]


def test_metrics_are_asked_for_all_versions_and_for_each_arm(stage: Stage) -> None:
    """The arms are the target's versions, behind the alias."""
    cloud(stage.aws, deployment())
    stage.watcher(id="d-1").look()
    (params,) = stage.aws.called("get_metric_data")
    metrics = [query["MetricStat"]["Metric"] for query in params["MetricDataQueries"]]
    asked = [(m["MetricName"], {d["Name"]: d["Value"] for d in m["Dimensions"]}) for m in metrics]
    arms = [
        {"FunctionName": "fn"},
        {"FunctionName": "fn", "Resource": "fn:live", "ExecutedVersion": "1"},
        {"FunctionName": "fn", "Resource": "fn:live", "ExecutedVersion": "2"},
    ]
    assert asked[:6] == [(name, arm) for name in ("Errors", "Invocations") for arm in arms]
    assert asked[7:9] == [("Duration", arm) for arm in arms[1:]]


def test_the_metrics_of_alarms_are_asked_for_in_the_same_call(stage: Stage) -> None:
    """What an alarm reads is read as it reads it: its statistic, its period, and under its own id."""
    cloud(stage.aws, deployment())
    stage.aws.script["describe_alarms"] = {"MetricAlarms": [ERRORS, ON_A_RATE], "CompositeAlarms": []}
    stage.alarm = "rate"
    stage.aws.script["get_metric_data"] = lambda MetricDataQueries, **_: {  # noqa: N803
        "MetricDataResults": [
            {"Id": query["Id"], "StatusCode": "Complete", "Timestamps": [at(0.0)], "Values": [float(place)]}
            for place, query in enumerate(MetricDataQueries)
        ]
    }
    stage.watcher(id="d-1").look()
    (params,) = stage.aws.called("get_metric_data")
    stats = [query["MetricStat"] for query in params["MetricDataQueries"]]
    assert stats[6]["Metric"]["Dimensions"][-1] == {"Name": "Resource", "Value": "fn:live"}
    assert [(stat["Metric"]["MetricName"], stat["Stat"], stat["Period"]) for stat in stats[9:]] == [
        ("Duration", "p99", 300),
        ("Invocations", "Sum", 60),
        ("Errors", "Sum", 60),
    ]
    seen = [(one.alarm, one.query, one.period_s, one.points) for one in stage.seen(AlarmMetricSeen)]
    assert seen == [
        ("rate", "slow", 300, ((0.0, 9.0),)),
        ("rate", "all", 60, ((0.0, 10.0),)),
        ("errors", "m1", 60, ((0.0, 11.0),)),
    ]


def test_a_long_period_is_read_from_its_beginning(stage: Stage) -> None:
    """A part of a period would be taken for the whole."""
    cloud(stage.aws, deployment())
    stage.aws.script["describe_alarms"] = {"MetricAlarms": [ERRORS | {"Period": 900}], "CompositeAlarms": []}
    watcher = stage.watcher(id="d-1")
    stage.play(watcher, until_s=3000.0)
    starts = [call["StartTime"].timestamp() for call in stage.aws.called("get_metric_data")]
    assert {start % 900 for start in starts} == {0}
    assert starts[-1] <= EPOCH_S + 3000.0 - 900.0


@pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden"])
def test_metrics_that_are_not_whole_are_a_failed_look(status: str, stage: Stage) -> None:
    """What did come is kept; the rest is not known."""
    cloud(stage.aws, deployment())
    stage.aws.script["get_metric_data"] = (
        lambda MetricDataQueries, **_: {  # noqa: N803
            "MetricDataResults": [{"Id": query["Id"], "StatusCode": status} for query in MetricDataQueries[:1]]
            + [{"Id": query["Id"], "StatusCode": "Complete"} for query in MetricDataQueries[1:]]
        }
    )
    stage.watcher(id="d-1").look()
    (failed,) = stage.seen(LookFailed)
    assert (failed.call, failed.code) == ("cloudwatch:GetMetricData", status)
    assert "1 of 10 metrics" in failed.message


def test_metrics_without_a_result_are_a_failed_look(stage: Stage) -> None:
    """No answer is not zero."""
    cloud(stage.aws, deployment())
    stage.aws.script["get_metric_data"] = {"MetricDataResults": []}
    stage.watcher(id="d-1").look()
    assert [failed.code for failed in stage.seen(LookFailed)] == ["NoResult"]


def test_a_metric_that_goes_on_on_the_next_page_is_whole(stage: Stage) -> None:
    """CloudWatch calls each page but the last PartialData."""
    cloud(stage.aws, deployment())
    stage.aws.script["get_metric_data"] = lambda MetricDataQueries, NextToken=None, **_: {  # noqa: N803
        "MetricDataResults": [
            {"Id": query["Id"], "StatusCode": "Complete" if NextToken else "PartialData"} for query in MetricDataQueries
        ],
        **({} if NextToken else {"NextToken": "more"}),
    }
    stage.watcher(id="d-1").look()
    assert not stage.seen(LookFailed)


def test_metric_points_are_recorded_for_their_arm(stage: Stage) -> None:
    """CloudWatch names a result by the id that the query gave it."""
    cloud(stage.aws, deployment())
    stage.aws.script["get_metric_data"] = {
        "MetricDataResults": [
            {"Id": "m2", "Timestamps": [at(60.0)], "Values": [4.0]},
            {"Id": "m99", "Timestamps": [at(60.0)], "Values": [5.0]},
        ]
    }
    stage.watcher(id="d-1").look()
    (metric,) = stage.seen(MetricSeen)
    assert (metric.metric, metric.version, metric.points) == ("Errors", "2", ((60.0, 4.0),))


def test_metrics_are_read_in_full_minutes_with_an_overlap(stage: Stage) -> None:
    """A minute's metrics may come minutes late; the final reading covers the whole run."""
    cloud(stage.aws, deployment())
    watcher = stage.watcher(id="d-1")
    stage.play(watcher, until_s=900.0)
    watcher.final_looks()
    calls = stage.aws.called("get_metric_data")
    assert all(params[name].timestamp() % 60 == 0 for params in calls for name in ("StartTime", "EndTime"))
    assert calls[-1]["StartTime"].timestamp() <= EPOCH_S < calls[-2]["StartTime"].timestamp()
    assert calls[-1]["EndTime"].timestamp() > EPOCH_S + 900.0


def test_the_final_looks_give_up_where_nothing_answers(stage: Stage) -> None:
    """A run must end though the control plane is gone."""
    cloud(stage.aws, deployment())
    watcher = stage.watcher(id="d-1")
    watcher.look()
    stage.aws.script = {name: Unreachable(name, "gone") for name in stage.aws.script}
    before = len(stage.aws.calls)
    watcher.final_looks()
    assert len(stage.aws.calls) == before + 1


def test_without_any_name_there_is_nothing_to_look_at(stage: Stage) -> None:
    """The watcher waits until it is told what to follow."""
    stage.deployment = type(stage.deployment)()
    watcher = stage.watcher()
    watcher.look()
    assert (stage.aws.calls, stage.events) == ([], [])
    assert watcher.next_look_s > 0.0


def test_mistakes_in_the_program_are_not_hidden(stage: Stage) -> None:
    """A recorder that breaks is not a look that failed."""
    cloud(stage.aws, deployment())
    watcher = stage.watcher(id="d-1")
    watcher._record = lambda event: [][1]
    with pytest.raises(IndexError):
        watcher.look()


OPERATIONS = (
    "get_deployment_group",
    "get_deployment_config",
    "get_deployment",
    "list_deployments",
    "batch_get_deployments",
    "list_deployment_targets",
    "get_deployment_target",
    "get_alias",
    "describe_alarms",
    "describe_alarm_history",
    "get_metric_data",
)
FIELDS = """
deploymentInfo deploymentId status rollbackInfo deployments deploymentsInfo targetIds deploymentTarget lambdaTarget
deploymentGroupInfo applicationName deploymentGroupName alarmConfiguration alarms name deploymentConfigInfo
trafficRoutingConfig FunctionVersion RoutingConfig MetricAlarms CompositeAlarms AlarmName AlarmRule StateValue
AlarmHistoryItems HistoryData MetricDataResults Id Timestamps Values
"""
fields = st.sampled_from(FIELDS.split())
words = st.sampled_from(["Stopped", "Pondering", "d-1", "ALARM", "m0", 'ALARM("errors")', "\ud800", ""])
nonsense = st.recursive(
    st.none() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fields, inner, max_size=4),
    max_leaves=12,
)
answers = st.dictionaries(fields, nonsense, max_size=5)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(OPERATIONS), answers))
def test_no_answer_of_aws_breaks_the_watcher(spoiled: dict[str, Any]) -> None:
    """Unknown words and missing fields in any answer leave a timeline that can be read, and judged."""
    stage = Stage()
    cloud(stage.aws, deployment(), deployment("d-2"))
    stage.aws.script |= spoiled
    watcher = stage.watcher()
    stage.play(watcher, until_s=20.0)
    watcher.final_looks()
    assert list(decode([encode(event) for event in stage.events])) == stage.events
    assert judge(Experiment(name="spoiled"), stage.events).result == "inconclusive"


def test_what_came_after_a_deployment_long_over_is_listed_from_its_time_on(stage: Stage) -> None:
    """The next deployment ended its time, however long ago that was."""
    day_s = 86_400.0
    stage.aws.script["get_deployment"] = {
        "deploymentInfo": {
            "deploymentId": "d-OLD",
            "status": "Succeeded",
            "createTime": at(-day_s),
            "completeTime": at(-day_s + 300),
        }
    }
    stage.aws.script["list_deployments"] = {"deployments": []}
    stage.watcher(id="d-OLD").look()
    (asked,) = [params for name, params in stage.aws.calls if name == "list_deployments"]
    assert asked["createTimeRange"]["start"] <= at(-day_s)


def test_an_alarm_that_is_of_neither_common_kind_is_asked_for_as_a_log_alarm(stage: Stage) -> None:
    """It is not gone, and what it is, is recorded."""
    cloud(stage.aws, deployment())
    stage.aws.script["describe_alarms"] = lambda AlarmTypes, **_: (  # noqa: N803
        {"LogAlarms": [{"AlarmName": "errors", "StateValue": "OK", "QueryResultsToEvaluate": 1}]}
        if AlarmTypes == ("LogAlarm",)
        else {"MetricAlarms": []}
    )
    stage.watcher(id="d-1").look()
    assert not stage.seen(AlarmGone)
    assert [defined.unlike for defined in stage.seen(AlarmDefined)] == ["an alarm on a query of logs"]


def test_where_log_alarms_are_unknown_an_alarm_that_is_not_listed_is_gone(stage: Stage) -> None:
    """A region that does not know the kind refuses it, which is no failed look."""
    cloud(stage.aws, deployment())
    stage.aws.script["describe_alarms"] = lambda AlarmTypes, **_: (  # noqa: N803
        AwsError("cloudwatch:DescribeAlarms", "ValidationError", "no such kind")
        if AlarmTypes == ("LogAlarm",)
        else {"MetricAlarms": []}
    )
    stage.watcher(id="d-1").look()
    assert [gone.name for gone in stage.seen(AlarmGone)] == ["errors"]
    assert not stage.seen(LookFailed)
