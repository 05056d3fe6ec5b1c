"""The routes that the APIs of a template give to each function, however they are written."""

import json
from pathlib import Path

import pytest

from harness.core.experiment.types import Experiment
from harness.errors import UsageError
from harness.templates import as_released, read_release, routes_of
from tests.templates.conftest import SAM
from tests.templates.test_terraform import HCL, plan

_URI = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
_OTHER = """
  Api2:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: src/, Handler: app.handler, Runtime: python3.13}
"""
HTTP_API = """
  Http: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: shop, ProtocolType: HTTP}}
  Invoke:
    Type: AWS::ApiGatewayV2::Integration
    Properties: {ApiId: !Ref Http, IntegrationType: AWS_PROXY, IntegrationUri: !Ref Api.Alias}
  InvokeOther:
    Type: AWS::ApiGatewayV2::Integration
    Properties: {ApiId: !Ref Http, IntegrationType: AWS_PROXY, IntegrationUri: !GetAtt Api2.Arn}
  Order:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Http, RouteKey: 'POST /orders/{id}', Target: !Sub 'integrations/${Invoke}'}
  Rest:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Http, RouteKey: $default, Target: !Join [/, [integrations, !Ref Invoke]]}
  Ads:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Http, RouteKey: GET /ads, Target: !Sub 'integrations/${InvokeOther}'}
"""
QUICK = """
  Http:
    Type: AWS::ApiGatewayV2::Api
    Properties: {Name: shop, ProtocolType: HTTP, RouteKey: GET /quick, Target: !Ref Api.Alias}
"""
WEBSOCKET = HTTP_API.replace("ProtocolType: HTTP", "ProtocolType: WEBSOCKET")
REST_API = f"""
  Shop: {{Type: AWS::ApiGateway::RestApi, Properties: {{Name: shop}}}}
  Orders:
    Type: AWS::ApiGateway::Resource
    Properties: {{RestApiId: !Ref Shop, ParentId: !GetAtt Shop.RootResourceId, PathPart: orders}}
  One:
    Type: AWS::ApiGateway::Resource
    Properties: {{RestApiId: !Ref Shop, ParentId: !Ref Orders, PathPart: '{{id}}'}}
  Get:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Shop
      ResourceId: !Ref One
      HttpMethod: GET
      Integration: {{Type: AWS_PROXY, Uri: !Sub '{_URI}${{Api.Alias}}/invocations'}}
  Root:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Shop
      ResourceId: !GetAtt Shop.RootResourceId
      HttpMethod: ANY
      Integration: {{Type: AWS_PROXY, Uri: !Sub '{_URI}${{Api2.Arn}}/invocations'}}
"""
BODY = f"""
  Shop:
    Type: AWS::Serverless::HttpApi
    Properties:
      DefinitionBody:
        openapi: 3.0.1
        paths:
          /orders:
            get: {{x-amazon-apigateway-integration: {{type: aws_proxy, uri: !Sub '{_URI}${{Api.Alias}}/invocations'}}}}
            post: {{x-amazon-apigateway-integration: {{type: aws_proxy, uri: !Sub '{_URI}${{Api2.Arn}}/invocations'}}}}
          /health:
            get: {{responses: {{}}}}
"""
SHAPES = {
    "HTTP API": (HTTP_API, [("post", "/orders/{id}"), ("any", "/")], [("get", "/ads")]),
    "HTTP API of one route": (QUICK, [("get", "/quick")], []),
    "WebSocket API": (WEBSOCKET, [], []),
    "REST API": (REST_API, [("get", "/orders/{id}")], [("any", "/")]),
    "OpenAPI of SAM": (BODY, [("get", "/orders")], [("post", "/orders")]),
    "OpenAPI of CloudFormation": (
        BODY.replace("Serverless::HttpApi", "ApiGateway::RestApi").replace("DefinitionBody", "Body"),
        [("get", "/orders")],
        [("post", "/orders")],
    ),
}


