"""The APIs of templates: as SAM writes them in one definition, and as others make them resource by resource."""

from collections.abc import Callable
from typing import Any

import pytest

Sam = Callable[..., str]

SAM_APIS = """
  Shop:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      InlineCode: "def handler(event, context): return {}"
      AutoPublishAlias: live
      Events:
        Rest: {Type: Api, Properties: {Path: "/orders/{id}", Method: get}}
        Http: {Type: HttpApi, Properties: {Path: /orders, Method: post}}
"""

BY_RESOURCE = """
Outputs:
  Rest: {Value: !Ref Rest}
  Http: {Value: !GetAtt Http.ApiEndpoint}
Resources:
  Code:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      Role: arn:aws:iam::123456789012:role/r
      Code: {ZipFile: "def handler(event, context): return {}"}
  Rest: {Type: AWS::ApiGateway::RestApi, Properties: {Name: rest}}
  Orders:
    Type: AWS::ApiGateway::Resource
    Properties: {RestApiId: !Ref Rest, ParentId: !GetAtt Rest.RootResourceId, PathPart: orders}
  Users:
    Type: AWS::ApiGateway::Authorizer
    Properties:
      RestApiId: !Ref Rest
      Name: users
      Type: TOKEN
      IdentitySource: method.request.header.Authorization
      AuthorizerUri:
        !Sub "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Code.Arn}/invocations"
  Get:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Rest
      ResourceId: !Ref Orders
      HttpMethod: GET
      AuthorizationType: CUSTOM
      AuthorizerId: !Ref Users
      Integration:
        Type: AWS_PROXY
        IntegrationHttpMethod: POST
        Uri: !Sub "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Code.Arn}/invocations"
  DeploymentNUMBER:
    Type: AWS::ApiGateway::Deployment
    DependsOn: Get
    Properties: {RestApiId: !Ref Rest}
  Stage:
    Type: AWS::ApiGateway::Stage
    Properties: {RestApiId: !Ref Rest, DeploymentId: !Ref DeploymentNUMBER, StageName: prod, Variables: {mode: NUMBER}}
  Http: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: http, ProtocolType: HTTP}}
  Target:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Http
      IntegrationType: AWS_PROXY
      IntegrationUri: !GetAtt Code.Arn
      PayloadFormatVersion: "2.0"
  Route:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Http, RouteKey: "GET /orders", Target: !Sub "integrations/${Target}"}
  HttpStage: {Type: AWS::ApiGatewayV2::Stage, Properties: {ApiId: !Ref Http, StageName: $default, AutoDeploy: true}}
"""


def find(deployer: Any, api: str, stage: str, method: str, path: str) -> Any:
    """The route of a request to a stage; None where there is none."""
    found = deployer.cloud.stages.find("", f"/restapis/{api}/{stage}/_user_request_{path}")
    matched = found and found.stage.routes.match(method, found.path)
    return matched and matched.route


def test_sams_apis_reach_the_alias(deployer: Any, sam: Sam) -> None:
    """Both kinds of API, each by the definition that SAM makes of a function's events."""
    assert deployer.deploy(sam("1", more=SAM_APIS.lstrip("\n"))) == "CREATE_COMPLETE"
    rest = find(deployer, deployer.physical("ServerlessRestApi"), "Prod", "GET", "/orders/7")
    http = find(deployer, deployer.physical("ServerlessHttpApi"), "$default", "POST", "/orders")
    assert [rest.integration.qualifier, http.integration.qualifier] == ["live", "live"]
    assert [rest.integration.payload, http.integration.payload] == ["1.0", "2.0"]


def test_an_api_of_single_resources_is_served_and_changed(deployer: Any) -> None:
    """As the Serverless Framework and CDK make it: a new deployment takes the place of the one before."""
    assert deployer.deploy(BY_RESOURCE.replace("NUMBER", "1")) == "CREATE_COMPLETE"
    outputs, function = deployer.outputs(), deployer.physical("Code")
    first = find(deployer, outputs["Rest"], "prod", "GET", "/orders")
    assert (first.integration.function, first.authorizer is not None) == (function, True)
    http = outputs["Http"].removeprefix("https://").partition(".")[0]
    assert find(deployer, http, "$default", "GET", "/orders").key == "GET /orders"
    changed = BY_RESOURCE.replace("NUMBER", "2").replace("PathPart: orders", "PathPart: things")
    assert deployer.deploy(changed) == "UPDATE_COMPLETE"
    # What is replaced is deleted after the deployment, so that it holds both, as on AWS.
    assert find(deployer, outputs["Rest"], "prod", "GET", "/orders") is not None
    assert find(deployer, outputs["Rest"], "prod", "GET", "/things").integration.function == function
    deployer.api.delete_stack({"StackName": "shop"})
    deployer.cloud.advance(600)
    assert deployer.cloud.stages.names() == []


