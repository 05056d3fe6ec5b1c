"""REST APIs that are made through boto3, and what the gateway then answers."""

import http.client
import json
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from harness.sources.files import SourceFile
from harness.sources.openapi import read_openapi

AUTHORIZER = """
def handler(event, context):
    token = event["authorizationToken"]
    if token == "unknown":
        raise Exception("Unauthorized")
    if token == "broken":
        raise ValueError("a bug")
    effect = "Deny" if token == "denied" else "Allow"
    resource = "arn:aws:execute-api:*:*:*/prod/GET/other" if token == "elsewhere" else event["methodArn"]
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": token, "policyDocument": policy, "context": {"admin": True, "level": 7}}
"""
MODEL = {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string"}}}


@pytest.fixture(scope="module")
def rest(client: Any) -> Any:
    """boto3's client."""
    return client("apigateway")


@pytest.fixture(scope="module")
def shop(rest: Any, function: Any, uri_of: Any) -> str:
    """An API with an authorizer, a validator and a gateway response of its own; its id."""
    echo, api = function("echo"), rest.create_rest_api(name="shop")
    own = {"restApiId": api["id"]}
    authorizer = rest.create_authorizer(
        **own, name="users", type="TOKEN", authorizerUri=uri_of(function("auth", AUTHORIZER)),
        identitySource="method.request.header.Authorization", identityValidationExpression="[a-z]+",
    )  # fmt: skip
    validator = rest.create_request_validator(
        **own, name="all", validateRequestBody=True, validateRequestParameters=True
    )
    rest.create_model(**own, name="Order", contentType="application/json", schema=json.dumps(MODEL))
    rest.put_gateway_response(
        **own,
        responseType="DEFAULT_5XX",
        responseParameters={"gatewayresponse.header.X-Own": "'yes'"},
        responseTemplates={"application/json": '{"oh": $context.error.messageString}'},
    )
    orders = rest.create_resource(**own, parentId=api["rootResourceId"], pathPart="orders")["id"]
    order = rest.create_resource(**own, parentId=orders, pathPart="{id}")["id"]
    free, checked = {"authorizationType": "NONE"}, {"requestValidatorId": validator["id"]}
    checked |= {
        "requestModels": {"application/json": "Order"},
        "requestParameters": {"method.request.querystring.q": True},
    }
    for resource, method, settings in [
        (order, "GET", {"authorizationType": "CUSTOM", "authorizerId": authorizer["id"]}),
        (order, "ANY", free),
        (orders, "POST", {**free, **checked}),
    ]:
        where = {**own, "resourceId": resource, "httpMethod": method}
        rest.put_method(**where, **settings)
        rest.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri_of(echo))
    rest.create_deployment(**own, stageName="prod", variables={"mode": "a"})
    return str(api["id"])


def test_a_request_reaches_the_function_of_its_route(ask: Any, shop: str) -> None:
    """With its path parameters, the stage and its variables, and what the authorizer said."""
    event = ask(shop, "prod", "/orders/7?x=1", Authorization="me").content
    assert (event["resource"], event["path"], event["pathParameters"]) == ("/orders/{id}", "/orders/7", {"id": "7"})
    assert (event["stageVariables"], event["requestContext"]["apiId"]) == ({"mode": "a"}, shop)
    authorizer = event["requestContext"]["authorizer"]
    assert {**authorizer, "integrationLatency": 0} == {
        "principalId": "me", "admin": "true", "level": "7", "integrationLatency": 0
    }  # fmt: skip
    assert "authorizer" not in ask(shop, "prod", "/orders/7", "PUT").content["requestContext"]


@pytest.mark.parametrize(
    ("headers", "status", "text"),
    [
        ({}, 401, '{"message":"Unauthorized"}'),
        ({"Authorization": "unknown"}, 401, '{"message":"Unauthorized"}'),
        ({"Authorization": "NO1"}, 401, '{"message":"Unauthorized"}'),
        ({"Authorization": "denied"}, 403, "with an explicit deny"),
        ({"Authorization": "elsewhere"}, 403, 'User is not authorized to access this resource"}'),
        ({"Authorization": "broken"}, 500, '{"oh": "null"}'),
    ],
)
def test_an_authorizer_refuses_as_on_aws(ask: Any, shop: str, headers: dict[str, str], status: int, text: str) -> None:
    """Without a token, by its error, by its policy, and where it fails itself."""
    answer = ask(shop, "prod", "/orders/7", **headers)
    assert answer.status == status
    assert text in answer.text


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/orders", '{"sku": "a"}', 400, "Missing required request parameters: [q]"),
        ("/orders?q=1", "{}", 400, "Invalid request body"),
        ("/orders?q=1", "nothing", 400, "Invalid request body"),
        ("/orders?q=1", '{"sku": "a"}', 200, None),
    ],
)
def test_a_validator_refuses_before_the_function(
    ask: Any, shop: str, path: str, body: str, status: int, message: str | None
) -> None:
    """What lacks a parameter, and what does not fit the model."""
    answer = ask(shop, "prod", path, "POST", body)
    assert (answer.status, answer.content.get("message")) == (status, message)


