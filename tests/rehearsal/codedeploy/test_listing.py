"""Lists, filters, pages and batches of deployments."""

from datetime import UTC, datetime
from typing import Any

import pytest

GROUP = {"applicationName": "app", "deploymentGroupName": "group"}


@pytest.fixture
def finished(stage: Any) -> list[str]:
    """Four stopped deployments a minute apart, newest first, and a running one before them."""
    stage.group()
    ids = []
    for _ in range(4):
        ids.append(stage.deploy())
        stage.client.stop_deployment(deploymentId=ids[-1])
        stage.advance(60)
    ids.append(stage.deploy())
    stage.advance(5)
    return ids[::-1]


def listed(stage: Any, **filters: Any) -> list[str]:
    """The deployments of the group."""
    return list(stage.client.list_deployments(**GROUP, **filters)["deployments"])


def test_deployments_are_listed_newest_first(stage: Any, finished: list[str]) -> None:
    """For the group, and for the account."""
    assert listed(stage) == finished
    assert stage.client.list_deployments()["deployments"] == finished


def test_deployments_are_filtered_by_status(stage: Any, finished: list[str]) -> None:
    """Any of the statuses that are asked for."""
    assert listed(stage, includeOnlyStatuses=["InProgress"]) == finished[:1]
    assert listed(stage, includeOnlyStatuses=["Stopped", "Failed"]) == finished[1:]
    assert listed(stage, includeOnlyStatuses=["Baking"]) == []


def test_deployments_are_filtered_by_creation_time(stage: Any, finished: list[str]) -> None:
    """From and to, each of which may be left out."""
    two_minutes_ago = datetime.fromtimestamp(stage.now() - 130, UTC)
    assert listed(stage, createTimeRange={"start": two_minutes_ago}) == finished[:3]
    assert listed(stage, createTimeRange={"end": two_minutes_ago}) == finished[3:]


def test_nothing_has_an_external_id(stage: Any, finished: list[str]) -> None:
    """Only what CloudFormation starts has one."""
    assert listed(stage, externalId="stack") == []


def test_batch_leaves_out_what_does_not_exist(stage: Any, finished: list[str]) -> None:
    """In the order that was asked for."""
    answer = stage.client.batch_get_deployments(deploymentIds=[finished[2], "d-NOTTHERE1", finished[0]])
    assert [one["deploymentId"] for one in answer["deploymentsInfo"]] == [finished[2], finished[0]]


def test_pages_hold_everything_once(stage: Any) -> None:
    """Also where a new deployment comes in between."""
    stage.group()
    ids = []
    for _ in range(205):
        ids.append(stage.deploy())
        stage.service.stop_deployment({"deploymentId": ids[-1]})
    first = stage.client.list_deployments(**GROUP)
    stage.deploy()
    second = stage.client.list_deployments(**GROUP, nextToken=first["nextToken"])
    third = stage.client.list_deployments(**GROUP, nextToken=second["nextToken"])
    assert first["deployments"] + second["deployments"] + third["deployments"] == ids[::-1]
    assert "nextToken" not in third


def test_applications_and_groups_have_pages_too(stage: Any) -> None:
    """By boto3's paginators."""
    stage.group()
    for number in range(120):
        stage.service.create_application({"applicationName": f"more{number:03}", "computePlatform": "Lambda"})
        stage.service.create_deployment_group(
            {
                "applicationName": "app",
                "deploymentGroupName": f"more{number:03}",
                "serviceRoleArn": "arn:aws:iam::123456789012:role/CodeDeploy",
            }
        )
    names = [f"more{number:03}" for number in range(120)]
    applications = stage.client.get_paginator("list_applications").paginate().build_full_result()["applications"]
    groups = stage.client.get_paginator("list_deployment_groups").paginate(applicationName="app").build_full_result()
    assert applications == ["app", *names]
    assert groups["deploymentGroups"] == ["group", *names]


def test_targets_are_filtered_by_status(stage: Any, finished: list[str]) -> None:
    """The only target is there or not."""
    for word, there in (("InProgress", 1), ("Succeeded", 0)):
        answer = stage.client.list_deployment_targets(deploymentId=finished[0], targetFilters={"TargetStatus": [word]})
        assert len(answer["targetIds"]) == there


def test_targets_come_in_a_batch_of_one(stage: Any, finished: list[str]) -> None:
    """The same as by itself."""
    ids = stage.client.list_deployment_targets(deploymentId=finished[0])["targetIds"]
    [target] = stage.client.batch_get_deployment_targets(deploymentId=finished[0], targetIds=ids)["deploymentTargets"]
    assert target["lambdaTarget"] == stage.target(finished[0])


def test_waiter_of_boto3_sees_the_end(stage: Any) -> None:
    """deployment_successful knows the terminal statuses."""
    stage.group(config="LambdaAllAtOnce")
    deployment_id = stage.deploy()
    stage.advance(20)
    stage.client.get_waiter("deployment_successful").wait(deploymentId=deployment_id)
