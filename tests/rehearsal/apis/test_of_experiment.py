"""What a function of one's own is told of the API in front of it, in a rehearsal."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from harness.core.experiment.parse import parse
from harness.errors import ExperimentError
from harness.rehearsal.cloud import Cloud
from harness.rehearsal.fixtures import CloudFactory

ECHO = """
import json
def handler(event, context):
    return {'statusCode': 200, 'body': json.dumps({**event, 'function': context.function_name})}
"""
FAILS = "def handler(event, context): raise RuntimeError"
ROUTES = ["GET /orders/{id}", "ANY /old/{rest+}", "GET /orders"]


def arm(source: str) -> dict[str, Any]:
    """Both versions of a service that is one file."""
    one = {"code": {"inline": source, "handler": "index.handler", "runtime": "python3.13"}}
    return {"baseline": one, "canary": one}


def told(cloud: Cloud, path: str) -> dict[str, Any]:
    """The event that a request makes."""
    with urllib.request.urlopen(f"{cloud.ready['service_url']}{path}", timeout=10) as answer:
        event: dict[str, Any] = json.load(answer)
        return event


def test_a_function_behind_an_http_api_gets_its_format(canary_cloud_factory: CloudFactory) -> None:
    """Route key, path and parameters, on the default stage; a request without a route of its own takes the default."""
    cloud = canary_cloud_factory({**arm(ECHO), "api": {"payload_format": "2.0", "routes": ROUTES}})
    event = told(cloud, "/orders/7?full=1")
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "GET /orders/{id}", "/orders/7")
    assert event["pathParameters"] == {"id": "7"}
    assert event["requestContext"]["stage"] == "$default"
    assert told(cloud, "/old/a/b")["pathParameters"] == {"rest": "a/b"}
    assert told(cloud, "/elsewhere")["routeKey"] == "$default"


def test_a_function_behind_a_rest_api_gets_its_resource(canary_cloud_factory: CloudFactory) -> None:
    """And the parameters of the path."""
    cloud = canary_cloud_factory({**arm(ECHO), "api": {"routes": ROUTES}})
    event = told(cloud, "/orders/7")
    assert (event["resource"], event["path"]) == ("/orders/{id}", "/orders/7")
    assert event["pathParameters"] == {"id": "7"}
    assert told(cloud, "/elsewhere")["resource"] == "/{proxy+}"


def test_a_route_of_a_function_beside_stays_its_own(canary_cloud_factory: CloudFactory) -> None:
    """Whatever its parameter is called, and for a plain path, too; what is not said of it is the released one's."""
    paths = {"orders": "/orders/{{env.ID}}", "list": "/orders", "old": "/old/1"}
    requests = {name: {"get": path, "name": name} for name, path in paths.items()}
    keys = {"traffic": {"requests": requests}, "deployment": {"requests": ["old"]}}
    cloud = canary_cloud_factory({**arm(ECHO), **keys, "api": {"routes": ROUTES}})
    functions = [told(cloud, path)["function"] for path in ("/orders/7", "/orders", "/old/a")]
    assert [one == cloud.ready["function"] for one in functions] == [False, False, True]


@pytest.mark.parametrize(("payload_format", "status"), [("1.0", 502), ("2.0", 500)])
def test_a_failing_function_is_answered_for_as_its_kind_of_api_does(
    payload_format: str, status: int, canary_cloud_factory: CloudFactory
) -> None:
    """An HTTP API says 500, a REST API 502."""
    cloud = canary_cloud_factory({**arm(FAILS), "api": {"payload_format": payload_format}})
    with pytest.raises(urllib.error.HTTPError) as failed:
        told(cloud, "/orders")
    assert failed.value.code == status


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"api": {"routes": ["GET /orders"]}}, "api"),
        ({**arm(ECHO), "api": {"routes": ["get /orders"]}}, "api.routes[0]"),
        ({**arm(ECHO), "api": {"routes": ["GET orders"]}}, "api.routes[0]"),
        ({**arm(ECHO), "api": {"payload_format": "3.0"}}, "api.payload_format"),
        ({**arm(ECHO), "canary": {"url": "http://127.0.0.1:1"}, "api": {"payload_format": "2.0"}}, "api"),
    ],
)
def test_an_api_that_cannot_be_is_refused(keys: dict[str, Any], path: str) -> None:
    """The bundled service and one at a URL are told by HTTP alone; a route is a method and a path."""
    with pytest.raises(ExperimentError) as refused:
        parse(json.dumps({"name": "own", "traffic": {"requests": {"a": {"get": "/"}}}, **keys}), source="own.yaml")
    assert refused.value.path == path