def test_a_gateway_response_of_its_own_words_a_failure(ask: Any, shop: str) -> None:
    """A function that throws is 502, with the API's own header and template."""
    answer = ask(shop, "prod", "/orders/boom", "PUT")
    assert (answer.status, answer.content) == (502, {"oh": "Internal server error"})
    assert answer.headers["x-own"] == "yes"


def test_a_change_shows_once_it_is_deployed(rest: Any, ask: Any, shop: str) -> None:
    """A stage serves what its deployment was made of, until it gets another."""
    resources = rest.get_resources(restApiId=shop)["items"]
    root = next(one["id"] for one in resources if one["path"] == "/")
    made = rest.create_resource(restApiId=shop, parentId=root, pathPart="health")
    where = {"restApiId": shop, "resourceId": made["id"], "httpMethod": "GET"}
    rest.put_method(**where, authorizationType="NONE")
    rest.put_integration(**where, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    rest.put_integration_response(**where, statusCode="204", responseParameters={"method.response.header.A": "'b'"})
    assert ask(shop, "prod", "/health").status == 403
    deployment = rest.create_deployment(restApiId=shop)["id"]
    operation = {"op": "replace", "path": "/deploymentId", "value": deployment}
    rest.update_stage(restApiId=shop, stageName="prod", patchOperations=[operation])
    answer = ask(shop, "prod", "/health")
    assert (answer.status, answer.headers["a"]) == (204, "b")


def test_a_stage_that_is_deleted_is_served_no_longer(rest: Any, ask: Any, shop: str) -> None:
    """And one that was made of the same deployment goes on."""
    deployment = rest.get_stage(restApiId=shop, stageName="prod")["deploymentId"]
    rest.create_stage(restApiId=shop, stageName="beta", deploymentId=deployment)
    assert ask(shop, "beta", "/orders/7", "PUT").status == 200
    rest.delete_stage(restApiId=shop, stageName="beta")
    assert (ask(shop, "beta", "/orders/7", "PUT").status, ask(shop, "prod", "/orders/7", "PUT").status) == (403, 200)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("{}.execute-api.localhost", 200),
        ("{}.execute-api.eu-north-1.amazonaws.com", 200),
        ("nobodys.execute-api.eu-north-1.amazonaws.com", 403),
        ("{}.execute-api.evil.example", 403),
    ],
)
def test_an_api_has_a_name_of_its_own(cloud: Any, shop: str, host: str, status: int) -> None:
    """That of AWS, too, which the outputs of templates tell; the stage is the first part of the path."""
    with closing(http.client.HTTPConnection(urlsplit(cloud.ready["service_url"]).netloc, timeout=5)) as connection:
        connection.request("PUT", "/prod/orders/7", headers={"Host": host.format(shop)})
        assert connection.getresponse().status == status


def test_requests_count_by_the_name_of_the_api(cloud: Any, client: Any, ask: Any, shop: str) -> None:
    """For alarms on ApiName and Stage; a REST API has no ApiId."""
    ask(shop, "prod", "/orders/boom", "PUT")
    cloud.advance(180)
    listed = client("cloudwatch").list_metrics(Namespace="AWS/ApiGateway", MetricName="5XXError")["Metrics"]
    dimensions = [{one["Name"]: one["Value"] for one in metric["Dimensions"]} for metric in listed]
    assert {"ApiName": "shop", "Stage": "prod"} in dimensions


def test_a_stage_is_exported_as_the_harness_reads_it(rest: Any, shop: str) -> None:
    """By the operation that `init --stack` asks; a deployment's routes, and not what came after it."""
    body = rest.get_export(restApiId=shop, stageName="prod", exportType="oas30")["body"].read().decode()
    described = read_openapi(SourceFile("export", body))
    assert described.host == f"https://{shop}.execute-api.eu-north-1.amazonaws.com/prod"
    assert "GET /orders/{id}" in [draft.label for draft in described.drafts]
    assert not described.left_out
    with pytest.raises(ClientError, match="OpenAPI 3"):
        rest.get_export(restApiId=shop, stageName="prod", exportType="swagger")