def template(tmp_path: Path, *resources: str) -> Path:
    """SAM's template with further resources."""
    path = tmp_path / "template.yaml"
    path.write_text(SAM.rstrip() + "".join((_OTHER, *resources)))
    return path


@pytest.mark.parametrize(("written", "own", "others"), SHAPES.values(), ids=SHAPES)
def test_each_function_gets_its_own_routes(
    tmp_path: Path, written: str, own: list[tuple[str, str]], others: list[tuple[str, str]]
) -> None:
    """None gets that of another, though its name begins with the same letters."""
    release = read_release(template(tmp_path, written), {}, with_code=True)
    assert [one.value for one in release.runs["${Api}"].routes] == own
    assert [one.value for one in release.runs["${Api2}"].routes] == others
    assert list(routes_of(release, "Api")) == own


FORMAT = "IntegrationUri: !Ref Api.Alias, PayloadFormatVersion: "
FORMATS = {
    "HTTP API": (HTTP_API, False),
    "HTTP API of 2.0": (HTTP_API.replace("IntegrationUri: !Ref Api.Alias", f"{FORMAT}'2.0'"), True),
    "HTTP API of a number": (HTTP_API.replace("IntegrationUri: !Ref Api.Alias", f"{FORMAT}2.0"), True),
    "HTTP API of 1.0": (HTTP_API.replace("IntegrationUri: !Ref Api.Alias", f"{FORMAT}'1.0'"), False),
    "quick create": (QUICK, True),
    "REST API": (REST_API, False),
    "OpenAPI": (BODY.replace("type: aws_proxy", "type: aws_proxy, payloadFormatVersion: '2.0'"), True),
}


@pytest.mark.parametrize(("written", "is_of_2_0"), FORMATS.values(), ids=FORMATS)
def test_a_function_is_handed_the_format_of_its_integration(tmp_path: Path, written: str, is_of_2_0: bool) -> None:
    """Without a word of it that is 1.0, but for an API that is made of its target alone."""
    assert read_release(template(tmp_path, written), {}, with_code=True).runs["${Api}"].is_handed_2_0 == is_of_2_0


@pytest.mark.parametrize(("version", "is_of_2_0"), [("1.0", False), ("2.0", True)])
def test_a_function_of_terraform_is_handed_the_format_of_its_integration(
    tmp_path: Path, version: str, is_of_2_0: bool
) -> None:
    """By the argument payload_format_version."""
    path, uri = tmp_path / "main.tf", "  integration_uri  = aws_lambda_alias.live.invoke_arn\n"
    path.write_text(HCL + TERRAFORM.replace(uri, f'{uri}  payload_format_version = "{version}"\n'))
    (run,) = [one for one in read_release(path, {}, with_code=True).runs.values() if one.routes]
    assert run.is_handed_2_0 == is_of_2_0


def test_a_route_has_the_line_that_says_it(tmp_path: Path) -> None:
    """That of its key."""
    path = template(tmp_path, HTTP_API)
    first, _ = read_release(path, {}, with_code=True).runs["${Api}"].routes
    assert "POST /orders" in path.read_text().splitlines()[first.line - 1]


def test_a_path_that_is_not_known_is_asked_for(tmp_path: Path) -> None:
    """No request goes to a path with a hole in it."""
    written = HTTP_API.replace("'POST /orders/{id}'", "!Sub 'POST /${AWS::StackName}/orders'")
    release = read_release(template(tmp_path, written), {}, with_code=True)
    with pytest.raises(UsageError, match=r"yaml:\d+: .*path of a route is not known here .*AWS::StackName="):
        routes_of(release, "Api")


def test_parents_in_a_circle_end(tmp_path: Path) -> None:
    """CloudFormation refuses such a template; its reader only must not hang."""
    written = REST_API.replace("!GetAtt Shop.RootResourceId, PathPart", "!Ref One, PathPart")
    release = read_release(template(tmp_path, written), {}, with_code=True)
    assert release.runs["${Api}"].routes


