"""A cloud of one module, with boto3's clients of it and functions that echo."""

import http.client
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from harness.core.rehearsed import REGION
from harness.rehearsal.cloud import Cloud

ECHO = """
import json


def handler(event, context):
    if "boom" in json.dumps(event.get("pathParameters") or {}):
        raise RuntimeError("on purpose")
    return {"statusCode": 200, "body": json.dumps({"qualifier": context.invoked_function_arn.split(":")[7:], **event})}
"""


@dataclass(frozen=True)
class Seen:
    """What a client saw."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def content(self) -> Any:
        """The body's JSON."""
        return json.loads(self.text)


Client = Callable[[str], Any]
Ask = Callable[..., Seen]
Function = Callable[..., str]


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """A cloud whose clock stands still."""
    with Cloud(speed=0) as served:
        yield served


@pytest.fixture(scope="module")
def client(cloud: Cloud) -> Client:
    """`client("apigateway")` is boto3's client of this cloud."""
    keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
    return lambda name: boto3.client(name, endpoint_url=cloud.ready["endpoint_url"], region_name=REGION, **keys)


@pytest.fixture(scope="module")
def function(client: Client) -> Function:
    """`function("name", source)` makes a function of Python, and gives its ARN."""

    def make(name: str, source: str = ECHO, **settings: Any) -> str:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("app.py", source)
        made = client("lambda").create_function(
            FunctionName=name,
            Role="arn:aws:iam::123456789012:role/r",
            Runtime="python3.12",
            Handler="app.handler",
            Code={"ZipFile": content.getvalue()},
            **settings,
        )
        return str(made["FunctionArn"])

    return make


@pytest.fixture(scope="module")
def ask(cloud: Cloud) -> Ask:
    """`ask(api, stage, path)` sends one request to a stage."""

    def send(api: str, stage: str, path: str, method: str = "GET", body: str = "", **headers: str) -> Seen:
        url = urlsplit(cloud.ready["service_url"])
        with closing(http.client.HTTPConnection(url.netloc, timeout=10)) as connection:
            connection.request(method, f"/restapis/{api}/{stage}/_user_request_{path}", body or None, headers)
            answer = connection.getresponse()
            return Seen(
                answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read().decode()
            )

    return send


@pytest.fixture(scope="module")
def uri_of() -> Callable[[str], str]:
    """`uri_of(arn)` is what an integration names a function by."""
    return lambda arn: f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"
