"""The fault proxy fails calls as boto3 knows it from AWS; else what survives it would prove nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from harness.aws.clients import ASK_ONCE, Aws, Clients
from harness.errors import AccessDenied, BadCredentials, HarnessError, Throttled, Unavailable, Unreachable
from harness.rehearsal.cloud import Cloud
from harness.rehearsal.fixtures import aws_environment
from tests.aws.fault_proxy import (
    Call,
    Fault,
    Proxy,
    Silent,
    Slow,
    denied,
    expired,
    failed,
    failed_afterwards,
    half,
    only,
    proxy_of,
    relay,
    reset,
    reset_afterwards,
    shaky,
    throttled,
    truncated,
    without,
)

READS = {"codedeploy": "list_applications", "cloudwatch": "describe_alarms", "lambda": "get_alias"}
Ask = Callable[[str], Any]


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """One cloud for all tests, which only read."""
    with Cloud() as started:
        yield started


@pytest.fixture
def proxy(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy before the cloud, and boto3 led to it."""
    aws_environment(cloud, monkeypatch)
    with proxy_of(cloud.ready["endpoint_url"]) as standing:
        monkeypatch.setenv("AWS_ENDPOINT_URL", standing.url)
        yield standing


@pytest.fixture
def ask(proxy: Proxy, cloud: Cloud) -> Ask:
    """Makes one call of a service, without any retry."""
    aws, ready = Aws(ASK_ONCE, Clients(boto3.session.Session())), cloud.ready
    params = {"lambda": {"FunctionName": ready["function"], "Name": ready["alias"]}}
    return lambda service: aws.call(service, READS[service], **params.get(service, {}))


@pytest.mark.parametrize("service", READS)
def test_calls_pass_and_are_known_by_their_iam_action(proxy: Proxy, ask: Ask, service: str) -> None:
    """JSON by its target, REST by its path."""
    assert ask(service)
    wanted = {"codedeploy": "ListApplications", "cloudwatch": "DescribeAlarms", "lambda": "GetAlias"}
    assert proxy.calls == [(f"{service}:{wanted[service]}", None)]


def test_a_form_is_known_by_its_action(proxy: Proxy) -> None:
    """CloudFormation and STS still speak the query protocol."""
    proxy.plan = without("cloudformation:ListStackResources")
    with pytest.raises(AccessDenied, match="Allow cloudformation:ListStackResources"):
        Aws(ASK_ONCE).call("cloudformation", "list_stack_resources", StackName="none")


@pytest.mark.parametrize("service", READS)
@pytest.mark.parametrize(
    ("fault", "kind", "told"),
    [
        (throttled, Throttled, "Rate exceeded"),
        (failed, Unavailable, "InternalFailure"),
        (failed_afterwards, Unavailable, "503"),
        (denied, AccessDenied, "not authorized to perform"),
        (expired, BadCredentials, "renew"),
        (reset, Unreachable, "got no answer"),
        (reset_afterwards, Unreachable, "got no answer"),
        (truncated, Unreachable, "got no answer"),
        (half, Unreachable, "got no answer"),
        (Silent(0.05), Unreachable, "got no answer"),
    ],
)
def test_each_fault_is_what_it_says(
    proxy: Proxy, ask: Ask, service: str, fault: Fault, kind: type[HarnessError], told: str
) -> None:
    """In the protocol and in the words of each service."""
    proxy.plan = lambda _: fault
    with pytest.raises(kind, match=told) as caught:
        ask(service)
    assert type(caught.value) is kind


def test_a_slow_answer_is_an_answer(proxy: Proxy, ask: Ask) -> None:
    """As long as somebody waits for it."""
    proxy.plan = lambda _: Slow(0.05)
    assert ask("codedeploy")


def test_a_shaky_plan_fails_its_share_in_every_way() -> None:
    """The same seed fails the same calls."""
    drawn = [shaky(0.3, seed)(Call("codedeploy", "GetDeployment", "json")) for seed in range(3)]
    assert drawn == [shaky(0.3, seed)(Call("codedeploy", "GetDeployment", "json")) for seed in range(3)]
    plan = shaky(0.3, 1)
    faults = [plan(Call("codedeploy", "GetDeployment", "json")) for _ in range(2000)]
    names = {getattr(fault, "__name__", None) for fault in faults}
    assert len(names) == 10
    assert 0.25 < sum(fault is not None for fault in faults) / len(faults) < 0.35


def test_only_what_a_policy_allows_passes() -> None:
    """Everything else is denied."""
    plan = only({"codedeploy:GetDeployment"})
    assert plan(Call("codedeploy", "GetDeployment", "json")) is None
    assert plan(Call("codedeploy", "StopDeployment", "json")) is denied
    assert relay is not denied