TERRAFORM = """
resource "aws_apigatewayv2_api" "http" {
  name          = "shop"
  protocol_type = "HTTP"
}
resource "aws_apigatewayv2_integration" "api" {
  api_id           = aws_apigatewayv2_api.http.id
  integration_type = "AWS_PROXY"
  integration_uri  = aws_lambda_alias.live.invoke_arn
}
resource "aws_apigatewayv2_route" "order" {
  api_id    = aws_apigatewayv2_api.http.id
  route_key = "POST /orders/{id}"
  target    = "integrations/${aws_apigatewayv2_integration.api.id}"
}
resource "aws_api_gateway_rest_api" "rest" {
  name = "shop"
}
resource "aws_api_gateway_resource" "ads" {
  rest_api_id = aws_api_gateway_rest_api.rest.id
  parent_id   = aws_api_gateway_rest_api.rest.root_resource_id
  path_part   = "ads"
}
resource "aws_api_gateway_method" "ads" {
  rest_api_id   = aws_api_gateway_rest_api.rest.id
  resource_id   = aws_api_gateway_resource.ads.id
  http_method   = "GET"
  authorization = "NONE"
}
resource "aws_api_gateway_integration" "ads" {
  rest_api_id = aws_api_gateway_rest_api.rest.id
  resource_id = aws_api_gateway_resource.ads.id
  http_method = aws_api_gateway_method.ads.http_method
  type        = "AWS_PROXY"
  uri         = aws_lambda_function.api.invoke_arn
}
"""


def test_terraform_routes_are_read(tmp_path: Path) -> None:
    """Of both kinds of API, through the function's or the alias's address for invocations; copies change no answer."""
    path = tmp_path / "main.tf"
    copied = 'resource "aws_apigatewayv2_route" "each" {\n  for_each = toset(["a"])\n  route_key = each.value\n}\n'
    path.write_text(HCL + TERRAFORM + copied)
    release = read_release(path, {}, with_code=True)
    assert routes_of(release, None) == (("post", "/orders/{id}"), ("get", "/ads"))
    path.write_text(HCL + TERRAFORM)
    assert [one.text for one in read_release(path, {}).problems] == [one.text for one in release.problems]


_OPENAPI = """
resource "aws_api_gateway_rest_api" "rest" {
  name = "shop"
  body = jsonencode({
    openapi = "3.0.1"
    paths = {
      "/orders/{id}" = {
        get = { x-amazon-apigateway-integration = { uri = aws_lambda_alias.live.invoke_arn, type = "aws_proxy" } }
        post = { x-amazon-apigateway-integration = { uri = aws_lambda_function.other.invoke_arn } }
      }
    }
  })
}
"""
_HEREDOC = """
resource "aws_apigatewayv2_api" "http" {
  name = "shop"
  protocol_type = "HTTP"
  body = <<-EOT
    openapi: 3.0.1
    paths:
      /orders/{id}:
        get:
          x-amazon-apigateway-integration: {type: aws_proxy, uri: "${aws_lambda_alias.live.invoke_arn}"}
  EOT
}
"""
_NO_OPENAPI = """
resource "aws_api_gateway_rest_api" "rest" {
  body = "{[}"
}
"""


@pytest.mark.parametrize(("written", "routes"), [(_OPENAPI, 1), (_HEREDOC, 1), (_NO_OPENAPI, 0)])
def test_an_openapi_body_of_terraform_is_read(tmp_path: Path, written: str, routes: int) -> None:
    """Encoded from Terraform's own words, or a text; what is none gives no route."""
    path = tmp_path / "main.tf"
    path.write_text(HCL + written)
    release = read_release(path, {}, with_code=True)
    assert routes_of(release, None) == (("get", "/orders/{id}"),) * routes
    lines = path.read_text().splitlines()
    (run,) = release.runs.values()
    assert all("body" in lines[one.line - 1] or "get" in lines[one.line - 1] for one in run.routes)


