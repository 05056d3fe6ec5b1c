"""The routes of a deployed API: API Gateway exports its APIs as OpenAPI, which is read like any such file."""

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import BotoCoreError
from msgspec.structs import replace

from harness.aws.candidates import named_resources, resources_of_stack
from harness.aws.clients import Answer, Aws
from harness.aws.failures import as_harness_error
from harness.core.foreign import mapping, sequence, text
from harness.errors import Unreachable, UsageError
from harness.sources.drafts import Described, LeftOut
from harness.sources.files import SourceFile
from harness.sources.openapi import read_openapi

_REST, _HTTP = "AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api"
_STAGE, _HTTP_STAGE = "AWS::ApiGateway::Stage", "AWS::ApiGatewayV2::Stage"
_LARGEST = 16 * 1024 * 1024
"""More bytes than any API has: API Gateway takes files of 6 MB."""


def routes_of_stack(stack: str, aws: Aws | None = None) -> Described:
    """What the first API of a stack and of those nested in it answers; raises UsageError where there is none."""
    if aws is None:
        aws = Aws()
        aws.warm("cloudformation", "apigateway", "apigatewayv2")
    resources = list(resources_of_stack(aws, stack))
    apis = [(kind, api) for kind in (_REST, _HTTP) for _, api in named_resources(resources, kind)]
    if not apis:
        problem = f"the stack {stack} has no API of API Gateway whose routes could be read"
        raise UsageError(f"{problem}; give --openapi, or --access-log of what it answered")
    kind, api = apis[0]
    export = _rest(aws, api, resources) if kind == _REST else _http(aws, api, resources)
    described = read_openapi(SourceFile(f"the API {api} of {stack}", export))
    others = (LeftOut(f"the API {other}", "an experiment is about one; give its --openapi") for _, other in apis[1:])
    return replace(described, title=described.title or stack, left_out=(*described.left_out, *others))


def address_of_stack(stack: str, aws: Aws) -> tuple[str, str] | None:
    """The id of the first API of a stack, and the stage that answers; None where the stack has no API."""
    resources = list(resources_of_stack(aws, stack))
    for _, api in named_resources(resources, _REST):
        return api, _rest_stage(aws, api, resources)
    for _, api in named_resources(resources, _HTTP):
        return api, _http_stage(resources)
    return None


def _rest(aws: Aws, api: str, resources: Sequence[Any]) -> str:
    answer = aws.call(
        "apigateway",
        "get_export",
        restApiId=api,
        stageName=_rest_stage(aws, api, resources),
        exportType="oas30",
        accepts="application/json",
    )
    return _body(answer)


def _rest_stage(aws: Aws, api: str, resources: Sequence[Any]) -> str:
    stages = [text(mapping(one).get("stageName")) for one in sequence(_stages(aws, api).get("item"))]
    named = [stage for _, stage in named_resources(resources, _STAGE) if stage in stages]
    stage = next(iter([*named, *filter(None, stages)]), None)
    if stage is None:
        raise UsageError(f"the API {api} has no stage: it is not deployed, so nothing answers")
    return stage


def _stages(aws: Aws, api: str) -> Answer:
    return aws.call("apigateway", "get_stages", restApiId=api)


def _http(aws: Aws, api: str, resources: Sequence[Any]) -> str:
    """The export of a stage where the stack names one: without it, that has no server."""
    stage = _http_stage(resources)
    answer = aws.call(
        "apigatewayv2", "export_api", ApiId=api, OutputType="JSON", Specification="OAS30", StageName=stage
    )
    return _body(answer)


def _http_stage(resources: Sequence[Any]) -> str:
    return next((stage for _, stage in named_resources(resources, _HTTP_STAGE)), "$default")


def _body(answer: Answer) -> str:
    body = answer.get("body")
    try:
        content = body if isinstance(body, bytes) else body.read(_LARGEST)  # type: ignore[union-attr]
        return content.decode()
    except BotoCoreError as error:
        raise as_harness_error("apigateway:GET", error) from error
    except (AttributeError, UnicodeDecodeError, OSError) as error:
        raise Unreachable("apigateway:GET", f"an export that cannot be read ({error!r})") from error
