"""Function URLs over HTTP."""

import base64
import http.client
import io
import json
import socket
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from harness.rehearsal import format_2
from harness.rehearsal.cloud import Cloud
from harness.rehearsal.format_2 import FormattedRequest
from harness.rehearsal.proxy import GatewayAnswer, MalformedAnswer

SOURCE = """
import json
import socket
def handler(event, context):
    if event["rawPath"] == "/boom":
        raise KeyError("x")
    return {"statusCode": 201, "cookies": ["a=1", "b=2"], "body": json.dumps(event)}
"""
CALL = FormattedRequest(
    api_id="abc",
    domain="abc.lambda-url.eu-north-1.localhost",
    method="POST",
    path="/a",
    query="",
    headers={},
    body=b"",
    source_ip="127.0.0.1",
    request_id="r",
    received_s=1000.0,
)


def seen(**changes: Any) -> dict[str, Any]:
    """The event of a request."""
    return json.loads(format_2.event(replace(CALL, **changes)))  # type: ignore[no-any-return]


def test_a_request_becomes_an_event_of_format_2() -> None:
    """Values of one name are joined, cookies stand apart, and what is empty is left out."""
    event = seen(query="a=1&a=2&b=", headers={"cookie": "x=1; y=2", "user-agent": "curl", "x-a": "1,2"})
    assert (event["version"], event["routeKey"], event["rawPath"], event["rawQueryString"]) == (
        "2.0",
        "$default",
        "/a",
        "a=1&a=2&b=",
    )
    assert event["queryStringParameters"] == {"a": "1,2", "b": ""}
    assert (event["cookies"], event["headers"]["x-a"]) == (["x=1", "y=2"], "1,2")
    assert event["requestContext"]["http"] == {
        "method": "POST",
        "path": "/a",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "curl",
    }
    assert not {"body", "cookies", "queryStringParameters"} & set(seen())


@given(body=st.binary(min_size=1), kind=st.sampled_from(["application/octet-stream", "image/png"]))
def test_a_body_that_is_no_text_comes_as_base64(body: bytes, kind: str) -> None:
    """Whatever its bytes are."""
    event = seen(body=body, headers={"content-type": kind})
    assert event["isBase64Encoded"]
    assert base64.b64decode(event["body"]) == body


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "text/plain", "application/problem+json", ""])
def test_a_body_of_text_comes_as_it_is(kind: str) -> None:
    """By its type, or where it has none."""
    event = seen(body=b'{"a": 1}', headers={"content-type": kind} if kind else {})
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": 1}', False)


@pytest.mark.parametrize(
    ("payload", "status", "body"),
    [
        (b'"hello"', 200, b"hello"),
        (b'{"a": 1}', 200, b'{"a": 1}'),
        (b"[1, 2]", 200, b"[1, 2]"),
        (b'{"statusCode": 404, "body": "no"}', 404, b"no"),
        (b'{"statusCode": "200", "body": {"a": 1}}', 200, b'{"a":1}'),
        (b'{"statusCode": 200, "body": "AP8=", "isBase64Encoded": true}', 200, b"\x00\xff"),
    ],
)
def test_what_a_function_returns_becomes_the_answer(payload: bytes, status: int, body: bytes) -> None:
    """What has no statusCode is the body itself."""
    assert format_2.parse(payload) == GatewayAnswer(status, [(b"content-type", b"application/json")], body)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b'{"statusCode": "soon"}',
        b'{"statusCode": 200, "body": "*", "isBase64Encoded": true}',
        b'{"statusCode": 200, "headers": []}',
        b'{"statusCode": 200, "cookies": "a=1"}',
    ],
)
def test_what_is_no_answer_is_refused(payload: bytes) -> None:
    """It becomes a 502."""
    with pytest.raises(MalformedAnswer):
        format_2.parse(payload)