@pytest.mark.parametrize(
    ("call", "routes"),
    [
        ('templatefile("${path.module}/api.yaml", { to = aws_lambda_alias.live.invoke_arn, more = "x" })', 1),
        ('templatefile("api.yaml", { other = "x" })', 0),
        ('file("filled.yaml")', 1),
        ('file("none.yaml")', 0),
        ('file("../outside.yaml")', 0),
    ],
)
def test_an_openapi_file_of_terraform_is_read(tmp_path: Path, call: str, routes: int) -> None:
    """Of the module's own folder, with what templatefile gives it."""
    folder = tmp_path / "module"
    folder.mkdir()
    text = "openapi: 3.0.1\npaths: {/orders: {get: {x-amazon-apigateway-integration: {uri: '${to}'}}}}\n"
    filled = text.replace("${to}", "arn:aws:lambda:eu-north-1:123456789012:function:shop-prod:live")
    (folder / "api.yaml").write_text(text)
    (folder / "filled.yaml").write_text(filled)
    (tmp_path / "outside.yaml").write_text(filled)
    api = f'resource "aws_api_gateway_rest_api" "rest" {{\n  name = "shop"\n  body = {call}\n}}\n'
    (folder / "main.tf").write_text(HCL + api)
    assert routes_of(read_release(folder, {}, with_code=True), None) == (("get", "/orders"),) * routes


def test_an_openapi_body_of_a_plan_is_read(tmp_path: Path) -> None:
    """There it is a text of JSON."""
    uri = "arn:aws:apigateway:eu-north-1:lambda:path/2015-03-31/functions/{}/invocations"
    arn = "arn:aws:lambda:eu-north-1:123456789012:function:shop-prod:live"
    integrations = {"get": arn, "post": arn.replace("shop-prod", "other")}
    methods = {
        method: {"x-amazon-apigateway-integration": {"uri": uri.format(to)}} for method, to in integrations.items()
    }
    api = {"name": "shop", "body": json.dumps({"openapi": "3.0.1", "paths": {"/orders": methods}})}
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan(changed={"aws_api_gateway_rest_api.rest": api})))
    assert routes_of(read_release(path, {}, with_code=True), None) == (("get", "/orders"),)


GUARDS = {
    "an authorizer of an event": ("{Path: /a, Method: get, Auth: {Authorizer: Users}}", "", True),
    "a key of an event": ("{Path: /a, Method: get, Auth: {ApiKeyRequired: true}}", "", True),
    "a default of the API": (
        "{Path: /a, Method: get, RestApiId: !Ref Shop}",
        "  Shop:\n    Type: AWS::Serverless::Api\n    Properties: {StageName: p, Auth: {DefaultAuthorizer: Users}}\n",
        True,
    ),
    "a default of another API": (
        "{Path: /a, Method: get}",
        "  Shop:\n    Type: AWS::Serverless::Api\n    Properties: {StageName: p, Auth: {DefaultAuthorizer: Users}}\n",
        False,
    ),
    "a default for all": ("{Path: /a, Method: get}", "Globals:\n  Api: {Auth: {DefaultAuthorizer: AWS_IAM}}\n", True),
    "none of a default": (
        "{Path: /a, Method: get, Auth: {Authorizer: NONE}}",
        "Globals:\n  Api: {Auth: {DefaultAuthorizer: AWS_IAM}}\n",
        False,
    ),
    "nothing": ("{Path: /a, Method: get}", "", False),
}