SAM = """
swagger: "2.0"
info: {title: sam, version: "1"}
paths:
  /{proxy+}:
    x-amazon-apigateway-any-method:
      security: [{users: []}]
      x-amazon-apigateway-integration:
        {type: aws_proxy, httpMethod: POST, uri: "URI:${stageVariables.alias}/invocations"}
  /open:
    options:
      x-amazon-apigateway-integration:
        type: mock
        requestTemplates: {application/json: '{"statusCode": 200}'}
        responses:
          default: {statusCode: "200", responseParameters: {method.response.header.Access-Control-Allow-Origin: "'*'"}}
securityDefinitions:
  users:
    {type: apiKey, name: Token, in: header, x-amazon-apigateway-authtype: custom,
     x-amazon-apigateway-authorizer: {type: token, authorizerUri: "AUTHORIZER"}}
"""


def test_a_definition_of_sam_is_imported(rest: Any, client: Any, function: Any, ask: Any, uri_of: Any) -> None:
    """Any method on any path by an alias that the stage names, an authorizer, and a mock for CORS."""
    arn, authorizer = function("sam"), function("sam-auth", AUTHORIZER)
    client("lambda").create_alias(FunctionName="sam", Name="Live", FunctionVersion="$LATEST")
    text = SAM.replace("URI", uri_of(arn).removesuffix("/invocations")).replace("AUTHORIZER", uri_of(authorizer))
    api = rest.import_rest_api(body=text.encode())["id"]
    rest.create_deployment(restApiId=api, stageName="Prod", variables={"alias": "Live"})
    assert ask(api, "Prod", "/a/b", "PATCH", Token="me").content["qualifier"] == ["Live"]
    assert ask(api, "Prod", "/a/b").status == 401
    assert ask(api, "Prod", "/open", "OPTIONS").headers["access-control-allow-origin"] == "*"
    assert [one["path"] for one in rest.get_resources(restApiId=api)["items"]] == ["/", "/{proxy+}", "/open"]


GUARDED = """
swagger: "2.0"
info: {title: guarded, version: "1"}
paths:
  /token: {get: {security: [{pool: [], api_key: []}], x-amazon-apigateway-integration: {type: mock}}}
  /sealed: {get: {security: [{AWS_IAM: []}], x-amazon-apigateway-integration: {type: mock}}}
  /key: {get: {security: [{api_key: []}], x-amazon-apigateway-integration: {type: mock}}}
securityDefinitions:
  api_key: {type: apiKey, name: x-api-key, in: header}
  AWS_IAM: {type: apiKey, name: Authorization, in: header, x-amazon-apigateway-authtype: awsSigv4}
  pool:
    {type: apiKey, name: Authorization, in: header,
     x-amazon-apigateway-authorizer: {type: cognito_user_pools, providerARNs: [arn]}}
"""


def test_what_nothing_here_verifies_is_said(rest: Any, ask: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Tokens of Cognito, signatures and keys: who would be refused on AWS is let in."""
    api = rest.import_rest_api(body=GUARDED.encode())["id"]
    rest.create_deployment(restApiId=api, stageName="prod")
    statuses = [ask(api, "prod", "/token", Authorization="any").status, ask(api, "prod", "/token").status]
    assert [*statuses, ask(api, "prod", "/sealed").status, ask(api, "prod", "/key").status] == [200, 401, 200, 200]
    said = "\n".join(caplog.messages)
    assert "a request to GET /token needs a token of Cognito, which this local cloud does not verify" in said
    assert "a request to GET /sealed needs a signature of IAM" in said
    assert "a request to GET /token, GET /key needs an API key" in said


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("get_rest_api", {"restApiId": "nowhere"}, "NotFoundException"),
        ("import_rest_api", {"body": b"- no definition"}, "BadRequestException"),
        ("import_rest_api", {"body": b"{"}, "BadRequestException"),
        ("get_stage", {"stageName": "none"}, "NotFoundException"),
        ("create_stage", {"stageName": "prod", "deploymentId": "none"}, "NotFoundException"),
        ("get_method", {"resourceId": "none", "httpMethod": "GET"}, "NotFoundException"),
    ],
)
def test_what_cannot_be_is_refused(rest: Any, shop: str, operation: str, params: dict[str, Any], code: str) -> None:
    """In AWS's codes."""
    given = params if "body" in params else {"restApiId": shop, **params}
    with pytest.raises(rest.exceptions.ClientError) as caught:
        getattr(rest, operation)(**given)
    assert caught.value.response["Error"]["Code"] == code