@pytest.mark.parametrize("kind", ["AWS::ApiGateway::UsagePlan", "AWS::ApiGateway::ApiKey"])
def test_what_the_gateway_does_not_play_is_named(deployer: Any, kind: str) -> None:
    """In the events of the stack."""
    deployer.deploy(f"Resources: {{Other: {{Type: {kind}}}}}")
    assert any("is a placeholder" in reason for _, reason in deployer.events("Other"))


SAM_AUTHORIZERS = """
  Rest:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      Auth:
        DefaultAuthorizer: Token
        Authorizers:
          Token: {FunctionArn: !GetAtt Users.Arn, Identity: {ReauthorizeEvery: 30}}
          Request:
            FunctionArn: !GetAtt Users.Arn
            FunctionPayloadType: REQUEST
            Identity: {Headers: [X-User], QueryStrings: [tenant]}
          Pool: {UserPoolArn: "arn:aws:cognito-idp:eu-north-1:123456789012:userpool/p"}
  Http:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth:
        Authorizers:
          Jwt:
            JwtConfiguration: {issuer: "https://issuer.example.com", audience: [shop]}
            IdentitySource: $request.header.Authorization
          Simple:
            FunctionArn: !GetAtt Users.Arn
            AuthorizerPayloadFormatVersion: "2.0"
            EnableSimpleResponses: true
            Identity: {Headers: [X-User], ReauthorizeEvery: 10}
  Users:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.12, Handler: index.handler, InlineCode: "def handler(event, context): return {}"}
  Shop:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      InlineCode: "def handler(event, context): return {}"
      Events:
        Usual: {Type: Api, Properties: {RestApiId: !Ref Rest, Path: /token, Method: get}}
        Request:
          Type: Api
          Properties: {RestApiId: !Ref Rest, Path: /request, Method: get, Auth: {Authorizer: Request}}
        Pool: {Type: Api, Properties: {RestApiId: !Ref Rest, Path: /pool, Method: get, Auth: {Authorizer: Pool}}}
        Open: {Type: Api, Properties: {RestApiId: !Ref Rest, Path: /open, Method: get, Auth: {Authorizer: NONE}}}
        Iam: {Type: Api, Properties: {RestApiId: !Ref Rest, Path: /iam, Method: get, Auth: {Authorizer: AWS_IAM}}}
        Key:
          Type: Api
          Properties: {RestApiId: !Ref Rest, Path: /key, Method: get, Auth: {Authorizer: Pool, ApiKeyRequired: true}}
        Jwt: {Type: HttpApi, Properties: {ApiId: !Ref Http, Path: /jwt, Method: get, Auth: {Authorizer: Jwt}}}
        Simple: {Type: HttpApi, Properties: {ApiId: !Ref Http, Path: /simple, Method: get, Auth: {Authorizer: Simple}}}
        Free: {Type: HttpApi, Properties: {ApiId: !Ref Http, Path: /free, Method: get}}
"""


def test_authorizers_of_sam_stand_before_their_routes(
    deployer: Any, sam: Sam, caplog: pytest.LogCaptureFixture
) -> None:
    """A function decides where it is one; what nothing here can verify is said, route by route."""
    assert deployer.deploy(sam("1", more=SAM_AUTHORIZERS.lstrip("\n"))) == "CREATE_COMPLETE", deployer.reasons()
    rest, http = deployer.physical("Rest"), deployer.physical("Http")
    asked = [(rest, "prod", path) for path in ("/token", "/request", "/pool", "/open", "/iam", "/key")]
    asked += [(http, "$default", path) for path in ("/jwt", "/simple", "/free")]
    kinds = [type(find(deployer, api, stage, "GET", path).authorizer).__name__ for api, stage, path in asked]
    by_function = "LambdaAuthorizer"
    assert kinds == [
        *(by_function, by_function, "AnyToken", "NoneType", "NoneType", "AnyToken"),
        *("AnyToken", by_function, "NoneType"),
    ]
    said = "\n".join(caplog.messages)
    assert "a request to GET /key, GET /pool needs a token of Cognito" in said
    assert "a request to GET /iam needs a signature of IAM" in said
    assert "a request to GET /key needs an API key" in said
    assert "a request to GET /jwt needs a JWT" in said