@pytest.mark.parametrize(("event", "more", "is_guarded"), GUARDS.values(), ids=GUARDS)
def test_what_admits_requests_on_aws_is_told_in_a_rehearsal(
    tmp_path: Path, event: str, more: str, is_guarded: bool
) -> None:
    """There the function stands alone."""
    code = (
        "InlineCode: 'def handler(event, context): return 1'\n      Handler: index.handler\n      Runtime: python3.13\n"
    )
    text = SAM.replace("CodeUri: src/\n", f"{code}      Events: {{One: {{Type: Api, Properties: {event}}}}}\n")
    text = text.replace("Globals:\n", more) if more.startswith("Globals") else text + more
    path = tmp_path / "template.yaml"
    path.write_text(text)
    played = as_released(read_release(path, {}, with_code=True), None, Experiment(name="own"))
    assert ["requests to GET /a; here all reach Api" in one for one in played.otherwise] == [True] * is_guarded


SHAPES_GUARDED = {
    "a route": HTTP_API.replace("RouteKey: GET /ads", "AuthorizationType: JWT, RouteKey: GET /ads"),
    "a method": REST_API.replace("HttpMethod: ANY\n", "HttpMethod: ANY\n      AuthorizationType: AWS_IAM\n"),
    "an operation": BODY.replace("post: {x", "post: {security: [{pool: []}], x"),
    "a definition": BODY.replace("openapi: 3.0.1\n", "openapi: 3.0.1\n        security: [{pool: []}]\n"),
}


@pytest.mark.parametrize("written", SHAPES_GUARDED.values(), ids=SHAPES_GUARDED)
def test_what_admits_requests_is_read_of_every_shape(tmp_path: Path, written: str) -> None:
    """Of its own function's routes."""
    runs = read_release(template(tmp_path, written), {}, with_code=True).runs
    assert runs["${Api2}"].guarded == {one.value for one in runs["${Api2}"].routes}
    assert bool(runs["${Api}"].guarded) is (written == SHAPES_GUARDED["a definition"])


def test_what_admits_requests_is_read_of_terraform_and_serverless(tmp_path: Path) -> None:
    """Terraform says it of the method, and what that invokes elsewhere."""
    (tmp_path / "main.tf").write_text(HCL + TERRAFORM.replace('authorization = "NONE"', 'authorization = "CUSTOM"'))
    (run,) = read_release(tmp_path / "main.tf", {}, with_code=True).runs.values()
    assert run.guarded == {("get", "/ads")}
    events = "[{http: {method: get, path: /a, authorizer: users}}, {http: get /b}, {httpApi: {method: get, path: /c}}]"
    (tmp_path / "serverless.yml").write_text(
        "service: shop\nprovider: {name: aws, runtime: nodejs22.x}\n"
        f"functions: {{api: {{handler: a.b, events: {events}}}}}\n"
    )
    (run,) = read_release(tmp_path / "serverless.yml", {}, with_code=True).runs.values()
    assert run.guarded == {("get", "/a")}


def test_an_event_without_a_path_is_the_default_route(tmp_path: Path) -> None:
    """SAM has an HttpApi event without one answer all that no other route does; a request goes to the root."""
    path = template(tmp_path)
    path.write_text(
        path.read_text().replace(
            "CodeUri: src/\n",
            "CodeUri: src/\n      Events: {All: {Type: HttpApi}, Some: {Type: HttpApi, Properties: {Path: /a}}}\n",
            1,
        )
    )
    assert routes_of(read_release(path, {}, with_code=True), "Api") == (("any", "/"), ("any", "/a"))


@pytest.mark.parametrize("event", ["'*'", "{method: '*', path: '*'}", "{method: get, path: /a}"])
def test_a_star_of_serverless_is_the_default_route(tmp_path: Path, event: str) -> None:
    """Any other event is the route that it says."""
    path = tmp_path / "serverless.yml"
    path.write_text(
        "service: shop\nprovider: {name: aws, runtime: nodejs22.x}\n"
        f"functions: {{api: {{handler: a.b, events: [{{httpApi: {event}}}]}}}}\n"
    )
    (run,) = read_release(path, {}, with_code=True).runs.values()
    assert [one.value for one in run.routes] == [("any", "/") if "*" in event else ("get", "/a")]
