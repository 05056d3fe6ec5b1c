"""Fault Injection Service of the local cloud, by boto3."""

import urllib.error
import urllib.request
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

FUNCTION_ARN = "arn:aws:lambda:eu-north-1:123456789012:function"


def template_for(fis: Any, function: str, action: str = "aws:lambda:invocation-error", duration: str = "PT5M") -> str:
    """The id of a new template that makes all invocations of a function fail."""
    answer = fis.create_experiment_template(
        clientToken="t",
        description="errors",
        roleArn="arn:aws:iam::123456789012:role/fis",
        stopConditions=[{"source": "none"}],
        targets={
            "fn": {
                "resourceType": "aws:lambda:function",
                "resourceArns": [f"{FUNCTION_ARN}:{function}"],
                "selectionMode": "ALL",
            }
        },
        actions={
            "errors": {
                "actionId": action,
                "parameters": {"duration": duration, "invocationPercentage": "100"},
                "targets": {"Functions": "fn"},
            }
        },
    )
    return str(answer["experimentTemplate"]["id"])


def status_of(cloud: Any) -> int:
    """What the service answers to a good request."""
    headers = {"Authorization": "standarduser@company.com", "X-Client-Version": "1"}
    request = urllib.request.Request(f"{cloud.ready['service_url']}/fakeUser", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def fis(canary_cloud: Any, canary_aws: Any) -> Any:
    """boto3's client."""
    return boto3.client("fis")


def test_an_experiment_makes_invocations_fail_until_it_is_stopped(canary_cloud: Any, fis: Any) -> None:
    """As unhandled errors that the alarm's metric counts; the same token starts no second one."""
    template = template_for(fis, canary_cloud.ready["function"])
    assert status_of(canary_cloud) == 200
    started = fis.start_experiment(clientToken="a", experimentTemplateId=template, tags={"who": "me"})["experiment"]
    assert fis.start_experiment(clientToken="a", experimentTemplateId=template)["experiment"]["id"] == started["id"]
    assert status_of(canary_cloud) == 502
    (listed,) = fis.list_experiments(experimentTemplateId=template)["experiments"]
    assert (listed["id"], listed["tags"], listed["state"]["status"]) == (started["id"], {"who": "me"}, "running")
    fis.stop_experiment(id=started["id"])
    assert status_of(canary_cloud) == 200
    with pytest.raises(ClientError, match="ValidationException"):
        fis.stop_experiment(id=started["id"])


def test_an_experiment_ends_by_itself(canary_cloud: Any, fis: Any) -> None:
    """After the duration of its actions."""
    template = template_for(fis, canary_cloud.ready["function"])
    started = fis.start_experiment(clientToken="a", experimentTemplateId=template)["experiment"]
    canary_cloud.advance(5 * 60)
    assert fis.get_experiment(id=started["id"])["experiment"]["state"]["status"] == "completed"
    assert status_of(canary_cloud) == 200


def test_other_functions_are_spared(canary_cloud: Any, fis: Any) -> None:
    """Only what a template names fails."""
    fis.start_experiment(clientToken="a", experimentTemplateId=template_for(fis, "somebody-elses"))
    assert status_of(canary_cloud) == 200


def test_an_action_that_would_do_nothing_is_refused(canary_cloud: Any, fis: Any) -> None:
    """A fault without effect would prove nothing."""
    with pytest.raises(ClientError, match="aws:lambda:invocation-error alone"):
        template_for(fis, canary_cloud.ready["function"], "aws:lambda:invocation-add-delay")


@pytest.mark.parametrize("operation", ["get_experiment", "stop_experiment", "get_experiment_template"])
def test_what_does_not_exist_is_not_found(canary_cloud: Any, fis: Any, operation: str) -> None:
    """In AWS's own word."""
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        getattr(fis, operation)(id="EXPNONE")


def test_a_duration_out_of_range_is_refused(canary_cloud: Any, fis: Any) -> None:
    """AWS takes one minute at the least."""
    with pytest.raises(ClientError, match="ValidationException"):
        template_for(fis, "fn", duration="PT10S")
