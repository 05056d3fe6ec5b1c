"""HTTP APIs that are made through boto3, and what the gateway then answers."""

from typing import Any

import pytest

from harness.sources.files import SourceFile
from harness.sources.openapi import read_openapi

AUTHORIZER = """
def handler(event, context):
    token = event["identitySource"][0]
    if token == "broken":
        return "nonsense"
    return {"isAuthorized": token == "me", "context": {"level": 7}}
"""


@pytest.fixture(scope="module")
def http(client: Any) -> Any:
    """boto3's client."""
    return client("apigatewayv2")


@pytest.fixture(scope="module")
def shop(http: Any, function: Any) -> str:
    """An API with a route that an authorizer guards, one that is free, and a stage that deploys by itself; its id."""
    own = {"ApiId": http.create_api(Name="shop", ProtocolType="HTTP")["ApiId"]}
    integration = http.create_integration(
        **own, IntegrationType="AWS_PROXY", IntegrationUri=function("items"), PayloadFormatVersion="2.0"
    )["IntegrationId"]
    authorizer = http.create_authorizer(
        **own,
        Name="users",
        AuthorizerType="REQUEST",
        AuthorizerUri=function("guard", AUTHORIZER),
        IdentitySource=["$request.header.Token"],
        AuthorizerPayloadFormatVersion="2.0",
        EnableSimpleResponses=True,
    )["AuthorizerId"]
    http.create_stage(**own, StageName="$default", AutoDeploy=True)
    target = f"integrations/{integration}"
    http.create_route(
        **own, RouteKey="GET /items/{id}", Target=target, AuthorizationType="CUSTOM", AuthorizerId=authorizer
    )
    http.create_route(**own, RouteKey="ANY /free/{proxy+}", Target=target)
    return str(own["ApiId"])


def test_a_request_comes_in_payload_format_2(ask: Any, shop: str) -> None:
    """With its route's key, and what the authorizer said."""
    event = ask(shop, "$default", "/items/4?a=1&a=2", Token="me", Cookie="x=1; y=2").content
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "GET /items/{id}", "/items/4")
    assert (event["pathParameters"], event["queryStringParameters"]) == ({"id": "4"}, {"a": "1,2"})
    assert (event["cookies"], event["headers"]["token"]) == (["x=1", "y=2"], "me")
    assert (event["headers"]["x-forwarded-proto"], event["headers"]["x-forwarded-port"]) == ("https", "443")
    assert event["requestContext"]["authorizer"] == {"lambda": {"level": 7}}


@pytest.mark.parametrize(
    ("path", "headers", "status", "message"),
    [
        ("/items/4", {}, 401, "Unauthorized"),
        ("/items/4", {"Token": "you"}, 403, "Forbidden"),
        ("/items/4", {"Token": "broken"}, 500, "Internal Server Error"),
        ("/nowhere", {}, 404, "Not Found"),
        ("/free/boom", {}, 500, "Internal Server Error"),
    ],
)
def test_a_http_api_fails_as_on_aws(
    ask: Any, shop: str, path: str, headers: dict[str, str], status: int, message: str
) -> None:
    """With other statuses and words than a REST API: a function that throws is a 500."""
    answer = ask(shop, "$default", path, **headers)
    assert (answer.status, answer.content) == (status, {"message": message})


def test_the_default_route_answers_what_no_other_does(http: Any, function: Any, ask: Any) -> None:
    """As an API has it that was made with a target; and it goes with its API."""
    api = http.create_api(Name="quick", ProtocolType="HTTP", Target=function("quick"))["ApiId"]
    assert ask(api, "$default", "/any/thing", "DELETE").content["routeKey"] == "$default"
    assert [one["StageName"] for one in http.get_stages(ApiId=api)["Items"]] == ["$default"]
    http.delete_api(ApiId=api)
    assert ask(api, "$default", "/any/thing").status == 403
    assert api not in {one["ApiId"] for one in http.get_apis()["Items"]}


def test_a_definition_is_imported(http: Any, function: Any, ask: Any) -> None:
    """OpenAPI 3 as SAM writes it; a stage serves a deployment of it."""
    integration = f'{{type: aws_proxy, payloadFormatVersion: "2.0", uri: "{function("defined")}"}}'
    text = f"""
    openapi: 3.0.1
    info: {{title: defined}}
    paths:
      /things: {{get: {{x-amazon-apigateway-integration: {integration}}}}}
      /$default: {{x-amazon-apigateway-any-method: {{x-amazon-apigateway-integration: {integration}}}}}
    """
    api = http.import_api(Body=text)["ApiId"]
    deployment = http.create_deployment(ApiId=api)["DeploymentId"]
    http.create_stage(ApiId=api, StageName="prod", DeploymentId=deployment)
    keys = [ask(api, "prod", path).content["routeKey"] for path in ("/things", "/other")]
    assert keys == ["GET /things", "$default"]


def test_a_jwt_that_nothing_here_verifies_is_said(
    http: Any, function: Any, ask: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever sends any token is let in, and the function gets no claims."""
    integration = f'{{type: aws_proxy, payloadFormatVersion: "2.0", uri: "{function("tokens")}"}}'
    jwt = "{type: jwt, jwtConfiguration: {issuer: https://example.com, audience: [a]}}"
    scheme = f"{{type: oauth2, x-amazon-apigateway-authorizer: {jwt}}}"
    iam = "{type: apiKey, name: Authorization, in: header, x-amazon-apigateway-authtype: awsSigv4}"
    text = f"""
    openapi: 3.0.1
    info: {{title: tokens}}
    paths:
      /own: {{get: {{security: [{{token: []}}], x-amazon-apigateway-integration: {integration}}}}}
      /signed: {{get: {{security: [{{AWS_IAM: []}}], x-amazon-apigateway-integration: {integration}}}}}
    components: {{securitySchemes: {{token: {scheme}, AWS_IAM: {iam}}}}}
    """
    api = http.import_api(Body=text)["ApiId"]
    http.create_stage(ApiId=api, StageName="prod", DeploymentId=http.create_deployment(ApiId=api)["DeploymentId"])
    assert (ask(api, "prod", "/own").status, ask(api, "prod", "/own", Authorization="any").status) == (401, 200)
    assert "a request to GET /own needs a JWT, which this local cloud does not verify" in caplog.text
    assert "a request to GET /signed needs a signature of IAM" in caplog.text


def test_an_http_api_is_exported_as_the_harness_reads_it(http: Any, shop: str) -> None:
    """By the operation that `init --stack` asks."""
    answer = http.export_api(ApiId=shop, OutputType="JSON", Specification="OAS30", StageName="$default")
    described = read_openapi(SourceFile("export", answer["body"].read().decode()))
    assert described.host == f"https://{shop}.execute-api.eu-north-1.amazonaws.com"
    assert [draft.label for draft in described.drafts] == ["GET /items/{id}", "GET /free/{proxy+}"]


def test_a_websocket_api_is_refused(http: Any) -> None:
    """It is not played here, and not made as if it were."""
    with pytest.raises(http.exceptions.BadRequestException, match="no WebSocket APIs"):
        http.create_api(Name="chat", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")
