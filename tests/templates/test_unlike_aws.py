"""What a rehearsal of one function says of the API that it leaves out, and the alarms on that API which it plays."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from harness.core.experiment.parse import parse
from harness.core.experiment.types import Experiment, RehearsedApi
from harness.errors import UsageError
from harness.templates import as_released, read_release

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Front: {Type: AWS::Serverless::HttpApi, Properties: {}}
  Old: {Type: AWS::Serverless::Api, Properties: {StageName: prod, Name: old-shop}}
  Track:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "def handler(event, context): return {}"
      Handler: index.handler
      Runtime: python3.12
      AutoPublishAlias: Live
      DeploymentPreference: {Type: Canary10Percent5Minutes, Alarms: [!Ref Failures]}
      Events:
        One: {Type: HttpApi, Properties: {ApiId: !Ref Front, Method: GET, Path: "/parcels/{id}"}}
        All: {Type: Api, Properties: {RestApiId: !Ref Old, Method: ANY, Path: "/old/{proxy+}"}}
  Failures:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/ApiGateway
      MetricName: METRIC
      Dimensions: DIMENSIONS
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: 5
      ComparisonOperator: GreaterThanOrEqualToThreshold
"""


def played(tmp_path: Path, metric: str, dimensions: str, requests: dict[str, Any] | None = None) -> Experiment:
    """An experiment with the release of the function, whose alarm is on an API."""
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE.replace("METRIC", metric).replace("DIMENSIONS", dimensions))
    sent = requests or {"one": {"get": "/parcels/7"}}
    own = parse(json.dumps({"name": "own", "traffic": {"requests": sent}}), source="own.yaml")
    return as_released(read_release(path, {}, with_code=True), None, own)


@pytest.mark.parametrize(
    ("metric", "dimensions", "placeholder"),
    [
        ("5xx", "[{Name: ApiId, Value: !Ref Front}]", {"ApiId": "{api_id}"}),
        ("5XXError", "[{Name: ApiName, Value: old-shop}]", {"ApiName": "{api}"}),
    ],
)
def test_an_alarm_on_the_api_of_the_function_is_played(
    tmp_path: Path, metric: str, dimensions: str, placeholder: dict[str, str]
) -> None:
    """Of an HTTP API and of a REST API; and it is told that one function alone answers there."""
    experiment = played(tmp_path, metric, dimensions)
    assert (experiment.alarm.metric, experiment.alarm.dimensions) == (metric, placeholder)
    assert [line for line in experiment.otherwise if "counts what all functions of the API answer" in line]


@pytest.mark.parametrize(
    "dimensions",
    ["[{Name: ApiId, Value: abc123}]", "[{Name: ApiId, Value: !Ref Front}, {Name: Stage, Value: prod}]", "[]"],
)
def test_an_alarm_on_anything_else_is_not(tmp_path: Path, dimensions: str) -> None:
    """Another API's, a stage that may be another, and none at all."""
    with pytest.raises(UsageError, match="is none: it watches AWS/ApiGateway 5xx"):
        played(tmp_path, "5xx", dimensions)


@pytest.mark.parametrize(
    ("request_of", "is_told"),
    [
        ({"get": "/parcels/{{env.ID}}?full=1"}, False),
        ({"get": "/prod/parcels/7"}, False),
        ({"delete": "/old/a/b"}, False),
        ({"get": "/quotes/1", "weight": 0}, False),
        ({"get": "/quotes/1"}, True),
        ({"post": "/parcels/7"}, True),
        ({"get": "/parcels/7/label"}, True),
        ({"get": "/old"}, True),
    ],
)
def test_requests_without_a_route_to_the_function_are_told(
    tmp_path: Path, request_of: dict[str, Any], is_told: bool
) -> None:
    """Its arms count answers that it never gives on AWS, so that nobody takes them for proof."""
    requests = {"sent": request_of, "one": {"get": "/parcels/7"}}
    experiment = played(tmp_path, "5xx", "[{Name: ApiId, Value: !Ref Front}]", requests)
    assert is_told == any("has no route to Track for" in line for line in experiment.otherwise)


@pytest.mark.parametrize(("version", "is_played"), [("", "2.0"), (', PayloadFormatVersion: "1.0"', "1.0")])
def test_the_function_gets_its_routes_in_the_format_of_its_api(tmp_path: Path, version: str, is_played: str) -> None:
    """As SAM has an HTTP API hand them on; what the experiment says of the API goes before."""
    path = tmp_path / "template.yaml"
    text = TEMPLATE.replace("METRIC", "5xx").replace("DIMENSIONS", "[{Name: ApiId, Value: !Ref Front}]")
    path.write_text(text.replace('Path: "/parcels/{id}"', f'Path: "/parcels/{{id}}"{version}'))
    release = read_release(path, {}, with_code=True)
    own = parse("name: own", source="own.yaml")
    assert as_released(release, None, own).api == RehearsedApi(
        routes=("GET /parcels/{id}", "ANY /old/{proxy+}"), payload_format=is_played
    )
    said = replace(own, api=RehearsedApi(routes=("GET /parcels/{number}",)))
    assert as_released(release, None, said).api == said.api
    assert as_released(release, None, own, stand_in=True).api == RehearsedApi()
