"""The routes of a deployed API: what API Gateway exports becomes requests, and nothing is changed."""

import io
from typing import Any

import msgspec
import pytest

from harness.aws.routes import routes_of_stack
from harness.errors import AwsError, Unreachable, UsageError
from tests.aws.scripted_aws import FakeAws

HOST = "https://i.execute-api.eu-north-1.amazonaws.com"
EXPORT = {
    "openapi": "3.0.1",
    "info": {"title": "shop", "version": "1"},
    "servers": [
        {
            "url": "https://i.execute-api.eu-north-1.amazonaws.com/{basePath}",
            "variables": {"basePath": {"default": "/prod"}},
        }
    ],
    "paths": {"/orders/{id}": {"get": {"parameters": [{"name": "id", "in": "path", "required": True}]}}},
}


def stack(*resources: tuple[str, str]) -> FakeAws:
    """A stack of (type without AWS::, physical id), whose APIs export the same document."""
    aws = FakeAws()
    summaries = [
        {"ResourceType": f"AWS::{kind}", "LogicalResourceId": f"R{number}", "PhysicalResourceId": name}
        for number, (kind, name) in enumerate(resources)
    ]
    aws.script = {
        "list_stack_resources": {"StackResourceSummaries": summaries},
        "get_stages": {"item": [{"stageName": "old"}, {"stageName": "prod"}]},
        "get_export": lambda **_: {"body": io.BytesIO(msgspec.json.encode(EXPORT))},
        "export_api": lambda **_: {"body": io.BytesIO(msgspec.json.encode(EXPORT))},
    }
    return aws


def read(aws: FakeAws) -> Any:
    """What the stack's API answers."""
    return routes_of_stack("shop-prod", aws)  # type: ignore[arg-type]


def test_a_rest_api_is_exported_from_the_stage_of_its_stack() -> None:
    """With its address and its routes."""
    aws = stack(("ApiGateway::RestApi", "a1"), ("ApiGateway::Stage", "prod"))
    described = read(aws)
    assert described.host == f"{HOST}/prod"
    assert [draft.label for draft in described.drafts] == ["GET /orders/{id}"]
    assert aws.called("get_export")[0]["stageName"] == "prod"


def test_an_http_api_is_exported_and_a_second_api_named() -> None:
    """An experiment is about one."""
    aws = stack(("ApiGatewayV2::Api", "a1"), ("ApiGatewayV2::Api", "a2"))
    described = read(aws)
    assert aws.called("export_api")[0]["StageName"] == "$default"
    assert described.left_out[-1].label == "the API a2"


def test_only_reads_are_made() -> None:
    """Nothing of the API is changed."""
    aws = stack(("ApiGateway::RestApi", "a1"))
    read(aws)
    assert {operation for operation, _ in aws.calls} == {"list_stack_resources", "get_stages", "get_export"}


def test_a_stack_without_an_api_is_told() -> None:
    """With what else there is to begin from."""
    with pytest.raises(UsageError, match="has no API of API Gateway"):
        read(stack(("Lambda::Function", "fn")))


def test_an_api_that_is_not_deployed_is_told() -> None:
    """Nothing would answer."""
    aws = stack(("ApiGateway::RestApi", "a1"))
    aws.script["get_stages"] = {"item": []}
    with pytest.raises(UsageError, match="has no stage"):
        read(aws)


def test_an_export_that_breaks_off_is_no_answer() -> None:
    """And no bug of ours."""
    aws = stack(("ApiGateway::RestApi", "a1"))
    aws.script["get_export"] = {"body": None}
    with pytest.raises(Unreachable, match="cannot be read"):
        read(aws)


def test_a_stack_that_does_not_exist_is_told() -> None:
    """As everywhere."""
    aws = stack()
    aws.script["list_stack_resources"] = AwsError("cloudformation:ListStackResources", "ValidationError", "no stack")
    with pytest.raises(UsageError, match="knows no stack shop-prod"):
        read(aws)