@pytest.fixture(scope="module")
def urls() -> Iterator[tuple[Any, str]]:
    """A client of Lambda, and the name of the URL of an alias."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as package:
        package.writestr("m.py", SOURCE)
    with Cloud(speed=60) as cloud:
        client = boto3.client(
            "lambda",
            endpoint_url=cloud.ready["endpoint_url"],
            region_name="eu-north-1",
            aws_access_key_id="x",
            aws_secret_access_key="y",
        )
        code = {"ZipFile": packed.getvalue()}
        role = "arn:aws:iam::123456789012:role/x"
        client.create_function(FunctionName="fn", Runtime="python3.12", Role=role, Handler="m.handler", Code=code)
        client.get_waiter("function_active_v2").wait(FunctionName="fn")
        client.publish_version(FunctionName="fn")
        client.create_alias(FunctionName="fn", Name="Live", FunctionVersion="1")
        cors = {"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"], "MaxAge": 60}
        made = client.create_function_url_config(FunctionName="fn", Qualifier="Live", AuthType="NONE", Cors=cors)
        yield client, made["FunctionUrl"].split("/")[2]


def asked(host: str, method: str, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Any, bytes]:
    """Status, headers and body of an answer at a URL."""
    connection = http.client.HTTPConnection("127.0.0.1", int(host.split(":")[1]))
    connection.request(method, path, headers={"Host": host, **(headers or {})})
    answer = connection.getresponse()
    try:
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_a_url_runs_its_alias(urls: tuple[Any, str]) -> None:
    """With the path as it was sent, and every cookie that the function sets."""
    status, headers, body = asked(urls[1], "GET", "/x%20y?a=1")
    assert (status, headers.get_all("set-cookie")) == (201, ["a=1", "b=2"])
    assert json.loads(body)["rawPath"] == "/x%20y"


def test_a_function_that_throws_is_502(urls: tuple[Any, str]) -> None:
    """In AWS's words; and so the metrics count it."""
    assert asked(urls[1], "GET", "/boom")[::2] == (502, b"Internal Server Error")


def test_pages_of_other_origins_learn_what_they_may(urls: tuple[Any, str]) -> None:
    """A preflight does not reach the function; a page that is not listed is told nothing."""
    page = {"Origin": "https://a.example"}
    status, headers, body = asked(urls[1], "OPTIONS", "/", {**page, "Access-Control-Request-Method": "GET"})
    assert (status, body, headers["access-control-allow-methods"], headers["access-control-max-age"]) == (
        200,
        b"",
        "GET",
        "60",
    )
    assert asked(urls[1], "GET", "/", page)[1]["access-control-allow-origin"] == "https://a.example"
    assert asked(urls[1], "GET", "/", {"Origin": "https://b.example"})[1]["access-control-allow-origin"] is None


def test_nobody_else_is_answered(urls: tuple[Any, str]) -> None:
    """Not under the name of another site, not at a URL that is not there, and not without the signature it asks for."""
    client, host = urls
    port = host.split(":")[1]
    assert asked(host.replace("localhost", "evil.example"), "GET", "/")[0] == 403
    assert asked(f"gone.lambda-url.eu-north-1.localhost:{port}", "GET", "/")[::2] == (404, b'{"Message":null}')
    client.update_function_url_config(FunctionName="fn", Qualifier="Live", AuthType="AWS_IAM")
    assert asked(host, "GET", "/")[::2] == (403, b'{"Message":"Forbidden"}')
    assert asked(host, "GET", "/", {"Authorization": "AWS4-HMAC-SHA256 Credential=x"})[0] == 201


def test_a_body_that_breaks_off_runs_nothing(urls: tuple[Any, str]) -> None:
    """It is a bad request, or nobody is there to hear it."""
    sent = f"POST / HTTP/1.1\r\nHost: {urls[1]}\r\nAuthorization: x\r\nContent-Length: 100\r\n\r\n{{}}".encode()
    with socket.create_connection(("127.0.0.1", int(urls[1].split(":")[1])), timeout=5) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1000)[:12] in (b"", b"HTTP/1.1 400")
